//! Where files with a fault of their own go, with the reason in a JSON file beside them, so that
//! nothing bad is tried for ever and nothing is thrown away. Never overwrites an older one.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::fs::{self, AtFlags};
use rustix::io::Errno;
use serde::Serialize;

use super::directory::Directory;
use crate::drop::{self, Existing, rename_to_free};
use crate::toolkit::outbox::sidecar::name_for;

/// Longer names are cut, so that `.reason.json` and a number still fit behind them.
const LONGEST_STEM: usize = 230;
/// So many files of one name may lie in quarantine.
const MOST_OF_A_NAME: u32 = 10_000;

/// Why a file is in quarantine: the document beside it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reason {
    pub(crate) spool: String,
    pub(crate) file: String,
    pub(crate) key: Option<String>,
    #[serde(flatten)]
    pub(crate) bound_for: BoundFor,
    /// RFC 3339, UTC.
    pub(crate) when: String,
    #[serde(rename = "reason")]
    pub(crate) why: String,
    pub(crate) kind: &'static str,
    pub(crate) attempts: u32,
    pub(crate) size: u64,
    /// RFC 3339, UTC.
    pub(crate) modified: String,
}

/// Where the file was to go.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BoundFor {
    Bucket(String),
    Queue(String),
    Topic(String),
}

/// Where a file went.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) path: PathBuf,
    /// The reason could not be written; the file is in quarantine all the same.
    pub(crate) unexplained: Option<String>,
}

/// Moves `name` of the directory `place` into quarantine, with the reason beside it. Blocks.
///
/// The reason is there first: at no instant, and after no crash, does a file lie in quarantine
/// without it, unless it could not be written. A crash between the two leaves a reason alone, and the
/// file is judged once more.
///
/// # Errors
/// When the file could not be moved; it is where it was then, and its reason is taken back.
pub(crate) fn keep(
    directory: &Directory,
    place: &File,
    name: &OsStr,
    reason: &Reason,
) -> io::Result<Kept> {
    let shown = directory.quarantine_path.display().to_string();
    for number in 0..MOST_OF_A_NAME {
        let target = target(name, number);
        let beside = with_suffix(&target, ".reason.json");
        if is_taken(directory, &beside) || is_taken(directory, &target) {
            continue;
        }
        let explained = explain(directory, &beside, reason);
        let moved = rename_to_free((place, name), (&directory.quarantine, &target));
        if moved.is_err() {
            // There even where only its last sync failed.
            let _gone = fs::unlinkat(&directory.quarantine, &beside, AtFlags::empty());
        }
        match moved {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        let unexplained = explained.map_err(|fault| fault.within(&shown).to_string()).err();
        let _synced = fs::fsync(&directory.quarantine);
        return Ok(Kept { path: directory.quarantine_path.join(target), unexplained });
    }
    Err(io::Error::other("too many files of this name are in quarantine"))
}

/// Moves a sidecar into quarantine, beside the file that is there as `target`. Blocks.
pub(crate) fn keep_beside(
    directory: &Directory,
    place: &File,
    sidecar: &OsStr,
    target: &OsStr,
) -> io::Result<()> {
    let beside = name_for(target);
    if !is_taken(directory, &beside) {
        return rename_to_free((place, sidecar), (&directory.quarantine, &beside));
    }
    keep_alone(directory, place, sidecar)
}

/// Moves a sidecar without its file into quarantine, under a name that is free. Blocks.
pub(crate) fn keep_alone(
    directory: &Directory,
    place: &impl AsFd,
    sidecar: &OsStr,
) -> io::Result<()> {
    for number in 0..MOST_OF_A_NAME {
        match rename_to_free((place, sidecar), (&directory.quarantine, &target(sidecar, number))) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            moved => return moved,
        }
    }
    Err(io::Error::other("too many files of this name are in quarantine"))
}

fn explain(directory: &Directory, beside: &OsStr, reason: &Reason) -> Result<u64, drop::Fault> {
    let mut text = serde_json::to_vec_pretty(reason).unwrap_or_default();
    text.push(b'\n');
    drop::into(&directory.quarantine, beside, &mut text.as_slice(), Existing::Keep)
}

fn is_taken(directory: &Directory, name: &OsStr) -> bool {
    !matches!(fs::statat(&directory.quarantine, name, AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT))
}

fn target(name: &OsStr, number: u32) -> OsString {
    let bytes = name.as_bytes();
    let stem = OsString::from_vec(bytes.iter().copied().take(LONGEST_STEM).collect());
    if number == 0 { stem } else { with_suffix(&stem, &format!(".{number}")) }
}

fn with_suffix(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_short_enough_for_their_reason() {
        let long = "n".repeat(255);
        let target = target(OsStr::new(&long), MOST_OF_A_NAME);
        assert!(with_suffix(&target, ".reason.json").len() <= 255);
    }
}
