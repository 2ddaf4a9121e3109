//! What buckets tell: one configuration each, with ours beside all that was there.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    Event, FilterRule, NotificationConfiguration, NotificationConfigurationFilter,
    QueueConfiguration, S3KeyFilter, TopicConfiguration,
};

use super::super::arn::Arn;
use super::super::step::{Act, Step};
use super::queue::{Planned, named};
use super::{Plan, PlannedTopic, account, let_in};
use crate::aws::fault::fault;
use crate::aws::{Aws, Connection};
use crate::config::{self, Config, Notification, Target};
use crate::error::{Error, Kind, Result};
use crate::toolkit::sqs::policy::Source;

/// By this prefix of its id a notification is known as ours.
pub(in super::super) const ID: &str = "longshore-";

/// Plans every notification, lets the buckets in, and returns the steps that connect them.
pub(super) async fn plan(
    config: &Config,
    aws: &Aws,
    queues: &mut BTreeMap<Arn, Planned>,
    topics: &mut [PlannedTopic<'_>],
    plan: &mut Plan,
) -> Result<Vec<Step>> {
    let mut changed: BTreeMap<(&str, String), (config::Aws, Told)> = BTreeMap::new();
    for (name, notification) in &config.notifications {
        let connection = aws.connect(&notification.aws).await?;
        let place = (notification.bucket.as_str(), format!("{:?}", notification.aws));
        if !changed.contains_key(&place) {
            let told = Told::read(&connection, &notification.bucket).await?;
            changed.insert(place.clone(), (notification.aws.clone(), told));
        }
        let (account, partition) = account(&connection).await?;
        let bucket = format!("arn:{partition}:s3:::{}", notification.bucket);
        let source = Source { service: "s3.amazonaws.com", arn: &bucket, account: Some(&account) };
        let target = match &notification.target {
            Some(Target::Queue(address)) => {
                let known = config.queues.get(address);
                let settings = known.map_or(&notification.aws, |queue| &queue.aws);
                let address = known.map_or(address, |queue| &queue.queue);
                let connection = aws.connect(settings).await?;
                let arn = named(address, settings, &connection, queues).await?;
                if let Some(planned) = queues.get_mut(&arn) {
                    planned.let_in(&source)?;
                }
                arn
            }
            Some(Target::Topic(text)) => {
                let topic = topics.iter_mut().find(|topic| topic.wanted.arn.to_string() == *text);
                let Some(topic) = topic else { continue };
                topic.changes_policy |= let_in(&mut topic.policy, text, &source)?;
                topic.wanted.arn.clone()
            }
            None => continue,
        };
        if let Some((_, told)) = changed.get_mut(&place) {
            told.add(name, notification, &target, plan)?;
        }
    }
    let steps = changed.into_iter().filter_map(|((bucket, _), (aws, told))| {
        (!told.added.is_empty()).then(|| {
            let (bucket, Told { all, added, ids }) = (bucket.to_owned(), told);
            Step::new(&aws, Act::Notify { bucket, told: added.join(", "), all, ids })
        })
    });
    Ok(steps.collect())
}

/// The notifications of one bucket, as they will be.
pub(in super::super) struct Told {
    pub(in super::super) all: NotificationConfiguration,
    added: Vec<String>,
    /// The ids of what was added.
    ids: Vec<String>,
}

impl Told {
    /// # Errors
    /// Where the bucket cannot be asked. A missing one is not made here: its settings are many.
    pub(in super::super) async fn read(connection: &Connection, bucket: &str) -> Result<Self> {
        let asked = connection.s3.get_bucket_notification_configuration().bucket(bucket);
        let there = asked.send().await.map_err(|error| {
            let what = format!("reading the notifications of bucket {bucket}");
            let error = fault(what, error);
            if error.kind() == Kind::Missing {
                return error.hint("create the bucket first");
            }
            error
        })?;
        let all = NotificationConfiguration::builder()
            .set_topic_configurations(there.topic_configurations)
            .set_queue_configurations(there.queue_configurations)
            .set_lambda_function_configurations(there.lambda_function_configurations)
            .set_event_bridge_configuration(there.event_bridge_configuration)
            .build();
        Ok(Self { all, added: Vec::new(), ids: Vec::new() })
    }

    /// Takes out what is ours under this id.
    pub(in super::super) fn remove(&mut self, id: &str) -> bool {
        let before = self.count();
        if let Some(queues) = &mut self.all.queue_configurations {
            queues.retain(|one| one.id() != Some(id));
        }
        if let Some(topics) = &mut self.all.topic_configurations {
            topics.retain(|one| one.id() != Some(id));
        }
        self.count() < before
    }

    /// Takes over what is planned under these ids, and nothing else of the plan.
    pub(in super::super) fn take_over(
        &mut self,
        planned: &NotificationConfiguration,
        ids: &[String],
    ) {
        for id in ids {
            self.remove(id);
        }
        let is_named = |id: Option<&str>| ids.iter().any(|own| Some(own.as_str()) == id);
        let queues = planned.queue_configurations().iter().filter(|one| is_named(one.id()));
        self.all.queue_configurations.get_or_insert_default().extend(queues.cloned());
        let topics = planned.topic_configurations().iter().filter(|one| is_named(one.id()));
        self.all.topic_configurations.get_or_insert_default().extend(topics.cloned());
    }

    fn count(&self) -> usize {
        self.all.queue_configurations().len() + self.all.topic_configurations().len()
    }

    fn add(
        &mut self,
        name: &str,
        notification: &Notification,
        target: &Arn,
        plan: &mut Plan,
    ) -> Result<()> {
        let id = format!("{ID}{name}");
        let wanted = Rule::wanted(notification, target);
        if let Some(other) = self.rules().into_iter().find(|(_, rule)| *rule == wanted) {
            if other.0 != id {
                let bucket = &notification.bucket;
                plan.notes
                    .push(format!("bucket {bucket} tells {target} already, by {:?}", other.0));
            }
            return Ok(());
        }
        self.remove(&id);
        self.added.push(format!("tell {target} of {} ({id})", wanted.events.join(" ")));
        self.ids.push(id.clone());
        let (events, filter) = (events(notification), filter(notification));
        let wrong = |error| Error::new(Kind::Bug, "writing a notification").because(error);
        if target.service == "sns" {
            let one = TopicConfiguration::builder().id(id).topic_arn(target.to_string());
            let one = one.set_events(Some(events)).set_filter(filter).build();
            let topics = self.all.topic_configurations.get_or_insert_default();
            topics.push(one.map_err(|error| wrong(error.to_string()))?);
        } else {
            let one = QueueConfiguration::builder().id(id).queue_arn(target.to_string());
            let one = one.set_events(Some(events)).set_filter(filter).build();
            let queues = self.all.queue_configurations.get_or_insert_default();
            queues.push(one.map_err(|error| wrong(error.to_string()))?);
        }
        Ok(())
    }

    fn rules(&self) -> Vec<(String, Rule)> {
        let queues = self.all.queue_configurations().iter().map(|one| {
            let rule = Rule::found(one.queue_arn(), one.events(), one.filter());
            (one.id().unwrap_or_default().to_owned(), rule)
        });
        let topics = self.all.topic_configurations().iter().map(|one| {
            let rule = Rule::found(one.topic_arn(), one.events(), one.filter());
            (one.id().unwrap_or_default().to_owned(), rule)
        });
        queues.chain(topics).collect()
    }
}

/// What two notifications must have in common to be the same.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    target: String,
    events: Vec<String>,
    /// Lower-case name and value.
    filter: Vec<(String, String)>,
}

