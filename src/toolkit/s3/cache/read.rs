//! Reading through the cache.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Cache, Cached, Status};
use crate::again::again;
use crate::error::Result;
use crate::toolkit::s3::{Bucket, Facts, MOST_HELD, get, put, text};

impl Cache {
    /// Makes a file of an object, as [`Bucket::download`] does; its path.
    ///
    /// The file is a copy: it may be written to. Dropped midway, no file is left that is not whole.
    ///
    /// # Errors
    /// As [`Bucket::download`] and [`Bucket::head`].
    pub async fn download(
        &self,
        bucket: &Bucket,
        key: &str,
        to: impl AsRef<Path>,
    ) -> Result<Cached<PathBuf>> {
        let facts = bucket.head(key).await?;
        let to = bucket.destination(key, to.as_ref()).await?;
        let modified = facts.modified;
        if let Some(mut file) = self.open(facts, Ok).await {
            let value = to.path.clone();
            self.blocking.run(move || to.write(&mut file, modified)).await??;
            return Ok(Cached { value, status: Status::Hit });
        }
        // It may be another object by now than the one that was asked about.
        let facts = bucket.download_to(key, &to).await?;
        let value = to.path;
        let status = match File::open(&value) {
            Ok(file) => {
                self.keep(facts.clone(), Untouched { file, modified: facts.modified }).await
            }
            Err(error) => {
                self.complain(&error);
                Status::Neither
            }
        };
        Ok(Cached { value, status })
    }

    /// The bytes of an object of at most [`MOST_HELD`].
    ///
    /// # Errors
    /// As [`Bucket::bytes`] and [`Bucket::head`].
    pub async fn bytes(&self, bucket: &Bucket, key: &str) -> Result<Cached<Bytes>> {
        let facts = bucket.head(key).await?;
        if facts.size <= MOST_HELD
            && let Some(value) = self.held(facts).await
        {
            return Ok(Cached { value, status: Status::Hit });
        }
        let fetched = again(|| async {
            let fetched = bucket.get(key).await?;
            // It may be another object by now than the one that was asked about.
            let facts = fetched.facts.clone();
            Ok((facts, fetched.bytes(MOST_HELD).await?))
        });
        let (facts, value) = fetched.await?;
        let status = self.keep(facts, Cursor::new(value.clone())).await;
        Ok(Cached { value, status })
    }

    /// The text of an object, in an encoding as [`Bucket::text`] takes it.
    ///
    /// # Errors
    /// As [`Bucket::text`] and [`Bucket::head`].
    pub async fn text(&self, bucket: &Bucket, key: &str, encoding: &str) -> Result<Cached<String>> {
        let Cached { value, status } = self.bytes(bucket, key).await?;
        let value = text::decode(&value, encoding, &format!("reading {}", bucket.path(key)))?;
        Ok(Cached { value, status })
    }

    /// The value of a JSON object in S3. The key gets `.json` unless it ends so.
    ///
    /// # Errors
    /// As [`Bucket::json`] and [`Bucket::head`].
    pub async fn json<T: DeserializeOwned>(&self, bucket: &Bucket, key: &str) -> Result<Cached<T>> {
        let key = put::json_key(key);
        let Cached { value, status } = self.bytes(bucket, &key).await?;
        Ok(Cached { value: get::of_json(&value, &bucket.path(&*key))?, status })
    }

    /// The contents of what lies in the cache.
    async fn held(&self, facts: Facts) -> Option<Bytes> {
        self.open(facts, |mut file| {
            let mut held = Vec::new();
            file.read_to_end(&mut held)?;
            Ok(Bytes::from(held))
        })
        .await
    }
}

/// A file that was just downloaded, as long as nobody writes to it: its time is the object's.
struct Untouched {
    file: File,
    modified: Option<SystemTime>,
}

impl Read for Untouched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if read == 0 && self.modified != Some(self.file.metadata()?.modified()?) {
            return Err(io::Error::other("the file was written to meanwhile"));
        }
        Ok(read)
    }
}
