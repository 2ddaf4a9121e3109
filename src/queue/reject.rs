//! Where rejected messages go: a dead-letter queue or a directory. Only after they are safe there
//! may the message be deleted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use tokio::sync::OnceCell;

use crate::again::again_after;
use crate::backoff::Backoff;
use crate::drop::{self, Existing};
use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Message, Outgoing};
use crate::toolkit::sqs::{MOST_BYTES, QueueUrl, Sender, resolve};
use crate::units;

/// The attribute that tells why a message was rejected.
const EVIDENCE: &str = "longshore_reason";
/// Evidence is a hint, not an archive.
const EVIDENCE_BYTES: usize = 1024;
/// Longer pauses than for other calls: what cannot be set aside waits for its longest backoff.
const BETWEEN: Backoff = Backoff::doubling(Duration::from_millis(500), Duration::from_secs(10));

/// Where the rejected messages of one queue go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Another queue.
    Queue(DeadLetters),
    /// A directory of this host.
    Directory(PathBuf),
}

/// The queue of rejected messages, looked up once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeadLetters {
    /// Its name, URL or ARN.
    queue: String,
    url: Arc<OnceCell<QueueUrl>>,
}

impl Target {
    pub(super) fn queue(queue: String) -> Self {
        Self::Queue(DeadLetters { queue, url: Arc::default() })
    }
}

/// Puts a rejected message where it is safe; tries a few times by itself.
///
/// Dropped midway, the message may or may not be there; it was not deleted, so it comes again.
pub(super) async fn set_aside(
    client: aws_sdk_sqs::Client,
    target: Target,
    message: Arc<Message>,
    reason: String,
) -> Result<()> {
    again_after(BETWEEN, || async {
        match &target {
            Target::Queue(queue) => forward(&client, queue, &message, &reason).await,
            Target::Directory(directory) => keep(directory, &message, &reason).await,
        }
    })
    .await
}

async fn forward(
    client: &aws_sdk_sqs::Client,
    target: &DeadLetters,
    message: &Message,
    reason: &str,
) -> Result<()> {
    let url = target.url.get_or_try_init(|| resolve(client, &target.queue)).await?;
    let outgoing = outgoing(message, reason, url);
    let mut sender = Sender::new(client.clone(), url.clone());
    sender.push(outgoing).await?;
    match sender.finish().await?.failed.pop() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// The message as it came, with the reason in one more attribute where there is room.
fn outgoing(message: &Message, reason: &str, target: &QueueUrl) -> Outgoing {
    let mut outgoing = Outgoing {
        body: message.body.as_text().unwrap_or_default().to_owned(),
        attributes: message.attributes.clone(),
        labels: message.labels.clone(),
        group: message.group().map(str::to_owned),
        deduplication_id: None,
        trace_header: message.system_attributes.get("AWSTraceHeader").cloned(),
        ..Outgoing::default()
    };
    if target.is_fifo() {
        // A copy sent twice within five minutes is one copy.
        outgoing.deduplication_id = Some(format!("reject-{}", message.id));
        outgoing.group.get_or_insert_with(|| "rejected".to_owned());
    }
    let evidence = Attribute::String(printable(reason));
    let mut with_evidence = outgoing.clone();
    with_evidence.attributes.insert(EVIDENCE.to_owned(), evidence);
    let fits = with_evidence.attributes.len() <= 10 && with_evidence.size() <= MOST_BYTES;
    if fits { with_evidence } else { outgoing }
}

/// Cut to a hint of characters that SQS takes, never empty.
fn printable(reason: &str) -> String {
    let mut text: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut end = EVIDENCE_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    if text.trim().is_empty() { "rejected".to_owned() } else { text }
}

/// Writes the whole message with its reason into one file, synced with its directory.
async fn keep(directory: &Path, message: &Message, reason: &str) -> Result<()> {
    let name = format!("{}.json", file_name(&message.id));
    let bundle = bundle(message, reason);
    let directory = directory.to_owned();
    tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&directory).map_err(|error| {
            Error::new(Kind::File, format!("making the directory {}", directory.display()))
                .because(error)
                .hint("make it, or let the daemon's user do so")
        })?;
        drop::file(&directory, name.as_ref(), &mut bundle.as_bytes(), Existing::Replace)?;
        Ok(())
    })
    .await
    .map_err(|error| Error::new(Kind::Bug, "setting a message aside").because(error))?
}

/// Message ids are SQS's; a foreign one must still not leave the directory.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

fn bundle(message: &Message, reason: &str) -> String {
    let attributes: BTreeMap<&str, serde_json::Value> = message
        .attributes
        .iter()
        .map(|(name, value)| {
            let text = match value {
                Attribute::String(text) | Attribute::Number(text) => text.clone(),
                Attribute::Binary(bytes) => BASE64_STANDARD.encode(bytes),
            };
            (name.as_str(), json!({ "type": message.data_type(name), "value": text }))
        })
        .collect();
    json!({
        "reason": reason,
        "rejected_at": units::utc(SystemTime::now()),
        "queue": message.queue,
        "message_id": message.id,
        "event": message.event,
        "receive_count": message.receive_count(),
        "attributes": attributes,
        "system_attributes": message.system_attributes,
        "body": message.body.as_text(),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            id: "5fea7756-0ea4-451a-a703-a558b933e274".into(),
            queue: "orders".into(),
            body: "body".into(),
            attributes: BTreeMap::from([("a".into(), Attribute::String("1".into()))]),
            labels: BTreeMap::new(),
            system_attributes: BTreeMap::new(),
            event: None,
        }
    }

    #[test]
    fn attributes_stay_and_the_reason_joins_where_there_is_room() {
        let outgoing = outgoing(&message(), "no\naddress", &target("dead"));
        assert_eq!(outgoing.attributes["a"], Attribute::String("1".into()));
        assert_eq!(outgoing.attributes[EVIDENCE], Attribute::String("no address".into()));
        assert_eq!(outgoing.deduplication_id, None);

        let mut full = message();
        for n in 0..9 {
            full.attributes.insert(format!("n{n}"), Attribute::Number("1".into()));
        }
        let outgoing = super::outgoing(&full, "why", &target("dead"));
        assert_eq!(outgoing.attributes, full.attributes);
    }

    #[test]
    fn a_fifo_target_gets_group_and_deduplication_id() {
        let outgoing = outgoing(&message(), "why", &target("dead.fifo"));
        assert_eq!(
            outgoing.deduplication_id.as_deref(),
            Some("reject-5fea7756-0ea4-451a-a703-a558b933e274")
        );
        assert!(outgoing.group.is_some());
    }

    #[tokio::test]
    async fn the_bundle_holds_everything_and_stays_in_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let mut message = message();
        message.id = "../escape".into();
        keep(directory.path(), &message, "why").await.unwrap();
        let text = std::fs::read_to_string(directory.path().join("___escape.json")).unwrap();
        let bundle: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(bundle["reason"], "why");
        assert_eq!(bundle["body"], "body");
        assert_eq!(bundle["attributes"]["a"]["value"], "1");
    }

    fn target(name: &str) -> QueueUrl {
        QueueUrl::at("http://127.0.0.1/000000000000", name)
    }
}
