//! What `longshore check` says of a queue.

use std::time::Duration;

use crate::aws::Aws;
use crate::config;
use crate::error::Kind;
use crate::finding::Finding;
use crate::toolkit::sqs::{self, QueueFacts};
use crate::units;

/// Checks that the queue is there and says how it would be read. Changes nothing.
pub async fn check(name: &str, settings: &config::Queue, aws: &Aws) -> Vec<Finding> {
    let connection = match aws.connect(&settings.aws).await {
        Ok(connection) => connection,
        Err(error) => return vec![Finding::unavailable(format!("queue {name}: {error}"))],
    };
    let url = match sqs::resolve(&connection.sqs, &settings.queue).await {
        Ok(url) => url,
        Err(error) => {
            let finding = Finding::unavailable(format!("queue {name}: {error}"));
            if error.kind() != Kind::Missing {
                return vec![finding];
            }
            let (queue, region) = (&settings.queue, connection.region());
            return vec![
                finding
                    .fix(format!("create {queue} in region {region}, or correct [queue.{name}]")),
            ];
        }
    };
    match sqs::facts(&connection.sqs, &url).await {
        Ok(facts) => of_facts(name, settings, &facts),
        Err(error) if error.kind() == Kind::Denied => vec![
            Finding::limited(format!(
                "queue {name}: sqs:GetQueueAttributes is denied, so 30 s is set on receive"
            ))
            .fix("allow sqs:GetQueueAttributes, or set visibility_timeout"),
        ],
        Err(error) => vec![Finding::unavailable(format!("queue {name}: {error}"))],
    }
}

fn of_facts(name: &str, settings: &config::Queue, facts: &QueueFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lease = match settings.visibility_timeout {
        Some(lease) => lease,
        None if facts.visibility_timeout.is_zero() => {
            findings.push(
                Finding::limited(format!(
                    "queue {name}: its own visibility timeout is 0, so 30 s is set on receive"
                ))
                .fix("set visibility_timeout, or the queue's own"),
            );
            Duration::from_secs(30)
        }
        None => facts.visibility_timeout,
    };
    findings.push(Finding::good(format!(
        "queue {name}: {} is there, about {} messages wait, lease {}",
        settings.queue,
        facts.waiting,
        units::show(lease)
    )));
    findings.push(rejects(name, settings, facts));
    findings
}

fn rejects(name: &str, settings: &config::Queue, facts: &QueueFacts) -> Finding {
    let target = match (&settings.dead_letter_queue, &settings.set_aside, &facts.dead_letter_arn) {
        (Some(queue), _, _) => queue.clone(),
        (None, Some(directory), _) => directory.display().to_string(),
        (None, None, Some(arn)) => arn.clone(),
        (None, None, None) => {
            return Finding::limited(format!(
                "queue {name}: rejected messages have nowhere to go and will come again"
            ))
            .fix("set dead_letter_queue or set_aside, or give the queue a redrive policy");
        }
    };
    Finding::good(format!("queue {name}: rejected messages go to {target}"))
}
