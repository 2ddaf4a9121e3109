//! Parts of a batch fail, whole calls fail, confirmations are wrong: what was not confirmed is not
//! deleted, what was confirmed is not sent again.

use std::collections::BTreeSet;

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::ground::{self, Ground, numbered};
use crate::support::{
    daemon::{Finished, longshore},
    emulator::embedded,
    exchange::Exchange,
    proxy::{Fault, Proxy},
};

fn operation(name: &'static str) -> impl Fn(&Exchange) -> bool + Send + 'static {
    move |seen| seen.operation() == name
}

/// With leases that outlive whatever stands still meanwhile.
fn redrive(proxy: &Proxy) -> Finished {
    redrive_leased(proxy, "--visibility-timeout=60")
}

fn redrive_leased(proxy: &Proxy, lease: &str) -> Finished {
    let launch = longshore(["redrive", "dead", "orders", "--wait=1", lease]);
    launch.endpoint(&proxy.endpoint()).finish()
}

/// A scripted answer about entries 0 to 2: SQS took those that are named, and says so of nothing.
fn answer(successful: Value, failed: Value) -> Fault {
    Fault::Answer(200, json!({ "Successful": successful, "Failed": failed }).to_string())
}

fn named(id: &str, body: &str) -> Value {
    let md5 = format!("{:032x}", u128::from_be_bytes(Md5::digest(body).into()));
    json!({ "Id": id, "MessageId": format!("id {id}"), "MD5OfMessageBody": md5 })
}

fn failed(id: &str, code: &str, sender_fault: bool) -> Value {
    json!({ "Id": id, "Code": code, "SenderFault": sender_fault, "Message": "so it is" })
}

/// The bodies that the n-th send asked for.
fn asked(proxy: &Proxy, number: usize) -> Vec<String> {
    let body: Value = serde_json::from_slice(&proxy.of("SendMessageBatch")[number].body).unwrap();
    let entries = body["Entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["MessageBody"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn of_a_batch_that_fails_in_part_only_what_was_confirmed_is_deleted() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(6)).await;
    let proxy = Proxy::start(&server.endpoint());
    // The embedded SQS hands out in the order of arrival: entry n is body n.
    let body = |number: usize| format!("body {number:05}");
    let said = [named("0", &body(0)), named("5", "other")];
    let wrong = [
        failed("1", "InternalError", false),
        failed("2", "InvalidMessageContents", true),
        failed("3", "ThrottlingException", false),
    ];
    proxy.on(1, operation("SendMessageBatch"), answer(json!(said), json!(wrong)));
    let finished = redrive(&proxy).expect(
        69,
        &[
            "moved 4 messages from dead to orders",
            "2 messages refused by the target and given back",
            "InvalidMessageContents: so it is",
            "confirms a body with the MD5",
        ],
    );
    assert_eq!(finished.stderr.lines().count(), 2, "{}", finished.stderr);
    // Sent again: what failed in passing, and what the answer did not name.
    assert_eq!(asked(&proxy, 0).len(), 6);
    assert_eq!(asked(&proxy, 1), [body(1), body(3), body(4)]);
    let moved = BTreeSet::from([body(0), body(1), body(3), body(4)]);
    assert_eq!(ground::deleted(&proxy.requests()), moved);
    assert_eq!(ground.drain("dead").await, [body(2), body(5)]);
    assert_eq!(ground.drain("orders").await, [body(1), body(3), body(4)]);
}

#[tokio::test]
async fn a_target_that_refuses_everybody_ends_it_and_everything_goes_back() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(30)).await;
    let proxy = Proxy::start(&server.endpoint());
    let denied = r#"{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"not you"}"#;
    proxy.on(99, operation("SendMessageBatch"), Fault::Answer(403, denied.to_owned()));
    redrive(&proxy).expect(69, &["moved 0 messages", "not you", "allow this action"]);
    assert_eq!(proxy.of("DeleteMessageBatch").len(), 0);
    assert_eq!((ground.counts("dead").await, ground.visible("orders").await), ((30, 0), 0));
}

#[tokio::test]
async fn a_call_without_an_answer_is_made_again() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(30)).await;
    let proxy = Proxy::start(&server.endpoint());
    proxy.on(1, operation("SendMessageBatch"), Fault::CutAfter);
    proxy.on(1, operation("SendMessageBatch"), Fault::Answer(503, String::new()));
    proxy.on(1, operation("ReceiveMessage"), Fault::Answer(503, String::new()));
    proxy.on(1, operation("DeleteMessageBatch"), Fault::CutBefore);
    redrive(&proxy).expect(0, &["moved 30 messages"]);
    assert_eq!(ground.counts("dead").await, (0, 0));
    let bodies = ground.drain("orders").await;
    let distinct: BTreeSet<String> = bodies.iter().cloned().collect();
    // The batch whose answer was lost is there twice.
    assert_eq!((bodies.len(), distinct), (40, numbered(30).collect()));
}

