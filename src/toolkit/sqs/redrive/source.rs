//! The calls to the queue that is emptied.

use std::time::Duration;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};

use super::{End, Options};
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::message::Message;
use crate::toolkit::sqs::decode::received;
use crate::toolkit::sqs::poll::poll;
use crate::toolkit::sqs::settle::{self, seconds};

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
    let system =
        [MessageSystemAttributeName::MessageGroupId, MessageSystemAttributeName::AwsTraceHeader];
    let messages = poll(&end.client, &end.url, (most, options.wait), |call| {
        call.visibility_timeout(seconds(options.lease))
            .message_attribute_names("All")
            .set_message_system_attribute_names(Some(system.into()))
    });
    let messages = messages.await?.into_iter();
    Ok(messages
        .filter_map(|message| received(message, end.url.name(), &options.event_key))
        .collect())
}

/// Deletes up to ten messages by their handles: of each whether it failed.
pub(super) async fn delete(end: &End, handles: &[&str]) -> Vec<Option<Error>> {
    settle::delete(&end.client, &end.url, handles).await
}

/// Sets the leases of up to ten messages anew, each counted from now: of each whether it failed.
pub(super) async fn hide(end: &End, changes: Vec<(&str, Duration)>) -> Vec<Option<Error>> {
    settle::hide(&end.client, &end.url, &changes).await
}
