//! The environment of a command: nothing but this.
//!
//! From the daemon: `PATH`, `HOME`, `LANG`, every `LC_*`, `TZ`, `TMPDIR`, and the names listed
//! under `environment`, where an entry `NAME=value` sets a value of its own.
//!
//! From the message, each where it is known:
//!
//! | variable | value |
//! |---|---|
//! | `LONGSHORE_MESSAGE_ID` | SQS's message id |
//! | `LONGSHORE_QUEUE` | the queue's name |
//! | `LONGSHORE_RECEIVE_COUNT` | how often SQS has handed it out, this time included |
//! | `LONGSHORE_EVENT` | the event it announces |
//! | `LONGSHORE_SENT_AT`, `LONGSHORE_FIRST_RECEIVED_AT` | ISO 8601 in UTC |
//! | `LONGSHORE_GROUP`, `LONGSHORE_DEDUPLICATION_ID`, `LONGSHORE_SEQUENCE_NUMBER` | as SQS says them |
//! | `LONGSHORE_SENDER_ID` | who sent it |
//! | `_X_AMZN_TRACE_ID`, `TRACEPARENT` | the trace it belongs to, under the names that tracing libraries read |
//! | `LONGSHORE_ATTR_<NAME>` | a message attribute; its name in capitals, `_` for all but letters and digits; binary in base64 |
//! | `LONGSHORE_MESSAGE` | the file with all of this as JSON |
//! | `LONGSHORE_OMITTED` | what was left out: names of attributes and variables, with commas between |
//!
//! Left out is what an environment cannot carry: values over [`VALUE_MAX`] or with a NUL byte,
//! attributes whose variables would have one name, and what is beyond half of the space that the
//! kernel allows. The file has them all.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Resource, getrlimit};

use crate::config;
use crate::handlers::list_of;
use crate::message::{Attribute, Message};
use crate::units;

/// The longest value handed on.
const VALUE_MAX: usize = 32 << 10;
/// The longest name of a variable handed on; SQS allows 256 characters for an attribute.
const NAME_MAX: usize = 512;
/// The longest list of what was left out.
const LIST_MAX: usize = 4 << 10;

type Variable = (OsString, OsString);

/// What every run of one command shares.
#[derive(Debug)]
pub(super) struct Environment {
    inherited: Vec<Variable>,
    /// How many bytes a message may add.
    room: usize,
}

impl Environment {
    /// Reads the daemon's own environment, once.
    pub(super) fn of_daemon(settings: &config::Exec) -> Self {
        Self::of(settings, config::env::inherited(&settings.environment))
    }

    /// These variables and no others of the daemon's.
    pub(super) fn of(settings: &config::Exec, inherited: Vec<Variable>) -> Self {
        Self::new(settings, inherited, argument_space() / 2)
    }

    fn new(settings: &config::Exec, inherited: Vec<Variable>, space: usize) -> Self {
        let taken: usize = inherited.iter().map(|(name, value)| cost(name, value)).sum();
        let arguments: usize = settings.command.iter().map(|word| word.len() + 9).sum();
        Self { inherited, room: space.saturating_sub(taken + arguments) }
    }

    /// The whole environment of one run.
    pub(super) fn of_message(&self, message: &Message, file: &Path) -> Vec<Variable> {
        let mut variables =
            Variables { room: self.room, list: self.inherited.clone(), omitted: Vec::new() };
        variables.list.push(("LONGSHORE_MESSAGE".into(), file.into()));
        for (name, value) in facts(message) {
            if let Some(value) = value {
                variables.add(name, value, name);
            }
        }
        let mut by_variable: BTreeMap<String, Vec<(&str, &Attribute)>> = BTreeMap::new();
        for (name, attribute) in &message.attributes {
            by_variable.entry(variable(name)).or_default().push((name, attribute));
        }
        for (variable, attributes) in by_variable {
            match attributes.as_slice() {
                [(name, attribute)] => variables.add(&variable, text(attribute), name),
                // Which of them is meant would be a guess.
                several => {
                    variables.omitted.extend(several.iter().map(|(name, _)| (*name).to_owned()));
                }
            }
        }
        variables.finish()
    }
}

struct Variables {
    list: Vec<Variable>,
    room: usize,
    omitted: Vec<String>,
}

impl Variables {
    /// Adds it, or notes under which name it was left out.
    fn add(&mut self, name: &str, value: String, known_as: &str) {
        let cost = cost(name.as_ref(), value.as_ref());
        let is_possible =
            value.len() <= VALUE_MAX && name.len() <= NAME_MAX && !value.contains('\0');
        match self.room.checked_sub(cost) {
            Some(room) if is_possible => {
                self.room = room;
                self.list.push((name.into(), value.into()));
            }
            _ => self.omitted.push(known_as.to_owned()),
        }
    }

    fn finish(mut self) -> Vec<Variable> {
        if !self.omitted.is_empty() {
            self.list.push(("LONGSHORE_OMITTED".into(), list_of(&self.omitted, LIST_MAX).into()));
        }
        self.list
    }
}

