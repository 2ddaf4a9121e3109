//! Every message that the redrive holds: in what stage, under which handle, until when.
//!
//! Nothing is looked up twice: a message that comes again while it is held, because its lease
//! lapsed or since standard queues deliver twice, brings a new handle for what is already known.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::toolkit::sqs::LONGEST_LEASE;

/// The least lease on what stays: longer than on what moves, since there may be many.
const STAYING_LEASE: Duration = Duration::from_mins(5);
/// Renewals that fall due this soon join a batch that leaves anyway.
const JOIN: Duration = Duration::from_secs(5);
/// After a renewal failed for a reason that may pass.
const RENEW_AGAIN: Duration = Duration::from_secs(2);

/// What is happening to a held message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is on its way to the target.
    Moving,
    /// The target has it, and its delete is on its way.
    Deleting,
    /// The target has it, and it could not be deleted: when it comes again it is deleted unsent.
    Undeleted,
    /// It stays, and is given back at the end.
    Staying,
}

/// One renewal to be sent.
#[derive(Debug, Clone)]
pub(super) struct Renewal {
    pub(super) id: String,
    pub(super) handle: String,
    pub(super) lease: Duration,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    handle: String,
    stage: Stage,
    received: Instant,
    deadline: Instant,
    /// When it is to be renewed; nothing while a renewal is on its way, and for what is let go.
    due: Option<Instant>,
}

/// The messages that are held, by id.
#[derive(Debug)]
pub(super) struct Held {
    /// The lease on what moves.
    lease: Duration,
    entries: HashMap<String, Entry>,
    due: BTreeSet<(Instant, String)>,
    /// How many are moving, deleting, undeleted, staying.
    counts: [usize; 4],
    numbers: u64,
}

impl Held {
    pub(super) fn new(lease: Duration) -> Self {
        Self { lease, entries: HashMap::new(), due: BTreeSet::new(), counts: [0; 4], numbers: 0 }
    }

    /// A message was received. One that is held already only brings its new handle, and its stage
    /// is told.
    pub(super) fn enter(&mut self, id: &str, handle: String, now: Instant) -> Option<Stage> {
        let known = self.remove(id);
        let stage = known.as_ref().map(|entry| entry.stage);
        self.numbers += 1;
        let entry = Entry {
            number: known.map_or(self.numbers, |entry| entry.number),
            handle,
            stage: stage.unwrap_or(Stage::Moving),
            received: now,
            deadline: now + self.lease,
            due: None,
        };
        self.add(entry.stage);
        self.entries.insert(id.to_owned(), entry);
        self.schedule(id, now + self.lease / 2);
        stage
    }

