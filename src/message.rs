//! A message as its handler sees it.
//!
//! The receipt handle is not part of it: leases and deletes are the queue's business.

mod body;
mod outgoing;
mod rules;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

pub use body::Body;
pub use outgoing::Outgoing;
pub use rules::attribute_name;

/// The value of one message attribute, in SQS's three types and their custom labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `String`, or `String.LABEL`.
    String(String),
    /// `Number`, or `Number.LABEL`; SQS sends numbers as text and so do we.
    Number(String),
    /// `Binary`, or `Binary.LABEL`.
    Binary(Bytes),
}

impl Attribute {
    /// The text of a string or number; nothing for binary.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Number(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// How many bytes its value has.
    pub fn len(&self) -> usize {
        match self {
            Self::String(text) | Self::Number(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// True for a value of no bytes, which AWS takes nowhere.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// SQS's name of the type, without custom label.
    pub const fn data_type(&self) -> &'static str {
        match self {
            Self::String(_) => "String",
            Self::Number(_) => "Number",
            Self::Binary(_) => "Binary",
        }
    }
}

/// One message received from a queue.
///
/// `Debug` leaves out the body and the attributes' values: they may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// SQS's message id.
    pub id: String,
    /// The name of the queue it came from (the last part of the queue's URL).
    pub queue: String,
    /// The body as it came, or what was unpacked from it.
    pub body: Body,
    /// The message attributes that were asked for (all, by default), by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// The whole types of those attributes that have a custom label, such as `Number.int`, by name.
    pub labels: BTreeMap<String, String>,
    /// SQS's own attributes that came along (`SentTimestamp`, `SenderId`, …), as SQS writes them.
    pub system_attributes: BTreeMap<String, String>,
    /// The event it announces: the attribute named by `event_key`, also inside an SNS envelope.
    pub event: Option<String>,
}

impl Message {
    /// The type of an attribute, its custom label included; nothing for one that is not there.
    pub fn data_type(&self, attribute: &str) -> Option<&str> {
        let plain = self.attributes.get(attribute)?.data_type();
        Some(self.labels.get(attribute).map_or(plain, String::as_str))
    }

    /// How often SQS has handed it out, this time included; 1 where SQS did not say.
    pub fn receive_count(&self) -> u32 {
        self.system("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
    }

    /// The FIFO group, or the tenant of a fair queue.
    pub fn group(&self) -> Option<&str> {
        self.system("MessageGroupId")
    }

    /// The group within which it has its place in an order, where it came from a FIFO queue.
    pub fn fifo_group(&self) -> Option<&str> {
        self.group().filter(|_| self.queue.strip_suffix(".fifo").is_some())
    }

    /// The X-Ray trace it belongs to, as its sender wrote it.
    pub fn trace_header(&self) -> Option<&str> {
        self.system("AWSTraceHeader")
    }

    /// The W3C trace it belongs to: the attribute `traceparent`.
    pub fn traceparent(&self) -> Option<&str> {
        self.attributes.get("traceparent").and_then(Attribute::as_text)
    }

    /// When it was sent, by SQS's clock.
    pub fn sent_at(&self) -> Option<SystemTime> {
        self.instant("SentTimestamp")
    }

    /// When it was first received by anybody, by SQS's clock.
    pub fn first_received_at(&self) -> Option<SystemTime> {
        self.instant("ApproximateFirstReceiveTimestamp")
    }

    fn system(&self, name: &str) -> Option<&str> {
        self.system_attributes.get(name).map(String::as_str)
    }

    fn instant(&self, name: &str) -> Option<SystemTime> {
        let millis: u64 = self.system(name)?.parse().ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
    }
}

/// The characters that SQS and SNS take in a text: those of XML 1.0.
pub(crate) const fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("queue", &self.queue)
            .field("event", &self.event)
            .field("receive_count", &self.receive_count())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
