//! A file dropped so that nobody ever sees half of it, and that outlives a power loss: a temporary
//! name in the same directory, write, fsync, rename, fsync of the directory.
//!
//! Without the last fsync the whole file may be gone after a power loss; without the first, the
//! name may be there with nothing in it. All of it blocks: call it off the runtime's threads.

use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result};

/// Every temporary name begins so; no spool ever uploads a name that does.
pub const TEMPORARY_PREFIX: &str = ".longshore-";

/// What happens where the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the drop is refused.
    Keep,
    /// It is replaced, at one instant.
    Replace,
}

/// What a file gets besides its contents and its name.
#[derive(Debug)]
pub(crate) struct Looks {
    /// Less the umask.
    mode: u32,
    modified: Option<SystemTime>,
    /// The file in whose place it comes: its mode stays, and its owner where we may give files away.
    like: Option<Metadata>,
}

impl Looks {
    /// A spool's group can read what is dropped.
    pub(crate) const DROPPED: Self = Self { mode: 0o660, modified: None, like: None };

    /// Of a file that somebody asked for, in the place of what is there.
    pub(crate) const fn asked_for(modified: Option<SystemTime>, like: Option<Metadata>) -> Self {
        Self { mode: 0o666, modified, like }
    }
}

/// Drops everything that `contents` yields as `name` into `directory`; the number of bytes.
///
/// The mode is 0660 less the umask, so that a spool's group can read it. When it returns, the file
/// is on disk under its name; when it fails, nothing is left behind under either name.
///
/// # Errors
/// `Kind::Conflict` where the name is taken and is to be kept; else the failed step, of
/// `Kind::File`.
pub fn file(
    directory: &Path,
    name: &OsStr,
    contents: &mut dyn Read,
    existing: Existing,
) -> Result<u64> {
    looking(directory, name, contents, existing, &Looks::DROPPED)
}

/// As [`file`], with looks of its own.
pub(crate) fn looking(
    directory: &Path,
    name: &OsStr,
    contents: &mut dyn Read,
    existing: Existing,
    looks: &Looks,
) -> Result<u64> {
    whole(&open(directory)?, name, contents, existing, looks)
        .map_err(|error| error.within(&directory.display().to_string()))
}

/// A directory to drop files into.
pub(crate) fn open(directory: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty())
        .map_err(|error| step(&format!("opening {}", directory.display()), error.into()))
}

/// As [`file`], into a directory that is already open.
pub(crate) fn into(
    directory: &impl AsFd,
    name: &OsStr,
    contents: &mut dyn Read,
    existing: Existing,
) -> std::result::Result<u64, Fault> {
    whole(directory, name, contents, existing, &Looks::DROPPED)
}

fn whole(
    directory: &impl AsFd,
    name: &OsStr,
    contents: &mut dyn Read,
    existing: Existing,
    looks: &Looks,
) -> std::result::Result<u64, Fault> {
    let bytes = unsynced(directory, name, contents, existing, looks)?;
    sync(directory, name)?;
    Ok(bytes)
}

/// As [`into`] without its last step: until [`sync`] has returned, a power loss may take the name.
pub(crate) fn unsynced(
    directory: &impl AsFd,
    name: &OsStr,
    contents: &mut dyn Read,
    existing: Existing,
    looks: &Looks,
) -> std::result::Result<u64, Fault> {
    let temporary = format!("{TEMPORARY_PREFIX}{:016x}.tmp", fastrand::u64(..));
    let written = write(directory, &temporary, contents, looks).and_then(|bytes| {
        settle_name(directory, &temporary, name, existing)?;
        Ok(bytes)
    });
    written.map_err(|(what, error)| {
        // Best effort: a temporary name is never taken for a file, and the error is what counts.
        let _gone = rustix::fs::unlinkat(directory, &temporary, AtFlags::empty());
        Fault::new(what, name, error)
    })
}

/// Syncs a directory: the names in it, of which `name` is told where that fails, outlive a power
/// loss.
pub(crate) fn sync(directory: &impl AsFd, name: &OsStr) -> std::result::Result<(), Fault> {
    let synced = rustix::fs::fsync(directory);
    #[cfg(test)]
    let synced = seam::synced(synced);
    synced.map_err(|error| Fault::new("syncing the directory of", name, error.into()))
}

