//! While the store is away and `on_store_error = "retry"`: polling stops and the store is probed by
//! backoff; no message is judged. One that was received meanwhile goes back, unless one more
//! receive would be too many.

use std::time::Duration;

use tokio::time::Instant;

use super::super::lease::Ticket;
use super::super::poll::Admission;
use super::super::{Event, Stages};
use super::News;
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::telemetry::metrics;

/// With `once`, so many tries are enough to know.
const ONCE_PROBES: u32 = 3;
const PROBES: Backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_secs(5));

/// The store is away, or not known yet to be there.
#[derive(Debug)]
pub(super) struct Away {
    /// When it is probed; nothing while it is being probed.
    next: Option<Instant>,
    failures: u32,
}

impl Away {
    /// It has not been asked yet.
    pub(super) fn unknown() -> Self {
        Self { next: Some(Instant::now()), failures: 0 }
    }

    /// A probe is on its way.
    pub(super) const fn probing(&mut self) {
        self.next = None;
    }
}

impl Stages {
    /// Probes the store, and tries again what is kept, when their time has come.
    pub(in crate::queue) fn guard_due(&mut self) {
        self.probe_store();
        while let Some(ticket) = self.next_kept() {
            self.start(ticket);
        }
    }

    /// When that is, unless only the end of something else can bring it about.
    pub(in crate::queue) fn guard_wake(&self) -> Option<Instant> {
        let guard = self.guard.as_ref()?;
        if let Some(away) = &guard.away {
            return away.next.filter(|_| self.is_probing());
        }
        guard.kept.next_due().filter(|_| self.has_room_for_kept())
    }

    /// While it drains, the store matters only to what is done.
    fn is_probing(&self) -> bool {
        let unconfirmed = self.guard.as_ref().is_some_and(|guard| !guard.unconfirmed.is_empty());
        self.source.is_some() && (!self.draining || unconfirmed)
    }

    fn next_kept(&mut self) -> Option<Ticket> {
        if !self.has_room_for_kept() {
            return None;
        }
        let guard = self.guard.as_mut().filter(|guard| !guard.is_away())?;
        guard.kept.take_due(Instant::now())
    }

    /// While a handler cannot be started, a kept message may be the one to try it with.
    fn has_room_for_kept(&self) -> bool {
        let may_begin = match &self.pause {
            None => true,
            Some(pause) => pause.admission(0) == Admission::Poll(1),
        };
        may_begin && self.slots < self.settings.concurrency
    }

    fn probe_store(&mut self) {
        let is_probing = self.is_probing();
        let Some(guard) = &mut self.guard else { return };
        let Some(away) = &mut guard.away else { return };
        if !is_probing || away.next.is_none_or(|next| next > Instant::now()) {
            return;
        }
        away.probing();
        let (store, shutdown) = (guard.store.clone(), self.shutdown.clone());
        let awaited = !guard.unconfirmed.is_empty();
        self.tasks.spawn("store probe", async move {
            Event::Heard(tokio::select! {
                result = store.probe() => News::Probed(result),
                () = shutdown.draining(), if !awaited => News::NotProbed,
                () = shutdown.aborting() => News::NotProbed,
            })
        });
    }

    pub(super) fn probed(&mut self, result: Result<()>) {
        if let Err(error) = result {
            return self.store_failed(&error);
        }
        let Some(guard) = &mut self.guard else { return };
        guard.away = None;
        metrics::store_away(&self.name, false);
        if guard.trouble.is_over() {
            tracing::info!(queue = %self.name, "idempotency store is back, polling goes on");
        }
        for ticket in std::mem::take(&mut guard.unconfirmed) {
            self.confirm(ticket);
        }
    }

    /// The store could not be asked. Polling stops until it can.
    pub(super) fn store_failed(&mut self, error: &Error) {
        let Some(guard) = &mut self.guard else { return };
        let away = guard.away.get_or_insert(Away { next: None, failures: 0 });
        // Many calls fail together; they are one failure.
        if away.next.is_none() {
            away.failures += 1;
            away.next = Some(Instant::now() + PROBES.delay(away.failures, fastrand::f64()));
        }
        let (failures, kind) = (away.failures, error.kind());
        metrics::store_away(&self.name, true);
        if guard.trouble.is_due(kind) {
            tracing::error!(
                queue = %self.name,
                kind = kind.label(),
                %error,
                "idempotency store is away; polling stops until it is back, no message is judged"
            );
        } else {
            tracing::debug!(queue = %self.name, kind = kind.label(), %error, "idempotency store is away");
        }
        self.release_waiting();
        if failures >= ONCE_PROBES {
            self.fail_if_once(Error::new(kind, error.told()));
        }
    }

    /// The store answered. With `proceed`, its trouble is over by that.
    pub(super) fn store_works(&mut self) {
        let proceeds = self.proceeds();
        let Some(guard) = self.guard.as_mut().filter(|_| proceeds) else { return };
        if guard.trouble.is_over() {
            tracing::info!(queue = %self.name, "idempotency store is back");
        }
    }

    /// This message cannot be locked while the store is away.
    pub(super) fn wait_for_store(&mut self, ticket: Ticket) {
        if self.draining || !self.keep(ticket, Duration::ZERO) {
            self.release(ticket);
        }
    }
}
