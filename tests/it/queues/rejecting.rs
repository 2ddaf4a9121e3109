//! Messages that a handler will never take.

use super::ground::{embedded, log_line, text};
use crate::support::{PATIENCE, eventually, exchange::Exchange};
use aws_sdk_sqs::{primitives::Blob, types::MessageAttributeValue};
use std::fs;

const BYTES: [u8; 4] = [0, 1, 0xfe, 0xff];

fn attributes() -> [(&'static str, MessageAttributeValue); 3] {
    let binary = MessageAttributeValue::builder().data_type("Binary.png");
    let number = MessageAttributeValue::builder().data_type("Number.int").string_value("7");
    [
        ("tint", text("réd")),
        ("raw", binary.binary_value(Blob::new(BYTES)).build().unwrap()),
        ("size", number.build().unwrap()),
    ]
}

const REJECT: &str = "echo no such address >&2; exit 65";

#[tokio::test]
async fn the_redrive_policy_of_the_queue_says_where_to() {
    let ground = embedded();
    ground.queue("dead", &[]).await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":100}"#;
    ground.queue("q", &[("RedrivePolicy", policy)]).await;
    ground.send_with("q", "body", &attributes()).await;
    let daemon = ground
        .run(&format!("[queue.q]\nqueue = \"q\"\n{}", ground.exec("queue.q.handler", "h", REJECT)));
    ground.wait_counts("dead", (1, 0)).await;
    ground.wait_empty("q").await;
    log_line(&daemon, &["WARN", "message rejected", "exited with 65: no such address"]);
    let operations: Vec<_> = ground.proxy.requests().iter().map(Exchange::operation).collect();
    let place = |name: &str| operations.iter().position(|operation| operation == name).unwrap();
    assert!(place("SendMessageBatch") < place("DeleteMessageBatch"), "{operations:?}");
    drop(daemon);
}

#[tokio::test]
async fn the_queue_of_the_settings_gets_it_with_every_attribute_as_it_was() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.queue("dead", &[]).await;
    ground.send_with("q", "body", &attributes()).await;
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\ndead_letter_queue = \"dead\"\n{}",
        ground.exec("queue.q.handler", "h", REJECT)
    ));
    ground.wait_counts("dead", (1, 0)).await;
    let dead = ground.visible("dead").await.remove(0);
    assert_eq!(dead.body(), Some("body"));
    let mut got = dead.message_attributes.unwrap();
    let reason = got.remove("longshore_reason").unwrap();
    assert_eq!(reason.string_value(), Some("exited with 65: no such address"));
    for (name, value) in attributes() {
        assert_eq!(got.remove(name), Some(value), "{name}");
    }
    assert!(got.is_empty(), "{got:?}");
    ground.wait_empty("q").await;
    drop(daemon);
}

#[tokio::test]
async fn a_directory_gets_a_bundle_with_everything() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send_with("q", "body", &attributes()).await;
    let aside = ground.path("aside");
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nset_aside = {:?}\n{}",
        aside.display().to_string(),
        ground.exec("queue.q.handler", "h", REJECT)
    ));
    ground.wait_empty("q").await;
    let mut bundle = None;
    eventually("a bundle", PATIENCE, || {
        let mut files = fs::read_dir(&aside).into_iter().flatten().flatten();
        bundle = files.find(|file| file.path().extension().is_some_and(|end| end == "json"));
        bundle.is_some()
    });
    let text = fs::read_to_string(bundle.unwrap().path()).unwrap();
    let bundle: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(bundle["body"], "body");
    assert_eq!(bundle["reason"], "exited with 65: no such address");
    assert_eq!(bundle["queue"], "q");
    assert_eq!(bundle["attributes"]["tint"]["value"], "réd");
    assert_eq!(bundle["attributes"]["raw"]["value"], "AAH+/w==");
    assert_eq!(bundle["attributes"]["raw"]["type"], "Binary.png");
    assert_eq!(bundle["attributes"]["size"]["type"], "Number.int");
    drop(daemon);
}

#[tokio::test]
async fn with_nowhere_to_go_it_is_kept_and_said_loudly() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "x").await;
    let daemon = ground
        .run(&format!("[queue.q]\nqueue = \"q\"\n{}", ground.exec("queue.q.handler", "h", REJECT)));
    log_line(&daemon, &["ERROR", "nowhere to go", "set dead_letter_queue or set_aside"]);
    let changes = || ground.calls("ChangeMessageVisibilityBatch");
    eventually("it is hidden", PATIENCE, || !changes().is_empty());
    assert_eq!(changes()[0].1["Entries"][0]["VisibilityTimeout"], 900);
    assert_eq!(ground.counts("q").await, (0, 1));
    drop(daemon);
}

/// A dead-letter queue that is not there must cost nothing but time.
#[tokio::test]
async fn what_cannot_be_set_aside_is_not_deleted() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "x").await;
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\ndead_letter_queue = \"dead\"\n{}",
        ground.exec("queue.q.handler", "h", REJECT)
    ));
    log_line(&daemon, &["ERROR", "could not be set aside", "dead"]);
    assert!(ground.proxy.of("DeleteMessageBatch").is_empty());
    ground.queue("dead", &[]).await;
    ground.wait_counts("dead", (1, 0)).await;
    ground.wait_empty("q").await;
    drop(daemon);
}
