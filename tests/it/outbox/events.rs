//! An outbox whose files become events of a topic.

use super::{Place, Queue, attributes, bodies, reason};
use crate::support::{
    PATIENCE, aws,
    emulator::{embedded, ministack},
    proxy::Proxy,
};

/// A topic with a queue subscribed to it, by raw delivery or not; the topic's ARN.
async fn topic(endpoint: &str, queue: &Queue, raw: bool) -> String {
    let sns = aws::sns(endpoint);
    let topic = sns.create_topic().name("events").send().await.unwrap().topic_arn.unwrap();
    let asked = queue.sqs.get_queue_attributes().queue_url(&queue.url);
    let asked = asked.attribute_names("QueueArn".into()).send().await.unwrap();
    let arn = &asked.attributes().unwrap()[&"QueueArn".into()];
    let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn);
    subscribe.attributes("RawMessageDelivery", raw.to_string()).send().await.unwrap();
    topic
}

/// I17: a program publishes an event whether or not AWS is there; a failure to publish is not its
/// failure.
#[tokio::test]
async fn i17_an_event_is_published_and_a_dead_network_is_not_its_writers_trouble() {
    for server in [embedded(), ministack()] {
        let queue = Queue::make(&server.endpoint(), "subscriber").await;
        let topic = topic(&server.endpoint(), &queue, true).await;
        let proxy = Proxy::start(&server.endpoint());
        let place = Place::new();
        proxy.down();
        let lines = format!("topic = \"{topic}\"\nservice = \"xavi\"");
        let daemon = place.start(&proxy.endpoint(), &lines);
        place.drop_with("1", r#"{"help":"me"}"#, r#"{"event": "testEvent"}"#);
        place.drop_with(
            "2",
            "whole",
            r#"{"event": "testEvent.xavi", "attributes": {"version": 2}}"#,
        );
        daemon.wait_for_line(|line| line.contains("spool paused"), PATIENCE);
        proxy.up();
        place.wait_until_empty(&daemon);
        let mut messages = queue.take(2).await;
        messages.sort_by(|one, other| one.body().cmp(&other.body()));
        assert_eq!(bodies(&messages), ["whole", r#"{"help":"me"}"#]);
        for (message, version) in messages.iter().zip(["2", "1"]) {
            let attributes = attributes(message);
            assert_eq!(attributes["iniesta_pass"], ("String", "testEvent.xavi"));
            assert_eq!(attributes["version"], ("Number", version));
        }
    }
}

#[tokio::test]
async fn the_settings_say_the_event_of_files_that_say_none() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "subscriber").await;
    let topic = topic(&server.endpoint(), &queue, false).await;
    let place = Place::new();
    place.drop_with("1", "body", r#"{"subject": "a subject"}"#);
    let lines = format!("topic = \"{topic}\"\nevent = \"Given\"\nevent_key = \"kind\"");
    assert_eq!(place.once(&server.endpoint(), &lines), 0);
    let messages = queue.take(1).await;
    let envelope: serde_json::Value = serde_json::from_str(bodies(&messages)[0]).unwrap();
    assert_eq!((&envelope["Message"], &envelope["Subject"]), (&"body".into(), &"a subject".into()));
    assert_eq!(envelope["MessageAttributes"]["kind"]["Value"], "Given");
}

#[tokio::test]
async fn what_no_topic_takes_goes_to_quarantine() {
    let server = embedded();
    let queue = Queue::make(&server.endpoint(), "subscriber").await;
    let topic = topic(&server.endpoint(), &queue, true).await;
    let place = Place::new();
    let cases = [
        ("large", "x".repeat((256 << 10) + 1), "{}", "262144"),
        ("delayed", "x".to_owned(), r#"{"delay": 5}"#, "a topic knows none"),
        (
            "twice",
            "x".to_owned(),
            r#"{"event": "E", "attributes": {"iniesta_pass": "F"}}"#,
            "twice",
        ),
        ("subject", "x".to_owned(), r#"{"subject": "a\nb"}"#, "subject"),
    ];
    for (name, body, sidecar, _) in &cases {
        place.drop_with(name, body, sidecar);
    }
    assert_eq!(place.once(&server.endpoint(), &format!("topic = \"{topic}\"")), 0);
    for (name, _, _, told) in cases {
        let reason = reason(&place, name);
        assert_eq!(reason["topic"], topic);
        assert!(reason["reason"].as_str().unwrap().contains(told), "{reason}");
    }
    assert_eq!(bodies(&queue.take(0).await), [""; 0]);
}
