//! What the settings want to be there, without asking anybody.

use std::collections::BTreeMap;

use super::arn::Arn;
use crate::config::{self, Config, Payload, Wrapper};
use crate::error::{Error, Kind, Result};
use crate::events::FilterPolicy;

/// All that the settings name.
#[derive(Debug)]
pub(super) struct Wanted<'c> {
    /// The topic that events are published to.
    pub(super) topic: Option<Topic>,
    /// Topics that buckets tell.
    pub(super) notified: Vec<Topic>,
    pub(super) queues: Vec<Queue<'c>>,
}

/// A topic, and how to reach it.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) arn: Arn,
    pub(super) aws: config::Aws,
}

/// A queue that is read.
#[derive(Debug)]
pub(super) struct Queue<'c> {
    pub(super) section: &'c str,
    pub(super) settings: &'c config::Queue,
    /// From which topic it gets events.
    pub(super) link: Option<Link>,
}

/// How a topic is to deliver to a queue.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) topic: Topic,
    pub(super) filter: FilterPolicy,
    pub(super) raw: Raw,
    /// Another filter at the subscription is a fault and not only a note.
    pub(super) asserts_filter: bool,
}

/// Whether messages come as they were published, or in SNS's envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raw {
    On,
    Off,
    Either,
}

impl<'c> Wanted<'c> {
    /// # Errors
    /// [`Kind::Settings`] where a name has no form that AWS could know.
    pub(super) fn of(config: &'c Config) -> Result<Self> {
        let events = &config.events;
        let topic = events.topic.as_ref().map(|arn| Topic::read(arn, &events.aws)).transpose()?;
        let notified = config.notifications.values().filter_map(|notification| {
            let Some(config::Target::Topic(arn)) = &notification.target else { return None };
            Some(Topic::read(arn, &notification.aws))
        });
        let notified = notified.collect::<Result<_>>()?;
        let queues = config.queues.iter().map(|(section, settings)| {
            let topic = topic.clone().filter(|_| config.gets_events(settings));
            let link = topic.map(|topic| Link::wanted(topic, config, settings)).transpose()?;
            Ok(Queue { section, settings, link })
        });
        let queues = queues.collect::<Result<_>>()?;
        Ok(Self { topic, notified, queues })
    }

    /// Every topic that is named, once.
    pub(super) fn topics(&self) -> Vec<&Topic> {
        let links = self.queues.iter().filter_map(|queue| queue.link.as_ref());
        let named = links.map(|link| &link.topic).chain(&self.notified).chain(&self.topic);
        let by_arn: BTreeMap<&Arn, &Topic> = named.map(|topic| (&topic.arn, topic)).collect();
        by_arn.into_values().collect()
    }
}

impl Link {
    fn wanted(topic: Topic, config: &Config, queue: &config::Queue) -> Result<Self> {
        let filter = FilterPolicy::new(&queue.event_key, &config.filters(queue))?;
        let raw = Raw::of(&queue.payload);
        Ok(Self { topic, filter, raw, asserts_filter: config.events.assert_filter_policies })
    }
}

impl Raw {
    /// A step that takes the envelope off demands it, unless it lets other bodies pass; without one
    /// the handlers would see the envelope.
    fn of(payload: &Payload) -> Self {
        let steps = payload.steps.iter();
        match steps
            .filter(|step| step.wrapper == Wrapper::Sns)
            .map(|step| step.lets_others_pass)
            .min()
        {
            None => Self::On,
            Some(true) => Self::Either,
            Some(false) => Self::Off,
        }
    }
}

impl Topic {
    /// The topic of this ARN, reached in its own region.
    ///
    /// # Errors
    /// [`Kind::Settings`] where it is no ARN.
    pub(super) fn read(arn: &str, aws: &config::Aws) -> Result<Self> {
        let arn = Arn::read(arn).ok_or_else(|| {
            Error::new(Kind::Settings, format!("{arn:?} is no ARN of a topic"))
                .hint("it looks like arn:aws:sns:us-west-2:123456789012:events")
        })?;
        let region = Some(arn.region.clone());
        Ok(Self { aws: config::Aws { region, ..aws.clone() }, arn })
    }
}
