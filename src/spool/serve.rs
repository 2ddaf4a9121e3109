//! The loop over one directory: events and passes fill the backlog, free slots empty it, and every
//! attempt that ends is judged. One task owns all of this state; attempts, passes and syncs run
//! beside it and only report.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::attempt::{Attempt, Bench};
use super::backlog::Backlog;
use super::candidate::{Hint, Job};
use super::look::{Young, next_batch};
use super::pause::{Admission, Gate};
use super::say::Voice;
use super::scan::{Batch, Ignored, Scanned};
use super::watch::Watch;
use crate::config::Destination;
use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;
use crate::supervisor::{End as TaskEnd, Ended, Tasks};
use crate::telemetry::health::Latch;
use crate::telemetry::metrics;

/// How often it is made sure that the directory is still the one that is open.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// How long settled files may wait for others, to share one sync.
const SYNC_AFTER: Duration = Duration::from_millis(50);
/// While a pass runs, nothing is sent for so long, so that the oldest are found first.
const PASS_HEAD_START: Duration = Duration::from_secs(1);

/// Why the loop ended.
#[derive(Debug)]
pub(crate) enum Why {
    /// It was asked to, or with `once` nothing was left to do.
    Stopped,
    /// The directory is no longer there.
    Gone(Error),
}

/// A task that ended.
#[derive(Debug)]
pub(super) enum Report {
    Attempt(Box<Attempt>),
    Bucket(Result<()>),
    /// It was stopped before it knew anything.
    Stopped,
    Pass,
    Alive(Result<()>),
    Named(Result<Batch>),
    Synced(std::io::Result<()>),
}

/// One directory being served.
pub(crate) struct Serving {
    pub(super) bench: Arc<Bench>,
    pub(super) voice: Voice,
    pub(super) backlog: Backlog,
    pub(super) gate: Gate,
    pub(super) ready: Option<Latch>,
    pub(super) sync_at: Option<Instant>,
    pub(super) last_error: Option<Error>,
    pub(super) gone: Option<Error>,
    pub(super) names: Vec<(std::ffi::OsString, Hint)>,
    pub(super) next_pass: Instant,
    pub(super) short_pass: Instant,
    pub(super) tasks: Tasks<Report>,
    pub(super) ignored: Ignored,
    pub(super) pass: Option<(Instant, mpsc::Receiver<Scanned>)>,
    pub(super) passes: u32,
    pub(super) young: Young,
    pub(super) naming: bool,
    pub(super) checking: bool,
    pub(super) alive_at: Instant,
    watch: Watch,
    attempts: usize,
    /// Ends what need not finish when the spool stops.
    looking: CancellationToken,
}

impl Serving {
    pub(crate) fn begin(bench: Arc<Bench>, watch: Watch, ready: Option<Latch>) -> Self {
        let now = Instant::now();
        metrics::paused(&bench.name, false);
        let voice = Voice::of(&bench.name, &bench.settings);
        let backlog = match bench.settings.destination {
            Destination::Bucket(_) => Backlog::default(),
            Destination::Messages(_) => Backlog::by_name(),
        };
        Self {
            bench,
            voice,
            backlog,
            gate: Gate::default(),
            ready,
            sync_at: None,
            last_error: None,
            gone: None,
            names: Vec::new(),
            next_pass: now,
            short_pass: now,
            tasks: Tasks::new(),
            watch,
            ignored: Ignored::default(),
            pass: None,
            passes: 0,
            young: Young::default(),
            naming: false,
            checking: false,
            alive_at: now + ALIVE_EVERY,
            attempts: 0,
            looking: CancellationToken::new(),
        }
    }

    /// Serves until asked to stop, or until the directory is gone. Every task has ended when it
    /// returns. With `once`, also ends when nothing is left that trying again soon would help.
    pub(crate) async fn serve(&mut self, shutdown: &Shutdown, once: bool) -> Result<Why> {
        self.voice.watching(&self.bench.settings.directory);
        self.ask_bucket();
        loop {
            let now = Instant::now();
            let stopping = shutdown.is_draining() || self.gone.is_some();
            if stopping {
                self.stop_looking();
            } else {
                self.look_around(now);
                self.send(now);
            }
            let done = stopping || (once && self.is_exhausted());
            if done && self.tasks.is_empty() && self.sync_at.is_none() {
                return Ok(self.gone.take().map_or(Why::Stopped, Why::Gone));
            }
            let wake = self.wake_at(now, stopping || done);
            tokio::select! {
                ended = self.tasks.next(), if !self.tasks.is_empty() => self.reported(ended)?,
                heard = self.watch.next(), if !stopping => self.heard(heard),
                scanned = next_batch(&mut self.pass), if self.pass.is_some() => {
                    self.scanned(scanned);
                }
                () = tokio::time::sleep_until(wake) => self.sync_if_due(),
                () = shutdown.draining(), if !stopping => {}
            }
        }
    }

