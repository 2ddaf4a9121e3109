//! Downloads that are kept on this host, so that what did not change is not fetched again.
//!
//! ```no_run
//! use longshore::aws::Aws;
//! use longshore::toolkit::s3::Bucket;
//! use longshore::toolkit::s3::cache::{Cache, Status};
//!
//! # async fn example() -> longshore::error::Result<()> {
//! let bucket = Bucket::new(Aws::new().s3("us-west-2").await?, "my-bucket");
//! let cache = Cache::of_this_user()?;
//! let first = cache.download(&bucket, "model.bin", "model.bin").await?;
//! assert_eq!(first.status, Status::Written);
//! let again = cache.download(&bucket, "model.bin", "model.bin").await?;
//! assert_eq!(again.status, Status::Hit);
//! # Ok(())
//! # }
//! ```
//!
//! Every read asks S3 first what the object is now (HEAD), so that nothing old is served and nothing
//! that may no longer be read. Contents go by their checksum, size and entity tag, wherever they
//! lie: one that two keys share is kept once. Where S3 tells no checksum they go by bucket, key,
//! size, time and entity tag. What is taken out of the cache was looked through; damaged contents
//! are fetched again.
//!
//! Any number of programs may share a directory. That something cannot be kept never fails a read.

mod name;
mod read;
mod store;

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::Facts;
use crate::config::env;
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;

use name::{name, wanted};
use store::Store;

/// The cache holds no more, unless somebody says otherwise: 1 GB.
pub const MOST_BYTES: u64 = 1_000_000_000;
/// It takes no more of the disk that is free, unless somebody says otherwise, in percent.
pub const SHARE_OF_FREE: u8 = 5;
/// So often, and so long between, is asked whether another program has done writing.
const TRIES: u32 = 100;
const BETWEEN: Duration = Duration::from_millis(20);

/// Whether the cache helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// What was read came from the cache.
    Hit,
    /// It came from S3, and is in the cache now.
    Written,
    /// It came from S3, and is not in the cache: it is larger than that may be, or could not be
    /// kept, which is logged.
    Neither,
}

impl Status {
    /// As logs and documents have it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Written => "written",
            Self::Neither => "neither",
        }
    }
}

/// What was read, and whether the cache helped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached<T> {
    /// What was read.
    pub value: T,
    /// Whether the cache helped.
    pub status: Status,
}

/// Downloads that are kept in a directory. Clones share it.
#[derive(Debug, Clone)]
pub struct Cache {
    store: Arc<Store>,
    blocking: Blocking,
    /// One of this program writes at a time.
    turn: Arc<Mutex<()>>,
}

impl Cache {
    /// The cache in this directory, which is made for its owner alone when it is first written to.
    /// It holds [`MOST_BYTES`] and [`SHARE_OF_FREE`] at most, whichever is less.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self::of(Store { directory: directory.into(), most: MOST_BYTES, share: SHARE_OF_FREE })
    }

    /// The cache of whoever runs this program: in `s3` of `$CACHE_DIRECTORY`, as systemd sets it,
    /// else in `longshore/s3` of `$XDG_CACHE_HOME` or of `~/.cache`.
    ///
    /// # Errors
    /// [`Kind::Settings`] where the environment names none of them.
    pub fn of_this_user() -> Result<Self> {
        env::cache_directory().map(|directory| Self::at(directory.join("s3"))).ok_or_else(|| {
            Error::new(Kind::Settings, "no directory for a cache")
                .because("neither CACHE_DIRECTORY, XDG_CACHE_HOME nor HOME is set")
                .hint("name a directory")
        })
    }

    /// Holds at most so many bytes.
    #[must_use]
    pub fn most(self, bytes: u64) -> Self {
        Self::of(Store { most: bytes, ..self.store.as_ref().clone() })
    }

    /// Holds at most so many percent of the disk that is free or that it takes already.
    #[must_use]
    pub fn share_of_free(self, percent: u8) -> Self {
        Self::of(Store { share: percent, ..self.store.as_ref().clone() })
    }

    /// Whether it can be used: its directory is made unless it is there, and is written to. Blocks.
    ///
    /// # Errors
    /// [`Kind::File`], naming the directory.
    pub fn check(&self) -> Result<()> {
        self.store.lock().map(drop).map_err(|error| {
            let directory = self.store.directory.display();
            Error::new(Kind::File, format!("the cache {directory} cannot be used")).because(error)
        })
    }

    fn of(store: Store) -> Self {
        Self { store: Arc::new(store), blocking: Blocking::new(4), turn: Arc::default() }
    }

    /// Reads what lies in the cache; nothing where it does not or cannot be read.
    async fn open<T: Send + 'static>(
        &self,
        facts: Facts,
        read: impl FnOnce(File) -> io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let store = Arc::clone(&self.store);
        let opened = self.blocking.run(move || {
            let name = name(&facts);
            store.open(wanted(&name, &facts))?.map(read).transpose()
        });
        opened.await.unwrap_or_else(|error| Err(io::Error::other(error))).unwrap_or_else(|error| {
            self.complain(&error);
            None
        })
    }

    /// Keeps what was fetched, after it has made room. Dropped midway, it is kept or it is not.
    async fn keep(&self, facts: Facts, contents: impl Read + Send + 'static) -> Status {
        if facts.size > self.store.most {
            return Status::Neither;
        }
        let _turn = self.turn.lock().await;
        for _ in 0..TRIES {
            let store = Arc::clone(&self.store);
            let locked = self.blocking.run(move || store.lock()).await;
            match locked.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(Some(lock)) => return self.write(facts, contents, lock).await,
                Ok(None) => tokio::time::sleep(BETWEEN).await,
                Err(error) => {
                    self.complain(&error);
                    return Status::Neither;
                }
            }
        }
        self.complain(&"another program is writing to it for long");
        Status::Neither
    }

    async fn write(
        &self,
        facts: Facts,
        mut contents: impl Read + Send + 'static,
        lock: File,
    ) -> Status {
        let store = Arc::clone(&self.store);
        let kept = self.blocking.run(move || {
            let name = name(&facts);
            store.keep(wanted(&name, &facts), &mut contents, &lock)
        });
        match kept.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(true) => Status::Written,
            Ok(false) => Status::Neither,
            Err(error) => {
                self.complain(&error);
                Status::Neither
            }
        }
    }

    /// What the cache cannot do, S3 does.
    fn complain(&self, error: &dyn Display) {
        let directory = self.store.directory.display();
        tracing::warn!(%directory, %error, "the cache cannot be used");
    }
}
