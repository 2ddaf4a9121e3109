//! `[events]`: what this service announces through a topic, and which events it wants from there.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::aws::{Aws, Written};
use super::document::Document;
use super::section::Section;
use super::{Config, Queue, iniesta, names};
use crate::event::{self, Pattern};

/// `[events]`: what this service announces through a topic, and which events it wants from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// The name that is appended to the events announced here.
    pub service: Option<String>,
    /// The topic's ARN.
    pub topic: Option<String>,
    /// How to reach it.
    pub aws: Aws,
    /// The events that are let through to the queues; nothing where the routes tell them.
    pub filters: Option<Vec<Pattern>>,
    /// The message attribute that names the event.
    pub event_key: String,
    /// What this service does with events and queues.
    pub initialization: BTreeSet<Initialization>,
    /// Whether a subscription with another filter policy fails the checks; else it is a note.
    pub assert_filter_policies: bool,
}

/// What a service does with events and queues, in iniesta's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Initialization {
    /// Reads queues.
    QueuePolling,
    /// Reads queues that are subscribed to the topic.
    EventPolling,
    /// Publishes to the topic.
    SnsProducer,
    /// Something of its own.
    Custom,
}

impl Initialization {
    /// Every one.
    pub const ALL: [Self; 4] =
        [Self::QueuePolling, Self::EventPolling, Self::SnsProducer, Self::Custom];

    /// Its name in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueuePolling => "QUEUE_POLLING",
            Self::EventPolling => "EVENT_POLLING",
            Self::SnsProducer => "SNS_PRODUCER",
            Self::Custom => "CUSTOM",
        }
    }
}

impl FromStr for Initialization {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|one| one.name() == name).ok_or_else(|| {
            let choices = Self::ALL.map(Self::name).join(", ");
            format!("{name:?} is no initialization type; the choices are {choices}")
        })
    }
}

impl Initialization {
    /// As iniesta's command shows them, which is as Python showed flags: the last first, `0` for
    /// none.
    pub fn show(modes: &BTreeSet<Self>) -> String {
        let names: Vec<&str> = modes.iter().rev().map(|mode| mode.name()).collect();
        let shown = if names.is_empty() { "0".to_owned() } else { names.join("|") };
        format!("InitializationTypes.{shown}")
    }
}

impl fmt::Display for Initialization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            service: None,
            topic: None,
            aws: Aws::default(),
            filters: None,
            event_key: event::KEY.to_owned(),
            initialization: BTreeSet::new(),
            assert_filter_policies: true,
        }
    }
}

impl Events {
    /// Reads the table; what it does is known only when the queues are, see [`resolve`].
    pub(super) fn read(mut section: Section<'_>, base: &Written) -> Self {
        let document = section.document;
        let topic = section
            .formed("topic", |text| region_of_topic(text).map(|_| text.to_owned()))
            .or_else(|| {
                unwritten(&section, "topic", |document| {
                    iniesta::formed(document, iniesta::TOPIC, |text| {
                        region_of_topic(text).map(|_| text.to_owned())
                    })
                })
            });
        let mut written = Written::read(&mut section);
        if let Some(arn) = &topic {
            written.region = region_of_topic(arn).ok().or(written.region);
        }
        let filters = section.list("filters", Pattern::of_filter);
        let filters = filters.or_else(|| unwritten(&section, "filters", iniesta::filters));
        let key = |text: &str| names::attribute(text).map(|()| text.to_owned());
        let event_key = section.formed("event_key", key).or_else(|| {
            unwritten(&section, "event_key", |document| {
                iniesta::formed(document, iniesta::EVENT_KEY, key)
            })
        });
        let initialization = section.list("initialization", Initialization::from_str);
        let assert = section.flag("assert_filter_policies");
        let mut aws = written.over(base).resolve();
        aws.endpoint_url =
            aws.endpoint_url.or_else(|| iniesta::endpoint(document, iniesta::SNS_ENDPOINT));
        let events = Self {
            service: section.formed("service", service),
            topic,
            aws,
            filters,
            event_key: event_key.unwrap_or_else(|| event::KEY.to_owned()),
            initialization: initialization.into_iter().flatten().collect(),
            assert_filter_policies: assert
                .or_else(|| iniesta::flag(document, iniesta::ASSERT_POLICIES))
                .unwrap_or(true),
        };
        section.finish();
        events
    }
}

/// What the environment says of a key that the file leaves out.
fn unwritten<T>(
    section: &Section<'_>,
    key: &str,
    read: impl FnOnce(&Document) -> Option<T>,
) -> Option<T> {
    if section.has(key) { None } else { read(section.document) }
}

fn service(name: &str) -> Result<String, String> {
    if name.is_empty() || name.contains(|c: char| c.is_control() || c.is_whitespace() || c == '*') {
        return Err(format!("{name:?} is no service; it is appended to events, as in Event.shop"));
    }
    Ok(name.to_owned())
}

/// The region of a topic's ARN.
///
/// # Errors
/// Says what is wrong with the ARN; only its form is looked at.
pub fn region_of_topic(arn: &str) -> Result<String, String> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "sns", region, account, name] = parts.as_slice() else {
        return Err(format!(
            "{arn:?} is no ARN of a topic; it looks like arn:aws:sns:us-west-2:123456789012:events"
        ));
    };
    if !partition.starts_with("aws") {
        return Err(format!("{partition:?} is no partition; it is aws, or begins so"));
    }
    let region = names::region(region)?;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{account:?} is no account; an account has twelve digits"));
    }
    topic_name(name)?;
    Ok(region)
}

