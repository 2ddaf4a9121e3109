//! The ids of messages whose handler said *done*, so that a copy that comes back is deleted and
//! not run again on this host.
//!
//! A delete with a stale handle succeeds without deleting (`DeleteMessage` in the SQS API
//! reference), so an id is forgotten soon only after a delete that was confirmed while its lease stood.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

/// After a delete that was confirmed while the lease stood.
const AFTER_DELETE: Duration = Duration::from_hours(1);
/// The most ids kept; the one that would be forgotten first makes room.
const MOST: usize = 100_000;

/// Finished message ids, each until it is forgotten.
#[derive(Debug, Default)]
pub(super) struct Finished {
    until: HashMap<String, Instant>,
    order: BTreeSet<(Instant, String)>,
}

impl Finished {
    /// The handler said done; the delete is not confirmed yet.
    pub(super) fn done(&mut self, message_id: &str, retention: Duration, now: Instant) {
        self.keep(message_id, now + retention);
    }

    /// The delete was confirmed while the lease stood.
    pub(super) fn deleted(&mut self, message_id: &str, now: Instant) {
        self.keep(message_id, now + AFTER_DELETE);
    }

    /// True for a message that must not be run again.
    pub(super) fn contains(&mut self, message_id: &str, now: Instant) -> bool {
        while let Some((until, id)) = self.order.first() {
            if *until > now {
                break;
            }
            self.until.remove(id);
            self.order.pop_first();
        }
        self.until.contains_key(message_id)
    }

    fn keep(&mut self, message_id: &str, until: Instant) {
        if let Some(before) = self.until.insert(message_id.to_owned(), until) {
            self.order.remove(&(before, message_id.to_owned()));
        }
        self.order.insert((until, message_id.to_owned()));
        if self.until.len() > MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.until.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn forgotten_an_hour_after_the_delete_or_with_the_retention() {
        let now = Instant::now();
        let mut finished = Finished::default();
        finished.done("kept", Duration::from_hours(96), now);
        finished.done("gone", Duration::from_hours(96), now);
        finished.deleted("gone", now);
        assert!(finished.contains("gone", now + Duration::from_mins(59)));
        assert!(!finished.contains("gone", now + Duration::from_mins(61)));
        assert!(finished.contains("kept", now + Duration::from_hours(95)));
        assert!(!finished.contains("kept", now + Duration::from_hours(97)));
    }

    #[tokio::test(start_paused = true)]
    async fn bounded() {
        let now = Instant::now();
        let mut finished = Finished::default();
        for n in 0..=MOST {
            let later = Duration::from_millis(u64::try_from(n).unwrap());
            finished.done(&n.to_string(), later + Duration::from_hours(1), now);
        }
        assert_eq!(finished.until.len(), MOST);
        assert!(!finished.contains("0", now));
        assert!(finished.contains("1", now));
    }
}
