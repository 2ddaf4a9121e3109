//! Carrying outcomes out: what is deleted, given back or set aside, and what SQS answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::lease::Ticket;
use super::settle::{self, Change, Results, Settled};
use super::{Event, Stage, Stages, reject};
use crate::backoff::Backoff;
use crate::error::Result;
use crate::telemetry::metrics;

/// How often a delete or a give-back is tried while the lease stands.
const TRIES: u32 = 5;
const AFTER_FAILURE: Backoff =
    Backoff::doubling(Duration::from_millis(200), Duration::from_secs(2));
const NOT_GIVEN_BACK: &str = "lease was lost before the message could be given back";

impl Stages {
    /// The handler said done: the message may go.
    pub(super) fn done(&mut self, ticket: Ticket) {
        metrics::settled(&self.name, "done");
        self.report.done += 1;
        self.delete(ticket);
    }

    /// A copy of a message that was done before.
    pub(super) fn delete_copy(&mut self, ticket: Ticket) {
        if let Some(item) = self.items.get(&ticket) {
            tracing::info!(
                queue = %self.name,
                message_id = item.message.id,
                "received again after it was done; the copy is deleted"
            );
        }
        self.delete(ticket);
    }

    fn delete(&mut self, ticket: Ticket) {
        let now = Instant::now();
        let retention = self.source.as_ref().map_or(Duration::ZERO, |source| source.retention);
        self.enter_stage(ticket, Stage::Settling);
        let Some(item) = self.items.get(&ticket) else { return };
        self.finished.done(&item.message.id, retention, now);
        // Where others must know of it, that comes first.
        self.confirm(ticket);
    }

    /// A copy of a message whose finished id stands in the store.
    pub(super) fn delete_finished(&mut self, ticket: Ticket) {
        self.enter_stage(ticket, Stage::Settling);
        self.send_delete(ticket);
    }

    /// Deletes a message whose id may be known as finished to all who must know it.
    pub(super) fn send_delete(&mut self, ticket: Ticket) {
        if self.lease_stands(ticket) {
            self.settle.delete(ticket);
        } else {
            // A delete with a stale handle could succeed without deleting.
            self.forget_lost(
                ticket,
                "done after its lease was lost; the copy that comes is deleted",
            );
        }
    }

    /// Gives a message back unjudged, at once.
    pub(super) fn release(&mut self, ticket: Ticket) {
        self.release_for(ticket, Duration::ZERO);
    }

    /// Gives a message back unjudged, to come again after `delay`.
    pub(super) fn release_for(&mut self, ticket: Ticket, delay: Duration) {
        metrics::settled(&self.name, "released");
        self.report.released += 1;
        self.hide_for(ticket, delay);
    }

    /// Gives a failed message back, to come again after `delay`.
    pub(super) fn give_back(&mut self, ticket: Ticket, delay: Duration) {
        metrics::settled(&self.name, "retry");
        self.report.retried += 1;
        self.hide_for(ticket, delay);
    }

    fn hide_for(&mut self, ticket: Ticket, delay: Duration) {
        self.unlock(ticket);
        self.give_back_tail(ticket);
        if !self.lease_stands(ticket) {
            return self.forget_lost(ticket, NOT_GIVEN_BACK);
        }
        let delay = settle::at_least(delay).min(self.leases.room(ticket, Instant::now()));
        self.enter_stage(ticket, Stage::Settling);
        if let Some(item) = self.items.get_mut(&ticket) {
            item.hidden_for = delay;
        }
        self.settle.give_back(ticket, delay);
    }

    pub(super) fn reject(&mut self, ticket: Ticket, reason: String) {
        self.enter_stage(ticket, Stage::Settling);
        let Some(item) = self.items.get(&ticket) else { return };
        let message = Arc::clone(&item.message);
        let Some(source) = &self.source else { return self.give_back(ticket, Duration::ZERO) };
        let Some(target) = source.rejects.clone() else {
            tracing::error!(
                queue = %self.name,
                message_id = message.id,
                "rejected message has nowhere to go and will come again; \
                 set dead_letter_queue or set_aside, or give the queue a redrive policy"
            );
            return self.give_back(ticket, self.settings.retry.longest);
        };
        let put = reject::set_aside(source.connection.sqs.clone(), target, message, reason);
        self.tasks.spawn("set aside", async move { Event::SetAside { ticket, result: put.await } });
    }

    pub(super) fn set_aside(&mut self, ticket: Ticket, result: Result<()>) {
        match result {
            Ok(()) => {
                metrics::settled(&self.name, "reject");
                self.report.rejected += 1;
                if let Some(item) = self.items.get_mut(&ticket) {
                    // What was set aside still points to them.
                    item.objects.clear();
                }
                self.delete(ticket);
            }
            Err(error) => {
                tracing::error!(
                    queue = %self.name,
                    message_id = self.items.get(&ticket).map(|item| &*item.message.id),
                    %error,
                    "rejected message could not be set aside and will come again"
                );
                let delay = self.backoff(ticket);
                self.give_back(ticket, delay);
            }
        }
    }

