//! Reads the values that the settings name instead of holding, before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::aws::Aws;
use crate::backoff::Backoff;
use crate::config::{Config, Locator, Secret};
use crate::error::{Error, Kind, Result};
use crate::shutdown::{Shutdown, systemd};
use crate::telemetry::repeat::Repeat;
use crate::toolkit::locator;

use super::feed_watchdog;

/// How long a value that cannot be read is left alone.
const AGAIN: Backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_mins(1));

/// The settings with every value that stands elsewhere (`ssm://NAME`, `s3://BUCKET/KEY`,
/// `file://PATH`) in its place. AWS is asked as `[aws]` says; a key of `[aws]` that itself stands
/// elsewhere is left to the SDK's own chain meanwhile. Nothing is tried twice.
///
/// # Errors
/// [`Kind::Settings`], with all of them at once, for values that are not there or that their key
/// does not take; else the first that could not be read.
pub async fn complete(config: Config, aws: &Aws) -> Result<Config> {
    let mut reading = Reading::new(&config);
    match reading.go_on(&config, aws).await? {
        Some((locator, error)) => Err(because_of(&locator, error)),
        None => Ok(config.complete(&reading.values)?),
    }
}

/// As [`complete`], and what the world may mend is tried again until it is mended; nothing where a
/// stop was asked for meanwhile. It is said once, and then rarely. Without such values, the settings
/// as they are. On the embedded AWS, which begins empty, a parameter that is missing is waited for.
///
/// # Errors
/// [`Kind::Settings`], with all of them at once, for values that are not there or that their key
/// does not take.
pub async fn await_complete(
    config: &Config,
    aws: &Aws,
    shutdown: &Shutdown,
) -> Result<Option<Config>> {
    let mut reading = Reading::new(config);
    let waiting = async {
        let mut repeat = Repeat::default();
        let mut failures = 0;
        while let Some((locator, error)) = reading.go_on(config, aws).await? {
            failures += 1;
            if repeat.is_due(error.kind()) {
                // It is up, and waits as it would for a queue.
                systemd::ready();
                tracing::warn!(%locator, %error, "settings wait for what they name");
            }
            tokio::time::sleep(AGAIN.delay(failures, fastrand::f64())).await;
        }
        if repeat.is_over() {
            tracing::info!("settings are complete");
        }
        Ok::<_, Error>(())
    };
    let alive = async {
        match systemd::watchdog_interval() {
            Some(interval) => feed_watchdog(interval).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        read = waiting => read?,
        () = alive => {}
        () = shutdown.draining() => return Ok(None),
    }
    Ok(Some(config.clone().complete(&reading.values)?))
}

/// What has been read so far.
struct Reading {
    left: BTreeSet<Locator>,
    values: BTreeMap<Locator, Secret>,
}

impl Reading {
    fn new(config: &Config) -> Self {
        let named = config.elsewhere.references().iter();
        Self { left: named.map(|one| one.locator.clone()).collect(), values: BTreeMap::new() }
    }

    /// Reads what is left; gives the first that cannot be read now.
    ///
    /// # Errors
    /// What no waiting would mend, as mistakes of the settings.
    async fn go_on(&mut self, config: &Config, aws: &Aws) -> Result<Option<(Locator, Error)>> {
        let mut refused = BTreeMap::new();
        let mut failed = None;
        for locator in self.left.clone() {
            match Box::pin(locator::fetch(aws, &config.aws, &locator)).await {
                Ok(value) => {
                    self.left.remove(&locator);
                    self.values.insert(locator, value);
                }
                Err(error) if is_refused(config, &error) => {
                    refused.insert(locator, error.to_string());
                }
                Err(error) => failed = failed.or(Some((locator, error))),
            }
        }
        if refused.is_empty() {
            Ok(failed)
        } else {
            Err(config.elsewhere.mistakes(&refused).into())
        }
    }
}

/// The embedded AWS begins without parameters, so there one that is missing is yet to be put.
fn is_refused(config: &Config, error: &Error) -> bool {
    match error.kind() {
        Kind::Missing => !config.aws.sealed,
        Kind::Usage | Kind::Settings | Kind::Invalid | Kind::Corrupt | Kind::File => true,
        Kind::Throttled
        | Kind::Transient
        | Kind::Unreachable
        | Kind::Credentials
        | Kind::Denied
        | Kind::Conflict
        | Kind::Busy
        | Kind::Aborted
        | Kind::Function
        | Kind::Bug => false,
    }
}

fn because_of(locator: &Locator, error: Error) -> Error {
    Error::new(error.kind(), format!("the settings name {locator}")).because(error)
}
