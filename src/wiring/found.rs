//! What is there at AWS: queues, topics and subscriptions, as they say themselves. Reads only.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sns::types::Subscription as Listed;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::Value;

use super::arn::Arn;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::toolkit::sqs::{self, QueueUrl};

/// What stands in place of a subscription's ARN until its endpoint confirmed it.
const PENDING: &str = "PendingConfirmation";

/// A queue that is there.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    pub(super) url: QueueUrl,
    pub(super) attributes: HashMap<Name, String>,
}

/// A subscription of exactly one queue to one topic.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    /// Nothing while it waits for its confirmation.
    pub(super) arn: Option<String>,
    pub(super) attributes: HashMap<String, String>,
}

/// A topic that is there: its attributes.
pub(super) type Topic = HashMap<String, String>;

/// The queue of this name, URL or ARN; nothing where there is none.
pub(super) async fn queue(client: &aws_sdk_sqs::Client, queue: &str) -> Result<Option<Queue>> {
    let asked = async {
        let url = sqs::resolve(client, queue).await?;
        let answer = client
            .get_queue_attributes()
            .queue_url(url.as_str())
            .attribute_names(Name::All)
            .send()
            .await
            .map_err(|error| fault(format!("reading the attributes of queue {queue}"), error))?;
        Ok(Queue { url, attributes: answer.attributes.unwrap_or_default() })
    };
    or_missing(asked.await)
}

/// The topic of this ARN; nothing where there is none.
pub(super) async fn topic(client: &aws_sdk_sns::Client, topic: &Arn) -> Result<Option<Topic>> {
    let asked = client.get_topic_attributes().topic_arn(topic.to_string()).send().await;
    let asked = asked
        .map(|answer| answer.attributes.unwrap_or_default())
        .map_err(|error| fault(format!("reading the attributes of topic {topic}"), error));
    or_missing(asked)
}

/// The subscription of exactly this queue to this topic.
pub(super) async fn subscription(
    client: &aws_sdk_sns::Client,
    topic: &Arn,
    queue: &str,
) -> Result<Option<Subscription>> {
    let of_queue = |listed: &Listed| {
        listed.protocol.as_deref() == Some("sqs") && listed.endpoint.as_deref() == Some(queue)
    };
    let listed = subscriptions(client, topic).await?;
    let Some(listed) = listed.into_iter().find(of_queue) else { return Ok(None) };
    let arn = listed.subscription_arn.filter(|arn| arn.starts_with("arn:"));
    let attributes = match &arn {
        Some(arn) => {
            let asked = client.get_subscription_attributes().subscription_arn(arn).send().await;
            let what = format!("reading the attributes of subscription {arn}");
            asked.map_err(|error| fault(what, error))?.attributes.unwrap_or_default()
        }
        None => HashMap::new(),
    };
    Ok(Some(Subscription { arn, attributes }))
}

/// Every subscription to this topic, page by page.
pub(super) async fn subscriptions(
    client: &aws_sdk_sns::Client,
    topic: &Arn,
) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    let mut next = None;
    loop {
        let page = client.list_subscriptions_by_topic().topic_arn(topic.to_string());
        let page = page
            .set_next_token(next.take())
            .send()
            .await
            .map_err(|error| fault(format!("listing the subscriptions to {topic}"), error))?;
        listed.extend(page.subscriptions.unwrap_or_default());
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(listed);
        }
    }
}

fn or_missing<T>(asked: Result<T>) -> Result<Option<T>> {
    match asked {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == Kind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

impl Queue {
    pub(super) fn attribute(&self, name: &Name) -> Option<&str> {
        self.attributes.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn arn(&self) -> Result<Arn> {
        self.attribute(&Name::QueueArn).and_then(Arn::read).ok_or_else(|| {
            let name = self.url.name();
            Error::new(Kind::Transient, format!("queue {name} does not tell its ARN"))
        })
    }

    pub(super) fn policy(&self) -> Option<&str> {
        self.attribute(&Name::Policy)
    }

    /// The ARN of the dead-letter queue in its redrive policy, and the count.
    pub(super) fn redrive(&self) -> Option<(String, u64)> {
        let policy = self.attribute(&Name::RedrivePolicy)?;
        let policy: Value = serde_json::from_str(policy).ok()?;
        let count = policy.get("maxReceiveCount")?;
        // AWS accepts and returns it both as a number and as a string.
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
        Some((policy.get("deadLetterTargetArn")?.as_str()?.to_owned(), count))
    }

    pub(super) fn retention(&self) -> Option<Duration> {
        self.number(&Name::MessageRetentionPeriod).map(Duration::from_secs)
    }

    /// About how many messages are in it: waiting, leased and delayed.
    pub(super) fn holds(&self) -> u64 {
        [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        ]
        .iter()
        .filter_map(|name| self.number(name))
        .sum()
    }

    fn number(&self, name: &Name) -> Option<u64> {
        self.attribute(name)?.parse().ok()
    }
}

impl Subscription {
    pub(super) fn is_pending(&self) -> bool {
        self.arn.is_none() || self.attributes.get(PENDING).is_some_and(|value| value == "true")
    }

    pub(super) fn is_raw(&self) -> bool {
        self.attributes.get("RawMessageDelivery").is_some_and(|value| value == "true")
    }

    /// An empty policy is none.
    pub(super) fn filter(&self) -> Option<&str> {
        let policy = self.attributes.get("FilterPolicy").map(String::as_str);
        policy.filter(|policy| !matches!(policy.trim(), "" | "{}"))
    }

    pub(super) fn scope(&self) -> &str {
        self.attributes.get("FilterPolicyScope").map_or(ATTRIBUTES, String::as_str)
    }
}

/// The scope of a filter policy that looks at message attributes, which is SNS's default.
pub(super) const ATTRIBUTES: &str = "MessageAttributes";
