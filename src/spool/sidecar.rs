//! What a file of an outbox says of its message besides the body: by its extended attributes
//! `user.longshore.KEY`, and over them, key by key, by the sidecar `.NAME.meta.json`.
//!
//! A sidecar is renamed in before its file and belongs to whatever file has that name. It leaves
//! with its file: it follows into settling once the file lies there, and is removed after it. So a
//! file that is not settled always finds its sidecar, beside it or where it came from. A sidecar
//! whose file is gone is never deleted but moved to quarantine. All of it blocks.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::SystemTime;

use rustix::buffer::spare_capacity;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::directory::Directory;
use super::open::{Id, Place, Stamp, open_place};
use super::quarantine;
use super::settle::Leftovers;
use crate::drop::rename_to_free;
use crate::toolkit::outbox::sidecar::{Sidecar, file_of, name_for};

/// Attributes have this in front of their keys.
const PREFIX: &str = "user.longshore.";
/// A larger one says more than any message can carry.
const LARGEST: u64 = 2 << 20;

/// What was found.
#[derive(Clone)]
pub(crate) struct Found {
    /// What it says; or, in words, why that cannot be known.
    pub(crate) said: Result<Sidecar, String>,
    /// Which sidecar that was, where there was one.
    stamp: Option<Stamp>,
}

/// Reads what is said of an open file.
pub(crate) fn read(directory: &Directory, id: &Id, file: &File) -> io::Result<Found> {
    let name = name_for(&id.name);
    let beside = match id.place {
        Place::Spool => open(&directory.spool, &name)?,
        Place::Settling(number) => match open(&open_place(directory, number)?, &name)? {
            None => open(&directory.spool, &name)?,
            beside => beside,
        },
    };
    let Some(sidecar) = beside else {
        return Ok(Found { said: attributes(file)?, stamp: None });
    };
    let stat = fs::fstat(&sidecar)?;
    let stamp = Some(Stamp::of(&stat));
    let wrong = |why: String| Err(format!("its sidecar {} {why}", name.display()));
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(Found { said: wrong("is no regular file".to_owned()), stamp: None });
    }
    let mut text = Vec::new();
    sidecar.take(LARGEST + 1).read_to_end(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LARGEST {
        return Ok(Found { said: wrong(format!("has more than {LARGEST} bytes")), stamp });
    }
    let said = match (Sidecar::read(&text), attributes(file)?) {
        (Err(why), _) => wrong(format!("is malformed: {why}")),
        (_, Err(why)) => Err(why),
        (Ok(over), Ok(below)) => Ok(over.over(below)),
    };
    Ok(Found { said, stamp })
}

