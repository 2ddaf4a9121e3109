//! What can be done to a topic itself: create, delete, find, list.

use std::collections::BTreeMap;

use aws_sdk_sns::types::Tag;
use futures_util::stream::try_unfold;
use futures_util::{Stream, StreamExt};

use crate::again::again;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};

/// A topic to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name; one that ends in `.fifo` makes a FIFO topic.
    pub name: String,
    /// Attributes other than the default, as SNS names them.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Creates a topic and gives its ARN. One that is there already with the same attributes is fine.
///
/// Dropped midway, the topic may or may not have been created.
pub async fn create(client: &aws_sdk_sns::Client, topic: &NewTopic) -> Result<String> {
    let what = format!("creating topic {} in {}", topic.name, region(client));
    let mut request = client.create_topic().name(&topic.name);
    for (name, value) in &topic.attributes {
        request = request.attributes(name, value);
    }
    for (name, value) in &topic.tags {
        let tag = Tag::builder().key(name).value(value).build();
        request = request.tags(tag.map_err(|error| Error::new(Kind::Bug, &what).because(error))?);
    }
    if topic.name.strip_suffix(".fifo").is_some() {
        request = request.attributes("FifoTopic", "true");
    }
    let answer =
        again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) }).await?;
    answer
        .topic_arn
        .ok_or_else(|| Error::new(Kind::Transient, what).because("the answer holds no ARN"))
}

/// Deletes a topic with all its subscriptions. One that is gone already is no error to SNS.
pub async fn delete(client: &aws_sdk_sns::Client, topic_arn: &str) -> Result<()> {
    let request = client.delete_topic().topic_arn(topic_arn);
    let what = format!("deleting topic {topic_arn}");
    again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) }).await.map(drop)
}

/// Whether there is a topic of this name or ARN.
///
/// # Errors
/// Where that cannot be known.
pub async fn exists(client: &aws_sdk_sns::Client, topic: &str) -> Result<bool> {
    let asked = async {
        let arn = find(client, topic).await?;
        attributes(client, &arn).await
    };
    match asked.await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == Kind::Missing => Ok(false),
        Err(error) => Err(error),
    }
}

/// The ARN of the topic with this name, looked for among all topics of the account and region,
/// since SNS finds none by name. An ARN is believed without a request.
///
/// # Errors
/// [`Kind::Missing`] where there is no such topic.
pub async fn find(client: &aws_sdk_sns::Client, topic: &str) -> Result<String> {
    if topic.starts_with("arn:") {
        return Ok(topic.to_owned());
    }
    let all = std::pin::pin!(list(client, topic));
    let mut same = all.filter(|arn| {
        let is_it = arn.as_ref().map_or(true, |arn| name(arn) == topic);
        std::future::ready(is_it)
    });
    match same.next().await {
        Some(arn) => arn,
        None => Err(Error::new(
            Kind::Missing,
            format!("there is no topic {topic} in {}", region(client)),
        )
        .hint(format!(
            "check its name and its region, or create it: longshore sns create {topic}"
        ))),
    }
}

/// The ARNs of the topics of this account and region whose names begin so, page by page; all for an
/// empty prefix. In no order that SNS promises.
pub fn list<'a>(
    client: &'a aws_sdk_sns::Client,
    prefix: &'a str,
) -> impl Stream<Item = Result<String>> + Send + 'a {
    let begin = (Vec::new().into_iter(), Some(None));
    try_unfold(begin, move |(mut page, mut next): (std::vec::IntoIter<String>, _)| async move {
        loop {
            if let Some(arn) = page.find(|arn| name(arn).starts_with(prefix)) {
                return Ok(Some((arn, (page, next))));
            }
            let Some(token) = next else { return Ok(None) };
            let request = client.list_topics().set_next_token(token);
            let what = format!("listing the topics of {}", region(client));
            let answer =
                again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) })
                    .await?;
            let arns = answer.topics.unwrap_or_default().into_iter();
            page = arns.filter_map(|topic| topic.topic_arn).collect::<Vec<_>>().into_iter();
            next = answer.next_token.map(Some);
        }
    })
}

/// All that a topic says of itself, by SNS's names.
///
/// # Errors
/// [`Kind::Missing`] where there is no such topic.
pub async fn attributes(
    client: &aws_sdk_sns::Client,
    topic_arn: &str,
) -> Result<BTreeMap<String, String>> {
    let request = client.get_topic_attributes().topic_arn(topic_arn);
    let what = format!("reading the attributes of topic {topic_arn}");
    let answer =
        again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) }).await?;
    Ok(answer.attributes.unwrap_or_default().into_iter().collect())
}

/// The name in an ARN: its last part.
pub(super) fn name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

fn region(client: &aws_sdk_sns::Client) -> &str {
    client.config().region().map_or("no region", AsRef::as_ref)
}
