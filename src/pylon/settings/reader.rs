//! Values of JSON as settings: texts, numbers that may be texts, deprecated names.

use std::fmt;

use serde_json::{Map, Value};

use super::{INPUT, LOG_FORMAT, OUTPUT};
use crate::error::{Error, Kind, Result};
use crate::pylon::VARIABLE;

const OLD_INPUT: &str = "INPUT_QUEUE_NAME";
const OLD_OUTPUT: &str = "OUTPUT_TOPIC_ARN";
const OLD_FORMAT: &str = "PYLON_PLAIN_LOGGING";

/// Reads key by key, and goes on after a mistake.
pub(super) struct Reader {
    values: Map<String, Value>,
    mistakes: Vec<String>,
    notes: Vec<String>,
}

impl Reader {
    pub(super) fn new(values: Map<String, Value>) -> Self {
        Self { values, mistakes: Vec::new(), notes: Vec::new() }
    }

    /// What was read, and what deserves a warning; or every mistake.
    pub(super) fn finish(self) -> Result<(Map<String, Value>, Vec<String>)> {
        if self.mistakes.is_empty() {
            return Ok((self.values, self.notes));
        }
        Err(Error::new(Kind::Settings, self.mistakes.join("\n")))
    }

    pub(super) fn blame(&mut self, key: &str, why: impl fmt::Display) {
        self.mistakes.push(format!("{VARIABLE}: {key}: {why}"));
    }

    /// Present keys from deprecated ones, which stay.
    pub(super) fn take_deprecated(&mut self) {
        for (old, new, scheme) in [(OLD_INPUT, INPUT, "sqs://"), (OLD_OUTPUT, OUTPUT, "sns://")] {
            if let Some(text) = self.text(old) {
                self.replace(old, new, format!("{scheme}{text}"));
            }
        }
        if let Some(is_plain) = self.flag(OLD_FORMAT) {
            self.replace(OLD_FORMAT, LOG_FORMAT, if is_plain { "txt" } else { "json" }.to_owned());
        }
    }

    fn replace(&mut self, old: &str, new: &str, value: String) {
        if self.values.contains_key(new) {
            self.notes.push(format!("{old} is not read, since {new} is set"));
            return;
        }
        self.notes.push(format!("{old} is deprecated; write {new}"));
        self.values.insert(new.to_owned(), Value::String(value));
    }

    /// What looks like a key of pylon's and is none.
    pub(super) fn look_for_unknown(&mut self, known: &[&str]) {
        let own = |key: &&String| key.starts_with("PYLON") && *key != OLD_FORMAT;
        let unknown = self.values.keys().filter(own).filter(|key| !known.contains(&key.as_str()));
        let notes =
            unknown.map(|key| format!("{key} is none of pylon's keys; it is the work's own"));
        self.notes.extend(notes.collect::<Vec<_>>());
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.values.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.blame(key, "it is a text");
                None
            }
        }
    }

    pub(super) fn formed<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str) -> std::result::Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        read(&text).map_err(|why| self.blame(key, why)).ok()
    }

    pub(super) fn formed_or<T>(
        &mut self,
        key: &str,
        default: &str,
        read: impl Fn(&str) -> std::result::Result<T, String>,
    ) -> Option<T> {
        if self.values.get(key).is_none_or(Value::is_null) {
            self.values.insert(key.to_owned(), default.into());
        }
        self.formed(key, read)
    }

    /// A whole number, which may be written as a text.
    pub(super) fn whole(&mut self, key: &str) -> Option<u64> {
        let value = self.values.get(key).filter(|value| !value.is_null())?;
        let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        match number {
            Some(number) => {
                self.values.insert(key.to_owned(), number.into());
            }
            None => self.blame(key, "it is a whole number"),
        }
        number
    }

    pub(super) fn whole_or(&mut self, key: &str, default: u64) -> u64 {
        if self.values.get(key).is_none_or(Value::is_null) {
            self.values.insert(key.to_owned(), default.into());
        }
        self.whole(key).unwrap_or(default)
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let flag = match self.values.get(key)? {
            Value::Null => return None,
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        };
        if flag.is_none() {
            self.blame(key, "it is true or false");
        }
        flag
    }

    /// A name of this program, which SQS would not take empty.
    pub(super) fn named(
        &mut self,
        key: &str,
        outside: impl Fn(&str) -> Option<String>,
    ) -> Option<String> {
        let named = self.text(key).or_else(|| outside(key)).filter(|name| !name.is_empty());
        if named.is_none() {
            self.notes.push(format!("{key} is not set, and messages will not say it"));
        }
        named
    }

    pub(super) fn attributes(
        &mut self,
        outside: impl Fn(&str) -> Option<String>,
    ) -> Map<String, Value> {
        const KEY: &str = "INGESTION_ATTRS";
        let written = match self.values.get(KEY) {
            Some(Value::Object(attributes)) => return attributes.clone(),
            None | Some(Value::Null) => outside(KEY),
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => Some(String::new()),
        };
        let read = written.map(|text| serde_json::from_str(&text));
        match read {
            None => Map::new(),
            Some(Ok(attributes)) => attributes,
            Some(Err(_)) => {
                self.blame(KEY, "it is a JSON object");
                Map::new()
            }
        }
    }
}
