//! The embedded SNS: topics in memory, delivered to queues of the embedded SQS.
//!
//! Delivers at once and to queues only; a subscription of any other protocol is refused. Topics
//! are known by their whole ARN, which carries the region of the request that created them.

mod filter;
mod input;
mod publish;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::input::Input;
use super::ACCOUNT;
use super::clock::Clock;
use super::digest;
use super::fault::Fault;
use super::guarded::Guarded;
use super::sqs::{Caller, Sqs};
use super::xml;

const MOST_TOPICS: usize = 10_000;
const MOST_SUBSCRIPTIONS: usize = 10_000;

#[derive(Debug)]
pub(super) struct Sns {
    clock: Clock,
    sqs: Arc<Sqs>,
    topics: Guarded<BTreeMap<String, Topic>>,
}

#[derive(Debug, Default)]
struct Topic {
    attributes: BTreeMap<String, String>,
    subscriptions: BTreeMap<String, Subscription>,
}

#[derive(Debug, Clone)]
struct Subscription {
    queue: String,
    attributes: BTreeMap<String, String>,
}

impl Subscription {
    fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        if name == "FilterPolicy" && !value.is_empty() {
            filter::check(value)?;
        }
        if value.is_empty() {
            self.attributes.remove(name);
        } else {
            self.attributes.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
    }
}

fn no_such_topic() -> Fault {
    Fault::new("NotFound", "Topic does not exist")
}

fn no_such_subscription() -> Fault {
    Fault::new("NotFound", "Subscription does not exist")
}

impl Sns {
    pub(super) fn new(clock: Clock, sqs: Arc<Sqs>) -> Self {
        Self { clock, sqs, topics: Guarded::default() }
    }

    /// Creates the topic unless it is there, and gives its ARN.
    pub(super) fn ensure(&self, name: &str, region: &str) -> Result<String, Fault> {
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let right = (1..=256).contains(&name.len())
            && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !right {
            return Err(Fault::new("InvalidParameter", "Invalid parameter: Topic Name"));
        }
        let arn = format!("arn:aws:sns:{region}:{ACCOUNT}:{name}");
        let mut topics = self.topics.lock();
        if topics.len() >= MOST_TOPICS {
            return Err(Fault::new("TopicLimitExceeded", "too many topics"));
        }
        topics.entry(arn.clone()).or_default();
        Ok(arn)
    }

    /// Answers one operation with the XML inside its result.
    pub(super) fn call(
        &self,
        caller: &Caller,
        action: &str,
        fields: &[(String, String)],
    ) -> Result<String, Fault> {
        let input = Input::of(fields);
        match action {
            "Publish" => self.publish(caller, &input),
            "PublishBatch" => self.publish_batch(caller, &input),
            "CreateTopic" => {
                let arn = self.ensure(input.needed("Name")?, &caller.region)?;
                if let Some(topic) = self.topics.lock().get_mut(&arn) {
                    for (name, value) in input.pairs("Attributes") {
                        topic.attributes.insert(name.to_owned(), value.to_owned());
                    }
                }
                Ok(one("TopicArn", &arn))
            }
            "DeleteTopic" => {
                self.topics.lock().remove(input.needed("TopicArn")?);
                Ok(String::new())
            }
            "ListTopics" => {
                Ok(members("Topics", self.topics.lock().keys().map(|arn| one("TopicArn", arn))))
            }
            "GetTopicAttributes" => self.with_topic(&input, |arn, topic| {
                let mut all = topic.attributes.clone();
                all.insert("TopicArn".to_owned(), arn.to_owned());
                all.insert("Owner".to_owned(), ACCOUNT.to_owned());
                let count = topic.subscriptions.len().to_string();
                all.insert("SubscriptionsConfirmed".to_owned(), count);
                Ok(entries("Attributes", &all))
            }),
            "SetTopicAttributes" => self.with_topic(&input, |_, topic| {
                let value = input.text("AttributeValue").unwrap_or_default();
                topic
                    .attributes
                    .insert(input.needed("AttributeName")?.to_owned(), value.to_owned());
                Ok(String::new())
            }),
            "TagResource" | "UntagResource" => Ok(String::new()),
            "ListTagsForResource" => Ok(members("Tags", std::iter::empty())),
            _ => self.of_subscription(action, &input),
        }
    }

