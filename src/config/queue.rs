//! `[queue.NAME]`: a queue whose messages go to handlers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::aws::{Aws, Written};
use super::handler::{self, Handler};
use super::names::{self, QueueAddress};
use super::payload::Payload;
use super::section::Section;
use super::{Events, iniesta};
use crate::backoff::Backoff;
use crate::template::Template;

/// `[queue.NAME]`: a queue whose messages go to handlers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The queue's name, URL or ARN; [`QueueAddress::read`] takes it apart.
    pub queue: String,
    /// How to reach it.
    pub aws: Aws,
    /// How many messages are handled at the same time, each in a call of its own or several in one.
    pub concurrency: usize,
    /// The lease on a received message; nothing where the queue's own visibility timeout decides.
    pub visibility_timeout: Option<Duration>,
    /// How long a receive waits for messages.
    pub wait_time: Duration,
    /// How many messages one receive may bring, 1 to 10.
    pub max_messages: usize,
    /// The message attributes to ask for; includes `event_key` where there are routes.
    pub attributes: Vec<String>,
    /// The system attributes to ask for.
    pub system_attributes: Vec<String>,
    /// The message attribute that names the event.
    pub event_key: String,
    /// The delay before a failed message comes again.
    pub retry: Backoff,
    /// How long one run of a handler may take.
    pub handler_timeout: Duration,
    /// Where rejected messages go, as name, URL or ARN; else the queue's own redrive policy decides.
    pub dead_letter_queue: Option<String>,
    /// The directory for rejected messages.
    pub set_aside: Option<PathBuf>,
    /// Locks and finished ids, where `[idempotency]` is set.
    pub idempotency: bool,
    /// How bodies are unpacked.
    pub payload: Payload,
    /// The handler of every message that no route takes.
    pub handler: Option<Handler>,
    /// What becomes of a message that no handler takes.
    pub on_unrouted: OnUnrouted,
    /// Handlers by event: an exact name, or a prefix written `Order*`.
    pub routes: BTreeMap<String, Handler>,
}

/// What becomes of a message that no handler takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnrouted {
    /// It is tried again by the queue's backoff, as one whose handler failed.
    Retry,
    /// It is rejected.
    Reject,
    /// It is deleted.
    Delete,
}

/// A message cannot be held longer (SQS).
const LONGEST_LEASE: u64 = 43_200;

