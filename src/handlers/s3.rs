//! `s3`: puts each body into a bucket, under the key that its template gives the message.
//!
//! A message that comes again has the same key, and its object is written again with the same
//! bytes. The CRC64NVME of the body goes along, and *done* is an object that S3 confirmed with it.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::Config;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use aws_smithy_types::byte_stream::Length;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};

use super::judge::{judged, says};
use crate::aws::Aws;
use crate::aws::fault::fault;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::handler::{BoxHandler, Delivery, Verdict};
use crate::message::Body;
use crate::outcome::Outcome;

/// How the errors begin by which S3, or a store like it, refuses one object and not the bucket.
const OF_THE_OBJECT: [&str; 5] =
    ["KeyTooLong", "EntityTooLarge", "InvalidURI", "InvalidObjectName", "MetadataTooLarge"];
/// No key has more (S3 user guide, object key naming).
const LONGEST_KEY: usize = 1_024;
/// What every request gets besides the time for its bytes.
const PATIENCE: Duration = Duration::from_secs(30);
/// The slowest line on which a request still succeeds, in bytes a second.
const SLOWEST: u64 = 64 << 10;
/// How much of a body that lies in a file is read at once for its checksum.
const BLOCK: usize = 1 << 20;

pub(super) fn build(settings: &config::S3, name: &str, aws: &Aws) -> BoxHandler {
    let writer = Arc::new((settings.clone(), aws.clone()));
    BoxHandler::new(name, move |delivery| put(Arc::clone(&writer), delivery))
}

/// Dropping this future leaves open whether there is an object.
async fn put(writer: Arc<(config::S3, Aws)>, delivery: Delivery) -> Verdict {
    let (settings, aws) = &*writer;
    let message = &delivery.message;
    let key = match settings.key.fill(message) {
        Ok(key) if key.is_empty() => return Ok(Outcome::reject("its key is empty")),
        Ok(key) if key.len() > LONGEST_KEY => {
            let bytes = key.len();
            let told = format!("its key has {bytes} bytes, S3 takes at most {LONGEST_KEY}");
            return Ok(Outcome::reject(told));
        }
        Ok(key) => key,
        Err(why) => return Ok(Outcome::reject(format!("it has no key: {why}"))),
    };
    match aws.heed(&settings.aws, write(settings, aws, &key, &message.body).await) {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => judged(&error, says(&error, &OF_THE_OBJECT)),
    }
}

async fn write(settings: &config::S3, aws: &Aws, key: &str, body: &Body) -> Result<()> {
    let what = format!("putting {key:?} into bucket {:?}", settings.bucket);
    let checksum = checksum(body, &what).await?;
    let content_type = match &settings.content_type {
        Some(own) => own.clone(),
        None => mime_guess::from_path(key).first_or_octet_stream().to_string(),
    };
    let size = body.len();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(PATIENCE + Duration::from_secs(size / SLOWEST))
        .build();
    let encryption = settings.kms_key_id.as_ref().map(|_key| ServerSideEncryption::AwsKms);
    let s3 = aws.connect(&settings.aws).await?.s3;
    let answer = s3
        .put_object()
        .bucket(&settings.bucket)
        .key(key)
        .content_type(content_type)
        .content_length(i64::try_from(size).unwrap_or(i64::MAX))
        .checksum_crc64_nvme(&checksum)
        .set_storage_class(settings.storage_class.as_deref().map(StorageClass::from))
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(settings.kms_key_id.clone())
        .body(stream(body, &what).await?)
        .customize()
        .config_override(Config::builder().timeout_config(timeouts))
        .send()
        .await
        .map_err(|error| fault(&what, error))?;
    match answer.checksum_crc64_nvme {
        Some(answered) if answered != checksum => Err(Error::new(Kind::Corrupt, what)
            .because(format!("S3 has other bytes: checksum {answered}, sent {checksum}"))),
        _ => Ok(()),
    }
}

/// The CRC64NVME as S3's header carries it.
async fn checksum(body: &Body, what: &str) -> Result<String> {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    if let Some(bytes) = body.as_bytes() {
        digest.update(bytes);
    } else {
        let mut reader = body.reader();
        let read = tokio::task::spawn_blocking(move || {
            let mut block = vec![0; BLOCK];
            loop {
                let count = reader.read(&mut block)?;
                if count == 0 {
                    return Ok(digest);
                }
                digest.update(block.get(..count).unwrap_or_default());
            }
        });
        digest = match read.await {
            Ok(read) => read.map_err(|error: std::io::Error| unreadable(what, error))?,
            Err(failed) => return Err(Error::new(Kind::Aborted, what).because(failed)),
        };
    }
    Ok(STANDARD.encode(digest.finalize().to_be_bytes()))
}

/// A body that lies in a file is read while it is sent.
async fn stream(body: &Body, what: &str) -> Result<ByteStream> {
    let Some(file) = body.reopened().map_err(|error| unreadable(what, error))? else {
        return Ok(Bytes::copy_from_slice(body.as_bytes().unwrap_or_default()).into());
    };
    let file = tokio::fs::File::from_std(file);
    let stream = ByteStream::read_from().file(file).length(Length::Exact(body.len()));
    stream.build().await.map_err(|error| Error::new(Kind::File, what).because(error))
}

fn unreadable(what: &str, error: std::io::Error) -> Error {
    Error::new(Kind::File, format!("{what}: reading the body")).because(error)
}

/// Asks whether the bucket is there; nothing is written.
pub(super) async fn check(settings: &config::S3, aws: &Aws) -> Vec<Finding> {
    let bucket = &settings.bucket;
    let asked = async {
        let s3 = aws.connect(&settings.aws).await?.s3;
        let asked = s3.head_bucket().bucket(bucket).send().await;
        asked.map(drop).map_err(|error| fault(format!("looking for bucket {bucket:?}"), error))
    };
    let mut findings = vec![match asked.await {
        Ok(()) => Finding::good(format!("the handler's bucket {bucket:?} answers")),
        Err(error) if error.kind() == Kind::Denied => {
            Finding::limited(format!("we may not ask for the handler's bucket: {error}"))
                .fix("writing may be allowed all the same; the first message will tell")
        }
        Err(error) => Finding::of_error(&error, 69),
    }];
    if !settings.key.tells_messages_apart() {
        let key = &settings.key;
        findings.push(
            Finding::limited(format!(
                "the handler's key {key} may be the same for two messages, and the later one then \
                 takes the place of the earlier"
            ))
            .fix("put {message_id} into it"),
        );
    }
    findings
}

#[cfg(test)]
mod tests;
