//! Publishing: one, or batches by count and by bytes, taken lazily from any source; every failed
//! entry is published again or reported.

use std::collections::HashMap;

use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::rules;
use crate::again::again;
use crate::aws::batch::{self, MOST_ENTRIES};
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Outgoing};
use crate::toolkit::carry::{Item, Outcome, Outlet, carry};
use crate::toolkit::transport::{SendReport, Sent};

/// The most bytes of a message, and of a batch, attributes included (SNS quotas: 256 KiB).
pub const MOST_BYTES: usize = 256 << 10;

/// Publishes messages to one topic, singly or in batches.
///
/// SNS itself allows any number of attributes. Subscriptions with raw delivery to a queue take ten
/// at most and SNS drops what has more, so more are refused here unless
/// [`for_envelopes`](Self::for_envelopes) says that no subscription is raw. The delay of a message
/// and its trace header are a queue's: topics have none, and they are not sent.
///
/// Messages of one FIFO group never share a call: in one, the service may take a message and refuse
/// the one before it. What is refused for good is reported, and those behind it go on.
#[derive(Debug)]
pub struct Publisher {
    client: aws_sdk_sns::Client,
    topic: String,
    most_bytes: usize,
    most_attributes: usize,
    pending: Vec<(u64, Outgoing)>,
    bytes: usize,
    taken: u64,
    pub(super) report: SendReport,
}

impl Publisher {
    /// To the topic with this ARN; no request is sent and nothing is published yet.
    pub fn new(client: aws_sdk_sns::Client, topic_arn: impl Into<String>) -> Self {
        Self {
            client,
            topic: topic_arn.into(),
            most_bytes: MOST_BYTES,
            most_attributes: rules::MOST_ATTRIBUTES_RAW,
            pending: Vec::new(),
            bytes: 0,
            taken: 0,
            report: SendReport::default(),
        }
    }

    /// Another limit than [`MOST_BYTES`], should SNS allow more one day.
    #[must_use]
    pub const fn most_bytes(mut self, bytes: usize) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// No subscription has raw delivery: any number of attributes may go along.
    #[must_use]
    pub const fn for_envelopes(mut self) -> Self {
        self.most_attributes = usize::MAX;
        self
    }

    /// The topic's ARN.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What came of everything that was pushed so far.
    pub const fn report(&self) -> &SendReport {
        &self.report
    }

    /// True for a topic that keeps the order of its messages.
    pub(crate) fn is_fifo(&self) -> bool {
        self.topic.strip_suffix(".fifo").is_some()
    }

    /// Why SNS would refuse it, known before it is asked.
    pub(crate) fn unfit(&self, message: &Outgoing) -> Option<String> {
        let limits = rules::Limits {
            bytes: self.most_bytes,
            attributes: self.most_attributes,
            fifo: self.is_fifo(),
        };
        rules::check(message, &limits).err()
    }

    /// Publishes one message at once, what was pushed before it first waits or not: it is not part
    /// of the batches, nor of the report.
    ///
    /// What passes by itself is tried again, five times in all. Dropped midway, the message may or
    /// may not have been published.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where SNS would refuse it, known before it is asked; else as SNS says.
    pub async fn publish(&self, message: &Outgoing) -> Result<Sent> {
        let what = format!("publishing to topic {}", self.topic);
        if let Some(why) = self.unfit(message) {
            return Err(Error::new(Kind::Invalid, what).because(why));
        }
        again(|| self.publish_once(message)).await
    }

    /// As [`publish`](Self::publish), but neither checked nor tried again.
    pub(crate) async fn publish_once(&self, message: &Outgoing) -> Result<Sent> {
        let what = format!("publishing to topic {}", self.topic);
        let answer = self
            .client
            .publish()
            .topic_arn(&self.topic)
            .message(&message.body)
            .set_message_attributes(attributes(message)?)
            .set_subject(message.subject.clone())
            .set_message_structure(structure(message))
            .set_message_group_id(message.group.clone())
            .set_message_deduplication_id(message.deduplication_id.clone())
            .send()
            .await
            .map_err(|error| fault(&what, error))?;
        let message_id = answer.message_id.ok_or_else(|| {
            Error::new(Kind::Transient, what).because("the answer holds no message id")
        })?;
        Ok(Sent { message_id, sequence_number: answer.sequence_number })
    }

    /// Takes one more message; publishes the batch first when it would not fit.
    ///
    /// Dropped midway, the batch that was on its way may or may not have been published.
    ///
    /// # Errors
    /// When the whole call fails in a way that no other message could escape: no such topic, no
    /// permission, no credentials. What fails for single messages stands in the report.
    pub async fn push(&mut self, message: Outgoing) -> Result<()> {
        if let Some(why) = self.unfit(&message) {
            self.refuse(why);
            return Ok(());
        }
        let number = self.taken;
        self.taken += 1;
        let full = self.pending.len() == MOST_ENTRIES;
        if full || self.bytes + message.size() > self.most_bytes || self.is_behind(&message) {
            self.flush().await?;
        }
        self.bytes += message.size();
        self.pending.push((number, message));
        Ok(())
    }

    /// In one call SNS may take a message and refuse the one before it, which then came after it.
    fn is_behind(&self, message: &Outgoing) -> bool {
        self.is_fifo() && self.pending.iter().any(|(_, before)| before.group == message.group)
    }

    /// Reports the next message as one that cannot be published, and why: the source has it, and it
    /// is none.
    pub fn refuse(&mut self, why: impl Into<String>) {
        let number = self.taken;
        self.taken += 1;
        let what = format!("message {} for topic {}", number + 1, self.topic);
        self.report.failed.push((number, Error::new(Kind::Invalid, what).because(why.into())));
    }

    /// Publishes what waits. See [`push`](Self::push) for errors and for what dropping does.
    pub async fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let load = std::mem::take(&mut self.pending).into_iter();
        let load = load.map(|(number, message)| Item::new(number, message)).collect();
        let carried = carry(&*self, load).await;
        for (number, outcome) in carried.outcomes {
            match outcome {
                Outcome::Sent => self.report.sent += 1,
                Outcome::Failed(error) => self.report.failed.push((number, error)),
                Outcome::Behind | Outcome::Unsent => {}
            }
        }
        carried.fatal.map_or(Ok(()), Err)
    }

    /// Publishes what waits and tells what came of everything.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn finish(mut self) -> Result<SendReport> {
        self.flush().await?;
        Ok(self.report)
    }
}

impl Outlet for Publisher {
    fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    async fn send_batch(&self, messages: &[&Outgoing]) -> Result<Vec<Option<Error>>> {
        let entries = messages
            .iter()
            .enumerate()
            .map(|(position, message)| entry(message, position))
            .collect::<Result<Vec<_>>>()?;
        let what = format!("publishing to topic {}", self.topic);
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
    PublishBatchRequestEntry::builder()
        .id(batch::entry_id(position))
        .message(&message.body)
        .set_message_attributes(attributes(message)?)
        .set_subject(message.subject.clone())
        .set_message_structure(structure(message))
        .set_message_group_id(message.group.clone())
        .set_message_deduplication_id(message.deduplication_id.clone())
        .build()
        .map_err(unbuilt)
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

#[cfg(test)]
mod tests;
