//! What no queue brings: the messages of a folder, and runs without any input.
//!
//! A file that fails waits for its next attempt in our hands, hidden from other readers, and holds
//! up no other; killed, we leave it to the next reader. A rejected one is set aside in the folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Component, NAME, Place, input};
use crate::backoff::Backoff;
use crate::config;
use crate::error::{Error, Result};
use crate::handler::{self, BoxHandler, Delivery, LeaseKeeper, Ran};
use crate::message::Message;
use crate::outcome::Outcome;
use crate::payload::folder::{Claim, Folder};
use crate::payload::{Unpacked, Unpacker};
use crate::shutdown::Shutdown;
use crate::telemetry::health::Latch;
use crate::telemetry::metrics;
use crate::toolkit::s3::{Bucket, Path};
use crate::toolkit::sqs::LONGEST_LEASE;
use crate::toolkit::transport::{CanReceive, Held};

/// One look for files; a stop does not wait for it.
const LOOK: Duration = Duration::from_secs(5);
/// So many files that failed wait in our hands; until one is due, no more are taken.
const MOST_WAITING: usize = 100;
const RETRY: Backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_mins(15));

/// Runs a component whose input is no queue.
#[derive(Debug)]
pub struct Pump {
    component: Component,
    handler: BoxHandler,
    shutdown: Shutdown,
    once: bool,
}

impl Pump {
    /// Ready to run; `once` ends it when the folder is empty, or after one run.
    pub fn new(component: Component, shutdown: Shutdown, once: bool) -> Self {
        let handler = component.handler();
        Self { component, handler, shutdown, once }
    }

    /// Runs until `shutdown` drains and what runs has ended. `ready` is dropped once the folder is
    /// there.
    ///
    /// Dropped midway, running commands are killed and files go back.
    ///
    /// # Errors
    /// With `once`, why the folder cannot be read, or why the one run failed. Otherwise both are
    /// tried again for ever.
    pub async fn run(self, ready: Latch) -> Result<()> {
        tracing::info!(phase = "run_forever", "heartbeat");
        if let Some(Place::Folder(path)) = &self.component.settings().input {
            return self.run_on(path.clone(), ready).await;
        }
        drop(ready);
        self.run_by_itself().await
    }

    /// A stop never waits for the pause between two runs.
    async fn run_by_itself(&self) -> Result<()> {
        let pause = self.component.settings().loop_sleep;
        while !self.shutdown.is_draining() {
            let nothing = Arc::new(input::nothing());
            let run = self.attempt(&nothing).await;
            let outcome = tell(&nothing, &run);
            if self.once {
                return match outcome {
                    Outcome::Done => Ok(()),
                    Outcome::Retry { reason, .. } | Outcome::Reject { reason } => {
                        let what = "the one run of a component without input";
                        Err(Error::new(crate::error::Kind::Transient, what).because(reason))
                    }
                };
            }
            tokio::select! {
                () = self.shutdown.draining() => {}
                () = sleep(pause) => {}
            }
        }
        Ok(())
    }

    async fn run_on(&self, path: PathBuf, ready: Latch) -> Result<()> {
        let Some(folder) = self.open(path).await? else { return Ok(()) };
        drop(ready);
        let concurrency = self.component.settings().concurrency;
        let (mut running, mut waiting) = (FuturesUnordered::new(), FuturesUnordered::new());
        // With `once`, what failed is kept to the end, or it would be found again.
        let (mut kept, mut is_empty) = (Vec::new(), false);
        let (mut trouble, mut next_look) = (0, Instant::now());
        while !self.shutdown.is_draining() {
            let room = concurrency.saturating_sub(running.len());
            let looks = room > 0 && !is_empty && waiting.len() + kept.len() < MOST_WAITING;
            if self.once && running.is_empty() && !looks {
                break;
            }
            let look = async {
                sleep_until(next_look).await;
                folder.receive(room, if self.once { Duration::ZERO } else { LOOK }).await
            };
            tokio::select! {
                biased;
                () = self.shutdown.draining() => break,
                Some(failed) = running.next(), if !running.is_empty() => match failed {
                    Some(Failed { claim, .. }) if self.once => kept.push(claim),
                    Some(failed) => waiting.push(failed.until_due()),
                    None => {}
                },
                Some((claim, attempts)) = waiting.next(), if room > 0 && !waiting.is_empty() => {
                    running.push(self.settle(claim, attempts));
                }
                taken = look, if looks => match taken {
                    Ok(taken) => {
                        (trouble, is_empty) = (0, self.once && taken.is_empty());
                        metrics::received(NAME, taken.len());
                        running.extend(taken.into_iter().map(|claim| self.settle(claim, 0)));
                    }
                    Err(error) if self.once => return Err(error),
                    Err(error) => {
                        trouble += 1;
                        next_look = Instant::now() + RETRY.delay(trouble, fastrand::f64());
                        tracing::error!(%error, trouble, "a folder cannot be read");
                    }
                },
            }
        }
        // What runs may end; what waits goes back.
        while running.next().await.is_some() {}
        Ok(())
    }

