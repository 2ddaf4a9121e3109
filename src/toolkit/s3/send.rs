//! Bytes on their way into an object: in one request, or gathered into parts.

use std::pin::Pin;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, checksum};
use futures_util::FutureExt;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::parts::{
    AT_ONCE, MOST_PARTS, MULTIPART_ABOVE, PART, Part, Upload, answered, combined, header,
    part_size, patience,
};
use super::put::with_options;
use super::{Bucket, Put, Stored};
use crate::again::again;
use crate::error::{Error, Kind, Result};

/// The parts under way together have this many bytes at most, but one is always under way.
const IN_FLIGHT: u64 = 64 << 20;
/// Parts of a stream of unknown length grow after so many, up to [`IN_FLIGHT`].
const GROW_AFTER: u64 = 1_000;
/// What objects are sent with.
const ACTION: &str = "s3:PutObject";

pub(super) async fn send(
    bucket: &Bucket,
    key: &str,
    pieces: impl Stream<Item = Result<Bytes>> + Send,
    size: Option<u64>,
    options: &Put,
) -> Result<Stored> {
    let mut source = Source { pieces: Box::pin(pieces), gathered: BytesMut::new(), number: 0 };
    source.fill(MULTIPART_ABOVE + 1).await?;
    let object = Sending { bucket, key, options, size };
    if source.gathered_bytes() > MULTIPART_ABOVE {
        return object.in_parts(source).await;
    }
    let bytes = source.gathered.freeze();
    object.is_of_size(count(&bytes))?;
    object.in_one(bytes).await
}

/// Bytes as they come, and as they are to be sent.
struct Source<'a> {
    pieces: Pin<Box<dyn Stream<Item = Result<Bytes>> + Send + 'a>>,
    gathered: BytesMut,
    /// So many parts were taken.
    number: u64,
}

impl Source<'_> {
    fn gathered_bytes(&self) -> u64 {
        count(&self.gathered)
    }

    /// Gathers so many bytes, or all there are.
    async fn fill(&mut self, wanted: u64) -> Result<()> {
        while self.gathered_bytes() < wanted {
            let Some(piece) = self.pieces.next().await else { return Ok(()) };
            self.gathered.extend_from_slice(&piece?);
        }
        Ok(())
    }

    /// The next part, full unless it is the last.
    async fn part(&mut self, size: Option<u64>) -> Result<Option<(i32, Bytes)>> {
        self.number += 1;
        let wanted = match size {
            Some(size) => part_size(size, PART),
            None => (PART << ((self.number - 1) / GROW_AFTER).min(8)).min(IN_FLIGHT),
        };
        self.fill(wanted).await?;
        let length = self.gathered.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
        let bytes = self.gathered.split_to(length).freeze();
        if bytes.is_empty() {
            return Ok(None);
        }
        if self.number > MOST_PARTS {
            return Err(Error::new(
                Kind::Invalid,
                "a stream too long for its length to be unknown",
            )
            .hint("give its size, or write it into a file first"));
        }
        Ok(Some((i32::try_from(self.number).unwrap_or(i32::MAX), bytes)))
    }
}

/// An object on its way.
struct Sending<'a> {
    bucket: &'a Bucket,
    key: &'a str,
    options: &'a Put,
    size: Option<u64>,
}

