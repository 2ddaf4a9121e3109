//! From what SQS hands out to a [`Message`] and the handle that settles it.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::MessageAttributeValue;
use bytes::Bytes;
use md5::{Digest, Md5};

use crate::message::{Attribute, Message};
use crate::telemetry::metrics;

/// Reads one message, as [`read`] does. The lease of one whose body was damaged on its way lapses by
/// itself: handed out, it would be taken for the one that SQS has, and be deleted.
pub(super) fn received(
    message: aws_sdk_sqs::types::Message,
    queue: &str,
    event_key: &str,
) -> Option<(Message, String)> {
    if is_damaged(&message) {
        metrics::body_damaged(queue);
        tracing::warn!(
            queue,
            message_id = message.message_id,
            "body damaged, its message comes again"
        );
        return None;
    }
    read(message, queue, event_key)
}

/// Reads one message; its event is the attribute `event_key` of the message itself, else of the SNS
/// envelope that its body is. SQS always sends id and handle; without them there is nothing to
/// settle and nothing to name, and the lease lapses by itself.
pub(crate) fn read(
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
    let body = message.body.unwrap_or_default();
    let event = attributes.get(event_key).and_then(Attribute::as_text).map(str::to_owned);
    let event = event.or_else(|| event_in_envelope(&body, event_key));
    let system = message.attributes.unwrap_or_default().into_iter();
    let system_attributes = system.map(|(name, value)| (name.as_str().to_owned(), value)).collect();
    let known = Message {
        id: message.message_id?,
        queue: queue.to_owned(),
        body: body.into(),
        attributes,
        labels,
        system_attributes,
        event,
    };
    Some((known, message.receipt_handle?))
}

/// True where the body is not the one of which SQS told the MD5.
pub(crate) fn is_damaged(message: &aws_sdk_sqs::types::Message) -> bool {
    let came = Md5::digest(message.body.as_deref().unwrap_or_default());
    let came = format!("{:032x}", u128::from_be_bytes(came.into()));
    message.md5_of_body.as_ref().is_some_and(|told| !told.eq_ignore_ascii_case(&came))
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

/// The event that an envelope of SNS announces, if the body is one.
pub(crate) fn event_in_envelope(body: &str, event_key: &str) -> Option<String> {
    if !body.trim_start().starts_with('{') || !body.contains("\"MessageAttributes\"") {
        return None;
    }
    let envelope: serde_json::Value = serde_json::from_str(body).ok()?;
    if envelope.get("Type")?.as_str()? != "Notification" {
        return None;
    }
    Some(envelope.get("MessageAttributes")?.get(event_key)?.get("Value")?.as_str()?.to_owned())
}
