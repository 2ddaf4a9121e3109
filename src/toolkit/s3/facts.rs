//! What S3 knows of an object besides its bytes.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Bucket, Path, Refusal};
use crate::again::again;
use crate::error::Result;

/// Where an upload keeps the SHA-512 of its file, in the object's metadata: AWSimple's name for it,
/// whose versions before 8 read it.
pub const SHA512_KEY: &str = "awsimple-sha512";

/// What S3 knows of an object besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// Where it lies.
    pub path: Path,
    /// Its public address, by the form that this connection uses.
    pub url: String,
    /// Its bytes; of a range, those of the range.
    pub size: u64,
    /// When it was last written, to the second.
    pub modified: Option<SystemTime>,
    /// Its entity tag, in quotes as S3 writes it.
    pub etag: Option<String>,
    /// The CRC64NVME of all of it, in base64. One made of its parts' checksums is left out.
    pub crc64nvme: Option<String>,
    /// Its SHA-512 in hexadecimal: S3's own, else that in its metadata ([`SHA512_KEY`]).
    pub sha512: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its storage class; S3 names none for `STANDARD`.
    pub storage_class: Option<String>,
    /// The KMS key that it is encrypted with.
    pub kms_key: Option<String>,
    /// Its own metadata, without the prefix `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// Reads the facts out of an answer: GET and HEAD name these fields alike.
macro_rules! facts_of {
    ($answer:expr, $path:expr, $url:expr) => {{
        let answer = &$answer;
        let metadata: std::collections::BTreeMap<String, String> =
            answer.metadata().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let full = |sum: &&str| !sum.contains('-');
        let joined = answer
            .checksum_type()
            .is_some_and(|kind| *kind != aws_sdk_s3::types::ChecksumType::FullObject);
        let sha512 =
            answer.checksum_sha512().filter(full).and_then($crate::toolkit::s3::facts::hex);
        $crate::toolkit::s3::Facts {
            path: $path,
            url: $url,
            size: answer.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            modified: answer.last_modified().and_then(|time| (*time).try_into().ok()),
            etag: answer.e_tag().map(str::to_owned),
            crc64nvme: answer
                .checksum_crc64_nvme()
                .filter(full)
                .filter(|_| !joined)
                .map(str::to_owned),
            sha512: sha512.or_else(|| metadata.get($crate::toolkit::s3::SHA512_KEY).cloned()),
            content_type: answer.content_type().map(str::to_owned),
            storage_class: answer.storage_class().map(|class| class.as_str().to_owned()),
            kms_key: answer.ssekms_key_id().map(str::to_owned),
            metadata,
        }
    }};
}
pub(super) use facts_of;

/// Base64 as hexadecimal.
pub(super) fn hex(base64: &str) -> Option<String> {
    Some(hexadecimal(&BASE64_STANDARD.decode(base64).ok()?))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

impl Bucket {
    /// What S3 knows of an object, without its bytes.
    ///
    /// # Errors
    /// [`Refusal::ObjectNotFound`] or [`Refusal::BucketNotFound`]. [`Kind::Denied`](crate::error::Kind::Denied) also for an
    /// object that is not there, where `s3:ListBucket` is not allowed.
    pub async fn head(&self, key: &str) -> Result<Facts> {
        match self.facts(key).await? {
            Some(facts) => Ok(facts),
            None => Err(Refusal::ObjectNotFound(self.path(key))
                .told(format!("reading the metadata of {}", self.path(key)))),
        }
    }

    /// True where the object is there. A refusal is no answer, and so an error.
    ///
    /// # Errors
    /// As [`head`](Self::head), but for the object that is not there.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.facts(key).await?.is_some())
    }

    /// Nothing where the bucket has no such object.
    pub(super) async fn facts(&self, key: &str) -> Result<Option<Facts>> {
        let act = self.act("reading the metadata of", "s3:GetObject", key);
        let url = self.url(key).await?;
        let found = again(|| async {
            let call = self.client.head_object().bucket(&self.name).key(key);
            match call.checksum_mode(ChecksumMode::Enabled).send().await {
                Ok(answer) => Ok(Some(facts_of!(answer, self.path(key), url.clone()))),
                Err(error) if is_absence(&error) => Ok(None),
                Err(error) => Err(act.refused(error)),
            }
        });
        let found = found.await?;
        // The answer to HEAD does not say which of the two is not there.
        if found.is_none() && !self.is_there().await? {
            return Err(Refusal::BucketNotFound(self.name.clone()).told(act.what()));
        }
        Ok(found)
    }

    /// True where the bucket is there, whoever has it.
    ///
    /// # Errors
    /// [`Kind::Denied`](crate::error::Kind::Denied) where it is there and may not be looked at; [`Refusal::BucketElsewhere`].
    pub async fn is_there(&self) -> Result<bool> {
        let act = self.act("looking for", "s3:ListBucket", "");
        again(|| async {
            match self.client.head_bucket().bucket(&self.name).send().await {
                Ok(_there) => Ok(true),
                Err(error) if is_absence(&error) => Ok(false),
                Err(error) => Err(act.refused(error)),
            }
        })
        .await
    }
}

/// HEAD says 404 and nothing else.
fn is_absence<E>(error: &SdkError<E, Response>) -> bool {
    error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::head_object::HeadObjectOutput;

    use super::*;

    #[test]
    fn s3s_own_sha_512_comes_before_the_older_one_and_one_of_parts_is_none() {
        let sha512 = |sum: Option<String>| {
            let answer = HeadObjectOutput::builder().set_checksum_sha512(sum);
            let answer = answer.metadata(SHA512_KEY, "of the metadata").build();
            facts_of!(answer, Path::new("b", "k"), String::new()).sha512
        };
        let of = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
        assert_eq!(sha512(Some(of(b"\x30\x9e\x00"))).as_deref(), Some("309e00"));
        for none in [None, Some(of(b"sum of sums") + "-2")] {
            assert_eq!(sha512(none).as_deref(), Some("of the metadata"));
        }
    }
}
