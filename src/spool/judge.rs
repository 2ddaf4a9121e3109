//! What follows from an attempt that has ended: for the file, for the bucket, for the log.

use std::time::Duration;

use tokio::time::Instant;

use super::attempt::{Attempt, End};
use super::candidate::{Candidate, Hint, Record};
use super::open::{Id, Place};
use super::pause::Refused;
use super::serve::Serving;
use super::settle::Settled;
use crate::error::{Error, Kind};
use crate::telemetry::metrics;

/// With `once`, a file that failed so often is left.
const ONCE_ATTEMPTS: u32 = 3;
/// With `once`, a file that was not ready at so many looks is left; a writer's are quick ones.
const ONCE_LOOKS: u32 = 12;
/// With `once`, a bucket that refused so many probes is left.
const ONCE_PROBES: u32 = 3;

impl Serving {
    pub(super) fn judge(&mut self, attempt: Attempt) {
        let Attempt { candidate, key, record, began, probe, end } = attempt;
        let id = candidate.id.clone();
        // Set anew below where the attempt says something about the bucket.
        if probe && !matches!(&end, End::Landed(..) | End::Failed(_)) {
            self.gate.probe_said_nothing(Instant::now());
        }
        match end {
            End::Landed(stamp, settled) => {
                self.bucket_works(probe);
                // What changed meanwhile is told of as that, and is not in S3 as it is now.
                if !is_to_go_again(&id, &settled) {
                    self.voice.landed(&id.name, &key, (stamp.size, began.elapsed()));
                    metrics::uploaded(&self.voice.spool, stamp.size, began.elapsed());
                }
                match settled {
                    Ok(settled) => self.settled(Candidate { stamp, ..candidate }, record, settled),
                    Err(error) => self.failed(candidate, record, &error),
                }
            }
            End::Superseded(settled) => self.settled(candidate, record, settled),
            End::Gone | End::NotAFile => self.backlog.finish(&id),
            End::NotReady(stamp, wait) => {
                let mut record = record;
                record.waits = record.waits.saturating_add(1);
                let candidate = Candidate { stamp, ..candidate };
                self.backlog.retry(candidate, record, Instant::now() + wait);
            }
            End::Changed => self.changed(candidate, record),
            End::OtherLane(lane) => {
                self.backlog.finish(&id);
                self.backlog.offer(Candidate { lane, ..candidate });
            }
            End::Quarantined(kept, error) => {
                self.voice.quarantined(&id.name, &kept, &error);
                metrics::quarantined(&self.voice.spool);
                self.backlog.finish(&id);
                self.sync_soon();
            }
            End::Failed(error) => self.refused(candidate, record, (began, probe), error),
        }
        self.count();
    }

    pub(super) fn count(&self) {
        metrics::waiting(&self.voice.spool, self.backlog.len());
    }

    fn settled(&mut self, candidate: Candidate, record: Record, settled: Settled) {
        let id = candidate.id.clone();
        self.sync_soon();
        match settled {
            Settled::Done => self.backlog.finish(&id),
            Settled::Changed => self.changed(candidate, record),
            // Nothing in the spool leads to what lies here.
            Settled::Replaced if id.place != Place::Spool => self.changed(candidate, record),
            Settled::Replaced => {
                self.backlog.finish(&id);
                self.names.push((id.name, Hint::Closed));
            }
            Settled::Overtaken(place) => {
                self.backlog.finish(&id);
                let older = Id { place, name: id.name.clone() };
                self.backlog.offer(Candidate { id: older, ..candidate });
                self.names.push((id.name, Hint::Closed));
            }
        }
    }

    fn changed(&mut self, candidate: Candidate, record: Record) {
        let what = format!("{:?} changed while it was uploaded", candidate.id.name.display());
        let error = Error::new(Kind::File, what)
            .hint("write it elsewhere and rename it into the spool, as `longshore put` does");
        let record = self.failure_of(record, &error);
        self.voice.changed(&candidate.id.name, &error, record.failures);
        self.again(candidate, record);
    }

    /// A fault of this file, as far as is known: it comes again by its own backoff.
    fn failed(&mut self, candidate: Candidate, record: Record, error: &Error) {
        let record = self.failure_of(record, error);
        self.voice.failed(&candidate.id.name, error, (record.failures, false));
        self.again(candidate, record);
    }

    fn failure_of(&mut self, mut record: Record, error: &Error) -> Record {
        record.failures = record.failures.saturating_add(1);
        // A writer's close ends a wait for it, and is not to end the backoff that begins now.
        record.waits = 0;
        record.unchanged = None;
        self.last_error = Some(error.again());
        metrics::upload_failed(&self.voice.spool, error.kind());
        record
    }

    fn again(&mut self, candidate: Candidate, record: Record) {
        let retry = self.bench.settings.retry;
        let wait = retry.delay(record.failures.max(1), fastrand::f64());
        self.backlog.retry(candidate, record, Instant::now() + wait);
    }

