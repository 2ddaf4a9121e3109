//! The call that receives.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::types::Message;

use super::QueueUrl;
use super::settle::seconds;
use crate::aws::batch::MOST_ENTRIES;
use crate::aws::fault::fault;
use crate::error::Result;

/// What an answer may take beyond the time that the receive waits by itself.
const ANSWER: Duration = Duration::from_secs(15);

/// Receives up to so many messages, ten at most, waiting so long for the first; `asked` adds the
/// lease and what is to come along. Tried once.
///
/// Dropped midway, SQS may have picked messages, and hides them for a whole lease.
pub(crate) async fn poll(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    (most, wait): (usize, Duration),
    asked: impl FnOnce(ReceiveMessageFluentBuilder) -> ReceiveMessageFluentBuilder,
) -> Result<Vec<Message>> {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(wait + ANSWER).build();
    let call = client
        .receive_message()
        .queue_url(url.as_str())
        .max_number_of_messages(i32::try_from(most.min(MOST_ENTRIES)).unwrap_or(i32::MAX))
        .wait_time_seconds(seconds(wait));
    let answer = asked(call)
        .customize()
        .config_override(Builder::new().timeout_config(timeouts))
        .send()
        .await
        .map_err(|error| fault(format!("receiving from queue {}", url.name()), error))?;
    Ok(answer.messages.unwrap_or_default())
}
