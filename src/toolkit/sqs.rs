//! Queues by name, URL or ARN; what a queue says of itself; sending, one or many.

mod decode;
mod entry;
pub(crate) mod poll;
pub mod policy;
mod queue;
pub mod redrive;
mod send;
pub(crate) mod settle;
mod single;
mod verbs;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;

use crate::again::again;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};

pub(crate) use decode::{event_in_envelope, is_damaged, read};
pub(crate) use entry::{Target, send_batch};
pub use queue::{Held, Queue, Reading};
pub(crate) use send::unfit;
pub use send::{LONGEST_DELAY, MOST_BYTES, Sender, delay};
pub use verbs::{
    Length, NewQueue, REST, arn, attributes, create, delete, exists, length, list, purge,
    set_attributes,
};

pub use super::transport::SendReport;

/// The largest lease that SQS grants, counted from the receive.
pub const LONGEST_LEASE: Duration = Duration::from_hours(12);

/// A queue that was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueUrl(String);

impl QueueUrl {
    /// The queue of this name under a URL up to the account, as SQS writes it.
    pub fn at(account: &str, name: &str) -> Self {
        Self(format!("{account}/{name}"))
    }

    /// As SQS wants it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The queue's name: the last part of the URL.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The queue's ARN, put together from the URL's account and the region, which decides the
    /// partition (General Reference of AWS, Amazon Resource Names).
    pub fn arn(&self, region: &str) -> String {
        let account = self.0.rsplit('/').nth(1).unwrap_or_default();
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:sqs:{region}:{account}:{}", self.name())
    }

    /// First in, first out: such a queue's name ends in `.fifo`.
    pub fn is_fifo(&self) -> bool {
        self.name().strip_suffix(".fifo").is_some()
    }
}

/// Finds a queue by its name, URL or ARN, as [`resolve`] does, and asks again what passes by itself:
/// five times in all.
///
/// # Errors
/// As [`resolve`].
pub async fn find(client: &aws_sdk_sqs::Client, queue: &str) -> Result<QueueUrl> {
    again(|| resolve(client, queue)).await
}

/// Finds a queue by its name, URL or ARN. It is asked for once; a URL is believed without a request.
///
/// # Errors
/// [`Kind::Missing`] where there is no such queue in the connection's region.
pub async fn resolve(client: &aws_sdk_sqs::Client, queue: &str) -> Result<QueueUrl> {
    if queue.starts_with("https://") || queue.starts_with("http://") {
        return Ok(QueueUrl(queue.to_owned()));
    }
    let mut request = client.get_queue_url();
    let mut name = queue;
    if let Some(arn) = queue.strip_prefix("arn:") {
        // arn:PARTITION:sqs:REGION:ACCOUNT:NAME
        let mut parts = arn.rsplit(':');
        name = parts.next().unwrap_or(queue);
        request = request.set_queue_owner_aws_account_id(parts.next().map(str::to_owned));
    }
    let region = client.config().region().map_or("no region", AsRef::as_ref);
    let answer = request.queue_name(name).send().await.map_err(|error| {
        let error = fault(format!("looking up queue {queue} in {region}"), error);
        if error.kind() != Kind::Missing {
            return error;
        }
        error.hint(format!(
            "check its name and its region, or create it: longshore sqs create {name}"
        ))
    })?;
    answer.queue_url.map(QueueUrl).ok_or_else(|| {
        Error::new(Kind::Transient, format!("looking up queue {queue}"))
            .because("the answer holds no URL")
    })
}

/// The region that a queue's ARN or URL names; nothing for a plain name, and for a URL that is not
/// AWS's.
pub fn region_of(queue: &str) -> Option<&str> {
    if let Some(arn) = queue.strip_prefix("arn:") {
        // arn:PARTITION:sqs:REGION:ACCOUNT:NAME
        return arn.split(':').nth(2).filter(|region| !region.is_empty());
    }
    let host = queue.strip_prefix("https://")?.split('/').next()?;
    let is_aws = ["amazonaws.com", "amazonaws.com.cn", "api.aws"]
        .iter()
        .any(|domain| host.strip_suffix(domain).is_some_and(|before| before.ends_with('.')));
    let labels: Vec<&str> = host.split('.').filter(|_| is_aws).collect();
    let at = labels.iter().position(|label| ["sqs", "sqs-fips", "queue"].contains(label))?;
    match labels.get(at) {
        // The older form: REGION.queue.amazonaws.com.
        Some(&"queue") => Some(
            at.checked_sub(1).and_then(|at| labels.get(at)).map_or("us-east-1", |region| *region),
        ),
        _ => labels.get(at + 1).copied(),
    }
}