fn facts(message: &Message) -> [(&'static str, Option<String>); 12] {
    let system = |name: &str| message.system_attributes.get(name).cloned();
    // A source of pylon's is run on none.
    let id = Some(message.id.clone()).filter(|id| !id.is_empty());
    [
        ("LONGSHORE_MESSAGE_ID", id.clone()),
        ("LONGSHORE_QUEUE", id.as_ref().map(|_| message.queue.clone())),
        ("LONGSHORE_RECEIVE_COUNT", id.map(|_| message.receive_count().to_string())),
        ("LONGSHORE_EVENT", message.event.clone()),
        ("LONGSHORE_SENT_AT", message.sent_at().map(units::utc)),
        ("LONGSHORE_FIRST_RECEIVED_AT", message.first_received_at().map(units::utc)),
        ("LONGSHORE_GROUP", system("MessageGroupId")),
        ("LONGSHORE_DEDUPLICATION_ID", system("MessageDeduplicationId")),
        ("LONGSHORE_SEQUENCE_NUMBER", system("SequenceNumber")),
        ("LONGSHORE_SENDER_ID", system("SenderId")),
        ("_X_AMZN_TRACE_ID", message.trace_header().map(str::to_owned)),
        ("TRACEPARENT", message.traceparent().map(str::to_owned)),
    ]
}

fn variable(attribute: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("LONGSHORE_ATTR_{}", attribute.chars().map(plain).collect::<String>())
}

fn text(attribute: &Attribute) -> String {
    match attribute {
        Attribute::String(text) | Attribute::Number(text) => text.clone(),
        Attribute::Binary(bytes) => STANDARD.encode(bytes),
    }
}

/// What a variable takes of the space for arguments and environment: `NAME=value`, a NUL, a pointer.
fn cost(name: &OsStr, value: &OsStr) -> usize {
    name.len() + value.len() + 2 + 8
}

/// What the kernel allows for arguments and environment: a quarter of the stack, within bounds.
fn argument_space() -> usize {
    let stack = getrlimit(Resource::Stack).current.unwrap_or(u64::MAX);
    usize::try_from((stack / 4).clamp(128 << 10, 6 << 20)).unwrap_or(128 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::samples;
    use bytes::Bytes;

    fn settings() -> config::Exec {
        config::Exec {
            command: vec!["/bin/true".to_owned()],
            environment: Vec::new(),
            directory: None,
        }
    }

    fn lines(environment: &Environment, message: &Message) -> Vec<String> {
        let mut lines: Vec<String> = environment
            .of_message(message, Path::new("/tmp/m.json"))
            .into_iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        lines.sort();
        lines
    }

    fn empty(space: usize) -> Environment {
        Environment::new(&settings(), Vec::new(), space)
    }

    #[test]
    fn a_message_tells_what_it_knows() {
        let wanted = [
            "LONGSHORE_ATTR_RAW=AAH/",
            "LONGSHORE_ATTR_SIZE_CM=12.5",
            "LONGSHORE_ATTR_TINT=red",
            "LONGSHORE_DEDUPLICATION_ID=dedup-7",
            "LONGSHORE_EVENT=OrderPlaced.shop",
            "LONGSHORE_FIRST_RECEIVED_AT=2012-06-14T09:30:05.000Z",
            "LONGSHORE_GROUP=group-7",
            "LONGSHORE_MESSAGE=/tmp/m.json",
            "LONGSHORE_MESSAGE_ID=5fea7756-0ea4-451a-a703-a558b933e274",
            "LONGSHORE_QUEUE=orders",
            "LONGSHORE_RECEIVE_COUNT=3",
            "LONGSHORE_SENDER_ID=AIDAEXAMPLE",
            "LONGSHORE_SENT_AT=2012-06-14T09:30:00.250Z",
            "LONGSHORE_SEQUENCE_NUMBER=18870000000000000001",
        ];
        assert_eq!(lines(&empty(1 << 20), &samples::message("")), wanted);
    }

    #[test]
    fn a_trace_goes_on_under_the_names_that_libraries_read() {
        let message = samples::traced();
        let lines = lines(&empty(1 << 20), &message);
        assert!(lines.contains(&format!("_X_AMZN_TRACE_ID={}", samples::TRACE_HEADER)));
        assert!(lines.contains(&format!("TRACEPARENT={}", samples::TRACEPARENT)));
    }

    #[test]
    fn what_cannot_be_carried_is_named() {
        let mut message = samples::message("");
        message.system_attributes.clear();
        message.event = Some("a\0b".to_owned());
        message.attributes = [
            ("a-b", Attribute::String("1".to_owned())),
            ("a.b", Attribute::String("2".to_owned())),
            ("fits", Attribute::String("x".repeat(VALUE_MAX))),
            ("long", Attribute::String("x".repeat(VALUE_MAX + 1))),
            ("nul", Attribute::String("\0".to_owned())),
            ("raw", Attribute::Binary(Bytes::from(vec![0; VALUE_MAX]))),
            ("two\nlines", Attribute::String("1\n2".to_owned())),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let lines = lines(&empty(1 << 20), &message);
        assert!(
            lines.contains(&"LONGSHORE_OMITTED=LONGSHORE_EVENT,a-b,a.b,long,nul,raw".to_owned())
        );
        assert!(lines.contains(&"LONGSHORE_ATTR_TWO_LINES=1\n2".to_owned()));
        assert!(lines.iter().any(|line| line.starts_with("LONGSHORE_ATTR_FITS=xxx")));
        assert!(!lines.iter().any(|line| line.starts_with("LONGSHORE_ATTR_A_B")));
    }

    #[test]
    fn the_whole_stays_within_what_the_kernel_takes() {
        let mut message = samples::message("");
        message.attributes =
            (0..10).map(|n| (format!("a{n}"), Attribute::String("x".repeat(VALUE_MAX)))).collect();
        let environment = empty(100 << 10);
        let total: usize = environment
            .of_message(&message, Path::new("/tmp/m.json"))
            .iter()
            .map(|(name, value)| cost(name, value))
            .sum();
        assert!(total < 101 << 10, "{total}");
        assert!(
            lines(&environment, &message)
                .contains(&"LONGSHORE_OMITTED=a3,a4,a5,a6,a7,a8,a9".to_owned())
        );
        assert!(argument_space() >= 128 << 10);
    }
}
