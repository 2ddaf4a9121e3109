//! `longshore publish` and `longshore send` from the command line to who reads it: boto3, the SDK
//! and handlers behind a subscribed queue.

use serde_json::{Value, json};

use super::ground::{Ground, embedded, on_ministack, stop};
use crate::support::{
    aws,
    daemon::{longshore, program},
    exchange::Exchange,
    proxy::Fault,
    venv,
};

const PYLON: [(&str, &str, &str); 5] = [
    ("artifactName", "String", "None"),
    ("artifactVersion", "String", "None"),
    ("ingestionId", "String", "None"),
    ("objectType", "String", "rawContent"),
    ("payloadMimeType", "String", "text"),
];

/// A topic with a queue `queue` behind it.
async fn topic(ground: &Ground, queue: &str, is_raw: bool) -> String {
    let is_fifo = queue == "q.fifo";
    let sns = aws::sns(&ground.upstream);
    let mut create = sns.create_topic().name(if is_fifo { "events.fifo" } else { "events" });
    if is_fifo {
        create = create.attributes("FifoTopic", "true");
    }
    let topic = create.send().await.unwrap().topic_arn.unwrap();
    ground.queue(queue, if is_fifo { &[("FifoQueue", "true")] } else { &[] }).await;
    let mut subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    if is_raw {
        subscribe = subscribe.attributes("RawMessageDelivery", "true");
    }
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
    subscribe.endpoint(arn).send().await.unwrap();
    topic
}

fn publish(ground: &Ground, args: &[&str]) {
    let done = longshore(["publish"]).args(args).endpoint(&ground.upstream).finish();
    assert_eq!(done.code, 0, "{}", done.said());
}

