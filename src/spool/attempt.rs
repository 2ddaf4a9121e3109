//! One attempt on one file, from opening it to settling it. It decides nothing about other files
//! and nothing about when to try again.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::candidate::{Candidate, Hint, Job, Record};
use super::deliver::{self, Destination, LARGEST_OBJECT, Load, Means, Refusal};
use super::directory::Directory;
use super::open::{self, Id, Opened, Place, Stamp, Writer};
use super::quarantine::{self, Kept, Reason};
use super::settle::{self, Aside, Settled};
use crate::aws::Aws;
use crate::backoff::Backoff;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::units;

/// How soon a file that somebody writes is looked at again; its close is an event besides.
const WRITER: Backoff = Backoff::doubling(Duration::from_millis(20), Duration::from_secs(10));
/// Without leases, a file that a pass found is taken once it has not changed for so long…
const QUIET: Duration = Duration::from_secs(2);
/// …and one that is empty, or whose making was seen and whose close was not, for so long.
const LONG_QUIET: Duration = Duration::from_mins(1);

/// What every attempt on one spool works with.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) name: String,
    pub(crate) settings: config::Spool,
    pub(crate) directory: Arc<Directory>,
    pub(crate) aside: Arc<Aside>,
    pub(crate) means: Means,
    pub(crate) aws: Aws,
    pub(crate) over_tls: Arc<AtomicBool>,
    pub(crate) cut: CancellationToken,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) candidate: Candidate,
    pub(crate) key: String,
    pub(crate) record: Record,
    pub(crate) began: Instant,
    pub(crate) probe: bool,
    pub(crate) end: End,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum End {
    /// S3 has it; how it was settled.
    Landed(Stamp, Result<Settled>),
    /// It was no longer there.
    Gone,
    /// It is no regular file by now.
    NotAFile,
    /// It is to be looked at again after so long.
    NotReady(Stamp, Duration),
    /// It changed while it was read.
    Changed,
    /// It is in quarantine for this fault of its own.
    Quarantined(Kept, Error),
    /// It was bad, and a newer one has its name by now.
    Superseded(Settled),
    /// It stays.
    Failed(Error),
}

impl Bench {
    /// Makes one attempt. An object that the bucket calls invalid is to blame itself only where it
    /// was refused, another landed, and it is refused again; and a `probe` asks after the bucket.
    ///
    /// Dropped midway, the file stays; settling, once begun, still runs to its end.
    pub(crate) async fn attempt(&self, job: Job, probe: bool) -> Attempt {
        let Job { candidate, key, mut record } = job;
        let began = Instant::now();
        let shown = key.as_ref().cloned().unwrap_or_default();
        let end = match self.open(&candidate, &mut record).await {
            Err(end) => end,
            Ok((file, stamp)) => {
                let refused = match key {
                    Err(fault) => Err(Refusal::Own(Error::new(
                        Kind::Invalid,
                        format!("{:?} has no key: {fault}", candidate.id.name.display()),
                    ))),
                    Ok(key) => self.upload(Load { file: Arc::clone(&file), stamp, key }).await,
                };
                let own = record.suspect && !probe;
                self.conclude(&candidate.id, (file, stamp), refused, (own, record.failures)).await
            }
        };
        Attempt { candidate, key: shown, record, began, probe, end }
    }

    async fn open(
        &self,
        candidate: &Candidate,
        record: &mut Record,
    ) -> std::result::Result<(Arc<File>, Stamp), End> {
        let directory = Arc::clone(&self.directory);
        let id = candidate.id.clone();
        let shown = self.shown(&id);
        let opened = self.means.blocking.run(move || {
            Ok(match open::open(&directory, &id)? {
                Opened::File(file, stamp) => {
                    let writer = open::writer(&file);
                    (Opened::File(file, stamp), writer)
                }
                none @ (Opened::Gone | Opened::NotAFile) => (none, Writer::Nobody),
            })
        });
        let opened: std::io::Result<_> = opened.await.map_err(End::Failed)?;
        let (file, stamp, writer) = match opened {
            Ok((Opened::File(file, stamp), writer)) => (file, stamp, writer),
            Ok((Opened::Gone, _)) => return Err(End::Gone),
            Ok((Opened::NotAFile, _)) => return Err(End::NotAFile),
            Err(error) => return Err(End::Failed(unreadable(&shown, error))),
        };
        match self.wait(candidate, record, (stamp, writer)) {
            Some(wait) => Err(End::NotReady(stamp, wait)),
            None => Ok((Arc::new(file), stamp)),
        }
    }

    /// How long this file has to be left alone yet; nothing where it is ready.
    pub(super) fn wait(
        &self,
        candidate: &Candidate,
        record: &mut Record,
        (stamp, writer): (Stamp, Writer),
    ) -> Option<Duration> {
        if writer == Writer::Somebody {
            return Some(WRITER.delay(record.waits.saturating_add(1), fastrand::f64()));
        }
        if matches!(candidate.id.place, Place::Settling(_)) {
            return None;
        }
        // Where the clocks disagree, a file is not kept back for ever.
        let young = self.settings.min_age.saturating_sub(stamp.age().unwrap_or(Duration::MAX));
        if !young.is_zero() {
            return Some(young);
        }
        let quiet = match (writer, candidate.hint) {
            (Writer::Nobody | Writer::Somebody, _) => return None,
            // A close counts for what was there then.
            (Writer::Unknown, Hint::Closed) if candidate.stamp == stamp => return None,
            (Writer::Unknown, Hint::Closed) => QUIET,
            (Writer::Unknown, Hint::Found) if stamp.size > 0 => QUIET,
            (Writer::Unknown, Hint::Found | Hint::Created) => LONG_QUIET,
        };
        // The clock of another machine says nothing about how long a file has been quiet.
        let seen = match record.unchanged {
            Some((then, since)) if then == stamp => since.elapsed(),
            _ => {
                record.unchanged = Some((stamp, Instant::now()));
                Duration::ZERO
            }
        };
        let aged = stamp.age().filter(|_| self.directory.network.is_none()).unwrap_or_default();
        let left = quiet.saturating_sub(seen.max(aged));
        (!left.is_zero()).then_some(left)
    }

