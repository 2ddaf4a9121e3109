//! A message to its handler, and the verdict to its outcome.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::lease::Ticket;
use super::{Event, Stage, Stages};
use crate::config::OnUnrouted;
use crate::handler::{self, BoxHandler, Delivery, Ending, Ran};
use crate::message::Message;
use crate::outcome::Outcome;
use crate::telemetry::metrics;

impl Stages {
    /// Prepares a message and starts its handler, or lets it wait for company; and those behind it
    /// in its group that may stand in one batch with it.
    pub(super) fn start(&mut self, ticket: Ticket) {
        let mut next = Some(ticket);
        while let Some(ticket) = next {
            next = self.start_one(ticket);
        }
    }

    fn start_one(&mut self, ticket: Ticket) -> Option<Ticket> {
        self.enter_stage(ticket, Stage::Preparing);
        if let Some(pause) = &mut self.pause {
            pause.try_with(ticket);
        }
        if !self.may_run(ticket) || self.unpacks_first(ticket) {
            return None;
        }
        let message = Arc::clone(self.items.get(&ticket)?.as_handled());
        let Some(handler) = self.routes.find(message.event.as_deref()).cloned() else {
            self.unrouted(ticket, &message);
            return None;
        };
        self.ready(ticket, &handler)
    }

    /// Runs a handler once on these messages.
    pub(super) fn run_handler(&mut self, handler: &BoxHandler, tickets: Vec<Ticket>) {
        let mut kept = Vec::with_capacity(tickets.len());
        let mut deliveries = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            self.enter_stage(ticket, Stage::Running);
            // One that is gone meanwhile must not hold up the others.
            let Some(item) = self.items.get(&ticket) else { continue };
            let message = Arc::clone(item.as_handled());
            deliveries.push(Delivery { message, lease: item.keeper.lease() });
            kept.push(ticket);
        }
        let timeout = self.settings.handler_timeout;
        let abort = self.shutdown.abort_token();
        let messages: Vec<_> = deliveries.iter().map(|one| Arc::clone(&one.message)).collect();
        let name = match messages.as_slice() {
            [message] => format!("handler {} for {}", handler.name(), message.id),
            many => format!("handler {} for {} messages", handler.name(), many.len()),
        };
        let (handler, queue) = (handler.clone(), Arc::clone(&self.name));
        self.tasks.spawn(name, async move {
            let runs = handler::run_all(&handler, deliveries, timeout, &abort).await;
            for (message, run) in messages.iter().zip(&runs) {
                tell(&queue, message, &handler, run);
            }
            Event::Ran(kept.into_iter().zip(runs).collect())
        });
    }

    /// No handler takes the message: what the settings say becomes of it.
    fn unrouted(&mut self, ticket: Ticket, message: &Message) {
        let event = message.event.as_deref().unwrap_or("none");
        let reason = format!("no handler for event {event}");
        let outcome = match self.settings.on_unrouted {
            OnUnrouted::Retry => Outcome::retry(reason),
            OnUnrouted::Reject => Outcome::reject(reason),
            OnUnrouted::Delete => Outcome::Done,
        };
        metrics::unrouted(&self.name);
        let (queue, message_id, outcome_is) = (&*self.name, &*message.id, outcome.label());
        let event = message.event.as_deref();
        tracing::warn!(queue, message_id, event, outcome = outcome_is, "no handler for a message");
        self.carry_out(ticket, outcome);
    }

    /// A handler ended, on one message or several.
    pub(super) fn ran(&mut self, runs: Vec<(Ticket, Ran)>) {
        let outcomes = runs.iter().filter_map(|(_, run)| run.verdict.as_ref().ok());
        let worst = outcomes.max_by_key(|outcome| **outcome != Outcome::Done).map(Outcome::label);
        if let (Some(worst), Some((_, run))) = (worst, runs.first()) {
            metrics::handled(&self.name, worst, run.duration);
        }
        let unavailable = |(ticket, run): &(Ticket, Ran)| {
            run.verdict.as_ref().err().map(|unavailable| (*ticket, unavailable.reason.clone()))
        };
        if let Some((first, reason)) = runs.iter().find_map(unavailable) {
            self.outage(first, &reason);
        }
        let stays = |(_, run): &(Ticket, Ran)| {
            matches!(run.verdict, Ok(Outcome::Done | Outcome::Reject { .. }))
        };
        let (settled, back): (Vec<_>, Vec<_>) = runs.into_iter().partition(stays);
        // What goes back does so from the last: none overtakes another of its group.
        for (ticket, run) in settled.into_iter().chain(back.into_iter().rev()) {
            self.ran_on(ticket, run);
        }
    }

    fn ran_on(&mut self, ticket: Ticket, run: Ran) {
        let outcome = match run.verdict {
            Err(unavailable) => return self.unavailable(ticket, &unavailable.reason),
            Ok(outcome) => outcome,
        };
        // A run that was cut off may have been so before it began.
        if !matches!(run.ending, Ending::Aborted | Ending::LeaseLost) {
            self.available(ticket);
        }
        let Some(item) = self.items.get(&ticket) else { return };
        let message = Arc::clone(item.as_handled());
        if run.ending == Ending::Aborted && outcome != Outcome::Done {
            tracing::warn!(queue = %self.name, message_id = message.id, "handler cut off");
            return self.release(ticket);
        }
        self.log(&message, &outcome, run.duration);
        self.carry_out(ticket, outcome);
    }

    /// The one line that every outcome gets.
    pub(super) fn log(&self, message: &Message, outcome: &Outcome, time: Duration) {
        let queue = &*self.name;
        let attempt = message.receive_count();
        let event = message.event.as_deref();
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let message_id = &*message.id;
        let handler = self.routes.find(event).map(BoxHandler::name);
        match outcome {
            Outcome::Done => {
                tracing::info!(queue, message_id, event, handler, attempt, ms, "message done");
            }
            Outcome::Retry { reason, .. } => {
                tracing::warn!(
                    queue,
                    message_id,
                    event,
                    handler,
                    attempt,
                    ms,
                    reason,
                    "message failed"
                );
            }
            Outcome::Reject { reason } => {
                tracing::warn!(
                    queue,
                    message_id,
                    event,
                    handler,
                    attempt,
                    ms,
                    reason,
                    "message rejected"
                );
            }
        }
    }

    /// Carries an outcome out.
    pub(super) fn carry_out(&mut self, ticket: Ticket, outcome: Outcome) {
        match outcome {
            Outcome::Done => self.done(ticket),
            Outcome::Retry { after, .. } => {
                let delay = after.unwrap_or_else(|| self.backoff(ticket));
                self.give_back(ticket, delay);
            }
            Outcome::Reject { reason } => self.reject(ticket, reason),
        }
    }

    /// The delay before a failed message comes again, by how often it has been received.
    pub(super) fn backoff(&self, ticket: Ticket) -> Duration {
        let receives = self.items.get(&ticket).map_or(1, |item| item.message.receive_count());
        self.settings.retry.delay(receives, fastrand::f64())
    }

    /// How often the message may come again before the queue's redrive policy takes it; nothing
    /// where that policy is not known.
    pub(super) fn receives_left(&self, ticket: Ticket) -> Option<u32> {
        let most = self.source.as_ref()?.max_receives?;
        let receives = self.items.get(&ticket).map_or(1, |item| item.message.receive_count());
        Some(most.saturating_sub(receives))
    }

    /// True while settling is still worth asking for.
    pub(super) fn lease_stands(&self, ticket: Ticket) -> bool {
        self.leases.handle(ticket, Instant::now()).is_some()
    }
}

/// Runs that ended in another way than by themselves.
fn tell(queue: &str, message: &Message, handler: &BoxHandler, run: &Ran) {
    let (message_id, event, handler) = (&*message.id, message.event.as_deref(), handler.name());
    match run.ending {
        Ending::TimedOut => {
            let what = "handler took too long and was cut off";
            tracing::warn!(queue, message_id, event, handler, "{what}");
        }
        Ending::LeaseLost => {
            tracing::warn!(queue, message_id, event, handler, "handler was cut off: lease lost");
        }
        Ending::Finished | Ending::Aborted => {}
    }
}
