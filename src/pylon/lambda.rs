//! The messages of an event of AWS Lambda.
//!
//! Source: the Lambda developer guide, "Using Lambda with Amazon SQS" (the form of a record), and
//! pylon's own form, `{"body": …, "attributes": …}`, in which its Lambda functions are called.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Message};

/// The messages of an event: one for each record of SQS, or the one that the event itself is.
///
/// # Errors
/// [`Kind::Invalid`], `Unable to determine the event type`, for every other event; and for a record
/// without a body.
pub fn messages(event: &Value) -> Result<Vec<Message>> {
    let records = event.get("Records").and_then(Value::as_array).filter(|records| {
        let source = records.first().and_then(|record| record.get("eventSource"));
        source.and_then(Value::as_str) == Some("aws:sqs")
    });
    if let Some(records) = records {
        return records.iter().map(|record| message(record, "messageAttributes")).collect();
    }
    let attribute = event.get("attributes").and_then(|attributes| attributes.get("objectType"));
    let is_event = attribute.is_some_and(|attribute| {
        text(attribute, "stringValue") == Some("lambdaEvent") || attribute == "lambdaEvent"
    });
    if is_event && event.get("body").is_some() {
        return Ok(vec![message(event, "attributes")?]);
    }
    Err(Error::new(Kind::Invalid, "an event of AWS Lambda")
        .because("Unable to determine the event type")
        .hint("it has records of SQS, or a body and attributes with the objectType lambdaEvent"))
}

fn message(record: &Value, attributes: &str) -> Result<Message> {
    let body = match record.get("body") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => {
            return Err(Error::new(Kind::Invalid, "a record of an event").because("it has no body"));
        }
        Some(other) => other.to_string(),
    };
    let own = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let queue = own("eventSourceARN");
    let of = |name: &str| record.get(name).and_then(Value::as_object);
    let read = of(attributes).map(read).unwrap_or_default();
    let system = of("attributes").filter(|_| attributes != "attributes");
    let system = system
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| value.as_str().map(|value| (name.clone(), value.to_owned())));
    Ok(Message {
        id: own("messageId"),
        queue: queue.rsplit(':').next().unwrap_or_default().to_owned(),
        body: body.into(),
        attributes: read,
        labels: BTreeMap::new(),
        system_attributes: system.collect(),
        event: None,
    })
}

fn read(written: &Map<String, Value>) -> BTreeMap<String, Attribute> {
    let attributes = written.iter().filter_map(|(name, value)| {
        let kind = text(value, "dataType").unwrap_or("String");
        let string = value.as_str().or_else(|| text(value, "stringValue")).map(str::to_owned);
        let attribute = match (string, text(value, "binaryValue")) {
            (Some(number), _) if kind.starts_with("Number") => Attribute::Number(number),
            (Some(string), _) => Attribute::String(string),
            (None, Some(binary)) => Attribute::Binary(BASE64_STANDARD.decode(binary).ok()?.into()),
            (None, None) => return None,
        };
        Some((name.clone(), attribute))
    });
    attributes.collect()
}

/// A part of an attribute, as Lambda writes it (`stringValue`) and as SQS does (`StringValue`).
fn text<'v>(attribute: &'v Value, name: &str) -> Option<&'v str> {
    let parts = attribute.as_object()?;
    let mut named = parts.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.find_map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(id: &str) -> Value {
        json!({
            "messageId": id,
            "body": "hello",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders",
            "attributes": {"ApproximateReceiveCount": "2"},
            "messageAttributes": {
                "ingestionId": {"stringValue": id, "dataType": "String", "binaryListValues": []},
                "n": {"stringValue": "1", "dataType": "Number"},
                "raw": {"binaryValue": "AP8=", "dataType": "Binary"},
            },
        })
    }

    #[test]
    fn p16_records_of_sqs_are_a_message_each_and_then_it_ends() {
        let event = json!({"Records": [record("aaaa"), record("bbbb")]});
        let read = messages(&event).unwrap();
        let ids = read.iter().filter_map(|message| message.attributes["ingestionId"].as_text());
        assert_eq!(ids.collect::<Vec<_>>(), ["aaaa", "bbbb"]);
        assert!(read.get(2).is_none());
        let first = read.first().unwrap();
        assert_eq!((first.queue.as_str(), first.receive_count()), ("orders", 2));
        assert_eq!(first.attributes["n"], Attribute::Number("1".to_owned()));
        assert_eq!(first.attributes["raw"], Attribute::Binary(b"\x00\xff"[..].into()));
    }

    #[test]
    fn p16_an_event_of_pylon_is_one_message_and_any_other_is_refused() {
        for kind in
            [json!({"StringValue": "lambdaEvent", "DataType": "String"}), json!("lambdaEvent")]
        {
            let event = json!({"body": "hello", "attributes": {"objectType": kind}});
            let read = messages(&event).unwrap();
            assert_eq!(read.len(), 1);
            assert_eq!(read[0].attributes["objectType"].as_text(), Some("lambdaEvent"));
        }
        for event in [
            json!({"foo": "bar"}),
            json!({"Records": []}),
            json!({"Records": [{"eventSource": "aws:s3"}]}),
            json!({"body": "x", "attributes": {"objectType": "rawContent"}}),
            json!([]),
        ] {
            let error = messages(&event).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(error.to_string().contains("Unable to determine the event type"), "{error}");
        }
    }
}
