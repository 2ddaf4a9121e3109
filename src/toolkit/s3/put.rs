//! Writing objects: text, bytes, JSON, lines, streams.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use serde::Serialize;

use super::{Bucket, Path, text};
use crate::error::{Error, Kind, Result};

/// What an object is written with, besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Put {
    /// Its own metadata, by names without the prefix `x-amz-meta-`. S3 takes 2 KiB in all and
    /// keeps the names in lower case.
    pub metadata: BTreeMap<String, String>,
    /// Its media type; without one, by the end of its key.
    pub content_type: Option<String>,
    /// Its storage class, in S3's own words; without one, S3's default (`STANDARD`).
    pub storage_class: Option<String>,
    /// The KMS key to encrypt it with (`aws:kms`): id, ARN or alias. Without one, as the bucket
    /// says.
    pub kms_key: Option<String>,
    /// Who may do what with it, as one of S3's own lists (canned ACLs), such as `public-read`.
    /// Without one it is private, and that is all that most buckets take today: one that takes
    /// others has ACLs enabled, and public ones not blocked.
    pub acl: Option<String>,
}

impl Put {
    /// Nothing but the bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// As pylon writes objects: in storage class `INTELLIGENT_TIERING`.
    pub fn tiered() -> Self {
        Self { storage_class: Some("INTELLIGENT_TIERING".to_owned()), ..Self::default() }
    }

    /// Adds an entry of metadata, its value as it prints itself. (Python's `True` is the text
    /// `True`.)
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.metadata.insert(name.into(), value.to_string());
        self
    }
}

/// An object that S3 confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Where it lies.
    pub path: Path,
    /// Its bytes.
    pub size: u64,
    /// Its entity tag, in quotes as S3 writes it.
    pub etag: Option<String>,
    /// Its CRC64NVME in base64, as S3 has compared it.
    pub crc64nvme: String,
}

/// Puts these options into the input of a call: PUT and the start of parts name these alike.
macro_rules! with_options {
    ($call:expr, $key:expr, $options:expr) => {{
        use aws_sdk_s3::types::{ObjectCannedAcl, ServerSideEncryption, StorageClass};
        let options: &$crate::toolkit::s3::Put = $options;
        let guessed = || mime_guess::from_path($key).first_or_octet_stream().to_string();
        let metadata = options.metadata.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        $call
            .content_type(options.content_type.clone().unwrap_or_else(guessed))
            .set_metadata(Some(metadata))
            .set_storage_class(options.storage_class.as_deref().map(StorageClass::from))
            .set_server_side_encryption(
                options.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms),
            )
            .set_ssekms_key_id(options.kms_key.clone())
            .set_acl(options.acl.as_deref().map(ObjectCannedAcl::from))
    }};
}
pub(super) use with_options;

/// The key of a JSON object.
pub(super) fn json_key(key: &str) -> Cow<'_, str> {
    let has_end = key.strip_suffix(".json").is_some();
    if has_end { Cow::Borrowed(key) } else { Cow::Owned(format!("{key}.json")) }
}

impl Bucket {
    /// Writes bytes that are in memory. An object that is there is replaced.
    ///
    /// When it returns, S3 has confirmed exactly these bytes. Dropped midway, nothing is known of
    /// the object, and parts of one above 16 MiB may stay behind until a lifecycle rule of the
    /// bucket clears them away.
    ///
    /// # Errors
    /// [`Refusal::BucketNotFound`](super::Refusal::BucketNotFound); [`Kind::Corrupt`] where
    /// something else arrived; else what S3 says.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>, options: &Put) -> Result<Stored> {
        let bytes = bytes.into();
        let size = u64::try_from(bytes.len()).ok();
        self.put_stream(key, stream::iter([Ok(bytes)]), size, options).await
    }

    /// Writes a text in an encoding: `utf-8`, or any label of the WHATWG's Encoding Standard.
    /// ```no_run
    /// # use longshore::toolkit::s3::{Bucket, Path, Put};
    /// # async fn example(client: aws_sdk_s3::Client) -> longshore::error::Result<()> {
    /// let path: Path = "s3://my-bucket/a-key/my-json-file.json".parse()?;
    /// let bucket = Bucket::new(client, &*path.bucket);
    /// let json = r#"{"this":"is", "some":"very", "cool":"json"}"#;
    /// let options = Put::tiered().metadata("isVeryCool", "True");
    /// bucket.put_text(&path.key, json, "utf-8", &options).await?;
    /// assert_eq!(bucket.text(&path.key, "utf-8").await?, json);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an unknown encoding and for a character that it does not have; else as
    /// [`put`](Self::put).
    pub async fn put_text(
        &self,
        key: &str,
        text: &str,
        encoding: &str,
        options: &Put,
    ) -> Result<Stored> {
        let bytes = text::encode(text, encoding).map_err(|error| {
            Error::new(error.kind(), format!("writing {}", self.path(key))).because(error)
        })?;
        self.put(key, bytes.into_owned(), options).await
    }

    /// Writes lines in UTF-8 with `\n` between them and none at the end.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a line that contains a line feed; else as [`put`](Self::put).
    pub async fn put_lines<L: AsRef<str>>(
        &self,
        key: &str,
        lines: impl IntoIterator<Item = L>,
        options: &Put,
    ) -> Result<Stored> {
        let mut text = String::new();
        for (number, line) in lines.into_iter().enumerate() {
            let line = line.as_ref();
            if line.contains('\n') {
                let what = format!("writing {}: line {} is two", self.path(key), number + 1);
                return Err(Error::new(Kind::Invalid, what));
            }
            if number > 0 {
                text.push('\n');
            }
            text.push_str(line);
        }
        self.put(key, text, options).await
    }

    /// Writes a value as JSON. The key gets `.json` unless it ends so.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a value that JSON cannot hold; else as [`put`](Self::put).
    pub async fn put_json<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        options: &Put,
    ) -> Result<Stored> {
        let key = json_key(key);
        let bytes = serde_json::to_vec(value).map_err(|error| {
            Error::new(Kind::Invalid, format!("writing {}", self.path(&*key))).because(error)
        })?;
        self.put(&key, bytes, options).await
    }

    /// Writes what a stream yields: in one request up to 16 MiB, above that in parts of at least
    /// 8 MiB, up to four under way at once. With `size`, that many bytes must come; without, parts
    /// grow up to 64 MiB, and about 500 GB is the most.
    ///
    /// When it returns, S3 has confirmed exactly these bytes. What fails leaves no parts behind;
    /// dropped midway, as [`put`](Self::put).
    ///
    /// # Errors
    /// That of the stream; [`Kind::Invalid`] where it is longer or shorter than `size`; else as
    /// [`put`](Self::put).
    pub async fn put_stream(
        &self,
        key: &str,
        pieces: impl Stream<Item = Result<Bytes>> + Send,
        size: Option<u64>,
        options: &Put,
    ) -> Result<Stored> {
        let pieces = pieces.inspect_ok(|piece| self.watch.tell(piece.len()));
        super::send::send(self, key, pieces, size, options).await
    }
}