    /// The folder, made where it is not there; nothing where a stop came first.
    async fn open(&self, path: PathBuf) -> Result<Option<Folder>> {
        let mut tries = 0;
        loop {
            match Folder::make(path.clone()).await {
                Ok(folder) => return Ok(Some(folder)),
                Err(error) if self.once => return Err(error),
                Err(error) => {
                    tries += 1;
                    tracing::error!(%error, tries, "a folder cannot be made");
                }
            }
            tokio::select! {
                () = self.shutdown.draining() => return Ok(None),
                () = sleep(RETRY.delay(tries, fastrand::f64())) => {}
            }
        }
    }

    /// One attempt at a file; given out where it failed.
    async fn settle(&self, claim: Claim, attempts: u32) -> Option<Failed> {
        let attempts = attempts.saturating_add(1);
        let (outcome, objects) = self.unpack_and_attempt(claim.message()).await;
        match outcome {
            Outcome::Done => match claim.done().await {
                Ok(()) => self.delete(objects).await,
                // It comes again, with the same names for everything.
                Err(error) => tracing::error!(%error, "a finished file stays"),
            },
            Outcome::Reject { reason } => {
                if let Err(error) = claim.set_aside(&reason) {
                    tracing::error!(%error, "a rejected file cannot be set aside");
                }
            }
            Outcome::Retry { after, .. } => {
                let delay = after.unwrap_or_else(|| RETRY.delay(attempts, fastrand::f64()));
                return Some(Failed { claim, attempts, due: Instant::now() + delay });
            }
        }
        None
    }

    /// A host without AWS has no region, and needs one only for a body that lies in S3.
    fn account(&self) -> config::Aws {
        let fallback_region = Some("us-east-1".to_owned());
        config::Aws { fallback_region, ..self.component.0.account.clone() }
    }

    async fn unpack_and_attempt(&self, message: &Message) -> (Outcome, Vec<Path>) {
        let account = self.account();
        let unpacker = Unpacker::new(&self.component.settings().queue_settings(NAME, &account));
        let s3 = match self.component.0.aws.connect(&account).await {
            Ok(connection) => connection.s3,
            Err(error) => return (failed(message, Outcome::retry(error.to_string())), Vec::new()),
        };
        match unpacker.unpack(message, &s3).await {
            Unpacked::Message { message, objects } => {
                let message = Arc::new(message);
                let run = self.attempt(&message).await;
                (tell(&message, &run), objects)
            }
            Unpacked::NoWork(_) => (Outcome::Done, Vec::new()),
            Unpacked::Reject(why) => (failed(message, Outcome::reject(why)), Vec::new()),
            Unpacked::Later(error) => {
                (failed(message, Outcome::retry(error.to_string())), Vec::new())
            }
        }
    }

    async fn attempt(&self, message: &Arc<Message>) -> Ran {
        // Held for as long as we live: there is no lease that could end.
        let keeper = LeaseKeeper::new(Instant::now() + LONGEST_LEASE);
        let delivery = Delivery { message: Arc::clone(message), lease: keeper.lease() };
        let abort = self.shutdown.abort_token();
        handler::run(&self.handler, delivery, LONGEST_LEASE, &abort).await
    }

    async fn delete(&self, objects: Vec<Path>) {
        for object in objects {
            let deleted = match self.component.0.aws.connect(&self.account()).await {
                Ok(aws) => Bucket::new(aws.s3, &object.bucket).delete_one(&object.key).await,
                Err(error) => Err(error),
            };
            if let Err(error) = deleted {
                tracing::warn!(%object, %error, "object of a finished file stays");
            }
        }
    }
}

/// A file in our hands whose next attempt is yet to come.
struct Failed {
    claim: Claim,
    attempts: u32,
    due: Instant,
}

impl Failed {
    async fn until_due(self) -> (Claim, u32) {
        sleep_until(self.due).await;
        (self.claim, self.attempts)
    }
}

/// The one line that every outcome gets.
fn tell(message: &Message, run: &Ran) -> Outcome {
    let outcome = match &run.verdict {
        Ok(outcome) => outcome.clone(),
        Err(unavailable) => {
            tracing::error!(reason = unavailable.reason, "a component cannot do its work");
            return Outcome::retry(unavailable.reason.clone());
        }
    };
    metrics::handled(NAME, outcome.label(), run.duration);
    let ms = super::millis(run.duration);
    if outcome == Outcome::Done {
        metrics::settled(NAME, outcome.label());
        tracing::info!(message_id = message.id, ms, "message done");
        return outcome;
    }
    failed(message, outcome)
}

fn failed(message: &Message, outcome: Outcome) -> Outcome {
    metrics::settled(NAME, outcome.label());
    let message_id = &*message.id;
    match &outcome {
        Outcome::Done => {}
        Outcome::Retry { reason, .. } => tracing::warn!(message_id, reason, "message failed"),
        Outcome::Reject { reason } => tracing::warn!(message_id, reason, "message rejected"),
    }
    outcome
}
