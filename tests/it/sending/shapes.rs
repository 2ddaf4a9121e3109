//! Formats, attributes, groups and delays, from the command line, files, JSON lines and a person.

use std::collections::BTreeSet;

use aws_sdk_sqs::{primitives::Blob, types::Message};
use serde_json::Value;

use crate::support::{
    PATIENCE,
    daemon::{longshore, program},
    emulator::{Emulator, embedded, ministack},
    proxy::Proxy,
    venv,
};

use super::{bodies, queue, with_input};

/// The one message that is there, whole.
async fn only((sqs, url): &(aws_sdk_sqs::Client, String)) -> Message {
    let receive = sqs.receive_message().queue_url(url).message_attribute_names("All");
    let receive = receive.message_system_attribute_names("All".into()).wait_time_seconds(5);
    let mut got = receive.send().await.unwrap().messages.unwrap_or_default();
    assert_eq!(got.len(), 1, "{got:?}");
    let message = got.remove(0);
    let delete = sqs.delete_message().queue_url(url);
    delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    message
}

async fn fifo(server: &Emulator) -> (aws_sdk_sqs::Client, String) {
    let sqs = crate::support::aws::sqs(&server.endpoint());
    let create = sqs.create_queue().queue_name("orders.fifo");
    let made = create.attributes("FifoQueue".into(), "true").send().await.unwrap();
    (sqs, made.queue_url.unwrap())
}

