//! The inputs of SQS as both protocols carry them.
//!
//! The query protocol knows only text, so numbers are taken as numbers or as text.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::message::{Attribute, Attributes, Draft, Selection};
use crate::local::fault::Fault;

pub(super) fn read<T: DeserializeOwned>(input: Value) -> Result<T, Fault> {
    serde_json::from_value(input).map_err(|error| {
        let text = error.to_string();
        match text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            Some(field) => Fault::missing(field),
            None => Fault::new("SerializationException", text),
        }
    })
}

fn number<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    let wrong = || D::Error::custom("not a whole number of zero or more");
    match Option::<Value>::deserialize(input)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| wrong()),
        Some(other) => other.as_u64().map(Some).ok_or_else(wrong),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    pub(super) queue_name: String,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    #[serde(default, alias = "tags")]
    pub(super) tags: BTreeMap<String, String>,
}

/// Every operation that names a queue and little else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfQueue {
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) tag_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueUrl {
    pub(super) queue_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    #[serde(default)]
    pub(super) queue_name_prefix: String,
    #[serde(default)]
    pub(super) next_token: Option<String>,
    #[serde(default, deserialize_with = "number")]
    pub(super) max_results: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) message: Outgoing,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Outgoing {
    #[serde(default)]
    message_body: String,
    #[serde(default, deserialize_with = "number")]
    delay_seconds: Option<u64>,
    #[serde(default)]
    message_attributes: Attributes,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, Attribute>,
    #[serde(default)]
    message_group_id: Option<String>,
    #[serde(default)]
    message_deduplication_id: Option<String>,
}

impl Outgoing {
    pub(super) fn draft(self) -> Draft {
        let mut system = self.message_system_attributes;
        Draft {
            body: self.message_body,
            attributes: self.message_attributes,
            trace_header: system.remove("AWSTraceHeader").and_then(|value| value.string_value),
            group: self.message_group_id,
            deduplication: self.message_deduplication_id,
            delay: self.delay_seconds,
        }
    }
}

/// A batch: entries of any kind, each with its id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<T> {
    pub(super) queue_url: String,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<Entry<T>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry<T> {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) content: T,
}

impl<T> Batch<T> {
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.entries.is_empty() {
            return Err(Fault::new("EmptyBatchRequest", "The batch request is empty."));
        }
        if self.entries.len() > 10 {
            return Err(Fault::new(
                "TooManyEntriesInBatchRequest",
                "Maximum number of entries per request are 10.",
            ));
        }
        let mut ids: Vec<&str> = self.entries.iter().map(|entry| entry.id.as_str()).collect();
        let right = |id: &&str| {
            (1..=80).contains(&id.len())
                && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        if !ids.iter().all(right) {
            return Err(Fault::new(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and \
                 underscores. It can be at most 80 letters long.",
            ));
        }
        ids.sort_unstable();
        ids.dedup();
        if ids.len() < self.entries.len() {
            return Err(Fault::new(
                "BatchEntryIdsNotDistinct",
                "Two or more batch entries in the request have the same Id.",
            ));
        }
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receipt {
    pub(super) receipt_handle: String,
    #[serde(default, deserialize_with = "number")]
    pub(super) visibility_timeout: Option<u64>,
}

impl Receipt {
    pub(super) fn lease(&self) -> Result<Duration, Fault> {
        self.visibility_timeout
            .map(Duration::from_secs)
            .ok_or_else(|| Fault::missing("VisibilityTimeout"))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfMessage {
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) receipt: Receipt,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    pub(super) queue_url: String,
    #[serde(default, deserialize_with = "number")]
    max_number_of_messages: Option<u64>,
    #[serde(default, deserialize_with = "number")]
    visibility_timeout: Option<u64>,
    #[serde(default, deserialize_with = "number")]
    pub(super) wait_time_seconds: Option<u64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

impl ReceiveMessage {
    /// What is asked for, after the ranges of AWS.
    pub(super) fn ask(self) -> Result<super::queue::Ask, Fault> {
        let most = self.max_number_of_messages.unwrap_or(1);
        for (name, value, lowest, highest) in [
            ("MaxNumberOfMessages", most, 1, 10),
            ("WaitTimeSeconds", self.wait_time_seconds.unwrap_or(0), 0, 20),
            ("VisibilityTimeout", self.visibility_timeout.unwrap_or(0), 0, 43_200),
        ] {
            if !(lowest..=highest).contains(&value) {
                return Err(Fault::parameter(format!(
                    "Value {value} for parameter {name} is invalid. Reason: Must be between \
                     {lowest} and {highest}, if provided."
                )));
            }
        }
        let mut system = self.attribute_names;
        system.extend(self.message_system_attribute_names);
        Ok(super::queue::Ask {
            most: usize::try_from(most).unwrap_or(10),
            lease: self.visibility_timeout.map(Duration::from_secs),
            selection: Selection { system, custom: self.message_attribute_names },
        })
    }
}
