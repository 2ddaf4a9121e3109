//! Taking a file out of the spool, once S3 has it, and only that very file.
//!
//! The name may mean another file by now: a producer renamed a newer one over it. So the name is
//! first moved aside, to where nobody else renames, and what was moved is compared with what was
//! uploaded. Nothing is ever deleted by its path in the spool. All of it blocks, and runs to its
//! end once begun.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{self, AtFlags, Mode};
use rustix::io::Errno;

use super::directory::Directory;
use super::open::{self, Id, Place, Stamp, Writer, open_place};
use crate::drop::rename_to_free;
use crate::sys;

/// So many directories for settling are made before they are needed.
const MOST_PREPARED: usize = 64;

/// What became of the file under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is out of the spool.
    Done,
    /// Somebody writes, or wrote, into the very file: it must be uploaded anew.
    Changed,
    /// The name means a newer file, which stays.
    Replaced,
    /// A file was moved aside and could not go back, mostly since a newer one took its name: it now
    /// lies at this place and has to be uploaded first.
    Overtaken(Place),
}

/// A moment inside settling at which others may act; tests do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The name was looked at and is about to be moved aside.
    Looked,
    /// What was moved aside was compared by its place and is about to be by its descriptor.
    Compared,
}

/// The file that was read, what it was when opened, and whether we hold a lease on it.
type Read<'a> = (&'a File, Stamp, bool);

/// The directories inside `settling`, each for one file at a time, and what is not synced yet.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<u64>,
    next: u64,
    unsynced: BTreeSet<u64>,
}

impl Aside {
    /// Uses the directories that an earlier run left, and makes some beforehand, so that settling
    /// goes on with no byte free. Blocks.
    pub(crate) fn prepare(directory: &Directory, left: &Leftovers, threads: usize) -> Self {
        let next = left.numbers.last().map_or(0, |number| number.saturating_add(1));
        let state = State { free: left.empty.clone(), next, ..State::default() };
        let aside = Self { state: Mutex::new(state) };
        let mut made = Vec::new();
        for _ in 0..threads.min(MOST_PREPARED) {
            // What cannot be made now is made when it is needed.
            made.extend(aside.take(directory).map(|(_, number)| number));
        }
        for number in made {
            aside.give_back(number);
        }
        aside
    }

    /// Takes a file that was uploaded (or is bad) out of its place and hands it to `finish`, which
    /// removes it; `file` is the descriptor that was read, `stamp` what it was when opened.
    ///
    /// # Errors
    /// What a step failed with; the file is then in the spool or in settling, never lost.
    pub(crate) fn settle(
        &self,
        directory: &Directory,
        id: &Id,
        read: (&File, Stamp),
        finish: impl FnOnce(&File, &OsStr) -> io::Result<()>,
    ) -> io::Result<Settled> {
        self.settle_step_by_step(directory, id, read, (&|_moment| (), finish))
    }

    /// As [`settle`](Self::settle), telling `at` of each moment.
    pub(crate) fn settle_step_by_step(
        &self,
        directory: &Directory,
        id: &Id,
        (file, stamp): (&File, Stamp),
        steps: (&dyn Fn(Moment), impl FnOnce(&File, &OsStr) -> io::Result<()>),
    ) -> io::Result<Settled> {
        let leased = match open::lease(file) {
            Writer::Somebody => return Ok(Settled::Changed),
            Writer::Nobody => true,
            Writer::Unknown => false,
        };
        let settled = if Stamp::now(file)? == stamp {
            self.withdraw(directory, id, (file, stamp, leased), steps)
        } else {
            Ok(Settled::Changed)
        };
        if leased {
            let _released = sys::release_lease(file);
        }
        settled
    }