/// Gives a file a new name that must be free; never replaces. Only for a file whose old name nobody
/// else renames anything to: where the flag is not known, that name is removed by its path.
pub(crate) fn rename_to_free(
    from: (&impl AsFd, &OsStr),
    to: (&impl AsFd, &OsStr),
) -> io::Result<()> {
    #[cfg(test)]
    if seam::is_without_the_flag() {
        return link_to_free(from, to);
    }
    match rustix::fs::renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Some file systems (NFS) do not know the flag; a link does not replace either.
        Err(Errno::INVAL | Errno::NOSYS) => link_to_free(from, to),
        Err(error) => Err(error.into()),
    }
}

fn link_to_free(from: (&impl AsFd, &OsStr), to: (&impl AsFd, &OsStr)) -> io::Result<()> {
    rustix::fs::linkat(from.0, from.1, to.0, to.1, AtFlags::empty())?;
    #[cfg(test)]
    seam::linked();
    Ok(rustix::fs::unlinkat(from.0, from.1, AtFlags::empty())?)
}

/// A step that failed, before it is told where.
#[derive(Debug)]
pub(crate) struct Fault {
    what: &'static str,
    name: String,
    error: io::Error,
}

impl Fault {
    fn new(what: &'static str, name: &OsStr, error: io::Error) -> Self {
        Self { what, name: name.display().to_string(), error }
    }

    /// True where the fault lies with this one file: any other could still be dropped.
    pub(crate) fn is_of_file(&self) -> bool {
        // A directory stands under its name, or it is larger than a file may be.
        matches!(Errno::from_io_error(&self.error), None | Some(Errno::ISDIR | Errno::FBIG))
    }

    /// The error, with the directory it happened in.
    pub(crate) fn within(self, directory: &str) -> Error {
        let what = format!("{} {directory}/{}", self.what, self.name);
        if self.error.kind() == io::ErrorKind::AlreadyExists {
            return Error::new(Kind::Conflict, what)
                .because(self.error)
                .hint("choose another name, or ask for it to be replaced");
        }
        step(&what, self.error)
    }
}

type Step<T> = std::result::Result<T, (&'static str, io::Error)>;

fn write(
    directory: &impl AsFd,
    temporary: &str,
    contents: &mut dyn Read,
    looks: &Looks,
) -> Step<u64> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    // What others may see of the older one is set before there is anything to see.
    let mode = if looks.like.is_some() { 0o600 } else { looks.mode };
    let handle = rustix::fs::openat(directory, temporary, flags, Mode::from_raw_mode(mode))
        .map_err(|error| ("creating a temporary file for", error.into()))?;
    let mut file = File::from(handle);
    if let Some(like) = &looks.like {
        // Only root gives a file to others.
        let _kept = fchown(&file, Some(like.uid()), Some(like.gid()));
        let permissions = Permissions::from_mode(like.mode() & 0o777);
        file.set_permissions(permissions).map_err(|error| ("setting the mode of", error))?;
    }
    let bytes = io::copy(contents, &mut file).map_err(|error| ("writing", error))?;
    if let Some(modified) = looks.modified {
        file.set_modified(modified).map_err(|error| ("dating", error))?;
    }
    file.sync_all().map_err(|error| ("syncing", error))?;
    Ok(bytes)
}

fn settle_name(
    directory: &impl AsFd,
    temporary: &str,
    name: &OsStr,
    existing: Existing,
) -> Step<()> {
    let renamed = match existing {
        Existing::Keep => rename_to_free((directory, OsStr::new(temporary)), (directory, name)),
        Existing::Replace => {
            rustix::fs::renameat(directory, temporary, directory, name).map_err(io::Error::from)
        }
    };
    renamed.map_err(|error| ("giving its name to", error))
}

fn step(what: &str, error: io::Error) -> Error {
    Error::new(Kind::File, what).because(error)
}

#[cfg(test)]
pub(crate) mod seam;
#[cfg(test)]
mod tests;
