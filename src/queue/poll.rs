//! Long polls: when one may leave, for how many messages, and the one call that makes it.
//!
//! A poll leaves when ten slots are free, or 50 ms after the first came free, with what is there;
//! it never needs all of them. It is never dropped midway: SQS has picked the messages by then and
//! would hide them for a whole lease.

use std::time::Duration;

use aws_sdk_sqs::types::MessageSystemAttributeName;
use tokio::time::Instant;

use super::decode::{Received, received};
use crate::backoff::Backoff;
use crate::config::{self, names::covers};
use crate::error::Result;
use crate::toolkit::sqs::QueueUrl;
use crate::toolkit::sqs::poll::poll;
use crate::toolkit::sqs::settle::seconds;

/// A receive asks for at most this many (SQS API reference).
const FULL: usize = 10;
const LINGER: Duration = Duration::from_millis(50);
/// So many polls at the same time, while each comes back full.
const MOST_OPEN: usize = 8;
/// An empty answer that comes faster than this was no long poll: more of them would be a hot loop.
const HASTY: Duration = Duration::from_secs(1);
const AFTER_EMPTY: Backoff = Backoff::doubling(Duration::from_millis(100), Duration::from_secs(20));
const AFTER_FAILURE: Backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_mins(1));

/// What is needed here, whatever else is asked for: delays grow with the first, order in FIFO
/// queues is kept by the second, and the trace goes on to handlers and with what is set aside.
const NEEDED: [&str; 3] = ["ApproximateReceiveCount", "MessageGroupId", "AWSTraceHeader"];

/// The message attribute that carries the W3C trace.
const TRACE: &str = "traceparent";

/// When polls leave.
#[derive(Debug, Default)]
pub(super) struct Polls {
    open: usize,
    reserved: usize,
    free_since: Option<Instant>,
    not_before: Option<Instant>,
    failures: u32,
    empties: u32,
    /// The last poll came back full: more than one may be open.
    busy: bool,
}

/// Whether a poll may leave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Now, for so many messages.
    Poll(usize),
    /// Not before then.
    Wait(Instant),
    /// Only when something ends.
    Closed,
}

impl Polls {
    pub(super) const fn open(&self) -> usize {
        self.open
    }

    /// Whether a poll may leave now, with so many slots not taken by messages.
    pub(super) fn admit(&mut self, slots: usize, settings: &config::Queue) -> Admission {
        let now = Instant::now();
        let free = slots.saturating_sub(self.reserved);
        if free == 0 {
            self.free_since = None;
            return Admission::Closed;
        }
        let first_free = *self.free_since.get_or_insert(now);
        let most_open = if self.busy { (free / FULL).clamp(1, MOST_OPEN) } else { 1 };
        if self.open >= most_open {
            return Admission::Closed;
        }
        if let Some(not_before) = self.not_before.filter(|&at| at > now) {
            return Admission::Wait(not_before);
        }
        if free < FULL.min(settings.concurrency) && now < first_free + LINGER {
            return Admission::Wait(first_free + LINGER);
        }
        Admission::Poll(free.min(settings.max_messages))
    }

    /// A poll for so many leaves.
    pub(super) fn left(&mut self, asked: usize) {
        self.open += 1;
        self.reserved += asked;
        self.free_since = None;
    }

    /// A poll came back with this many.
    pub(super) fn came_back(&mut self, asked: usize, brought: usize, took: Duration) {
        self.closed(asked);
        self.failures = 0;
        self.busy = brought >= asked;
        if brought == 0 && took < HASTY {
            self.empties += 1;
            self.not_before =
                Some(Instant::now() + AFTER_EMPTY.delay(self.empties, fastrand::f64()));
        } else {
            self.empties = 0;
            self.not_before = None;
        }
    }

    /// A poll, or finding the queue, failed.
    pub(super) fn failed(&mut self, asked: usize) {
        if asked > 0 {
            self.closed(asked);
        }
        self.busy = false;
        self.failures += 1;
        self.not_before =
            Some(Instant::now() + AFTER_FAILURE.delay(self.failures, fastrand::f64()));
    }

    /// Before when nothing may be asked.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before.filter(|&at| at > Instant::now())
    }

    fn closed(&mut self, asked: usize) {
        self.open = self.open.saturating_sub(1);
        self.reserved = self.reserved.saturating_sub(asked);
    }
}

