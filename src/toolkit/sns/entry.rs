//! One message or a batch as the SDK wants it, and what SNS answered to each.

use std::collections::HashMap;

use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::{MOST_BYTES, rules};
use crate::again::again;
use crate::aws::batch;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Outgoing};
use crate::toolkit::carry::Outlet;
use crate::toolkit::carry::batches::Addressee;
use crate::toolkit::transport::Sent;

/// A topic as the outlet of loads.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(super) client: aws_sdk_sns::Client,
    /// Its ARN.
    pub(super) topic: String,
    pub(super) most_bytes: usize,
    pub(super) most_attributes: usize,
}

/// What a message says, by itself and as an entry of a batch.
macro_rules! filled {
    ($call:expr, $message:expr) => {
        $call
            .message(&$message.body)
            .set_message_attributes(attributes($message)?)
            .set_subject($message.subject.clone())
            .set_message_structure(structure($message))
            .set_message_group_id($message.group.clone())
            .set_message_deduplication_id($message.deduplication_id.clone())
    };
}

impl Target {
    /// Nothing is asked yet.
    pub(crate) fn new(client: aws_sdk_sns::Client, topic: impl Into<String>) -> Self {
        let most_attributes = rules::MOST_ATTRIBUTES_RAW;
        Self { client, topic: topic.into(), most_bytes: MOST_BYTES, most_attributes }
    }

    fn what(&self) -> String {
        format!("publishing to topic {}", self.topic)
    }

    /// Publishes one message, and again what passes by itself.
    pub(super) async fn publish(&self, message: &Outgoing) -> Result<Sent> {
        if let Some(why) = self.unfit(message) {
            return Err(Error::new(Kind::Invalid, self.what()).because(why));
        }
        again(|| self.publish_once(message)).await
    }

    /// Publishes one message, neither checked nor tried again.
    pub(crate) async fn publish_once(&self, message: &Outgoing) -> Result<Sent> {
        let call = filled!(self.client.publish().topic_arn(&self.topic), message);
        let answer = call.send().await.map_err(|error| fault(self.what(), error))?;
        let message_id = answer.message_id.ok_or_else(|| {
            Error::new(Kind::Transient, self.what()).because("the answer holds no message id")
        })?;
        Ok(Sent { message_id, sequence_number: answer.sequence_number })
    }
}

impl Addressee for Target {
    fn name(&self) -> String {
        format!("topic {}", self.topic)
    }

    fn is_fifo(&self) -> bool {
        self.topic.strip_suffix(".fifo").is_some()
    }

    fn unfit(&self, message: &Outgoing) -> Option<String> {
        let limits = rules::Limits {
            bytes: self.most_bytes,
            attributes: self.most_attributes,
            fifo: self.is_fifo(),
        };
        rules::check(message, &limits).err()
    }
}

impl Outlet for Target {
    fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    async fn send_batch(&self, messages: &[&Outgoing]) -> Result<Vec<Option<Error>>> {
        let entries = messages
            .iter()
            .enumerate()
            .map(|(position, message)| entry(message, position))
            .collect::<Result<Vec<_>>>()?;
        let what = self.what();
        let answer = self
            .client
            .publish_batch()
            .topic_arn(&self.topic)
            .set_publish_batch_request_entries(Some(entries))
            .send()
            .await
            .map_err(|error| fault(&what, error))?;
        let mut outcomes = batch::outcomes(answer.failed(), messages.len(), &what);
        for (position, outcome) in outcomes.iter_mut().enumerate() {
            let id = batch::entry_id(position);
            let confirmed = answer.successful().iter().any(|entry| entry.id() == Some(&*id));
            if outcome.is_none() && !confirmed {
                let told = "the answer does not name this entry";
                *outcome = Some(Error::new(Kind::Transient, &*what).because(told));
            }
        }
        Ok(outcomes)
    }
}

fn entry(message: &Outgoing, position: usize) -> Result<PublishBatchRequestEntry> {
    let entry = PublishBatchRequestEntry::builder().id(batch::entry_id(position));
    filled!(entry, message).build().map_err(unbuilt)
}

fn structure(message: &Outgoing) -> Option<String> {
    message.is_per_protocol.then(|| "json".to_owned())
}

fn attributes(message: &Outgoing) -> Result<Option<HashMap<String, MessageAttributeValue>>> {
    let all = message
        .attributes
        .iter()
        .map(|(name, value)| Ok((name.clone(), as_sdk(message.data_type(name, value), value)?)))
        .collect::<Result<HashMap<_, _>>>()?;
    Ok((!all.is_empty()).then_some(all))
}

fn as_sdk(data_type: &str, value: &Attribute) -> Result<MessageAttributeValue> {
    let builder = MessageAttributeValue::builder().data_type(data_type);
    match value {
        Attribute::String(text) | Attribute::Number(text) => builder.string_value(text),
        Attribute::Binary(bytes) => builder.binary_value(Blob::new(bytes.to_vec())),
    }
    .build()
    .map_err(unbuilt)
}

fn unbuilt(error: aws_sdk_sns::error::BuildError) -> Error {
    Error::new(Kind::Bug, "building a message for SNS").because(error)
}