/// What a queue says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFacts {
    /// Its own visibility timeout.
    pub visibility_timeout: Duration,
    /// How long it keeps messages.
    pub retention: Duration,
    /// The dead-letter queue of its redrive policy, by ARN.
    pub dead_letter_arn: Option<String>,
    /// After how many receives SQS moves a message there by itself.
    pub max_receive_count: Option<u32>,
    /// About how many messages wait in it.
    pub waiting: u64,
}

/// Asks a queue about itself.
///
/// # Errors
/// [`Kind::Denied`] where `sqs:GetQueueAttributes` is not allowed; [`Kind::Missing`] where the
/// queue is gone.
pub async fn facts(client: &aws_sdk_sqs::Client, url: &QueueUrl) -> Result<QueueFacts> {
    let answer = client
        .get_queue_attributes()
        .queue_url(url.as_str())
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .map_err(|error| fault(format!("reading the attributes of queue {}", url.name()), error))?;
    Ok(QueueFacts::read(&answer.attributes.unwrap_or_default()))
}

impl QueueFacts {
    fn read(attributes: &HashMap<QueueAttributeName, String>) -> Self {
        let number = |name: &QueueAttributeName| -> Option<u64> {
            attributes.get(name).and_then(|value| value.parse().ok())
        };
        let redrive: serde_json::Value = attributes
            .get(&QueueAttributeName::RedrivePolicy)
            .and_then(|policy| serde_json::from_str(policy).ok())
            .unwrap_or_default();
        let count = redrive.get("maxReceiveCount");
        Self {
            visibility_timeout: Duration::from_secs(
                number(&QueueAttributeName::VisibilityTimeout).unwrap_or(30),
            ),
            retention: Duration::from_secs(
                number(&QueueAttributeName::MessageRetentionPeriod).unwrap_or(345_600),
            ),
            dead_letter_arn: redrive
                .get("deadLetterTargetArn")
                .and_then(serde_json::Value::as_str)
                .map(str::to_owned),
            // AWS accepts and returns it both as a number and as a string.
            max_receive_count: count
                .and_then(serde_json::Value::as_u64)
                .or_else(|| count?.as_str()?.parse().ok())
                .and_then(|count| count.try_into().ok()),
            waiting: number(&QueueAttributeName::ApproximateNumberOfMessages).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_count_may_be_text() {
        for count in ["5", "\"5\""] {
            let policy = format!(
                "{{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:1:dead\",\"maxReceiveCount\":{count}}}"
            );
            let facts =
                QueueFacts::read(&HashMap::from([(QueueAttributeName::RedrivePolicy, policy)]));
            assert_eq!(facts.max_receive_count, Some(5));
            assert_eq!(facts.dead_letter_arn.as_deref(), Some("arn:aws:sqs:us-east-1:1:dead"));
        }
    }

    #[test]
    fn an_address_names_its_region() {
        for (queue, region) in [
            ("orders", None),
            ("arn:aws:sqs:eu-west-1:123456789012:orders", Some("eu-west-1")),
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", Some("eu-west-1")),
            ("https://sqs-fips.us-gov-west-1.amazonaws.com/1/orders", Some("us-gov-west-1")),
            ("https://sqs.cn-north-1.amazonaws.com.cn/1/orders", Some("cn-north-1")),
            ("https://vpce-0-a.sqs.eu-west-1.vpce.amazonaws.com/1/orders", Some("eu-west-1")),
            ("https://eu-west-1.queue.amazonaws.com/1/orders", Some("eu-west-1")),
            ("https://queue.amazonaws.com/1/orders", Some("us-east-1")),
            ("http://127.0.0.1:4566/000000000000/orders", None),
            ("https://sqs.example.org/1/orders", None),
        ] {
            assert_eq!(region_of(queue), region, "{queue}");
        }
    }

    #[test]
    fn the_name_is_the_end_of_the_url() {
        let url = QueueUrl("https://sqs.eu-west-1.amazonaws.com/123/orders.fifo".to_owned());
        assert_eq!(url.name(), "orders.fifo");
        assert!(url.is_fifo());
        assert_eq!(url.arn("eu-west-1"), "arn:aws:sqs:eu-west-1:123:orders.fifo");
        assert_eq!(url.arn("us-gov-west-1"), "arn:aws-us-gov:sqs:us-gov-west-1:123:orders.fifo");
        assert_eq!(url.arn("cn-north-1"), "arn:aws-cn:sqs:cn-north-1:123:orders.fifo");
    }
}
