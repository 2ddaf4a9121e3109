//! What `longshore check` says of a queue.

use std::time::Duration;

use crate::aws::{Aws, Connection};
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::toolkit::sqs::{self, QueueFacts};
use crate::units;

/// Checks that the queue is there and says how it would be read. Changes nothing.
pub async fn check(name: &str, settings: &config::Queue, aws: &Aws) -> Vec<Finding> {
    let found = look(name, settings, aws).await;
    let findings = found.unwrap_or_else(|error| vec![Finding::of_error(&error, 69)]);
    findings.into_iter().map(|finding| finding.about(format_args!("queue {name}"))).collect()
}

async fn look(name: &str, settings: &config::Queue, aws: &Aws) -> Result<Vec<Finding>> {
    let connection = aws.connect(&settings.aws).await?;
    let dead = settings.dead_letter_queue.as_deref();
    let findings = match sqs::resolve(&connection.sqs, &settings.queue).await {
        Err(error) => vec![not_found(name, settings, &connection, error)?],
        Ok(url) => match sqs::facts(&connection.sqs, &url).await {
            Ok(facts) => of_facts(settings, &facts),
            Err(error) if error.kind() == Kind::Denied => {
                let what = format!("what it says of itself is denied: {}", error.told());
                vec![Finding::limited(what).fix(
                    "allow sqs:GetQueueAttributes; without it 30 s is set on receive unless \
                     visibility_timeout is set",
                )]
            }
            Err(error) => vec![not_found(name, settings, &connection, error)?],
        },
    };
    let outlet = match dead {
        Some(dead) => dead_letters(name, dead, &connection).await,
        None => None,
    };
    Ok(findings.into_iter().chain(outlet).collect())
}

/// A queue whose name cannot be looked up cannot be read either, whatever else is allowed.
fn not_found(
    name: &str,
    settings: &config::Queue,
    connection: &Connection,
    error: Error,
) -> Result<Finding> {
    let (queue, region) = (&settings.queue, connection.region());
    let fix = if error.kind() == Kind::Missing {
        format!("create {queue} in region {region}, or correct [queue.{name}]")
    } else if error.kind() == Kind::Denied {
        format!("allow sqs:GetQueueUrl on {queue}, or name it by its URL")
    } else {
        return Err(error);
    };
    Ok(Finding::of_error(&error, 69).fix(fix))
}

/// Something is said only where rejected messages could not go there.
async fn dead_letters(name: &str, queue: &str, connection: &Connection) -> Option<Finding> {
    let asked = async {
        let url = sqs::resolve(&connection.sqs, queue).await?;
        sqs::facts(&connection.sqs, &url).await
    };
    match asked.await {
        Err(error) if error.kind() == Kind::Missing => {
            let region = connection.region();
            let fix = format!(
                "create {queue} in region {region}, or correct dead_letter_queue in [queue.{name}]"
            );
            Some(Finding::of_error(&error, 69).fix(fix))
        }
        // Whoever may send to a queue need not be allowed to ask about it.
        Err(_) | Ok(_) => None,
    }
}

fn of_facts(settings: &config::Queue, facts: &QueueFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lease = match settings.visibility_timeout {
        Some(lease) => lease,
        None if facts.visibility_timeout.is_zero() => {
            findings.push(
                Finding::limited("its own visibility timeout is 0, so 30 s is set on receive")
                    .fix("set visibility_timeout, or the queue's own"),
            );
            Duration::from_secs(30)
        }
        None => facts.visibility_timeout,
    };
    findings.push(Finding::good(format!(
        "{} is there, about {} wait, lease {}",
        settings.queue,
        units::count(facts.waiting, "message"),
        units::show(lease)
    )));
    findings.push(rejects(settings, facts));
    findings
}

fn rejects(settings: &config::Queue, facts: &QueueFacts) -> Finding {
    let target = match (&settings.dead_letter_queue, &settings.set_aside, &facts.dead_letter_arn) {
        (Some(queue), _, _) => queue.clone(),
        (None, Some(directory), _) => directory.display().to_string(),
        (None, None, Some(arn)) => arn.clone(),
        (None, None, None) => {
            return Finding::limited("rejected messages have nowhere to go and will come again")
                .fix("set dead_letter_queue or set_aside, or give the queue a redrive policy");
        }
    };
    Finding::good(format!("rejected messages go to {target}"))
}
