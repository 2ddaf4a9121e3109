//! Everything that `longshore check` asks beyond the settings themselves, and `run` before it
//! starts where `require_checks` says so.

use std::collections::BTreeMap;

use crate::aws::{self, Aws};
use crate::config::{self, Config};
use crate::error::{Error, Kind, Result};
use crate::finding::{Finding, Health};
use crate::{handlers, lock, queue, spool, units, wiring};

/// Tells who we are to AWS, by each set of `[aws]` settings that is in use.
pub async fn identities(config: &Config, aws: &Aws, mut tell: impl FnMut(Vec<Finding>)) {
    let mut identities: BTreeMap<String, &config::Aws> = BTreeMap::new();
    let spools = config.spools.values().chain(config.outboxes.values()).map(|spool| &spool.aws);
    let queues = config.queues.values().map(|queue| &queue.aws);
    let handlers = config.queues.values().flat_map(config::Queue::handlers);
    let handlers = handlers.filter_map(|(_, handler)| handler.aws());
    let locks = config.idempotency.iter().filter_map(|locks| locks.table()).map(|table| &table.aws);
    let topic = config.events.topic.iter().map(|_topic| &config.events.aws);
    let notifications = config.notifications.values().map(|notification| &notification.aws);
    for aws in spools.chain(queues).chain(handlers).chain(locks).chain(topic).chain(notifications) {
        identities.insert(format!("{aws:?}"), aws);
    }
    for settings in identities.values() {
        tell(aws::identity::check(aws, settings).await);
    }
}

/// Tells of everything that the settings name, one after another: spools, stores of locks, queues
/// with their handlers, topics and what leads from them to the queues. With `probe`, a small object
/// is written to each bucket and deleted; otherwise nothing is changed.
pub async fn check(config: &Config, aws: &Aws, probe: bool, mut tell: impl FnMut(Vec<Finding>)) {
    for (name, settings) in config.spools.iter().chain(&config.outboxes) {
        tell(spool::check(name, settings, aws, probe).await);
    }
    if let Some(settings) = &config.idempotency {
        tell(lock::check(settings, aws).await);
    }
    for (name, settings) in &config.queues {
        tell(handlers::check(name, settings, aws).await);
        tell(queue::check(name, settings, aws).await);
    }
    tell(wiring::check(config, aws).await);
}

/// As [`check`], with each failure and each note logged.
///
/// # Errors
/// [`Kind::Missing`] (exit code 69), naming the first of the failures, where anything failed.
pub(super) async fn require(config: &Config, aws: &Aws) -> Result<()> {
    let mut failures = Vec::new();
    check(config, aws, false, |findings| {
        for finding in findings {
            let (what, fix) = (&finding.what, finding.fix.as_deref());
            match finding.health {
                Health::Good => tracing::debug!(what, "checked"),
                Health::Limited => tracing::warn!(what, fix, "checked"),
                Health::Broken => {
                    tracing::error!(what, fix, "check failed");
                    failures.push(finding.what);
                }
            }
        }
    })
    .await;
    let Some(first) = failures.first() else { return Ok(()) };
    let count = units::count(u64::try_from(failures.len()).unwrap_or(u64::MAX), "check");
    let what = format!("{count} failed and require_checks is set, so listening is cancelled");
    Err(Error::new(Kind::Missing, what)
        .because(first.clone())
        .hint("longshore check tells what to do; longshore setup makes what is missing"))
}
