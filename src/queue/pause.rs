//! When a handler cannot even be started, the fault is not the message's: polling stops, and one
//! message at a time is tried by backoff. That message stays leased, so that an outage of hours
//! spends no receives; the others go back for other hosts to take. Ever more rarely another one
//! takes its turn, since the fault may be the message's own after all: a key that is denied to it.

use std::time::Duration;

use tokio::time::Instant;

use super::lease::Ticket;
use super::poll::Admission;
use super::{Stage, Stages};
use crate::backoff::Backoff;
use crate::error::{Error, Kind};
use crate::telemetry::metrics;
use crate::telemetry::repeat::Repeat;

/// With `once`, so many tries are enough to know.
const ONCE_PROBES: u32 = 3;
/// After so many tries with one message, a quarter of a minute, another is tried; then after twice as
/// many, and so on.
const TURN: u32 = 5;
const PROBES: Backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_mins(1));

/// A queue whose handler cannot be started.
#[derive(Debug)]
pub(super) struct Pause {
    /// The one message that is kept to try with; without one, the next probe polls for one.
    pub(super) probe: Option<Ticket>,
    /// When it is tried again; nothing while it is being tried.
    pub(super) next: Option<Instant>,
    failures: u32,
    /// An outage that lasts is said again.
    told: Repeat,
}

impl Pause {
    /// Polls for a single message, when there is none to try with and the time has come.
    pub(super) fn admission(&self, open_polls: usize) -> Admission {
        match self.next {
            _ if self.probe.is_some() || open_polls > 0 => Admission::Closed,
            Some(next) if next > Instant::now() => Admission::Wait(next),
            _ => Admission::Poll(1),
        }
    }

    /// Without a message to try with, the first that comes is the one.
    pub(super) fn try_with(&mut self, ticket: Ticket) {
        if self.probe.is_none() {
            self.probe = Some(ticket);
            self.next = None;
        }
    }

    /// True where it is another message's turn.
    const fn is_turn(&self) -> bool {
        self.failures.is_multiple_of(TURN) && (self.failures / TURN).is_power_of_two()
    }

    /// When the kept message is tried again; without one, polls say themselves when they leave.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.probe.and(self.next)
    }
}

impl Stages {
    /// A handler could not be started. This message is the one to try with, where there is none.
    pub(super) fn outage(&mut self, ticket: Ticket, reason: &str) {
        let item = self.items.get(&ticket);
        let message_id = item.map(|item| item.message.id.clone());
        let event = item.and_then(|item| item.as_handled().event.clone());
        let pause = self.pause.get_or_insert_with(|| {
            metrics::handler_unavailable(&self.name, true);
            Pause { probe: None, next: None, failures: 0, told: Repeat::default() }
        });
        if pause.told.is_due(Kind::Unreachable) {
            tracing::error!(
                queue = %self.name,
                message_id,
                event,
                reason,
                "handler cannot be started; polling stops until it can, no message is judged"
            );
        }
        pause.probe.get_or_insert(ticket);
    }

    /// The handler of this message could not be started.
    pub(super) fn unavailable(&mut self, ticket: Ticket, reason: &str) {
        self.outage(ticket, reason);
        let (draining, stands) = (self.draining, self.lease_stands(ticket));
        let Some(pause) = &mut self.pause else { return };
        let is_probe = pause.probe == Some(ticket);
        // The lease may have been lost while the handler was being started.
        if !is_probe || draining || !stands {
            return self.release(ticket);
        }
        pause.failures += 1;
        pause.next = Some(Instant::now() + PROBES.delay(pause.failures, fastrand::f64()));
        tracing::debug!(queue = %self.name, reason, "handler still cannot be started");
        let (failures, is_turn) = (pause.failures, pause.is_turn());
        self.enter_stage(ticket, Stage::Waiting);
        if failures >= ONCE_PROBES {
            let what = format!("queue {}: {reason}", self.name);
            self.fail_if_once(Error::new(Kind::Unreachable, what));
        }
        self.release_waiting();
        self.release_gathered();
        if is_turn && self.receives_left(ticket).is_some_and(|left| left > 0) {
            // Hidden until another has been asked for; longer each time that it comes to this.
            let hidden = (PROBES.delay(failures, 1.0) * 2).max(self.backoff(ticket));
            self.release_for(ticket, hidden);
        }
    }

    /// The handler of this message could be started.
    pub(super) fn available(&mut self, ticket: Ticket) {
        let over = self.pause.as_ref().is_some_and(|pause| pause.probe == Some(ticket));
        if over {
            self.pause = None;
            metrics::handler_unavailable(&self.name, false);
            tracing::info!(queue = %self.name, "handler can be started again, polling goes on");
        }
    }

    /// Tries the kept message again when its time has come.
    pub(super) fn probe(&mut self) {
        let Some(pause) = &mut self.pause else { return };
        let due = pause.next.is_some_and(|next| next <= Instant::now());
        let (Some(ticket), true, false) = (pause.probe, due, self.draining) else { return };
        pause.next = None;
        let waits = self.items.get(&ticket).is_some_and(|item| item.stage == Stage::Waiting);
        // With one before it in its group that is being settled, it begins when that has left.
        if waits && self.before_in_group(ticket).is_empty() {
            self.start(ticket);
        }
    }

    /// True for the kept message while its time has not come.
    pub(super) fn is_kept(&self, ticket: Ticket) -> bool {
        let pause = self.pause.as_ref().filter(|pause| pause.probe == Some(ticket));
        pause.is_some_and(|pause| pause.next.is_some())
    }

    /// A message is gone. Was it the kept one, the next probe polls for another.
    pub(super) fn forget_probe(&mut self, ticket: Ticket) {
        if let Some(pause) = self.pause.as_mut().filter(|pause| pause.probe == Some(ticket)) {
            pause.probe = None;
            pause.next = Some(Instant::now() + PROBES.delay(pause.failures, fastrand::f64()));
        }
    }
}
