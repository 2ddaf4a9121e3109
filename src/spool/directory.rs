//! The spool's directory and our own inside it, held open and locked; every file-system call on a
//! spool goes through these descriptors, never through a path. All of it blocks.
//!
//! When the directory is removed and made anew, the descriptors still mean the old one: `still_there`
//! tells, and the spool begins again with the new one.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::config;
use crate::error::{Error, Kind, Result};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const SETTLING: &str = "settling";
const LOCK: &str = "lock";
const TRIAL: &str = ".longshore-trial";

/// One spool's directories, open; the lock is held for as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) path: PathBuf,
    pub(crate) spool: OwnedFd,
    pub(crate) settling: OwnedFd,
    pub(crate) quarantine: OwnedFd,
    pub(crate) quarantine_path: PathBuf,
    /// The name of the network file system it lies on, where events and locks cannot be trusted.
    pub(crate) network: Option<&'static str>,
    own: OwnedFd,
    lock: File,
}

impl Directory {
    /// Opens and locks the directory, makes our own inside it, and tries what settling will need.
    ///
    /// # Errors
    /// `Kind::Busy` while another daemon holds the lock; else `Kind::File`, with what to do.
    pub(crate) fn establish(settings: &config::Spool) -> Result<Self> {
        let path = settings.directory.clone();
        let spool = fs::open(&path, DIRECTORY, Mode::empty())
            .map_err(|error| unusable("opening", &path, error))?;
        let own_path = config::own_directory(&path);
        let own = make(&spool, &own_path)
            .map_err(|error| unmade((&own_path, &path), own_path.exists(), error))?;
        let lock = lock(&own, &path)?;
        let settling_path = own_path.join(SETTLING);
        let settling = make(&own, &settling_path)
            .map_err(|error| unusable("making", &settling_path, error))?;
        let quarantine_path = settings.quarantine_directory.clone();
        let quarantine = open_quarantine(&own, &own_path, &quarantine_path)
            .map_err(|error| unusable("making", &quarantine_path, error))?;
        let network = network(&spool).map_err(|error| unusable("looking at", &path, error))?;
        let made = Self { path, spool, settling, quarantine, quarantine_path, network, own, lock };
        made.try_out()?;
        Ok(made)
    }

    /// Whether the path still leads to what is open and locked here.
    ///
    /// # Errors
    /// Says what is gone or no longer allowed.
    pub(crate) fn still_there(&self) -> Result<()> {
        let again = match fs::open(&self.path, DIRECTORY, Mode::empty()) {
            Ok(again) => again,
            // Nothing was learned; the next look tells.
            Err(error) if is_of_this_process(&error.into()) => return Ok(()),
            Err(error) => return Err(unusable("opening", &self.path, error)),
        };
        let own = config::own_directory(Path::new(""));
        let same = same_file(&fs::fstat(&again), &fs::fstat(&self.spool))
            && same_file(
                &fs::statat(&self.spool, &own, AtFlags::SYMLINK_NOFOLLOW),
                &fs::fstat(&self.own),
            )
            && same_file(
                &fs::statat(&self.own, LOCK, AtFlags::SYMLINK_NOFOLLOW),
                &fs::fstat(&self.lock),
            )
            && same_file(
                &fs::statat(&self.own, SETTLING, AtFlags::SYMLINK_NOFOLLOW),
                &fs::fstat(&self.settling),
            );
        if same {
            Ok(())
        } else {
            Err(Error::new(Kind::File, format!("{} is no longer the same", self.path.display()))
                .hint("it was removed or replaced; it is taken up anew"))
        }
    }

    /// Whether quarantine lies on the same file system, as a rename needs.
    pub(crate) fn quarantine_is_near(&self) -> bool {
        match (fs::fstat(&self.spool), fs::fstat(&self.quarantine)) {
            (Ok(spool), Ok(quarantine)) => spool.st_dev == quarantine.st_dev,
            _ => false,
        }
    }

    /// Writes and renames as settling does, so that what is not allowed shows before an upload.
    fn try_out(&self) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let tried = fs::openat(&self.spool, TRIAL, flags, Mode::from_raw_mode(0o600))
            .and_then(|_file| fs::renameat(&self.spool, TRIAL, &self.settling, TRIAL))
            .and_then(|()| fs::unlinkat(&self.settling, TRIAL, AtFlags::empty()));
        tried.map_err(|error| unusable("writing to", &self.path, error))?;
        match sticky(&self.spool) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Error::new(
                Kind::File,
                format!(
                    "{} has the sticky bit, so only a file's owner may move it",
                    self.path.display()
                ),
            )
            .hint(format!("chmod -t {}, or make it ours with chown", self.path.display()))),
            Err(error) => Err(unusable("looking at", &self.path, error)),
        }
    }
}