fn open(directory: &impl AsFd, name: &OsStr) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match fs::openat(directory, name, flags, Mode::empty()) {
        Ok(handle) => Ok(Some(File::from(handle))),
        // A symlink is not followed; opened as itself it can be told from a regular file.
        Err(Errno::LOOP) => {
            let itself = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(Some(fs::openat(directory, name, itself, Mode::empty())?.into()))
        }
        // A name as long as this can have no sidecar.
        Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn attributes(file: &File) -> io::Result<Result<Sidecar, String>> {
    let mut said = Sidecar::default();
    let size = match fs::flistxattr_query(file) {
        Ok(0) | Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(Ok(said)),
        size => size?,
    };
    let mut names = Vec::with_capacity(size);
    fs::flistxattr(file, spare_capacity(&mut names))?;
    for name in names.split(|byte| *byte == 0) {
        let Some(key) = name.strip_prefix(PREFIX.as_bytes()) else { continue };
        let size = fs::fgetxattr_query(file, name)?;
        // An attribute of no bytes has no room to be asked for.
        let mut value = Vec::with_capacity(size.max(1));
        fs::fgetxattr(file, name, spare_capacity(&mut value))?;
        let set = match (str::from_utf8(key), String::from_utf8(value)) {
            (Ok(key), Ok(value)) => said.set(key, value),
            _ => Err("not UTF-8".to_owned()),
        };
        if let Err(wrong) = set {
            let name = String::from_utf8_lossy(name);
            return Ok(Err(format!("its extended attribute {name}: {wrong}")));
        }
    }
    Ok(Ok(said))
}

impl Found {
    /// Removes a file together with its sidecar: the file, which lies at `place`, by `first`, and
    /// after it the sidecar by `then`. Where `first` fails, both are where they were.
    pub(crate) fn finish<T>(
        &self,
        directory: &Directory,
        (place, name): (&File, &OsStr),
        first: impl FnOnce(&File, &OsStr) -> io::Result<T>,
        then: impl FnOnce(&File, &OsStr, &T) -> io::Result<()>,
    ) -> io::Result<T> {
        let beside = name_for(name);
        let followed = match self.stamp {
            Some(stamp) => follow(directory, place, &beside, stamp)?,
            None => false,
        };
        let done = first(place, name);
        if followed {
            match &done {
                // What stays here comes to quarantine at the next start.
                Ok(done) => drop(then(place, &beside, done)),
                Err(_) => put_back(directory, place, &beside),
            }
        }
        done
    }
}

/// Moves the sidecar that was read to where its file lies by now; a newer one stays. True where it
/// is there.
fn follow(directory: &Directory, place: &File, name: &OsStr, stamp: Stamp) -> io::Result<bool> {
    if stands(place, name)? == Some(stamp) {
        return Ok(true);
    }
    if stands(&directory.spool, name)? != Some(stamp) {
        return Ok(false);
    }
    match fs::renameat(&directory.spool, name, place, name) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    // A program may have renamed a newer one over it since it was looked at.
    let same = stands(place, name)? == Some(stamp);
    if !same {
        put_back(directory, place, name);
    }
    Ok(same)
}

/// Where an even newer one has the name by now, the one here counts no more.
fn put_back(directory: &Directory, place: &File, name: &OsStr) {
    let back = rename_to_free((place, name), (&directory.spool, name));
    // Any other trouble leaves it where it is, to be found by the next start.
    if back.is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
        let _older = fs::unlinkat(place, name, AtFlags::empty());
    }
}

fn stands(directory: &impl AsFd, name: &OsStr) -> io::Result<Option<Stamp>> {
    match fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(Stamp::of(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Of what an earlier run left in settling, sidecars are no files of their own. Those whose file
/// is not with them any more go to quarantine.
pub(crate) fn set_apart(directory: &Directory, left: &mut Leftovers) -> io::Result<()> {
    let (sidecars, files): (Vec<_>, Vec<_>) =
        std::mem::take(&mut left.files).into_iter().partition(|(id, _)| is_sidecar(&id.name));
    left.files = files;
    for (Id { place, name }, _) in sidecars {
        let with_file =
            left.files.iter().any(|(id, _)| id.place == place && file_of(&name) == Some(&id.name));
        if let Place::Settling(number) = place
            && !with_file
        {
            quarantine::keep_alone(directory, &open_place(directory, number)?, &name)?;
        }
    }
    Ok(())
}

/// True for the name of a sidecar.
pub(crate) fn is_sidecar(name: &OsStr) -> bool {
    file_of(name).is_some()
}

/// Moves a sidecar to quarantine that was renamed in before this time and whose file is not there;
/// true where it did. It comes before its file, so a young one only waits.
pub(crate) fn is_put_away(
    directory: &Directory,
    name: &OsStr,
    before: SystemTime,
) -> io::Result<bool> {
    let Some(file) = file_of(name) else { return Ok(false) };
    let Ok(stat) = fs::statat(&directory.spool, name, AtFlags::SYMLINK_NOFOLLOW) else {
        return Ok(false);
    };
    if super::open::renamed(&stat) > before || stands(&directory.spool, file)?.is_some() {
        return Ok(false);
    }
    match quarantine::keep_alone(directory, &directory.spool, name) {
        // It has followed its file meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        kept => kept.map(|()| true),
    }
}
