//! Programs that write into an outbox: Python by rename, with extended attributes; the library.

use super::{Place, Queue, attributes, bodies, group, reason};
use crate::support::{
    PATIENCE,
    daemon::{longshore, program},
    emulator::{embedded, ministack},
    venv,
};
use longshore::{
    message::{Attribute, Outgoing},
    toolkit::outbox::Outbox,
};
use std::time::Duration;

/// A program that knows nothing of Longshore but the directory.
const WRITER: &str = r#"
import os, sys
outbox = sys.argv[1]
for number in range(20):
    name = f"{number:02}"
    draft = os.path.join(outbox, "." + name + ".tmp")
    with open(draft, "w") as f:
        f.write(f"from Python {name}")
    for key, value in {"group": f"g{number % 2}", "attribute.kind": "zoë", "event": "Written"}.items():
        os.setxattr(draft, "user.longshore." + key, value.encode())
    os.rename(draft, os.path.join(outbox, name))
with open(os.path.join(outbox, ".bad.tmp"), "w") as f:
    f.write("x")
os.setxattr(os.path.join(outbox, ".bad.tmp"), "user.longshore.delay", b"soon")
os.rename(os.path.join(outbox, ".bad.tmp"), os.path.join(outbox, "bad"))
"#;

#[tokio::test]
async fn a_python_program_says_group_and_attributes_by_extended_attributes() {
    let server = ministack();
    let queue = Queue::make(&server.endpoint(), "notices.fifo").await;
    let place = Place::new();
    let daemon = place.start(&server.endpoint(), "queue = \"notices.fifo\"\nservice = \"py\"");
    let mut python =
        program(&venv("python"), ["-c", WRITER, place.directory().to_str().unwrap()]).start();
    assert_eq!(python.wait(PATIENCE), 0, "{}", python.output());
    place.wait_until_empty(&daemon);
    let messages = queue.take(20).await;
    for parity in 0..2 {
        let own: Vec<_> =
            messages.iter().filter(|message| group(message) == format!("g{parity}")).collect();
        let expected: Vec<_> =
            (0..10).map(|n| format!("from Python {:02}", 2 * n + parity)).collect();
        let got: Vec<_> = own.iter().map(|message| message.body().unwrap()).collect();
        assert_eq!(got, expected);
    }
    for message in &messages {
        let attributes = attributes(message);
        assert_eq!(attributes["kind"], ("String", "zoë"));
        assert_eq!(attributes["iniesta_pass"], ("String", "Written.py"));
    }
    let why = reason(&place, "bad")["reason"].as_str().unwrap().to_owned();
    assert!(why.contains("user.longshore.delay") && why.contains("\"soon\""), "{why}");
}

/// A sidecar is laid over extended attributes, and both over the settings, key by key.
#[tokio::test]
async fn a_sidecar_counts_more_than_attributes_and_both_more_than_settings() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "notices.fifo").await;
    let place = Place::new();
    place.drop("1", "settings");
    place.drop_with("3", "sidecar", r#"{"group": "sidecar"}"#);
    let draft = place.root.path().join("draft");
    for (name, body) in [("2", "attributes"), ("3", "sidecar")] {
        std::fs::write(&draft, body).unwrap();
        for (key, value) in [("group", "attributes"), ("attribute.a", "1")] {
            let key = format!("user.longshore.{key}");
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(&draft, key, value.as_bytes(), flags).unwrap();
        }
        std::fs::rename(&draft, place.directory().join(name)).unwrap();
    }
    let lines = "queue = \"notices.fifo\"\ngroup = \"settings\"";
    assert_eq!(place.once(&server.endpoint(), lines), 0);
    let messages = queue.take(3).await;
    for message in &messages {
        assert_eq!(group(message), message.body().unwrap());
        let marked = attributes(message).contains_key("a");
        assert_eq!(marked, group(message) != "settings");
    }
}

#[tokio::test]
async fn what_the_library_leaves_arrives_whole_and_in_order() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "notices").await;
    let place = Place::new();
    let outbox = Outbox::open(place.directory()).unwrap();
    for number in 0..50 {
        let mut message = Outgoing::text(number.to_string());
        message.group = Some("all".to_owned());
        message.attributes.insert("n".to_owned(), Attribute::Number(number.to_string()));
        message.labels.insert("n".to_owned(), "Number.int".to_owned());
        message.delay = (number == 49).then_some(Duration::from_secs(1));
        outbox.put(&message).unwrap();
    }
    assert_eq!(place.once(&server.endpoint(), "queue = \"notices\""), 0);
    let messages = queue.take(50).await;
    let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&messages), expected);
    for message in &messages {
        assert_eq!(attributes(message)["n"], ("Number.int", message.body().unwrap()));
    }
}

#[tokio::test]
async fn check_tells_whether_the_queue_is_there() {
    let server = embedded();
    let place = Place::new();
    let settings = place.settings("queue = \"notices\"");
    let check =
        || longshore(["check", "--config", &settings]).endpoint(&server.endpoint()).finish();
    check().expect(69, &["1 outbox", "outbox notices", "notices", "check its name"]);
    Queue::make(&server.endpoint(), "notices").await;
    check().expect(0, &["outbox notices: queue notices answers"]);
}
