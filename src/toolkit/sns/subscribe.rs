//! Subscriptions: of a queue (its policy included), by e-mail, SMS and HTTP.

use std::collections::BTreeMap;

use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::stream::try_unfold;
use futures_util::{Stream, StreamExt};

use crate::again::again;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::toolkit::sqs::{self, QueueUrl, policy};

/// What SNS writes in place of an ARN until whoever is to be told has agreed.
const PENDING: &str = "PendingConfirmation";

/// Who is to be told of what is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A queue by its ARN. See [`subscribe_queue`], which also lets the topic in.
    Queue(String),
    /// A mail address.
    Email(String),
    /// A telephone number, such as `+15550100`.
    Sms(String),
    /// A web service, by its `http://` or `https://` URL.
    Http(String),
}

impl Endpoint {
    /// SNS's protocol, and what it calls the endpoint.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Queue(arn) => ("sqs", arn),
            Self::Email(address) => ("email", address),
            Self::Sms(number) => ("sms", number),
            Self::Http(url) if url.starts_with("https://") => ("https", url),
            Self::Http(url) => ("http", url),
        }
    }
}

/// What a subscription is to be like. What is left out stays as it is, or as SNS makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Messages come as they were published, and not in SNS's envelope.
    pub raw: Option<bool>,
    /// Only messages that this filter policy lets through; `{}` lets through all.
    pub filter: Option<String>,
    /// What the filter looks at: `MessageAttributes` (as SNS has it) or `MessageBody`.
    pub filter_scope: Option<String>,
}

impl Wishes {
    /// The scope stands before the policy: SNS reads the policy by the scope it has by then.
    fn attributes(&self) -> impl Iterator<Item = (&'static str, String)> {
        let raw = self.raw.map(|raw| ("RawMessageDelivery", raw.to_string()));
        let scope = self.filter_scope.clone().map(|scope| ("FilterPolicyScope", scope));
        let filter = self.filter.clone().map(|filter| ("FilterPolicy", filter));
        [raw, scope, filter].into_iter().flatten()
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its ARN; nothing while it waits to be confirmed, where SNS tells none in a list.
    pub arn: Option<String>,
    /// SNS's protocol: `sqs`, `email`, `sms`, `http`, `https`, …
    pub protocol: String,
    /// The queue's ARN, the address, the number or the URL.
    pub endpoint: String,
    /// Nothing is delivered before whoever is to be told has agreed.
    pub is_pending: bool,
}

/// Subscribes an endpoint to a topic. One that is subscribed already is given the wishes, and no
/// second subscription.
///
/// Nothing is delivered to an e-mail address or web service before it has agreed
/// ([`Subscription::is_pending`]). A changed filter takes up to 15 minutes.
/// Dropped midway, the subscription may or may not have been made, in part.
///
/// # Errors
/// [`Kind::Missing`] where there is no such topic, [`Kind::Invalid`] for an endpoint or a filter
/// that SNS does not take.
pub async fn subscribe(
    client: &aws_sdk_sns::Client,
    topic_arn: &str,
    endpoint: &Endpoint,
    wishes: &Wishes,
) -> Result<Subscription> {
    let (protocol, address) = endpoint.parts();
    let what = format!("subscribing {address} to topic {topic_arn}");
    let mut request = client
        .subscribe()
        .topic_arn(topic_arn)
        .protocol(protocol)
        .endpoint(address)
        .return_subscription_arn(true);
    for (name, value) in wishes.attributes() {
        request = request.attributes(name, value);
    }
    let arn = again(|| async {
        match request.clone().send().await {
            Ok(answer) => Ok(answer.subscription_arn.filter(|arn| arn.starts_with("arn:"))),
            Err(error) if is_there_already(&error) => Ok(None),
            Err(error) => Err(fault(&what, error)),
        }
    })
    .await?;
    let arn = match arn {
        Some(arn) => Some(arn),
        None => subscribed(client, topic_arn, protocol, address).await?.and_then(|known| known.arn),
    };
    let is_pending = match &arn {
        Some(arn) => bring_up_to_date(client, arn, wishes).await?,
        None => true,
    };
    let (protocol, endpoint) = (protocol.to_owned(), address.to_owned());
    Ok(Subscription { arn, protocol, endpoint, is_pending })
}

/// SNS refuses to subscribe anew with other attributes.
fn is_there_already(error: &impl ProvideErrorMetadata) -> bool {
    let told = error.message().unwrap_or_default();
    error.code() == Some("InvalidParameter") && told.contains("already exists")
}

/// Sets what differs from the wishes; tells whether the subscription waits to be confirmed.
async fn bring_up_to_date(
    client: &aws_sdk_sns::Client,
    arn: &str,
    wishes: &Wishes,
) -> Result<bool> {
    let attributes = subscription_attributes(client, arn).await?;
    let is_pending = attributes.get(PENDING).is_some_and(|pending| pending == "true");
    for (name, wanted) in wishes.attributes() {
        if attributes.get(name).is_some_and(|has| is_same(has, &wanted)) {
            continue;
        }
        let request = client.set_subscription_attributes().subscription_arn(arn);
        let request = request.attribute_name(name).attribute_value(wanted);
        let what = format!("setting {name} of subscription {arn}");
        again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) }).await?;
    }
    Ok(is_pending)
}

