//! pylon's own cases of its settings, by their ids.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::config::{Level, LogFormat};
use crate::payload::codec::Pylon;

fn parse(settings: Value) -> Settings {
    Settings::parse_with(&settings.to_string(), |_| None).unwrap()
}

fn mistakes(settings: Value) -> Vec<String> {
    let error = Settings::parse_with(&settings.to_string(), |_| None).unwrap_err();
    assert_eq!(error.kind(), Kind::Settings);
    error.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn p12_exactly_four_defaults_are_added_and_numbers_may_be_texts() {
    let settings = parse(json!({"MY_VAR": "yeet"}));
    let wanted = json!({
        "MY_VAR": "yeet",
        "PYLON_LOOP_SLEEP_SECONDS": 60,
        "PYLON_LOG_FORMAT": "txt",
        "PYLON_LOG_LEVEL": "warning",
        "PYLON_STORE_MIN_MESSAGE_BYTES": 256_000,
    });
    assert_eq!(Value::Object(settings.values().clone()), wanted);
    assert_eq!(settings.loop_sleep, Duration::from_mins(1));
    assert_eq!((settings.log.level, settings.log.format), (Level::Warn, LogFormat::Text));
    assert_eq!((settings.store_min, settings.store, settings.input), (256_000, None, None));
    let settings = parse(json!({"PYLON_STORE_MIN_MESSAGE_BYTES": "250", "MY_VAR": "250"}));
    assert_eq!(settings.values()["PYLON_STORE_MIN_MESSAGE_BYTES"], 250);
    assert_eq!(settings.values()["MY_VAR"], "250");
    assert_eq!(settings.store_min, 250);
}

#[test]
fn p13_deprecated_keys_are_mapped_and_stay() {
    let topic = "arn:aws:sns:us-east-1:123456789012:out";
    let settings = parse(json!({
        "INPUT_QUEUE_NAME": "in",
        "OUTPUT_TOPIC_ARN": topic,
        "PYLON_PLAIN_LOGGING": false,
    }));
    assert_eq!(settings.input, Some(Place::Queue("in".to_owned())));
    assert_eq!(settings.output, Some(Place::Topic(topic.to_owned())));
    assert_eq!(settings.log.format, LogFormat::Json);
    for (key, value) in [
        ("INPUT_QUEUE_NAME", json!("in")),
        ("PYLON_INPUT", json!("sqs://in")),
        ("OUTPUT_TOPIC_ARN", json!(topic)),
        ("PYLON_OUTPUT", json!(format!("sns://{topic}"))),
        ("PYLON_PLAIN_LOGGING", json!(false)),
        ("PYLON_LOG_FORMAT", json!("json")),
    ] {
        assert_eq!(settings.values()[key], value, "{key}");
    }
    let warned = |old: &str| settings.notes.iter().any(|note| note.contains(old));
    assert!(
        ["INPUT_QUEUE_NAME", "OUTPUT_TOPIC_ARN", "PYLON_PLAIN_LOGGING"].into_iter().all(warned)
    );
    assert_eq!(parse(json!({"PYLON_PLAIN_LOGGING": "True"})).log.format, LogFormat::Text);
    let both = parse(json!({"INPUT_QUEUE_NAME": "old", "PYLON_INPUT": "sqs://new"}));
    assert_eq!(both.input, Some(Place::Queue("new".to_owned())));
}

#[test]
fn p17_a_scheme_makes_the_matching_end_and_others_are_unsupported() {
    let topic = "arn:aws:sns:us-east-1:123456789012:out";
    assert_eq!(Place::read("sqs://out"), Ok(Place::Queue("out".to_owned())));
    assert_eq!(Place::read(&format!("sns://{topic}")), Ok(Place::Topic(topic.to_owned())));
    assert_eq!(Place::read("folder:///a/b"), Ok(Place::Folder(PathBuf::from("/a/b"))));
    assert_eq!(Place::read("folder://a/b"), Ok(Place::Folder(PathBuf::from("a/b"))));
    for text in ["kafka://out", "out", "", "s3://bucket/key", "://out", "SQS://out"] {
        assert!(Place::read(text).unwrap_err().contains("not supported"), "{text}");
    }
    for text in ["sns://out", "sqs://no queue", "folder://"] {
        assert!(Place::read(text).is_err(), "{text}");
    }
}

#[test]
fn every_mistake_is_told_at_once_and_no_foreign_value() {
    let told = mistakes(json!({
        "PYLON_INPUT": "sns://arn:aws:sns:us-east-1:123456789012:in",
        "PYLON_OUTPUT": "kafka://out",
        "PYLON_LOOP_SLEEP_SECONDS": "soon",
        "PYLON_STORE_MIN_MESSAGE_BYTES": -1,
        "PYLON_STORE_DESTINATION": "bucket",
        "PYLON_LOG_FORMAT": 7,
        "PYLON_LOG_LEVEL": "loud",
        "PYLON_CONCURRENCY": 0,
        "INGESTION_ATTRS": "sesame",
    }));
    assert_eq!(told.len(), 9, "{told:#?}");
    assert!(told.iter().all(|line| line.starts_with("PYLON_CONFIG: ")), "{told:#?}");
    assert!(!told.join("").contains("sesame"));
    let error = Settings::parse_with("{\"a\": sesame}", |_| None).unwrap_err().to_string();
    assert!(error.contains("PYLON_CONFIG") && !error.contains("sesame"), "{error}");
}

#[test]
fn an_unknown_key_of_pylons_and_a_nameless_artifact_are_warned_of() {
    let settings = parse(json!({"PYLON_SPEED": 1}));
    for word in ["PYLON_SPEED", "IMAGE_NAME", "VERSION"] {
        assert!(settings.notes.iter().any(|note| note.contains(word)), "{word}");
    }
    let json = json!({"IMAGE_NAME": "image", "INGESTION_ATTRS": {"a": 1}}).to_string();
    let outside = |name: &str| (name == "VERSION").then(|| "1.0".to_owned());
    let settings = Settings::parse_with(&json, outside).unwrap();
    assert_eq!(settings.notes, [""; 0]);
    let artifact = (settings.artifact_name.as_deref(), settings.artifact_version.as_deref());
    assert_eq!(artifact, (Some("image"), Some("1.0")));
    assert_eq!(settings.ingestion_attributes["a"], 1);
    assert!(!format!("{:?}", parse(json!({"KEY": "sesame"}))).contains("sesame"));
}

#[test]
fn p14_nothing_among_what_a_function_gives_is_left_out() {
    let (a, b) = (Pylon::raw("a"), Pylon::raw("b"));
    let given = vec![Some(a.clone()), None, Some(b.clone()), None].into_messages();
    assert!(given == [a.clone(), b]);
    assert!(vec![None::<Pylon>, None].into_messages().is_empty());
    assert!(None::<Vec<Pylon>>.into_messages().is_empty());
    ().into_messages();
    assert!(a.clone().into_messages() == [a]);
}

#[test]
fn names_follow_from_the_input_and_its_position_alone() {
    let mut message = input::nothing();
    message.id = "5fea7756-0ea4-451a-a703-a558b933e274".to_owned();
    let (one, again) = (Context::of(Some(&message)), Context::of(Some(&message)));
    assert_ne!(one.ingestion_id, again.ingestion_id);
    assert_eq!(one.deduplication_id(3), "5fea7756-0ea4-451a-a703-a558b933e274.3");
    assert_eq!(one.body_name(0), again.body_name(0));
    assert_ne!(one.body_name(0), one.body_name(1));
    message.queue = "another".to_owned();
    assert_ne!(Context::of(Some(&message)).body_name(0), one.body_name(0));
    message.id = format!("{}\u{e9}", "x".repeat(300));
    assert!(Context::of(Some(&message)).deduplication_id(0).len() <= 128);
    assert_ne!(Context::of(None).body_name(0), Context::of(None).body_name(0));
}

#[tokio::test]
async fn what_may_have_been_sent_in_this_very_receive_is_no_first_attempt() {
    let received = |id: &str| {
        let mut message = input::nothing();
        message.id = id.to_owned();
        message.system_attributes.insert("ApproximateReceiveCount".to_owned(), "1".to_owned());
        Context::of(Some(&message))
    };
    let account = config::Aws {
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        sealed: true,
        ..config::Aws::default()
    };
    let output = Output::new(Place::Queue("out".to_owned()), Aws::new(), account);
    let settings = parse(json!({"PYLON_OUTPUT": "sqs://out"}));
    assert!(output.is_first(&received("a")));
    let sent = output.send(vec![Pylon::raw("x")], &received("a"), &settings).await;
    assert!(matches!(sent, Err(Err(_))), "it is the destination's fault: {sent:?}");
    // It is tried again without another receive.
    assert!(!output.is_first(&received("a")));
    assert!(output.is_first(&received("b")));
}