    /// Sends the batches of deletes and give-backs that are due.
    pub(super) fn flush(&mut self) {
        let Some(source) = self.source.clone() else { return };
        let (hurry, now) = (self.hurry(), Instant::now());
        while let Some(batch) = self.settle.take_deletes(hurry) {
            let mut entries = Vec::with_capacity(batch.len());
            for ticket in batch {
                match self.leases.handle(ticket, now) {
                    Some(handle) => entries.push((ticket, handle.to_owned())),
                    None => self.forget_lost(ticket, "lease was lost before the delete"),
                }
            }
            if !entries.is_empty() {
                let pause = self.pause_before(entries.iter().map(|(ticket, _)| *ticket));
                let call =
                    settle::delete(source.connection.sqs.clone(), source.url.clone(), entries);
                self.tasks.spawn("delete", async move {
                    sleep(pause).await;
                    Event::Deleted(call.await)
                });
            }
        }
        while let Some(batch) = self.settle.take_give_backs(hurry) {
            let mut changes = Vec::with_capacity(batch.len());
            for (ticket, visible_in) in batch {
                if self.leases.is_renewing(ticket) {
                    self.held_back.push((ticket, visible_in));
                    continue;
                }
                self.leases.let_go(ticket);
                match self.leases.handle(ticket, now) {
                    Some(handle) => {
                        changes.push(Change { ticket, handle: handle.to_owned(), visible_in });
                    }
                    None => self.forget_lost(ticket, NOT_GIVEN_BACK),
                }
            }
            if !changes.is_empty() {
                let pause = self.pause_before(changes.iter().map(|change| change.ticket));
                let call =
                    settle::change(source.connection.sqs.clone(), source.url.clone(), changes);
                self.tasks.spawn("give back", async move {
                    sleep(pause).await;
                    Event::GivenBack(call.await)
                });
            }
        }
    }

    /// How long a batch waits that holds what has failed before.
    fn pause_before(&self, batch: impl Iterator<Item = Ticket>) -> Duration {
        let failures = batch.filter_map(|ticket| Some(self.items.get(&ticket)?.settle_failures));
        match failures.max() {
            None | Some(0) => Duration::ZERO,
            Some(failures) => AFTER_FAILURE.delay(failures, fastrand::f64()),
        }
    }

    pub(super) fn deleted(&mut self, results: Results) {
        let now = Instant::now();
        for Settled { ticket, handle, error } in results {
            let Some(item) = self.items.get_mut(&ticket) else { continue };
            if !self.leases.counts(ticket, &handle) {
                // A copy came meanwhile: this answer was about the old one.
                self.settle.delete(ticket);
                continue;
            }
            let Some(error) = error else {
                if self.leases.handle(ticket, now).is_some() {
                    self.finished.deleted(&item.message.id, now);
                    self.delete_objects(ticket);
                }
                self.leave(ticket, true);
                continue;
            };
            metrics::delete_failed(&self.name, error.kind());
            item.settle_failures += 1;
            if error.kind().passes_by_itself() && item.settle_failures < TRIES {
                self.settle.delete(ticket);
                continue;
            }
            tracing::warn!(
                queue = %self.name,
                message_id = item.message.id,
                %error,
                "delete failed; the copy that comes is deleted and not run"
            );
            self.give_back_tail(ticket);
            self.leave(ticket, false);
        }
    }

    pub(super) fn given_back(&mut self, results: Results) {
        for Settled { ticket, handle, error } in results {
            let Some(item) = self.items.get_mut(&ticket) else { continue };
            if !self.leases.counts(ticket, &handle) {
                // It came again before this answer: it is ours once more, and goes back once more.
                self.settle.give_back(ticket, item.hidden_for);
                continue;
            }
            if let Some(error) = error {
                item.settle_failures += 1;
                if error.kind().passes_by_itself() && item.settle_failures < TRIES {
                    self.settle.give_back(ticket, item.hidden_for);
                    continue;
                }
                tracing::warn!(
                    queue = %self.name,
                    message_id = item.message.id,
                    %error,
                    "give-back failed; the message comes again when its lease ends"
                );
            }
            self.leave(ticket, false);
        }
    }

    pub(super) fn forget_lost(&mut self, ticket: Ticket, why: &'static str) {
        if let Some(item) = self.items.get(&ticket) {
            tracing::warn!(queue = %self.name, message_id = item.message.id, "{why}");
        }
        self.give_back_tail(ticket);
        self.leave(ticket, false);
    }
}
