//! Locks and finished ids, where `[idempotency]` is set: a message is handled only under its lock,
//! and deleted only once its finished id is confirmed.
//!
//! The order is: handler done → finished id confirmed → delete confirmed → unlock. Who finds a
//! finished id deletes the message and does not run it; who finds the lock held gives the message
//! back for as long as it stands, or keeps it where one more receive would make SQS move it to the
//! dead-letter queue untried.

mod away;
mod contention;
mod finish;
mod keeper;
mod kept;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::away::Away;
pub(super) use self::keeper::End;
use self::kept::Kept;
use super::lease::Ticket;
use super::{Event, Stage, Stages};
use crate::config::{Idempotency, OnStoreError};
use crate::error::{Error, Result};
use crate::lock::{Lock, Store};
use crate::telemetry::metrics;
use crate::telemetry::repeat::Repeat;

/// What one queue knows of locks.
#[derive(Debug)]
pub(super) struct Guard {
    store: Store,
    settings: Idempotency,
    held: HashMap<Ticket, Hold>,
    /// Waiting under their lease for somebody else's lock, or for the store.
    kept: Kept,
    /// Done, and their finished ids not confirmed: the store has to come back first.
    unconfirmed: HashSet<Ticket>,
    away: Option<Away>,
    trouble: Repeat,
    overflow: Repeat,
}

/// Under what a message is handled.
#[derive(Debug)]
enum Hold {
    /// A lock, kept by a task of its own until it is told to stop.
    Lock { token: String, stop: CancellationToken },
    /// Nothing: the store is away, and the settings say to proceed.
    Nothing,
}

/// What a task brought back from the store.
#[derive(Debug)]
pub(super) enum News {
    Entered {
        ticket: Ticket,
        result: Result<Entry>,
    },
    LockEnded {
        ticket: Ticket,
        token: String,
        end: End,
    },
    Finished {
        ticket: Ticket,
        result: Result<()>,
    },
    Probed(Result<()>),
    /// Probing was given up, since the daemon stops.
    NotProbed,
}

/// What came of asking to handle a message.
#[derive(Debug)]
pub(super) enum Entry {
    Locked(Lock),
    /// Somebody else has it, for about so long.
    Busy(Duration),
    /// It was handled before.
    Finished,
}

impl Guard {
    pub(super) fn new(store: Store, settings: Idempotency) -> Self {
        // Nothing is polled before the store has shown that it works: no receive is spent in vain.
        let away = (settings.on_store_error == OnStoreError::Retry).then(Away::unknown);
        Self {
            store,
            settings,
            held: HashMap::new(),
            kept: Kept::default(),
            unconfirmed: HashSet::new(),
            away,
            trouble: Repeat::default(),
            overflow: Repeat::default(),
        }
    }

    /// How many messages are kept without taking a slot.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// True while no message can be locked, so that none is worth polling for.
    pub(super) const fn is_away(&self) -> bool {
        self.away.is_some()
    }
}

#[cfg(test)]
impl Guard {
    pub(super) fn holds(&self, ticket: Ticket) -> bool {
        self.held.contains_key(&ticket)
    }

    /// The token of the lock on this message.
    pub(super) fn token(&self, ticket: Ticket) -> Option<&str> {
        match self.held.get(&ticket)? {
            Hold::Lock { token, .. } => Some(token),
            Hold::Nothing => None,
        }
    }

    /// As if a probe were on its way.
    pub(super) fn probing(&mut self) {
        self.away.as_mut().unwrap().probing();
    }
}

/// iniesta's name of a lock.
fn lock_key(message_id: &str) -> String {
    format!("sqs:event:{message_id}")
}

/// Ids of messages are unique in a queue, and the store is shared by many.
fn finished_key(queue_arn: &str, message_id: &str) -> String {
    format!("sqs:done:{queue_arn}:{message_id}")
}

impl Stages {
    pub(super) fn heard(&mut self, news: News) {
        match news {
            News::Entered { ticket, result } => self.entered(ticket, result),
            News::LockEnded { ticket, token, end } => self.lock_ended(ticket, &token, end),
            News::Finished { ticket, result } => self.finish_answered(ticket, result),
            News::Probed(result) => self.probed(result),
            News::NotProbed => {}
        }
    }

    /// True where the handler of this message may run; otherwise its lock is asked for first.
    pub(super) fn may_run(&mut self, ticket: Ticket) -> bool {
        let (Some(guard), Some(source)) = (&mut self.guard, &self.source) else { return true };
        if guard.held.contains_key(&ticket) {
            return true;
        }
        let Some(item) = self.items.get(&ticket) else { return false };
        if guard.is_away() {
            self.wait_for_store(ticket);
            return false;
        }
        let (key, done) = (lock_key(&item.message.id), finished_key(&source.arn, &item.message.id));
        let (store, settings) = (guard.store.clone(), guard.settings.clone());
        let shutdown = self.shutdown.clone();
        self.tasks.spawn("lock", async move {
            let result = keeper::enter(&store, &key, &done, &settings, &shutdown).await;
            Event::Heard(News::Entered { ticket, result })
        });
        false
    }

