//! The messages of one queue and in which order they come out. Knows no clock: told the time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::message::{Message, Phase};

/// Ids of FIFO messages seen lately; older ones are let go when it is full.
const MOST_REMEMBERED: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Depot {
    messages: HashMap<u64, Message>,
    /// Ready messages by their place in line.
    ready: BTreeMap<u64, u64>,
    /// Hidden messages by when they surface.
    hidden: BTreeSet<(Instant, u64)>,
    in_flight: usize,
    /// FIFO groups with a message in flight, and how many.
    locked: HashMap<String, usize>,
    seen: HashMap<String, (Instant, (String, u64))>,
    next_place: u64,
}

impl Depot {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Ready, in flight, delayed.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.ready.len(), self.in_flight, self.hidden.len().saturating_sub(self.in_flight))
    }

    pub(super) fn get(&self, sequence: u64) -> Option<&Message> {
        self.messages.get(&sequence)
    }

    pub(super) fn next_change(&self) -> Option<Instant> {
        self.hidden.first().map(|(at, _)| *at)
    }

    /// Puts a message at the end of the line.
    pub(super) fn put(&mut self, mut message: Message) {
        let sequence = message.sequence;
        self.next_place = self.next_place.saturating_add(1);
        message.place = self.next_place;
        match message.phase {
            Phase::Ready => drop(self.ready.insert(message.place, sequence)),
            Phase::Delayed(until) | Phase::InFlight { until, .. } => {
                self.hidden.insert((until, sequence));
            }
        }
        self.messages.insert(sequence, message);
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Message> {
        let message = self.messages.remove(&sequence)?;
        match message.phase {
            Phase::Ready => drop(self.ready.remove(&message.place)),
            Phase::Delayed(until) => drop(self.hidden.remove(&(until, sequence))),
            Phase::InFlight { until, .. } => {
                self.hidden.remove(&(until, sequence));
                self.release(message.draft.group.as_deref());
            }
        }
        Some(message)
    }

    /// Makes ready what is due, and lets go of what is past its retention.
    pub(super) fn surface(&mut self, now: Instant, millis: u64) {
        while let Some((at, sequence)) = self.hidden.first().copied().filter(|(at, _)| *at <= now) {
            self.hidden.remove(&(at, sequence));
            let Some(message) = self.messages.get_mut(&sequence) else { continue };
            let leased = matches!(message.phase, Phase::InFlight { .. });
            message.phase = Phase::Ready;
            self.ready.insert(message.place, sequence);
            if leased {
                let group = message.draft.group.clone();
                self.release(group.as_deref());
            }
        }
        while let Some(sequence) = self.oldest_expired(millis) {
            drop(self.remove(sequence));
        }
    }

    fn oldest_expired(&self, millis: u64) -> Option<u64> {
        let (_, sequence) = self.ready.first_key_value()?;
        self.messages.get(sequence).filter(|m| m.expires <= millis).map(|_| *sequence)
    }

    /// Ready messages that a receive may take, in order: a FIFO group with a message in flight
    /// waits. More than `most` are named, since some may go to the dead-letter queue instead.
    pub(super) fn candidates(&self, most: usize, fifo: bool) -> Vec<u64> {
        let enough = most.saturating_mul(16);
        self.ready
            .values()
            .filter(|sequence| !fifo || !self.is_locked(**sequence))
            .take(enough)
            .copied()
            .collect()
    }

    fn is_locked(&self, sequence: u64) -> bool {
        let group = self.messages.get(&sequence).and_then(|m| m.draft.group.as_ref());
        group.is_some_and(|group| self.locked.contains_key(group))
    }

    pub(super) fn lease(
        &mut self,
        sequence: u64,
        now: Instant,
        lease: Duration,
        millis: u64,
    ) -> Option<&Message> {
        let message = self.messages.get_mut(&sequence)?;
        self.ready.remove(&message.place);
        message.receives = message.receives.saturating_add(1);
        message.first_received.get_or_insert(millis);
        message.phase = Phase::InFlight { until: now + lease, since: now };
        if message.draft.deduplication.is_none() {
            self.next_place = self.next_place.saturating_add(1);
            message.place = self.next_place;
        }
        self.hidden.insert((now + lease, sequence));
        self.in_flight = self.in_flight.saturating_add(1);
        if let Some(group) = &message.draft.group {
            *self.locked.entry(group.clone()).or_default() += 1;
        }
        Some(message)
    }

    pub(super) fn renew(&mut self, sequence: u64, until: Instant) {
        if let Some(message) = self.messages.get_mut(&sequence)
            && let Phase::InFlight { until: before, since } = message.phase
        {
            self.hidden.remove(&(before, sequence));
            self.hidden.insert((until, sequence));
            message.phase = Phase::InFlight { until, since };
        }
    }

    fn release(&mut self, group: Option<&str>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(group) = group else { return };
        if let Some(count) = self.locked.get_mut(group) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.locked.remove(group);
            }
        }
    }

    pub(super) fn duplicate(&self, scope: &str, now: Instant) -> Option<(String, u64)> {
        self.seen.get(scope).filter(|(until, _)| *until > now).map(|(_, sent)| sent.clone())
    }

    pub(super) fn remember(&mut self, scope: String, until: Instant, sent: (String, u64)) {
        if self.seen.len() >= MOST_REMEMBERED {
            let now = Instant::now();
            self.seen.retain(|_, (until, _)| *until > now);
        }
        if self.seen.len() < MOST_REMEMBERED {
            self.seen.insert(scope, (until, sent));
        }
    }
}
