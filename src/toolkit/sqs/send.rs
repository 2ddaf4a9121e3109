//! Sending: batches by count and by bytes, taken lazily from any source; every failed entry is
//! sent again or reported.

use std::time::Duration;

use super::{QueueUrl, Target};
use crate::error::Result;
use crate::message::{Outgoing, is_allowed};
use crate::toolkit::carry::batches::{Addressee, Batches};
use crate::toolkit::transport::SendReport;
use crate::units;

/// The most bytes of a message, and of a batch, attributes included (1 MiB since 2025; a queue may
/// allow less and then refuses itself).
pub const MOST_BYTES: usize = 1 << 20;

/// The longest that SQS hides a message at first (`DelaySeconds` in the SQS API reference).
pub const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// A delay as SQS takes it: whole seconds from 0 to 15 minutes, written `"30"`, `"30s"` or `"15m"`.
///
/// # Errors
/// Says whether the text is no duration, or one that is out of range.
pub fn delay(text: &str) -> std::result::Result<Duration, String> {
    let out_of_range = || format!("{text} is out of range: a delay has from 0 s to 15 m");
    let delay = match text.trim().strip_prefix('-').map(units::duration) {
        Some(Ok(_)) => return Err(out_of_range()),
        _ => units::duration(text)
            .map_err(|_| format!("{text:?} is not a duration; write one like 30s, up to 15m"))?,
    };
    if delay > LONGEST_DELAY {
        return Err(out_of_range());
    }
    if delay.subsec_nanos() > 0 {
        return Err(format!("{text} is not whole: SQS counts seconds"));
    }
    Ok(delay)
}

/// Sends messages to one queue, in batches.
///
/// Messages of one FIFO group never share a call: in one, the service may take a message and refuse
/// the one before it. What is refused for good is reported, and those behind it go on.
#[derive(Debug)]
pub struct Sender(Batches<Target>);

/// Why SQS would refuse it, known before it is asked.
pub(crate) fn unfit(message: &Outgoing) -> Option<String> {
    if message.body.is_empty() {
        return Some("SQS takes no empty message".to_owned());
    }
    if message.size() > MOST_BYTES {
        return Some(format!("it has {} bytes, SQS takes at most {MOST_BYTES}", message.size()));
    }
    if message.attributes.len() > 10 {
        return Some(format!("it has {} attributes, SQS takes 10", message.attributes.len()));
    }
    if let Some(c) = message.body.chars().find(|&c| !is_allowed(c)) {
        let point = u32::from(c);
        return Some(format!("it holds the character U+{point:04X}, which SQS does not take"));
    }
    if message.delay.is_some_and(|delay| delay > LONGEST_DELAY) {
        return Some("its delay is out of range: SQS takes from 0 s to 15 m".to_owned());
    }
    None
}

/// The same, and what a queue of this kind refuses.
pub(super) fn unfit_for(message: &Outgoing, fifo: bool) -> Option<String> {
    if fifo && message.group.is_none() {
        return Some("a FIFO queue takes no message without a group".to_owned());
    }
    if fifo && message.delay.is_some_and(|delay| !delay.is_zero()) {
        return Some("a FIFO queue has one delay for all, and none for a message".to_owned());
    }
    if !fifo && message.deduplication_id.is_some() {
        return Some("a deduplication id is for FIFO queues, and this is none".to_owned());
    }
    unfit(message)
}

impl Addressee for Target {
    fn name(&self) -> String {
        format!("queue {}", self.url.name())
    }

    fn is_fifo(&self) -> bool {
        self.url.is_fifo()
    }

    fn unfit(&self, message: &Outgoing) -> Option<String> {
        unfit_for(message, self.url.is_fifo())
    }
}

impl Sender {
    /// Nothing sent yet.
    pub fn new(client: aws_sdk_sqs::Client, url: QueueUrl) -> Self {
        Self(Batches::new(Target { client, url }))
    }

    /// Takes one more message; sends the batch first when it would not fit.
    ///
    /// Dropped midway, the batch that was on its way may or may not have been sent.
    ///
    /// # Errors
    /// When the whole call fails in a way that no other message could escape: no such queue, no
    /// permission, no credentials. What fails for single messages stands in the report.
    pub async fn push(&mut self, message: Outgoing) -> Result<()> {
        self.0.push(message).await
    }

    /// Reports the next message as one that cannot be sent, and why: the source has it, and it is
    /// none.
    pub fn refuse(&mut self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        self.0.refuse(why);
    }

    /// Sends what waits. See [`push`](Self::push) for errors and for what dropping does.
    pub async fn flush(&mut self) -> Result<()> {
        self.0.flush().await
    }

    /// Sends what waits and tells what came of everything.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn finish(self) -> Result<SendReport> {
        self.0.finish().await
    }

    /// What came of everything so far.
    pub const fn report(&self) -> &SendReport {
        self.0.report()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqs_would_refuse_is_known_before() {
        assert!(unfit(&Outgoing::text("")).is_some());
        assert!(unfit(&Outgoing::text("a\u{0}b")).is_some_and(|why| why.contains("U+0000")));
        assert!(unfit(&Outgoing::text("x".repeat(MOST_BYTES + 1))).is_some());
        assert_eq!(unfit(&Outgoing::text("tab\tand 🦀")), None);
    }

    #[test]
    fn fifo_and_standard_queues_want_different_things() {
        let plain = Outgoing::text("x");
        let grouped = Outgoing { group: Some("g".to_owned()), ..plain.clone() };
        let named = Outgoing { deduplication_id: Some("d".to_owned()), ..grouped.clone() };
        let late = Outgoing { delay: Some(Duration::from_secs(1)), ..grouped.clone() };
        for (message, fifo, standard) in
            [(plain, false, true), (grouped, true, true), (named, true, false), (late, false, true)]
        {
            assert_eq!(unfit_for(&message, true).is_none(), fifo, "{message:?}");
            assert_eq!(unfit_for(&message, false).is_none(), standard, "{message:?}");
        }
        let late = Outgoing { delay: Some(Duration::from_secs(901)), ..Outgoing::text("x") };
        assert!(unfit(&late).is_some_and(|why| why.contains("out of range")));
    }

    #[test]
    fn i13_a_delay_has_a_range_and_a_type() {
        for (text, seconds) in [("0", 0), ("1", 1), ("900", 900), ("15m", 900), ("1.5m", 90)] {
            assert_eq!(delay(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["901", "-1", "15.1m", "-0.5s"] {
            assert!(delay(text).unwrap_err().contains("out of range"), "{text}");
        }
        for text in ["a", "", "1x", "-a"] {
            let told = delay(text).unwrap_err();
            assert!(!told.contains("out of range"), "{text}: {told}");
        }
        assert!(delay("1.5").unwrap_err().contains("whole"));
    }
}
