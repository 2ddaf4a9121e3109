//! Outcomes become deletes and give-backs, in batches of ten, every entry of an answer looked at.
//!
//! Deletes wait up to a second for company; give-backs only a moment, since their delay runs from
//! when SQS hears of it. FIFO queues and a draining daemon wait for nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::lease::Ticket;
use crate::aws::batch::MOST_ENTRIES;
use crate::error::Error;
use crate::toolkit::sqs::{QueueUrl, settle};

const DELETES_WAIT: Duration = Duration::from_secs(1);
const GIVE_BACKS_WAIT: Duration = Duration::from_millis(20);

/// What became of one entry of a batch.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) ticket: Ticket,
    /// The handle it was sent with; the message may have come again with another since.
    pub(super) handle: String,
    pub(super) error: Option<Error>,
}

/// What became of each entry of a batch.
pub(super) type Results = Vec<Settled>;

/// What waits to be sent in a batch: each with when it was asked for.
#[derive(Debug)]
struct Waiting<T> {
    entries: Vec<(Ticket, T)>,
    since: Option<Instant>,
    wait: Duration,
}

/// The deletes and give-backs of one queue that wait for company.
#[derive(Debug)]
pub(super) struct Settle {
    deletes: Waiting<()>,
    give_backs: Waiting<Duration>,
}

impl<T> Waiting<T> {
    const fn new(wait: Duration) -> Self {
        Self { entries: Vec::new(), since: None, wait }
    }

    fn push(&mut self, ticket: Ticket, entry: T) {
        self.since.get_or_insert_with(Instant::now);
        self.entries.push((ticket, entry));
    }

    fn due(&self, hurry: bool) -> Option<Instant> {
        let since = self.since?;
        Some(if hurry || self.entries.len() >= MOST_ENTRIES { since } else { since + self.wait })
    }

    /// A batch that has to leave now.
    fn take(&mut self, hurry: bool) -> Option<Vec<(Ticket, T)>> {
        if self.due(hurry)? > Instant::now() {
            return None;
        }
        let rest = self.entries.split_off(self.entries.len().min(MOST_ENTRIES));
        let batch = std::mem::replace(&mut self.entries, rest);
        if self.entries.is_empty() {
            self.since = None;
        }
        (!batch.is_empty()).then_some(batch)
    }
}

impl Settle {
    pub(super) const fn new() -> Self {
        Self { deletes: Waiting::new(DELETES_WAIT), give_backs: Waiting::new(GIVE_BACKS_WAIT) }
    }

    pub(super) fn delete(&mut self, ticket: Ticket) {
        self.deletes.push(ticket, ());
    }

    /// The message becomes visible again after `delay`.
    pub(super) fn give_back(&mut self, ticket: Ticket, delay: Duration) {
        self.give_backs.push(ticket, delay);
    }

    pub(super) fn take_deletes(&mut self, hurry: bool) -> Option<Vec<Ticket>> {
        let batch = self.deletes.take(hurry)?;
        Some(batch.into_iter().map(|(ticket, ())| ticket).collect())
    }

    pub(super) fn take_give_backs(&mut self, hurry: bool) -> Option<Vec<(Ticket, Duration)>> {
        self.give_backs.take(hurry)
    }

    pub(super) fn next_due(&self, hurry: bool) -> Option<Instant> {
        [self.deletes.due(hurry), self.give_backs.due(hurry)].into_iter().flatten().min()
    }
}

/// Deletes up to ten messages by their handles.
pub(super) async fn delete(
    client: aws_sdk_sqs::Client,
    url: QueueUrl,
    batch: Vec<(Ticket, String)>,
) -> Results {
    let handles: Vec<&str> = batch.iter().map(|(_, handle)| handle.as_str()).collect();
    let errors = settle::delete(&client, &url, &handles).await;
    settled(batch, errors)
}

/// SQS counts whole seconds: what says "not before" must not be cut short, above all not to
/// nothing.
pub(super) fn at_least(delay: Duration) -> Duration {
    let whole = Duration::from_secs(delay.as_secs());
    if whole < delay { whole + Duration::from_secs(1) } else { whole }
}

/// One message's visibility, counted from now.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) ticket: Ticket,
    pub(super) handle: String,
    pub(super) visible_in: Duration,
}

/// Renews or gives back up to ten messages by their handles.
pub(super) async fn change(
    client: aws_sdk_sqs::Client,
    url: QueueUrl,
    batch: Vec<Change>,
) -> Results {
    let changes: Vec<(&str, Duration)> =
        batch.iter().map(|change| (change.handle.as_str(), change.visible_in)).collect();
    let errors = settle::hide(&client, &url, &changes).await;
    settled(batch.into_iter().map(|change| (change.ticket, change.handle)).collect(), errors)
}

/// One result for each entry.
fn settled(batch: Vec<(Ticket, String)>, errors: Vec<Option<Error>>) -> Results {
    batch
        .into_iter()
        .zip(errors)
        .map(|((ticket, handle), error)| Settled { ticket, handle, error })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_leave_at_once_fewer_after_a_second() {
        let mut settle = Settle::new();
        for ticket in 0..12 {
            settle.delete(ticket);
        }
        assert_eq!(settle.take_deletes(false).map(|batch| batch.len()), Some(10));
        assert_eq!(settle.take_deletes(false), None);
        tokio::time::advance(DELETES_WAIT).await;
        assert_eq!(settle.take_deletes(false), Some(vec![10, 11]));
        assert_eq!(settle.next_due(false), None);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_lingers_in_a_hurry() {
        let mut settle = Settle::new();
        settle.delete(1);
        settle.give_back(2, Duration::from_secs(9));
        assert_eq!(settle.take_deletes(true), Some(vec![1]));
        assert_eq!(settle.take_give_backs(true), Some(vec![(2, Duration::from_secs(9))]));
    }

    #[test]
    fn a_delay_is_never_cut_short() {
        let delays = [(0, 0), (1, 1), (500, 1), (1000, 1), (1001, 2), (2999, 3)];
        for (millis, seconds) in delays {
            assert_eq!(at_least(Duration::from_millis(millis)).as_secs(), seconds, "{millis}");
        }
    }
}
