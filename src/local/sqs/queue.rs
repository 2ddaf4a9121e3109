//! One queue: its messages, their leases, and the polls that wait for them.
//!
//! A receive takes messages in one step under the lock and only then answers, so a poll that is
//! dropped while it waits takes nothing with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::depot::Depot;
use super::message::{Message, Phase, Selection};
use super::receipt::{Receipt, handle};
use super::settings::{Redrive, Settings};
use crate::local::ACCOUNT;
use crate::local::clock::Clock;
use crate::local::fault::Fault;
use crate::local::guarded::Guarded;

/// AWS's own limit of leased messages.
const MOST_IN_FLIGHT: usize = 120_000;
const LONGEST_LEASE: Duration = Duration::from_hours(12);
const PURGE_PAUSE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) created: u64,
    pub(super) clock: Clock,
    pub(super) next_sequence: AtomicU64,
    pub(super) state: Guarded<State>,
    pub(super) changed: Notify,
    pub(super) deleted: CancellationToken,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    tags: BTreeMap<String, String>,
    modified: u64,
    purged: Option<Instant>,
    pub(super) depot: Depot,
}

/// What a receive asks for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) most: usize,
    pub(super) lease: Option<Duration>,
    pub(super) selection: Selection,
}

/// What one look at the queue gave.
#[derive(Debug)]
struct Look {
    taken: Vec<Value>,
    dead: Vec<Message>,
    next_change: Option<Instant>,
}

impl Queue {
    pub(super) fn new(name: &str, region: &str, settings: Settings, clock: Clock) -> Self {
        let created = clock.millis() / 1_000;
        Self {
            name: name.to_owned(),
            arn: format!("arn:aws:sqs:{region}:{ACCOUNT}:{name}"),
            created,
            clock,
            next_sequence: AtomicU64::new(1),
            state: Guarded::new(State {
                settings,
                tags: BTreeMap::new(),
                modified: created,
                purged: None,
                depot: Depot::default(),
            }),
            changed: Notify::new(),
            deleted: CancellationToken::new(),
        }
    }

    pub(super) fn settings(&self) -> Settings {
        self.state.lock().settings.clone()
    }

    pub(super) fn set(&self, changes: &BTreeMap<String, String>) -> Result<(), Fault> {
        let mut state = self.state.lock();
        state.settings.set(changes)?;
        state.modified = self.clock.millis() / 1_000;
        Ok(())
    }

