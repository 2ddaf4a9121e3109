//! One thing that setup does, told before it is done.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use aws_sdk_s3::types::NotificationConfiguration;
use aws_sdk_sns::error::SdkError;
use aws_sdk_sns::operation::subscribe::SubscribeError;
use aws_sdk_sns::types::Tag;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use tokio::time::Instant;

use super::arn::Arn;
use super::plan::bucket::Told;
use crate::aws::fault::fault;
use crate::aws::{Aws, Connection};
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::toolkit::sqs::QueueUrl;

/// The tag on everything that setup makes, and its value: what bears it, `--destroy` may delete.
pub(super) const TAG: (&str, &str) = ("made-by", "longshore-setup");

/// How long SQS keeps a name after its queue was deleted, and how long S3 may take to see a policy.
const SETTLING: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_secs(2);

/// One thing to do: to what, and how to reach it.
#[derive(Debug, Clone)]
pub struct Step {
    pub(super) aws: config::Aws,
    pub(super) act: Act,
}

/// What is done.
#[derive(Debug, Clone)]
pub(super) enum Act {
    CreateQueue {
        queue: Arn,
        attributes: BTreeMap<Name, String>,
    },
    ChangeQueue {
        url: QueueUrl,
        attributes: BTreeMap<Name, String>,
    },
    CreateTopic {
        topic: Arn,
    },
    ChangeTopic {
        topic: Arn,
        attribute: &'static str,
        value: String,
    },
    Subscribe {
        topic: Arn,
        queue: Arn,
        attributes: BTreeMap<&'static str, String>,
    },
    ChangeSubscription {
        subscription: String,
        attribute: &'static str,
        value: String,
    },
    Notify {
        bucket: String,
        told: String,
        all: NotificationConfiguration,
        ids: Vec<String>,
    },
    #[cfg(feature = "dynamodb")]
    Table(super::table::Table),
    Unsubscribe {
        subscription: String,
    },
    DeleteTopic {
        topic: Arn,
    },
    DeleteQueue {
        url: QueueUrl,
    },
}

impl Step {
    pub(super) fn new(aws: &config::Aws, act: Act) -> Self {
        Self { aws: aws.clone(), act }
    }

