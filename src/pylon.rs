//! pylon's components: input → work → output, where the work is a command or a function.
//!
//! | kind | input | output | it runs |
//! |---|---|---|---|
//! | pipeline | yes | yes | for each message; what it gives is sent |
//! | sink | yes | no | for each message |
//! | source | no | yes | every `PYLON_LOOP_SLEEP_SECONDS`; what it gives is sent |
//! | null | no | no | every `PYLON_LOOP_SLEEP_SECONDS` |
//!
//! One run: the body is fetched where it is stored, the work is done, what it gives is stamped with
//! the id of this ingestion and with the artifact, large bodies are stored, all is sent and
//! confirmed, the ingestion step is logged; only then is the input deleted. Until everything that
//! the work gives is known to be fit, nothing of it is sent. What fails is tried again with the
//! same names: a stored body is replaced, and a FIFO queue or topic drops what it has. Elsewhere
//! what was sent before the failure is sent again.
//!
//! ```no_run
//! # async fn example() -> Result<(), longshore::error::Error> {
//! use longshore::aws::Aws;
//! use longshore::config::Config;
//! use longshore::outcome::Failure;
//! use longshore::payload::codec::Pylon;
//! use longshore::pylon::{self, Component, Work};
//! use longshore::shutdown::signals;
//! use longshore::worker::Worker;
//!
//! let work = Work::function(|input: Option<Pylon>, _settings| async move {
//!     let body = input.and_then(|message| message.body).unwrap_or_default();
//!     Ok::<_, Failure>(Pylon::raw(body.to_uppercase())) // or nothing, or many
//! });
//! let (aws, base) = (Aws::new(), Config::of_environment()?);
//! let settings = pylon::read(&aws, &base.aws).await?; // PYLON_CONFIG
//! let config = settings.among(base);
//! let component = Component::new(settings, work, aws, config.aws.clone());
//! Worker::component(config, component)?.run_until(signals()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Input from a queue goes through the [`queue`](crate::queue) pipeline, with everything that it
//! does; a folder, and a component without input, through [`Pump`].

mod context;
mod input;
mod lambda;
mod lines;
mod output;
mod place;
mod pump;
mod read;
mod settings;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::handler::{BoxHandler, Delivery, LeaseKeeper, Verdict};
use crate::outcome::Outcome;
use crate::payload::codec::pylon::IngestionStep;
use crate::payload::{Unpacked, Unpacker};

use context::Context;
use output::Output;

pub use lambda::messages as lambda_messages;
pub use place::Place;
pub use pump::Pump;
pub use read::{VARIABLE, read};
pub use settings::Settings;
pub use work::{IntoMessages, Work};

/// Under this name the input stands in logs and metrics.
pub const NAME: &str = "pylon";

/// A component, ready to run. Clones share it.
#[derive(Debug, Clone)]
pub struct Component(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    settings: Arc<Settings>,
    work: Work,
    output: Option<Output>,
    aws: Aws,
    account: config::Aws,
}

impl Component {
    /// A component of its settings and its work; `account` is how AWS is reached. No request is
    /// sent yet.
    pub fn new(settings: Settings, work: Work, aws: Aws, account: config::Aws) -> Self {
        let output =
            settings.output.clone().map(|place| Output::new(place, aws.clone(), account.clone()));
        Self(Arc::new(Parts { settings: Arc::new(settings), work, output, aws, account }))
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Its connections to AWS.
    pub(crate) fn aws(&self) -> &Aws {
        &self.0.aws
    }

    /// The component as the handler of its input.
    pub fn handler(&self) -> BoxHandler {
        let component = self.clone();
        BoxHandler::new(NAME, move |delivery| {
            let component = component.clone();
            async move { component.run(&delivery).await }
        })
    }

    /// Runs on every record of an event of AWS Lambda, one after the other.
    ///
    /// Dropped midway, a part of the records may be done.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an event of another kind; and what failed first, of the record that it
    /// failed for: Lambda then gives the whole batch again.
    pub async fn lambda_handler(&self, event: &Value) -> Result<()> {
        tracing::info!(phase = "lambda_handler", "heartbeat");
        let settings = self.0.settings.queue_settings("lambda", &self.0.account);
        let unpacker = Unpacker::new(&settings);
        for message in lambda_messages(event)? {
            let what = format!("message {} of the event", message.id);
            let failed =
                |kind: Kind, why: String| Err(Error::new(kind, what.as_str()).because(why));
            let s3 = self.0.aws.connect(&self.0.account).await?.s3;
            let message = match Box::pin(unpacker.unpack(&message, &s3)).await {
                Unpacked::Message { message, .. } => message,
                Unpacked::NoWork(_) => continue,
                Unpacked::Reject(why) => return failed(Kind::Invalid, why),
                Unpacked::Later(error) => return Err(error),
            };
            // Lambda itself holds the message, for as long as this takes.
            let keeper = LeaseKeeper::new(Instant::now() + crate::toolkit::sqs::LONGEST_LEASE);
            let delivery = Delivery { message: Arc::new(message), lease: keeper.lease() };
            match Box::pin(self.run(&delivery)).await {
                Ok(Outcome::Done) => {}
                Ok(Outcome::Retry { reason, .. }) => return failed(Kind::Transient, reason),
                Ok(Outcome::Reject { reason }) => return failed(Kind::Invalid, reason),
                Err(unavailable) => return failed(Kind::Transient, unavailable.reason),
            }
        }
        Ok(())
    }

    /// One run, from the message to its outcome.
    async fn run(&self, delivery: &Delivery) -> Verdict {
        let Parts { settings, work, output, .. } = &*self.0;
        let context = Context::of(settings.input.as_ref().map(|_| &*delivery.message));
        let parent_ingestion_id = context.parent.as_deref();
        tracing::info!(phase = "run_once", "heartbeat");
        let began = Instant::now();
        tracing::info!(phase = "core_process", parent_ingestion_id, "heartbeat");
        let worked = work.run(delivery, settings).await?;
        let took = began.elapsed();
        tracing::info!(phase = "core_process", ms = millis(took), "timed execution");
        let messages = match worked {
            Ok(messages) => messages,
            Err(outcome) => return Ok(outcome),
        };
        match output {
            Some(output) => {
                if let Err(verdict) = output.send(messages, &context, settings).await {
                    return verdict;
                }
            }
            None if messages.is_empty() => {}
            None => {
                let dropped = messages.len();
                tracing::warn!(dropped, "no output is set, what the work gave is dropped");
            }
        }
        let mut step = IngestionStep::at(SystemTime::now());
        step.artifact_name.clone_from(&settings.artifact_name);
        step.artifact_version.clone_from(&settings.artifact_version);
        step.metadata.clone_from(&settings.ingestion_attributes);
        step.metadata.insert("durationSeconds".to_owned(), took.as_secs_f64().into());
        step.parent_ingestion_id.clone_from(&context.parent);
        step.ingestion_id = Some(context.ingestion_id.clone());
        let (ingestion_id, duration_seconds) = (&*context.ingestion_id, took.as_secs_f64());
        let step = step.to_line().unwrap_or_default();
        tracing::info!(ingestion_id, parent_ingestion_id, duration_seconds, step, "ingestion step");
        tracing::info!(phase = "total", ms = millis(began.elapsed()), "timed execution");
        Ok(Outcome::Done)
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
