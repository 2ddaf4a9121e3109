//! Envelopes in JSON: SNS's around a published message, S3's notifications, `EventBridge`'s.
//!
//! An envelope is at most as large as a message, so one that lies in a file is none.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::Stop;
use crate::message::{Attribute, Body};

pub(crate) use crate::toolkit::sqs::event_in_envelope as event;

/// What SNS published, taken out of its envelope.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) body: Body,
    pub(super) attributes: BTreeMap<String, Attribute>,
    pub(super) labels: BTreeMap<String, String>,
}

/// Takes SNS's envelope off. Its signature is not looked at: what is in the queue got there by the
/// queue's policy.
pub(super) fn sns(body: &Body) -> Result<Published, Stop> {
    let envelope = object(body)?;
    let text = |name: &str| envelope.get(name).and_then(Value::as_str);
    let (Some("Notification"), Some(message)) = (text("Type"), text("Message")) else {
        return Err(Stop::foreign("it is no envelope of SNS"));
    };
    let mut published = Published {
        body: Body::from(message),
        attributes: BTreeMap::new(),
        labels: BTreeMap::new(),
    };
    let attributes = match envelope.get("MessageAttributes") {
        None | Some(Value::Null) => return Ok(published),
        Some(Value::Object(attributes)) => attributes,
        Some(_) => return Err(Stop::broken("its MessageAttributes are no object")),
    };
    for (name, typed) in attributes {
        let text = |key: &str| typed.get(key).and_then(Value::as_str);
        let read = text("Type").zip(text("Value"));
        let read =
            read.and_then(|(data_type, value)| Some((data_type, attribute(data_type, value)?)));
        let Some((data_type, value)) = read else {
            return Err(Stop::broken(format!("its attribute {name} cannot be read")));
        };
        if data_type != value.data_type() {
            published.labels.insert(name.clone(), data_type.to_owned());
        }
        published.attributes.insert(name.clone(), value);
    }
    Ok(published)
}

fn attribute(data_type: &str, value: &str) -> Option<Attribute> {
    match data_type.split('.').next()? {
        "String" => Some(Attribute::String(value.to_owned())),
        "Number" => Some(Attribute::Number(value.to_owned())),
        "Binary" => Some(Attribute::Binary(Bytes::from(BASE64_STANDARD.decode(value).ok()?))),
        _ => None,
    }
}

/// Sees that it is S3's notification of objects; the body stays as it is.
///
/// S3 sends one message without an object when a bucket begins to notify: a test event, and no
/// work.
pub(super) fn s3_event(body: &Body) -> Result<(), Stop> {
    let event = object(body)?;
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    if text("Event") == Some("s3:TestEvent") && text("Bucket").is_some() {
        return Err(Stop::NoWork("a test event of S3"));
    }
    let records = event.get("Records").and_then(Value::as_array);
    let Some(records) = records.filter(|records| !records.is_empty()) else {
        return Err(Stop::foreign("it is no event of S3"));
    };
    // Other services send records of another kind under the same name.
    let is_of_s3 = |record: &Value| {
        let source = record.get("eventSource").and_then(Value::as_str);
        source.is_some_and(|source| source.ends_with(":s3")) && record.get("s3").is_some()
    };
    if !records.iter().any(is_of_s3) {
        return Err(Stop::foreign("its records are not S3's"));
    }
    let names_an_object = |record: &Value| {
        let text = |pointer| record.pointer(pointer).and_then(Value::as_str);
        text("/eventName").is_some()
            && text("/s3/bucket/name").is_some()
            && text("/s3/object/key").is_some()
    };
    if !records.iter().all(|record| is_of_s3(record) && names_an_object(record)) {
        return Err(Stop::broken("not every record of it names an object"));
    }
    Ok(())
}

/// Sees that it is an event of `EventBridge`; the body stays as it is, since what happened stands
/// beside the detail and not in it.
pub(super) fn eventbridge(body: &Body) -> Result<(), Stop> {
    let event = object(body)?;
    let has_text = |name: &str| event.get(name).is_some_and(Value::is_string);
    let has_detail = event.get("detail").is_some_and(Value::is_object);
    if !(has_text("source") && has_text("detail-type") && has_detail) {
        return Err(Stop::foreign("it is no event of EventBridge"));
    }
    Ok(())
}

fn object(body: &Body) -> Result<Map<String, Value>, Stop> {
    let bytes = body.as_bytes().ok_or_else(|| Stop::foreign("it is too large for an envelope"))?;
    serde_json::from_slice(bytes).map_err(|_| Stop::foreign("it is no JSON object"))
}

#[cfg(test)]
mod tests;
