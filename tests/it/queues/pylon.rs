//! pylon's components on queues and topics: the real binary, a script as the work.

use crate::support::{
    PATIENCE, aws, daemon::Launch, daemon::longshore, exchange::Exchange, proxy::Fault,
};
use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use serde_json::{Value, json};

use super::ground::{Ground, embedded, log_line, logged, stop, text};

const INPUT_ID: &str = "aaaa";

/// A component that runs this script, with these settings beside an input queue `in`.
pub(super) fn component(ground: &Ground, settings: &Value, script: &str) -> Launch {
    let mut all = json!({
        "PYLON_INPUT": "sqs://in",
        "PYLON_LOG_LEVEL": "info",
        "IMAGE_NAME": "test_artifact",
        "VERSION": "0.0.0",
    });
    for (name, value) in settings.as_object().unwrap() {
        all[name] = value.clone();
    }
    let script = ground.script("work", script);
    longshore(["run", "--pylon"])
        .args(&["--", &script])
        .env("PYLON_CONFIG", &all.to_string())
        .endpoint(&ground.proxy.endpoint())
}

pub(super) fn attributes() -> [(&'static str, MessageAttributeValue); 6] {
    [
        ("payloadMimeType", text("text")),
        ("objectType", text("rawContent")),
        ("ingestionId", text(INPUT_ID)),
        ("artifactName", text("None")),
        ("artifactVersion", text("None")),
        ("tint", text("red")),
    ]
}

pub(super) async fn put(ground: &Ground, body: &str) {
    ground.send_with("in", body, &attributes()).await;
}

fn attribute<'m>(message: &'m Message, name: &str) -> &'m str {
    message.message_attributes.as_ref().unwrap()[name].string_value.as_deref().unwrap()
}

pub(super) fn bodies(messages: &[Message]) -> Vec<&str> {
    let mut bodies: Vec<_> = messages.iter().map(|message| message.body().unwrap()).collect();
    bodies.sort_unstable();
    bodies
}

pub(super) async fn two_queues() -> Ground {
    let ground = embedded();
    for queue in ["in", "out"] {
        ground.queue(queue, &[]).await;
    }
    ground
}

pub(super) fn is_send(seen: &Exchange) -> bool {
    seen.operation() == "SendMessageBatch"
}

