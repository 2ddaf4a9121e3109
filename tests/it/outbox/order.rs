//! The order of a group, whatever the network does.

use super::{Place, Queue, bodies, group};
use crate::support::{
    PATIENCE,
    emulator::{embedded, ministack},
    eventually,
    exchange::Exchange,
    proxy::{Fault, Gate, Proxy},
};
use std::collections::BTreeMap;

const FIFO: &str = "queue = \"notices.fifo\"\nretry_initial = \"20ms\"\nretry_longest = \"200ms\"";

/// Their files, whole in the record of the proxy.
fn sends(seen: &Exchange) -> bool {
    seen.operation() == "SendMessageBatch"
}

fn says(text: &'static str) -> impl Fn(&Exchange) -> bool {
    move |seen| sends(seen) && String::from_utf8_lossy(&seen.body).contains(text)
}

#[tokio::test]
async fn a_thousand_files_wait_for_a_dead_network_and_keep_their_order() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let queue = Queue::make(&server.endpoint(), "notices.fifo").await;
    let place = Place::new();
    let drop = |number: usize| {
        let sidecar = format!("{{\"group\": \"g{}\"}}", number % 7);
        place.drop_with(&format!("{number:04}"), format!("{number}"), &sidecar);
    };
    proxy.down();
    // Backwards, so that neither age nor chance gives the order of the names.
    (0..500).rev().for_each(drop);
    let daemon = place.start(&proxy.endpoint(), FIFO);
    daemon.wait_for_line(|line| line.contains("spool paused"), PATIENCE);
    (500..1_000).for_each(drop);
    assert_eq!(place.left().len(), 2_000, "each with its sidecar");
    proxy.up();
    place.wait_until_empty(&daemon);
    let messages = queue.take(1_000).await;
    assert_eq!(messages.len(), 1_000, "a second copy has the same deduplication id");
    let mut numbers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for message in &messages {
        numbers.entry(group(message)).or_default().push(message.body().unwrap().parse().unwrap());
    }
    assert_eq!(numbers.len(), 7);
    for (group, numbers) in numbers {
        assert!(numbers.is_sorted(), "{group}: {numbers:?}");
    }
    assert_eq!(place.quarantined(), [""; 0]);
}

#[tokio::test]
async fn a_failing_file_holds_back_its_group_only() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let queue = Queue::make(&server.endpoint(), "notices.fifo").await;
    let place = Place::new();
    let gate = Gate::closed();
    proxy.on(1, says("a-first"), Fault::Answer(503, String::new()));
    proxy.on(1, says("a-first"), Fault::Hold(gate.clone()));
    let a = "{\"group\": \"a\"}";
    place.drop_with("1", "a-first", a);
    place.drop_with("2", "a-second", a);
    place.drop_with("3", "b-first", "{\"group\": \"b\"}");
    place.drop_with("4", "b-second", "{\"group\": \"b\"}");
    let daemon = place.start(&proxy.endpoint(), FIFO);
    eventually("it is tried again", PATIENCE, || gate.arrived() == 1);
    eventually("the other group goes on", PATIENCE, || place.left().len() == 4);
    assert_eq!(bodies(&queue.take(2).await), ["b-first", "b-second"]);
    gate.open();
    place.wait_until_empty(&daemon);
    assert_eq!(bodies(&queue.take(2).await), ["a-first", "a-second"]);
}

#[tokio::test]
async fn a_group_goes_on_behind_a_file_that_goes_to_quarantine() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let queue = Queue::make(&server.endpoint(), "notices.fifo").await;
    let place = Place::new();
    let refused = r#"{"Successful":[],"Failed":[{"Id":"0","Code":"InvalidMessageContents","SenderFault":true,"Message":"so it is"}]}"#;
    proxy.on(1, says("refused"), Fault::Answer(200, refused.to_owned()));
    place.drop("1", "refused by SQS");
    place.drop("2", "");
    place.drop("3", "good");
    let daemon = place.start(&proxy.endpoint(), &format!("{FIFO}\ngroup = \"all\""));
    place.wait_until_empty(&daemon);
    assert_eq!(bodies(&queue.take(1).await), ["good"]);
    assert_eq!(place.quarantined(), ["1", "1.reason.json", "2", "2.reason.json"]);
}

/// A queue may allow less than SQS does, and says so of the whole call.
#[tokio::test]
async fn a_group_goes_on_behind_a_file_that_is_too_long_for_its_queue() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let queue = Queue::make(&server.endpoint(), "notices.fifo").await;
    let place = Place::new();
    let refused = r#"{"__type":"com.amazonaws.sqs#BatchRequestTooLong","message":"so it is"}"#;
    proxy.on(99, says("refused"), Fault::Answer(400, refused.to_owned()));
    place.drop("1", "refused by SQS");
    place.drop("2", "good");
    let daemon = place.start(&proxy.endpoint(), &format!("{FIFO}\ngroup = \"all\""));
    place.wait_until_empty(&daemon);
    assert_eq!(bodies(&queue.take(1).await), ["good"]);
    assert_eq!(place.quarantined(), ["1", "1.reason.json"]);
}

/// The reply is lost: sent again, and dropped by SQS for its deduplication id.
#[tokio::test]
async fn an_unknown_outcome_is_sent_again_and_harmless_on_fifo() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let queue = Queue::make(&server.endpoint(), "notices.fifo").await;
    let place = Place::new();
    proxy.on(2, sends, Fault::CutAfter);
    place.drop("1", "once");
    let daemon = place.start(&proxy.endpoint(), &format!("{FIFO}\ngroup = \"all\""));
    place.wait_until_empty(&daemon);
    assert_eq!(proxy.of("SendMessageBatch").len(), 3);
    assert_eq!(bodies(&queue.take(1).await), ["once"]);
}

/// Nothing of ours on the other side; files without a group go side by side.
#[tokio::test]
async fn files_without_a_group_go_side_by_side() {
    let server = ministack();
    let proxy = Proxy::start(&server.endpoint());
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let place = Place::new();
    let gate = Gate::closed();
    proxy.on(9, sends, Fault::Hold(gate.clone()));
    for number in 10..40 {
        place.drop(&number.to_string(), format!("message {number}"));
    }
    let daemon = place.start(&proxy.endpoint(), "queue = \"notices\"");
    eventually("nine at a time", PATIENCE, || gate.arrived() == 9);
    gate.open();
    place.wait_until_empty(&daemon);
    let messages = queue.take(30).await;
    let mut got = bodies(&messages);
    got.sort_unstable();
    assert_eq!(got, (10..40).map(|number| format!("message {number}")).collect::<Vec<_>>());
}
