//! What can be done to a queue itself: create, delete, purge, list, and what it says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use tokio::time::{Instant, sleep};

use super::{QueueUrl, find};
use crate::again::{AFTER_FAILURE, Failed, again, again_after};
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};

/// SQS gives a deleted queue's name away, and purges a queue again, only this long afterwards
/// (API reference of `CreateQueue` and `PurgeQueue`).
pub const REST: Duration = Duration::from_mins(1);
/// How often a name is asked for while SQS withholds it.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A page of `ListQueues`.
const PAGE: i32 = 1_000;

/// A queue to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewQueue {
    /// Its name; one that ends in `.fifo` makes a FIFO queue.
    pub name: String,
    /// Attributes other than the default, as SQS names them.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// About how many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Those that a receive could bring.
    pub visible: u64,
    /// Those that somebody has received and not deleted.
    pub in_flight: u64,
    /// Those whose delay has not passed.
    pub delayed: u64,
}

/// Creates a queue and gives its URL. One that is there already with the same attributes is fine.
///
/// For a minute after a delete SQS withholds the name: then `on_wait` is told once how long that may
/// take, and it is waited out. Dropped midway, the queue may or may not have been created.
///
/// # Errors
/// [`Kind::Conflict`] where there is a queue of that name with other attributes.
pub async fn create(
    client: &aws_sdk_sqs::Client,
    queue: &NewQueue,
    mut on_wait: impl FnMut(Duration),
) -> Result<QueueUrl> {
    let mut request = client.create_queue().queue_name(&queue.name);
    for (name, value) in &queue.attributes {
        request = request.attributes(name.as_str().into(), value);
    }
    for (name, value) in &queue.tags {
        request = request.tags(name, value);
    }
    if queue.name.strip_suffix(".fifo").is_some() {
        request = request.attributes(QueueAttributeName::FifoQueue, "true");
    }
    let mut rest = Rest::default();
    let call = || async {
        request.clone().send().await.map_err(|error| {
            let rests = says(&error, "QueueDeletedRecently");
            let exists = ["QueueNameExists", "QueueAlreadyExists"];
            let exists = exists.iter().any(|code| says(&error, code));
            let error =
                fault(format!("creating queue {} in {}", queue.name, region(client)), error);
            let error = if exists { other_attributes(&queue.name, error) } else { error };
            Refused { error, rests }
        })
    };
    loop {
        let answer = match again_after(AFTER_FAILURE, call).await {
            Ok(answer) => answer,
            Err(refused) if refused.rests && rest.goes_on() => {
                rest.wait(&mut on_wait).await;
                continue;
            }
            Err(refused) => return Err(refused.error),
        };
        let missing = || Error::new(Kind::Transient, format!("creating queue {}", queue.name));
        let url = answer.queue_url.ok_or_else(|| missing().because("the answer holds no URL"))?;
        return Ok(QueueUrl(url));
    }
}

/// Why a queue was not created.
struct Refused {
    error: Error,
    /// SQS withholds its name.
    rests: bool,
}

impl Failed for Refused {
    fn passing(&self) -> Option<&Error> {
        self.error.passing()
    }
}

fn other_attributes(name: &str, error: Error) -> Error {
    Error::new(Kind::Conflict, format!("queue {name} exists with other attributes"))
        .because(error)
        .hint("change it with `longshore sqs attributes NAME --set`, or delete it first")
}

/// Deletes a queue with all its messages. One that is gone already is an error: it may have been
/// meant for another region. So it is asked for once: a second time would tell nothing.
pub async fn delete(client: &aws_sdk_sqs::Client, url: &QueueUrl) -> Result<()> {
    let request = client.delete_queue().queue_url(url.as_str());
    let answer = request.send().await;
    answer.map(drop).map_err(|error| fault(about("deleting", client, url), error))
}

/// Deletes all messages of a queue, those in flight included; SQS takes up to a minute.
///
/// SQS refuses to do so twice within a minute: then `on_wait` is told once how long that may take,
/// and it is waited out, for messages that were sent since the first time. What fails otherwise is
/// not asked for again.
pub async fn purge(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    mut on_wait: impl FnMut(Duration),
) -> Result<()> {
    let mut rest = Rest::default();
    loop {
        match client.purge_queue().queue_url(url.as_str()).send().await {
            Ok(_) => return Ok(()),
            Err(error) if says(&error, "PurgeQueueInProgress") && rest.goes_on() => {
                rest.wait(&mut on_wait).await;
            }
            Err(error) => return Err(fault(about("purging", client, url), error)),
        }
    }
}

