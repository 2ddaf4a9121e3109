//! A file on its way: what is known of it before, during and between attempts.

use tokio::time::Instant;

use super::open::{Id, Stamp};

/// How a file came to be known, from the least to the most that it says about being complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hint {
    /// A pass found it.
    Found,
    /// Its name appeared; who made it may still write.
    Created,
    /// A writer closed it, or it was renamed to its name.
    Closed,
}

/// A file that may be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: Id,
    pub(crate) stamp: Stamp,
    pub(crate) hint: Hint,
    /// Of those with one lane, one is under way at a time.
    pub(crate) lane: Option<String>,
}

/// A file whose attempt is to begin now.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) candidate: Candidate,
    pub(crate) record: Record,
}

/// What is remembered of a file between attempts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Record {
    /// Attempts that failed.
    pub(crate) failures: u32,
    /// Looks that found it not ready yet.
    pub(crate) waits: u32,
    /// It was refused while others landed.
    pub(crate) suspect: bool,
    /// Since when it has been as it is, as far as we saw.
    pub(crate) unchanged: Option<(Stamp, Instant)>,
}

/// The newer word, with the most that was ever said about the same file.
pub(crate) fn merged(older: Option<Candidate>, newer: Candidate) -> Candidate {
    match older {
        Some(older) if older.stamp == newer.stamp => {
            Candidate { hint: older.hint.max(newer.hint), ..newer }
        }
        _ => newer,
    }
}
