//! Queues that are filled and emptied, and what a record of a redrive says.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, SendMessageBatchRequestEntry};
use serde_json::Value;

use crate::support::{
    aws,
    exchange::{End, Exchange},
};

/// What every summary says.
pub(crate) const TWICE: &str =
    "a run that was killed may have sent its last messages twice, at most 80";

pub(crate) struct Ground {
    pub(crate) sqs: aws_sdk_sqs::Client,
    urls: BTreeMap<String, String>,
}

pub(crate) fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("body {number:05}"))
}

impl Ground {
    pub(crate) async fn new(endpoint: &str, queues: &[&str]) -> Ground {
        Self::of(aws::sqs(endpoint), queues).await
    }

    pub(crate) async fn in_region(endpoint: &str, region: &str, queues: &[&str]) -> Ground {
        let here = aws::sqs(endpoint);
        let region = aws_sdk_sqs::config::Region::new(region.to_owned());
        let there = here.config().to_builder().region(region).build();
        Self::of(aws_sdk_sqs::Client::from_conf(there), queues).await
    }

    async fn of(sqs: aws_sdk_sqs::Client, queues: &[&str]) -> Ground {
        // An onlooker: its connection may be closed while it waits for a long run to end.
        let retry = aws_sdk_sqs::config::retry::RetryConfig::standard();
        let patient = sqs.config().to_builder().retry_config(retry).build();
        let sqs = aws_sdk_sqs::Client::from_conf(patient);
        let mut urls = BTreeMap::new();
        for queue in queues {
            let mut create = sqs.create_queue().queue_name(*queue);
            if queue.strip_suffix(".fifo").is_some() {
                create = create.attributes("FifoQueue".into(), "true");
            }
            let made = create.send().await.unwrap();
            urls.insert((*queue).to_owned(), made.queue_url.unwrap());
        }
        Ground { sqs, urls }
    }

    pub(crate) fn url(&self, queue: &str) -> String {
        self.urls[queue].clone()
    }

    pub(crate) async fn fill(&self, queue: &str, bodies: impl Iterator<Item = String>) {
        let bodies: Vec<String> = bodies.collect();
        for batch in bodies.chunks(10) {
            let entries = batch.iter().enumerate().map(|(id, body)| {
                let entry = SendMessageBatchRequestEntry::builder().id(id.to_string());
                entry.message_body(body).build().unwrap()
            });
            let send = self.sqs.send_message_batch().queue_url(self.url(queue));
            let answer = send.set_entries(Some(entries.collect())).send().await.unwrap();
            assert_eq!(answer.failed().len(), 0);
        }
    }

    /// Visible, and hidden, messages of a queue.
    pub(crate) async fn counts(&self, queue: &str) -> (u32, u32) {
        let ask = self.sqs.get_queue_attributes().queue_url(self.url(queue));
        let answer = ask.attribute_names("All".into()).send().await.unwrap();
        let attributes = answer.attributes.unwrap();
        let count = |name: &str| attributes[&name.into()].parse().unwrap();
        (count("ApproximateNumberOfMessages"), count("ApproximateNumberOfMessagesNotVisible"))
    }

    pub(crate) async fn visible(&self, queue: &str) -> u32 {
        self.counts(queue).await.0
    }

    /// Receives and deletes everything, in the order in which it comes.
    pub(crate) async fn drain_whole(&self, queue: &str) -> Vec<Message> {
        let mut all = Vec::new();
        while self.visible(queue).await > 0 {
            let receive = self.sqs.receive_message().queue_url(self.url(queue));
            let receive = receive.max_number_of_messages(10).message_attribute_names("All");
            let receive = receive.message_system_attribute_names("All".into());
            let messages = receive.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                continue;
            }
            let entry = |(id, message): (usize, &Message)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string());
                entry.receipt_handle(message.receipt_handle().unwrap()).build().unwrap()
            };
            let delete = self.sqs.delete_message_batch().queue_url(self.url(queue));
            let entries = messages.iter().enumerate().map(entry).collect();
            let deleted = delete.set_entries(Some(entries)).send().await.unwrap();
            assert_eq!(deleted.failed(), []);
            all.extend(messages);
        }
        all
    }

    pub(crate) async fn drain(&self, queue: &str) -> Vec<String> {
        let messages = self.drain_whole(queue).await;
        messages.into_iter().map(|message| message.body.unwrap()).collect()
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

/// The bodies by receipt handle, of all that was received.
fn received(record: &[Exchange]) -> BTreeMap<String, String> {
    let polls = record.iter().filter(|seen| seen.operation() == "ReceiveMessage");
    let answers: Vec<Value> = polls.map(|seen| json(&seen.reply)).collect();
    let messages = answers.iter().flat_map(|answer| list(answer, "Messages"));
    messages.map(|message| (text(message, "ReceiptHandle"), text(message, "Body"))).collect()
}

/// The bodies that were deleted, or tried to.
pub(crate) fn deleted(record: &[Exchange]) -> BTreeSet<String> {
    let received = received(record);
    let deletes = record.iter().filter(|seen| seen.operation() == "DeleteMessageBatch");
    let asked: Vec<Value> = deletes.map(|seen| json(&seen.body)).collect();
    let entries = asked.iter().flat_map(|asked| list(asked, "Entries"));
    entries.map(|entry| received[&text(entry, "ReceiptHandle")].clone()).collect()
}

/// The bodies of these batches.
pub(crate) fn sent(sends: &[Exchange]) -> BTreeSet<String> {
    let asked: Vec<Value> = sends.iter().map(|seen| json(&seen.body)).collect();
    let entries = asked.iter().flat_map(|asked| list(asked, "Entries"));
    entries.map(|entry| text(entry, "MessageBody")).collect()
}

/// Each body that is deleted stands, before that, in a send that was answered and named it.
pub(crate) fn assert_deletes_follow_sends(record: &[Exchange]) {
    let mut confirmed = BTreeSet::new();
    for (at, seen) in record.iter().enumerate() {
        if seen.operation() == "SendMessageBatch" && seen.end == End::Answered(200) {
            let (asked, answer) = (json(&seen.body), json(&seen.reply));
            for entry in list(&asked, "Entries") {
                if list(&answer, "Successful").any(|named| named["Id"] == entry["Id"]) {
                    confirmed.insert(text(entry, "MessageBody"));
                }
            }
        }
        for body in deleted(&record[..=at]) {
            assert!(confirmed.contains(&body), "{body} was deleted unconfirmed");
        }
    }
}