/// Whether it can be a topic's name.
///
/// # Errors
/// Says what is wrong with it.
pub fn topic_name(name: &str) -> Result<(), String> {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if stem.is_empty() || name.len() > 256 || !stem.chars().all(allowed) {
        return Err(format!("{name:?} is no topic; its name has 1 to 256 of A-Z a-z 0-9 - _"));
    }
    Ok(())
}

/// What is done with events and queues, where neither the file nor the environment says it; to be
/// called when both are read.
pub(super) fn resolve(config: &mut Config, document: &Document) {
    if document.has(&["events", "initialization"]) {
        return;
    }
    if let Some(given) = iniesta::initialization(document) {
        config.events.initialization = given.into_iter().collect();
        return;
    }
    let routed = config.queues.values().filter(|queue| !queue.routes.is_empty()).count();
    let has_topic = config.events.topic.is_some();
    let has_filters = config.events.filters.as_ref().is_some_and(|filters| !filters.is_empty());
    let by_events = match (has_topic, routed) {
        (false, _) => 0,
        (true, 0) if has_filters => config.queues.len(),
        (true, routed) => routed,
    };
    let modes = [
        (has_topic, Initialization::SnsProducer),
        (has_topic && (has_filters || routed > 0), Initialization::EventPolling),
        (config.queues.len() > by_events, Initialization::QueuePolling),
    ];
    config.events.initialization =
        modes.into_iter().filter_map(|(does, mode)| does.then_some(mode)).collect();
}

/// What each mode needs, as iniesta demanded it before it served anything.
pub(super) fn check(config: &Config, document: &Document) {
    let events = &config.events;
    let does = |mode| events.initialization.contains(&mode);
    let blame = |message: &str| {
        document.blame(document.place(&["events", "initialization"]), message);
    };
    for mode in [Initialization::SnsProducer, Initialization::EventPolling] {
        if does(mode) && events.topic.is_none() {
            blame(&format!(
                "{mode} needs a topic; write topic = \"arn:aws:sns:REGION:ACCOUNT:NAME\" in [events]"
            ));
        }
    }
    if does(Initialization::EventPolling) && events.filters.as_ref().is_some_and(Vec::is_empty) {
        let at = document.place(&["events", "filters"]);
        document.blame(at, "EVENT_POLLING: filters is an empty list; name the events to receive");
    }
    for mode in [Initialization::EventPolling, Initialization::QueuePolling] {
        if does(mode) && config.queues.is_empty() && document.has(&["events", "initialization"]) {
            blame(&format!("{mode} needs a queue; write [queue.NAME]"));
        }
    }
}

impl Config {
    /// True where a queue is read for the events of the topic: it is subscribed, or to be. With
    /// filters and no route anywhere, every queue is.
    pub fn gets_events(&self, queue: &Queue) -> bool {
        let none_routed = self.queues.values().all(|queue| queue.routes.is_empty());
        self.events.initialization.contains(&Initialization::EventPolling)
            && (!queue.routes.is_empty() || (none_routed && self.events.filters.is_some()))
    }

    /// The events that the topic is to let through to this queue: the filters, or else its routes.
    pub fn filters(&self, queue: &Queue) -> Vec<Pattern> {
        match &self.events.filters {
            Some(filters) => filters.clone(),
            None => queue.routes.keys().filter_map(|route| Pattern::of_route(route).ok()).collect(),
        }
    }
}

/// What is wrong with the routes of a queue that gets its events from the topic: each with the route
/// it is about, or none where it is about the default handler.
pub(crate) fn route_mistakes(
    filters: Option<&[Pattern]>,
    routes: &[Pattern],
    has_default: bool,
) -> Vec<(Option<Pattern>, String)> {
    let Some(filters) = filters else {
        let message = "its default handler would get what no filter lets through: without filters \
                       the routes alone decide; write filters = [\"Event.service\"] in [events]";
        return has_default.then(|| (None, message.to_owned())).into_iter().collect();
    };
    let mistake = |route: &Pattern| {
        let why = event::unreachable(route, routes, filters)?;
        Some((Some(route.clone()), format!("{why}; correct filters in [events], or the route")))
    };
    routes.iter().filter_map(mistake).collect()
}

/// The rules on routes where every handler stands in the settings.
pub(super) fn check_routes(config: &Config, document: &Document) {
    let polls = config.events.initialization.contains(&Initialization::EventPolling);
    let has_filters = config.events.filters.is_some();
    if polls && !has_filters && config.queues.values().all(|queue| !config.gets_events(queue)) {
        let message = "EVENT_POLLING: there are neither filters nor a route; write \
                       filters = [\"Event.service\"] in [events]";
        document.blame(document.place(&["events", "initialization"]), message);
    }
    for (name, queue) in config.queues.iter().filter(|(_, queue)| config.gets_events(queue)) {
        let routes: Vec<Pattern> =
            queue.routes.keys().filter_map(|route| Pattern::of_route(route).ok()).collect();
        let filters = config.events.filters.as_deref();
        for (route, why) in route_mistakes(filters, &routes, queue.handler.is_some()) {
            let at = match &route {
                Some(route) => document.place(&["queue", name, "route", &route.to_string()]),
                None => document.place(&["queue", name, "handler"]),
            };
            document.blame(at, format!("queue {name}: {why}"));
        }
    }
}
