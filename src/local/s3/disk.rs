//! The files of the embedded S3. All of it blocks; callers run it with [`blocking`].
//!
//! `<bucket>/<key>` are the objects. Everything of our own lies under `.longshore`, which no
//! bucket can be called: records, parts of uploads, and bodies that are still coming in. One lock
//! makes each change a single step, so that conditions on requests mean what they say.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;

use rustix::fs::FlockOperation;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::condition::Condition;
use super::incoming::Incoming;
use super::place::Place;
use super::record::{Headers, Record, Sums};
use crate::error::{Error, Kind};
use crate::local::digest;
use crate::local::guarded::Guarded;

#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    change: Guarded<()>,
    _lock: File,
}

/// An object that is there.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: File,
    pub(super) metadata: Metadata,
    pub(super) record: Record,
}

/// An object that is there, and its record if that fits.
struct Opened {
    file: File,
    metadata: Metadata,
    record: Option<Record>,
}

impl Opened {
    fn measured(mut self, key: &str) -> S3Result<Found> {
        let record = match self.record {
            Some(record) => record,
            None => measure(key, &mut self.file).map_err(|e| broken(Path::new(key), e))?,
        };
        Ok(Found { file: self.file, metadata: self.metadata, record })
    }
}

pub(super) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> S3Result<R> + Send + 'static,
) -> S3Result<R> {
    tokio::task::spawn_blocking(work).await.map_err(|error| s3_error!(error, InternalError))?
}

/// A file-system error as S3 says it.
pub(super) fn broken(what: &Path, error: io::Error) -> S3Error {
    let code = if error.kind() == io::ErrorKind::InvalidFilename {
        S3ErrorCode::InvalidURI
    } else {
        S3ErrorCode::InternalError
    };
    S3Error::with_message(code, format!("{}: {error}", what.display()))
}

