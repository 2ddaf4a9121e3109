//! `kill -9`, and every window between a file and its sidecar.

use super::{Place, Queue, attributes, bodies};
use crate::support::{
    PATIENCE,
    emulator::embedded,
    eventually,
    proxy::{Fault, Gate, Proxy},
};
use std::{collections::BTreeSet, fs};

const QUEUE: &str = "queue = \"notices\"";
const MARKED: &str = r#"{"attributes": {"mark": "own"}}"#;

#[tokio::test]
async fn kill_9_in_the_middle_loses_nothing() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let place = Place::new();
    let mut dropped = 0;
    for _ in 0..5 {
        let mut daemon = place.start(&proxy.endpoint(), QUEUE);
        let before = proxy.of("SendMessageBatch").len();
        let until = before + fastrand::usize(1..40);
        for _ in 0..40 {
            place.drop_with(&format!("{dropped:04}"), dropped.to_string(), MARKED);
            dropped += 1;
        }
        eventually("the moment", PATIENCE, || {
            proxy.of("SendMessageBatch").len() >= until || place.left().is_empty()
        });
        daemon.kill9();
    }
    let daemon = place.start(&proxy.endpoint(), QUEUE);
    place.wait_until_empty(&daemon);
    let messages = queue.take(dropped).await;
    let numbers: BTreeSet<usize> =
        messages.iter().map(|message| message.body().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (0..dropped).collect(), "each at least once");
    // Whatever was sent, was sent with what its sidecar said.
    assert!(messages.iter().all(|message| attributes(message)["mark"] == ("String", "own")));
    assert_eq!(place.quarantined().iter().filter(|name| !name.starts_with('.')).count(), 0);
}

/// SQS has it, and the daemon does not know: the file and its sidecar are still there.
#[tokio::test]
async fn kill_9_between_the_send_and_its_reply_sends_again_with_the_sidecar() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, |seen| seen.operation() == "SendMessageBatch", Fault::HoldReply(gate.clone()));
    place.drop_with("a", "body", MARKED);
    let mut daemon = place.start(&proxy.endpoint(), QUEUE);
    eventually("SQS has it", PATIENCE, || gate.arrived() == 1);
    daemon.kill9();
    assert_eq!(place.left(), [".a.meta.json", "a"]);
    let daemon = place.start(&proxy.endpoint(), QUEUE);
    place.wait_until_empty(&daemon);
    let messages = queue.take(2).await;
    assert_eq!(bodies(&messages), ["body", "body"]);
    assert!(messages.iter().all(|message| attributes(message).contains_key("mark")));
}

/// What a killed daemon left half-way out: a file with its sidecar, one whose sidecar had not
/// followed yet, and a sidecar whose file was gone already.
#[tokio::test]
async fn what_lies_in_settling_finds_its_sidecar() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let place = Place::new();
    for (number, names) in
        [("0", &["a", ".a.meta.json"][..]), ("3", &["b"]), ("9", &[".c.meta.json"])]
    {
        let settling = place.own("settling").join(number);
        fs::create_dir_all(&settling).unwrap();
        for name in names {
            let text = if name.starts_with('.') { MARKED } else { name };
            fs::write(settling.join(name), text).unwrap();
        }
    }
    place.drop(".b.meta.json", MARKED);
    // A newer file has the name of one that was on its way out.
    place.drop("a", "newer a");
    assert_eq!(place.once(&server.endpoint(), QUEUE), 0);
    let messages = queue.take(3).await;
    let mut marked: Vec<_> = messages
        .iter()
        .map(|message| (message.body().unwrap(), attributes(message).contains_key("mark")))
        .collect();
    marked.sort_unstable();
    assert_eq!(marked, [("a", true), ("b", true), ("newer a", false)]);
    assert_eq!((place.left(), place.unsettled()), (vec![], 0));
    // Nothing is thrown away that nobody can account for.
    assert_eq!(place.quarantined(), [".c.meta.json"]);
}

/// A sidecar alone waits for its file.
#[tokio::test]
async fn a_sidecar_waits_for_its_file() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let place = Place::new();
    place.drop(".a.meta.json", MARKED);
    assert_eq!(place.once(&server.endpoint(), QUEUE), 0);
    assert_eq!(place.left(), [".a.meta.json"]);
    place.drop("a", "body");
    assert_eq!(place.once(&server.endpoint(), QUEUE), 0);
    assert!(attributes(&queue.take(1).await[0]).contains_key("mark"));
    assert_eq!(place.left(), [""; 0]);
}

/// The sidecar of the next file of the name comes while the one before is sent: each goes with its
/// own.
#[tokio::test]
async fn the_sidecar_of_a_newer_file_stays() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, |seen| seen.operation() == "SendMessageBatch", Fault::HoldReply(gate.clone()));
    place.drop_with("a", "first", r#"{"attributes": {"mark": "1"}}"#);
    let daemon = place.start(&proxy.endpoint(), QUEUE);
    eventually("it is sent", PATIENCE, || gate.arrived() == 1);
    place.drop(".a.meta.json", r#"{"attributes": {"mark": "2"}}"#);
    gate.open();
    eventually("it is settled", PATIENCE, || place.left() == [".a.meta.json"]);
    place.drop("a", "second");
    place.wait_until_empty(&daemon);
    let messages = queue.take(2).await;
    let marks: Vec<_> = messages
        .iter()
        .map(|message| (message.body().unwrap(), attributes(message)["mark"].1))
        .collect();
    assert_eq!(marks, [("first", "1"), ("second", "2")]);
}
