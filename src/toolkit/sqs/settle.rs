//! Deletes and leases, ten to a call, every entry looked at.

use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};

use super::QueueUrl;
use crate::again::{TRIES, pause};
use crate::aws::batch;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};

/// Deletes up to ten messages by their handles: of each whether it failed.
pub(crate) async fn delete(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    handles: &[&str],
) -> Vec<Option<Error>> {
    let what = format!("deleting from queue {}", url.name());
    let entries = handles.iter().enumerate().map(|(position, handle)| {
        DeleteMessageBatchRequestEntry::builder()
            .id(batch::entry_id(position))
            .receipt_handle(*handle)
            .build()
            .map_err(unbuilt)
    });
    let call = async {
        let request = client.delete_message_batch().queue_url(url.as_str());
        let entries = entries.collect::<Result<Vec<_>>>()?;
        let answer = request.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| fault(&what, error))?;
        Ok(batch::outcomes(&answer.failed, handles.len(), &what))
    };
    call.await.unwrap_or_else(|error| batch::all_failed(handles.len(), &error))
}

/// [`delete`], and again, up to five times, what failed in passing.
pub(super) async fn delete_again(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    handles: &[&str],
) -> Vec<Option<Error>> {
    let mut outcomes: Vec<Option<Error>> = handles.iter().map(|_| None).collect();
    let mut left: Vec<(usize, &str)> = handles.iter().copied().enumerate().collect();
    let mut tries = 0;
    while !left.is_empty() {
        tries += 1;
        let batch: Vec<&str> = left.iter().map(|(_, handle)| *handle).collect();
        let failed = delete(client, url, &batch).await;
        left = left
            .into_iter()
            .zip(failed)
            .filter_map(|((place, handle), error)| {
                let again = error.as_ref().is_some_and(|error| error.kind().passes_by_itself());
                if let Some(outcome) = outcomes.get_mut(place) {
                    *outcome = error;
                }
                (again && tries < TRIES).then_some((place, handle))
            })
            .collect();
        if !left.is_empty() {
            pause(tries).await;
        }
    }
    outcomes
}

/// Sets the leases of up to ten messages anew, each counted from now: of each whether it failed.
pub(crate) async fn hide(
    client: &aws_sdk_sqs::Client,
    url: &QueueUrl,
    changes: &[(&str, Duration)],
) -> Vec<Option<Error>> {
    let what = format!("changing the visibility of messages of queue {}", url.name());
    let entries = changes.iter().enumerate().map(|(position, (handle, lease))| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(batch::entry_id(position))
            .receipt_handle(*handle)
            .visibility_timeout(seconds(*lease))
            .build()
            .map_err(unbuilt)
    });
    let call = async {
        let request = client.change_message_visibility_batch().queue_url(url.as_str());
        let entries = entries.collect::<Result<Vec<_>>>()?;
        let answer = request.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| fault(&what, error))?;
        Ok(batch::outcomes(&answer.failed, changes.len(), &what))
    };
    call.await.unwrap_or_else(|error| batch::all_failed(changes.len(), &error))
}

/// Whole seconds, as SQS counts.
pub(crate) fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn unbuilt(error: aws_sdk_sqs::error::BuildError) -> Error {
    Error::new(Kind::Bug, "building a batch for SQS").because(error)
}
