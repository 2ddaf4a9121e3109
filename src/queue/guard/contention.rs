//! Somebody else has the lock: the message goes back for as long as it stands, or is kept.

use std::time::Duration;

use tokio::time::Instant;

use super::super::lease::Ticket;
use super::super::{Stage, Stages};
use super::lock_key;
use crate::error::Kind;
use crate::telemetry::metrics;

impl Stages {
    /// Somebody else handles this very message.
    pub(super) fn contended(&mut self, ticket: Ticket, left: Duration) {
        let Some(item) = self.items.get(&ticket) else { return };
        metrics::lock_contended(&self.name);
        tracing::warn!(
            queue = %self.name,
            message_id = item.message.id,
            event = item.message.event,
            attempt = item.message.receive_count(),
            lock = lock_key(&item.message.id),
            ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            "cannot acquire the lock, somebody else has it"
        );
        // Whoever else waits for it does not come at the same moment.
        let wait = left + left.mul_f64(fastrand::f64() / 4.0) + Duration::from_millis(100);
        if self.draining || !self.keep(ticket, wait) {
            self.release_for(ticket, wait);
        }
    }

    /// Keeps a message under its lease, where giving it back would end in the dead-letter queue
    /// what was never tried. False where that is not so, or too many are kept.
    pub(super) fn keep(&mut self, ticket: Ticket, wait: Duration) -> bool {
        if self.receives_left(ticket) != Some(0) || !self.lease_stands(ticket) {
            return false;
        }
        let Some(guard) = &mut self.guard else { return false };
        if !guard.kept.enter(ticket, Instant::now() + wait) {
            if guard.overflow.is_due(Kind::Busy) {
                tracing::error!(
                    queue = %self.name,
                    messages = guard.kept.len(),
                    "too many messages wait for the locks of others; \
                     the queue's redrive policy takes more of them untried"
                );
            }
            return false;
        }
        self.enter_stage(ticket, Stage::Kept);
        self.forget_probe(ticket);
        true
    }

    /// Messages that wait for somebody else's lock go back; never at once, for one more receive
    /// may be too many.
    pub(in crate::queue) fn release_kept(&mut self) {
        let Some(guard) = &mut self.guard else { return };
        let wait = guard.settings.lock_timeout;
        for ticket in guard.kept.take_all() {
            self.release_for(ticket, wait);
        }
    }
}
