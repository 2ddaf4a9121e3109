//! `longshore sqs` and `longshore sns` on the real binary; what they made is read back by others.

use crate::support::{
    daemon::{Finished, Launch, longshore, program},
    emulator::{Emulator, embedded, ministack},
    venv,
};
use serde_json::{Value, json};

/// Runs `longshore`, without a terminal.
pub(super) fn run<const N: usize>(server: &Emulator, args: [&str; N]) -> Finished {
    at(server, longshore(args))
}

pub(super) fn at(server: &Emulator, launch: Launch) -> Finished {
    launch.endpoint(&server.endpoint()).finish()
}

/// What the aws CLI says. Of SQS it must be told the endpoint: there it does not heed the
/// environment.
pub(super) fn aws<const N: usize>(server: &Emulator, args: [&str; N]) -> Value {
    let finished = at(server, program(&venv("aws"), args).env("AWS_DEFAULT_REGION", "us-east-1"));
    assert_eq!(finished.code, 0, "{}", finished.said());
    serde_json::from_str(&finished.stdout).unwrap()
}

pub(super) fn document(finished: &Finished) -> Value {
    assert_eq!(finished.code, 0, "{}", finished.said());
    serde_json::from_str(&finished.stdout).unwrap()
}

fn queue_by_its_verbs(server: &Emulator) {
    let create = ["sqs", "create", "orders", "--attribute", "VisibilityTimeout=60"];
    run(server, create).expect(0, &["/orders"]);
    run(server, create).expect(0, &["/orders"]);
    run(server, ["sqs", "create-queue", "orders-b.fifo", "--fifo", "--tag", "team=shop"])
        .expect(0, &["/orders-b.fifo"]);
    run(server, ["sqs", "create", "plain", "--fifo"]).expect(64, &["call it plain.fifo"]);
    run(server, ["sqs", "create", "orders", "--attribute", "VisibilityTimeout=61"])
        .expect(69, &["orders exists with other attributes", "longshore sqs attributes"]);

    let listed = run(server, ["sqs", "list", "--prefix", "orders-"]);
    assert_eq!(listed.stdout.lines().count(), 1, "{}", listed.said());
    assert_eq!(run(server, ["sqs", "list"]).stdout.lines().count(), 2);
    let url = run(server, ["sqs", "url", "orders"]).stdout;
    let arn = run(server, ["sqs", "arn", "orders"]).stdout;
    assert!(arn.starts_with("arn:aws:sqs:us-east-1:") && arn.ends_with(":orders\n"), "{arn}");
    run(server, ["sqs", "exists", arn.trim()]).expect(0, &["exists"]);
    let exists = document(&run(server, ["sqs", "exists", url.trim(), "--json"]));
    assert_eq!(exists["exists"], true);

    // Read back by other hands.
    let (url, endpoint) = (url.trim(), server.endpoint());
    let read = aws(
        server,
        [
            "sqs",
            "get-queue-attributes",
            "--queue-url",
            url,
            "--attribute-names",
            "VisibilityTimeout",
            "--endpoint-url",
            &endpoint,
        ],
    );
    assert_eq!(read["Attributes"]["VisibilityTimeout"], "60");
    let fifo = url.replace("/orders", "/orders-b.fifo");
    let tags =
        aws(server, ["sqs", "list-queue-tags", "--queue-url", &fifo, "--endpoint-url", &endpoint]);
    assert_eq!(tags["Tags"], json!({ "team": "shop" }));
    run(server, ["sqs", "attributes", "orders", "--set", "DelaySeconds=0"]).expect(0, &[]);
    run(server, ["sqs", "attributes", "orders"]).expect(0, &["VisibilityTimeout=60"]);

    run(server, ["send", "orders", "hello"]).expect(0, &["sent 1 message"]);
    let length = document(&run(server, ["sqs", "length", "orders", "--json"]));
    assert_eq!((&length["visible"], &length["in_flight"]), (&json!(1), &json!(0)));
    let kept = run(server, ["sqs", "receive", "orders", "--visibility-timeout", "0", "--max", "1"]);
    assert_eq!((kept.code, &*kept.stdout), (0, "hello\n"), "{}", kept.said());
    let taken = document(&run(server, ["sqs", "receive", "orders", "--delete", "--json"]));
    assert_eq!((&taken["body"], &taken["receive_count"]), (&json!("hello"), &json!(2)));
    run(server, ["sqs", "length", "orders"]).expect(0, &["about 0 visible, 0 in flight"]);

    run(server, ["send", "orders", "more"]).expect(0, &[]);
    for verb in ["purge", "delete"] {
        run(server, ["sqs", verb, "orders"]).expect(64, &["not done", "--yes"]);
    }
    run(server, ["sqs", "purge", "orders", "--yes"]).expect(0, &["purged"]);
    run(server, ["sqs", "length", "orders"]).expect(0, &["about 0 visible"]);
    run(server, ["sqs", "delete", "orders", "--yes"]).expect(0, &["deleted"]);
    run(server, ["sqs", "exists", "orders"]).expect(69, &["orders does not exist"]);
    let told = ["looking up queue orders in us-east-1", "longshore sqs create orders"];
    run(server, ["sqs", "length", "orders"]).expect(69, &told);
}

