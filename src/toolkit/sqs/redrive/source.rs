//! The calls to the queue that is emptied.

use std::collections::BTreeMap;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use bytes::Bytes;

use super::{End, Options};
use crate::aws::batch;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Message};

/// What an answer may take beyond the time that the receive waits by itself.
const ANSWER: Duration = Duration::from_secs(15);

/// What a queue says of itself, as far as a redrive asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    arn: Option<String>,
    created: Option<String>,
    /// About how many wait in it.
    pub(super) visible: usize,
    /// About how many somebody holds.
    pub(super) leased: usize,
    /// About how many are not visible yet.
    pub(super) delayed: usize,
}

impl About {
    /// An ARN is one queue's alone, but for emulators: several may serve the same one, and when it
    /// was made tells them apart; one may serve two regions under the same URL.
    pub(super) fn is_same_queue(&self, other: &Self, same_place: bool) -> bool {
        match (&self.arn, &other.arn) {
            (Some(own), Some(other_arn)) if own == other_arn => {
                same_place || self.created == other.created
            }
            (Some(_), Some(_)) => false,
            _ => same_place,
        }
    }
}

/// Asks a queue about itself; nothing where SQS does not let us ask.
pub(super) async fn about(end: &End) -> Result<Option<About>> {
    let answer = end
        .client
        .get_queue_attributes()
        .queue_url(end.url.as_str())
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .map_err(|error| {
            fault(format!("reading the attributes of queue {}", end.url.name()), error)
        });
    let mut attributes = match answer {
        Ok(answer) => answer.attributes.unwrap_or_default(),
        Err(error) if error.kind() == Kind::Denied => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut count = |name| {
        let text: Option<String> = attributes.remove(&name);
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    Ok(Some(About {
        visible: count(QueueAttributeName::ApproximateNumberOfMessages),
        leased: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        delayed: count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        arn: attributes.remove(&QueueAttributeName::QueueArn),
        created: attributes.remove(&QueueAttributeName::CreatedTimestamp),
    }))
}

/// One long poll: messages and their handles. Must not be dropped midway: SQS would hide what it
/// picked for a whole lease.
pub(super) async fn receive(
    end: &End,
    most: usize,
    options: &Options,
) -> Result<Vec<(Message, String)>> {
    let wait = options.wait;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(wait + ANSWER).build();
    let system =
        [MessageSystemAttributeName::MessageGroupId, MessageSystemAttributeName::AwsTraceHeader];
    let answer = end
        .client
        .receive_message()
        .queue_url(end.url.as_str())
        .max_number_of_messages(i32::try_from(most).unwrap_or(i32::MAX))
        .wait_time_seconds(seconds(wait))
        .visibility_timeout(seconds(options.lease))
        .message_attribute_names("All")
        .set_message_system_attribute_names(Some(system.into()))
        .customize()
        .config_override(aws_sdk_sqs::config::Builder::new().timeout_config(timeouts))
        .send()
        .await
        .map_err(|error| fault(format!("receiving from queue {}", end.url.name()), error))?;
    let messages = answer.messages.unwrap_or_default().into_iter();
    Ok(messages
        .filter_map(|message| received(message, end.url.name(), &options.event_key))
        .collect())
}

/// Deletes up to ten messages by their handles: of each whether it failed.
pub(super) async fn delete(end: &End, handles: &[&str]) -> Vec<Option<Error>> {
    let what = format!("deleting from queue {}", end.url.name());
    let entries = handles.iter().enumerate().map(|(position, handle)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(batch::entry_id(position))
            .receipt_handle(*handle)
            .build()
            .map_err(unbuilt)
    });
    let call = async {
        let request = end.client.delete_message_batch().queue_url(end.url.as_str());
        let entries = entries.collect::<Result<Vec<_>>>()?;
        let answer = request.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| fault(&what, error))?;
        Ok(batch::outcomes(&answer.failed, handles.len(), &what))
    };
    call.await.unwrap_or_else(|error| batch::all_failed(handles.len(), &error))
}

/// Sets the leases of up to ten messages anew, each counted from now: of each whether it failed.
pub(super) async fn hide(end: &End, changes: Vec<(&str, Duration)>) -> Vec<Option<Error>> {
    let what = format!("changing the visibility of messages of queue {}", end.url.name());
    let entries = changes.iter().enumerate().map(|(position, (handle, lease))| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(batch::entry_id(position))
            .receipt_handle(*handle)
            .visibility_timeout(seconds(*lease))
            .build()
            .map_err(unbuilt)
    });
    let call = async {
        let request = end.client.change_message_visibility_batch().queue_url(end.url.as_str());
        let entries = entries.collect::<Result<Vec<_>>>()?;
        let answer = request.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| fault(&what, error))?;
        Ok(batch::outcomes(&answer.failed, changes.len(), &what))
    };
    call.await.unwrap_or_else(|error| batch::all_failed(changes.len(), &error))
}

/// Whole seconds, as SQS counts.
fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn unbuilt(error: aws_sdk_sqs::error::BuildError) -> Error {
    Error::new(Kind::Bug, "building a batch for SQS").because(error)
}

fn received(
    message: aws_sdk_sqs::types::Message,
    queue: &str,
    event_key: &str,
) -> Option<(Message, String)> {
    let values = message.message_attributes.unwrap_or_default();
    let labels = values
        .iter()
        .filter(|(_, value)| value.data_type.contains('.'))
        .map(|(name, value)| (name.clone(), value.data_type.clone()))
        .collect();
    let attributes: BTreeMap<String, Attribute> =
        values.into_iter().filter_map(|(name, value)| Some((name, attribute(value)?))).collect();
    let event = attributes.get(event_key).and_then(Attribute::as_text).map(str::to_owned);
    let system = message.attributes.unwrap_or_default().into_iter();
    let system_attributes = system.map(|(name, value)| (name.as_str().to_owned(), value)).collect();
    let message = (
        Message {
            id: message.message_id?,
            queue: queue.to_owned(),
            body: message.body.unwrap_or_default().into(),
            attributes,
            labels,
            system_attributes,
            event,
        },
        message.receipt_handle?,
    );
    Some(message)
}

fn attribute(value: MessageAttributeValue) -> Option<Attribute> {
    match value.data_type.split('.').next() {
        Some("String") => value.string_value.map(Attribute::String),
        Some("Number") => value.string_value.map(Attribute::Number),
        Some("Binary") => {
            value.binary_value.map(|blob| Attribute::Binary(Bytes::from(blob.into_inner())))
        }
        _ => None,
    }
}
