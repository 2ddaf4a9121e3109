//! A message to a topic.

use std::collections::HashMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::primitives::Blob;
use aws_sdk_sns::types::MessageAttributeValue;

use super::Refusal;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Outgoing};

/// Publishes it. When it returns, SNS has confirmed it.
///
/// Dropped midway, it may or may not have been published.
pub(crate) async fn publish(
    client: &Client,
    topic: &str,
    message: Outgoing,
) -> std::result::Result<(), Refusal> {
    publish_one(client, topic, &message).await.map_err(|error| {
        // SNS calls an ARN that is none of its own invalid too.
        let of_topic = error.to_string().contains("TopicArn");
        if error.kind() == Kind::Invalid && !of_topic {
            Refusal::Own(error)
        } else {
            Refusal::Refused(error)
        }
    })
}

async fn publish_one(client: &Client, topic: &str, message: &Outgoing) -> Result<()> {
    let mut attributes = HashMap::new();
    for (name, value) in &message.attributes {
        let typed = MessageAttributeValue::builder().data_type(message.data_type(name, value));
        let attribute = match value {
            Attribute::String(text) | Attribute::Number(text) => typed.string_value(text),
            Attribute::Binary(bytes) => typed.binary_value(Blob::new(bytes.to_vec())),
        };
        let attribute = attribute
            .build()
            .map_err(|error| Error::new(Kind::Bug, "building a message for SNS").because(error))?;
        attributes.insert(name.clone(), attribute);
    }
    let answer = client
        .publish()
        .topic_arn(topic)
        .message(&message.body)
        .set_subject(message.subject.clone())
        .set_message_structure(message.is_per_protocol.then(|| "json".to_owned()))
        .set_message_group_id(message.group.clone())
        .set_message_deduplication_id(message.deduplication_id.clone())
        .set_message_attributes(Some(attributes))
        .send()
        .await;
    answer.map(|_answer| ()).map_err(|error| fault(format!("publishing to topic {topic}"), error))
}
