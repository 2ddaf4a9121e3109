//! Finding the queue: its URL, its own lease, where its rejected messages go. Asked at start and
//! whenever the queue turns out to be gone.

use std::time::Duration;

use super::reject::Target;
use crate::aws::{Aws, Connection};
use crate::config;
use crate::error::{Kind, Result};
use crate::toolkit::sqs::{self, QueueUrl};

/// The lease where the queue does not tell its own, or its own is nothing at all.
const DEFAULT_LEASE: Duration = Duration::from_secs(30);
/// SQS keeps no message longer. Where the queue does not tell its own, a finished id is rather kept
/// too long.
const LONGEST_RETENTION: Duration = Duration::from_hours(14 * 24);

/// A queue that was found.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) connection: Connection,
    pub(super) url: QueueUrl,
    pub(super) lease: Duration,
    pub(super) retention: Duration,
    pub(super) rejects: Option<Target>,
    /// After so many receives SQS itself moves a message to the dead-letter queue; the largest
    /// number without a redrive policy, nothing where that could not be asked.
    pub(super) max_receives: Option<u32>,
    /// The same for every host, whatever it is allowed to ask.
    pub(super) arn: String,
    /// What an operator should know about how it was found.
    pub(super) note: Option<&'static str>,
}

impl Source {
    /// Finds the queue that the settings name. Credentials that were refused are read anew by the
    /// next call.
    pub(super) async fn find(aws: Aws, settings: config::Queue) -> Result<Self> {
        aws.heed(&settings.aws, Self::look(&aws, &settings).await)
    }

    async fn look(aws: &Aws, settings: &config::Queue) -> Result<Self> {
        let connection = aws.connect(&settings.aws).await?;
        let url = sqs::resolve(&connection.sqs, &settings.queue).await?;
        let facts = match sqs::facts(&connection.sqs, &url).await {
            Ok(facts) => Some(facts),
            Err(error) if error.kind() == Kind::Denied => None,
            Err(error) => return Err(error),
        };
        let own = facts.as_ref().map(|facts| facts.visibility_timeout);
        let (lease, note) = match (settings.visibility_timeout, own) {
            (Some(lease), _) => (lease, None),
            (None, Some(Duration::ZERO)) => (
                DEFAULT_LEASE,
                Some("the queue's own visibility timeout is 0, so 30 s is set on receive"),
            ),
            (None, Some(own)) => (own, None),
            (None, None) => {
                (DEFAULT_LEASE, Some("sqs:GetQueueAttributes is denied, so 30 s is set on receive"))
            }
        };
        let redrive = facts.as_ref().and_then(|facts| facts.dead_letter_arn.clone());
        Ok(Self {
            rejects: rejects(settings, redrive),
            max_receives: facts.as_ref().map(|facts| facts.max_receive_count.unwrap_or(u32::MAX)),
            arn: url.arn(connection.region()),
            retention: facts.map_or(LONGEST_RETENTION, |facts| facts.retention),
            connection,
            url,
            lease,
            note,
        })
    }
}

/// What the settings say comes before what the queue's redrive policy says.
fn rejects(settings: &config::Queue, redrive: Option<String>) -> Option<Target> {
    settings
        .dead_letter_queue
        .clone()
        .map(Target::queue)
        .or_else(|| settings.set_aside.clone().map(Target::Directory))
        .or_else(|| redrive.map(Target::queue))
}
