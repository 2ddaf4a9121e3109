//! One transfer, from its beginning to its end.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::stream;
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::s3::cache::{Cache, Status};
use longshore::toolkit::s3::{self, Bucket, Uploaded};
use tokio::io::AsyncReadExt;

use super::S3;
use super::ask;
use super::options::Upload;
use super::place::Place;
use crate::progress::Progress;

/// So much of standard input is read at once.
const PIECE: usize = 1 << 20;

/// What came of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Uploaded,
    /// The object had the same content.
    Unchanged,
    Downloaded(Option<Status>),
    Copied,
    Moved,
}

impl Done {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Unchanged => "unchanged",
            Self::Downloaded(_) => "downloaded",
            Self::Copied => "copied",
            Self::Moved => "moved",
        }
    }

    /// Whether the cache helped, where one was asked.
    pub(super) const fn cache(self) -> Option<&'static str> {
        match self {
            Self::Downloaded(Some(status)) => Some(status.label()),
            Self::Uploaded
            | Self::Unchanged
            | Self::Downloaded(None)
            | Self::Copied
            | Self::Moved => None,
        }
    }
}

/// Carries one thing at a time, each in the same way.
pub(super) struct Carrier<'a> {
    pub(super) s3: &'a S3,
    put: s3::Put,
    force: bool,
    cache: Option<Cache>,
    moves: bool,
    pub(super) bar: Arc<Progress>,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(s3: &'a S3) -> Self {
        Self {
            s3,
            put: s3::Put::new(),
            force: false,
            cache: None,
            moves: false,
            bar: Arc::new(Progress::of_bytes(None)),
        }
    }

    pub(super) fn writing(self, upload: &Upload) -> Self {
        Self { put: upload.put(), force: upload.is_forced(), ..self }
    }

    pub(super) fn kept_in(self, cache: Option<Cache>) -> Self {
        Self { cache, ..self }
    }

    pub(super) fn moving(self) -> Self {
        Self { moves: true, ..self }
    }

    /// Refuses what makes no sense, before anything is done.
    pub(super) fn check(&self, from: &Place, to: &Place, recursive: bool) -> Result<()> {
        let refused = |what: String, hint: &str| Err(Error::new(Kind::Usage, what).hint(hint));
        let ends = [from, to];
        if !ends.iter().any(|end| matches!(end, Place::Object(_))) {
            return refused(
                format!("neither {from} nor {to} is in S3"),
                "write one of them as s3://BUCKET/KEY",
            );
        }
        if ends.contains(&&Place::Stream) && (recursive || self.moves) {
            return refused(
                "`-` is neither a directory nor can it be moved".to_owned(),
                "name a file",
            );
        }
        if let Place::File(path) = from {
            let found = std::fs::metadata(path).map_err(|error| about(path, error))?;
            let is_directory = found.is_dir();
            // Not what would wait for a writer when it is opened.
            if found.is_file() {
                std::fs::File::open(path).map_err(|error| about(path, error))?;
            }
            if is_directory && !recursive {
                return refused(
                    format!("{from} is a directory"),
                    "say --recursive for all its files",
                );
            }
            if !is_directory && recursive {
                return refused(format!("{from} is no directory"), "leave out --recursive");
            }
        }
        if let (Place::Object(from), Place::Object(to)) = (from, to)
            && from.bucket == to.bucket
            && (from.key == to.key || (recursive && to.key.starts_with(&from.key)))
        {
            return refused(format!("{to} lies in {from} itself"), "name another destination");
        }
        Ok(())
    }
}

impl Carrier<'_> {
    /// Carries one thing. A source that is moved is deleted last, and only while it is what was
    /// carried.
    pub(super) async fn carry(&self, from: &Place, to: &Place) -> Result<Done> {
        match (from, to) {
            (Place::File(file), Place::Object(path)) => self.upload(file, path).await,
            (Place::Stream, Place::Object(path)) => self.pipe_in(path).await,
            (Place::Object(path), Place::File(file)) => self.download(path, file).await,
            (Place::Object(path), Place::Stream) => self.pipe_out(path).await,
            (Place::Object(from), Place::Object(to)) => self.copy(from, to).await,
            (Place::Stream | Place::File(_), _) => {
                Err(Error::new(Kind::Bug, format!("{from} to {to} is no transfer")))
            }
        }
    }

    /// A bucket whose bytes move the bar.
    fn bucket(&self, path: &s3::Path) -> Bucket {
        let bar = Arc::clone(&self.bar);
        self.s3.bucket(&path.bucket).watched(move |bytes| bar.add(bytes))
    }

    async fn copy(&self, from: &s3::Path, to: &s3::Path) -> Result<Done> {
        let bucket = self.s3.bucket(&from.bucket);
        if self.moves {
            bucket.move_to(&from.key, to, &self.put).await?;
            return Ok(Done::Moved);
        }
        bucket.copy(&from.key, to, &self.put).await?;
        Ok(Done::Copied)
    }

    async fn upload(&self, file: &Path, path: &s3::Path) -> Result<Done> {
        let before = state(file)?;
        let bucket = self.bucket(path);
        let uploaded = bucket.upload(file, &path.key, self.force, &self.put).await?;
        if !self.moves {
            return Ok(match uploaded {
                Uploaded::Written(_) => Done::Uploaded,
                Uploaded::Unchanged(_) => Done::Unchanged,
            });
        }
        if state(file)? != before {
            let what = format!("{} was written to while it went to {path}", file.display());
            return Err(Error::new(Kind::Conflict, what)
                .hint("it was not deleted; move it again when nobody writes to it"));
        }
        std::fs::remove_file(file).map_err(|error| about(file, error))?;
        Ok(Done::Moved)
    }

    async fn download(&self, path: &s3::Path, file: &Path) -> Result<Done> {
        let bucket = self.bucket(path);
        if let Some(cache) = &self.cache {
            let cached = cache.download(&bucket, &path.key, file).await?;
            return Ok(Done::Downloaded(Some(cached.status)));
        }
        let (_, facts) = bucket.download(&path.key, file).await?;
        if !self.moves {
            return Ok(Done::Downloaded(None));
        }
        bucket.delete_unchanged(&path.key, &facts).await?;
        Ok(Done::Moved)
    }

    async fn pipe_in(&self, path: &s3::Path) -> Result<Done> {
        let pieces = stream::try_unfold(tokio::io::stdin(), async |mut stdin| {
            let mut piece = BytesMut::with_capacity(PIECE);
            let read = stdin
                .read_buf(&mut piece)
                .await
                .map_err(|error| Error::new(Kind::File, "reading standard input").because(error))?;
            Ok((read > 0).then(|| (piece.freeze(), stdin)))
        });
        let bucket = self.bucket(path);
        bucket.put_stream(&path.key, pieces, None, &self.put).await?;
        Ok(Done::Uploaded)
    }

    async fn pipe_out(&self, path: &s3::Path) -> Result<Done> {
        // No bar: what is poured may go to the same terminal.
        ask::pour(self.s3.bucket(&path.bucket).get(&path.key).await?).await?;
        Ok(Done::Downloaded(None))
    }
}

/// What tells a file from what it was.
fn state(file: &Path) -> Result<(u64, u64, u64, i64, i64)> {
    let found = std::fs::metadata(file).map_err(|error| about(file, error))?;
    Ok((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

fn about(path: &Path, error: io::Error) -> Error {
    Error::new(Kind::Usage, format!("reading {}", path.display())).because(error)
}
