//! What an outbox file says of its message besides the body, as a JSON document beside it:
//! `.NAME.meta.json`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::message::{Attribute, Outgoing};

const SUFFIX: &str = ".meta.json";

/// SQS delays no message longer.
const LONGEST_DELAY: u64 = 900;

/// See the module. What is absent, the file does not say.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sidecar {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deduplication_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) per_protocol: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) attributes: BTreeMap<String, Value>,
}

/// An attribute: a text, a number, or a type with its value (in base64 for Binary).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text, a number or {\"type\": \"Number\", \"value\": \"1\"}")]
pub(crate) enum Value {
    Text(String),
    Number(serde_json::Number),
    Typed(Typed),
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Typed {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

/// The name of a file's sidecar.
pub(crate) fn name_for(file: &OsStr) -> OsString {
    let mut name = OsString::from(".");
    name.push(file);
    name.push(SUFFIX);
    name
}

/// The file that a sidecar of this name belongs to; nothing where it is none.
pub(crate) fn file_of(sidecar: &OsStr) -> Option<&OsStr> {
    let name = sidecar.as_bytes().strip_prefix(b".")?.strip_suffix(SUFFIX.as_bytes())?;
    (!name.is_empty()).then(|| OsStr::from_bytes(name))
}

impl Sidecar {
    /// What a message has besides its body.
    pub(crate) fn of(message: &Outgoing) -> Self {
        let typed = |(name, value): (&String, &Attribute)| {
            let text = match value {
                Attribute::String(text) | Attribute::Number(text) => text.clone(),
                Attribute::Binary(bytes) => STANDARD.encode(bytes),
            };
            let kind = message.data_type(name, value).to_owned();
            let value = match kind.as_str() {
                "String" => Value::Text(text),
                _ => Value::Typed(Typed { kind, value: text }),
            };
            (name.clone(), value)
        };
        Self {
            group: message.group.clone(),
            delay: message.delay.map(|delay| delay.as_secs()),
            event: None,
            subject: message.subject.clone(),
            deduplication_id: message.deduplication_id.clone(),
            trace_header: message.trace_header.clone(),
            per_protocol: message.is_per_protocol.then_some(true),
            attributes: message.attributes.iter().map(typed).collect(),
        }
    }

    /// Reads the document.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        // A list would be read as the values of the keys in their order.
        if text.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
            return Err("it is no JSON object".to_owned());
        }
        serde_json::from_slice(text).map_err(|error| without_value(&error.to_string()))
    }

    /// The document, on one line.
    pub(crate) fn write(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// True where it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What this says, and where it says nothing, what `below` says.
    pub(crate) fn over(self, mut below: Self) -> Self {
        below.attributes.extend(self.attributes);
        Self {
            group: self.group.or(below.group),
            delay: self.delay.or(below.delay),
            event: self.event.or(below.event),
            subject: self.subject.or(below.subject),
            deduplication_id: self.deduplication_id.or(below.deduplication_id),
            trace_header: self.trace_header.or(below.trace_header),
            per_protocol: self.per_protocol.or(below.per_protocol),
            attributes: below.attributes,
        }
    }

    /// Sets one key, as extended attributes name them: `group`, `delay`, …, `attribute.NAME`.
    pub(crate) fn set(&mut self, key: &str, value: String) -> Result<(), String> {
        match key {
            "group" => self.group = Some(value),
            "delay" => {
                let delay = value.parse();
                self.delay =
                    Some(delay.map_err(|_| format!("delay: {value:?} is no number of seconds"))?);
            }
            "event" => self.event = Some(value),
            "subject" => self.subject = Some(value),
            "deduplication_id" => self.deduplication_id = Some(value),
            _ => match key.strip_prefix("attribute.") {
                Some(name) => {
                    self.attributes.insert(name.to_owned(), Value::Text(value));
                }
                None => {
                    return Err(format!(
                        "unknown key {key:?}; allowed: group, delay, event, subject, \
                         deduplication_id, attribute.NAME"
                    ));
                }
            },
        }
        Ok(())
    }

    /// The message with this body; the event is left to whoever knows its attribute.
    pub(crate) fn message(&self, body: String) -> Result<Outgoing, String> {
        if let Some(delay) = self.delay.filter(|delay| *delay > LONGEST_DELAY) {
            return Err(format!("delay: {delay} s is above {LONGEST_DELAY}, the most SQS takes"));
        }
        let mut message = Outgoing {
            body,
            group: self.group.clone(),
            deduplication_id: self.deduplication_id.clone(),
            delay: self.delay.map(Duration::from_secs),
            subject: self.subject.clone(),
            is_per_protocol: self.per_protocol.unwrap_or(false),
            trace_header: self.trace_header.clone(),
            ..Outgoing::default()
        };
        for (name, value) in &self.attributes {
            let (kind, attribute) =
                value.attribute().map_err(|wrong| format!("attribute {name:?}: {wrong}"))?;
            if kind != attribute.data_type() {
                message.labels.insert(name.clone(), kind.to_owned());
            }
            message.attributes.insert(name.clone(), attribute);
        }
        Ok(message)
    }
}

impl Value {
    fn attribute(&self) -> Result<(&str, Attribute), String> {
        Ok(match self {
            Self::Text(text) => ("String", Attribute::String(text.clone())),
            Self::Number(number) => ("Number", Attribute::Number(number.to_string())),
            Self::Typed(Typed { kind, value }) => {
                let plain = kind.split('.').next().unwrap_or(kind);
                let attribute = match plain {
                    "String" => Attribute::String(value.clone()),
                    "Number" => Attribute::Number(value.clone()),
                    "Binary" => Attribute::Binary(
                        STANDARD.decode(value).map_err(|_| "its value is no base64")?.into(),
                    ),
                    _ => {
                        return Err(format!(
                            "{kind:?} is no type; allowed: String, Number, Binary, each with \
                             .LABEL behind it"
                        ));
                    }
                };
                (kind, attribute)
            }
        })
    }
}

/// What serde says, without the value that it likes to quote.
fn without_value(text: &str) -> String {
    match text.rsplit_once(", expected ") {
        Some((quoted, expected)) if quoted.starts_with("invalid ") => {
            format!("a value does not fit, expected {expected}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