    fn refused(
        &mut self,
        candidate: Candidate,
        mut record: Record,
        (began, probe): (Instant, bool),
        error: Error,
    ) {
        let kind = error.kind();
        let now = Instant::now();
        if kind == Kind::Aborted {
            return self.again(candidate, record);
        }
        let of_destination = kind.is_of_destination() || kind == Kind::Invalid;
        if !of_destination || (record.suspect && !probe) {
            if matches!(kind, Kind::Throttled | Kind::Transient) {
                self.gate.slow_down(now, began, fastrand::f64());
            }
            if probe {
                self.gate.probe_failed(now);
            }
            return self.failed(candidate, record, &error);
        }
        // An outage says nothing about the file: it does not move its own next attempt away.
        record.failures = record.failures.max(1);
        self.voice.failed(&candidate.id.name, &error, (record.failures, true));
        metrics::upload_failed(&self.voice.spool, kind);
        self.bucket_refuses(Some(&candidate.id), probe, error);
        self.again(candidate, record);
    }

    pub(super) fn bucket_answered(&mut self, asked: Result<(), Error>) {
        match asked {
            Ok(()) if !self.is_paused_by_a_file() => self.bucket_works_unproven(),
            // It answers but took no file, or we may write and not ask: only an upload tells.
            Ok(()) => self.only_an_upload_tells(),
            Err(error) if error.kind() == Kind::Denied => self.only_an_upload_tells(),
            Err(_) if self.gate.proven && self.gate.refused_files().is_none() => {}
            Err(error) => self.bucket_refuses(None, true, error),
        }
    }

    fn is_paused_by_a_file(&self) -> bool {
        self.gate.refused_files().is_some_and(|files| !files.is_empty())
    }

    fn only_an_upload_tells(&mut self) {
        self.ready = None;
        self.gate.probe_said_nothing(Instant::now());
    }

    fn bucket_refuses(&mut self, id: Option<&Id>, probe: bool, error: Error) {
        match self.gate.refuse(Instant::now(), id, probe) {
            Refused::Paused => {
                metrics::paused(&self.voice.spool, true);
                self.voice.paused(&error);
            }
            Refused::Still { tell } if probe => self.voice.still_paused(&error, tell),
            Refused::Still { .. } => {}
        }
        self.last_error = Some(error);
    }

    fn bucket_works(&mut self, probe: bool) {
        self.ready = None;
        let refused = self.gate.landed(probe);
        self.resume(refused);
    }

    /// It answers, which is all that is known without an upload.
    fn bucket_works_unproven(&mut self) {
        let proven = self.gate.proven;
        self.bucket_works(true);
        self.gate.proven = proven;
    }

    fn resume(&mut self, refused: Option<std::collections::BTreeSet<Id>>) {
        let Some(refused) = refused else {
            return;
        };
        metrics::paused(&self.voice.spool, false);
        self.voice.resumed();
        for id in &refused {
            self.backlog.suspect(id);
        }
    }

    /// With `once`: what is left will not land soon.
    pub(super) fn is_hopeless(&self) -> bool {
        if self.gate.probes() >= ONCE_PROBES {
            return true;
        }
        self.gate.refused_files().is_none()
            && !self.backlog.has_ready()
            && self
                .backlog
                .delayed()
                .all(|record| record.failures >= ONCE_ATTEMPTS || record.waits >= ONCE_LOOKS)
    }

    /// With `once`: what was left, as an error; nothing where nothing was.
    pub(super) fn remainder(&mut self) -> Result<(), Error> {
        let left = self.backlog.len();
        if left == 0 {
            return match self.last_error.take() {
                Some(error) if self.gate.refused_files().is_some() => Err(error),
                _ => Ok(()),
            };
        }
        let what = format!("{left} files of spool {} did not land", self.voice.spool);
        let error = self.last_error.take();
        let kind = error.as_ref().map_or(Kind::Busy, Error::kind);
        let left = Error::new(kind, what);
        Err(match error {
            Some(error) => left.because(error),
            None => left.hint("somebody still writes them; run it again later"),
        })
    }

    /// What an earlier run left in settling comes first.
    pub(super) fn take_up(&mut self, leftovers: Vec<Candidate>) {
        for leftover in leftovers {
            debug_assert_ne!(leftover.id.place, Place::Spool);
            self.backlog.offer(leftover);
        }
    }
}

fn is_to_go_again(id: &Id, settled: &Result<Settled, Error>) -> bool {
    match settled {
        Ok(Settled::Changed) => true,
        Ok(Settled::Replaced) => id.place != Place::Spool,
        Ok(Settled::Done | Settled::Overtaken(_)) | Err(_) => false,
    }
}

/// How long until a directory that cannot be used is tried again.
pub(super) const DIRECTORY_AGAIN: Duration = Duration::from_secs(1);
