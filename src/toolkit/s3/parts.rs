//! Uploads in parts: how large they are, how their checksums make that of the whole, and the calls
//! that end one.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::complete_multipart_upload::{
    CompleteMultipartUploadError, CompleteMultipartUploadOutput,
};
use aws_sdk_s3::operation::upload_part::builders::UploadPartFluentBuilder;
use aws_sdk_s3::types::{ChecksumType, CompletedMultipartUpload, CompletedPart};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;

/// What is larger goes in parts.
pub(crate) const MULTIPART_ABOVE: u64 = 16 << 20;
/// Parts are this large, unless there would be too many of them.
pub(crate) const PART: u64 = 8 << 20;
pub(crate) const MOST_PARTS: u64 = 10_000;
/// So many parts of one object are under way at once, as far as memory lets them.
pub(crate) const AT_ONCE: usize = 4;
/// S3 takes no larger object: 10,000 parts of 5 GiB.
pub(crate) const LARGEST_OBJECT: u64 = MOST_PARTS * (5 << 30);
/// Grown parts are a multiple of this.
const GRAIN: u64 = 1 << 20;
/// The slowest line on which an attempt still succeeds, in bytes a second.
const SLOWEST: u64 = 64 << 10;
/// What every attempt gets besides the time for its bytes.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Joining parts, and copying, may take S3 minutes: it is given the time for so many bytes.
pub(crate) const COMPLETING: u64 = 20 << 20;
/// How long an abort may take, within the time that a stop allows.
const ABORTING: Duration = Duration::from_secs(2);

/// One part, confirmed.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) number: i32,
    pub(crate) length: u64,
    pub(crate) checksum: u64,
    pub(crate) etag: Option<String>,
}

/// An upload that was begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload<'a> {
    pub(crate) client: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) id: &'a str,
}

impl Upload<'_> {
    /// Makes the object of all parts, in order, and of `whole`, their joined checksum.
    pub(crate) async fn complete(
        &self,
        parts: &[Part],
        whole: u64,
    ) -> Result<CompleteMultipartUploadOutput, SdkError<CompleteMultipartUploadError>> {
        let listed = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(part.number)
                .set_e_tag(part.etag.clone())
                .checksum_crc64_nvme(header(part.checksum))
                .build()
        });
        let size = parts.iter().map(|part| part.length).sum();
        self.completion(listed.collect(), size)
            .checksum_crc64_nvme(header(whole))
            .customize()
            .config_override(patience(COMPLETING))
            .send()
            .await
    }

    /// The call that sends a part of this length and checksum, without its bytes.
    pub(crate) fn part(&self, number: i32, length: u64, checksum: u64) -> UploadPartFluentBuilder {
        self.client
            .upload_part()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(self.id)
            .part_number(number)
            .content_length(i64::try_from(length).unwrap_or(i64::MAX))
            .checksum_crc64_nvme(header(checksum))
    }

    /// The call that makes the object of these parts, without a checksum of the whole.
    pub(crate) fn completion(
        &self,
        parts: Vec<CompletedPart>,
        size: u64,
    ) -> CompleteMultipartUploadFluentBuilder {
        let listed = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        self.client
            .complete_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(self.id)
            .multipart_upload(listed)
            .checksum_type(ChecksumType::FullObject)
            .mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX))
    }

    /// Lets S3 forget its parts, so that nobody pays for them. A failure is logged.
    pub(crate) async fn abort(&self) {
        let call = self
            .client
            .abort_multipart_upload()
            .bucket(self.bucket)
            .key(self.key)
            .upload_id(self.id)
            .send();
        let failure = match tokio::time::timeout(ABORTING, call).await {
            Ok(Ok(_aborted)) => return,
            Ok(Err(error)) => crate::aws::fault::fault("aborting", error).to_string(),
            Err(_elapsed) => "no answer in time".to_owned(),
        };
        tracing::warn!(
            bucket = self.bucket,
            key = self.key,
            upload_id = self.id,
            error = failure,
            "multipart upload not aborted"
        );
    }
}

/// The checksum of the whole that an answer names. A store that does not join checksums answers
/// with none, or with one of another type.
pub(crate) fn answered(answer: &CompleteMultipartUploadOutput) -> Option<&str> {
    let full = answer.checksum_type().is_none_or(|kind| *kind == ChecksumType::FullObject);
    answer.checksum_crc64_nvme().filter(|sum| full && !sum.contains('-'))
}

/// The settings of one call that carries so many bytes.
pub(crate) fn patience(bytes: u64) -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(PATIENCE + Duration::from_secs(bytes / SLOWEST))
        .build();
    Config::builder().timeout_config(timeouts)
}

/// The checksum as S3's headers carry it.
pub(crate) fn header(checksum: u64) -> String {
    STANDARD.encode(checksum.to_be_bytes())
}

/// The numbers, offsets and lengths of all parts, of at least `least` bytes but for the last.
pub(crate) fn stretches(size: u64, least: u64) -> impl Iterator<Item = (i32, u64, u64)> {
    let part = part_size(size, least);
    (1_i32..)
        .zip((0..size.div_ceil(part)).map(move |index| index * part))
        .map(move |(number, offset)| (number, offset, part.min(size - offset)))
}

/// How large the parts of an object are: `least`, unless there would be too many.
pub(crate) fn part_size(size: u64, least: u64) -> u64 {
    if size <= least * MOST_PARTS {
        return least;
    }
    size.div_ceil(MOST_PARTS).next_multiple_of(GRAIN)
}

/// The checksum of the whole, from those of all parts in order.
pub(crate) fn combined(parts: &[Part]) -> u64 {
    let mut parts = parts.iter();
    let first = parts.next().map_or(0, |part| part.checksum);
    parts.fold(first, |whole, part| {
        crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, whole, part.checksum, part.length)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal_and_never_too_many() {
        for size in [(16 << 20) + 1, PART * MOST_PARTS, PART * MOST_PARTS + 1, LARGEST_OBJECT] {
            let parts: Vec<_> = stretches(size, PART).collect();
            assert!(parts.len() <= 10_000);
            assert_eq!(parts.iter().map(|part| part.2).sum::<u64>(), size);
            let (_, all_but_last) = parts.split_last().unwrap();
            assert!(all_but_last.iter().all(|part| part.2 == parts[0].2));
            assert!(parts[0].2 <= 5 << 30);
        }
        assert_eq!(part_size(17 << 20, PART), 8 << 20);
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
