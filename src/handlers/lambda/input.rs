//! What a function gets as its event.

use aws_smithy_types::base64::encode as base64;
use serde_json::{Map, Value, json};

use crate::config::LambdaInput;
use crate::message::{Attribute, Message};

/// The event for a message, of at most so many bytes.
///
/// # Errors
/// Says why Lambda could never take it.
pub(super) fn of(message: &Message, input: LambdaInput, most: usize) -> Result<Vec<u8>, String> {
    let too_large = |bytes: &dyn std::fmt::Display| {
        format!("it has {bytes} bytes, Lambda takes at most {most}")
    };
    let length = message.body.len();
    if length > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(too_large(&length));
    }
    let body = message.body.as_text().ok_or("its body is not UTF-8 text, and events are JSON")?;
    let event = match input {
        LambdaInput::Message => json!({ "body": body, "attributes": attributes(message) }),
        LambdaInput::Sqs => json!({ "Records": [record(message, body)] }),
        LambdaInput::Body => match serde_json::from_str::<serde::de::IgnoredAny>(body) {
            Ok(_) => return Ok(body.as_bytes().to_vec()),
            Err(error) => return Err(format!("its body is not JSON: {error}")),
        },
    };
    let event = event.to_string();
    if event.len() > most {
        return Err(too_large(&event.len()));
    }
    Ok(event.into_bytes())
}

/// Names and texts; binary values in base64.
fn attributes(message: &Message) -> Map<String, Value> {
    let texts = message.attributes.iter().map(|(name, value)| match value {
        Attribute::String(text) | Attribute::Number(text) => (name.clone(), json!(text)),
        Attribute::Binary(bytes) => (name.clone(), json!(base64(bytes))),
    });
    texts.collect()
}

/// As Lambda writes it when it reads a queue itself, but for the handle and the queue's ARN, which
/// no handler knows.
fn record(message: &Message, body: &str) -> Value {
    let attributes: Map<String, Value> = message
        .attributes
        .iter()
        .map(|(name, value)| {
            let (key, text) = match value {
                Attribute::String(text) | Attribute::Number(text) => ("stringValue", text.clone()),
                Attribute::Binary(bytes) => ("binaryValue", base64(bytes)),
            };
            let told = json!({
                (key): text,
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": message.data_type(name),
            });
            (name.clone(), told)
        })
        .collect();
    json!({
        "messageId": message.id,
        "body": body,
        "attributes": message.system_attributes,
        "messageAttributes": attributes,
        "eventSource": "aws:sqs",
    })
}