/// Whether there is a queue of this name, URL or ARN.
///
/// # Errors
/// Where that cannot be known.
pub async fn exists(client: &aws_sdk_sqs::Client, queue: &str) -> Result<bool> {
    let asked = async { arn(client, &find(client, queue).await?).await };
    match asked.await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == Kind::Missing => Ok(false),
        Err(error) => Err(error),
    }
}

/// The queues of this account and region whose names begin so, page by page; all for an empty
/// prefix. In no order that SQS promises.
pub fn list<'a>(
    client: &'a aws_sdk_sqs::Client,
    prefix: &'a str,
) -> impl Stream<Item = Result<QueueUrl>> + Send + 'a {
    let begin = (Vec::new().into_iter(), Some(None));
    try_unfold(begin, move |(mut page, mut next): (std::vec::IntoIter<String>, _)| async move {
        loop {
            if let Some(url) = page.next() {
                return Ok(Some((QueueUrl(url), (page, next))));
            }
            let Some(token) = next else { return Ok(None) };
            let request = client.list_queues().max_results(PAGE).set_next_token(token);
            let request = match prefix {
                "" => request,
                prefix => request.queue_name_prefix(prefix),
            };
            let what = format!("listing the queues of {}", region(client));
            let answer =
                again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) })
                    .await?;
            page = answer.queue_urls.unwrap_or_default().into_iter();
            next = answer.next_token.map(Some);
        }
    })
}

/// All that a queue says of itself, by SQS's names.
pub async fn attributes(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
) -> Result<BTreeMap<String, String>> {
    let request = client.get_queue_attributes().queue_url(url.as_str());
    let request = request.attribute_names(QueueAttributeName::All);
    let what = about("reading the attributes of", client, url);
    let answer =
        again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) }).await?;
    let all = answer.attributes.unwrap_or_default().into_iter();
    Ok(all.map(|(name, value)| (name.as_str().to_owned(), value)).collect())
}

/// Changes attributes of a queue; those that are not named stay. SQS takes up to a minute, for the
/// retention up to fifteen.
pub async fn set_attributes(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    attributes: &BTreeMap<String, String>,
) -> Result<()> {
    let mut request = client.set_queue_attributes().queue_url(url.as_str());
    for (name, value) in attributes {
        request = request.attributes(name.as_str().into(), value);
    }
    let what = about("changing the attributes of", client, url);
    again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) }).await.map(drop)
}

/// The ARN of a queue.
pub async fn arn(client: &aws_sdk_sqs::Client, url: &QueueUrl) -> Result<String> {
    attributes(client, url).await?.remove("QueueArn").ok_or_else(|| {
        Error::new(Kind::Transient, about("reading the attributes of", client, url))
            .because("the answer holds no ARN")
    })
}

/// About how many messages a queue holds; SQS counts within a minute.
pub async fn length(client: &aws_sdk_sqs::Client, url: &QueueUrl) -> Result<Length> {
    let attributes = attributes(client, url).await?;
    let count = |name: &str| -> u64 {
        attributes.get(name).and_then(|count| count.parse().ok()).unwrap_or(0)
    };
    Ok(Length {
        visible: count("ApproximateNumberOfMessages"),
        in_flight: count("ApproximateNumberOfMessagesNotVisible"),
        delayed: count("ApproximateNumberOfMessagesDelayed"),
    })
}

/// A minute that SQS takes for itself.
#[derive(Default)]
struct Rest {
    since: Option<Instant>,
}

impl Rest {
    /// SQS counts from a moment before ours; twice its minute is none of its rule any more.
    fn goes_on(&self) -> bool {
        self.since.is_none_or(|since| since.elapsed() < 2 * REST)
    }

    async fn wait(&mut self, on_wait: &mut impl FnMut(Duration)) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            on_wait(REST);
        }
        sleep(ASK_AGAIN).await;
    }
}

/// SQS's older protocol writes more in front of the same codes.
fn says(error: &impl ProvideErrorMetadata, code: &str) -> bool {
    error.code().is_some_and(|said| said.rsplit(['.', '#']).next() == Some(code))
}

fn region(client: &aws_sdk_sqs::Client) -> &str {
    client.config().region().map_or("no region", AsRef::as_ref)
}

fn about(doing: &str, client: &aws_sdk_sqs::Client, url: &QueueUrl) -> String {
    format!("{doing} queue {} in {}", url.name(), region(client))
}
