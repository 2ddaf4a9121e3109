//! One batch of messages as the SDK wants it, and what SQS answered to each.

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry, SendMessageBatchResultEntry,
};
use md5::{Digest, Md5};

use super::{MOST_BYTES, QueueUrl};
use crate::aws::batch;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Outgoing};
use crate::toolkit::carry::Outlet;

/// A queue as the outlet of loads.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) client: aws_sdk_sqs::Client,
    pub(crate) url: QueueUrl,
}

impl Outlet for Target {
    fn most_bytes(&self) -> usize {
        MOST_BYTES
    }

    async fn send_batch(&self, messages: &[&Outgoing]) -> Result<Vec<Option<Error>>> {
        send_batch(&self.client, &self.url, messages).await
    }
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
        let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
        entry = entry.message_system_attributes(name, trace_as_sdk(trace)?);
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