    fn withdraw(
        &self,
        directory: &Directory,
        id: &Id,
        read: Read<'_>,
        (at, finish): (&dyn Fn(Moment), impl FnOnce(&File, &OsStr) -> io::Result<()>),
    ) -> io::Result<Settled> {
        let name = id.name.as_os_str();
        let (place, number) = match id.place {
            Place::Settling(number) => (open_place(directory, number)?, number),
            Place::Spool => {
                match open::look(directory, name)? {
                    Some(Ok(now)) if now == read.1 => {}
                    _ => return Ok(Settled::Replaced),
                }
                let (place, number) = self.take(directory)?;
                at(Moment::Looked);
                // One step, everywhere: a link and an unlink would remove by its path in the spool
                // what took the name between them. The place is ours and empty.
                if let Err(error) = fs::renameat(&directory.spool, name, &place, name) {
                    // NFS may have moved it all the same; nothing is to be moved over it then.
                    let here = fs::statat(&place, name, AtFlags::SYMLINK_NOFOLLOW);
                    if matches!(here, Err(Errno::NOENT)) {
                        self.give_back(number);
                    }
                    let gone = error == Errno::NOENT;
                    return if gone { Ok(Settled::Replaced) } else { Err(error.into()) };
                }
                (place, number)
            }
        };
        // From here on an error leaves the file in settling, where it is taken up again.
        let kept = match Self::compare(&place, name, read, at) {
            Ok(Settled::Done) => match finish(&place, name) {
                Ok(()) => {
                    self.synced_later(number);
                    self.give_back(number);
                    return Ok(Settled::Done);
                }
                Err(error) if id.place != Place::Spool => return Err(error),
                Err(_) => Settled::Changed,
            },
            Ok(kept) => kept,
            Err(error) if id.place != Place::Spool => return Err(error),
            Err(_) => Settled::Changed,
        };
        if id.place != Place::Spool {
            return Ok(kept);
        }
        if rename_to_free((&place, name), (&directory.spool, name)).is_ok() {
            self.synced_later(number);
            self.give_back(number);
            return Ok(kept);
        }
        Ok(Settled::Overtaken(Place::Settling(number)))
    }

    /// `Done` where what was moved aside is what was uploaded and nobody is about to write it.
    fn compare(
        place: &File,
        name: &OsStr,
        (file, stamp, leased): Read<'_>,
        at: &dyn Fn(Moment),
    ) -> io::Result<Settled> {
        let moved = Stamp::of(&fs::statat(place, name, AtFlags::SYMLINK_NOFOLLOW)?);
        if moved != stamp {
            return Ok(Settled::Replaced);
        }
        at(Moment::Compared);
        // Somebody who opened it before it was moved waits for the lease to end, to write.
        if leased && !sys::holds_read_lease(file)? {
            return Ok(Settled::Changed);
        }
        Ok(if Stamp::now(file)? == stamp { Settled::Done } else { Settled::Changed })
    }

    /// A place for one file, empty.
    fn take(&self, directory: &Directory) -> io::Result<(File, u64)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = state.free.pop().unwrap_or(state.next);
        state.next = state.next.max(number.saturating_add(1));
        drop(state);
        match fs::mkdirat(&directory.settling, number.to_string(), Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => Ok((open_place(directory, number)?, number)),
            Err(error) => {
                self.give_back(number);
                Err(error.into())
            }
        }
    }

    fn give_back(&self, number: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).free.push(number);
    }

    fn synced_later(&self, number: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).unsynced.insert(number);
    }

    /// Makes everything settled so far outlive a power loss: one sync for many files.
    pub(crate) fn sync(&self, directory: &Directory) -> io::Result<()> {
        let unsynced = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut state.unsynced)
        };
        if unsynced.is_empty() {
            return Ok(());
        }
        fs::fsync(&directory.spool)?;
        for number in unsynced {
            fs::fsync(open_place(directory, number)?)?;
        }
        Ok(())
    }
}

/// Removes the file; the end of a good upload.
pub(crate) fn unlink(place: &File, name: &OsStr) -> io::Result<()> {
    Ok(fs::unlinkat(place, name, AtFlags::empty())?)
}

/// What an earlier run left in settling.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// The files: they have to be uploaded before what has their names by now.
    pub(crate) files: Vec<(Id, Stamp)>,
    /// The numbers of all directories…
    numbers: BTreeSet<u64>,
    /// …and of those that are empty.
    empty: Vec<u64>,
}

/// Looks for what an earlier run left in settling. Blocks.
pub(crate) fn leftovers(directory: &Directory) -> io::Result<Leftovers> {
    let mut left = Leftovers::default();
    for entry in fs::Dir::read_from(&directory.settling)? {
        let entry = entry?;
        let Some(number) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let place = open_place(directory, number)?;
        left.numbers.insert(number);
        let mut empty = true;
        for entry in fs::Dir::read_from(&place)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
            if name == "." || name == ".." {
                continue;
            }
            empty = false;
            let stat = fs::statat(&place, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            left.files.push((Id { place: Place::Settling(number), name }, Stamp::of(&stat)));
        }
        if empty {
            left.empty.push(number);
        }
    }
    Ok(left)
}