/// Filter policies are the same however they are written.
fn is_same(has: &str, wanted: &str) -> bool {
    let read = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    has == wanted || read(has).is_some_and(|has| Some(has) == read(wanted))
}

async fn subscribed(
    client: &aws_sdk_sns::Client,
    topic_arn: &str,
    protocol: &str,
    address: &str,
) -> Result<Option<Subscription>> {
    let mut all = std::pin::pin!(subscriptions(client, topic_arn));
    while let Some(known) = all.next().await.transpose()? {
        if known.protocol == protocol && known.endpoint == address {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

/// Subscribes a queue to a topic of any account: first the queue's policy is merged so that the
/// topic may send, then the queue is subscribed as [`subscribe`] does.
///
/// Run twice, it changes nothing.
///
/// # Errors
/// As [`subscribe`]; [`Kind::Invalid`] where the queue's policy is none.
pub async fn subscribe_queue(
    sns: &aws_sdk_sns::Client,
    topic_arn: &str,
    sqs: &aws_sdk_sqs::Client,
    queue: &QueueUrl,
    wishes: &Wishes,
) -> Result<Subscription> {
    let mut attributes = sqs::attributes(sqs, queue).await?;
    let arn = attributes.remove("QueueArn").ok_or_else(|| {
        Error::new(Kind::Transient, format!("reading the attributes of queue {}", queue.name()))
            .because("the answer holds no ARN")
    })?;
    let existing = attributes.get("Policy").map(String::as_str);
    if let Some(merged) = policy::allow_topic(existing, &arn, topic_arn)? {
        let name = QueueAttributeName::Policy.as_str().to_owned();
        sqs::set_attributes(sqs, queue, &BTreeMap::from([(name, merged)])).await?;
    }
    subscribe(sns, topic_arn, &Endpoint::Queue(arn), wishes).await
}

/// Ends a subscription by its ARN. One that is gone already is no error to SNS.
///
/// # Errors
/// [`Kind::Invalid`] for one that waits to be confirmed: SNS ends it by itself after 48 hours.
pub async fn unsubscribe(client: &aws_sdk_sns::Client, subscription_arn: &str) -> Result<()> {
    let what = format!("ending subscription {subscription_arn}");
    if !subscription_arn.starts_with("arn:") {
        return Err(Error::new(Kind::Invalid, what)
            .because("it is no ARN")
            .hint("one that waits to be confirmed has none; SNS ends it after 48 hours"));
    }
    let request = client.unsubscribe().subscription_arn(subscription_arn);
    again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) }).await.map(drop)
}

/// The subscriptions of a topic, page by page, in no order that SNS promises.
pub fn subscriptions<'a>(
    client: &'a aws_sdk_sns::Client,
    topic_arn: &'a str,
) -> impl Stream<Item = Result<Subscription>> + Send + 'a {
    let begin = (Vec::new().into_iter(), Some(None));
    try_unfold(begin, move |(mut page, mut next): (std::vec::IntoIter<_>, _)| async move {
        loop {
            if let Some(one) = page.next() {
                return Ok(Some((listed(one), (page, next))));
            }
            let Some(token) = next else { return Ok(None) };
            let request = client.list_subscriptions_by_topic().topic_arn(topic_arn);
            let request = request.set_next_token(token);
            let what = format!("listing the subscriptions of topic {topic_arn}");
            let answer =
                again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) })
                    .await?;
            page = answer.subscriptions.unwrap_or_default().into_iter();
            next = answer.next_token.map(Some);
        }
    })
}

fn listed(one: aws_sdk_sns::types::Subscription) -> Subscription {
    let arn = one.subscription_arn.filter(|arn| arn.starts_with("arn:"));
    Subscription {
        is_pending: arn.is_none(),
        arn,
        protocol: one.protocol.unwrap_or_default(),
        endpoint: one.endpoint.unwrap_or_default(),
    }
}

/// All that a subscription says of itself, by SNS's names.
pub async fn subscription_attributes(
    client: &aws_sdk_sns::Client,
    subscription_arn: &str,
) -> Result<BTreeMap<String, String>> {
    let request = client.get_subscription_attributes().subscription_arn(subscription_arn);
    let what = format!("reading the attributes of subscription {subscription_arn}");
    let answer =
        again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) }).await?;
    Ok(answer.attributes.unwrap_or_default().into_iter().collect())
}
