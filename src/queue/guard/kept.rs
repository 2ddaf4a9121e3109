//! Messages that are kept under their lease until they may be tried, each until its time: so many
//! and no more.

use std::collections::{BTreeSet, HashMap};

use tokio::time::Instant;

use super::super::lease::Ticket;

const MOST: usize = 1000;

/// What is kept, ordered by when it is tried.
#[derive(Debug, Default)]
pub(super) struct Kept {
    due: BTreeSet<(Instant, Ticket)>,
    at: HashMap<Ticket, Instant>,
}

impl Kept {
    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    /// Keeps a message until then. False where there is no room.
    pub(super) fn enter(&mut self, ticket: Ticket, at: Instant) -> bool {
        self.leave(ticket);
        if self.at.len() >= MOST {
            return false;
        }
        self.at.insert(ticket, at);
        self.due.insert((at, ticket))
    }

    pub(super) fn leave(&mut self, ticket: Ticket) {
        if let Some(at) = self.at.remove(&ticket) {
            self.due.remove(&(at, ticket));
        }
    }

    /// When the next is tried.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The next whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Ticket> {
        let (_, ticket) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.leave(ticket);
        Some(ticket)
    }

    pub(super) fn take_all(&mut self) -> Vec<Ticket> {
        self.due.clear();
        self.at.drain().map(|(ticket, _)| ticket).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn in_order_of_time_and_no_more_than_there_is_room_for() {
        let now = Instant::now();
        let mut kept = Kept::default();
        for ticket in 0..1000 {
            assert!(kept.enter(ticket, now + Duration::from_secs(1000 - ticket)));
        }
        assert!(!kept.enter(1000, now));
        assert!(kept.enter(7, now + Duration::from_secs(2000)), "it has its place already");
        assert_eq!(kept.take_due(now), None);
        assert_eq!(kept.next_due(), Some(now + Duration::from_secs(1)));
        assert_eq!(kept.take_due(now + Duration::from_secs(9)), Some(999));
        kept.leave(998);
        assert_eq!(kept.take_due(now + Duration::from_secs(9)), Some(997));
        assert_eq!(kept.take_all().len(), 997);
        assert_eq!((kept.len(), kept.next_due()), (0, None));
    }
}
