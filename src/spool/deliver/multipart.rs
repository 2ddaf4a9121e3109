//! A file in parts: equal ones, read and sent some at a time, with a checksum of each and one of
//! the whole. What fails is aborted, so that no parts stay behind to be paid for.

use std::time::Duration;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use crc_fast::CrcAlgorithm;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

use super::{Load, Means, Refusal, Target, confirmed, content_type, cut_off, header, read};
use crate::backoff::Backoff;
use crate::error::{Error, Kind};

/// Parts are this large, unless there would be too many of them.
const PART: u64 = 8 << 20;
const MOST_PARTS: u64 = 10_000;
/// Grown parts are a multiple of this.
const GRAIN: u64 = 1 << 20;
/// So many parts of one file are under way at once, as far as the buffer lets them.
const AT_ONCE: usize = 4;
/// A part that fails in passing is sent so often before the whole upload is given up.
const TRIES: u32 = 5;
const AGAIN: Backoff = Backoff::doubling(Duration::from_millis(500), Duration::from_secs(10));
/// Completing joins the parts, which may take S3 minutes.
const COMPLETING: u64 = 20 << 20;
/// How long an abort may take, within the time that a stop allows.
const ABORTING: Duration = Duration::from_secs(2);

/// One part, confirmed.
#[derive(Debug)]
struct Part {
    number: i32,
    length: u64,
    checksum: u64,
    etag: Option<String>,
}

pub(super) async fn deliver(
    destination: &Target,
    load: &Load,
    means: &Means,
    cut: &CancellationToken,
) -> Result<(), Refusal> {
    let begun = tokio::select! {
        biased;
        () = cut.cancelled() => return Err(cut_off(&load.key)),
        begun = begin(destination, load) => begun?,
    };
    let ended = tokio::select! {
        biased;
        () = cut.cancelled() => Err(cut_off(&load.key)),
        ended = send_all(destination, load, means, &begun) => ended,
    };
    if ended.is_err() {
        abort(destination, load, &begun).await;
    }
    ended
}

async fn begin(destination: &Target, load: &Load) -> Result<String, Refusal> {
    let answer = destination
        .s3
        .create_multipart_upload()
        .bucket(&destination.bucket)
        .key(&load.key)
        .content_type(content_type(&load.key))
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .checksum_type(ChecksumType::FullObject)
        .customize()
        .mutate_request(destination.notice())
        .send()
        .await
        .map_err(|error| destination.refused("uploading", &load.key, error))?;
    answer.upload_id.filter(|id| !id.is_empty()).ok_or_else(|| {
        let what = format!("uploading {:?}: S3 began it without an upload id", load.key);
        Refusal::Refused(Error::new(Kind::Transient, what))
    })
}