impl Queue {
    /// A queue with the default of every key that has one, and no handler yet.
    pub fn new(queue: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            aws: Aws::default(),
            concurrency: 10,
            visibility_timeout: None,
            wait_time: Duration::from_secs(20),
            max_messages: 10,
            attributes: vec!["All".to_owned()],
            system_attributes: vec!["All".to_owned()],
            event_key: "iniesta_pass".to_owned(),
            retry: Backoff::doubling(Duration::from_secs(1), Duration::from_mins(15)),
            handler_timeout: Duration::from_mins(30),
            dead_letter_queue: None,
            set_aside: None,
            idempotency: true,
            payload: Payload::default(),
            handler: None,
            on_unrouted: OnUnrouted::Retry,
            routes: BTreeMap::new(),
        }
    }

    pub(super) fn read(mut section: Section<'_>, base: &Written, events: &Events) -> Self {
        let document = section.document;
        let of_iniesta = || iniesta::queue(document, events.service.as_deref());
        let unwritten = if section.has("queue") { None } else { of_iniesta() };
        let address = match &unwritten {
            Some(name) => QueueAddress::read(name).ok(),
            None => section.formed("queue", QueueAddress::read),
        };
        if !section.has("queue") && unwritten.is_none() {
            section.missing("queue", "\"orders\" (a name, URL or ARN)");
        }
        let of_address = address.as_ref().and_then(QueueAddress::region);
        let written_aws = Written::read_at(&mut section, of_address).over(base);
        let mut aws = written_aws.clone().resolve();
        aws.endpoint_url =
            aws.endpoint_url.or_else(|| iniesta::endpoint(document, iniesta::SQS_ENDPOINT));
        let written = section.text("queue");
        let default = Self {
            event_key: events.event_key.clone(),
            ..Self::new(written.or(unwritten).unwrap_or_default())
        };
        let day = Duration::from_hours(12);
        let mut queue = Self {
            aws,
            concurrency: section.whole("concurrency", 1..=10_000).unwrap_or(default.concurrency),
            visibility_timeout: section.whole_seconds("visibility_timeout", 1..=LONGEST_LEASE),
            wait_time: wait_time(&mut section).unwrap_or(default.wait_time),
            max_messages: max_messages(&mut section).unwrap_or(default.max_messages),
            attributes: Self::read_attributes(&mut section).unwrap_or(default.attributes),
            system_attributes: section
                .texts("system_attributes", names::system_attribute)
                .unwrap_or(default.system_attributes),
            event_key: section
                .formed("event_key", |name| names::attribute(name).map(|()| name.to_owned()))
                .unwrap_or(default.event_key),
            retry: section.retry(default.retry, day),
            handler_timeout: section
                .duration("handler_timeout", Duration::from_millis(100)..=day)
                .unwrap_or(default.handler_timeout),
            dead_letter_queue: section.formed("dead_letter_queue", |text| {
                QueueAddress::read(text).map(|_| text.to_owned())
            }),
            set_aside: section.path_of("set_aside"),
            on_unrouted: section.formed("on_unrouted", on_unrouted).unwrap_or(default.on_unrouted),
            idempotency: section.flag("idempotency").unwrap_or(default.idempotency),
            payload: Payload::read(&mut section),
            handler: handler::read(section.table("handler"), &written_aws),
            routes: handler::routes(section.tables("route"), &written_aws),
            ..default
        };
        queue.ask_for_what_is_read();
        section.finish();
        queue
    }

    /// The default handler and those of the routes, each with the event that its route names.
    pub fn handlers(&self) -> impl Iterator<Item = (Option<&str>, &Handler)> {
        let default = self.handler.iter().map(|handler| (None, handler));
        default.chain(self.routes.iter().map(|(event, handler)| (Some(event.as_str()), handler)))
    }

    /// The attributes by which messages are routed and unpacked, and what handlers fill in.
    fn ask_for_what_is_read(&mut self) {
        let templates: Vec<Template> =
            self.handlers().filter_map(|(_, handler)| handler.template().cloned()).collect();
        for template in templates {
            template.attributes().for_each(|attribute| self.ask_for(attribute));
            if template.needs_event() {
                self.ask_for_event();
            }
            for system in ["SentTimestamp", "MessageGroupId"] {
                if !self.system_attributes.iter().any(|name| ["All", system].contains(&&**name)) {
                    self.system_attributes.push(system.to_owned());
                }
            }
        }
        if !self.routes.is_empty() {
            self.ask_for_event();
        }
        for attribute in self.payload.clone().attributes() {
            self.ask_for(attribute);
        }
    }

    /// Routes that a program brings need it as well.
    pub(crate) fn ask_for_event(&mut self) {
        self.ask_for(&self.event_key.clone());
    }

    /// `message_attributes` is what RelengAPI calls them in its `read_args`.
    fn read_attributes(section: &mut Section<'_>) -> Option<Vec<String>> {
        let own = section.texts("attributes", names::attribute_pattern);
        let other = section.texts("message_attributes", names::attribute_pattern);
        if section.has("attributes") && section.has("message_attributes") {
            let message = "message_attributes is another name of attributes; keep one";
            section.blame("message_attributes", message);
        }
        own.or(other)
    }

    /// What is gone by has to come: without its attribute no route could ever match, and no pointer
    /// could be told.
    fn ask_for(&mut self, attribute: &str) {
        if !self.attributes.iter().any(|pattern| names::covers(pattern, attribute)) {
            self.attributes.push(attribute.to_owned());
        }
    }
}

fn max_messages(section: &mut Section<'_>) -> Option<usize> {
    let written = section.whole("max_messages", 1..=10);
    written.or_else(|| iniesta::whole(section.document, iniesta::MAX_MESSAGES, 1..=10))
}

fn wait_time(section: &mut Section<'_>) -> Option<Duration> {
    section.whole_seconds("wait_time", 0..=20).or_else(|| {
        let seconds = iniesta::whole(section.document, iniesta::WAIT_TIME, 0..=20)?;
        u64::try_from(seconds).ok().map(Duration::from_secs)
    })
}

fn on_unrouted(text: &str) -> Result<OnUnrouted, String> {
    match text {
        "retry" => Ok(OnUnrouted::Retry),
        "reject" => Ok(OnUnrouted::Reject),
        "delete" => Ok(OnUnrouted::Delete),
        _ => Err(format!("{text:?} is none of retry, reject and delete")),
    }
}
