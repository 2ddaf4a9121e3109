//! A file in one request.

use super::{Load, Means, Refusal, Target, confirmed, content_type, read};
use crate::toolkit::s3::parts::{header, patience};

pub(super) async fn deliver(
    destination: &Target,
    load: &Load,
    means: &Means,
) -> Result<(), Refusal> {
    let size = load.stamp.size;
    let stretch = read::stretch(load, means, (0, size), destination.is_over_tls()).await?;
    let call = destination
        .s3
        .put_object()
        .bucket(&destination.bucket)
        .key(&load.key)
        .content_type(content_type(&load.key))
        .content_length(i64::try_from(size).unwrap_or(i64::MAX))
        .checksum_crc64_nvme(header(stretch.checksum))
        .body(stretch.body)
        .customize()
        .config_override(patience(size))
        .mutate_request(destination.notice());
    let call = if destination.is_over_tls() { call.disable_payload_signing() } else { call };
    let answer = call.send().await.map_err(|error| {
        let told = destination.refused("uploading", &load.key, error);
        read::fault_of(&stretch.broken).unwrap_or(told)
    })?;
    confirmed(&load.key, stretch.checksum, answer.checksum_crc64_nvme())
}
