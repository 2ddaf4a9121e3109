//! One attempt on one file, from opening it to settling it. It decides nothing about other files
//! and nothing about when to try again.

mod conclude;

use std::fs::File;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::candidate::{Candidate, Hint, Job, Record};
use super::deliver::{self, Load, Means, Refusal, Target, message, sns, sqs};
use super::directory::{self, Directory};
use super::lane;
use super::open::{self, Id, Opened, Place, Stamp, Writer};
use super::quarantine::Kept;
use super::settle::{Aside, Settled};
use super::sidecar::{self, Found};
use crate::aws::Aws;
use crate::backoff::Backoff;
use crate::config::{self, Destination, Outlet};
use crate::error::{Error, Kind, Result};
use crate::key;
use crate::toolkit::outbox::sidecar::Sidecar;
use crate::toolkit::s3::parts::LARGEST_OBJECT;
use crate::toolkit::sqs::QueueUrl;

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
    /// The queue of an outbox, once it was found.
    pub(crate) queue: Mutex<Option<QueueUrl>>,
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

/// A file that was opened and may be sent.
pub(super) struct Ready {
    file: Arc<File>,
    stamp: Stamp,
    /// What is said of its message, in an outbox.
    found: Option<Found>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum End {
    /// The bucket, queue or topic has it; how it was settled.
    Landed(Stamp, Result<Settled>),
    /// It was no longer there.
    Gone,
    /// It is no regular file by now.
    NotAFile,
    /// It is to be looked at again after so long.
    NotReady(Stamp, Duration),
    /// It changed while it was read.
    Changed,
    /// It belongs to another lane than it did when it was seen.
    OtherLane(Option<String>),
    /// It is in quarantine for this fault of its own.
    Quarantined(Kept, Error),
    /// It was bad, and a newer one has its name by now.
    Superseded(Settled),
    /// It stays.
    Failed(Error),
}

impl Ready {
    fn shared(&self) -> (Arc<File>, Stamp, Option<Found>) {
        (Arc::clone(&self.file), self.stamp, self.found.clone())
    }
}

impl Bench {
    /// Makes one attempt. An object that the bucket calls invalid is to blame itself only where it
    /// was refused, another landed, and it is refused again; and a `probe` asks after the bucket.
    ///
    /// Dropped midway, the file stays; settling, once begun, still runs to its end.
    pub(crate) async fn attempt(&self, job: Job, probe: bool) -> Attempt {
        let Job { candidate, mut record } = job;
        let began = Instant::now();
        let key = key::decode(&candidate.id.name);
        let shown = key.as_ref().cloned().unwrap_or_default();
        let end = match self.open(&candidate, &mut record).await {
            Err(end) => end,
            Ok(ready) => {
                let name = candidate.id.name.display();
                let token = ready.stamp.token(&candidate.id.name);
                let (file, stamp) = (Arc::clone(&ready.file), ready.stamp);
                let load = |key| Load { file, stamp, key, token };
                let delivered = match (&self.settings.destination, key) {
                    (Destination::Messages(outbox), _) => {
                        self.send(outbox, &load(name.to_string()), &ready).await
                    }
                    (Destination::Bucket(_), Err(fault)) => Err(Refusal::Own(Error::new(
                        Kind::Invalid,
                        format!("{name:?} has no key: {fault}"),
                    ))),
                    (Destination::Bucket(bucket), Ok(key)) => self.upload(bucket, load(key)).await,
                };
                let own = record.suspect && !probe;
                self.conclude(&candidate.id, &ready, delivered, (own, record.failures)).await
            }
        };
        Attempt { candidate, key: shown, record, began, probe, end }
    }

