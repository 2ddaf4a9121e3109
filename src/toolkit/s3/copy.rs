//! Objects copied and moved inside S3: their bytes never come here.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedPart, MetadataDirective};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::parts::{AT_ONCE, COMPLETING, Upload, patience, stretches};
use super::put::with_options;
use super::{Bucket, Facts, Path, Put};
use crate::again::again;
use crate::error::{Error, Kind, Result};

/// One call copies no larger object (`CopyObject`): 5 GiB.
const LARGEST_COPY: u64 = 5 << 30;
/// Larger ones are copied in parts of this size, unless there would be too many.
const COPIED_PART: u64 = 512 << 20;
const ACTION: &str = "s3:PutObject";
/// What stays as it is in the name of a source.
const PLAIN: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

impl Bucket {
    /// Copies an object of this bucket, its metadata and media type with it, inside S3. One that is
    /// there is replaced. Objects above 5 GiB go in parts. The copy is of the object as it was when
    /// this was called, or there is none.
    ///
    /// The storage class is that of the options, else S3's default; other options replace what the
    /// object has: metadata and media type, if any is given.
    ///
    /// # Errors
    /// [`Refusal::ObjectNotFound`](super::Refusal::ObjectNotFound) for the source;
    /// [`Kind::Conflict`] where it changed meanwhile; [`Kind::Invalid`] for a copy onto itself that
    /// would change nothing; else what S3 says.
    pub async fn copy(&self, key: &str, to: &Path, options: &Put) -> Result<()> {
        self.copy_above((LARGEST_COPY, COPIED_PART), key, to, options).await.map(drop)
    }

    /// Copies an object and then deletes the very one that was copied. When the delete fails, both
    /// are there; what was written here meanwhile stays.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a move onto itself; else as [`copy`](Self::copy) and
    /// [`delete_unchanged`](Self::delete_unchanged).
    pub async fn move_to(&self, key: &str, to: &Path, options: &Put) -> Result<()> {
        if self.path(key) == *to {
            return Err(Error::new(Kind::Invalid, format!("moving {to} onto itself")));
        }
        let copied = self.copy_above((LARGEST_COPY, COPIED_PART), key, to, options).await?;
        self.delete_unchanged(key, &copied).await
    }

    async fn copy_above(
        &self,
        (largest, part): (u64, u64),
        key: &str,
        to: &Path,
        options: &Put,
    ) -> Result<Facts> {
        let facts = self.head(key).await?;
        let copy = Copy {
            source: utf8_percent_encode(&format!("{}/{key}", self.name), &PLAIN).to_string(),
            target: Self::new(self.client.clone(), &*to.bucket),
            key: &to.key,
            options,
            facts,
        };
        if copy.facts.size > largest {
            copy.in_parts(part).await?;
        } else {
            copy.in_one().await?;
        }
        Ok(copy.facts)
    }
}

/// A copy on its way.
struct Copy<'a> {
    /// As the header wants it.
    source: String,
    target: Bucket,
    key: &'a str,
    options: &'a Put,
    facts: Facts,
}

