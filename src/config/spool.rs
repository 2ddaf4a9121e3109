//! `[spool.NAME]`: a directory whose files land in a bucket; and what an outbox shares with it.

use std::path::PathBuf;
use std::time::Duration;

use super::aws::{Aws, Written};
use super::names;
use super::outbox::Outbox;
use super::own_directory;
use super::section::Section;
use crate::backoff::Backoff;

/// `[spool.NAME]`, a directory whose files land in a bucket, or `[outbox.NAME]`, one whose files
/// become messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Where programs drop files.
    pub directory: PathBuf,
    /// Where they go.
    pub destination: Destination,
    /// How to reach it.
    pub aws: Aws,
    /// How many files are uploaded at the same time.
    pub threads: usize,
    /// How often the directory is read anew where no event has said so.
    pub poll_interval: Duration,
    /// How long a file must have been left alone before it is taken.
    pub min_age: Duration,
    /// Which names are not taken.
    pub ignore: Ignore,
    /// The delay after a failed upload of one file.
    pub retry: Backoff,
    /// Where files with a fault of their own go; `.longshore/quarantine` of `directory` by default.
    pub quarantine_directory: PathBuf,
    /// How many bytes of file contents may be held in memory at the same time.
    pub buffer: u64,
    /// Which words the log uses.
    pub texts: Texts,
}

/// Where the files of a spool go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Each becomes an object of this bucket.
    Bucket(String),
    /// Each becomes a message.
    Messages(Outbox),
}

/// Which names a spool leaves alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignore {
    /// Names that editors, copy tools and network file systems use for files that are not
    /// finished, plus these patterns (`*` and `?`).
    Temporary(Vec<String>),
    /// None: every regular file is taken, as zc.s3uploadqueue does.
    Nothing,
}

/// Which words the log uses for the steps of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// Longshore's own.
    Longshore,
    /// Those of zc.s3uploadqueue, for operators who watch for them.
    Zc,
}

/// More would only take memory: a host's disks and network are full long before.
pub(super) const MOST_THREADS: usize = 10_000;
pub(super) const SHORTEST_POLL: Duration = Duration::from_millis(100);
pub(super) const LONGEST_POLL: Duration = Duration::from_hours(24);

impl Spool {
    /// A spool with the default of every key that has one.
    pub fn new(directory: impl Into<PathBuf>, bucket: impl Into<String>) -> Self {
        let directory = directory.into();
        Self {
            quarantine_directory: own_directory(&directory).join("quarantine"),
            directory,
            destination: Destination::Bucket(bucket.into()),
            aws: Aws::default(),
            threads: 9,
            poll_interval: Duration::from_secs(9),
            min_age: Duration::ZERO,
            ignore: Ignore::Temporary(Vec::new()),
            retry: Backoff::doubling(Duration::from_secs(1), Duration::from_mins(10)),
            buffer: 64 << 20,
            texts: Texts::Longshore,
        }
    }

    pub(super) fn read(mut section: Section<'_>, base: &Written) -> Self {
        let directory = section.path_of("directory");
        if !section.has("directory") {
            section.missing("directory", "\"/var/spool/longshore/NAME\"");
        }
        let bucket = section.formed("bucket", names::bucket);
        if !section.has("bucket") {
            section.missing("bucket", "\"my-bucket\"");
        }
        let aws = Written::read(&mut section).over(base).resolve();
        let spool = Self::new(directory.unwrap_or_default(), bucket.unwrap_or_default())
            .read_over(&mut section, aws);
        section.finish();
        spool
    }

    /// The keys that spools and outboxes share, over their defaults.
    pub(super) fn read_over(self, section: &mut Section<'_>, aws: Aws) -> Self {
        let default = self;
        Self {
            aws,
            threads: section.whole("threads", 1..=MOST_THREADS).unwrap_or(default.threads),
            poll_interval: section
                .duration("poll_interval", SHORTEST_POLL..=LONGEST_POLL)
                .unwrap_or(default.poll_interval),
            min_age: section
                .duration("min_age", Duration::ZERO..=Duration::from_hours(7 * 24))
                .unwrap_or(default.min_age),
            ignore: ignore(section).unwrap_or(default.ignore),
            retry: section.retry(default.retry, Duration::from_hours(24)),
            quarantine_directory: section
                .path_of("quarantine_directory")
                .unwrap_or(default.quarantine_directory),
            buffer: section.size("buffer", 1 << 20..=1 << 40).unwrap_or(default.buffer),
            ..default
        }
    }

    /// The bucket that its files land in; nothing for an outbox.
    pub const fn bucket(&self) -> Option<&str> {
        match &self.destination {
            Destination::Bucket(bucket) => Some(bucket.as_str()),
            Destination::Messages(_) => None,
        }
    }
}

fn ignore(section: &mut Section<'_>) -> Option<Ignore> {
    let patterns = section.texts("ignore", |pattern| match pattern {
        "" => Err("an empty pattern matches nothing".to_owned()),
        pattern if pattern.contains('/') => {
            Err(format!("{pattern:?} holds a slash, but no file's name does"))
        }
        _ => Ok(()),
    });
    patterns.map(Ignore::Temporary)
}