    async fn open(
        &self,
        candidate: &Candidate,
        record: &mut Record,
    ) -> std::result::Result<Ready, End> {
        let directory = Arc::clone(&self.directory);
        let id = candidate.id.clone();
        let shown = self.shown(&id);
        let is_outbox = matches!(self.settings.destination, Destination::Messages(_));
        let opened = self.means.blocking.run(move || {
            Ok(match open::open(&directory, &id)? {
                Opened::File(file, stamp) => {
                    let writer = open::writer(&file);
                    let found =
                        is_outbox.then(|| sidecar::read(&directory, &id, &file)).transpose()?;
                    (Opened::File(file, stamp), writer, found)
                }
                none @ (Opened::Gone | Opened::NotAFile) => (none, Writer::Nobody, None),
            })
        });
        let opened: std::io::Result<_> = opened.await.map_err(End::Failed)?;
        let (file, stamp, writer, found) = match opened {
            Ok((Opened::File(file, stamp), writer, found)) => (file, stamp, writer, found),
            Ok((Opened::Gone, ..)) => return Err(End::Gone),
            Ok((Opened::NotAFile, ..)) => return Err(End::NotAFile),
            Err(error) => return Err(End::Failed(unreadable(&shown, error))),
        };
        if let Some(wait) = self.wait(candidate, record, (stamp, writer)) {
            return Err(End::NotReady(stamp, wait));
        }
        if let (Destination::Messages(outbox), Some(found)) = (&self.settings.destination, &found) {
            let lane = found.said.as_ref().ok().and_then(|said| lane::group(outbox, said));
            // Its sidecar, or another file of its name, came since it was seen.
            if lane != candidate.lane {
                return Err(End::OtherLane(lane));
            }
        }
        Ok(Ready { file: Arc::new(file), stamp, found })
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

    async fn upload(&self, bucket: &str, load: Load) -> std::result::Result<(), Refusal> {
        if load.stamp.size > LARGEST_OBJECT {
            let what = format!("{:?} is larger than S3 takes: 48.8 TiB", load.key);
            return Err(Refusal::Own(Error::new(Kind::Invalid, what)));
        }
        let connection = self.aws.connect(&self.settings.aws).await.map_err(Refusal::Refused)?;
        let destination = Target {
            s3: connection.s3,
            bucket: bucket.to_owned(),
            over_tls: Arc::clone(&self.over_tls),
        };
        let delivered = deliver::deliver(&destination, &load, &self.means, &self.cut).await;
        self.heed(delivered)
    }

    async fn send(
        &self,
        outbox: &config::Outbox,
        load: &Load,
        ready: &Ready,
    ) -> std::result::Result<(), Refusal> {
        let said = match ready.found.as_ref().map(|found| &found.said) {
            Some(Ok(said)) => said,
            Some(Err(wrong)) => {
                let what = format!("{:?} is no message", load.key);
                return Err(Refusal::Own(Error::new(Kind::Invalid, what).because(wrong.as_str())));
            }
            None => &Sidecar::default(),
        };
        let message = message::compose(outbox, said, load, &self.means).await?;
        let connection = self.aws.connect(&self.settings.aws).await.map_err(Refusal::Refused)?;
        let sending = async {
            match &outbox.outlet {
                Outlet::Queue(queue) => {
                    sqs::send(&connection.sqs, (queue, &self.queue), message).await
                }
                Outlet::Topic(topic) => sns::publish(&connection.sns, topic, message).await,
            }
        };
        let sent = tokio::select! {
            biased;
            () = self.cut.cancelled() => Err(deliver::cut_off(&load.key)),
            sent = sending => sent,
        };
        self.heed(sent)
    }

    /// Forgets a connection whose credentials were refused.
    fn heed(&self, sent: std::result::Result<(), Refusal>) -> std::result::Result<(), Refusal> {
        if matches!(&sent, Err(Refusal::Refused(error)) if error.kind() == Kind::Credentials) {
            self.aws.forget(&self.settings.aws);
        }
        sent
    }

    /// The path of a file, for words.
    pub(super) fn shown(&self, id: &Id) -> String {
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

fn unreadable(path: &str, error: std::io::Error) -> Error {
    directory::unusable("reading", path.as_ref(), error)
}