    fn entered(&mut self, ticket: Ticket, result: Result<Entry>) {
        if self.is_settled(ticket) {
            // It went back meanwhile, with one before it in its group.
            if let Ok(Entry::Locked(lock)) = result {
                self.keep_lock(ticket, lock);
                self.unlock(ticket);
            }
            return;
        }
        match result {
            Ok(entry) => {
                self.store_works();
                match entry {
                    Entry::Locked(lock) => {
                        self.keep_lock(ticket, lock);
                        self.go_on(ticket);
                    }
                    Entry::Busy(left) => self.contended(ticket, left),
                    Entry::Finished => self.found_finished(ticket),
                }
            }
            Err(error) if self.proceeds() => {
                self.tell_unguarded(&error, "message is handled without lock");
                self.hold(ticket, Hold::Nothing);
                self.go_on(ticket);
            }
            Err(error) => {
                self.store_failed(&error);
                self.wait_for_store(ticket);
            }
        }
    }

    fn keep_lock(&mut self, ticket: Ticket, lock: Lock) {
        let Some(guard) = &self.guard else { return };
        let (store, lease) = (guard.store.clone(), guard.settings.lock_timeout);
        let (token, stop) = (lock.token.clone(), CancellationToken::new());
        self.hold(ticket, Hold::Lock { token: token.clone(), stop: stop.clone() });
        self.tasks.spawn("lock keeper", async move {
            let end = keeper::keep(&store, lock, lease, &stop).await;
            Event::Heard(News::LockEnded { ticket, token, end })
        });
    }

    fn hold(&mut self, ticket: Ticket, hold: Hold) {
        if let Some(guard) = &mut self.guard {
            guard.held.insert(ticket, hold);
        }
    }

    /// The lock is ours; the lease may have been lost, and the daemon told to stop, meanwhile.
    fn go_on(&mut self, ticket: Ticket) {
        if !self.lease_stands(ticket) {
            self.forget_lost(ticket, "lease was lost while its lock was asked for");
        } else if self.draining {
            self.release(ticket);
        } else {
            self.start(ticket);
        }
    }

    /// A lock came to its end: it was released, or it is lost.
    fn lock_ended(&mut self, ticket: Ticket, token: &str, end: End) {
        let Some(guard) = &mut self.guard else { return };
        let ours = |hold: &Hold| matches!(hold, Hold::Lock { token: own, .. } if own == token);
        if end == End::Released || !guard.held.get(&ticket).is_some_and(ours) {
            return;
        }
        guard.held.remove(&ticket);
        let Some(item) = self.items.get(&ticket) else { return };
        let (stage, message) = (item.stage, Arc::clone(&item.message));
        // What waits asks anew when it begins; what is settled has been handled under it.
        if !matches!(stage, Stage::Preparing | Stage::Gathering | Stage::Running) {
            return;
        }
        metrics::lock_lost(&self.name);
        if end == End::Unreachable && self.proceeds() {
            self.hold(ticket, Hold::Nothing);
            metrics::unguarded(&self.name);
            let message_id = &*message.id;
            tracing::error!(queue = %self.name, message_id, "lock could not be renewed; the handler goes on without it");
            return;
        }
        tracing::warn!(queue = %self.name, message_id = message.id, "lock lost, and the lease with it");
        self.leases.lose(ticket, Instant::now());
    }

    /// The message is settled or goes back: nobody needs its lock any more.
    pub(super) fn unlock(&mut self, ticket: Ticket) {
        let Some(guard) = &mut self.guard else { return };
        guard.kept.leave(ticket);
        guard.unconfirmed.remove(&ticket);
        if let Some(Hold::Lock { stop, .. }) = guard.held.remove(&ticket) {
            stop.cancel();
        }
    }

    fn proceeds(&self) -> bool {
        let settings = self.guard.as_ref().map(|guard| &guard.settings);
        settings.is_some_and(|settings| settings.on_store_error == OnStoreError::Proceed)
    }

    /// Said loudly once, and counted each time.
    fn tell_unguarded(&mut self, error: &Error, what: &'static str) {
        metrics::unguarded(&self.name);
        let Some(guard) = &mut self.guard else { return };
        let kind = error.kind();
        if guard.trouble.is_due(kind) {
            tracing::error!(queue = %self.name, kind = kind.label(), %error, "idempotency store is away, so it is done without: {what}");
        } else {
            tracing::debug!(queue = %self.name, kind = kind.label(), %error, "{what}");
        }
    }
}
