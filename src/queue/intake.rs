//! Finding the queue, polling it, and taking in what a poll brought.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::decode::Received;
use super::guard::Guard;
use super::poll::{Admission, Receive};
use super::source::Source;
use super::{Event, Item, Search, Stage, Stages, count};
use crate::error::{Error, Kind, Result};
use crate::telemetry::metrics;

/// Outcomes under way beyond the slots; more of them stop the polls until SQS has caught up.
const MOST_SETTLING: usize = 100;
/// With `once`, how long an empty queue is waited for.
const ONCE_WAIT: Duration = Duration::from_secs(1);

impl Stages {
    /// Whether a poll may leave now.
    pub(super) fn next_poll(&mut self) -> Admission {
        if self.draining {
            return Admission::Closed;
        }
        match self.search {
            Search::Over => {}
            Search::Running => return Admission::Closed,
            Search::Needed => {
                return self.polls.not_before().map_or(Admission::Closed, Admission::Wait);
            }
        }
        if self.guard.as_ref().is_some_and(Guard::is_away) {
            return Admission::Closed;
        }
        if let Some(pause) = &self.pause {
            return match (pause.admission(self.polls.open()), self.polls.not_before()) {
                (Admission::Poll(_), Some(not_before)) => Admission::Wait(not_before),
                (admission, _) => admission,
            };
        }
        let kept = self.guard.as_ref().map_or(0, Guard::kept);
        let settling = self.items.len() - self.slots - kept;
        if settling > MOST_SETTLING + self.settings.concurrency || !self.leases.may_take(10) {
            return Admission::Closed;
        }
        let free = self.settings.concurrency.saturating_sub(self.slots);
        self.polls.admit(free, &self.settings)
    }

    /// Sends polls, or looks for the queue first.
    pub(super) fn poll(&mut self) {
        if self.search == Search::Needed {
            return self.find();
        }
        while let Admission::Poll(messages) = self.next_poll() {
            let Some(source) = &self.source else { return };
            let wait = self.settings.wait_time;
            let receive = Receive {
                client: source.connection.sqs.clone(),
                url: source.url.clone(),
                lease: self.leases.length(),
                wait: if self.once { wait.min(ONCE_WAIT) } else { wait },
                messages,
            };
            let settings = self.settings.clone();
            let left = Instant::now();
            self.polls.left(messages);
            self.tasks.spawn("receive", async move {
                let result = receive.send(&settings).await;
                Event::Polled { asked: messages, left, result }
            });
        }
    }

    fn find(&mut self) {
        if self.draining || self.polls.not_before().is_some() {
            return;
        }
        self.search = Search::Running;
        let find = Source::find(self.aws.clone(), self.settings.clone());
        let shutdown = self.shutdown.clone();
        // It takes no message, so nothing is lost with its answer.
        self.tasks.spawn("find", async move {
            tokio::select! {
                found = find => Event::Found(found.map(Arc::new)),
                () = shutdown.draining() => Event::NotFound,
            }
        });
    }

    pub(super) fn found(&mut self, result: Result<Arc<Source>>) {
        match result {
            Ok(source) => {
                self.leases.set_length(source.lease);
                if let Some(note) = source.note {
                    tracing::warn!(queue = %self.name, note, "queue found");
                }
                tracing::info!(
                    queue = %self.name,
                    url = source.url.as_str(),
                    lease_seconds = source.lease.as_secs(),
                    concurrency = self.settings.concurrency,
                    "listening to queue"
                );
                self.receive_trouble.is_over();
                self.source = Some(source);
                self.search = Search::Over;
                self.ready = None;
            }
            Err(error) => {
                self.search = Search::Needed;
                self.polls.failed(0);
                self.tell_receive_trouble(&error, "queue cannot be listened to, trying again");
                self.fail_if_once(error);
            }
        }
    }

    pub(super) fn polled(&mut self, asked: usize, left: Instant, result: Result<Vec<Received>>) {
        match result {
            Ok(received) => {
                self.polls.came_back(asked, received.len(), left.elapsed());
                if self.receive_trouble.is_over() {
                    tracing::info!(queue = %self.name, "receiving again");
                }
                // What is kept would go back, and from there to the dead-letter queue untried.
                let kept = self.guard.as_ref().map_or(0, Guard::kept);
                if received.is_empty() && self.once && self.slots + kept == 0 {
                    self.drain();
                }
                self.take_in(received);
            }
            Err(error) => {
                self.polls.failed(asked);
                self.tell_receive_trouble(&error, "receive failed, trying again");
                // With credentials refused, looking for it begins by reading them anew.
                if matches!(error.kind(), Kind::Missing | Kind::Credentials) {
                    self.search = Search::Needed;
                }
                self.fail_if_once(error);
            }
        }
    }

    fn take_in(&mut self, received: Vec<Received>) {
        metrics::received(&self.name, received.len());
        self.report.received += count(received.len());
        self.receives += 1;
        let now = Instant::now();
        for Received { message, handle, is_damaged } in received {
            if self.leases.adopt(&message.id, &handle, self.receives, now).is_some() {
                tracing::warn!(
                    queue = %self.name,
                    message_id = message.id,
                    "received again while it is still held; its new handle is used"
                );
                continue;
            }
            let (ticket, keeper) = self.leases.enter(&message.id, handle, self.receives, now);
            let done_before = self.finished.contains(&message.id, now);
            let message = message.into();
            self.items.insert(
                ticket,
                Item {
                    message,
                    unpacked: None,
                    objects: Vec::new(),
                    is_damaged,
                    keeper,
                    stage: Stage::Waiting,
                    hidden_for: Duration::ZERO,
                    settle_failures: 0,
                },
            );
            self.slots += 1;
            if self.draining {
                self.release(ticket);
                continue;
            }
            let first = self.enter_group(ticket);
            let before = self.before_in_group(ticket).pop();
            if first && done_before {
                self.delete_copy(ticket);
            } else if first || before.is_some_and(|before| self.may_join(ticket, before)) {
                self.start(ticket);
            }
        }
    }

    /// Trouble that a person must mend is an ERROR, trouble that passes a WARN; neither is a storm.
    fn tell_receive_trouble(&mut self, error: &Error, what: &'static str) {
        let kind = error.kind();
        metrics::receive_failed(&self.name, kind);
        if !self.receive_trouble.is_due(kind) {
            tracing::debug!(queue = %self.name, kind = kind.label(), %error, "{what}");
        } else if kind.passes_by_itself() {
            tracing::warn!(queue = %self.name, kind = kind.label(), %error, "{what}");
        } else {
            tracing::error!(queue = %self.name, kind = kind.label(), %error, "{what}");
        }
    }

    /// With `once` there is no next time.
    pub(super) fn fail_if_once(&mut self, error: Error) {
        if self.once {
            self.failure = Some(error);
            self.drain();
        }
    }
}
