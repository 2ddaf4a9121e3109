//! Whether dead-letter queue and retention fit the queue and its handlers.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::Value;

use super::super::arn::Arn;
use super::super::found::{self, Queue};
use crate::aws::Connection;
use crate::config;
use crate::error::Kind;
use crate::finding::Finding;
use crate::units;

/// What SQS would do with messages that come again and again, and how long it keeps them.
pub(super) async fn check(
    settings: &config::Queue,
    queue: &Queue,
    connection: &Connection,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = retention(settings, queue).into_iter().collect();
    let Some((target, count)) = queue.redrive() else { return findings };
    findings.extend(count_of_one(count, &target));
    match found::queue(&connection.sqs, &target).await {
        Ok(Some(dead)) => findings.extend(of_target(queue, &target, &dead)),
        Ok(None) => findings.push(
            Finding::unavailable(format!(
                "its redrive policy names the dead-letter queue {target}, which does not exist"
            ))
            .fix("create it, or correct the queue's redrive policy"),
        ),
        // Another account's queue, or no right to ask about it.
        Err(error) if error.kind() == Kind::Denied => {}
        Err(error) => findings.push(Finding::of_error(&error, 69)),
    }
    findings
}

fn of_target(queue: &Queue, target: &str, dead: &Queue) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_fifo = Arn::read(target).is_some_and(|arn| arn.is_fifo());
    if is_fifo != queue.url.is_fifo() {
        let kind = |is_fifo| if is_fifo { "a FIFO queue" } else { "a standard queue" };
        let told = format!(
            "it is {}, and its dead-letter queue {target} is {}",
            kind(queue.url.is_fifo()),
            kind(is_fifo)
        );
        findings.push(Finding::unavailable(told).fix("give it a dead-letter queue of its kind"));
    }
    if let (Some(own), Some(later)) = (queue.retention(), dead.retention())
        && later <= own
    {
        findings.push(
            Finding::limited(format!(
                "it keeps messages for {}, and its dead-letter queue {target} for {}, counted from \
                 the first sending",
                units::show(own),
                units::show(later)
            ))
            .fix("let the dead-letter queue keep messages longer than the queue, such as 14 days"),
        );
    }
    if !lets_in(dead, queue) {
        findings.push(
            Finding::unavailable(format!(
                "the dead-letter queue {target} does not take messages of this queue"
            ))
            .fix("correct the RedriveAllowPolicy of the dead-letter queue"),
        );
    }
    findings
}

/// Where the dead-letter queue says whose messages it takes, whether this queue is among them.
fn lets_in(dead: &Queue, queue: &Queue) -> bool {
    let policy = dead.attribute(&Name::RedriveAllowPolicy);
    let Some(policy) = policy.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
        return true;
    };
    let named = || {
        let sources = policy.get("sourceQueueArns").and_then(Value::as_array);
        let own = queue.arn().map(|arn| arn.to_string()).unwrap_or_default();
        sources.is_some_and(|sources| sources.iter().any(|arn| arn.as_str() == Some(&own)))
    };
    match policy.get("redrivePermission").and_then(Value::as_str) {
        Some("denyAll") => false,
        Some("byQueue") => named(),
        Some(_) | None => true,
    }
}

fn count_of_one(count: u64, target: &str) -> Option<Finding> {
    (count == 1).then(|| {
        Finding::limited(format!(
            "its maxReceiveCount is 1: a message whose handling is cut off goes to {target} at once"
        ))
        .fix("raise maxReceiveCount in the queue's redrive policy, such as to 10")
    })
}

/// A message that runs out while its handler runs, or before it may come again, is lost.
fn retention(settings: &config::Queue, queue: &Queue) -> Option<Finding> {
    let kept = queue.retention()?;
    let longest: Duration = settings.handler_timeout.max(settings.retry.longest);
    (kept <= longest).then(|| {
        Finding::limited(format!(
            "it keeps messages for {} only, and a handler may run or a retry may wait for {}",
            units::show(kept),
            units::show(longest)
        ))
        .fix("raise the queue's MessageRetentionPeriod, or lower handler_timeout and retry_longest")
    })
}