    /// Does it. A name that SQS still keeps, and a policy that S3 does not see yet, are waited for,
    /// a minute at most. Dropped midway, it may have been done or not; the next plan tells.
    ///
    /// # Errors
    /// What the service said; the steps before stand.
    pub async fn apply(&self, aws: &Aws) -> Result<()> {
        let end = Instant::now() + SETTLING + PAUSE;
        loop {
            let done = self.once(aws).await;
            let may_pass = match (&done, &self.act) {
                (Err(error), Act::CreateQueue { .. }) => error.told().contains("DeletedRecently"),
                (Err(error), Act::Notify { .. }) => error.kind() == Kind::Invalid,
                (Ok(()) | Err(_), _) => false,
            };
            if !may_pass || Instant::now() >= end {
                return done;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn once(&self, aws: &Aws) -> Result<()> {
        let connection = aws.connect(&self.aws).await?;
        let (sqs, sns, what) = (&connection.sqs, &connection.sns, self.to_string());
        match &self.act {
            Act::CreateQueue { queue, attributes } => {
                let create = sqs.create_queue().queue_name(&queue.resource).tags(TAG.0, TAG.1);
                let create = create.set_attributes(Some(as_map(attributes)));
                create.send().await.map(drop).map_err(|error| fault(what, error))
            }
            Act::ChangeQueue { url, attributes } => {
                let change = sqs.set_queue_attributes().queue_url(url.as_str());
                let change = change.set_attributes(Some(as_map(attributes)));
                change.send().await.map(drop).map_err(|error| fault(what, error))
            }
            Act::CreateTopic { topic } => {
                let tag = Tag::builder().key(TAG.0).value(TAG.1).build();
                let tag = tag.map_err(|error| Error::new(Kind::Bug, &*what).because(error))?;
                let mut create = sns.create_topic().name(&topic.resource).tags(tag);
                if topic.is_fifo() {
                    create = create.attributes("FifoTopic", "true");
                }
                create.send().await.map(drop).map_err(|error| fault(what, error))
            }
            Act::ChangeTopic { topic, attribute, value } => {
                let change = sns.set_topic_attributes().topic_arn(topic.to_string());
                let change = change.attribute_name(*attribute).attribute_value(value);
                change.send().await.map(drop).map_err(|error| fault(what, error))
            }
            Act::Subscribe { topic, queue, attributes } => {
                subscribe(sns, topic, queue, attributes).await.map_err(|error| fault(what, error))
            }
            Act::ChangeSubscription { subscription, attribute, value } => {
                let change = sns.set_subscription_attributes().subscription_arn(subscription);
                let change = change.attribute_name(*attribute).attribute_value(value);
                change.send().await.map(drop).map_err(|error| fault(what, error))
            }
            Act::Notify { bucket, all, ids, .. } => {
                notify(&connection, bucket, all, ids, what).await
            }
            #[cfg(feature = "dynamodb")]
            Act::Table(table) => table.apply(&connection).await,
            Act::Unsubscribe { subscription } => {
                let end = sns.unsubscribe().subscription_arn(subscription);
                end.send().await.map(drop).map_err(|error| fault(what, error))
            }
            Act::DeleteTopic { topic } => {
                let delete = sns.delete_topic().topic_arn(topic.to_string());
                delete.send().await.map(drop).map_err(|error| fault(what, error))
            }
            Act::DeleteQueue { url } => {
                let delete = sqs.delete_queue().queue_url(url.as_str());
                delete.send().await.map(drop).map_err(|error| fault(what, error))
            }
        }
    }

    /// True where it may take up to 15 minutes until it is felt.
    pub(super) fn sets_filter(&self) -> bool {
        match &self.act {
            Act::Subscribe { attributes, .. } => attributes.contains_key(FILTER),
            Act::ChangeSubscription { attribute, .. } => *attribute == FILTER,
            Act::CreateQueue { .. }
            | Act::ChangeQueue { .. }
            | Act::CreateTopic { .. }
            | Act::ChangeTopic { .. }
            | Act::Notify { .. }
            | Act::Unsubscribe { .. }
            | Act::DeleteTopic { .. }
            | Act::DeleteQueue { .. } => false,
            #[cfg(feature = "dynamodb")]
            Act::Table(_) => false,
        }
    }
}

/// The attribute of a subscription that holds its filter policy.
pub(super) const FILTER: &str = "FilterPolicy";

/// Has S3 tell of a bucket what the plan says.
async fn notify(
    connection: &Connection,
    bucket: &str,
    all: &NotificationConfiguration,
    ids: &[String],
    what: String,
) -> Result<()> {
    // S3 replaces all of them at once: others may have added theirs since the plan.
    let mut now = Told::read(connection, bucket).await?;
    now.take_over(all, ids);
    let put = connection.s3.put_bucket_notification_configuration();
    let put = put.bucket(bucket).notification_configuration(now.all);
    put.send().await.map(drop).map_err(|error| fault(what, error))
}

async fn subscribe(
    sns: &aws_sdk_sns::Client,
    topic: &Arn,
    queue: &Arn,
    attributes: &BTreeMap<&'static str, String>,
) -> std::result::Result<(), SdkError<SubscribeError>> {
    let all = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let to = sns.subscribe().topic_arn(topic.to_string()).set_attributes(Some(all.collect()));
    to.protocol("sqs").endpoint(queue.to_string()).send().await.map(drop)
}

fn as_map(attributes: &BTreeMap<Name, String>) -> HashMap<Name, String> {
    attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.act {
            Act::CreateQueue { queue, attributes } => {
                write!(f, "create queue {queue}{}", with(attributes))
            }
            Act::ChangeQueue { url, attributes } => {
                write!(f, "change queue {}{}", url.as_str(), with(attributes))
            }
            Act::CreateTopic { topic } => write!(f, "create topic {topic}"),
            Act::ChangeTopic { topic, attribute, value } => {
                write!(f, "change topic {topic}: {attribute} {value}")
            }
            Act::Subscribe { topic, queue, attributes } => {
                write!(f, "subscribe {queue} to {topic}{}", with(attributes))
            }
            Act::ChangeSubscription { subscription, attribute, value } => {
                write!(f, "change subscription {subscription}: {attribute} {value}")
            }
            Act::Notify { bucket, told, .. } => write!(f, "change bucket {bucket}: {told}"),
            #[cfg(feature = "dynamodb")]
            Act::Table(table) => table.fmt(f),
            Act::Unsubscribe { subscription } => write!(f, "delete subscription {subscription}"),
            Act::DeleteTopic { topic } => write!(f, "delete topic {topic}"),
            Act::DeleteQueue { url } => write!(f, "delete queue {}", url.as_str()),
        }
    }
}

/// `: name value, name value`
fn with<N: AsRef<str>>(attributes: &BTreeMap<N, String>) -> String {
    let told = attributes.iter().map(|(name, value)| format!("{} {value}", name.as_ref()));
    let told: Vec<String> = told.collect();
    if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
}
