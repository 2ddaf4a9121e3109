//! The cases of iniesta from outside: events published, routed, and read by other hands.

use super::ground::{Ground, embedded, log_line, on_ministack, sizes, stop, text};
use crate::status_page::page;
use crate::support::{
    PATIENCE, aws,
    daemon::{Finished, longshore, program},
    eventually, free_port, venv,
};
use longshore::config::{Config, Events};
use longshore::events::Announcement;
use longshore::handler::extract::Body;
use longshore::message::Outgoing;
use longshore::toolkit::sqs::{Sender, resolve};
use longshore::worker::Worker;

/// A topic whose events go to a queue of this name.
async fn subscribed(ground: &Ground, queue: &str, attributes: &[(&str, &str)]) -> String {
    ground.queue(queue, &[]).await;
    let sns = aws::sns(&ground.upstream);
    let topic = sns.create_topic().name("events").send().await.unwrap().topic_arn.unwrap();
    let mut subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    for (name, value) in attributes {
        subscribe = subscribe.attributes(*name, *value);
    }
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
    subscribe.endpoint(arn).send().await.unwrap();
    topic
}

fn publish<const N: usize>(ground: &Ground, args: [&str; N]) -> Finished {
    longshore(args).endpoint(&ground.proxy.endpoint()).finish()
}

#[tokio::test]
async fn i15_publish_prints_thirteen_lines_and_the_event_as_it_is() {
    for ground in [embedded(), on_ministack()] {
        let topic = subscribed(&ground, "q", &[("RawMessageDelivery", "true")]).await;
        let args = ["publish", &topic, "-e", "engineering.division", "-m", "help.me"];
        let done = publish(&ground, args);
        assert_eq!(done.code, 0, "{}", done.said());
        let payload = "{\"Message\":\"help.me\",\"MessageStructure\":\"string\",\
                       \"MessageAttributes\":{\"iniesta_pass\":{\"DataType\":\"String\",\
                       \"StringValue\":\"engineering.division\"},\
                       \"version\":{\"DataType\":\"Number\",\"StringValue\":\"1\"}}}";
        let lines: Vec<&str> = done.stdout.lines().collect();
        assert_eq!(
            lines[..11],
            [
                "Publish Success!",
                "",
                "",
                "REQUEST INFO",
                "Message Event : engineering.division",
                "Message Data : help.me",
                &format!("Full Payload : {payload}"),
                &format!("Message Length : {}", payload.len()),
                "",
                "",
                "RESPONSE INFO",
            ]
        );
        assert!(lines[11].starts_with("Message ID : "), "{lines:?}");
        assert_eq!(lines[12..], ["Message Length : 59"]);
        ground.wait_counts("q", (1, 0)).await;
        let received = ground.visible("q").await;
        assert_eq!(received[0].body(), Some("help.me"));
    }
}

#[tokio::test]
async fn a_publish_that_fails_says_so_and_ends_with_a_code() {
    let ground = embedded();
    let missing = "arn:aws:sns:us-east-1:000000000000:missing";
    let failed = publish(&ground, ["publish", missing, "-e", "E.x"]);
    failed.expect(69, &["Publish Failed!", "NotFound", "check its name"]);
    let topic = subscribed(&ground, "q", &[]).await;
    publish(&ground, ["publish", &topic, "-e", "E.x", "-m", ""])
        .expect(64, &["Publish Failed!", "SNS takes no empty message"]);
    publish(&ground, ["publish", "arn:aws:sqs:x", "-e", "E.x"]).expect(64, &["no ARN of a topic"]);
    publish(&ground, ["publish", "the events", "-e", "E.x"]).expect(64, &["\"the events\" is no"]);
    publish(&ground, ["publish", "-e", "E.x"]).expect(78, &["topic = ", "[events]"]);
    let json = publish(&ground, ["publish", &topic, "-e", "E", "--service", "x", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &told["event"]), (0, &serde_json::json!("E.x")));
}