impl Sending<'_> {
    async fn in_one(&self, bytes: Bytes) -> Result<Stored> {
        let Self { bucket, key, options, .. } = self;
        let (act, sum) = (bucket.act("writing", ACTION, key), crc(&bytes));
        again(|| async {
            let call = bucket.client.put_object().bucket(&bucket.name).key(*key);
            let answer = with_options!(call, key, options)
                .content_length(i64::try_from(bytes.len()).unwrap_or(i64::MAX))
                .checksum_crc64_nvme(header(sum))
                .body(ByteStream::from(bytes.clone()))
                .customize()
                .config_override(patience(count(&bytes)))
                .send()
                .await
                .map_err(|error| act.refused(error))?;
            self.confirmed(sum, answer.checksum_crc64_nvme())?;
            Ok(self.stored(count(&bytes), sum, answer.e_tag))
        })
        .await
    }

    async fn in_parts(&self, source: Source<'_>) -> Result<Stored> {
        let id = self.begin().await?;
        let upload = Upload {
            client: &self.bucket.client,
            bucket: &self.bucket.name,
            key: self.key,
            id: &id,
        };
        let ended = self.parts(&upload, source).await;
        if ended.is_err() {
            upload.abort().await;
        }
        ended
    }

    async fn begin(&self) -> Result<String> {
        let Self { bucket, key, options, .. } = self;
        let act = bucket.act("writing", ACTION, key);
        again(|| async {
            let call = bucket.client.create_multipart_upload().bucket(&bucket.name).key(*key);
            let answer = with_options!(call, key, options)
                .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
                .checksum_type(ChecksumType::FullObject)
                .send()
                .await
                .map_err(|error| act.refused(error))?;
            answer.upload_id.filter(|id| !id.is_empty()).ok_or_else(|| {
                Error::new(Kind::Transient, act.what()).because("S3 began it without an upload id")
            })
        })
        .await
    }

    async fn parts(&self, upload: &Upload<'_>, source: Source<'_>) -> Result<Stored> {
        let part = self.size.map_or(PART, |size| part_size(size, PART));
        let at_once = usize::try_from(IN_FLIGHT / part).unwrap_or(1).clamp(1, AT_ONCE);
        let parts = stream::try_unfold(source, |mut source| async move {
            Ok(source.part(self.size).await?.map(|part| (part, source)))
        });
        let sent = parts
            .map_ok(|(number, bytes)| self.part(upload, number, bytes))
            .try_buffer_unordered(at_once)
            .try_collect::<Vec<Part>>();
        // Boxed: otherwise the compiler cannot tell that whoever awaits this may be sent.
        let mut parts = sent.boxed().await?;
        parts.sort_by_key(|part| part.number);
        let size = parts.iter().map(|part| part.length).sum();
        self.is_of_size(size)?;
        self.complete(upload, &parts, size).await
    }

    async fn part(&self, upload: &Upload<'_>, number: i32, bytes: Bytes) -> Result<Part> {
        let act = self.bucket.act("writing a part of", ACTION, self.key);
        let (length, sum) = (count(&bytes), crc(&bytes));
        again(|| async {
            let answer = upload
                .part(number, length, sum)
                .body(ByteStream::from(bytes.clone()))
                .customize()
                .config_override(patience(length))
                .send()
                .await
                .map_err(|error| act.refused(error))?;
            self.confirmed(sum, answer.checksum_crc64_nvme())?;
            Ok(Part { number, length, checksum: sum, etag: answer.e_tag })
        })
        .await
    }

    async fn complete(&self, upload: &Upload<'_>, parts: &[Part], size: u64) -> Result<Stored> {
        let act = self.bucket.act("completing", ACTION, self.key);
        let whole = combined(parts);
        let completed = again(|| async {
            let answer = upload.complete(parts, whole).await;
            let answer = answer.map_err(|error| act.refused(error))?;
            if answer.e_tag().is_none() {
                // S3 may begin its answer with 200 and then find an error; a whole one has an ETag.
                return Err(Error::new(Kind::Transient, act.what())
                    .because("S3 did not say that the object is there"));
            }
            self.confirmed(whole, answered(&answer))?;
            Ok(self.stored(size, whole, answer.e_tag))
        });
        match completed.await {
            Err(error) => self.there_all_the_same(whole, size).await.ok_or(error),
            stored => stored,
        }
    }

    /// An answer that was lost may have been a yes: a second completion then finds no upload.
    async fn there_all_the_same(&self, whole: u64, size: u64) -> Option<Stored> {
        let facts = self.bucket.facts(self.key).await.ok()??;
        let same = facts.size == size && facts.crc64nvme == Some(header(whole));
        same.then(|| self.stored(size, whole, facts.etag))
    }

    fn is_of_size(&self, size: u64) -> Result<()> {
        match self.size {
            Some(said) if said != size => {
                let what = format!("writing {}", self.bucket.path(self.key));
                let why = format!("{size} bytes came and {said} were announced");
                Err(Error::new(Kind::Invalid, what).because(why))
            }
            _ => Ok(()),
        }
    }

    /// Compares what S3 says it has with what was sent, where it says anything.
    fn confirmed(&self, sent: u64, answered: Option<&str>) -> Result<()> {
        let sent = header(sent);
        match answered {
            Some(answered) if answered != sent => {
                let what = format!("{} arrived with other bytes", self.bucket.path(self.key));
                let why = format!("its checksum is {answered} and should be {sent}");
                Err(Error::new(Kind::Corrupt, what).because(why))
            }
            _ => Ok(()),
        }
    }

    fn stored(&self, size: u64, sum: u64, etag: Option<String>) -> Stored {
        Stored { path: self.bucket.path(self.key), size, etag, crc64nvme: header(sum) }
    }
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn crc(bytes: &[u8]) -> u64 {
    checksum(CrcAlgorithm::Crc64Nvme, bytes)
}
