//! Every lease this queue holds, in one list ordered by when it has to be renewed.
//!
//! Renewals go out in batches of ten. A lease is *lost* when SQS says so or when its deadline
//! passed without renewal; a copy that is received again brings a new handle and is *adopted*.
//! SQS counts the longest lease, 12 hours, from the receive: renewing does not restart it
//! (`ChangeMessageVisibility` in the SQS API reference).

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::handler::LeaseKeeper;
use crate::toolkit::sqs::LONGEST_LEASE;

/// Names one held message for as long as it is held.
pub(super) type Ticket = u64;

/// How many renewal calls may be on their way at the same time.
const PARALLEL_RENEWALS: u32 = 4;
/// After a renewal failed for a reason that may pass.
const RENEW_AGAIN: Duration = Duration::from_secs(1);
/// Renewals that fall due this soon join a batch that leaves anyway.
const JOIN: Duration = Duration::from_secs(2);

/// One renewal to be sent.
#[derive(Debug, Clone)]
pub(super) struct Renewal {
    pub(super) ticket: Ticket,
    pub(super) handle: String,
    pub(super) lease: Duration,
}

#[derive(Debug)]
struct Held {
    message_id: String,
    handle: String,
    keeper: LeaseKeeper,
    received: Instant,
    /// Which receive brought it: FIFO renews handles of one receive together.
    receive: u64,
    /// When it is to be renewed; nothing while a renewal is on its way or the lease is lost.
    due: Option<Instant>,
    /// A renewal of this handle is on its way.
    renewing: bool,
}

impl Held {
    /// False where a newer handle counts, and where the lease was lost before the answer came:
    /// its handler has been told, so it stays lost.
    fn is_answered_by(&self, renewal: &Renewal, now: Instant) -> bool {
        self.handle == renewal.handle && self.keeper.deadline() > now
    }
}

/// The leases of one queue.
#[derive(Debug)]
pub(super) struct Leases {
    length: Duration,
    fifo: bool,
    next_ticket: Ticket,
    held: HashMap<Ticket, Held>,
    by_message: HashMap<String, Ticket>,
    due: BTreeSet<(Instant, Ticket)>,
    deadlines: BTreeSet<(Instant, Ticket)>,
    /// How long a renewal call takes, smoothed.
    latency: Duration,
}

impl Leases {
    pub(super) fn new(length: Duration, fifo: bool) -> Self {
        Self {
            length,
            fifo,
            next_ticket: 0,
            held: HashMap::new(),
            by_message: HashMap::new(),
            due: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            latency: Duration::from_millis(50),
        }
    }

    /// The lease that a receive asks for.
    pub(super) const fn length(&self) -> Duration {
        self.length
    }

    pub(super) fn set_length(&mut self, length: Duration) {
        self.length = length;
    }

    /// False when renewing what is held, and this many more, could fall behind: at the measured
    /// latency all of it must fit into a quarter of the lease.
    pub(super) fn may_take(&self, more: usize) -> bool {
        // With nothing held there is no renewal by which the latency could ever be learned anew.
        if self.held.is_empty() {
            return true;
        }
        let calls = u32::try_from((self.held.len() + more).div_ceil(10)).unwrap_or(u32::MAX);
        self.latency.saturating_mul(calls) / PARALLEL_RENEWALS <= self.length / 4
    }