    fn of_subscription(&self, action: &str, input: &Input) -> Result<String, Fault> {
        match action {
            "Subscribe" => self.subscribe(input),
            "Unsubscribe" => {
                let arn = input.needed("SubscriptionArn")?;
                for topic in self.topics.lock().values_mut() {
                    topic.subscriptions.remove(arn);
                }
                Ok(String::new())
            }
            "ListSubscriptions" => {
                let topics = self.topics.lock();
                let all = topics.iter().flat_map(|(topic, t)| {
                    t.subscriptions.iter().map(|(arn, s)| show(topic, arn, s))
                });
                Ok(members("Subscriptions", all))
            }
            "ListSubscriptionsByTopic" => self.with_topic(input, |topic, t| {
                let all = t.subscriptions.iter().map(|(arn, s)| show(topic, arn, s));
                Ok(members("Subscriptions", all))
            }),
            "GetSubscriptionAttributes" => self.with_subscription(input, |topic, arn, s| {
                let mut all = s.attributes.clone();
                for (name, value) in [
                    ("SubscriptionArn", arn),
                    ("TopicArn", topic),
                    ("Protocol", "sqs"),
                    ("Endpoint", &s.queue),
                    ("Owner", ACCOUNT),
                    ("PendingConfirmation", "false"),
                ] {
                    all.insert(name.to_owned(), value.to_owned());
                }
                Ok(entries("Attributes", &all))
            }),
            "SetSubscriptionAttributes" => self.with_subscription(input, |_, _, s| {
                let value = input.text("AttributeValue").unwrap_or_default();
                s.set(input.needed("AttributeName")?, value)?;
                Ok(String::new())
            }),
            _ => Err(Fault::new(
                "InvalidAction",
                format!("the embedded SNS of longshore has no operation {action}"),
            )),
        }
    }

    fn subscribe(&self, input: &Input) -> Result<String, Fault> {
        let protocol = input.needed("Protocol")?;
        if protocol != "sqs" {
            return Err(Fault::new(
                "InvalidParameter",
                format!(
                    "Invalid parameter: Protocol: the embedded SNS of longshore delivers to sqs \
                     only, not to {protocol}"
                ),
            ));
        }
        let queue = input.needed("Endpoint")?.to_owned();
        if !queue.starts_with("arn:aws:sqs:") {
            return Err(Fault::new("InvalidParameter", "Invalid parameter: SQS endpoint ARN"));
        }
        self.with_topic(input, |topic_arn, topic| {
            let known = topic.subscriptions.iter().find(|(_, known)| known.queue == queue);
            if let Some((arn, _)) = known {
                return Ok(one("SubscriptionArn", arn));
            }
            if topic.subscriptions.len() >= MOST_SUBSCRIPTIONS {
                return Err(Fault::new("SubscriptionLimitExceeded", "too many subscriptions"));
            }
            let mut new = Subscription { queue: queue.clone(), attributes: BTreeMap::new() };
            for (name, value) in input.pairs("Attributes") {
                new.set(name, value)?;
            }
            let arn = format!("{topic_arn}:{}", digest::uuid());
            topic.subscriptions.insert(arn.clone(), new);
            Ok(one("SubscriptionArn", &arn))
        })
    }

    fn with_topic<R>(
        &self,
        input: &Input,
        work: impl FnOnce(&str, &mut Topic) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let arn = input.text("TopicArn").or_else(|| input.text("TargetArn"));
        let arn = arn.ok_or_else(|| {
            Fault::new("InvalidParameter", "Invalid parameter: TopicArn or TargetArn is needed")
        })?;
        let mut topics = self.topics.lock();
        work(arn, topics.get_mut(arn).ok_or_else(no_such_topic)?)
    }

    fn with_subscription<R>(
        &self,
        input: &Input,
        work: impl FnOnce(&str, &str, &mut Subscription) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let arn = input.needed("SubscriptionArn")?;
        let mut topics = self.topics.lock();
        let found =
            topics.iter_mut().find_map(|(topic, t)| Some((topic, t.subscriptions.get_mut(arn)?)));
        let (topic, subscription) = found.ok_or_else(no_such_subscription)?;
        work(topic, arn, subscription)
    }
}

fn one(name: &str, text: &str) -> String {
    let mut xml = String::new();
    xml::element(&mut xml, name, &xml::escape(text));
    xml
}

fn members(name: &str, all: impl Iterator<Item = String>) -> String {
    let mut inside = String::new();
    for member in all {
        xml::element(&mut inside, "member", &member);
    }
    let mut xml = String::new();
    xml::element(&mut xml, name, &inside);
    xml
}

fn entries(name: &str, all: &BTreeMap<String, String>) -> String {
    let mut inside = String::new();
    for (key, value) in all {
        xml::element(&mut inside, "entry", &(one("key", key) + &one("value", value)));
    }
    let mut xml = String::new();
    xml::element(&mut xml, name, &inside);
    xml
}

fn show(topic: &str, arn: &str, subscription: &Subscription) -> String {
    [
        ("TopicArn", topic),
        ("SubscriptionArn", arn),
        ("Protocol", "sqs"),
        ("Endpoint", &subscription.queue),
        ("Owner", ACCOUNT),
    ]
    .map(|(name, value)| one(name, value))
    .concat()
}
