//! What `longshore setup --destroy` would do: take away what setup made, and nothing else.

use std::collections::BTreeMap;

use super::arn::Arn;
use super::found::{self, Queue};
use super::plan::Plan;
use super::plan::bucket::{ID, Told};
use super::step::{Act, Step, TAG};
use super::wanted::{Topic, Wanted};
use crate::aws::fault::fault;
use crate::aws::{Aws, Connection};
use crate::config::{self, Config};
use crate::error::{Error, Kind, Result};

/// What has to be done to take away what setup made for these settings: notifications by their id,
/// queues, topics and the table of locks by their tag, and the subscriptions of such queues.
/// Everything else stays.
/// Asks only, and changes nothing.
///
/// # Errors
/// [`Kind::Busy`] where a queue that would go holds messages, by SQS's approximate counts, where a
/// topic that would go has other subscribers, and where a table that would go holds what has not
/// ended; otherwise where it cannot be asked.
pub async fn destroy(config: &Config, aws: &Aws) -> Result<Plan> {
    let wanted = Wanted::of(config)?;
    let mut plan = Plan::default();
    plan.steps.extend(notifications(config, aws).await?);
    let mut queues: BTreeMap<String, (config::Aws, Queue)> = BTreeMap::new();
    for settings in wanted.queues.iter().map(|queue| queue.settings) {
        let connection = aws.connect(&settings.aws).await?;
        for address in [Some(&settings.queue), settings.dead_letter_queue.as_ref()] {
            let Some(address) = address else { continue };
            let Some(queue) = found::queue(&connection.sqs, address).await? else { continue };
            if queue_is_ours(&connection, &queue).await? {
                queues.insert(queue.arn()?.to_string(), (settings.aws.clone(), queue));
            } else {
                plan.notes
                    .push(format!("queue {} stays: setup did not make it", queue.url.as_str()));
            }
        }
    }
    let holding = queues.values().find(|(_, queue)| queue.holds() > 0);
    if let Some((_, queue)) = holding {
        let (name, count) = (queue.url.name(), queue.holds());
        let what = format!("queue {name} is not empty: it holds about {count} messages");
        return Err(Error::new(Kind::Busy, what).hint("nothing was deleted; empty it first"));
    }
    for topic in wanted.topics() {
        plan.steps.extend(topic_and_subscriptions(topic, aws, &queues, &mut plan.notes).await?);
    }
    // Sources before the queues that their redrive policies name.
    let mut queues: Vec<(config::Aws, Queue)> = queues.into_values().collect();
    queues.sort_by_key(|(_, queue)| queue.redrive().is_none());
    let delete =
        |(aws, queue): (config::Aws, Queue)| Step::new(&aws, Act::DeleteQueue { url: queue.url });
    plan.steps.extend(queues.into_iter().map(delete));
    #[cfg(feature = "dynamodb")]
    plan.steps.extend(super::table::destroy(config, aws, &mut plan.notes).await?);
    Ok(plan)
}

async fn notifications(config: &Config, aws: &Aws) -> Result<Vec<Step>> {
    let mut changed: BTreeMap<(&str, String), (config::Aws, Told, Vec<String>)> = BTreeMap::new();
    for (name, notification) in &config.notifications {
        let place = (notification.bucket.as_str(), format!("{:?}", notification.aws));
        if !changed.contains_key(&place) {
            let connection = aws.connect(&notification.aws).await?;
            let told = match Told::read(&connection, &notification.bucket).await {
                Err(error) if error.kind() == Kind::Missing => continue,
                told => told?,
            };
            changed.insert(place.clone(), (notification.aws.clone(), told, Vec::new()));
        }
        let id = format!("{ID}{name}");
        if let Some((_, told, gone)) = changed.get_mut(&place)
            && told.remove(&id)
        {
            gone.push(id);
        }
    }
    let changed = changed.into_iter().filter(|(_, (_, _, gone))| !gone.is_empty());
    let steps = changed.map(|((bucket, _), (aws, told, gone))| {
        let (bucket, all) = (bucket.to_owned(), told.all);
        let told = format!("no {}", gone.join(", "));
        Step::new(&aws, Act::Notify { bucket, told, all, ids: gone })
    });
    Ok(steps.collect())
}

/// The subscriptions of queues that go, and the topic if it is ours.
async fn topic_and_subscriptions(
    topic: &Topic,
    aws: &Aws,
    queues: &BTreeMap<String, (config::Aws, Queue)>,
    notes: &mut Vec<String>,
) -> Result<Vec<Step>> {
    let connection = aws.connect(&topic.aws).await?;
    if found::topic(&connection.sns, &topic.arn).await?.is_none() {
        return Ok(Vec::new());
    }
    let is_ours = topic_is_ours(&connection, &topic.arn).await?;
    let listed = found::subscriptions(&connection.sns, &topic.arn).await?;
    let (going, staying): (Vec<_>, Vec<_>) = listed.into_iter().partition(|listed| {
        listed.protocol() == Some("sqs")
            && listed.endpoint().is_some_and(|endpoint| queues.contains_key(endpoint))
    });
    if let (true, Some(other)) = (is_ours, staying.first()) {
        let (topic, endpoint) = (&topic.arn, other.endpoint().unwrap_or_default());
        let what = format!("topic {topic} has other subscribers, such as {endpoint}");
        return Err(
            Error::new(Kind::Busy, what).hint("nothing was deleted; unsubscribe them first")
        );
    }
    let going = going.into_iter().filter_map(|listed| listed.subscription_arn);
    // One that waits for its confirmation has no ARN and goes by itself.
    let going = going.filter(|arn| arn.starts_with("arn:"));
    let acts = going.map(|subscription| Act::Unsubscribe { subscription });
    let mut steps: Vec<Step> = acts.map(|act| Step::new(&topic.aws, act)).collect();
    if is_ours {
        steps.push(Step::new(&topic.aws, Act::DeleteTopic { topic: topic.arn.clone() }));
    } else {
        notes.push(format!("topic {} stays: setup did not make it", topic.arn));
    }
    Ok(steps)
}

async fn queue_is_ours(connection: &Connection, queue: &Queue) -> Result<bool> {
    let asked = connection.sqs.list_queue_tags().queue_url(queue.url.as_str()).send().await;
    let what = || format!("reading the tags of queue {}", queue.url.name());
    let tags = asked.map_err(|error| fault(what(), error))?.tags.unwrap_or_default();
    Ok(tags.get(TAG.0).is_some_and(|value| value == TAG.1))
}

async fn topic_is_ours(connection: &Connection, topic: &Arn) -> Result<bool> {
    let asked =
        connection.sns.list_tags_for_resource().resource_arn(topic.to_string()).send().await;
    let asked =
        asked.map_err(|error| fault(format!("reading the tags of topic {topic}"), error))?;
    Ok(asked.tags().iter().any(|tag| (tag.key(), tag.value()) == TAG))
}
