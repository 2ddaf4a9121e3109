//! Finding files: events as hints, passes as the truth, and a look now and then at whether the
//! directory itself is still there.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::attempt::Bench;
use super::backlog::WINDOW;
use super::directory::is_of_this_process;
use super::scan::{Batch, Pass, Scanned};
use super::serve::{Report, Serving, flat};
use super::watch::Heard;
use crate::error::{Error, Kind};
use crate::telemetry::metrics;

/// A pass never takes more than this part of the time…
const PASS_SHARE: u32 = 20;
/// …unless the window runs low and there is more to find; then only half of it, and a second.
const SHORT_PASS_AFTER: Duration = Duration::from_secs(1);
/// What was too young for a pass is old enough for the next one by then.
const YOUNG_PASS_AFTER: Duration = Duration::from_millis(100);

/// Whether the last pass left something to the next, and was itself such a next one.
#[derive(Debug, Default)]
pub(crate) struct Young {
    pub(super) seen: bool,
    repeated: bool,
}

impl Young {
    /// True until the pass that follows at once: what was left to it may go before what is known.
    pub(super) const fn is_unsure(&self) -> bool {
        self.seen && !self.repeated
    }
}

impl Serving {
    /// Starts what is due: names from events, passes, a look at the directory itself.
    pub(super) fn look_around(&mut self, now: Instant) {
        if !self.names.is_empty() && !self.naming {
            self.naming = true;
            let names = std::mem::take(&mut self.names);
            let bench = Arc::clone(&self.bench);
            self.tasks.spawn("names", async move {
                let own = Arc::clone(&bench);
                let looked = move || Batch::named(&own.directory, &own.settings, names);
                Report::Named(bench.means.blocking.run(looked).await)
            });
        }
        let short = self.backlog.wants_pass() && now >= self.short_pass;
        if self.pass.is_none() && (now >= self.next_pass || short) {
            self.begin_pass(now);
        }
        if now >= self.alive_at && !self.checking {
            self.checking = true;
            let bench = Arc::clone(&self.bench);
            self.tasks.spawn("alive", async move {
                let directory = Arc::clone(&bench.directory);
                let alive = bench.means.blocking.run(move || directory.still_there()).await;
                Report::Alive(alive.and_then(|alive| alive))
            });
        }
    }

    fn begin_pass(&mut self, now: Instant) {
        let (send, receive) = mpsc::channel(2);
        self.pass = Some((now, receive));
        self.backlog.pass_begins();
        self.young = Young { seen: false, repeated: self.young.seen };
        let bench = Arc::clone(&self.bench);
        self.tasks.spawn("pass", async move {
            read_all(&bench, send).await;
            Report::Pass
        });
    }

    pub(super) fn heard(&mut self, heard: Heard) {
        match heard {
            // What does not fit is found by a pass.
            Heard::Name(name, hint) if self.names.len() < WINDOW => {
                self.names.push((name, hint));
            }
            Heard::Name(..) | Heard::Lost => self.next_pass = self.next_pass.min(self.short_pass),
            Heard::Gone => {
                let what = format!("{} was moved or removed", self.bench.directory.path.display());
                self.lose(Some(Error::new(Kind::File, what)));
            }
        }
    }

    pub(super) fn scanned(&mut self, scanned: Option<Scanned>) {
        match scanned {
            Some(Scanned::Batch(batch)) => {
                let last = batch.last;
                self.enter(batch);
                if last {
                    self.end_pass();
                }
            }
            Some(Scanned::Failed(_, error)) if is_of_this_process(&error) => {
                self.pass = None;
                self.next_pass = Instant::now() + SHORT_PASS_AFTER;
            }
            Some(Scanned::Failed(path, error)) => {
                self.pass = None;
                self.lose(Some(super::directory::unusable("reading", &path, error)));
            }
            None => self.pass = None,
        }
    }

    pub(super) fn enter(&mut self, batch: Batch) {
        self.young.seen |= batch.young;
        for name in batch.put_away {
            self.voice.put_away(&name);
        }
        for candidate in batch.candidates {
            self.backlog.offer(candidate);
        }
        for (name, why) in self.ignored.enter(batch.ignored) {
            self.voice.left_alone(&name, why);
        }
    }

    fn end_pass(&mut self) {
        let Some((began, _)) = self.pass.take() else {
            return;
        };
        let took = began.elapsed();
        let interval = self.bench.settings.poll_interval;
        let wait = interval.mul_f64(0.95 + 0.1 * fastrand::f64()).max(took * PASS_SHARE);
        self.next_pass = Instant::now() + wait;
        self.short_pass = Instant::now() + took.max(SHORT_PASS_AFTER);
        if self.young.is_unsure() {
            self.next_pass = Instant::now() + YOUNG_PASS_AFTER;
        }
        self.passes = self.passes.saturating_add(1);
        for (why, count) in self.ignored.end_of_pass() {
            metrics::ignored(&self.voice.spool, why.label(), count);
        }
        self.count();
    }
}

/// Reads the directory to its end, a batch at a time, as fast as the batches are taken.
async fn read_all(bench: &Arc<Bench>, send: mpsc::Sender<Scanned>) {
    let failed = |error| Scanned::Failed(bench.directory.path.clone(), error);
    let own = Arc::clone(bench);
    let begin = move || Pass::begin(&own.directory, &own.settings, SystemTime::now());
    let mut pass = match flat(bench.means.blocking.run(begin).await) {
        Ok(pass) => pass,
        Err(error) => {
            let _stopped = send.send(failed(error)).await;
            return;
        }
    };
    loop {
        let own = Arc::clone(bench);
        let read = move || {
            let batch = pass.next(&own.directory, &own.settings)?;
            Ok((pass, batch))
        };
        let (scanned, more) = match flat(bench.means.blocking.run(read).await) {
            Ok((next, batch)) => {
                let more = (!batch.last).then_some(next);
                (Scanned::Batch(batch), more)
            }
            Err(error) => (failed(error), None),
        };
        // Nobody listens any more once the spool stops.
        if send.send(scanned).await.is_err() {
            return;
        }
        match more {
            Some(next) => pass = next,
            None => return,
        }
    }
}

/// The next batch of a pass; never ends where none is under way. Cancel-safe.
pub(super) async fn next_batch(
    pass: &mut Option<(Instant, mpsc::Receiver<Scanned>)>,
) -> Option<Scanned> {
    match pass {
        Some((_, batches)) => batches.recv().await,
        None => std::future::pending().await,
    }
}
