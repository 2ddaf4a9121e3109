//! Where files go that are no messages, each with its reason in a JSON file beside it.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use serde_json::json;

use crate::drop::{self, Existing};

const SET_ASIDE: &str = ".set-aside";
/// So many files of one name may lie there.
const MOST_OF_A_NAME: u32 = 1_000;

/// A file that can be moved out of a folder.
pub(super) trait Movable {
    /// Its name for everybody.
    fn name(&self) -> &OsStr;

    /// Its folder.
    fn directory(&self) -> &OwnedFd;

    /// Moves it to another name; false where a reader that knows of no locks was quicker.
    fn rename(&self, to: (&OwnedFd, &OsStr)) -> io::Result<bool>;
}

/// Moves a file there; its new name.
pub(super) fn keep(taken: &impl Movable, why: &str) -> io::Result<String> {
    match fs::mkdirat(taken.directory(), SET_ASIDE, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = fs::openat(taken.directory(), SET_ASIDE, flags, Mode::empty())?;
    for number in 0..MOST_OF_A_NAME {
        let mut name = taken.name().to_owned();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        match taken.rename((&place, &name)) {
            Ok(true) => {}
            Ok(false) => return Ok(String::new()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        let mut beside: OsString = name.clone();
        beside.push(".reason.json");
        let reason = json!({ "file": taken.name().to_string_lossy(), "reason": why }).to_string();
        // The file is out of the way all the same, and the log has the reason.
        let _explained =
            drop::into(&place, OsStr::new(&beside), &mut reason.as_bytes(), Existing::Replace);
        return Ok(format!("{SET_ASIDE}/{}", name.display()));
    }
    Err(io::Error::other("too many files of this name are set aside"))
}