/// Every message of a queue as boto3 reads it, deleted by it: its body and its attributes.
fn read_by_boto3(ground: &Ground, queue: &str) -> Vec<(String, Vec<Value>)> {
    let script = r#"
import boto3, json, sys
sqs = boto3.client("sqs", endpoint_url=sys.argv[1], region_name="us-east-1",
                   aws_access_key_id="test", aws_secret_access_key="test")
url = sqs.get_queue_url(QueueName=sys.argv[2])["QueueUrl"]
while True:
    got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"])
    if not got.get("Messages"):
        break
    for message in got["Messages"]:
        attributes = [[name, value["DataType"],
                       value["BinaryValue"].hex() if "BinaryValue" in value else value["StringValue"]]
                      for name, value in sorted(message.get("MessageAttributes", {}).items())]
        print(json.dumps([message["Body"].encode().hex(), attributes]))
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
"#;
    let args = ["script.py", &ground.upstream, queue];
    let done = program(&venv("python"), args).file("script.py", script).finish();
    assert_eq!(done.code, 0, "{}", done.said());
    done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn attributes(listed: &[(&str, &str, &str)]) -> Vec<Value> {
    listed.iter().map(|attribute| json!(attribute)).collect()
}

#[tokio::test]
async fn a_fifo_topic_hands_an_event_to_a_fifo_queue_with_its_group() {
    for ground in [embedded(), on_ministack()] {
        let topic = topic(&ground, "q.fifo", true).await;
        for body in ["first", "second"] {
            let id = ["--deduplication-id", body, "--group", "g1"];
            publish(&ground, &[&[&*topic, "-e", "E.x", "-m", body][..], &id].concat());
        }
        let mut got = Vec::new();
        for _ in 0..2 {
            let receive = ground.sqs.receive_message().queue_url(ground.url("q.fifo"));
            let receive = receive.message_system_attribute_names("All".into());
            let receive = receive.message_attribute_names("All").wait_time_seconds(5);
            let message = receive.send().await.unwrap().messages.unwrap().remove(0);
            let of = |name: &str| message.attributes.as_ref().unwrap()[&name.into()].clone();
            let event = message.message_attributes.as_ref().unwrap()["iniesta_pass"].clone();
            assert_eq!(event.string_value(), Some("E.x"));
            got.push((of("MessageGroupId"), of("MessageDeduplicationId"), message.body.unwrap()));
            let delete = ground.sqs.delete_message().queue_url(ground.url("q.fifo"));
            delete.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
        }
        let wanted = ["first", "second"].map(|b| ("g1".to_owned(), b.to_owned(), b.to_owned()));
        assert_eq!(got, wanted);
    }
}

#[tokio::test]
async fn formats_are_published_exactly_and_pylon_names_no_event_unasked() {
    for ground in [embedded(), on_ministack()] {
        let topic = topic(&ground, "q", true).await;
        let read_one = || {
            let mut read = read_by_boto3(&ground, "q");
            assert_eq!(read.len(), 1, "{read:?}");
            read.remove(0)
        };
        let event = [("iniesta_pass", "String", "E.x"), ("version", "Number", "1")];
        for (format, text, body) in [
            ("json", r#"{"b": 1, "a": [ ]}"#, r#"{"b": 1, "a": [ ]}"#),
            ("relengapi", r#"{"a":"b"}"#, "eyJhIjogImIifQ=="),
        ] {
            publish(&ground, &[&topic, "-e", "E.x", "--format", format, "-m", text]);
            assert_eq!(read_one(), (hex(body), attributes(&event)), "{format}");
        }
        let text = "very cool message";
        publish(&ground, &[&topic, "--format", "pylon", "-m", text]);
        assert_eq!(read_one(), (hex(text), attributes(&PYLON)));
        publish(&ground, &[&topic, "--format", "pylon", "-m", text, "--attribute", "own=1"]);
        let mut own = [&PYLON[..], &[("own", "String", "1")]].concat();
        own.sort_unstable();
        assert_eq!(read_one(), (hex(text), attributes(&own)));
        publish(&ground, &[&topic, "--format", "pylon", "-m", text, "-e", "E.x"]);
        let mut both = [&PYLON[..], &event].concat();
        both.sort_unstable();
        assert_eq!(read_one(), (hex(text), attributes(&both)));
    }
}

#[tokio::test]
async fn what_goes_without_an_event_is_pylons_alone() {
    let ground = embedded();
    let topic = topic(&ground, "q", true).await;
    let publish = |args: &[&str]| {
        longshore(["publish", &topic]).args(args).endpoint(&ground.upstream).finish()
    };
    publish(&["-m", "x"]).expect(64, &["the event is not given", "--event"]);
    publish(&["--format", "json"]).expect(64, &["the event is not given"]);
    publish(&["--format", "pylon", "--service", "x"]).expect(64, &["--event"]);
    publish(&["--format", "pylon", "--event-version", "2"]).expect(64, &["--event"]);
    let taken = ["--format", "pylon", "--attribute", "objectType=mine"];
    publish(&taken).expect(64, &["objectType"]);
    publish(&["-e", "E.x", "--format", "json", "-m", "{"]).expect(64, &["not JSON"]);
    assert_eq!(ground.counts("q").await, (0, 0));
    let done = publish(&["--format", "pylon", "-m", "x", "--json"]).expect(0, &[]);
    let told: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(told["event"], Value::Null);
}

#[tokio::test]
async fn the_subject_and_the_text_of_a_protocol_arrive() {
    for ground in [embedded(), on_ministack()] {
        let topic = topic(&ground, "q", false).await;
        publish(&ground, &[&topic, "-e", "E.x", "-m", "told", "--subject", "News"]);
        ground.wait_counts("q", (1, 0)).await;
        let envelope: Value =
            serde_json::from_str(ground.visible("q").await.remove(0).body().unwrap()).unwrap();
        assert_eq!((&envelope["Subject"], &envelope["Message"]), (&json!("News"), &json!("told")));
    }
    for ground in [embedded(), on_ministack()] {
        let topic = topic(&ground, "q", true).await;
        let text = r#"{"default": "to all", "sqs": "to queues"}"#;
        publish(&ground, &[&topic, "-e", "E.x", "-m", text, "--structure", "json"]);
        ground.wait_counts("q", (1, 0)).await;
        assert_eq!(ground.visible("q").await.remove(0).body(), Some("to queues"));
    }
}

#[tokio::test]
async fn binary_attributes_arrive_from_a_topic_that_the_settings_name() {
    let ground = embedded();
    let topic = topic(&ground, "q", true).await;
    let settings = ground.path("settings.toml");
    std::fs::write(&settings, format!("[events]\ntopic = {topic:?}\n")).unwrap();
    let settings = settings.to_str().unwrap();
    let attribute = ["--attribute", "picture=Binary:AP8H"];
    publish(&ground, &[&["-e", "E.x", "--config", settings][..], &attribute].concat());
    let wanted = attributes(&[
        ("iniesta_pass", "String", "E.x"),
        ("picture", "Binary", "00ff07"),
        ("version", "Number", "1"),
    ]);
    assert_eq!(read_by_boto3(&ground, "q"), [(hex("{}"), wanted)]);
}

#[tokio::test]
async fn pylon_through_a_topic_reaches_its_handler() {
    for ground in [embedded(), on_ministack()] {
        let topic = topic(&ground, "q", true).await;
        publish(&ground, &[&topic, "--format", "pylon", "-m", "very cool message"]);
        let exec = ground.exec("queue.q.handler", "h", "echo \"$(cat)\" >> $D/seen");
        let settings =
            format!("[queue.q]\nqueue = \"q\"\nwait_time = 1\npayload = [\"pylon\"]\n{exec}");
        let daemon = ground.run(&settings);
        assert_eq!(ground.wait_lines("seen", 1), ["very cool message"]);
        ground.wait_empty("q").await;
        assert_eq!(stop(daemon), 0);
    }
}

#[tokio::test]
async fn boto3_reads_what_longshore_sent_byte_for_byte() {
    for ground in [embedded(), on_ministack()] {
        ground.queue("q", &[]).await;
        let text = "{\"name\": \"\u{e9}/\u{1f600}\"}\n\t ";
        let typed = [
            ("count", "Number", "-2.5"),
            ("picture", "Binary", "00ff07"),
            ("tint", "String", "red: \u{e9}"),
        ];
        for (format, sent, body, own) in [
            ("text", text, text, &[][..]),
            ("json", text, text, &[]),
            ("relengapi", r#"{"a":"b"}"#, "eyJhIjogImIifQ==", &[]),
            ("pylon", text, text, &PYLON),
        ] {
            let args = ["--format", format, "--attribute", "tint=red: \u{e9}"];
            let more = ["--attribute", "count=Number:-2.5", "--attribute", "picture=Binary:AP8H"];
            let send = longshore(["send", "q", sent]).args(&[args, more].concat());
            send.endpoint(&ground.upstream).finish().expect(0, &["sent 1 message to q"]);
            let mut wanted = [&typed[..], own].concat();
            wanted.sort_unstable();
            let read = read_by_boto3(&ground, "q");
            assert_eq!(read, [(hex(body), attributes(&wanted))], "{format}");
        }
    }
}

#[tokio::test]
async fn what_is_too_large_is_put_into_s3_and_pointed_to() {
    for ground in [embedded(), on_ministack()] {
        ground.queue("q", &[]).await;
        let s3 = aws::s3(&ground.upstream);
        s3.create_bucket().bucket("bodies").send().await.unwrap();
        let large = "x".repeat(2 << 20);
        let edges = ["y".repeat(256 << 10), "z".repeat((256 << 10) + 1)];
        for (name, body) in [("large", &large), ("at", &edges[0]), ("above", &edges[1])] {
            std::fs::write(ground.path(name), body).unwrap();
        }
        let files = ["large", "at", "above"].map(|n| ground.path(n).display().to_string());
        let send = longshore(["send", "q", "--offload", "s3://bodies/in/"]);
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let send = send.args(&[&["--file"], &files[..]].concat());
        send.endpoint(&ground.upstream).finish().expect(0, &["sent 3 messages to q"]);
        let listed = s3.list_objects_v2().bucket("bodies").prefix("in/").send().await.unwrap();
        let mut sizes: Vec<_> = listed.contents().iter().map(|o| o.size().unwrap()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [(256 << 10) + 1, 2 << 20]);

        let exec = ground.exec("queue.q.handler", "h", "echo \"$(wc -c)\" >> $D/seen");
        let settings =
            format!("[queue.q]\nqueue = \"q\"\nwait_time = 1\npayload = [\"pointer?\"]\n{exec}");
        let daemon = ground.run(&settings);
        let mut seen = ground.wait_lines("seen", 3);
        seen.sort_unstable();
        assert_eq!(seen, ["2097152", "262144", "262145"]);
        ground.wait_empty("q").await;
        assert_eq!(stop(daemon), 0);

        let send = longshore(["send", "q", "small", "--offload", "s3://bodies", "--offload-above"]);
        send.args(&["4"]).endpoint(&ground.upstream).finish().expect(0, &["sent 1 message"]);
        let read = read_by_boto3(&ground, "q");
        assert_eq!(read[0].1, attributes(&[("ExtendedPayloadSize", "Number", "5")]));
        let wrong = longshore(["send", "q", "x", "--offload", "bodies"]);
        wrong.endpoint(&ground.upstream).finish().expect(64, &["s3://BUCKET/PREFIX"]);
    }
}

#[tokio::test]
async fn a_body_that_s3_refuses_is_no_mistake_on_the_command_line() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    aws::s3(&ground.upstream).create_bucket().bucket("bodies").send().await.unwrap();
    let refusal = "<Error><Code>InvalidArgument</Code><Message>no</Message></Error>".to_owned();
    let is_put = |seen: &Exchange| seen.operation() == "PutObject";
    ground.proxy.on(3, is_put, Fault::Answer(400, refusal));
    std::fs::write(ground.path("body"), "too large").unwrap();
    let file = ground.path("body").display().to_string();
    let send = ["send", "q", "--offload", "s3://bodies", "--offload-above", "4", "--file", &file];
    // One goes by itself, two go in a batch.
    for more in [&[][..], &[file.as_str()]] {
        let send = longshore(send).args(more).endpoint(&ground.proxy.endpoint());
        send.finish().expect(69, &["InvalidArgument"]);
    }
}

#[tokio::test]
async fn a_dry_run_that_finds_something_ends_as_check_does() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    let settings = "[queue.q]\nqueue = \"missing\"\n[queue.q.handler.print]\n";
    let done = ground.launch(settings).env("INIESTA_DRY_RUN", "true").finish();
    done.expect(69, &["queue missing"]);
    assert!(ground.proxy.of("ReceiveMessage").is_empty());
}

#[test]
fn i12_every_wrong_type_of_a_variable_ends_with_78() {
    for (variable, wrong) in [
        ("INIESTA_DRY_RUN", "perhaps"),
        ("INIESTA_SQS_CONSUMER_FILTERS", "{}"),
        ("INIESTA_SQS_CONSUMER_FILTERS", "1"),
        ("INIESTA_SNS_PRODUCER_GLOBAL_TOPIC_ARN", "1"),
        ("INIESTA_SNS_PRODUCER_GLOBAL_TOPIC_ARN", "arn:aws:sqs:us-east-1:000000000000:q"),
        ("INIESTA_CACHES", "{\"iniesta1\": {\"HOST\": \"localhost\"}}"),
    ] {
        let check = longshore(["initialization-type"]).env(variable, wrong);
        check.finish().expect(78, &[variable]);
    }
    let run = longshore(["run", "--config", "c.toml"]).file("c.toml", "[queue.q]\nqueue = \"q\"\n");
    run.env("INIESTA_CACHES", "{}").finish().expect(78, &["INIESTA_CACHES", "[idempotency]"]);
}
