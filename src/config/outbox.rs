//! `[outbox.NAME]`: a spool whose files become messages of a queue or events of a topic.

use std::fmt;

use super::aws::Written;
use super::events::Events;
use super::names::{self, QueueAddress};
use super::section::Section;
use super::spool::{Destination, Ignore, Spool};

/// What an outbox has besides what every spool has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Where the messages are sent.
    pub outlet: Outlet,
    /// The body is the file's bytes in base64, so that any bytes can be sent.
    pub base64: bool,
    /// The group of a file that names none.
    pub group: Option<String>,
    /// The event of a file that names none.
    pub event: Option<String>,
    /// The message attribute that names the event.
    pub event_key: String,
    /// Put behind an event as `.NAME`, unless it ends so.
    pub service: Option<String>,
}

/// A queue or a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlet {
    /// A queue by its name, URL or ARN.
    Queue(String),
    /// A topic by its ARN.
    Topic(String),
}

/// A dot in front hides a file from an outbox: so a sidecar is never sent itself.
const HIDDEN: &str = ".*";

impl Outlet {
    /// True where the order of a group is kept and a second message with one id is dropped.
    pub fn is_fifo(&self) -> bool {
        let (Self::Queue(name) | Self::Topic(name)) = self;
        name.strip_suffix(".fifo").is_some()
    }

    /// True for a topic.
    pub const fn is_topic(&self) -> bool {
        matches!(self, Self::Topic(_))
    }
}

impl fmt::Display for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(queue) => write!(f, "queue {queue}"),
            Self::Topic(topic) => write!(f, "topic {topic}"),
        }
    }
}

impl Outbox {
    /// An outbox with the default of every key that has one.
    pub fn new(outlet: Outlet) -> Self {
        Self {
            outlet,
            base64: false,
            group: None,
            event: None,
            event_key: "iniesta_pass".to_owned(),
            service: None,
        }
    }

    pub(super) fn read(mut section: Section<'_>, base: &Written, events: &Events) -> Spool {
        let directory = section.path_of("directory");
        if !section.has("directory") {
            section.missing("directory", "\"/var/spool/longshore/NAME\"");
        }
        let queue = section.formed("queue", QueueAddress::read);
        let topic = section.formed("topic", names::topic);
        let outlet = match (section.text("queue"), section.text("topic")) {
            (Some(_), Some(_)) => {
                section.blame("topic", "an outbox has a queue or a topic; keep one");
                None
            }
            (Some(queue), None) => Some(Outlet::Queue(queue)),
            (None, Some(topic)) => Some(Outlet::Topic(topic)),
            (None, None) => {
                if !section.has("queue") && !section.has("topic") {
                    let path = section.path();
                    let message = format!(
                        "[{path}] has neither a queue nor a topic; write queue = \"orders\" or \
                         topic = \"arn:aws:sns:us-west-2:123456789012:orders\""
                    );
                    section.blame("", message);
                }
                None
            }
        };
        let region = queue.as_ref().and_then(QueueAddress::region).or(topic.as_deref());
        let aws = Written::read_at(&mut section, region).over(base).resolve();
        let default = Self::new(outlet.unwrap_or_else(|| Outlet::Queue(String::new())));
        let outbox = Self {
            base64: encode(&mut section),
            group: section.formed("group", names::group),
            event: section.formed("event", event),
            event_key: section
                .formed("event_key", |name| names::attribute(name).map(|()| name.to_owned()))
                .unwrap_or_else(|| events.event_key.clone()),
            service: section.formed("service", event).or_else(|| events.service.clone()),
            outlet: default.outlet,
        };
        let spool = Spool {
            destination: Destination::Messages(outbox),
            ..Spool::new(directory.unwrap_or_default(), "")
        };
        let mut spool = spool.read_over(&mut section, aws);
        if let Ignore::Temporary(patterns) = &mut spool.ignore {
            patterns.push(HIDDEN.to_owned());
        }
        section.finish();
        spool
    }
}

fn encode(section: &mut Section<'_>) -> bool {
    let base64 = section.formed("encode", |text| match text {
        "none" => Ok(false),
        "base64" => Ok(true),
        text => Err(format!("{text:?} is no encoding; allowed: none, base64")),
    });
    base64.unwrap_or(false)
}

fn event(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(format!("{text:?} is no name; write one like \"OrderPlaced\""));
    }
    Ok(text.to_owned())
}
