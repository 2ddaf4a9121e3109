//! A message to a queue.

use std::sync::{Mutex, PoisonError};

use aws_sdk_sqs::Client;

use super::Refusal;
use crate::error::{Error, Kind};
use crate::message::Outgoing;
use crate::toolkit::sqs::{QueueUrl, resolve, send_batch};

/// Sends it. When it returns, SQS has confirmed it by name and with exactly the body that was sent.
/// `known` is the queue, once it was found; forgotten when it is gone.
///
/// Dropped midway, it may or may not have been sent.
pub(crate) async fn send(
    client: &Client,
    (queue, known): (&str, &Mutex<Option<QueueUrl>>),
    message: Outgoing,
) -> Result<(), Refusal> {
    let found = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let url = match found {
        Some(url) => url,
        None => resolve(client, queue).await.map_err(Refusal::Refused)?,
    };
    let sent = send_batch(client, &url, &[&message]).await;
    let gone = sent.as_ref().is_err_and(|error| error.kind() == Kind::Missing);
    *known.lock().unwrap_or_else(PoisonError::into_inner) = (!gone).then_some(url);
    judged(sent)
}

/// A call that fails as a whole speaks of the queue, a single entry of its message; and so does a
/// call of one entry that is longer than the queue allows.
fn judged(sent: Result<Vec<Option<Error>>, Error>) -> Result<(), Refusal> {
    let refusal = |error: Error| {
        let is_too_long = error.told().contains("BatchRequestTooLong");
        if is_too_long { Refusal::Own(error) } else { Refusal::Refused(error) }
    };
    match sent.map_err(refusal)?.into_iter().flatten().next() {
        None => Ok(()),
        Some(error) if error.kind() == Kind::Invalid => Err(Refusal::Own(error)),
        Some(error) => Err(Refusal::Refused(error)),
    }
}
