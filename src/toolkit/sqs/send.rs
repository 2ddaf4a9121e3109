//! Sending: batches by count and by bytes, taken lazily from any source; every failed entry is
//! sent again or reported.

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry, SendMessageBatchResultEntry,
};
use md5::{Digest, Md5};

use super::QueueUrl;
use crate::aws::batch::{self, MOST_ENTRIES};
use crate::aws::fault::fault;
use crate::backoff::Backoff;
use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Outgoing, is_allowed};
use crate::toolkit::transport::SendReport;

/// The most bytes of a message, and of a batch, attributes included (1 MiB since 2025; a queue may
/// allow less and then refuses itself).
pub const MOST_BYTES: usize = 1 << 20;

/// How often a failed entry that is not our fault is sent in all.
pub(super) const TRIES: u32 = 5;

/// Sends messages to one queue, in batches.
#[derive(Debug)]
pub struct Sender {
    client: aws_sdk_sqs::Client,
    url: QueueUrl,
    pending: Vec<(u64, Outgoing)>,
    bytes: usize,
    taken: u64,
    pub(super) report: SendReport,
}

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
    message
        .body
        .chars()
        .find(|&c| !is_allowed(c))
        .map(|c| format!("it holds the character U+{:04X}, which SQS does not take", u32::from(c)))
}

fn entry(message: &Outgoing, position: usize) -> Result<SendMessageBatchRequestEntry> {
    let delay = message.delay.map(|delay| i32::try_from(delay.as_secs()).unwrap_or(i32::MAX));
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(batch::entry_id(position))
        .message_body(&message.body)
        .set_delay_seconds(delay)
        .set_message_group_id(message.group.clone())
        .set_message_deduplication_id(message.deduplication_id.clone());
    for (name, value) in &message.attributes {
        entry = entry.message_attributes(name, as_sdk(message.data_type(name, value), value)?);
    }
    if let Some(trace) = &message.trace_header {
        entry = entry.message_system_attributes(
            MessageSystemAttributeNameForSends::AwsTraceHeader,
            trace_as_sdk(trace)?,
        );
    }
    entry.build().map_err(unbuilt)
}

/// Sends up to ten messages in one call and tells of each whether it was confirmed: named as sent,
/// and with the body that we sent.
///
/// Dropped midway, they may or may not have been sent.
pub(crate) async fn send_batch(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    messages: &[&Outgoing],
) -> Result<Vec<Option<Error>>> {
    let entries = messages
        .iter()
        .enumerate()
        .map(|(position, message)| entry(message, position))
        .collect::<Result<Vec<_>>>()?;
    let what = format!("sending to queue {}", url.name());
    let answer = client
        .send_message_batch()
        .queue_url(url.as_str())
        .set_entries(Some(entries))
        .send()
        .await
        .map_err(|error| fault(&what, error))?;
    let outcomes = batch::outcomes(&answer.failed, messages.len(), &what);
    let told = outcomes.into_iter().zip(messages).enumerate();
    Ok(told
        .map(|(position, (outcome, message))| {
            outcome.or_else(|| unconfirmed(&answer.successful, position, message, &what))
        })
        .collect())
}

/// What is wrong with the confirmation of an entry that is not among the failed ones.
fn unconfirmed(
    successful: &[SendMessageBatchResultEntry],
    position: usize,
    message: &Outgoing,
    what: &str,
) -> Option<Error> {
    let id = batch::entry_id(position);
    let Some(entry) = successful.iter().find(|entry| entry.id == id) else {
        let told = "the answer does not name it";
        return Some(Error::new(Kind::Transient, what).because(told));
    };
    let sent = format!("{:032x}", u128::from_be_bytes(Md5::digest(&message.body).into()));
    let came = entry.md5_of_message_body.as_str();
    (!came.is_empty() && !came.eq_ignore_ascii_case(&sent)).then(|| {
        let told = format!("SQS confirms a body with the MD5 {came}, the one sent has {sent}");
        Error::new(Kind::Corrupt, what).because(told)
    })
}

impl Sender {
    /// Nothing sent yet.
    pub fn new(client: aws_sdk_sqs::Client, url: QueueUrl) -> Self {
        Self { client, url, pending: Vec::new(), bytes: 0, taken: 0, report: SendReport::default() }
    }