impl Disk {
    pub(super) fn open(root: PathBuf) -> crate::error::Result<Self> {
        let failed = |error: io::Error| {
            Error::new(Kind::File, format!("opening the directory {}", root.display()))
                .because(error)
        };
        let own = root.join(".longshore");
        let incoming = own.join("incoming");
        for directory in ["records", "uploads", "incoming"] {
            fs::create_dir_all(own.join(directory)).map_err(failed)?;
        }
        let lock = File::create(own.join("lock")).map_err(failed)?;
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Error::new(
                Kind::Busy,
                format!("another process serves the directory {}", root.display()),
            )
            .hint("stop it or name another directory"));
        }
        for entry in fs::read_dir(&incoming).map_err(failed)? {
            fs::remove_file(entry.map_err(failed)?.path()).map_err(failed)?;
        }
        Ok(Self { root, change: Guarded::default(), _lock: lock })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn bucket(&self, bucket: &str) -> PathBuf {
        self.root.join(bucket)
    }

    pub(super) fn own(&self, part: &str) -> PathBuf {
        self.root.join(".longshore").join(part)
    }

    /// Held while something is changed.
    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.change.lock()
    }

    /// # Errors
    /// `NoSuchBucket`.
    pub(super) fn needs_bucket(&self, bucket: &str) -> S3Result<PathBuf> {
        let path = self.bucket(bucket);
        if path.is_dir() { Ok(path) } else { Err(s3_error!(NoSuchBucket, "no bucket {bucket}")) }
    }

    fn record_path(&self, bucket: &str, key: &str) -> PathBuf {
        self.own("records").join(bucket).join(digest::sha256_hex(key.as_bytes()))
    }

    /// The object with its record; where there is no fitting record, one made from the bytes.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`.
    pub(super) fn find(&self, bucket: &str, key: &str) -> S3Result<Found> {
        let opened = {
            let _changing = self.changing();
            self.opened(bucket, key)?
        };
        // Reading a foreign file to its end holds nobody up.
        opened.measured(key)
    }

    /// For callers that hold the lock.
    fn opened(&self, bucket: &str, key: &str) -> S3Result<Opened> {
        self.needs_bucket(bucket)?;
        let missing = || s3_error!(NoSuchKey, "no object {key}");
        // A key that cannot be stored is not there.
        let place = Place::of(self, bucket, key).map_err(|_| missing())?;
        let file = File::open(&place.path).map_err(|_| missing())?;
        let metadata = file.metadata().map_err(|e| broken(&place.path, e))?;
        if !metadata.is_file() {
            return Err(missing());
        }
        let record = fs::read(self.record_path(bucket, key))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok())
            .filter(|record| record.fits(key, &metadata));
        Ok(Opened { file, metadata, record })
    }

    /// Puts what came in in its place, if the condition holds.
    pub(super) fn commit(
        &self,
        place: &Place,
        incoming: Incoming,
        mut record: Record,
        condition: &Condition,
    ) -> S3Result<()> {
        let _changing = self.changing();
        self.check(&place.bucket, &place.key, condition)?;
        self.needs_bucket(&place.bucket)?;
        let target = &place.path;
        make_way(target)?;
        let metadata = fs::metadata(incoming.path()).map_err(|e| broken(target, e))?;
        record.bind(&metadata);
        // The record first: a crash in between leaves the old object without its record, never
        // the new one.
        self.write_record(place, &record)?;
        incoming.move_to(target).map_err(|e| broken(target, e))
    }

    /// For callers that hold the lock.
    fn check(&self, bucket: &str, key: &str, condition: &Condition) -> S3Result<()> {
        if condition.is_none() {
            return Ok(());
        }
        let current = match self.opened(bucket, key).and_then(|opened| opened.measured(key)) {
            Ok(found) => Some(found.record.e_tag()),
            Err(error) if error.code() == &S3ErrorCode::NoSuchKey => None,
            Err(error) => return Err(error),
        };
        condition.check(current.as_ref())
    }

    fn write_record(&self, place: &Place, record: &Record) -> S3Result<()> {
        let path = self.record_path(&place.bucket, &place.key);
        let written = (|| {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            let draft = Incoming::new(&self.own("incoming"));
            fs::write(draft.path(), serde_json::to_vec(record)?)?;
            draft.move_to(&path)
        })();
        written.map_err(|error| broken(&path, error))
    }

    /// Deletes the object, if the condition holds; one that is not there is deleted already.
    pub(super) fn delete(&self, bucket: &str, key: &str, condition: &Condition) -> S3Result<()> {
        let bucket_path = self.needs_bucket(bucket)?;
        let _changing = self.changing();
        self.check(bucket, key, condition)?;
        let Ok(place) = Place::of(self, bucket, key) else { return Ok(()) };
        match fs::symlink_metadata(&place.path) {
            Ok(found) if found.is_dir() => return Ok(()),
            Ok(_) => fs::remove_file(&place.path).map_err(|e| broken(&place.path, e))?,
            Err(_) => return Ok(()),
        }
        drop(fs::remove_file(self.record_path(bucket, key)));
        let mut above = place.path.parent();
        while let Some(directory) = above.filter(|path| *path != bucket_path) {
            if fs::remove_dir(directory).is_err() {
                break;
            }
            above = directory.parent();
        }
        Ok(())
    }

    pub(super) fn forget_bucket(&self, bucket: &str) {
        drop(fs::remove_dir_all(self.own("records").join(bucket)));
    }
}

/// Makes the directories above, and refuses where files and directories would have to share a
/// name.
fn make_way(target: &Path) -> S3Result<()> {
    let clash = |what: &str| {
        s3_error!(
            InvalidURI,
            "the embedded S3 keeps objects as plain files and cannot store this key: {what}"
        )
    };
    if target.is_dir() && fs::remove_dir(target).is_err() {
        return Err(clash("other objects lie below it, so that it is a directory already"));
    }
    let above = target.parent().unwrap_or(target);
    match fs::create_dir_all(above) {
        Ok(()) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists
            ) =>
        {
            Err(clash("a part of it up to a slash is an object itself"))
        }
        Err(error) => Err(broken(above, error)),
    }
}

/// Entity tag and checksum of a file that came here without us.
fn measure(key: &str, file: &mut File) -> io::Result<Record> {
    let (mut md5, mut sums) = (Md5::new(), all_sums_of_interest());
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(block) = buffer.get(..read).filter(|block| !block.is_empty()) else { break };
        md5.update(block);
        sums.update(block);
    }
    io::Seek::rewind(file)?;
    let etag = digest::hex(&md5.finalize());
    Ok(Record::new(key, etag, Headers::default(), Sums::from(sums.finalize())))
}

fn all_sums_of_interest() -> ChecksumHasher {
    ChecksumHasher { crc64nvme: Some(s3s::crypto::Crc64Nvme::default()), ..Default::default() }
}
