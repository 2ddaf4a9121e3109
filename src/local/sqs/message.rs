//! A message in the embedded SQS, and the checksums and sizes that AWS defines over it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::crypto::{Checksum as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::local::digest;
use crate::local::fault::Fault;

/// One message attribute as the protocol carries it; binary values stay base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Attribute {
    pub(crate) data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) string_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binary_value: Option<String>,
}

pub(crate) type Attributes = BTreeMap<String, Attribute>;

impl Attribute {
    fn bytes(&self) -> Vec<u8> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(encoded)) => STANDARD.decode(encoded).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }
}

/// What a sender gives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) body: String,
    pub(crate) attributes: Attributes,
    pub(crate) trace_header: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) deduplication: Option<String>,
    pub(crate) delay: Option<u64>,
}

impl Draft {
    /// What counts against the size limit: the body, and name, type and value of each attribute.
    pub(super) fn size(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| name.len() + value.data_type.len() + value.bytes().len())
            .sum();
        self.body.len() + attributes
    }

    /// Refuses what SQS refuses in any message.
    pub(super) fn check(&self, most_bytes: u64) -> Result<(), Fault> {
        if self.body.is_empty() {
            return Err(Fault::missing("MessageBody"));
        }
        if u64::try_from(self.size()).unwrap_or(u64::MAX) > most_bytes {
            return Err(Fault::parameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than \
                 {most_bytes} bytes."
            )));
        }
        if !self.body.chars().all(is_allowed) {
            return Err(Fault::new(
                "InvalidMessageContents",
                "Invalid characters were found in the message.",
            ));
        }
        if self.attributes.len() > 10 {
            return Err(Fault::parameter(
                "Number of message attributes exceeds the allowed maximum [10].",
            ));
        }
        for (name, value) in &self.attributes {
            let kind = value.data_type.split('.').next().unwrap_or_default();
            let right = match kind {
                "String" | "Number" => value.string_value.as_ref().is_some_and(|v| !v.is_empty()),
                "Binary" => value.binary_value.as_ref().is_some_and(|v| !v.is_empty()),
                _ => false,
            };
            if !right {
                return Err(Fault::parameter(format!(
                    "The message attribute '{name}' with type '{}' must have a value of that \
                     type.",
                    value.data_type
                )));
            }
        }
        Ok(())
    }
}

/// SQS carries only the characters of XML 1.0.
fn is_allowed(character: char) -> bool {
    matches!(character, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Where a message is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Any receive may take it.
    Ready,
    /// Sent with a delay, hidden until then.
    Delayed(Instant),
    /// Leased until `until`; the twelve hours count from `since`.
    InFlight { until: Instant, since: Instant },
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) sequence: u64,
    /// Where it stands in line; a standard queue gives a redelivered message a new place.
    pub(super) place: u64,
    pub(super) draft: Draft,
    pub(super) sent: u64,
    pub(super) expires: u64,
    pub(super) first_received: Option<u64>,
    pub(super) receives: u32,
    pub(super) dead_letter_source: Option<String>,
    pub(super) phase: Phase,
}

/// Which attributes a receive asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    pub(super) system: Vec<String>,
    pub(super) custom: Vec<String>,
}

impl Selection {
    fn wants_system(&self, name: &str) -> bool {
        self.system.iter().any(|wanted| wanted == "All" || wanted == name)
    }

    fn wants_custom(&self, name: &str) -> bool {
        self.custom.iter().any(|wanted| {
            wanted == "All"
                || wanted == name
                || wanted.strip_suffix('*').is_some_and(|prefix| {
                    name.starts_with(prefix.strip_suffix('.').unwrap_or(prefix))
                })
        })
    }
}

impl Message {
    /// The message as a receive answers it.
    pub(super) fn show(&self, handle: &str, selection: &Selection, account: &str) -> Value {
        let mut shown = Map::new();
        shown.insert("MessageId".to_owned(), json!(self.id));
        shown.insert("ReceiptHandle".to_owned(), json!(handle));
        shown.insert("MD5OfBody".to_owned(), json!(digest::md5_hex(self.draft.body.as_bytes())));
        shown.insert("Body".to_owned(), json!(self.draft.body));
        let system: Map<String, Value> = self
            .system_attributes(account)
            .into_iter()
            .filter(|(name, _)| selection.wants_system(name))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        if !system.is_empty() {
            shown.insert("Attributes".to_owned(), Value::Object(system));
        }
        let custom: Attributes = self
            .draft
            .attributes
            .iter()
            .filter(|(name, _)| selection.wants_custom(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if let Some(md5) = md5_of_attributes(&custom) {
            shown.insert("MD5OfMessageAttributes".to_owned(), json!(md5));
            shown.insert("MessageAttributes".to_owned(), json!(custom));
        }
        Value::Object(shown)
    }

    fn system_attributes(&self, account: &str) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("SenderId", account.to_owned()),
            ("SentTimestamp", self.sent.to_string()),
            ("ApproximateReceiveCount", self.receives.to_string()),
        ];
        let optional = [
            ("ApproximateFirstReceiveTimestamp", self.first_received.map(|at| at.to_string())),
            ("MessageGroupId", self.draft.group.clone()),
            ("MessageDeduplicationId", self.draft.deduplication.clone()),
            ("AWSTraceHeader", self.draft.trace_header.clone()),
            ("DeadLetterQueueSourceArn", self.dead_letter_source.clone()),
            (
                "SequenceNumber",
                self.draft.deduplication.as_ref().map(|_| sequence_number(self.sequence)),
            ),
        ];
        all.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        all
    }
}

pub(super) fn sequence_number(sequence: u64) -> String {
    format!("{:020}", 1_885_000_000_000_000_000_u64.saturating_add(sequence))
}

/// AWS's MD5 over message attributes: by name, each part with its length in front.
pub(super) fn md5_of_attributes(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut hash = Md5::new();
    for (name, value) in attributes {
        let bytes = value.bytes();
        let kind = if value.string_value.is_some() { 1 } else { 2 };
        with_length(&mut hash, name.as_bytes());
        with_length(&mut hash, value.data_type.as_bytes());
        hash.update(&[kind]);
        with_length(&mut hash, &bytes);
    }
    Some(digest::hex(&hash.finalize()))
}

fn with_length(hash: &mut Md5, bytes: &[u8]) {
    hash.update(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    hash.update(bytes);
}