async fn send_all(
    destination: &Target,
    load: &Load,
    means: &Means,
    upload: &str,
) -> Result<(), Refusal> {
    let mut parts: Vec<Part> = stream::iter(stretches(load.stamp.size))
        .map(|(number, offset, length)| async move {
            send_patiently(destination, load, means, upload, (number, offset, length)).await
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    parts.sort_by_key(|part| part.number);
    complete(destination, load, upload, &parts).await
}

async fn send_patiently(
    destination: &Target,
    load: &Load,
    means: &Means,
    upload: &str,
    part: (i32, u64, u64),
) -> Result<Part, Refusal> {
    let mut failures = 0;
    loop {
        match send(destination, load, means, upload, part).await {
            Err(Refusal::Refused(error)) if error.kind().passes_by_itself() => {
                failures += 1;
                if failures >= TRIES {
                    return Err(Refusal::Refused(error));
                }
                tracing::debug!(key = load.key, part = part.0, %error, "part failed");
                tokio::time::sleep(AGAIN.delay(failures, fastrand::f64())).await;
            }
            ended => return ended,
        }
    }
}

async fn send(
    destination: &Target,
    load: &Load,
    means: &Means,
    upload: &str,
    (number, offset, length): (i32, u64, u64),
) -> Result<Part, Refusal> {
    let stretch = read::stretch(load, means, (offset, length), destination.is_over_tls()).await?;
    let call = destination
        .s3
        .upload_part()
        .bucket(&destination.bucket)
        .key(&load.key)
        .upload_id(upload)
        .part_number(number)
        .content_length(i64::try_from(length).unwrap_or(i64::MAX))
        .checksum_crc64_nvme(header(stretch.checksum))
        .body(stretch.body)
        .customize()
        .config_override(Target::call(length))
        .mutate_request(destination.notice());
    let call = if destination.is_over_tls() { call.disable_payload_signing() } else { call };
    let answer = call.send().await.map_err(|error| {
        let told = destination.refused("uploading a part of", &load.key, error);
        read::fault_of(&stretch.broken).unwrap_or(told)
    })?;
    confirmed(&load.key, stretch.checksum, answer.checksum_crc64_nvme())?;
    Ok(Part { number, length, checksum: stretch.checksum, etag: answer.e_tag })
}

async fn complete(
    destination: &Target,
    load: &Load,
    upload: &str,
    parts: &[Part],
) -> Result<(), Refusal> {
    let whole = combined(parts);
    let listed = parts.iter().map(|part| {
        CompletedPart::builder()
            .part_number(part.number)
            .set_e_tag(part.etag.clone())
            .checksum_crc64_nvme(header(part.checksum))
            .build()
    });
    let listed = CompletedMultipartUpload::builder().set_parts(Some(listed.collect())).build();
    let answer = destination
        .s3
        .complete_multipart_upload()
        .bucket(&destination.bucket)
        .key(&load.key)
        .upload_id(upload)
        .multipart_upload(listed)
        .checksum_crc64_nvme(header(whole))
        .checksum_type(ChecksumType::FullObject)
        .mpu_object_size(i64::try_from(load.stamp.size).unwrap_or(i64::MAX))
        .customize()
        .config_override(Target::call(COMPLETING))
        .send()
        .await
        .map_err(|error| destination.refused("completing", &load.key, error))?;
    if answer.e_tag().is_none() {
        // S3 may begin its answer with 200 and then find an error; a whole answer has an ETag.
        let what = format!("completing {:?}: S3 did not say that the object is there", load.key);
        return Err(Refusal::Refused(Error::new(Kind::Transient, what)));
    }
    // A store that does not join checksums answers with none, or with one of another type.
    let full = answer.checksum_type().is_none_or(|kind| *kind == ChecksumType::FullObject);
    let answered = answer.checksum_crc64_nvme().filter(|sum| full && !sum.contains('-'));
    confirmed(&load.key, whole, answered)
}

async fn abort(destination: &Target, load: &Load, upload: &str) {
    let call = destination
        .s3
        .abort_multipart_upload()
        .bucket(&destination.bucket)
        .key(&load.key)
        .upload_id(upload)
        .send();
    let failure = match tokio::time::timeout(ABORTING, call).await {
        Ok(Ok(_aborted)) => return,
        Ok(Err(error)) => crate::aws::fault::fault("aborting", error).to_string(),
        Err(_elapsed) => "no answer in time".to_owned(),
    };
    tracing::warn!(
        bucket = destination.bucket,
        key = load.key,
        upload_id = upload,
        error = failure,
        "multipart upload not aborted"
    );
}

/// The numbers, offsets and lengths of all parts.
fn stretches(size: u64) -> impl Iterator<Item = (i32, u64, u64)> {
    let part = part_size(size);
    (1_i32..)
        .zip((0..size.div_ceil(part)).map(move |index| index * part))
        .map(move |(number, offset)| (number, offset, part.min(size - offset)))
}

fn part_size(size: u64) -> u64 {
    if size <= PART * MOST_PARTS {
        return PART;
    }
    size.div_ceil(MOST_PARTS).next_multiple_of(GRAIN)
}

fn combined(parts: &[Part]) -> u64 {
    let mut parts = parts.iter();
    let first = parts.next().map_or(0, |part| part.checksum);
    parts.fold(first, |whole, part| {
        crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, whole, part.checksum, part.length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::deliver::LARGEST_OBJECT;

    #[test]
    fn parts_are_equal_and_never_too_many() {
        for size in [(16 << 20) + 1, PART * MOST_PARTS, PART * MOST_PARTS + 1, LARGEST_OBJECT] {
            let parts: Vec<_> = stretches(size).collect();
            assert!(parts.len() <= 10_000);
            assert_eq!(parts.iter().map(|part| part.2).sum::<u64>(), size);
            let (_, all_but_last) = parts.split_last().unwrap();
            assert!(all_but_last.iter().all(|part| part.2 == parts[0].2));
            assert!(parts[0].2 <= 5 << 30);
        }
        assert_eq!(part_size(17 << 20), 8 << 20);
    }

    #[test]
    fn the_checksum_of_the_whole_follows_from_its_parts() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let parts: Vec<Part> = (1..)
            .zip(bytes.chunks(33_333))
            .map(|(number, chunk)| Part {
                number,
                length: u64::try_from(chunk.len()).unwrap(),
                checksum: crc_fast::checksum(CrcAlgorithm::Crc64Nvme, chunk),
                etag: None,
            })
            .collect();
        assert_eq!(combined(&parts), crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &bytes));
    }
}