/// True where we are short of descriptors or memory, which says nothing about the directory.
pub(crate) fn is_of_this_process(error: &io::Error) -> bool {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    shortages.iter().any(|shortage| error.raw_os_error() == Some(shortage.raw_os_error()))
}

/// The process that holds the lock of a spool, where it wrote that down.
pub(crate) fn holder(directory: &Path) -> Option<u32> {
    let mut text = String::new();
    let file = File::open(config::own_directory(directory).join(LOCK)).ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// The error of a step on a path, with what a person can do.
pub(crate) fn unusable(doing: &str, path: &Path, error: impl Into<io::Error>) -> Error {
    told(doing, (path, path), error.into())
}

/// As [`unusable`], of a directory that could not be made: where it is not there, its parent is the
/// one that is not allowed.
fn unmade((path, parent): (&Path, &Path), is_there: bool, error: io::Error) -> Error {
    told("making", (path, if is_there { path } else { parent }), error)
}

fn told(doing: &str, (path, at_fault): (&Path, &Path), error: io::Error) -> Error {
    let shown = at_fault.display();
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of io::Error keep growing")]
    let hint = match error.kind() {
        io::ErrorKind::NotFound => format!("make it: mkdir -p {shown}"),
        io::ErrorKind::PermissionDenied => format!(
            "the daemon's user (uid {}) must be allowed to read and write there: chown or \
             chmod {shown}, or join its group",
            rustix::process::geteuid().as_raw()
        ),
        io::ErrorKind::ReadOnlyFilesystem => "mount it for writing".to_owned(),
        io::ErrorKind::StorageFull => "make room".to_owned(),
        _ => "see `longshore check`".to_owned(),
    };
    Error::new(Kind::File, format!("{doing} {}", path.display())).because(error).hint(hint)
}

fn make(parent: &impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let name = path.file_name().unwrap_or(OsStr::new(""));
    match fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(fs::openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)
}

fn open_quarantine(own: &impl AsFd, own_path: &Path, path: &Path) -> io::Result<OwnedFd> {
    if path.parent() == Some(own_path) {
        return make(own, path);
    }
    std::fs::create_dir_all(path)?;
    Ok(fs::open(path, DIRECTORY, Mode::empty())?)
}

fn lock(own: &impl AsFd, spool: &Path) -> Result<File> {
    let failed =
        |error: io::Error| unusable("locking", &config::own_directory(spool).join(LOCK), error);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let handle = fs::openat(own, LOCK, flags, Mode::from_raw_mode(0o644))
        .map_err(|error| failed(error.into()))?;
    let mut file = File::from(handle);
    match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let other = holder(spool).map_or_else(String::new, |pid| format!(" (pid {pid})"));
            return Err(Error::new(
                Kind::Busy,
                format!("another longshore{other} uses the spool {}", spool.display()),
            )
            .hint("stop it, or give this one another directory"));
        }
        Err(error) => return Err(failed(error.into())),
    }
    // With no byte free the lock still stands; only the pid is missing then.
    let _pid = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// True where the sticky bit keeps us from moving the files of others.
fn sticky(directory: &impl AsFd) -> io::Result<bool> {
    let stat = fs::fstat(directory)?;
    let me = rustix::process::geteuid();
    let sticky = Mode::from_raw_mode(stat.st_mode).contains(Mode::SVTX);
    Ok(sticky && !me.is_root() && stat.st_uid != me.as_raw())
}

fn same_file(one: &rustix::io::Result<Stat>, other: &rustix::io::Result<Stat>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => one.st_dev == other.st_dev && one.st_ino == other.st_ino,
        _ => false,
    }
}

fn network(directory: &impl AsFd) -> io::Result<Option<&'static str>> {
    let kind = i128::from(fs::fstatfs(directory)?.f_type);
    Ok(NETWORK.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name))
}

/// What statfs(2) says of file systems whose changes may come from another machine.
const NETWORK: &[(i128, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x00C3_6400, "CephFS"),
    (0x5346_414F, "AFS"),
    (0x0102_1997, "9P"),
    (0x7375_7245, "Coda"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x0BD0_0BD0, "Lustre"),
    (0x1983_0326, "BeeGFS"),
    (0x4750_4653, "GPFS"),
    (0x786F_4256, "vboxsf"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_allowed_is_there() {
        let (own, spool) = (Path::new("/spool/.longshore"), Path::new("/spool"));
        for (is_there, named) in [(false, "chmod /spool,"), (true, "chmod /spool/.longshore,")] {
            let error = unmade((own, spool), is_there, Errno::ACCESS.into());
            let text = format!("{error:?} {error}");
            assert!(text.contains("making /spool/.longshore"), "{text}");
            assert!(text.contains(named), "{text}");
        }
    }
}