#[tokio::test]
async fn p5_two_messages_are_two_entries_with_different_ids() {
    let server = embedded();
    let queue = queue(&server).await;
    let proxy = Proxy::start(&server.endpoint());
    let launch = longshore(["send", "orders"]).endpoint(&proxy.endpoint());
    let (code, _, stderr) = with_input(launch, b"one\ntwo\n");
    assert_eq!(code, 0, "{stderr:?}");
    let sends = proxy.of("SendMessageBatch");
    assert_eq!(sends.len(), 1);
    let asked: Value = serde_json::from_slice(&sends[0].body).unwrap();
    let entries = asked["Entries"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_ne!(entries[0]["Id"], entries[1]["Id"]);
    assert_eq!(bodies(&queue, 2).await, ["one", "two"]);
}

#[tokio::test]
async fn formats_are_exact_on_the_wire() {
    let server = ministack();
    let queue = queue(&server).await;
    let send = |format: &str, body: &str| {
        let launch = longshore(["send", "orders", "--format", format, body]);
        launch.endpoint(&server.endpoint()).finish()
    };
    send("relengapi", r#"{"a":"b"}"#).expect(0, &["sent 1 message to orders"]);
    let message = only(&queue).await;
    assert_eq!(message.body(), Some("eyJhIjogImIifQ=="));
    assert_eq!(message.message_attributes, None);

    send("pylon", "very cool message").expect(0, &[]);
    let message = only(&queue).await;
    assert_eq!(message.body(), Some("very cool message"));
    let attributes = message.message_attributes.unwrap();
    let mut typed: Vec<(&str, &str, &str)> = attributes
        .iter()
        .map(|(name, value)| (&**name, value.data_type(), value.string_value().unwrap()))
        .collect();
    typed.sort_unstable();
    let expected = [
        ("artifactName", "String", "None"),
        ("artifactVersion", "String", "None"),
        ("ingestionId", "String", "None"),
        ("objectType", "String", "rawContent"),
        ("payloadMimeType", "String", "text"),
    ];
    assert_eq!(typed, expected);

    send("json", r#"{"b": 1, "a": [ ]}"#).expect(0, &[]);
    assert_eq!(only(&queue).await.body(), Some(r#"{"b": 1, "a": [ ]}"#));
    send("json", "sesame").expect(64, &["message 1 for queue orders", "not JSON"]);
    send("yaml", "x").expect(64, &["formats are text, json, relengapi, pylon"]);
}

#[tokio::test]
async fn attributes_have_types_and_labels() {
    let server = ministack();
    let queue = queue(&server).await;
    let args = [
        "--attribute=plain=with: a colon",
        "--attribute=count=Number:-1.5e3",
        "--attribute=level=Number.int:7",
        "--attribute=picture=Binary.gif:AP8H",
    ];
    let launch = longshore(["send", "orders", "body"]).args(&args).endpoint(&server.endpoint());
    launch.finish().expect(0, &[]);
    let attributes = only(&queue).await.message_attributes.unwrap();
    let typed = |name: &str| (attributes[name].data_type(), attributes[name].string_value());
    assert_eq!(typed("plain"), ("String", Some("with: a colon")));
    assert_eq!(typed("count"), ("Number", Some("-1.5e3")));
    assert_eq!(typed("level"), ("Number.int", Some("7")));
    let picture = &attributes["picture"];
    assert_eq!(picture.data_type(), "Binary.gif");
    assert_eq!(picture.binary_value(), Some(&Blob::new([0, 255, 7])));

    let wrong = [
        ("--attribute=plain", 64, "NAME=VALUE"),
        ("--attribute=a=Number:seven", 64, "holds no number"),
        ("--attribute=a=Binary:!", 64, "no base64"),
        ("--attribute=a=", 64, "attribute a is empty"),
    ];
    for (arg, code, told) in wrong {
        let launch = longshore(["send", "orders", "body", arg]).endpoint(&server.endpoint());
        launch.finish().expect(code, &[told]);
    }
}

#[tokio::test]
async fn i13_the_delay_of_a_message_has_a_range_and_a_type() {
    let server = embedded();
    let queue = queue(&server).await;
    let send = |delay: &str| {
        let launch = longshore(["send", "orders", delay, "--delay", delay]);
        launch.endpoint(&server.endpoint()).finish()
    };
    for sound in ["0", "1", "900", "15m"] {
        send(sound).expect(0, &["sent 1 message"]);
    }
    for (wrong, told) in [("901", "out of range"), ("-1", "out of range"), ("a", "not a duration")]
    {
        let launch = longshore(["send", "orders", "late", "--delay", wrong]);
        launch.endpoint(&server.endpoint()).finish().expect(64, &[told]);
    }
    let ask = queue.0.get_queue_attributes().queue_url(&queue.1).attribute_names("All".into());
    let attributes = ask.send().await.unwrap().attributes.unwrap();
    let delayed = &attributes[&"ApproximateNumberOfMessagesDelayed".into()];
    assert!(["2", "3"].contains(&&**delayed), "two of 15 minutes, perhaps that of 1 s: {delayed}");
}

#[tokio::test]
async fn groups_and_deduplication_ids_are_for_fifo_queues() {
    let server = embedded();
    let plain = queue(&server).await;
    let fifo = fifo(&server).await;
    let send = |queue: &str, args: &[&str]| {
        longshore(["send", queue, "body"]).args(args).endpoint(&server.endpoint()).finish()
    };
    send("orders.fifo", &["--group=g", "--deduplication-id=d"]).expect(0, &[]);
    let attributes = only(&fifo).await.attributes.unwrap();
    assert_eq!(attributes[&"MessageGroupId".into()], "g");
    assert_eq!(attributes[&"MessageDeduplicationId".into()], "d");
    send("orders.fifo", &["--deduplication-id=e"]).expect(64, &["without a group"]);
    send("orders.fifo", &["--group=g", "--deduplication-id=e", "--delay=1"])
        .expect(64, &["one delay for all"]);
    send("orders", &["--deduplication-id=d"]).expect(64, &["deduplication id is for FIFO queues"]);
    send("orders", &["--group=tenant"]).expect(0, &[]);
    assert_eq!(only(&plain).await.attributes.unwrap()[&"MessageGroupId".into()], "tenant");
    let many = longshore(["send", "orders.fifo", "--deduplication-id=d"]);
    many.endpoint(&server.endpoint()).finish().expect(64, &["of one message"]);
}

#[tokio::test]
async fn files_are_sent_whole_and_bad_ones_are_told() {
    let server = embedded();
    let queue = queue(&server).await;
    let launch = longshore(["send", "orders", "--file", "a.txt", "missing", ".", "b.bin", "c.txt"])
        .file("a.txt", "two\nlines\n")
        .file("c.txt", "é")
        .endpoint(&server.endpoint());
    std::fs::write(launch.directory().join("b.bin"), [0xff, 0xfe]).unwrap();
    launch.finish().expect(
        64,
        &[
            "sent 2 messages to orders",
            "message 2 for queue orders: missing: No such file",
            "message 3 for queue orders: .: it is no regular file",
            "message 4 for queue orders: b.bin: it is not UTF-8 text",
        ],
    );
    assert_eq!(bodies(&queue, 2).await, ["two\nlines\n", "é"]);
    let both = longshore(["send", "orders", "body", "--file", "a.txt"]);
    both.finish().expect(64, &["cannot be used with"]);
}

#[tokio::test]
async fn json_lines_say_whole_messages() {
    let server = ministack();
    let fifo = fifo(&server).await;
    let launch = longshore(["send", "orders.fifo", "--json-lines", "--group=all", "--json"]);
    let lines = concat!(
        r#"{"body": "first", "deduplication_id": "1", "attributes": {"n": 7, "s": "x"}}"#,
        "\n",
        r#"{"body": {"nested": [true]}, "deduplication_id": "2", "group": "own"}"#,
        "\n",
        r#"{"text": "no body"}"#,
        "\n"
    );
    let mut daemon = launch.piped().endpoint(&server.endpoint()).start();
    std::io::Write::write_all(&mut daemon.input(), lines.as_bytes()).unwrap();
    assert_eq!(daemon.wait(PATIENCE), 64, "{}", daemon.output());
    let told: Value = serde_json::from_str(&daemon.stdout.all()[0]).unwrap();
    assert_eq!((&told["sent"], &told["failed"][0]["message"]), (&2.into(), &3.into()), "{told}");
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let message = only_of_many(&fifo).await;
        let attributes = message.attributes.unwrap();
        let group = attributes[&"MessageGroupId".into()].clone();
        let body = message.body.unwrap();
        if body == "first" {
            let own = message.message_attributes.unwrap();
            assert_eq!((own["n"].data_type(), own["n"].string_value()), ("Number", Some("7")));
            assert_eq!((own["s"].data_type(), own["s"].string_value()), ("String", Some("x")));
        }
        seen.insert((group, body));
    }
    let pair = |group: &str, body: &str| (group.to_owned(), body.to_owned());
    assert_eq!(seen, [pair("all", "first"), pair("own", r#"{"nested":[true]}"#)].into());
}

/// One of those that are there.
async fn only_of_many((sqs, url): &(aws_sdk_sqs::Client, String)) -> Message {
    let receive = sqs.receive_message().queue_url(url).message_attribute_names("All");
    let receive = receive.message_system_attribute_names("All".into()).wait_time_seconds(5);
    let message = receive.send().await.unwrap().messages.unwrap().remove(0);
    let delete = sqs.delete_message().queue_url(url);
    delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    message
}

/// A person at a terminal: a program that opens one, and types.
#[tokio::test]
async fn on_a_terminal_it_asks_and_sends_what_is_typed_at_once() {
    let server = embedded();
    let queue = queue(&server).await;
    let script = r#"
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], [sys.argv[1], 'send', 'orders', '--format', 'json'])
seen = b''
def until(text):
    global seen
    while text not in seen:
        seen += os.read(terminal, 1024)
    seen = seen.split(text, 1)[1]
until(b'Body: ')
os.write(terminal, b'{"typed": 1}\n')
until(b'Body: ')
os.write(terminal, b'\n')
until(b'Body: ')
os.write(terminal, b'no json\n')
until(b'not JSON')
until(b'Body: ')
print('sent the first', flush=True)
sys.stdin.readline()
os.write(terminal, b'\x04')
until(b'sent 1 message to orders')
_, status = os.waitpid(child, 0)
print('exit', os.waitstatus_to_exitcode(status), flush=True)
"#;
    let binary = env!("CARGO_BIN_EXE_longshore");
    let python = program(&venv("python"), ["-c", script, binary]);
    let mut person = python.piped().endpoint(&server.endpoint()).start();
    person.wait_for_line(|line| line == "sent the first", PATIENCE);
    // It is there while the next is still asked for.
    assert_eq!(bodies(&queue, 1).await, [r#"{"typed": 1}"#]);
    std::io::Write::write_all(&mut person.input(), b"go on\n").unwrap();
    person.wait_for_line(|line| line == "exit 64", PATIENCE);
}
