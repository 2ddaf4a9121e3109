//! The heartbeat: what has to be renewed is renewed, and who lost a lease is told.

use tokio::time::Instant;

use super::lease::{Renewal, Ticket};
use super::settle::{self, Change, Results, Settled};
use super::{Event, Stage, Stages};
use crate::error::{Error, Kind};
use crate::telemetry::metrics;

impl Stages {
    /// Renews what has to be renewed, and tells handlers whose lease is lost.
    pub(super) fn renew(&mut self) {
        let now = Instant::now();
        for ticket in self.leases.take_lost(now) {
            self.lost(ticket);
        }
        let Some(source) = self.source.clone() else { return };
        loop {
            let renewals = self.leases.take_due(now);
            if renewals.is_empty() {
                return;
            }
            let changes = renewals
                .iter()
                .map(|Renewal { ticket, handle, lease }| Change {
                    ticket: *ticket,
                    handle: handle.clone(),
                    visible_in: *lease,
                })
                .collect();
            let call = settle::change(source.connection.sqs.clone(), source.url.clone(), changes);
            self.tasks.spawn("renew", async move {
                Event::Renewed { left: now, renewals, results: call.await }
            });
        }
    }

    pub(super) fn renewed(&mut self, left: Instant, renewals: &[Renewal], results: Results) {
        let now = Instant::now();
        self.leases.answered(renewals, left, now);
        for (renewal, Settled { error, .. }) in renewals.iter().zip(results) {
            match error {
                None => {
                    self.leases.renewed(renewal, left, now);
                    self.renew_trouble.is_over();
                }
                Some(error) => self.renewal_failed(renewal, &error, now),
            }
        }
        for (ticket, visible_in) in std::mem::take(&mut self.held_back) {
            self.settle.give_back(ticket, visible_in);
        }
    }

    fn renewal_failed(&mut self, renewal: &Renewal, error: &Error, now: Instant) {
        let settling =
            self.items.get(&renewal.ticket).is_none_or(|item| item.stage == Stage::Settling);
        // A message that is deleted or given back between the choice and the renewal is no news.
        if settling {
            return;
        }
        let may_pass = error.kind() != Kind::Invalid;
        // In an outage thousands may fail again every second; each that is lost is told by itself.
        if self.renew_trouble.is_due(error.kind()) {
            tracing::warn!(queue = %self.name, %error, "renewing a lease failed");
        } else {
            tracing::debug!(queue = %self.name, %error, "renewing a lease failed");
        }
        if self.leases.renewal_failed(renewal, may_pass, now) {
            self.lost(renewal.ticket);
        }
    }

    fn lost(&mut self, ticket: Ticket) {
        let Some(item) = self.items.get(&ticket) else { return };
        let (stage, message_id) = (item.stage, item.message.id.clone());
        metrics::lease_lost(&self.name);
        tracing::warn!(queue = %self.name, message_id, "lease lost");
        // A running handler is told and comes back by itself; settling finds out by itself.
        if matches!(stage, Stage::Waiting | Stage::Gathering | Stage::Kept) {
            self.give_back_tail(ticket);
            self.leave(ticket, false);
        }
    }
}
