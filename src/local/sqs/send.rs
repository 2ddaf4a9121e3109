//! A message on its way into a queue: checked, deduplicated, put in line.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::message::{Draft, Message, Phase, sequence_number};
use super::queue::Queue;
use super::settings::Settings;
use crate::local::digest;
use crate::local::fault::Fault;

/// No more messages than this stand in one queue, so that memory has a bound.
const MOST_MESSAGES: usize = 1_000_000;
const DEDUPLICATION_WINDOW: Duration = Duration::from_mins(5);

/// What a send answers.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) sequence: Option<String>,
}

impl Queue {
    pub(super) fn send(&self, mut draft: Draft) -> Result<Sent, Fault> {
        let mut state = self.state.lock();
        let settings = &state.settings;
        draft.check(settings.number("MaximumMessageSize"))?;
        let fifo = settings.is_fifo();
        let scope = if fifo { Some(deduplicate(settings, &mut draft)?) } else { None };
        if !fifo && draft.deduplication.is_some() {
            return Err(Fault::parameter(
                "The request includes MessageDeduplicationId, which is not valid for this queue \
                 type.",
            ));
        }
        let delay = draft.delay.unwrap_or_else(|| settings.number("DelaySeconds"));
        if delay > 900 || (fifo && draft.delay.is_some_and(|delay| delay > 0)) {
            return Err(Fault::parameter(format!(
                "Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must \
                 be >= 0 and <= 900, and a FIFO queue takes it for the whole queue only."
            )));
        }
        let retention = settings.number("MessageRetentionPeriod").saturating_mul(1_000);
        let now = Instant::now();
        if let Some(scope) = &scope
            && let Some(sent) = state.depot.duplicate(scope, now)
        {
            return Ok(Sent { id: sent.0, sequence: Some(sequence_number(sent.1)) });
        }
        if state.depot.len() >= MOST_MESSAGES {
            return Err(Fault::new(
                "OverLimit",
                format!("the embedded SQS keeps at most {MOST_MESSAGES} messages in a queue"),
            ));
        }
        let sequence = self.next_sequence.fetch_add(1, Ordering::Relaxed);
        let id = digest::uuid();
        if let Some(scope) = scope {
            state.depot.remember(scope, now + DEDUPLICATION_WINDOW, (id.clone(), sequence));
        }
        let sent = self.clock.millis();
        let delay = Duration::from_secs(delay);
        state.depot.put(Message {
            id: id.clone(),
            sequence,
            place: 0,
            draft,
            sent,
            expires: sent.saturating_add(retention),
            first_received: None,
            receives: 0,
            dead_letter_source: None,
            phase: if delay.is_zero() { Phase::Ready } else { Phase::Delayed(now + delay) },
        });
        drop(state);
        self.changed.notify_waiters();
        Ok(Sent { id, sequence: fifo.then(|| sequence_number(sequence)) })
    }
}

/// Fills in the message's deduplication id and gives the scope in which it must be new.
fn deduplicate(settings: &Settings, draft: &mut Draft) -> Result<String, Fault> {
    let Some(group) = draft.group.clone().filter(|group| !group.is_empty()) else {
        return Err(Fault::missing("MessageGroupId"));
    };
    let id = match &draft.deduplication {
        Some(id) => id.clone(),
        None if settings.deduplicates_by_content() => digest::sha256_hex(draft.body.as_bytes()),
        None => {
            return Err(Fault::parameter(
                "The queue should either have ContentBasedDeduplication enabled or \
                 MessageDeduplicationId provided explicitly",
            ));
        }
    };
    draft.deduplication = Some(id.clone());
    Ok(if settings.deduplicates_by_group() { format!("{group}\n{id}") } else { id })
}
