//! The files of a cache. All of it blocks.
//!
//! A file is named `xx/NAME-CRC`: the name that its contents go by, of which `xx` are the first two
//! digits, and the CRC64NVME of what was written. Its mtime is when it was last used: the atime of
//! a file is not kept up on most systems. Nothing is ever written to a file that has its name.

use std::collections::BinaryHeap;
use std::fs::{self, DirBuilder, DirEntry, File, FileTimes, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crc_fast::{CrcAlgorithm, Digest};

/// Held by the one who writes, so that two who make room for themselves do not both fill it.
const LOCK: &str = ".lock";
/// What is being written; what is left of one who was killed is cleared away by the next.
const INCOMING: &str = ".incoming";
/// More files are not kept: each write looks at all of them.
const MOST_FILES: u64 = 100_000;
/// So many of the oldest are remembered in one look.
const OLDEST: usize = 1_000;

/// The directory and what it may hold.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) directory: PathBuf,
    /// In bytes.
    pub(super) most: u64,
    /// Of the disk that is free, or holds the cache already, in percent.
    pub(super) share: u8,
}

/// What was asked to be kept, and what must be true of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    pub(super) size: u64,
    /// The CRC64NVME that S3 told, where it told one.
    pub(super) crc: Option<u64>,
}

impl Store {
    /// The contents of that name, looked through and found undamaged, from their beginning on;
    /// noted as used now. A damaged file is deleted and never handed out.
    pub(super) fn open(&self, wanted: Wanted<'_>) -> io::Result<Option<File>> {
        let drawer = self.drawer(wanted.name);
        for entry in entries(&drawer)? {
            let Some(crc) = crc_of(&entry, wanted.name) else { continue };
            let path = entry.path();
            let mut opened = match File::open(&path) {
                Ok(opened) => opened,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let found = measure(&mut opened, &mut io::sink())?;
            if found != (wanted.size, crc) || wanted.crc.is_some_and(|told| told != crc) {
                tracing::warn!(path = %path.display(), "a damaged file of the cache is deleted");
                gone(&path)?;
                continue;
            }
            opened.set_times(FileTimes::new().set_modified(SystemTime::now()))?;
            opened.rewind()?;
            return Ok(Some(opened));
        }
        Ok(None)
    }

    /// The lock that `keep` wants; nothing while somebody else has it.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let lock = private().create(true).truncate(false).open(self.directory.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Keeps all that `contents` yields, after it has made room; false where that is not what was
    /// wanted, or larger than the cache may be. The files together are never larger than that.
    pub(super) fn keep(
        &self,
        wanted: Wanted<'_>,
        contents: &mut dyn Read,
        _lock: &File,
    ) -> io::Result<bool> {
        let incoming = self.directory.join(INCOMING);
        gone(&incoming)?;
        if !self.make_room(wanted.size)? {
            return Ok(false);
        }
        let kept = self.write(wanted, contents, &incoming);
        if !matches!(kept, Ok(true)) {
            gone(&incoming)?;
        }
        kept
    }

    fn write(&self, wanted: Wanted<'_>, contents: &mut dyn Read, to: &Path) -> io::Result<bool> {
        let mut file = private().create_new(true).open(to)?;
        // One byte more tells contents that are too long.
        let mut contents = contents.take(wanted.size.saturating_add(1));
        let (size, crc) = measure(&mut contents, &mut file)?;
        if size != wanted.size || wanted.crc.is_some_and(|told| told != crc) {
            return Ok(false);
        }
        let drawer = self.drawer(wanted.name);
        DirBuilder::new().recursive(true).mode(0o700).create(&drawer)?;
        // Not synced: whoever opens it looks through it first.
        let path = drawer.join(format!("{}-{crc:016x}", wanted.name));
        rustix::fs::rename(to, path)?;
        Ok(true)
    }

    /// Deletes what was not used for the longest time until that many bytes more are allowed; false
    /// where they never are.
    fn make_room(&self, size: u64) -> io::Result<bool> {
        loop {
            let held = self.look()?;
            let limit = self.limit(held.bytes)?;
            if size > limit {
                return Ok(false);
            }
            let mut bytes = (held.bytes + size).saturating_sub(limit);
            let mut files = (held.files + 1).saturating_sub(MOST_FILES);
            if bytes == 0 && files == 0 {
                return Ok(true);
            }
            for old in held.oldest.into_sorted_vec() {
                if bytes == 0 && files == 0 {
                    break;
                }
                gone(&old.path)?;
                bytes = bytes.saturating_sub(old.bytes);
                files = files.saturating_sub(1);
            }
        }
    }

    fn limit(&self, held: u64) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.directory)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize).saturating_add(held);
        Ok(self.most.min(free / 100 * u64::from(self.share)))
    }

    fn look(&self) -> io::Result<Held> {
        let mut held = Held { bytes: 0, files: 0, oldest: BinaryHeap::new() };
        for drawer in entries(&self.directory)? {
            for file in entries(&drawer.path())? {
                // Somebody else may just have deleted it.
                let Ok(about) = file.metadata() else { continue };
                if about.is_file() {
                    held.add(Old {
                        used: about.modified()?,
                        bytes: about.len(),
                        path: file.path(),
                    });
                }
            }
        }
        Ok(held)
    }

    fn drawer(&self, name: &str) -> PathBuf {
        self.directory.join(name.get(..2).unwrap_or(name))
    }
}

/// What a look at all files finds.
struct Held {
    bytes: u64,
    files: u64,
    /// The newest of them is on top.
    oldest: BinaryHeap<Old>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Old {
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
}

impl Held {
    fn add(&mut self, file: Old) {
        self.bytes += file.bytes;
        self.files += 1;
        self.oldest.push(file);
        if self.oldest.len() > OLDEST {
            self.oldest.pop();
        }
    }
}

/// What lies in a directory; nothing where it is none.
fn entries(directory: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(directory) {
        Ok(entries) => {
            entries.take(usize::try_from(2 * MOST_FILES).unwrap_or(usize::MAX)).collect()
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// The CRC in the name of a file with contents of this name.
fn crc_of(file: &DirEntry, name: &str) -> Option<u64> {
    let file = file.file_name();
    let crc = file.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
    u64::from_str_radix(crc, 16).ok()
}

/// Passes everything on; how many bytes it was, and their CRC64NVME.
fn measure(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<(u64, u64)> {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    let mut block = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let read = match from.read(&mut block) {
            Ok(0) => return Ok((size, digest.finalize())),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = block.get(..read).unwrap_or_default();
        digest.update(piece);
        to.write_all(piece)?;
        size += u64::try_from(read).unwrap_or(u64::MAX);
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Deletes a file that may be gone already.
fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
