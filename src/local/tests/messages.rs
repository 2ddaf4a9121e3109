//! SQS on virtual time, through the door in the process.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use tokio::time::Instant;

use super::in_process;

struct Bench {
    local: crate::local::Local,
    client: Client,
    url: String,
    _directory: tempfile::TempDir,
}

async fn bench(queue: &str) -> Bench {
    let (local, directory) = in_process().await;
    let client = Client::new(&local.sdk_config_in_process());
    let url = local.ensure_queue(queue).unwrap();
    Bench { local, client, url, _directory: directory }
}

impl Bench {
    async fn send(&self, body: &str) -> String {
        let sent = self.client.send_message().queue_url(&self.url).message_body(body);
        sent.send().await.unwrap().message_id.unwrap()
    }

    async fn send_in_group(&self, group: &str, body: &str) {
        let sent = self.client.send_message().queue_url(&self.url).message_body(body);
        sent.message_group_id(group).send().await.unwrap();
    }

    async fn poll(&self, wait: i32, most: i32) -> ReceiveMessageOutput {
        self.client
            .receive_message()
            .queue_url(&self.url)
            .wait_time_seconds(wait)
            .max_number_of_messages(most)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap()
    }

    async fn receive(&self, wait: i32) -> Vec<Message> {
        self.poll(wait, 10).await.messages.unwrap_or_default()
    }

    async fn attribute(&self, name: QueueAttributeName) -> String {
        let got = self.client.get_queue_attributes().queue_url(&self.url);
        let got = got.attribute_names(name.clone()).send().await.unwrap();
        got.attributes.unwrap().remove(&name).unwrap()
    }

    async fn set(&self, name: QueueAttributeName, value: &str) {
        let set = self.client.set_queue_attributes().queue_url(&self.url).attributes(name, value);
        set.send().await.unwrap();
    }
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_deref().unwrap()).collect()
}

fn receive_count(message: &Message) -> &str {
    let attributes = message.attributes.as_ref().unwrap();
    &attributes[&MessageSystemAttributeName::ApproximateReceiveCount]
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_takes_its_virtual_time_and_no_more() {
    let bench = bench("inbox").await;
    let began = Instant::now();
    assert!(bench.receive(20).await.is_empty());
    assert_eq!(began.elapsed().as_secs(), 20);
    let began = Instant::now();
    let (messages, _) = tokio::join!(bench.receive(20), async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        bench.send("late").await
    });
    assert_eq!((began.elapsed().as_secs(), bodies(&messages)), (7, vec!["late"]));
}

#[tokio::test(start_paused = true)]
async fn an_expired_lease_redelivers_to_the_millisecond() {
    let bench = bench("inbox").await;
    let id = bench.send("once more").await;
    bench.receive(0).await;
    let began = Instant::now();
    let again = bench.receive(20).await;
    assert!(again.is_empty(), "the lease of thirty seconds stands");
    let again = bench.receive(20).await;
    assert_eq!(began.elapsed().as_millis() / 5, 30_000 / 5);
    assert_eq!(again[0].message_id.as_deref(), Some(id.as_str()));
    assert_eq!(receive_count(&again[0]), "2");
    assert_ne!(again[0].receipt_handle, None);
}

