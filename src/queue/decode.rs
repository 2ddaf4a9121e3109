//! From what SQS hands out to a [`Message`] and its receipt handle.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::MessageAttributeValue;
use bytes::Bytes;

use crate::message::{Attribute, Message};
use crate::payload::envelope;
use crate::toolkit::sqs;

/// A message as it was received, with the handle that settles it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) message: Message,
    pub(super) handle: String,
    /// Its body is not the one of which SQS told the MD5.
    pub(super) is_damaged: bool,
}

/// Reads one message. SQS always sends id and handle; without them there is nothing to settle and
/// nothing to name, and the lease lapses by itself.
pub(super) fn received(
    message: aws_sdk_sqs::types::Message,
    queue: &str,
    event_key: &str,
) -> Option<Received> {
    let is_damaged = sqs::is_damaged(&message);
    let id = message.message_id?;
    let handle = message.receipt_handle?;
    let body = message.body.unwrap_or_default();
    let values = message.message_attributes.unwrap_or_default();
    let labels = values
        .iter()
        .filter(|(_, value)| value.data_type.contains('.'))
        .map(|(name, value)| (name.clone(), value.data_type.clone()))
        .collect();
    let attributes: BTreeMap<String, Attribute> =
        values.into_iter().filter_map(|(name, value)| Some((name, attribute(value)?))).collect();
    let system_attributes = message
        .attributes
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect();
    let event = attributes
        .get(event_key)
        .and_then(Attribute::as_text)
        .map(str::to_owned)
        .or_else(|| envelope::event(&body, event_key));
    let queue = queue.to_owned();
    Some(Received {
        message: Message {
            id,
            queue,
            body: body.into(),
            attributes,
            labels,
            system_attributes,
            event,
        },
        handle,
        is_damaged,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_not_what_sqs_told_is_damaged() {
        let damaged = |md5: Option<&str>| {
            let message = aws_sdk_sqs::types::Message::builder()
                .message_id("id")
                .receipt_handle("handle")
                .body("The quick brown fox jumps over the lazy dog")
                .set_md5_of_body(md5.map(str::to_owned));
            received(message.build(), "orders", "iniesta_pass").unwrap().is_damaged
        };
        assert!(!damaged(Some("9e107d9d372bb6826bd81d3542a419d6")));
        assert!(!damaged(Some("9E107D9D372BB6826BD81D3542A419D6")));
        assert!(!damaged(None));
        assert!(damaged(Some("9e107d9d372bb6826bd81d3542a419d7")));
    }

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
        let received = received(message, "orders", "iniesta_pass").unwrap();
        assert_eq!(received.message.event.as_deref(), Some("Placed.shop"));
        assert_eq!(received.message.attributes["count"], Attribute::Number("3".into()));
        assert_eq!(received.message.data_type("count"), Some("Number.int"));
        assert_eq!(received.message.data_type("iniesta_pass"), Some("String"));
        assert_eq!(received.handle, "handle");
    }

    #[test]
    fn without_id_or_handle_there_is_nothing_to_settle() {
        let message = aws_sdk_sqs::types::Message::builder().message_id("id").build();
        assert!(received(message, "orders", "e").is_none());
    }
}