impl Rule {
    fn new(target: &str, mut events: Vec<String>, mut filter: Vec<(String, String)>) -> Self {
        events.sort();
        filter.sort();
        Self { target: target.to_owned(), events, filter }
    }

    fn wanted(notification: &Notification, target: &Arn) -> Self {
        let filter = rules(notification).map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::new(&target.to_string(), notification.events.clone(), filter.collect())
    }

    fn found(
        target: &str,
        events: &[Event],
        filter: Option<&NotificationConfigurationFilter>,
    ) -> Self {
        let rules = filter.and_then(|filter| filter.key()).map(S3KeyFilter::filter_rules);
        // S3 writes the names back as Prefix and Suffix.
        let filter = rules.unwrap_or_default().iter().map(|rule| {
            let name = rule.name().map(|name| name.as_str().to_lowercase());
            (name.unwrap_or_default(), rule.value().unwrap_or_default().to_owned())
        });
        let filter = filter.filter(|(_, value)| !value.is_empty()).collect();
        Self::new(target, events.iter().map(|event| event.as_str().to_owned()).collect(), filter)
    }
}

fn events(notification: &Notification) -> Vec<Event> {
    notification.events.iter().map(|event| Event::from(event.as_str())).collect()
}

fn rules(notification: &Notification) -> impl Iterator<Item = (&str, &str)> {
    let both = [("prefix", &notification.prefix), ("suffix", &notification.suffix)];
    both.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
}

fn filter(notification: &Notification) -> Option<NotificationConfigurationFilter> {
    let rules: Vec<FilterRule> = rules(notification)
        .map(|(name, value)| FilterRule::builder().name(name.into()).value(value).build())
        .collect();
    let key = S3KeyFilter::builder().set_filter_rules(Some(rules.clone())).build();
    (!rules.is_empty()).then(|| NotificationConfigurationFilter::builder().key(key).build())
}