impl Copy<'_> {
    /// The metadata and media type are the source's, unless others are asked for.
    fn replaces(&self) -> bool {
        !self.options.metadata.is_empty() || self.options.content_type.is_some()
    }

    /// What the copy is to have, all of it.
    fn whole_options(&self) -> Put {
        let mut options = self.options.clone();
        if !self.replaces() {
            options.metadata.clone_from(&self.facts.metadata);
            options.content_type.clone_from(&self.facts.content_type);
        }
        options
    }

    async fn in_one(&self) -> Result<()> {
        let act = self.target.act("copying to", ACTION, self.key);
        let directive =
            if self.replaces() { MetadataDirective::Replace } else { MetadataDirective::Copy };
        let options = self.whole_options();
        again(|| async {
            let call = self.target.client.copy_object();
            let call = call.bucket(&self.target.name).key(self.key).copy_source(&self.source);
            let answer = with_options!(call, self.key, &options)
                .metadata_directive(directive.clone())
                .set_copy_source_if_match(self.facts.etag.clone())
                .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                .customize()
                .config_override(patience(COMPLETING))
                .send()
                .await
                .map_err(|error| of_source(act.refused(error)))?;
            // S3 may begin its answer with 200 and then find an error; a whole one has an ETag.
            let whole = answer.copy_object_result().and_then(|result| result.e_tag());
            whole.map(|_etag| ()).ok_or_else(|| {
                let why = "S3 did not say that the object is there";
                Error::new(Kind::Transient, act.what()).because(why)
            })
        })
        .await
    }

    async fn in_parts(&self, part: u64) -> Result<()> {
        let act = self.target.act("copying to", ACTION, self.key);
        let options = self.whole_options();
        let begun = again(|| async {
            let call = self.target.client.create_multipart_upload();
            let call = call.bucket(&self.target.name).key(self.key);
            let answer = with_options!(call, self.key, &options)
                .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                .checksum_type(ChecksumType::FullObject)
                .send()
                .await
                .map_err(|error| act.refused(error))?;
            answer.upload_id.ok_or_else(|| Error::new(Kind::Transient, act.what()))
        });
        let id = begun.await?;
        let upload = Upload {
            client: &self.target.client,
            bucket: &self.target.name,
            key: self.key,
            id: &id,
        };
        let ended = self.parts(&upload, part).await;
        if ended.is_err() {
            upload.abort().await;
        }
        ended
    }

    async fn parts(&self, upload: &Upload<'_>, part: u64) -> Result<()> {
        let mut parts: Vec<CompletedPart> = stream::iter(stretches(self.facts.size, part))
            .map(|(number, offset, length)| self.part(upload, number, (offset, length)))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        parts.sort_by_key(CompletedPart::part_number);
        let act = self.target.act("completing the copy to", ACTION, self.key);
        again(|| async {
            let answer = upload
                .completion(parts.clone(), self.facts.size)
                // The checksum of the whole, where the source has one; S3 has those of the parts.
                .set_checksum_crc64_nvme(self.facts.crc64nvme.clone())
                .customize()
                .config_override(patience(COMPLETING))
                .send()
                .await
                .map_err(|error| act.refused(error))?;
            answer.e_tag.map(|_etag| ()).ok_or_else(|| {
                let why = "S3 did not say that the object is there";
                Error::new(Kind::Transient, act.what()).because(why)
            })
        })
        .await
    }

    async fn part(
        &self,
        upload: &Upload<'_>,
        number: i32,
        (offset, length): (u64, u64),
    ) -> Result<CompletedPart> {
        let act = self.target.act("copying a part to", ACTION, self.key);
        again(|| async {
            let answer = upload
                .client
                .upload_part_copy()
                .bucket(upload.bucket)
                .key(upload.key)
                .upload_id(upload.id)
                .part_number(number)
                .copy_source(&self.source)
                .copy_source_range(format!("bytes={offset}-{}", offset + length - 1))
                .set_copy_source_if_match(self.facts.etag.clone())
                .customize()
                .config_override(patience(COMPLETING))
                .send()
                .await
                .map_err(|error| of_source(act.refused(error)))?;
            let result = answer.copy_part_result.filter(|result| result.e_tag.is_some());
            let result = result.ok_or_else(|| {
                Error::new(Kind::Transient, act.what()).because("the answer holds no ETag")
            })?;
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(result.e_tag)
                .set_checksum_crc64_nvme(result.checksum_crc64_nvme)
                .build())
        })
        .await
    }
}

/// The one condition of a copy is that its source is still the object that it was.
fn of_source(error: Error) -> Error {
    if error.kind() != Kind::Conflict {
        return error;
    }
    error.hint("the source was written anew meanwhile; copy or move it again")
}

#[cfg(test)]
mod tests;