#[tokio::test]
async fn one_message_that_spoils_the_call_spoils_no_other() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    let small = ground.sqs.set_queue_attributes().queue_url(ground.url("orders"));
    small.attributes("MaximumMessageSize".into(), "1024").send().await.unwrap();
    let large = "x".repeat(2_000);
    ground.fill("dead", numbered(5).chain([large.clone()]).chain(["last".to_owned()])).await;
    let proxy = Proxy::start(&server.endpoint());
    // Some refuse the whole call for one entry, others name the entry.
    let whole = r#"{"__type":"com.amazonaws.sqs#InvalidParameterValue","message":"too long"}"#;
    let holds_large = |seen: &Exchange| {
        seen.operation() == "SendMessageBatch"
            && seen.body.windows(99).any(|part| part == [b'x'; 99])
    };
    proxy.on(99, holds_large, Fault::Answer(400, whole.to_owned()));
    let told = ["moved 6 messages", "1 message refused by the target", "too long"];
    redrive(&proxy).expect(69, &told);
    assert_eq!(ground.drain("dead").await, [large]);
    assert_eq!(ground.drain("orders").await.len(), 6);
}

#[tokio::test]
async fn what_was_sent_and_not_deleted_is_deleted_when_it_comes_again() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(3)).await;
    let proxy = Proxy::start(&server.endpoint());
    let stale = |code, fault| {
        let all = ["0", "1", "2"].map(|id| failed(id, code, fault));
        Fault::Answer(200, json!({ "Successful": [], "Failed": all }).to_string())
    };
    proxy.on(1, operation("DeleteMessageBatch"), stale("InternalError", false));
    proxy.on(1, operation("DeleteMessageBatch"), stale("ReceiptHandleIsInvalid", true));
    redrive_leased(&proxy, "--visibility-timeout=5").expect(0, &["moved 3 messages"]);
    assert_eq!(ground.counts("dead").await, (0, 0));
    assert_eq!(ground.drain("orders").await.len(), 3, "none was sent twice");
    assert_eq!(proxy.of("DeleteMessageBatch").len(), 3);
}

#[tokio::test]
async fn what_could_not_be_deleted_is_told() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(3)).await;
    let proxy = Proxy::start(&server.endpoint());
    let denied = r#"{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"not you"}"#;
    proxy.on(99, operation("DeleteMessageBatch"), Fault::Answer(403, denied.to_owned()));
    let told = ["moved 0 messages", "3 messages sent and still in the source", "not you"];
    redrive_leased(&proxy, "--visibility-timeout=5").expect(69, &told);
    assert_eq!(ground.drain("orders").await.len(), 3);
}

#[tokio::test]
async fn in_fifo_nothing_overtakes_one_of_its_group_that_failed() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead.fifo", "orders.fifo"]).await;
    for (number, group) in ["a", "b", "a", "b", "a"].into_iter().enumerate() {
        let send = ground.sqs.send_message().queue_url(ground.url("dead.fifo"));
        let send = send.message_body(format!("{group}{number}")).message_group_id(group);
        send.message_deduplication_id(number.to_string()).send().await.unwrap();
    }
    let proxy = Proxy::start(&server.endpoint());
    let first = json!([failed("0", "InvalidMessageContents", true)]);
    let fault = answer(json!([named("1", "b1")]), first);
    proxy.on(1, operation("SendMessageBatch"), fault);
    let launch = longshore(["redrive", "dead.fifo", "orders.fifo", "--wait=1"]);
    let finished = launch.endpoint(&proxy.endpoint()).finish();
    let told = ["moved 2 messages", "1 message refused", "2 messages given back behind one"];
    finished.expect(69, &told);
    // No two of one group ride together.
    assert_eq!(
        (asked(&proxy, 0), asked(&proxy, 1)),
        (vec!["a0".into(), "b1".into()], vec!["b3".into()])
    );
    assert_eq!(ground.drain("dead.fifo").await, ["a0", "a2", "a4"]);
    assert_eq!(ground.drain("orders.fifo").await, ["b3"]);
}

#[tokio::test]
async fn a_body_that_was_damaged_on_its_way_is_not_moved() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", ["whole".to_owned()].into_iter()).await;
    let proxy = Proxy::start(&server.endpoint());
    let md5 = format!("{:032x}", u128::from_be_bytes(Md5::digest("whole").into()));
    let message =
        json!({ "MessageId": "id", "ReceiptHandle": "h", "Body": "whale", "MD5OfBody": md5 });
    let answer = json!({ "Messages": [message] }).to_string();
    proxy.on(1, operation("ReceiveMessage"), Fault::Answer(200, answer));
    redrive(&proxy).expect(0, &["moved 1 message from dead to orders"]);
    assert_eq!(ground.drain("orders").await, ["whole"]);
}