    /// Enters a message that was just received.
    pub(super) fn enter(
        &mut self,
        message_id: &str,
        handle: String,
        receive: u64,
        now: Instant,
    ) -> (Ticket, LeaseKeeper) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let keeper = LeaseKeeper::new(now + self.length);
        let held = Held {
            message_id: message_id.to_owned(),
            handle,
            keeper: keeper.clone(),
            received: now,
            receive,
            due: None,
            renewing: false,
        };
        self.held.insert(ticket, held);
        self.by_message.insert(message_id.to_owned(), ticket);
        self.deadlines.insert((keeper.deadline(), ticket));
        self.schedule(ticket, now + self.length / 2);
        (ticket, keeper)
    }

    /// A message that is held came again: its new handle is the one that counts from now on.
    pub(super) fn adopt(
        &mut self,
        message_id: &str,
        handle: &str,
        receive: u64,
        now: Instant,
    ) -> Option<Ticket> {
        let ticket = *self.by_message.get(message_id)?;
        let length = self.length;
        let held = self.held.get_mut(&ticket)?;
        handle.clone_into(&mut held.handle);
        held.received = now;
        held.receive = receive;
        held.renewing = false;
        self.deadlines.remove(&(held.keeper.deadline(), ticket));
        held.keeper.renewed(now + length);
        self.deadlines.insert((now + length, ticket));
        self.schedule(ticket, now + length / 2);
        Some(ticket)
    }

    /// The handle to settle a message with; nothing once its lease is lost.
    pub(super) fn handle(&self, ticket: Ticket, now: Instant) -> Option<&str> {
        self.held
            .get(&ticket)
            .filter(|held| held.keeper.deadline() > now)
            .map(|held| held.handle.as_str())
    }

    /// How long the lease may still be made to last, by SQS's 12 hours.
    pub(super) fn room(&self, ticket: Ticket, now: Instant) -> Duration {
        self.held.get(&ticket).map_or(Duration::ZERO, |held| {
            (held.received + LONGEST_LEASE).saturating_duration_since(now)
        })
    }

    /// The message is settled or given up.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        if let Some(held) = self.held.remove(&ticket) {
            self.by_message.remove(&held.message_id);
            self.deadlines.remove(&(held.keeper.deadline(), ticket));
            if let Some(due) = held.due {
                self.due.remove(&(due, ticket));
            }
        }
    }

    /// When something here has to be done next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.due.first().map(|(due, _)| *due);
        let deadline = self.deadlines.first().map(|(deadline, _)| *deadline);
        [due, deadline].into_iter().flatten().min()
    }

    /// One batch of renewals that have to leave now; call again until it is empty.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Renewal> {
        let Some((first_due, first)) = self.due.first().copied() else { return Vec::new() };
        if first_due > now {
            return Vec::new();
        }
        let receive = self.held.get(&first).map(|held| held.receive);
        let batch: Vec<Ticket> = self
            .due
            .range(..=(now + JOIN.min(self.length / 8), Ticket::MAX))
            .map(|(_, ticket)| *ticket)
            .filter(|ticket| {
                !self.fifo || self.held.get(ticket).map(|held| held.receive) == receive
            })
            .take(10)
            .collect();
        batch.into_iter().filter_map(|ticket| self.renewal(ticket, now)).collect()
    }

    /// The renewal of one lease. One that has reached the 12 hours is left to lapse.
    fn renewal(&mut self, ticket: Ticket, now: Instant) -> Option<Renewal> {
        let room = self.room(ticket, now);
        let held = self.held.get_mut(&ticket)?;
        if let Some(due) = held.due.take() {
            self.due.remove(&(due, ticket));
        }
        let lease = Duration::from_secs(self.length.min(room).as_secs());
        held.renewing = !lease.is_zero();
        held.renewing.then(|| Renewal { ticket, handle: held.handle.clone(), lease })
    }

    /// A call that renews these was answered, well or not; it left at `sent`.
    pub(super) fn answered(&mut self, renewals: &[Renewal], sent: Instant, now: Instant) {
        self.latency = (self.latency * 7 + now.saturating_duration_since(sent)) / 8;
        for renewal in renewals {
            if let Some(held) = self.held.get_mut(&renewal.ticket)
                && held.handle == renewal.handle
            {
                held.renewing = false;
            }
        }
    }

    /// True while a renewal of this lease is on its way: what is sent meanwhile may overtake it.
    pub(super) fn is_renewing(&self, ticket: Ticket) -> bool {
        self.held.get(&ticket).is_some_and(|held| held.renewing)
    }

    /// No renewal from now on: the message goes back, and a renewal could undo that.
    pub(super) fn let_go(&mut self, ticket: Ticket) {
        let Some(held) = self.held.get_mut(&ticket) else { return };
        if let Some(due) = held.due.take() {
            self.due.remove(&(due, ticket));
        }
    }

    /// True while this handle is the one that counts; a copy that came meanwhile brings another.
    pub(super) fn counts(&self, ticket: Ticket, handle: &str) -> bool {
        self.held.get(&ticket).is_some_and(|held| held.handle == handle)
    }

    /// SQS confirmed a renewal that left at `sent`.
    pub(super) fn renewed(&mut self, renewal: &Renewal, sent: Instant, now: Instant) {
        let Some(held) = self.held.get_mut(&renewal.ticket) else { return };
        if !held.is_answered_by(renewal, now) {
            return;
        }
        self.deadlines.remove(&(held.keeper.deadline(), renewal.ticket));
        let deadline = sent + renewal.lease;
        held.keeper.renewed(deadline);
        self.deadlines.insert((deadline, renewal.ticket));
        let room = self.room(renewal.ticket, now);
        if room > renewal.lease {
            self.schedule(renewal.ticket, sent + renewal.lease / 2);
        }
    }

    /// A renewal failed. True when the lease is lost by it; otherwise it is tried again.
    pub(super) fn renewal_failed(
        &mut self,
        renewal: &Renewal,
        may_pass: bool,
        now: Instant,
    ) -> bool {
        let Some(held) = self.held.get(&renewal.ticket) else { return false };
        if !held.is_answered_by(renewal, now) {
            return false;
        }
        if may_pass {
            self.schedule(renewal.ticket, now + RENEW_AGAIN.min(self.length / 8));
            return false;
        }
        self.lose(renewal.ticket, now);
        true
    }

    /// The leases whose deadline has passed: each is lost, and told once.
    pub(super) fn take_lost(&mut self, now: Instant) -> Vec<Ticket> {
        let lost: Vec<Ticket> =
            self.deadlines.range(..=(now, Ticket::MAX)).map(|(_, ticket)| *ticket).collect();
        for &ticket in &lost {
            self.lose(ticket, now);
        }
        lost
    }

    /// It is lost: its handler is told, and it is not renewed any more.
    pub(super) fn lose(&mut self, ticket: Ticket, now: Instant) {
        let Some(held) = self.held.get_mut(&ticket) else { return };
        if let Some(due) = held.due.take() {
            self.due.remove(&(due, ticket));
        }
        self.deadlines.remove(&(held.keeper.deadline(), ticket));
        held.keeper.renewed(now);
        held.keeper.lose();
    }

    fn schedule(&mut self, ticket: Ticket, due: Instant) {
        let Some(held) = self.held.get_mut(&ticket) else { return };
        if let Some(before) = held.due.replace(due) {
            self.due.remove(&(before, ticket));
        }
        self.due.insert((due, ticket));
    }
}

#[cfg(test)]
mod tests;
