//! One file, opened: what it is, whether it stays the same, and whether somebody still writes it.
//!
//! Symlinks are never followed and nothing that could block is waited for. A read lease is granted
//! only while nobody has the file open for writing, which no watching of sizes can tell.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sha1::{Digest, Sha1};

use super::directory::Directory;
use super::rules::{self, Why};
use crate::sys;

/// Where a file lies. What lies in settling is older than what stands under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// `.longshore/settling/NUMBER/`
    Settling(u64),
    /// The spool itself.
    Spool,
}

/// A file by place and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) place: Place,
    pub(crate) name: OsString,
}

/// What makes a file the same file with the same contents. Never the change time: a rename or a
/// link changes that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i128,
}

/// What an attempt to open a file came to.
#[derive(Debug)]
pub(crate) enum Opened {
    /// A regular file that can be read.
    File(File, Stamp),
    /// It is no longer there.
    Gone,
    /// It is not a regular file.
    NotAFile,
}

/// Whether somebody has the file open for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Nobody; as sure as the kernel is.
    Nobody,
    /// Somebody.
    Somebody,
    /// This file has no leases: another user's, or a file system without.
    Unknown,
}

impl Stamp {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
        }
    }

    /// Whether both are of one file, whatever its contents were.
    pub(crate) fn is_of_the_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// What an open file is now.
    pub(crate) fn now(file: &impl AsFd) -> io::Result<Self> {
        Ok(Self::of(&fs::fstat(file)?))
    }

    /// The same for the same contents under the same name, here and after a restart.
    pub(crate) fn token(&self, name: &OsStr) -> String {
        let mut hash = Sha1::new();
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(self.inode.to_be_bytes());
        hash.update(self.size.to_be_bytes());
        hash.update(self.modified.to_be_bytes());
        hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// How long ago it was modified; nothing where that is in the future.
    pub(crate) fn age(&self) -> Option<Duration> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX);
        u64::try_from(now - self.modified).ok().map(Duration::from_nanos)
    }
}

/// When a file was last renamed, written or linked: its change time.
pub(crate) fn renamed(stat: &Stat) -> SystemTime {
    let seconds = u64::try_from(stat.st_ctime).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(stat.st_ctime_nsec)
}

impl Id {
    pub(crate) fn in_spool(name: impl Into<OsString>) -> Self {
        Self { place: Place::Spool, name: name.into() }
    }
}

/// The directory of a place, where it is not the spool itself.
pub(crate) fn open_place(directory: &Directory, number: u64) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(&directory.settling, number.to_string(), flags, Mode::empty()).map(File::from)
}

/// Opens a file without following or waiting for anything.
pub(crate) fn open(directory: &Directory, id: &Id) -> io::Result<Opened> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match id.place {
        Place::Spool => fs::openat(&directory.spool, &id.name, flags, Mode::empty()),
        Place::Settling(number) => open_place(directory, number)
            .and_then(|place| fs::openat(&place, &id.name, flags, Mode::empty())),
    };
    let file = match opened {
        Ok(handle) => File::from(handle),
        Err(Errno::NOENT) => return Ok(Opened::Gone),
        // A symlink; a socket.
        Err(Errno::LOOP | Errno::NXIO) => return Ok(Opened::NotAFile),
        Err(error) => return Err(error.into()),
    };
    let stat = fs::fstat(&file)?;
    Ok(match rules::by_type(FileType::from_raw_mode(stat.st_mode)) {
        None => Opened::File(file, Stamp::of(&stat)),
        Some(_) => Opened::NotAFile,
    })
}

/// What stands under a name of the spool now; nothing where nothing does.
pub(crate) fn look(directory: &Directory, name: &OsStr) -> io::Result<Option<Result<Stamp, Why>>> {
    match fs::statat(&directory.spool, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(match rules::by_type(FileType::from_raw_mode(stat.st_mode)) {
            None => Ok(Stamp::of(&stat)),
            Some(why) => Err(why),
        })),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes a read lease; given back by [`sys::release_lease`] or when the file is closed.
pub(crate) fn lease(file: &File) -> Writer {
    match sys::take_read_lease(file) {
        Ok(()) => Writer::Nobody,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Writer::Somebody,
        Err(_) => Writer::Unknown,
    }
}

/// Whether somebody has the file open for writing now.
pub(crate) fn writer(file: &File) -> Writer {
    let writer = lease(file);
    if writer == Writer::Nobody {
        // Held no longer than this: whoever opens it for writing meanwhile would wait for us.
        let _released = sys::release_lease(file);
    }
    writer
}