#[tokio::test]
async fn a_topic_is_published_to_by_its_name() {
    for ground in [embedded(), on_ministack()] {
        let topic = subscribed(&ground, "q", &[("RawMessageDelivery", "true")]).await;
        let json = publish(&ground, ["publish", "events", "-e", "E.x", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!((json.code, &told["topic"]), (0, &serde_json::json!(topic)));
        ground.wait_counts("q", (1, 0)).await;
        publish(&ground, ["publish", "event", "-e", "E.x"]).expect(
            69,
            &["Publish Failed!", "no topic event in us-east-1", "longshore sns create event"],
        );

        // The topic of the settings is known by its name, and not where another region is asked.
        let settings = ground.path("settings.toml");
        std::fs::write(&settings, format!("[events]\ntopic = {topic:?}\n")).unwrap();
        let looked = ground.proxy.of("ListTopics").len();
        let named = |more: &[&str]| {
            let args = ["publish", "events", "-e", "E.x", "--config", settings.to_str().unwrap()];
            longshore(args).args(more).endpoint(&ground.proxy.endpoint()).finish()
        };
        named(&[]).expect(0, &["Publish Success!"]);
        ground.wait_counts("q", (2, 0)).await;
        assert_eq!(ground.proxy.of("ListTopics").len(), looked);
        named(&["--region", "eu-west-1"]);
        assert_eq!(ground.proxy.of("ListTopics").len(), looked + 1);
        let asked = ground.proxy.of("ListTopics").pop().unwrap();
        assert!(asked.header("authorization").unwrap().contains("/eu-west-1/sns/"));
    }
}

#[tokio::test]
async fn i8_only_what_the_filter_names_arrives_and_each_is_deleted_once() {
    for ground in [embedded(), on_ministack()] {
        let policy = r#"{"iniesta_pass": [{"prefix": "Request."}]}"#;
        let attributes = [("RawMessageDelivery", "true"), ("FilterPolicy", policy)];
        let topic = subscribed(&ground, "q", &attributes).await;
        for _ in 0..10 {
            let other = ["publish", &topic, "-e", "1RequestTestEvent1", "--service", "xavi"];
            assert_eq!(publish(&ground, other).code, 0);
        }
        let wanted = ["publish", &topic, "-e", "Request", "--service", "xavi", "-m", "{\"id\":7}"];
        assert_eq!(publish(&ground, wanted).code, 0);
        let note = "echo \"$LONGSHORE_EVENT $(cat)\" >> $D/seen";
        let exec = ground.exec("queue.q.route.\"Request.*\".handler", "h", note);
        let daemon = ground.run(&format!(
            "[events]\ntopic = {topic:?}\nfilters = [\"Request.*\"]\n\
             [queue.q]\nqueue = \"q\"\nwait_time = 1\n{exec}"
        ));
        assert_eq!(ground.wait_lines("seen", 1), ["Request.xavi {\"id\":7}"]);
        ground.wait_empty("q").await;
        assert_eq!(stop(daemon), 0);
        assert_eq!(ground.lines("seen").len(), 1);
        assert_eq!(sizes(&ground.calls("DeleteMessageBatch")).iter().sum::<usize>(), 1);
    }
}

const PUBLISHES: &str = r#"
import boto3, sys
sns = boto3.client("sns", endpoint_url=sys.argv[1], region_name="us-east-1",
                   aws_access_key_id="test", aws_secret_access_key="test")
def event(name):
    return {"iniesta_pass": {"DataType": "String", "StringValue": name},
            "version": {"DataType": "Number", "StringValue": "1"}}
sns.publish(TopicArn=sys.argv[2], Message='{"by": "boto3", "name": "\u00e9/\U0001f600"}',
            MessageAttributes=event("OrderPlaced.shop"))
sns.publish(TopicArn=sys.argv[2], Message='{"path":"a\\/b","name":"\\u00e9"}',
            MessageStructure="string", MessageAttributes=event("OrderSent.xavi"))
"#;

const RECEIVES: &str = r#"
import boto3, json, sys
sqs = boto3.client("sqs", endpoint_url=sys.argv[1], region_name="us-east-1",
                   aws_access_key_id="test", aws_secret_access_key="test")
url = sqs.get_queue_url(QueueName=sys.argv[2])["QueueUrl"]
got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10, MessageAttributeNames=["All"])
message = got["Messages"][0]
types = {name: [value["DataType"], value.get("StringValue", value.get("BinaryValue", b"").hex())]
         for name, value in message["MessageAttributes"].items()}
print(json.dumps({"body": message["Body"].encode().hex(), "types": types}))
"#;

fn python(ground: &Ground, script: &str, argument: &str) -> String {
    let arguments = ["script.py", &ground.upstream, argument];
    let done = program(&venv("python"), arguments).file("script.py", script).finish();
    assert_eq!(done.code, 0, "{}", done.said());
    done.stdout
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn boto3_and_iniesta_publish_and_longshore_routes_both() {
    for ground in [embedded(), on_ministack()] {
        let topic = subscribed(&ground, "raw", &[("RawMessageDelivery", "true")]).await;
        subscribed(&ground, "enveloped", &[]).await;
        python(&ground, PUBLISHES, &topic);
        let note = |file: &str| format!("cat > $D/draft-$$ && mv $D/draft-$$ $D/{file}");
        let settings = ["raw", "enveloped"].map(|queue| {
            let unpacked = if queue == "enveloped" { "payload = [\"sns\"]\n" } else { "" };
            let exec = |route: &str, file: &str| {
                let name = format!("{queue}-{file}");
                ground.exec(
                    &format!("queue.{queue}.route.{route:?}.handler"),
                    &name,
                    &note(&name.clone().replace('-', "_")),
                )
            };
            format!(
                "[queue.{queue}]\nqueue = {queue:?}\nwait_time = 1\n{unpacked}{}{}",
                exec("OrderPlaced.shop", "exact"),
                exec("OrderS*", "prefix"),
            )
        });
        let daemon = ground.run(&settings.concat());
        for (file, body) in [
            ("exact", "{\"by\": \"boto3\", \"name\": \"\u{e9}/\u{1f600}\"}"),
            ("prefix", r#"{"path":"a\/b","name":"\u00e9"}"#),
        ] {
            for queue in ["raw", "enveloped"] {
                let path = ground.path(&format!("{queue}_{file}"));
                eventually(&format!("{queue} {file}"), PATIENCE, || path.exists());
                assert_eq!(std::fs::read_to_string(path).unwrap(), body);
            }
        }
        assert_eq!(stop(daemon), 0);
    }
}

#[tokio::test]
async fn boto3_reads_what_longshore_published_byte_for_byte() {
    for ground in [embedded(), on_ministack()] {
        let topic = subscribed(&ground, "q", &[("RawMessageDelivery", "true")]).await;
        let body = "{\"id\": 1, \"name\": \"\u{e9}/\u{1f600}\"}\n tab\t";
        let sent = publish(
            &ground,
            [
                "publish",
                &topic,
                "-e",
                "OrderPlaced",
                "--service",
                "shop",
                "-m",
                body,
                "--event-version",
                "3",
                "--attribute",
                "tint=red",
                "--attribute",
                "count=Number:2.5",
                "--attribute",
                "list=String.Array:[\"a/b\",1]",
            ],
        );
        assert_eq!(sent.code, 0, "{}", sent.said());
        let read: serde_json::Value =
            serde_json::from_str(&python(&ground, RECEIVES, "q")).unwrap();
        assert_eq!(read["body"], serde_json::json!(hex(body)));
        for (name, value) in [
            ("iniesta_pass", ["String", "OrderPlaced.shop"]),
            ("version", ["Number", "3"]),
            ("tint", ["String", "red"]),
            ("count", ["Number", "2.5"]),
            ("list", ["String.Array", "[\"a\\/b\",1]"]),
        ] {
            assert_eq!(read["types"][name], serde_json::json!(value), "{name}");
        }
    }
}

#[tokio::test]
async fn i14_attributes_come_back_as_they_were_sent() {
    for ground in [embedded(), on_ministack()] {
        ground.queue("q", &[]).await;
        let message = Announcement::of("E.x", Outgoing::text("{\"message_number\":4}"))
            .raw()
            .attribute("number", 1)
            .attribute("binary", b"b")
            .attribute("string", "s")
            .attribute("list", vec!["c", "d"])
            .outgoing(&Events::default())
            .unwrap();
        let url = resolve(&ground.sqs, "q").await.unwrap();
        let mut sender = Sender::new(ground.sqs.clone(), url);
        sender.push(message).await.unwrap();
        assert_eq!(sender.finish().await.unwrap().sent, 1);
        let received = ground.visible("q").await.remove(0);
        assert_eq!(received.md5_of_body(), Some("d1691fe9a8e4e93beed42d7a1521878a"));
        let attributes = received.message_attributes.unwrap();
        let text = |name: &str| (&*attributes[name].data_type, attributes[name].string_value());
        assert_eq!(text("number"), ("Number", Some("1")));
        assert_eq!(text("string"), ("String", Some("s")));
        assert_eq!(text("list"), ("String.Array", Some("[\"c\",\"d\"]")));
        assert_eq!(attributes["binary"].binary_value().unwrap().as_ref(), b"b");
    }
}

#[tokio::test]
async fn a_message_that_no_handler_takes_is_kept_rejected_or_deleted_as_the_settings_say() {
    let (ground, port) = (embedded(), free_port());
    let mut settings = format!("[status]\nlisten = \"127.0.0.1:{port}\"\n");
    for mode in ["retry", "reject", "delete"] {
        ground.queue(mode, &[]).await;
        ground.send(mode, "nobody's").await;
        let aside = ground.path("aside");
        let queue = format!(
            "[queue.{mode}]\nqueue = {mode:?}\nwait_time = 1\non_unrouted = {mode:?}\n\
             set_aside = {aside:?}\nretry_initial = 600\nroute.\"A.x\".handler.print = {{}}\n"
        );
        settings.push_str(&queue);
    }
    let daemon = ground.run(&settings);
    for (mode, outcome) in [("retry", "retry"), ("reject", "reject"), ("delete", "done")] {
        log_line(&daemon, &["WARN", "no handler for a message", mode, outcome]);
    }
    ground.wait_empty("delete").await;
    ground.wait_empty("reject").await;
    ground.wait_counts("retry", (0, 1)).await;
    assert!(ground.path("aside").read_dir().unwrap().next().is_some());
    let counted = |mode, count| {
        let line = format!("longshore_messages_unrouted_total{{queue=\"{mode}\"}} {count}\n");
        eventually(&line, PATIENCE, || page(port, "/metrics").1.contains(&line));
    };
    for mode in ["retry", "reject", "delete"] {
        counted(mode, 1);
    }
    ground.send("delete", "nobody's either").await;
    counted("delete", 2);
    counted("retry", 1);
    let routed = [("iniesta_pass", text("A.x"))];
    ground.send_with("delete", "somebody's", &routed).await;
    ground.wait_empty("delete").await;
    counted("delete", 2);
    assert_eq!(stop(daemon), 0);
}

#[test]
fn i1_i12_the_commands_print_what_iniestas_printed() {
    let run = |command: &str, variables: &[(&str, &str)]| {
        let launch = longshore([command]);
        variables.iter().fold(launch, |launch, (name, value)| launch.env(name, value)).finish()
    };
    let filters = ("INIESTA_SQS_CONSUMER_FILTERS", "[\"some.*\"]");
    let topic =
        ("INIESTA_SNS_PRODUCER_GLOBAL_TOPIC_ARN", "arn:aws:sns:us-east-1:000000000000:events");
    let printed = |command, variables: &[_]| run(command, variables).expect(0, &[]).stdout;
    assert_eq!(
        printed("filter-policies", &[filters]),
        "{\"iniesta_pass\": [{\"prefix\": \"some.\"}]}\n"
    );
    assert_eq!(printed("filter-policies", &[]), "{}\n");
    assert_eq!(
        printed("initialization-type", &[filters, topic]),
        "InitializationTypes.SNS_PRODUCER|EVENT_POLLING\n"
    );
    assert_eq!(printed("initialization-type", &[]), "InitializationTypes.0\n");
    for value in ["", "asdad", "1213", "null", "{}", "[\"asd\"]", "[\"QUEUE_POLLING\",\"BAD\"]"] {
        let wrong = ("INIESTA_INITIALIZATION_TYPE", value);
        run("initialization-type", &[wrong]).expect(78, &["INIESTA_INITIALIZATION_TYPE: "]);
    }
    run("filter-policies", &[("INIESTA_SQS_CONSUMER_FILTERS", "Event")]).expect(78, &["\"Event\""]);
}

#[tokio::test]
async fn i16_requests_are_signed_by_whom_iniesta_would_have_chosen() {
    let ground = embedded();
    let topic = subscribed(&ground, "q", &[]).await;
    let signed_by = |launch: crate::support::daemon::Launch| {
        let done = launch
            .env("INIESTA_AWS_ACCESS_KEY_ID", "prefixed")
            .env("INIESTA_AWS_SECRET_ACCESS_KEY", "secret")
            .endpoint(&ground.proxy.endpoint())
            .finish();
        assert_eq!(done.code, 0, "{}", done.said());
        let seen = ground.proxy.requests().pop().unwrap();
        let header = seen.header("authorization").unwrap().to_owned();
        header.split(['=', '/']).nth(1).unwrap().to_owned()
    };
    let launch = || longshore(["publish", &topic, "-e", "E.x"]);
    let bare = launch().without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    assert_eq!(signed_by(bare), "prefixed");
    let both = launch().env("AWS_ACCESS_KEY_ID", "plain").env("AWS_SECRET_ACCESS_KEY", "secret");
    assert_eq!(signed_by(both), "plain");
}

#[tokio::test]
async fn a_dry_run_checks_and_takes_nothing() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "stays").await;
    let settings = "[queue.q]\nqueue = \"q\"\n[queue.q.handler.print]\n";
    let done = ground.launch(settings).env("INIESTA_DRY_RUN", "true").finish();
    done.expect(0, &["is valid", "queue q"]);
    assert!(ground.proxy.of("ReceiveMessage").is_empty());
    assert_eq!(ground.counts("q").await, (1, 0));
}

#[test]
fn i9_an_event_has_one_handler_and_a_list_no_event_twice() {
    let build = |lists: &[&[&str]]| {
        let builder = Worker::builder(()).settings(Config::trial());
        let handle = |Body(_): Body| async {};
        lists.iter().fold(builder, |builder, list| builder.events("inbox", list, handle)).build()
    };
    build(&[&["A.x", "B.x"], &["C*"]]).unwrap();
    for (lists, told) in [
        (&[&["A.x"][..], &["A.x"]][..], "two handlers for A.x"),
        (&[&["A.x", "B.x"], &["B.x"]], "two handlers for B.x"),
        (&[&["A.x", "A.x"]], "twice"),
        (&[&[]], "there are none"),
        (&[&["A*b"]], "only once and at the end"),
    ] {
        let error = build(lists).unwrap_err().to_string();
        assert!(error.contains(told), "{lists:?}: {error}");
    }
}