    pub(super) fn set(&mut self, id: &str, stage: Stage) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let before = std::mem::replace(&mut entry.stage, stage);
        self.take_away(before);
        self.add(stage);
    }

    /// No longer renewed: it comes again when its lease ends, and is known then.
    pub(super) fn let_go(&mut self, id: &str) {
        if let Some(due) = self.entries.get_mut(id).and_then(|entry| entry.due.take()) {
            self.due.remove(&(due, id.to_owned()));
        }
    }

    /// No longer ours.
    pub(super) fn leave(&mut self, id: &str) {
        drop(self.remove(id));
    }

    /// The handle of a message whose lease stands.
    pub(super) fn handle(&self, id: &str, now: Instant) -> Option<&str> {
        let entry = self.entries.get(id).filter(|entry| entry.deadline > now)?;
        Some(&entry.handle)
    }

    /// How many are in this stage.
    pub(super) fn count(&self, stage: Stage) -> usize {
        self.counts.get(place(stage)).copied().unwrap_or(0)
    }

    /// How many leases stand by our reckoning, but for those that wait to come again.
    pub(super) fn leases(&self, now: Instant) -> usize {
        let kept = |entry: &&Entry| entry.stage != Stage::Undeleted && entry.deadline > now;
        self.entries.values().filter(kept).count()
    }

    /// True while a message that was sent and not deleted is yet to come again.
    pub(super) fn awaits(&self, now: Instant) -> bool {
        let mut entries = self.entries.values();
        entries.any(|entry| entry.stage == Stage::Undeleted && entry.deadline > now)
    }

    /// SQS counts none of those that were sent and not deleted: they are gone after all.
    pub(super) fn forget_undeleted(&mut self) {
        self.entries.retain(|_, entry| entry.stage != Stage::Undeleted);
        while self.count(Stage::Undeleted) > 0 {
            self.take_away(Stage::Undeleted);
        }
    }

    /// What stays under a lease that stands, the last one first: of a FIFO group the head goes
    /// back last.
    pub(super) fn to_give_back(&self, now: Instant) -> Vec<String> {
        let staying = self.entries.values();
        let mut staying: Vec<&Entry> =
            staying.filter(|e| e.stage == Stage::Staying && e.deadline > now).collect();
        staying.sort_by_key(|entry| std::cmp::Reverse(entry.number));
        staying.into_iter().map(|entry| entry.handle.clone()).collect()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Up to ten leases that have to be renewed; nothing while none is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Renewal> {
        if self.next_due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let soon = self.due.iter().take_while(|(at, _)| *at <= now + JOIN).take(10).cloned();
        let soon: Vec<(Instant, String)> = soon.collect();
        soon.into_iter().filter_map(|entry| self.renewal(entry, now)).collect()
    }

    /// A renewal was confirmed.
    pub(super) fn renewed(&mut self, renewal: &Renewal, sent_at: Instant) {
        if let Some(entry) = self.of(renewal) {
            entry.deadline = sent_at + renewal.lease;
            self.schedule(&renewal.id, sent_at + renewal.lease / 2);
        }
    }

    /// A renewal failed; where that passes by itself it is tried again while the lease stands.
    pub(super) fn not_renewed(&mut self, renewal: &Renewal, passes: bool, now: Instant) {
        let stands = self.of(renewal).is_some_and(|entry| passes && entry.deadline > now);
        if stands {
            self.schedule(&renewal.id, now + RENEW_AGAIN);
        }
    }

    fn of(&mut self, renewal: &Renewal) -> Option<&mut Entry> {
        self.entries.get_mut(&renewal.id).filter(|entry| entry.handle == renewal.handle)
    }

    /// SQS counts the longest lease from the receive; what would go beyond is left to lapse.
    fn renewal(&mut self, due: (Instant, String), now: Instant) -> Option<Renewal> {
        self.due.remove(&due);
        let (_, id) = due;
        let entry = self.entries.get_mut(&id)?;
        entry.due = None;
        let lease =
            if entry.stage == Stage::Staying { STAYING_LEASE.max(self.lease) } else { self.lease };
        let room = (entry.received + LONGEST_LEASE).saturating_duration_since(now);
        let fits = room > lease;
        fits.then(|| Renewal { handle: entry.handle.clone(), id, lease })
    }

    fn remove(&mut self, id: &str) -> Option<Entry> {
        self.let_go(id);
        let entry = self.entries.remove(id)?;
        self.take_away(entry.stage);
        Some(entry)
    }

    fn schedule(&mut self, id: &str, at: Instant) {
        self.let_go(id);
        if let Some(entry) = self.entries.get_mut(id) {
            entry.due = Some(at);
            self.due.insert((at, id.to_owned()));
        }
    }

    fn add(&mut self, stage: Stage) {
        if let Some(count) = self.counts.get_mut(place(stage)) {
            *count += 1;
        }
    }

    fn take_away(&mut self, stage: Stage) {
        if let Some(count) = self.counts.get_mut(place(stage)) {
            *count = count.saturating_sub(1);
        }
    }
}

const fn place(stage: Stage) -> usize {
    match stage {
        Stage::Moving => 0,
        Stage::Deleting => 1,
        Stage::Undeleted => 2,
        Stage::Staying => 3,
    }
}

#[cfg(test)]
mod tests;