    /// Fills the free slots, as far as the gate lets it.
    fn send(&mut self, now: Instant) {
        let early = self.is_early(now);
        while !early && self.attempts < self.bench.settings.threads.max(1) {
            let (job, probe) = match self.gate.admits(now) {
                Admission::Nothing(_) => return,
                Admission::Any => (self.backlog.next(now), false),
                Admission::Probe => {
                    let none = std::collections::BTreeSet::new();
                    let refused = self.gate.refused_files().unwrap_or(&none);
                    let job = self.backlog.next_but(now, refused);
                    self.gate.probing();
                    if job.is_none() {
                        return self.ask_bucket();
                    }
                    (job, true)
                }
            };
            let Some(job) = job else {
                return;
            };
            self.attempt(job, probe);
        }
    }

    /// While a pass runs: it may find a file that has to go before those that are known.
    fn is_early(&self, now: Instant) -> bool {
        let ordered = matches!(self.bench.settings.destination, Destination::Messages(_));
        self.young.is_unsure()
            || self
                .pass
                .as_ref()
                .is_some_and(|(began, _)| ordered || now < *began + PASS_HEAD_START)
    }

    fn attempt(&mut self, job: Job, probe: bool) {
        let bench = Arc::clone(&self.bench);
        self.attempts += 1;
        let name = format!("spool/{}/{}", bench.name, job.candidate.id.name.display());
        self.tasks.spawn(name, async move {
            Report::Attempt(Box::new(Box::pin(bench.attempt(job, probe)).await))
        });
    }

    /// Where there is no file to show it by, the bucket itself is asked; nothing is written.
    fn ask_bucket(&mut self) {
        let bench = Arc::clone(&self.bench);
        let stopped = self.looking.clone();
        self.tasks.spawn("bucket", async move {
            let asked = tokio::select! {
                asked = super::check::ask(&bench.aws, &bench.settings) => asked,
                () = stopped.cancelled() => return Report::Stopped,
            };
            Report::Bucket(asked)
        });
    }

    fn reported(&mut self, ended: Option<Ended<Report>>) -> Result<()> {
        let Some(ended) = ended else {
            return Ok(());
        };
        let report = match ended.end {
            TaskEnd::Returned(report) => report,
            TaskEnd::Panicked(text) => {
                return Err(Error::new(Kind::Bug, ended.name).because(text));
            }
            TaskEnd::Cancelled => return Ok(()),
        };
        match report {
            Report::Attempt(attempt) => {
                self.attempts -= 1;
                self.judge(*attempt);
            }
            Report::Bucket(asked) => self.bucket_answered(asked),
            Report::Stopped | Report::Pass | Report::Synced(Ok(())) => {}
            Report::Alive(alive) => {
                self.checking = false;
                self.alive_at = Instant::now() + ALIVE_EVERY;
                self.lose(alive.err());
            }
            Report::Named(Ok(batch)) => {
                self.naming = false;
                self.enter(batch);
            }
            Report::Named(Err(error)) => return Err(error),
            Report::Synced(Err(error)) => {
                tracing::warn!(spool = self.voice.spool, %error, "spool not synced to disk");
            }
        }
        Ok(())
    }

    /// Once a pass was made: nothing is left, or nothing that another attempt soon would help.
    fn is_exhausted(&self) -> bool {
        self.passes > 0
            && self.pass.is_none()
            && !self.young.seen
            && self.attempts == 0
            && self.names.is_empty()
            && !self.naming
            && !self.backlog.wants_pass()
            && (self.is_hopeless() || self.backlog.len() == 0)
    }

    fn stop_looking(&mut self) {
        self.pass = None;
        self.names.clear();
        self.looking.cancel();
        if self.gone.is_some() {
            self.bench.cut.cancel();
        }
    }

    pub(super) fn lose(&mut self, error: Option<Error>) {
        self.gone = self.gone.take().or(error);
    }

    fn wake_at(&self, now: Instant, stopping: bool) -> Instant {
        let far = now + Duration::from_hours(1);
        let mut wake = self.sync_at.unwrap_or(far);
        if stopping {
            return wake;
        }
        wake = wake.min(self.alive_at.max(if self.checking { far } else { now }));
        match &self.pass {
            None if self.backlog.wants_pass() => {
                wake = wake.min(self.next_pass).min(self.short_pass);
            }
            None => wake = wake.min(self.next_pass),
            Some((began, _)) if self.backlog.has_ready() => {
                let started = *began + PASS_HEAD_START;
                wake = wake.min(if started > now { started } else { far });
            }
            Some(_) => {}
        }
        let free = self.attempts < self.bench.settings.threads.max(1);
        match self.gate.admits(now) {
            Admission::Nothing(Some(until)) => wake.min(until),
            Admission::Any if free => self.backlog.next_due().map_or(wake, |due| wake.min(due)),
            Admission::Any | Admission::Probe | Admission::Nothing(None) => wake,
        }
    }

    pub(super) fn sync_soon(&mut self) {
        self.sync_at.get_or_insert(Instant::now() + SYNC_AFTER);
    }

    fn sync_if_due(&mut self) {
        if self.sync_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.sync_at = None;
        let bench = Arc::clone(&self.bench);
        self.tasks.spawn("sync", async move {
            let (aside, directory) = (Arc::clone(&bench.aside), Arc::clone(&bench.directory));
            Report::Synced(flat(bench.means.blocking.run(move || aside.sync(&directory)).await))
        });
    }
}

pub(super) fn flat<T>(result: Result<std::io::Result<T>>) -> std::io::Result<T> {
    result.map_err(std::io::Error::other).and_then(|result| result)
}