#[test]
fn queues_by_their_verbs_on_the_embedded_aws() {
    queue_by_its_verbs(&embedded());
}

#[test]
fn queues_by_their_verbs_on_ministack() {
    queue_by_its_verbs(&ministack());
}

fn topic_by_its_verbs(server: &Emulator) {
    run(server, ["sns", "create", "events"]).expect(0, &["arn:aws:sns:us-east-1:"]);
    run(server, ["sns", "create-topic", "events-b", "--tag", "team=shop"]).expect(0, &[]);
    run(server, ["sns", "create", "plain", "--fifo"]).expect(64, &["call it plain.fifo"]);
    let listed = run(server, ["sns", "list", "--prefix", "events-"]);
    assert_eq!(listed.stdout.lines().count(), 1, "{}", listed.said());
    let arn = run(server, ["sns", "arn", "events"]).stdout.trim().to_owned();
    assert!(arn.ends_with(":events"), "{arn}");
    let read = aws(server, ["sns", "get-topic-attributes", "--topic-arn", &arn]);
    assert_eq!(read["Attributes"]["TopicArn"], arn);
    run(server, ["sns", "attributes", "events"]).expect(0, &["TopicArn="]);
    run(server, ["sns", "exists", &arn]).expect(0, &["exists"]);

    run(server, ["sns", "subscriptions", "nothing"])
        .expect(69, &["no topic nothing in us-east-1", "longshore sns create nothing"]);
    run(server, ["sns", "delete", "events"]).expect(64, &["not done", "--yes"]);
    run(server, ["sns", "delete", "events", "--yes"]).expect(0, &["deleted"]);
    run(server, ["sns", "exists", "events"]).expect(69, &["events does not exist"]);
    run(server, ["sns", "exists", &arn]).expect(69, &["does not exist"]);
}

#[test]
fn topics_by_their_verbs_on_the_embedded_aws() {
    topic_by_its_verbs(&embedded());
}

#[test]
fn topics_by_their_verbs_on_ministack() {
    topic_by_its_verbs(&ministack());
}

#[test]
fn what_could_not_be_printed_is_not_deleted() {
    let server = embedded();
    run(&server, ["sqs", "create", "orders"]).expect(0, &[]);
    run(&server, ["send", "orders", "precious"]).expect(0, &[]);
    let path = env!("CARGO_BIN_EXE_longshore");
    let command = format!("{path} sqs receive orders --delete > /dev/full");
    at(&server, program("/bin/sh".as_ref(), ["-c", &command]))
        .expect(78, &["writing to standard output"]);
    run(&server, ["sqs", "length", "orders"]).expect(0, &["0 visible, 1 in flight"]);
}
