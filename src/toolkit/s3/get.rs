//! Reading objects: as a stream, or whole where they are small.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use serde::de::DeserializeOwned;

use super::facts::facts_of;
use super::watch::Watch;
use super::{Bucket, Facts, Path, text};
use crate::again::again;
use crate::error::{Error, Kind, Result};
use crate::units;

/// Larger objects are not held whole in memory: 256 MiB.
pub const MOST_HELD: u64 = 256 << 20;
/// An answer of which nothing more comes for so long is given up.
const STALLED: Duration = Duration::from_secs(30);

/// An object that is being read. Dropped, the rest is not read.
#[derive(Debug)]
pub struct Fetched {
    /// What S3 says of it.
    pub facts: Facts,
    body: ByteStream,
    /// So many bytes are still to come.
    left: u64,
    watch: Watch,
}

impl Fetched {
    /// The next bytes, as they come; nothing after the last. With them, everything was compared
    /// with the checksum that S3 gave, where it gave one.
    ///
    /// # Errors
    /// [`Kind::Transient`] where the answer breaks off or nothing more comes for 30 s;
    /// [`Kind::Corrupt`] where the bytes are not those of the checksum.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let failed = |kind, why: String| {
            Err(Error::new(kind, format!("reading {}", self.facts.path)).because(why))
        };
        match tokio::time::timeout(STALLED, self.body.next()).await {
            Err(_elapsed) => failed(Kind::Transient, "nothing more came".to_owned()),
            Ok(Some(Ok(bytes))) => {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.left = self.left.saturating_sub(length);
                self.watch.tell(bytes.len());
                Ok(Some(bytes))
            }
            Ok(Some(Err(error))) => {
                let told = Error::new(Kind::Transient, "the body").because(error).told();
                // The SDK compares, and tells in words only.
                let corrupt = told.to_lowercase().contains("checksum mismatch");
                failed(if corrupt { Kind::Corrupt } else { Kind::Transient }, told)
            }
            Ok(None) if self.left > 0 => {
                failed(Kind::Transient, format!("it broke off {} bytes before its end", self.left))
            }
            Ok(None) => Ok(None),
        }
    }

    /// All of it, in pieces as they come. Errors as [`next`](Self::next); the first ends it.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> + Send {
        try_unfold(self, |mut fetched| async move {
            Ok(fetched.next().await?.map(|bytes| (bytes, fetched)))
        })
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where it has more than `most` bytes; else as [`next`](Self::next).
    pub async fn bytes(mut self, most: u64) -> Result<Bytes> {
        if self.facts.size > most {
            let size = units::count(self.facts.size, "byte");
            let what = format!("reading {}: it has {size}", self.facts.path);
            return Err(Error::new(Kind::Invalid, what)
                .hint("take it as a stream, or download it into a file")
                .answered());
        }
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let mut all = BytesMut::from(first);
        while let Some(bytes) = self.next().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all.freeze())
    }
}

impl Bucket {
    /// An object, to be read piece by piece.
    ///
    /// # Errors
    /// [`Refusal::ObjectNotFound`](super::Refusal::ObjectNotFound),
    /// [`Refusal::BucketNotFound`](super::Refusal::BucketNotFound); [`Kind::Denied`] also for an
    /// object that is not there, where `s3:ListBucket` is not allowed.
    pub async fn get(&self, key: &str) -> Result<Fetched> {
        again(|| self.open(key, None)).await
    }

    /// The bytes of an object from the start of `range` to before its end, or to the object's,
    /// without a checksum: S3 has one of the whole only.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an empty range and one behind the object's end; else as
    /// [`get`](Self::get).
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Fetched> {
        let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
            let what = format!("reading {}: {range:?} is an empty range", self.path(key));
            return Err(Error::new(Kind::Invalid, what));
        };
        let range = format!("bytes={}-{last}", range.start);
        again(|| self.open(key, Some(range.clone()))).await
    }

    /// Asks once.
    pub(crate) async fn open(&self, key: &str, range: Option<String>) -> Result<Fetched> {
        let act = self.act("reading", "s3:GetObject", key);
        let url = self.url(key).await?;
        let call = self.client.get_object().bucket(&self.name).key(key);
        let call = call.set_range(range).checksum_mode(ChecksumMode::Enabled);
        let answer = call.send().await.map_err(|error| act.refused(error))?;
        let facts = facts_of!(answer, self.path(key), url);
        Ok(Fetched { left: facts.size, facts, body: answer.body, watch: self.watch.clone() })
    }

    /// The bytes of an object of at most [`MOST_HELD`].
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a larger one; else as [`get`](Self::get) and [`Fetched::next`].
    pub async fn bytes(&self, key: &str) -> Result<Bytes> {
        again(|| async { self.open(key, None).await?.bytes(MOST_HELD).await }).await
    }

    /// The text of an object in an encoding: `utf-8`, or any label of the WHATWG's Encoding
    /// Standard.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] where it is no such text; else as [`bytes`](Self::bytes).
    pub async fn text(&self, key: &str, encoding: &str) -> Result<String> {
        text::decode(&self.bytes(key).await?, encoding, &format!("reading {}", self.path(key)))
    }

    /// The lines of a text in UTF-8, without their ends (`\n` or `\r\n`).
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub async fn lines(&self, key: &str) -> Result<Vec<String>> {
        Ok(self.text(key, "utf-8").await?.lines().map(str::to_owned).collect())
    }

    /// The value of a JSON object in S3. The key gets `.json` unless it ends so.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] where it is no JSON of this form; else as [`bytes`](Self::bytes).
    pub async fn json<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        let key = super::put::json_key(key);
        of_json(&self.bytes(&key).await?, &self.path(&*key))
    }
}

/// The value that these bytes of an object are.
pub(super) fn of_json<T: DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        let what = format!("reading {path}: it is not the JSON expected");
        Error::new(Kind::Corrupt, what).because(error)
    })
}
