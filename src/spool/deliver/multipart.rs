//! A file in parts: equal ones, read and sent some at a time, with a checksum of each and one of
//! the whole. What fails is aborted, so that no parts stay behind to be paid for.

use std::time::Duration;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

use super::{Load, Means, Refusal, Target, confirmed, content_type, cut_off, read};
use crate::again::again_after;
use crate::backoff::Backoff;
use crate::error::{Error, Kind};
use crate::toolkit::s3::parts::{
    AT_ONCE, PART, Part, Upload, answered, combined, patience, stretches,
};

/// Longer pauses than for other calls: with a part that is given up, all the others go.
const AGAIN: Backoff = Backoff::doubling(Duration::from_millis(500), Duration::from_secs(10));
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
    let upload =
        Upload { client: &destination.s3, bucket: &destination.bucket, key: &load.key, id: &begun };
    let ended = tokio::select! {
        biased;
        () = cut.cancelled() => Err(cut_off(&load.key)),
        ended = send_all(destination, load, means, &upload) => ended,
    };
    if ended.is_err() {
        upload.abort().await;
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
    upload: &Upload<'_>,
) -> Result<(), Refusal> {
    let mut parts: Vec<Part> = stream::iter(stretches(load.stamp.size, PART))
        .map(|(number, offset, length)| async move {
            let part = (number, offset, length);
            again_after(AGAIN, || send(destination, load, means, upload, part)).await
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    parts.sort_by_key(|part| part.number);
    complete(destination, load, upload, &parts).await
}

async fn send(
    destination: &Target,
    load: &Load,
    means: &Means,
    upload: &Upload<'_>,
    (number, offset, length): (i32, u64, u64),
) -> Result<Part, Refusal> {
    let stretch = read::stretch(load, means, (offset, length), destination.is_over_tls()).await?;
    let call = upload
        .part(number, length, stretch.checksum)
        .body(stretch.body)
        .customize()
        .config_override(patience(length))
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
    upload: &Upload<'_>,
    parts: &[Part],
) -> Result<(), Refusal> {
    let whole = combined(parts);
    let answer = upload
        .complete(parts, whole)
        .await
        .map_err(|error| destination.refused("completing", &load.key, error))?;
    if answer.e_tag().is_none() {
        // S3 may begin its answer with 200 and then find an error; a whole answer has an ETag.
        let what = format!("completing {:?}: S3 did not say that the object is there", load.key);
        return Err(Refusal::Refused(Error::new(Kind::Transient, what)));
    }
    confirmed(&load.key, whole, answered(&answer))
}
