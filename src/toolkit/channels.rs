//! Channels: publish and subscribe by a name, without a setup. What is published on a channel
//! reaches every node that subscribed to it before.
//!
//! A channel is a topic, a node of it a queue; the names are those of AWSimple, so that its
//! programs and ours meet on one channel. Messages are JSON objects. At least once: a message is
//! deleted after it was handled, and two subscribers of the same node share its messages.
//!
//! First use creates what is missing: the topic, and for a subscriber also the queue, its policy
//! (merged) and the subscription. Nothing is ever deleted by that; [`cleanup`] deletes queues that
//! nobody has used for long.

pub mod cleanup;
mod names;
mod subscriber;
mod usage;

use serde_json::{Map, Value};

use super::sns::{self, NewTopic, Publisher as Topic, Wishes};
use super::sqs::{self, NewQueue, Queue, QueueUrl};
use crate::aws::Connection;
use crate::error::{Error, Kind, Result};
use crate::message::Outgoing;

pub use names::{Scheme, default_node, mangle};
pub use subscriber::{Received, Subscriber};

/// A message of a channel.
pub type Object = Map<String, Value>;

/// The channels of one account and region.
#[derive(Debug, Clone)]
pub struct Channels {
    sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    scheme: Scheme,
}

/// Publishes on one channel.
#[derive(Debug)]
pub struct Publisher {
    topic: Topic,
}

impl Channels {
    /// Through this connection, with the names of AWSimple 8.
    pub fn new(connection: &Connection) -> Self {
        let (sqs, sns) = (connection.sqs.clone(), connection.sns.clone());
        Self { sqs, sns, scheme: Scheme::default() }
    }

    /// With the names of another version of AWSimple.
    #[must_use]
    pub const fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Publishes on a channel; creates its topic where there is none.
    ///
    /// # Errors
    /// Where the topic can neither be found nor created.
    pub async fn publisher(&self, channel: &str) -> Result<Publisher> {
        Ok(Publisher { topic: Topic::new(self.sns.clone(), self.topic(channel).await?) })
    }

    /// Subscribes a node to a channel; creates topic, queue, policy and subscription where they are
    /// missing, and notes on the queue that it is used. Nodes that are named the same share their
    /// messages; [`default_node`] is one name per user and computer.
    ///
    /// What is published before the first subscriber of a node begins, that node never gets.
    /// Dropped midway, part of it may have been created; the next call goes on from there.
    ///
    /// # Errors
    /// Where one of them can neither be found nor created, or the queue's policy is none.
    pub async fn subscriber(&self, channel: &str, node: &str) -> Result<Subscriber> {
        let topic = self.topic(channel).await?;
        let name = self.scheme.queue(channel, node);
        let new = NewQueue { name, ..NewQueue::default() };
        let queue = sqs::create(&self.sqs, &new, told_to_wait).await?;
        // Raw or not is the subscription's: AWSimple's own subscribers of this node want envelopes.
        sns::subscribe_queue(&self.sns, &topic, &self.sqs, &queue, &Wishes::default()).await?;
        usage::note(&self.sqs, &queue, &topic).await?;
        Subscriber::of(self.queue(&queue), queue, topic)
    }

    async fn topic(&self, channel: &str) -> Result<String> {
        let name = names::topic(channel);
        // As AWSimple makes it: SNS refuses one topic with two sets of attributes.
        let attributes = [("DisplayName".to_owned(), name.clone())].into();
        sns::create(&self.sns, &NewTopic { name, attributes, ..NewTopic::default() }).await
    }

    fn queue(&self, url: &QueueUrl) -> Queue {
        Queue::new(self.sqs.clone(), url.as_str())
    }
}

fn told_to_wait(at_most: std::time::Duration) {
    tracing::warn!(
        at_most_seconds = at_most.as_secs(),
        "queue was deleted a moment ago; SQS withholds its name"
    );
}

impl Publisher {
    /// Publishes one message: an object. Gives SNS's id of it.
    ///
    /// What passes by itself is tried again. Dropped midway, it may or may not have been published.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for what is no object or too large; else as SNS says.
    pub async fn publish(&self, message: &Value) -> Result<String> {
        if !message.is_object() {
            let what = format!("publishing on {}", self.topic());
            return Err(Error::new(Kind::Invalid, what).because("a message is a JSON object"));
        }
        let sent = self.topic.publish(&Outgoing::text(message.to_string())).await?;
        Ok(sent.message_id)
    }

    /// The ARN of the channel's topic.
    pub fn topic(&self) -> &str {
        self.topic.topic()
    }
}
