//! The queues of channels that nobody uses any more: found by the tag that each subscriber writes,
//! and deleted only when somebody says so.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt;

use super::{Channels, usage};
use crate::error::{Kind, Result};
use crate::toolkit::sns;
use crate::toolkit::sqs::{self, QueueUrl};

/// A queue unused for so long may go.
pub const UNUSED: Duration = Duration::from_hours(30 * 24);

/// What the queues of channels begin with.
const PREFIX: &str = "ps";

/// A queue that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// The queue.
    pub queue: QueueUrl,
    /// When a subscriber last noted that it is used.
    pub last_use: SystemTime,
    /// The topic it is subscribed to, where that was noted.
    pub topic: Option<String>,
}

/// The queues of channels that are tagged, unused for [`UNUSED`] and empty. Deletes nothing.
///
/// # Errors
/// Where the queues cannot be listed, or one of them does not tell its tags.
pub async fn unused(channels: &Channels) -> Result<Vec<Unused>> {
    let mut found = Vec::new();
    let mut queues = std::pin::pin!(sqs::list(&channels.sqs, PREFIX));
    while let Some(queue) = queues.next().await.transpose()? {
        match look(channels, queue).await {
            Ok(unused) => found.extend(unused),
            // Deleted while we looked.
            Err(error) if error.kind() == Kind::Missing => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Deletes a queue that [`unused`] found, with its subscription; looks again before, and tells
/// whether it was still unused and empty.
///
/// Dropped midway, the queue may be gone and its subscription there.
///
/// # Errors
/// As SQS and SNS say.
pub async fn delete(channels: &Channels, unused: &Unused) -> Result<bool> {
    if look(channels, unused.queue.clone()).await?.is_none() {
        return Ok(false);
    }
    let arn = sqs::arn(&channels.sqs, &unused.queue).await?;
    sqs::delete(&channels.sqs, &unused.queue).await?;
    if let Some(topic) = &unused.topic {
        unsubscribe(channels, topic, &arn).await?;
    }
    Ok(true)
}

async fn look(channels: &Channels, queue: QueueUrl) -> Result<Option<Unused>> {
    let Some(usage) = usage::read(&channels.sqs, &queue).await? else { return Ok(None) };
    let age = SystemTime::now().duration_since(usage.last_use).unwrap_or_default();
    if age < UNUSED {
        return Ok(None);
    }
    let length = sqs::length(&channels.sqs, &queue).await?;
    let is_empty = length.visible == 0 && length.in_flight == 0 && length.delayed == 0;
    Ok(is_empty.then_some(Unused { queue, last_use: usage.last_use, topic: usage.topic }))
}

/// SNS would go on sending to a queue that is not there.
async fn unsubscribe(channels: &Channels, topic: &str, queue_arn: &str) -> Result<()> {
    let mut all = std::pin::pin!(sns::subscriptions(&channels.sns, topic));
    while let Some(known) = all.next().await {
        let known = match known {
            Ok(known) => known,
            Err(error) if error.kind() == Kind::Missing => return Ok(()),
            Err(error) => return Err(error),
        };
        if known.endpoint == queue_arn
            && let Some(arn) = &known.arn
        {
            sns::unsubscribe(&channels.sns, arn).await?;
        }
    }
    Ok(())
}
