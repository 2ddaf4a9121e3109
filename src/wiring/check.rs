//! What `longshore check` says of topics, subscriptions, policies and dead-letter queues.

mod dead_letters;
mod delivery;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::arn::Arn;
use super::found;
use super::wanted::{Link, Topic, Wanted};
use crate::aws::{Aws, Connection};
use crate::config::{self, Config};
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;

/// Looks at everything that must stand between a producer and the queues of these settings: the
/// topic, each queue's subscription, the queue's policy and key, its dead-letter queue. Changes
/// nothing. What cannot be judged is said, and is never taken for well.
pub async fn check(config: &Config, aws: &Aws) -> Vec<Finding> {
    let wanted = match Wanted::of(config) {
        Ok(wanted) => wanted,
        Err(error) => return vec![Finding::of_error(&error, error.kind().exit_code())],
    };
    let mut findings = Vec::new();
    let mut topics: BTreeMap<&Arn, bool> = BTreeMap::new();
    for wanted in wanted.topics() {
        let (is_there, told) = topic(wanted, aws).await;
        topics.insert(&wanted.arn, is_there);
        findings.push(told);
    }
    for queue in &wanted.queues {
        let link = queue.link.as_ref();
        let link = link.filter(|link| topics.get(&link.topic.arn).copied().unwrap_or_default());
        let told = match look(queue.settings, link, aws).await {
            Ok(told) => told,
            Err(error) => vec![unasked(&error)],
        };
        let section = format_args!("queue {}", queue.section).to_string();
        findings.extend(told.into_iter().map(|finding| finding.about(&section)));
    }
    findings
}

/// Whether the topic may be there, and what to say of it.
async fn topic(wanted: &Topic, aws: &Aws) -> (bool, Finding) {
    let topic = &wanted.arn;
    let asked = async {
        let connection = aws.connect(&wanted.aws).await?;
        found::topic(&connection.sns, topic).await
    };
    match asked.await {
        Ok(Some(_)) => (true, Finding::good(format!("topic {topic} is there"))),
        Ok(None) => {
            let fix = "create it with longshore setup, or correct the topic in [events]";
            let told = format!("topic {topic} does not exist");
            (false, Finding::unavailable(told).fix(fix))
        }
        Err(error) => (error.kind() == Kind::Denied, unasked(&error)),
    }
}

async fn look(settings: &config::Queue, link: Option<&Link>, aws: &Aws) -> Result<Vec<Finding>> {
    let connection = aws.connect(&settings.aws).await?;
    // That a queue is missing, or tells nothing, is said where queues are checked.
    let queue = match found::queue(&connection.sqs, &settings.queue).await {
        Ok(Some(queue)) => queue,
        Ok(None) => return Ok(Vec::new()),
        Err(error) if error.kind() == Kind::Denied && link.is_none() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut findings = dead_letters::check(settings, &queue, &connection).await;
    if let Some(link) = link {
        findings.extend(of_link(link, &queue, aws).await?);
    }
    Ok(findings)
}

async fn of_link(link: &Link, queue: &found::Queue, aws: &Aws) -> Result<Vec<Finding>> {
    let arn = queue.arn()?;
    let Connection { sns, .. } = aws.connect(&link.topic.aws).await?;
    let mut findings = match found::subscription(&sns, &link.topic.arn, &arn.to_string()).await {
        Ok(subscription) => delivery::subscription(link, &arn, subscription.as_ref()),
        Err(error) => vec![unasked(&error)],
    };
    findings.extend(delivery::kinds(link, &arn));
    findings.push(delivery::permission(link, &arn, queue.policy()));
    findings.extend(delivery::key(link, queue));
    Ok(findings)
}

/// What AWS does not let us ask stays undecided; everything else that fails is a failure.
fn unasked(error: &Error) -> Finding {
    if error.kind() != Kind::Denied {
        return Finding::of_error(error, 69);
    }
    Finding::limited(format!("undecided, since it may not be asked for: {}", error.told())).fix(
        "allow sqs:GetQueueAttributes, sns:GetTopicAttributes, sns:ListSubscriptionsByTopic and \
         sns:GetSubscriptionAttributes (longshore policy prints them)",
    )
}
