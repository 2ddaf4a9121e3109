//! Publishing: one, or batches by count and by bytes, taken lazily from any source; every failed
//! entry is published again or reported.

use super::Target;
use crate::error::Result;
use crate::message::Outgoing;
use crate::toolkit::carry::batches::Batches;
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
pub struct Publisher(Batches<Target>);

impl Publisher {
    /// To the topic with this ARN; no request is sent and nothing is published yet.
    pub fn new(client: aws_sdk_sns::Client, topic_arn: impl Into<String>) -> Self {
        Self(Batches::new(Target::new(client, topic_arn)))
    }

    /// Another limit than [`MOST_BYTES`], should SNS allow more one day.
    #[must_use]
    pub const fn most_bytes(mut self, bytes: usize) -> Self {
        self.0.to.most_bytes = bytes;
        self
    }

    /// No subscription has raw delivery: any number of attributes may go along.
    #[must_use]
    pub const fn for_envelopes(mut self) -> Self {
        self.0.to.most_attributes = usize::MAX;
        self
    }

    /// The topic's ARN.
    pub fn topic(&self) -> &str {
        &self.0.to.topic
    }

    /// What came of everything that was pushed so far.
    pub const fn report(&self) -> &SendReport {
        self.0.report()
    }

    /// Publishes one message at once, what was pushed before it first waits or not: it is not part
    /// of the batches, nor of the report.
    ///
    /// What passes by itself is tried again, five times in all. Dropped midway, the message may or
    /// may not have been published.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::error::Kind::Invalid) where SNS would refuse it, known before it is
    /// asked; else as SNS says.
    pub async fn publish(&self, message: &Outgoing) -> Result<Sent> {
        self.0.to.publish(message).await
    }

    /// Takes one more message; publishes the batch first when it would not fit.
    ///
    /// Dropped midway, the batch that was on its way may or may not have been published.
    ///
    /// # Errors
    /// When the whole call fails in a way that no other message could escape: no such topic, no
    /// permission, no credentials. What fails for single messages stands in the report.
    pub async fn push(&mut self, message: Outgoing) -> Result<()> {
        self.0.push(message).await
    }

    /// Reports the next message as one that cannot be published, and why: the source has it, and it
    /// is none.
    pub fn refuse(&mut self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        self.0.refuse(why);
    }

    /// Publishes what waits. See [`push`](Self::push) for errors and for what dropping does.
    pub async fn flush(&mut self) -> Result<()> {
        self.0.flush().await
    }

    /// Publishes what waits and tells what came of everything.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn finish(self) -> Result<SendReport> {
        self.0.finish().await
    }
}

#[cfg(test)]
mod tests;