    async fn upload(&self, load: Load) -> std::result::Result<(), Refusal> {
        if load.stamp.size > LARGEST_OBJECT {
            let what = format!("{:?} is larger than S3 takes: 48.8 TiB", load.key);
            return Err(Refusal::Own(Error::new(Kind::Invalid, what)));
        }
        let connection = self.aws.connect(&self.settings.aws).await.map_err(Refusal::Refused)?;
        let destination = Destination {
            s3: connection.s3,
            bucket: self.settings.bucket.clone(),
            over_tls: Arc::clone(&self.over_tls),
        };
        let delivered = deliver::deliver(&destination, &load, &self.means, &self.cut).await;
        if matches!(&delivered, Err(Refusal::Refused(error)) if error.kind() == Kind::Credentials) {
            self.aws.forget(&self.settings.aws);
        }
        delivered
    }

    async fn conclude(
        &self,
        id: &Id,
        (file, stamp): (Arc<File>, Stamp),
        delivered: std::result::Result<(), Refusal>,
        (invalid_is_own, failures): (bool, u32),
    ) -> End {
        let own = match delivered {
            Ok(()) => {
                let (directory, aside, id) =
                    (Arc::clone(&self.directory), Arc::clone(&self.aside), id.clone());
                let shown = self.shown(&id);
                let settled = self
                    .means
                    .blocking
                    .run(move || aside.settle(&directory, &id, (&file, stamp), settle::unlink));
                let settled = settled.await.and_then(|settled| {
                    settled.map_err(|error| {
                        super::directory::unusable("taking out of the spool", shown.as_ref(), error)
                    })
                });
                return End::Landed(stamp, settled);
            }
            Err(Refusal::Changed) => return End::Changed,
            Err(Refusal::Unreadable(error)) if is_of_the_disk(&error) => {
                unreadable(&self.shown(id), error)
            }
            Err(Refusal::Unreadable(error)) => {
                return End::Failed(unreadable(&self.shown(id), error));
            }
            Err(Refusal::Own(error)) => error,
            Err(Refusal::Refused(error)) if error.kind() == Kind::Invalid && invalid_is_own => {
                error
            }
            Err(Refusal::Refused(error)) => return End::Failed(error),
        };
        self.quarantine(id, (file, stamp), own, failures).await
    }

    async fn quarantine(
        &self,
        id: &Id,
        (file, stamp): (Arc<File>, Stamp),
        fault: Error,
        failures: u32,
    ) -> End {
        let reason = self.reason(id, stamp, &fault, failures);
        let (directory, aside, owned) =
            (Arc::clone(&self.directory), Arc::clone(&self.aside), id.clone());
        let moved = self.means.blocking.run(move || {
            let mut kept = None;
            let settled = aside.settle(&directory, &owned, (&file, stamp), |place, name| {
                kept = Some(quarantine::keep(&directory, place, name, &reason)?);
                Ok(())
            })?;
            Ok::<_, std::io::Error>((settled, kept))
        });
        match moved.await {
            Ok(Ok((Settled::Done, Some(kept)))) => End::Quarantined(kept, fault),
            Ok(Ok((Settled::Changed, _))) => End::Failed(fault.hint(format!(
                "it stays in the spool: {} must lie on the same file system and be writable",
                self.directory.quarantine_path.display()
            ))),
            Ok(Ok((settled, _))) => End::Superseded(settled),
            Ok(Err(error)) => End::Failed(super::directory::unusable(
                "moving to quarantine",
                self.shown(id).as_ref(),
                error,
            )),
            Err(error) => End::Failed(error),
        }
    }

    fn reason(&self, id: &Id, stamp: Stamp, fault: &Error, failures: u32) -> Reason {
        let modified = u64::try_from(stamp.modified / 1_000_000_000).unwrap_or(0);
        Reason {
            spool: self.name.clone(),
            file: id.name.display().to_string(),
            key: super::key::decode(&id.name).ok(),
            bucket: self.settings.bucket.clone(),
            when: units::utc(SystemTime::now()),
            why: fault.to_string(),
            kind: fault.kind().label(),
            attempts: failures.saturating_add(1),
            size: stamp.size,
            modified: units::utc(SystemTime::UNIX_EPOCH + Duration::from_secs(modified)),
        }
    }

    /// The path of a file, for words.
    fn shown(&self, id: &Id) -> String {
        let path = match id.place {
            Place::Spool => self.directory.path.join(&id.name),
            Place::Settling(number) => config::own_directory(&self.directory.path)
                .join("settling")
                .join(number.to_string())
                .join(&id.name),
        };
        path.display().to_string()
    }
}

fn is_of_the_disk(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

fn unreadable(path: &str, error: std::io::Error) -> Error {
    super::directory::unusable("reading", path.as_ref(), error)
}
