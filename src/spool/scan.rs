//! One pass over a spool: the directory is read in batches, what is not taken is counted, and what
//! is taken is handed on with what it was. Nothing is kept in memory for a file that waits.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};

use super::candidate::{Candidate, Hint};
use super::directory::Directory;
use super::open::{self, Id};
use super::rules::{self, Why};
use super::{lane, sidecar};
use crate::config::{Destination, Spool};

/// So many entries are read at a time, before a thread is given back.
pub(crate) const BATCH: usize = 2_000;

/// A clock may run so far behind the one that stamps files.
const CLOCKS: Duration = Duration::from_millis(50);
/// So long a sidecar waits for its file before it is moved out of the way.
const LONE_SIDECAR: Duration = Duration::from_hours(24);

/// A pass under way. All of it blocks.
#[derive(Debug)]
pub(crate) struct Pass {
    entries: Dir,
    /// When it began, where names give the order.
    ordered: Option<SystemTime>,
}

/// What one batch brought.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) ignored: Vec<(OsString, Why)>,
    /// Sidecars whose files never came, moved to quarantine.
    pub(crate) put_away: Vec<OsString>,
    /// Something was too young for this pass.
    pub(crate) young: bool,
    /// The pass has reached the end of the directory.
    pub(crate) last: bool,
}

impl Pass {
    /// Begins a pass, at this time.
    pub(crate) fn begin(
        directory: &Directory,
        settings: &Spool,
        now: SystemTime,
    ) -> io::Result<Self> {
        let ordered = matches!(settings.destination, Destination::Messages(_)).then_some(now);
        // A descriptor of its own: reading a directory has a position.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = fs::openat(&directory.spool, ".", flags, Mode::empty())?;
        Ok(Self { entries: Dir::new(handle)?, ordered })
    }

    /// The next entries.
    pub(crate) fn next(&mut self, directory: &Directory, settings: &Spool) -> io::Result<Batch> {
        let mut batch = Batch::default();
        for _ in 0..BATCH {
            let Some(entry) = self.entries.next() else {
                batch.last = true;
                break;
            };
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            // Some file systems do not say what it is; then it has to be looked at.
            let told = Some(entry.file_type()).filter(|told| *told != FileType::Unknown);
            let known = told.and_then(rules::by_type);
            match rules::by_name(name, &settings.ignore).or(known) {
                Some(why) => batch.leave(name, why),
                None if self.is_young(directory, name) => batch.young = true,
                None => batch.look(directory, settings, (name, Hint::Found)),
            }
            if let Some(before) = self.ordered.and_then(|now| now.checked_sub(LONE_SIDECAR))
                && sidecar::is_put_away(directory, name, before)?
            {
                batch.put_away.push(name.to_owned());
            }
        }
        Ok(batch)
    }

    /// What was renamed in after the pass began is left to events and to the next pass: of two such
    /// files, this one might see the second alone.
    fn is_young(&self, directory: &Directory, name: &OsStr) -> bool {
        self.ordered.and_then(|now| now.checked_sub(CLOCKS)).is_some_and(|before| {
            let stat = fs::statat(&directory.spool, name, AtFlags::SYMLINK_NOFOLLOW);
            stat.is_ok_and(|stat| open::renamed(&stat) > before)
        })
    }
}

impl Batch {
    /// The named entries alone, as events told of them.
    pub(crate) fn named(
        directory: &Directory,
        settings: &Spool,
        names: Vec<(OsString, Hint)>,
    ) -> Self {
        let mut batch = Self::default();
        for (name, hint) in names {
            match rules::by_name(&name, &settings.ignore) {
                Some(why) => batch.leave(&name, why),
                None => batch.look(directory, settings, (&name, hint)),
            }
        }
        batch
    }

    fn look(&mut self, directory: &Directory, settings: &Spool, (name, hint): (&OsStr, Hint)) {
        match open::look(directory, name) {
            Ok(Some(Ok(stamp))) => {
                let id = Id::in_spool(name);
                let lane = lane::of(settings, directory, &id);
                self.candidates.push(Candidate { id, stamp, hint, lane });
            }
            Ok(Some(Err(why))) => self.leave(name, why),
            Ok(None) => {}
            // The next pass looks again; one bad entry is no reason to leave the others.
            Err(_) => self.leave(name, Why::Unreadable),
        }
    }

    fn leave(&mut self, name: &OsStr, why: Why) {
        if why != Why::Own {
            self.ignored.push((name.to_owned(), why));
        }
    }
}

/// What is left alone: counted by reason, and each odd entry told of once.
#[derive(Debug, Default)]
pub(crate) struct Ignored {
    counts: std::collections::BTreeMap<Why, usize>,
    told: std::collections::BTreeSet<(OsString, Why)>,
    seen: std::collections::BTreeSet<(OsString, Why)>,
}

/// So many odd entries are told of by name; beyond that they are only counted.
const MOST_TOLD: usize = 1_000;

impl Ignored {
    /// Enters entries of a pass; those that have not been told of before come back.
    ///
    /// Temporary names come and go with every file and are told of by nobody.
    pub(crate) fn enter(&mut self, ignored: Vec<(OsString, Why)>) -> Vec<(OsString, Why)> {
        let mut news = Vec::new();
        for (name, why) in ignored {
            *self.counts.entry(why).or_default() += 1;
            if why == Why::Temporary || self.seen.len() >= MOST_TOLD {
                continue;
            }
            let entry = (name, why);
            if !self.told.contains(&entry) && !self.seen.contains(&entry) {
                news.push(entry.clone());
            }
            self.seen.insert(entry);
        }
        news
    }

    /// Ends a pass: the counts, by reason.
    pub(crate) fn end_of_pass(&mut self) -> Vec<(Why, usize)> {
        self.told = std::mem::take(&mut self.seen);
        let counts = std::mem::take(&mut self.counts);
        Why::COUNTED.into_iter().map(|why| (why, counts.get(&why).copied().unwrap_or(0))).collect()
    }
}

/// Where a pass stands: what the scheduler hears from it.
#[derive(Debug)]
pub(crate) enum Scanned {
    /// Some entries.
    Batch(Batch),
    /// The directory could not be read to its end.
    Failed(PathBuf, io::Error),
}