/// One receive.
#[derive(Debug)]
pub(super) struct Receive {
    pub(super) client: aws_sdk_sqs::Client,
    pub(super) url: QueueUrl,
    pub(super) lease: Duration,
    pub(super) wait: Duration,
    pub(super) messages: usize,
}

impl Receive {
    /// Sends it and waits for the answer. Must not be dropped midway: see the head of this file.
    pub(super) async fn send(self, settings: &config::Queue) -> Result<Vec<Received>> {
        let Self { client, url, lease, wait, messages } = self;
        let asked = &settings.system_attributes;
        let needed = NEEDED.into_iter().filter(|name| !asked.iter().any(|own| own == name));
        let system = asked.iter().map(String::as_str).chain(needed);
        let messages = poll(&client, &url, (messages, wait), |call| {
            call.visibility_timeout(seconds(lease))
                .set_message_attribute_names(Some(asked_for(&settings.attributes)))
                .set_message_system_attribute_names(Some(
                    system.map(MessageSystemAttributeName::from).collect(),
                ))
        });
        let messages = messages.await?.into_iter();
        Ok(messages
            .filter_map(|message| received(message, url.name(), &settings.event_key))
            .collect())
    }
}

/// The attributes that a poll asks for: those of the settings, and the trace with them.
fn asked_for(own: &[String]) -> Vec<String> {
    let trace = (!own.iter().any(|asked| covers(asked, TRACE))).then(|| TRACE.to_owned());
    own.iter().cloned().chain(trace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(concurrency: usize) -> config::Queue {
        config::Queue { concurrency, ..config::Queue::new("orders") }
    }

    #[test]
    fn the_trace_is_asked_for_once_however_few_attributes_are() {
        let asked =
            |own: &[&str]| asked_for(&own.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(asked(&["kind"]), ["kind", "traceparent"]);
        assert_eq!(asked(&[]), ["traceparent"]);
        for whole in ["All", ".*", "trace.*", "traceparent"] {
            assert_eq!(asked(&[whole]), [whole]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ten_free_leave_at_once_fewer_after_a_moment() {
        let mut polls = Polls::default();
        let many = settings(50);
        assert_eq!(polls.admit(12, &many), Admission::Poll(10));
        let start = Instant::now();
        let mut polls = Polls::default();
        assert_eq!(polls.admit(3, &many), Admission::Wait(start + LINGER));
        tokio::time::advance(LINGER).await;
        assert_eq!(polls.admit(4, &many), Admission::Poll(4));
        // A queue with few slots does not wait for ten.
        assert_eq!(Polls::default().admit(2, &settings(2)), Admission::Poll(2));
        // One slow message never closes the others' slots.
        assert_eq!(Polls::default().admit(0, &many), Admission::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn one_poll_while_idle_more_while_they_come_back_full() {
        let mut polls = Polls::default();
        let many = settings(50);
        polls.left(10);
        assert_eq!(polls.admit(50, &many), Admission::Closed);
        polls.came_back(10, 10, Duration::from_millis(5));
        for _ in 0..2 {
            assert_eq!(polls.admit(40, &many), Admission::Poll(10));
            polls.left(10);
        }
        assert_eq!(polls.admit(40, &many), Admission::Closed);
        polls.came_back(10, 3, Duration::from_millis(5));
        assert_eq!(polls.admit(40, &many), Admission::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn empty_short_polls_and_failures_back_off() {
        let mut polls = Polls::default();
        let queue = settings(1);
        polls.left(1);
        polls.came_back(1, 0, Duration::from_secs(20));
        assert_eq!(polls.admit(1, &queue), Admission::Poll(1));
        let mut waits = Vec::new();
        for _ in 0..10 {
            polls.left(1);
            polls.came_back(1, 0, Duration::ZERO);
            waits.push(polls.not_before().unwrap() - Instant::now());
            assert!(matches!(polls.admit(1, &queue), Admission::Wait(_)));
        }
        assert!(waits[9] >= Duration::from_secs(10), "{waits:?}");
        polls.left(1);
        polls.failed(1);
        assert!(polls.not_before().unwrap() <= Instant::now() + Duration::from_secs(1));
        assert_eq!(polls.open(), 0);
    }
}