    /// Takes one more message; sends the batch first when it would not fit.
    ///
    /// Dropped midway, the batch that was on its way may or may not have been sent.
    ///
    /// # Errors
    /// When the whole call fails in a way that no other message could escape: no such queue, no
    /// permission, no credentials. What fails for single messages stands in the report.
    pub async fn push(&mut self, message: Outgoing) -> Result<()> {
        let number = self.taken;
        self.taken += 1;
        if let Some(why) = unfit(&message) {
            self.report_refused(number, why);
            return Ok(());
        }
        if self.pending.len() == MOST_ENTRIES || self.bytes + message.size() > MOST_BYTES {
            self.flush().await?;
        }
        self.bytes += message.size();
        self.pending.push((number, message));
        Ok(())
    }

    /// Reports the next message as one that cannot be sent, and why: the source has it, and it is
    /// none.
    pub fn refuse(&mut self, why: impl Into<String>) {
        let number = self.taken;
        self.taken += 1;
        self.report_refused(number, why.into());
    }

    fn report_refused(&mut self, number: u64, why: String) {
        let what = format!("message {} for queue {}", number + 1, self.url.name());
        self.report.failed.push((number, Error::new(Kind::Invalid, what).because(why)));
    }

    /// Sends what waits. See [`push`](Self::push) for errors and for what dropping does.
    pub async fn flush(&mut self) -> Result<()> {
        let backoff = Backoff::doubling(
            std::time::Duration::from_millis(200),
            std::time::Duration::from_secs(5),
        );
        self.bytes = 0;
        let mut batch = std::mem::take(&mut self.pending);
        let mut tries = 0;
        while !batch.is_empty() {
            tries += 1;
            let outcomes = match self.send(&batch).await {
                Ok(outcomes) => outcomes,
                Err(error) if error.kind().passes_by_itself() && tries < TRIES => {
                    tokio::time::sleep(backoff.delay(tries, fastrand::f64())).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            batch = self.keep_failed(batch, outcomes, tries);
            if !batch.is_empty() {
                tokio::time::sleep(backoff.delay(tries, fastrand::f64())).await;
            }
        }
        Ok(())
    }

    /// Sends what waits and tells what came of everything.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn finish(mut self) -> Result<SendReport> {
        self.flush().await?;
        Ok(self.report)
    }

    /// What came of everything so far.
    pub const fn report(&self) -> &SendReport {
        &self.report
    }

    async fn send(&self, batch: &[(u64, Outgoing)]) -> Result<Vec<Option<Error>>> {
        let messages: Vec<&Outgoing> = batch.iter().map(|(_, message)| message).collect();
        send_batch(&self.client, &self.url, &messages).await
    }

    /// Those that are worth another try; the others are reported.
    fn keep_failed(
        &mut self,
        batch: Vec<(u64, Outgoing)>,
        outcomes: Vec<Option<Error>>,
        tries: u32,
    ) -> Vec<(u64, Outgoing)> {
        let mut again = Vec::new();
        for ((number, message), outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                None => self.report.sent += 1,
                Some(error) if error.kind().passes_by_itself() && tries < TRIES => {
                    again.push((number, message));
                }
                Some(error) => self.report.failed.push((number, error)),
            }
        }
        again
    }
}

/// An attribute as the SDK wants it.
pub(super) fn as_sdk(data_type: &str, value: &Attribute) -> Result<MessageAttributeValue> {
    let builder = MessageAttributeValue::builder().data_type(data_type);
    match value {
        Attribute::String(text) | Attribute::Number(text) => builder.string_value(text),
        Attribute::Binary(bytes) => builder.binary_value(Blob::new(bytes.to_vec())),
    }
    .build()
    .map_err(unbuilt)
}

/// The trace header as the SDK wants it.
pub(super) fn trace_as_sdk(trace: &str) -> Result<MessageSystemAttributeValue> {
    let builder = MessageSystemAttributeValue::builder().data_type("String");
    builder.string_value(trace).build().map_err(unbuilt)
}

fn unbuilt(error: aws_sdk_sqs::error::BuildError) -> Error {
    Error::new(Kind::Bug, "building a message for SQS").because(error)
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
}