#[tokio::test(start_paused = true)]
async fn a_message_given_back_is_there_at_once_and_a_renewed_one_is_not() {
    let bench = bench("inbox").await;
    bench.send("a").await;
    let handle = bench.receive(0).await.remove(0).receipt_handle.unwrap();
    let change = |handle: &str, seconds| {
        let change = bench.client.change_message_visibility().queue_url(&bench.url);
        change.receipt_handle(handle).visibility_timeout(seconds).send()
    };
    change(&handle, 100).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(bench.receive(0).await.is_empty());
    change(&handle, 0).await.unwrap();
    let newer = bench.receive(0).await.remove(0).receipt_handle.unwrap();
    let stale = change(&handle, 0).await.unwrap_err().into_service_error();
    assert_eq!(stale.meta().code(), Some("InvalidParameterValue"));
    let delete = |handle: &str| {
        bench.client.delete_message().queue_url(&bench.url).receipt_handle(handle).send()
    };
    delete(&handle).await.unwrap();
    assert_eq!(
        bench.attribute(QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await,
        "1"
    );
    delete(&newer).await.unwrap();
    assert_eq!(
        bench.attribute(QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await,
        "0"
    );
    delete(&newer).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_lease_outlives_twelve_hours() {
    let bench = bench("inbox").await;
    bench.send("a").await;
    let handle = bench.receive(0).await.remove(0).receipt_handle.unwrap();
    let change = |seconds| {
        let change = bench.client.change_message_visibility().queue_url(&bench.url);
        change.receipt_handle(&handle).visibility_timeout(seconds).send()
    };
    change(43_200).await.unwrap();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let refused = change(43_200).await.unwrap_err().into_service_error();
    assert!(refused.meta().message().unwrap().contains("beyond the limit [43200 seconds]"));
    change(36_000).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_entry_of_a_batch_is_judged_by_itself() {
    let bench = bench("inbox").await;
    bench.send("a").await;
    let handle = bench.receive(0).await.remove(0).receipt_handle.unwrap();
    let changes = [("wrong", "no handle"), ("right", &handle)].map(|(id, handle)| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .visibility_timeout(60)
            .build()
            .unwrap()
    });
    let answer = bench.client.change_message_visibility_batch().queue_url(&bench.url);
    let answer = answer.set_entries(Some(changes.to_vec())).send().await.unwrap();
    assert_eq!(answer.successful[0].id, "right");
    assert_eq!(
        (answer.failed[0].id.as_str(), answer.failed[0].code.as_str()),
        ("wrong", "ReceiptHandleIsInvalid")
    );
    let deletes = [("wrong", "no handle"), ("right", &handle)].map(|(id, handle)| {
        DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
    });
    let answer = bench.client.delete_message_batch().queue_url(&bench.url);
    let answer = answer.set_entries(Some(deletes.to_vec())).send().await.unwrap();
    assert_eq!(answer.successful[0].id, "right");
    assert_eq!((answer.failed[0].id.as_str(), answer.failed[0].sender_fault), ("wrong", true));
}

#[tokio::test(start_paused = true)]
async fn what_was_received_too_often_moves_to_the_dead_letter_queue() {
    let bench = bench("inbox").await;
    let dead_url = bench.local.ensure_queue("inbox-dead").unwrap();
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:inbox-dead","maxReceiveCount":"2"}"#;
    bench.set(QueueAttributeName::RedrivePolicy, policy).await;
    let id = bench.send("poison").await;
    for _ in 0..2 {
        assert_eq!(bench.receive(0).await.len(), 1);
        tokio::time::sleep(Duration::from_secs(31)).await;
    }
    assert!(bench.receive(0).await.is_empty());
    let dead = bench.client.receive_message().queue_url(&dead_url);
    let dead = dead.message_system_attribute_names(MessageSystemAttributeName::All).send().await;
    let dead = dead.unwrap().messages.unwrap().remove(0);
    assert_eq!(dead.message_id.as_deref(), Some(id.as_str()));
    let source = &dead.attributes.unwrap()[&MessageSystemAttributeName::DeadLetterQueueSourceArn];
    assert_eq!(source, "arn:aws:sqs:us-east-1:000000000000:inbox");
    let sources = bench.client.list_dead_letter_source_queues().queue_url(&dead_url);
    assert_eq!(sources.send().await.unwrap().queue_urls, [bench.url.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_message_waits_its_delay() {
    let bench = bench("inbox").await;
    let sent = bench.client.send_message().queue_url(&bench.url).message_body("later");
    sent.delay_seconds(9).send().await.unwrap();
    assert_eq!(bench.attribute(QueueAttributeName::ApproximateNumberOfMessagesDelayed).await, "1");
    let began = Instant::now();
    assert_eq!(bodies(&bench.receive(20).await), ["later"]);
    assert_eq!(began.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_fifo_queue_keeps_order_in_its_groups_and_deduplicates() {
    let bench = bench("orders.fifo").await;
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a2"), ("b", "b2")] {
        bench.send_in_group(group, body).await;
    }
    let first = bench.poll(0, 1).await.messages.unwrap();
    assert_eq!(bodies(&first), ["a1"]);
    let others = bench.receive(0).await;
    assert_eq!(bodies(&others), ["b1", "b2"], "a group with a message in flight waits");
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(bodies(&bench.receive(0).await), ["a1", "b1", "a2", "b2"]);
    let expired = bench.client.delete_message().queue_url(&bench.url);
    let expired = expired.set_receipt_handle(first[0].receipt_handle.clone()).send().await;
    assert!(expired.is_err(), "an old handle of a FIFO queue is refused");
}

#[tokio::test(start_paused = true)]
async fn draining_answers_open_polls_and_new_ones_at_once() {
    let bench = bench("inbox").await;
    let began = Instant::now();
    let (open, ()) = tokio::join!(bench.receive(20), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        bench.local.drain();
    });
    assert!(open.is_empty());
    bench.send("kept").await;
    assert!(bench.receive(20).await.is_empty());
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!(bench.attribute(QueueAttributeName::ApproximateNumberOfMessages).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_poll_takes_no_message_with_it() {
    let bench = bench("inbox").await;
    let dropped = tokio::time::timeout(Duration::from_secs(5), bench.receive(20)).await;
    assert!(dropped.is_err());
    bench.send("for the next").await;
    assert_eq!(bodies(&bench.receive(20).await), ["for the next"]);
}

#[tokio::test(start_paused = true)]
async fn attributes_and_a_body_of_one_mebibyte_pass_and_more_is_refused() {
    let bench = bench("inbox").await;
    let kind = MessageAttributeValue::builder().data_type("String").string_value("é<&>");
    let blob = MessageAttributeValue::builder()
        .data_type("Binary.x")
        .binary_value(aws_sdk_sqs::primitives::Blob::new([0, 255]));
    let attributes: HashMap<String, MessageAttributeValue> = [
        ("iniesta_pass".to_owned(), kind.build().unwrap()),
        ("raw".to_owned(), blob.build().unwrap()),
    ]
    .into();
    let sent = bench.client.send_message().queue_url(&bench.url).message_body("x");
    sent.set_message_attributes(Some(attributes.clone())).send().await.unwrap();
    let got = bench.receive(0).await.remove(0);
    assert_eq!(got.message_attributes, Some(attributes));
    let largest = "x".repeat(1_048_576);
    bench.send(&largest).await;
    assert_eq!(bench.receive(0).await[0].body.as_ref(), Some(&largest));
    let more = bench.client.send_message().queue_url(&bench.url);
    let more = more.message_body(largest + "x").send().await.unwrap_err().into_service_error();
    assert_eq!(more.meta().code(), Some("InvalidParameterValue"));
}

#[tokio::test(start_paused = true)]
async fn stamps_move_with_the_virtual_clock() {
    let bench = bench("inbox").await;
    let stamp = async || {
        let id = bench.send("x").await;
        let mut messages = bench.receive(0).await;
        messages.retain(|message| message.message_id.as_ref() == Some(&id));
        let message = messages.remove(0);
        let sent = &message.attributes.unwrap()[&MessageSystemAttributeName::SentTimestamp];
        sent.parse::<u64>().unwrap()
    };
    let before = stamp().await;
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!((stamp().await - before) / 1_000, 7_200);
}

#[tokio::test(start_paused = true)]
async fn a_missing_queue_says_so() {
    let bench = bench("inbox").await;
    let missing = bench.client.get_queue_url().queue_name("no-such").send().await;
    assert!(missing.unwrap_err().into_service_error().is_queue_does_not_exist());
    let polled = bench.client.receive_message().queue_url(format!("{}-not", bench.url)).send();
    assert!(polled.await.unwrap_err().into_service_error().is_queue_does_not_exist());
    bench.client.delete_queue().queue_url(&bench.url).send().await.unwrap();
    let gone = bench.client.get_queue_url().queue_name("inbox").send().await;
    assert!(gone.is_err());
}
