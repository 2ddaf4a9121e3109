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
    /// Starts the handler of a message, or first of all unpacks it.
    pub(super) fn start(&mut self, ticket: Ticket) {
        self.enter_stage(ticket, Stage::Running);
        if let Some(pause) = &mut self.pause {
            pause.try_with(ticket);
        }
        if !self.may_run(ticket) || self.unpacks_first(ticket) {
            return;
        }
        let Some(item) = self.items.get(&ticket) else { return };
        let message = Arc::clone(item.as_handled());
        let Some(handler) = self.routes.find(message.event.as_deref()).cloned() else {
            return self.unrouted(ticket, &message);
        };
        let told = Arc::clone(&message);
        let delivery = Delivery { message, lease: item.keeper.lease() };
        let timeout = self.settings.handler_timeout;
        let abort = self.shutdown.abort_token();
        let name = format!("handler {} for {}", handler.name(), delivery.message.id);
        let queue = Arc::clone(&self.name);
        self.tasks.spawn(name, async move {
            let run = handler::run(&handler, delivery, timeout, &abort).await;
            tell(&queue, &told, &handler, &run);
            Event::Ran { ticket, run }
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

    /// A handler ended.
    pub(super) fn ran(&mut self, ticket: Ticket, run: Ran) {
        let outcome = match run.verdict {
            Err(unavailable) => return self.unavailable(ticket, &unavailable.reason),
            Ok(outcome) => outcome,
        };
        // A run that was cut off may have been so before it began.
        if !matches!(run.ending, Ending::Aborted | Ending::LeaseLost) {
            self.available(ticket);
        }
        metrics::handled(&self.name, outcome.label(), run.duration);
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