#[tokio::test]
async fn p15_a_pipeline_sends_what_its_command_prints_and_logs_the_step() {
    let ground = two_queues().await;
    put(&ground, "hello").await;
    let settings = json!({"PYLON_OUTPUT": "sqs://out", "MY_VAR": "yeet", "MANY": [1]});
    let daemon = component(
        &ground,
        &settings,
        "body=$(cat)\n\
         echo \"$body $LONGSHORE_ATTR_TINT $LONGSHORE_ATTR_INGESTIONID \
         ${LONGSHORE_ATTR_ARTIFACTNAME-none} $MY_VAR\" >> $D/seen\n\
         echo \"$PYLON_CONFIG\" >> $D/config\n\
         echo '{\"body\": \"one\", \"objectType\": \"rawContent\", \"customAttributes\": {\"k\": \"v\"}}'\n\
         echo null; echo\n\
         echo '{\"body\": {\"data\": [{\"n\": 1}]}, \"objectType\": \"dataAsset\"}'\n\
         echo told >&2",
    )
    .start();
    ground.wait_counts("out", (2, 0)).await;
    ground.wait_empty("in").await;
    assert_eq!(ground.lines("seen"), ["hello red aaaa none yeet"]);
    let config: Value = serde_json::from_str(&ground.lines("config")[0]).unwrap();
    assert_eq!((&config["MANY"], &config["PYLON_LOOP_SLEEP_SECONDS"]), (&json!([1]), &json!(60)));
    let messages = ground.visible("out").await;
    let id = attribute(&messages[0], "ingestionId").to_owned();
    assert_eq!((id.len(), id.chars().nth(14)), (36, Some('1')), "{id}");
    for message in &messages {
        assert_eq!(attribute(message, "ingestionId"), id);
        assert_eq!(attribute(message, "artifactName"), "test_artifact");
        assert_eq!(attribute(message, "artifactVersion"), "0.0.0");
    }
    let asset = format!(
        "{{\"data\": [{{\"ingestion_id\": \"{id}\", \"n\": 1}}], \"ingestionId\": \"{id}\"}}"
    );
    assert_eq!(bodies(&messages), ["one", &*asset]);
    let one = messages.iter().find(|message| message.body() == Some("one")).unwrap();
    assert_eq!(attribute(one, "k"), "v");
    let step = log_line(&daemon, &["ingestion step", "duration_seconds"]);
    for word in ["parentIngestionId", "durationSeconds", &id, INPUT_ID, "test_artifact"] {
        assert!(step.contains(word), "{word}: {step}");
    }
    for phase in ["run_once", "core_process"] {
        assert_eq!(logged(&daemon, &["heartbeat", phase]), 1, "{phase}");
    }
    for phase in ["core_process", "total"] {
        assert_eq!(logged(&daemon, &["timed execution", phase]), 1, "{phase}");
    }
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_topic_as_output_and_a_fifo_pair_keep_group_and_deduplicate() {
    let ground = embedded();
    let fifo = [("FifoQueue", "true")];
    ground.queue("in.fifo", &fifo).await;
    ground.queue("out.fifo", &fifo).await;
    ground.queue("in", &[]).await;
    ground.queue("raw", &[]).await;
    let sns = aws::sns(&ground.upstream);
    let topic = sns.create_topic().name("out").send().await.unwrap().topic_arn.unwrap();
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs");
    let subscribe = subscribe.endpoint("arn:aws:sqs:us-east-1:000000000000:raw");
    subscribe.attributes("RawMessageDelivery", "true").send().await.unwrap();
    put(&ground, "hello").await;
    let settings = json!({"PYLON_OUTPUT": format!("sns://{topic}")});
    let work = "printf '{\"body\": \"%s\"}\\n' \"$(cat)\"; echo '{\"body\": \"more\"}'";
    let daemon = component(&ground, &settings, work).start();
    ground.wait_counts("raw", (2, 0)).await;
    ground.wait_empty("in").await;
    let messages = ground.visible("raw").await;
    assert_eq!(bodies(&messages), ["hello", "more"]);
    assert_eq!(attribute(&messages[0], "objectType"), "None");
    drop(daemon);

    let send = ground.sqs.send_message().queue_url(ground.url("in.fifo")).message_body("first");
    let send = send.message_group_id("g").message_deduplication_id("d");
    let send = attributes()
        .into_iter()
        .fold(send, |send, (name, value)| send.message_attributes(name, value));
    let id = send.send().await.unwrap().message_id.unwrap();
    let settings = json!({"PYLON_INPUT": "sqs://in.fifo", "PYLON_OUTPUT": "sqs://out.fifo"});
    let daemon = component(&ground, &settings, work).start();
    ground.wait_empty("in.fifo").await;
    let messages = ground.visible("out.fifo").await;
    let system = |name: &str| -> Vec<String> {
        let of = |message: &Message| message.attributes.as_ref().unwrap()[&name.into()].clone();
        messages.iter().map(of).collect()
    };
    let order: Vec<_> = messages.iter().map(|message| message.body().unwrap()).collect();
    assert_eq!(order, ["first", "more"]);
    assert_eq!(system("MessageGroupId"), ["g", "g"]);
    assert_eq!(system("MessageDeduplicationId"), [format!("{id}.0"), format!("{id}.1")]);
    drop(daemon);
}

#[tokio::test]
async fn nothing_is_sent_of_what_is_not_whole() {
    let ground = two_queues().await;
    ground.queue("dead", &[]).await;
    let policy = json!({
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead",
        "maxReceiveCount": 100,
    });
    ground.queue("judged", &[("RedrivePolicy", &policy.to_string())]).await;
    for body in ["bad line", "fails", "too many", "lingers", "floods", "reject", "good"] {
        ground.send_with("judged", body, &attributes()).await;
    }
    // No message of pylon's.
    ground.send("judged", "foreign").await;
    let settings = json!({
        "PYLON_INPUT": "sqs://judged",
        "PYLON_OUTPUT": "sqs://out",
        "PYLON_CONCURRENCY": "4",
    });
    let daemon = component(
        &ground,
        &settings,
        "body=$(cat); echo \"{\\\"body\\\": \\\"of $body\\\"}\"\n\
         case $body in\n\
         'bad line') echo sesame ;;\n\
         'fails') exit 3 ;;\n\
         'too many') echo '{\"body\": \"x\", \"customAttributes\": {\"a\": \"\"}}' ;;\n\
         'lingers') sleep 600 & ;;\n\
         'floods') yes sesame ;;\n\
         'reject') exit 65 ;;\n\
         esac",
    )
    .start();
    log_line(&daemon, &["message failed", "more than 67108864 bytes"]);
    log_line(&daemon, &["message failed", "line 2 of what it printed is no message"]);
    log_line(&daemon, &["message failed", "exited with 3"]);
    log_line(&daemon, &["message failed", "message 2 of what it gave cannot be sent", "empty"]);
    log_line(&daemon, &["message failed", "still print"]);
    log_line(&daemon, &["message rejected", "exited with 65"]);
    log_line(&daemon, &["message rejected", "pylon"]);
    ground.wait_counts("dead", (2, 0)).await;
    ground.wait_counts("out", (1, 0)).await;
    assert_eq!(bodies(&ground.visible("dead").await), ["foreign", "reject"]);
    assert_eq!(bodies(&ground.visible("out").await), ["of good"]);
    assert!(!daemon.output().contains("sesame"), "{}", daemon.output());
    drop(daemon);
}

#[tokio::test]
async fn p11_a_large_body_is_stored_once_fetched_and_cleaned_up() {
    let ground = two_queues().await;
    let s3 = aws::s3(&ground.upstream);
    s3.create_bucket().bucket("store").send().await.unwrap();
    put(&ground, "x").await;
    let settings = json!({
        "PYLON_OUTPUT": "sqs://out",
        "PYLON_STORE_DESTINATION": "s3://store/test.prefix/",
        "PYLON_STORE_MIN_MESSAGE_BYTES": 250,
    });
    // Whether these were sent nobody knows: the run fails, and the next one has the same names.
    ground.proxy.on(5, is_send, Fault::CutBefore);
    let work = "echo run >> $D/runs; printf '{\"body\": \"%0300d\"}\\n{\"body\": \"small\"}\\n' 7";
    let daemon = component(&ground, &settings, work).start();
    ground.wait_counts("out", (2, 0)).await;
    ground.wait_empty("in").await;
    drop(daemon);
    assert_eq!(ground.lines("runs").len(), 2, "the whole run was made again");
    let objects = async || {
        let listed = s3.list_objects_v2().bucket("store").send().await.unwrap();
        let keys =
            listed.contents.unwrap_or_default().into_iter().map(|object| object.key.unwrap());
        keys.collect::<Vec<_>>()
    };
    let keys = objects().await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys[0].starts_with("test.prefix/") && keys[0].len() == 48, "{keys:?}");
    // What reads it gets the body, and deletes it with its message.
    let settings = json!({"PYLON_INPUT": "sqs://out", "PYLON_STORE_CLEAN_UP": true});
    let work = "body=$(cat); echo \"${#body} ${LONGSHORE_ATTR_PAYLOADSTOREKEY-none}\" >> $D/sunk";
    let daemon = component(&ground, &settings, work).start();
    let mut sunk = ground.wait_lines("sunk", 2);
    sunk.sort();
    assert_eq!(sunk, ["300 none", "5 none"]);
    ground.wait_empty("out").await;
    let began = std::time::Instant::now();
    while !objects().await.is_empty() {
        assert!(began.elapsed() < PATIENCE, "the object stays");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(daemon);
}

#[tokio::test]
async fn killed_in_the_middle_a_component_loses_nothing_and_deletes_nothing_early() {
    let ground = embedded();
    ground.queue("in", &[("VisibilityTimeout", "4")]).await;
    ground.queue("out", &[]).await;
    for number in 0..20 {
        put(&ground, &format!("m{number}")).await;
    }
    let witness = ground.watch_deletes("seen");
    let settings = json!({"PYLON_OUTPUT": "sqs://out", "PYLON_CONCURRENCY": 4});
    let work = "body=$(cat); printf '{\"body\": \"%s\"}\\n' $body\n\
                [ -e $D/killed ] || { echo >> $D/begun; sleep 600; }\n\
                echo $body >> $D/seen";
    let mut daemon = component(&ground, &settings, work).start();
    ground.wait_lines("begun", 4);
    daemon.kill9();
    assert_eq!(ground.counts("out").await, (0, 0), "nothing was sent of what had not ended");
    std::fs::write(ground.path("killed"), "").unwrap();
    let daemon = component(&ground, &settings, work).start();
    ground.wait_empty("in").await;
    let sent = ground.visible("out").await;
    let mut sent = bodies(&sent);
    sent.dedup();
    assert_eq!(sent.len(), 20, "{sent:?}");
    let line = |message: &Value| message["Body"].as_str().unwrap().to_owned();
    assert_eq!(ground.deleted_after(&witness, "seen", line), 20);
    drop(daemon);
}

#[tokio::test]
async fn a_sink_prints_what_it_likes_and_an_output_that_is_not_there_judges_no_message() {
    let ground = two_queues().await;
    put(&ground, "hello").await;
    let daemon =
        component(&ground, &json!({}), "cat >> $D/sunk; echo >> $D/sunk; echo sesame").start();
    assert_eq!(ground.wait_lines("sunk", 1), ["hello"]);
    ground.wait_empty("in").await;
    drop(daemon);
    put(&ground, "hello").await;
    let settings = json!({"PYLON_OUTPUT": "sqs://nowhere"});
    let daemon = component(&ground, &settings, "echo '{\"body\": \"x\"}'").start();
    log_line(&daemon, &["ERROR", "nowhere"]);
    ground.queue("nowhere", &[]).await;
    ground.wait_counts("nowhere", (1, 0)).await;
    ground.wait_empty("in").await;
    drop(daemon);
}
