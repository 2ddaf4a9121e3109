//! From what SQS hands out to a [`Message`] and the handle that settles it.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::MessageAttributeValue;
use bytes::Bytes;

use crate::message::{Attribute, Message};

/// Reads one message; its event is the attribute `event_key` of the message itself, else of the SNS
/// envelope that its body is. SQS always sends id and handle; without them there is nothing to
/// settle and nothing to name, and the lease lapses by itself.
pub(crate) fn received(
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
    let read = Message {
        id: message.message_id?,
        queue: queue.to_owned(),
        body: body.into(),
        attributes,
        labels,
        system_attributes,
        event,
    };
    Some((read, message.receipt_handle?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_of_the_message_itself_comes_first() {
        let value = |text: &str| {
            MessageAttributeValue::builder().data_type("String").string_value(text).build().unwrap()
        };
        let message = aws_sdk_sqs::types::Message::builder()
            .message_id("id")
            .receipt_handle("handle")
            .body("plain")
            .message_attributes("iniesta_pass", value("Placed.shop"))
            .message_attributes(
                "count",
                MessageAttributeValue::builder()
                    .data_type("Number.int")
                    .string_value("3")
                    .build()
                    .unwrap(),
            )
            .build();
        let (read, handle) = received(message, "orders", "iniesta_pass").unwrap();
        assert_eq!(read.event.as_deref(), Some("Placed.shop"));
        assert_eq!(read.attributes["count"], Attribute::Number("3".into()));
        assert_eq!(read.data_type("count"), Some("Number.int"));
        assert_eq!(read.data_type("iniesta_pass"), Some("String"));
        assert_eq!(handle, "handle");
    }

    #[test]
    fn without_id_or_handle_there_is_nothing_to_settle() {
        let message = aws_sdk_sqs::types::Message::builder().message_id("id").build();
        assert!(received(message, "orders", "e").is_none());
    }
}