    pub(super) fn with_tags<R>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> R,
    ) -> R {
        change(&mut self.state.lock().tags)
    }

    /// All attributes of the queue, counts included.
    pub(super) fn attributes(&self) -> BTreeMap<String, String> {
        let mut state = self.state.lock();
        state.depot.surface(Instant::now(), self.clock.millis());
        let mut all = state.settings.all().clone();
        let (ready, in_flight, delayed) = state.depot.counts();
        for (name, value) in [
            ("QueueArn", self.arn.clone()),
            ("CreatedTimestamp", self.created.to_string()),
            ("LastModifiedTimestamp", state.modified.to_string()),
            ("ApproximateNumberOfMessages", ready.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
        ] {
            all.insert(name.to_owned(), value);
        }
        all
    }

    /// Takes a message that another queue gave up.
    pub(super) fn adopt(&self, mut message: Message, source: &str) {
        message.sequence = self.next_sequence.fetch_add(1, Ordering::Relaxed);
        message.receives = 0;
        message.first_received = None;
        message.dead_letter_source = Some(source.to_owned());
        message.phase = Phase::Ready;
        self.state.lock().depot.put(message);
        self.changed.notify_waiters();
    }

    /// Takes what is ready, or waits for it until `deadline` or `drained`. `find` gives the queue
    /// that takes what was received too often; while there is none, such messages are delivered.
    pub(super) async fn receive(
        &self,
        ask: &Ask,
        deadline: Instant,
        drained: &CancellationToken,
        find: impl Fn(&str) -> Option<Arc<Self>> + Send,
    ) -> Result<Vec<Value>, Fault> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if drained.is_cancelled() {
                return Ok(Vec::new());
            }
            if self.deleted.is_cancelled() {
                return Err(super::no_such_queue());
            }
            let redrive = self.settings().redrive();
            let grave = redrive.as_ref().and_then(|redrive| find(&redrive.target));
            let look = self.look(ask, redrive.as_ref().filter(|_| grave.is_some()))?;
            let buried = !look.dead.is_empty();
            if let Some(grave) = grave {
                for message in look.dead {
                    grave.adopt(message, &self.arn);
                }
            }
            if !look.taken.is_empty() || Instant::now() >= deadline {
                return Ok(look.taken);
            }
            if buried {
                continue;
            }
            let wake = look.next_change.map_or(deadline, |next| next.min(deadline));
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(wake) => {}
                () = drained.cancelled() => {}
                () = self.deleted.cancelled() => {}
            }
        }
    }

    fn look(&self, ask: &Ask, redrive: Option<&Redrive>) -> Result<Look, Fault> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let millis = self.clock.millis();
        state.depot.surface(now, millis);
        let (_, in_flight, _) = state.depot.counts();
        if in_flight >= MOST_IN_FLIGHT {
            return Err(Fault::new("OverLimit", "Too many messages are in flight."));
        }
        let fifo = state.settings.is_fifo();
        let lease = ask
            .lease
            .unwrap_or_else(|| Duration::from_secs(state.settings.number("VisibilityTimeout")));
        let mut look = Look { taken: Vec::new(), dead: Vec::new(), next_change: None };
        for sequence in state.depot.candidates(ask.most, fifo) {
            if look.taken.len() >= ask.most {
                break;
            }
            let Some(message) = state.depot.get(sequence) else { continue };
            if redrive.is_some_and(|redrive| message.receives >= redrive.most_receives) {
                look.dead.extend(state.depot.remove(sequence));
                continue;
            }
            let leased = state.depot.lease(sequence, now, lease, millis);
            if let Some(message) = leased {
                let handle = handle(&self.name, message);
                look.taken.push(message.show(&handle, &ask.selection, ACCOUNT));
            }
        }
        look.next_change = state.depot.next_change();
        Ok(look)
    }

    /// Deletes by receipt handle. A handle of an earlier receive succeeds without deleting, as
    /// on AWS; of a FIFO queue an expired one is refused.
    pub(super) fn delete(&self, receipt: &str) -> Result<(), Fault> {
        let receipt = self.receipt(receipt)?;
        let mut state = self.state.lock();
        state.depot.surface(Instant::now(), self.clock.millis());
        let fifo = state.settings.is_fifo();
        let Some(message) = state.depot.get(receipt.sequence) else { return Ok(()) };
        let current = message.receives == receipt.receives;
        let leased = matches!(message.phase, Phase::InFlight { .. });
        if fifo && !(current && leased) {
            return Err(Fault::parameter(format!(
                "Value {} for parameter ReceiptHandle is invalid. Reason: The receipt handle has \
                 expired.",
                receipt.text
            )));
        }
        if current {
            drop(state.depot.remove(receipt.sequence));
            drop(state);
            self.changed.notify_waiters();
        }
        Ok(())
    }

    /// Sets the lease anew, counted from now; zero gives the message back.
    pub(super) fn change_visibility(&self, receipt: &str, lease: Duration) -> Result<(), Fault> {
        if lease > LONGEST_LEASE {
            return Err(Fault::parameter(format!(
                "Value {} for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout \
                 must be an integer between 0 and 43200.",
                lease.as_secs()
            )));
        }
        let receipt = self.receipt(receipt)?;
        let mut state = self.state.lock();
        let now = Instant::now();
        state.depot.surface(now, self.clock.millis());
        let known = state.depot.get(receipt.sequence).filter(|m| m.receives == receipt.receives);
        let Some(message) = known else {
            return Err(Fault::parameter(format!(
                "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist \
                 or is not available for visibility timeout change.",
                receipt.text
            )));
        };
        let Phase::InFlight { since, .. } = message.phase else {
            return Err(Fault::new("MessageNotInflight", "The message is not in flight."));
        };
        if now + lease > since + LONGEST_LEASE {
            return Err(Fault::parameter(format!(
                "Value {} for parameter VisibilityTimeout is invalid. Reason: Total \
                 VisibilityTimeout for the message is beyond the limit [43200 seconds].",
                lease.as_secs()
            )));
        }
        state.depot.renew(receipt.sequence, now + lease);
        state.depot.surface(now, self.clock.millis());
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    pub(super) fn purge(&self) -> Result<(), Fault> {
        let mut state = self.state.lock();
        let now = Instant::now();
        if state.purged.is_some_and(|at| now < at + PURGE_PAUSE) {
            return Err(Fault::new(
                "PurgeQueueInProgress",
                format!(
                    "Only one PurgeQueue operation on {} is allowed every 60 seconds.",
                    self.name
                ),
            ));
        }
        state.purged = Some(now);
        state.depot = Depot::default();
        Ok(())
    }

    fn receipt(&self, text: &str) -> Result<Receipt, Fault> {
        Receipt::read(text).filter(|receipt| receipt.queue == self.name).ok_or_else(|| {
            Fault::new(
                "ReceiptHandleIsInvalid",
                format!("The input receipt handle \"{text}\" is not a valid receipt handle."),
            )
        })
    }
}
