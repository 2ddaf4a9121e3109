//! Sending one message in a call of its own, for the id that SQS gives it.

use aws_sdk_sqs::types::MessageSystemAttributeNameForSends;

use super::QueueUrl;
use super::entry::{as_sdk, trace_as_sdk};
use super::send::unfit_for;
use super::settle::seconds;
use crate::again::again;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::message::Outgoing;
use crate::toolkit::transport::Sent;

/// Sends one message; what fails in passing is sent again, five times in all.
///
/// Dropped midway, the message may or may not have been sent.
pub(super) async fn send(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    message: &Outgoing,
) -> Result<Sent> {
    let what = format!("sending to queue {}", url.name());
    if let Some(why) = unfit_for(message, url.is_fifo()) {
        return Err(Error::new(Kind::Invalid, what).because(why));
    }
    again(|| once(client, url, message, &what)).await
}

async fn once(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    message: &Outgoing,
    what: &str,
) -> Result<Sent> {
    let mut request = client
        .send_message()
        .queue_url(url.as_str())
        .message_body(&message.body)
        .set_delay_seconds(message.delay.map(seconds))
        .set_message_group_id(message.group.clone())
        .set_message_deduplication_id(message.deduplication_id.clone());
    for (name, value) in &message.attributes {
        request = request.message_attributes(name, as_sdk(message.data_type(name, value), value)?);
    }
    if let Some(trace) = &message.trace_header {
        request = request.message_system_attributes(
            MessageSystemAttributeNameForSends::AwsTraceHeader,
            trace_as_sdk(trace)?,
        );
    }
    let answer = request.send().await.map_err(|error| fault(what, error))?;
    let message_id = answer.message_id.ok_or_else(|| {
        Error::new(Kind::Transient, what).because("the answer holds no message id")
    })?;
    Ok(Sent { message_id, sequence_number: answer.sequence_number })
}
