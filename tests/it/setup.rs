//! `longshore setup`: what it makes, what it leaves alone, that it does nothing twice, and what it
//! takes away again.

mod events;
mod policy;
mod requiring;
mod table;

use crate::support::{
    PATIENCE, aws,
    daemon::{Finished, Launch, longshore},
    emulator::{Emulator, ministack},
    eventually,
    proxy::{Fault, Gate, Proxy},
};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::{Value, json};

/// Two queues with one place for what is rejected, whose name comes after theirs.
const QUEUES: &str = "[queue.orders]\nqueue = \"orders\"\ndead_letter_queue = \"rejected\"\n\
                      handler.exec.command = [\"true\"]\n\
                      [queue.mail]\nqueue = \"mail.fifo\"\ndead_letter_queue = \"a.fifo\"\n\
                      handler.exec.command = [\"true\"]\n";

const UPLOADS: &str = "[notification.uploads]\nbucket = \"uploads\"\nqueue = \"orders\"\n\
                       prefix = \"in/\"\nsuffix = \".csv\"\n";

fn setup(text: &str, more: &[&str], endpoint: &str) -> Finished {
    let mut launch: Launch = match more {
        [] => longshore(["setup", "--config", "c.toml"]),
        [one] => longshore(["setup", "--config", "c.toml", one]),
        [one, two, ..] => longshore(["setup", "--config", "c.toml", one, two]),
    };
    launch = launch.file("c.toml", text).endpoint(endpoint);
    launch.finish()
}

/// What was asked that changes anything.
fn writes(proxy: &Proxy) -> Vec<String> {
    let reads = ["Get", "List", "Head", "Describe", "Scan"];
    let all = proxy.requests().into_iter().map(|seen| seen.operation());
    all.filter(|operation| !reads.iter().any(|read| operation.starts_with(read))).collect()
}

async fn attributes(sqs: &aws_sdk_sqs::Client, name: &str) -> Vec<(Name, String)> {
    let url = sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
    let asked = sqs.get_queue_attributes().queue_url(url).attribute_names(Name::All).send().await;
    asked.unwrap().attributes.unwrap().into_iter().collect()
}

async fn attribute(sqs: &aws_sdk_sqs::Client, queue: &str, name: Name) -> Option<String> {
    let all = attributes(sqs, queue).await;
    all.into_iter().find(|(other, _)| *other == name).map(|(_, value)| value)
}

async fn bucket(server: &Emulator, name: &str) {
    aws::s3(&server.endpoint()).create_bucket().bucket(name).send().await.unwrap();
}

#[tokio::test]
async fn queues_are_made_with_their_dead_letter_queues_and_nothing_twice() {
    let server = ministack();
    let proxy = Proxy::start(&server.endpoint());
    let sqs = aws::sqs(&server.endpoint());
    setup(QUEUES, &[], &proxy.endpoint()).expect(
        0,
        &["plan  create queue arn:aws:sqs:us-east-1:000000000000:orders", "nothing was changed"],
    );
    assert_eq!(writes(&proxy), [""; 0]);
    setup(QUEUES, &["--yes"], &proxy.endpoint()).expect(0, &["done  create queue"]);
    assert_eq!(writes(&proxy), ["CreateQueue"; 4]);
    let redrive = attribute(&sqs, "orders", Name::RedrivePolicy).await.unwrap();
    let redrive: Value = serde_json::from_str(&redrive).unwrap();
    let target = "arn:aws:sqs:us-east-1:000000000000:rejected";
    assert_eq!(redrive["deadLetterTargetArn"], target);
    assert_eq!(redrive["maxReceiveCount"].to_string().trim_matches('"'), "10");
    let retention = attribute(&sqs, "rejected", Name::MessageRetentionPeriod).await;
    assert_eq!(retention.as_deref(), Some("1209600"));
    assert_eq!(attribute(&sqs, "mail.fifo", Name::FifoQueue).await.as_deref(), Some("true"));

    let again = Proxy::start(&server.endpoint());
    setup(QUEUES, &["--yes"], &again.endpoint()).expect(0, &["nothing to do"]);
    assert_eq!(writes(&again), [""; 0]);
    let check = longshore(["check", "--config", "c.toml"]).file("c.toml", QUEUES);
    check.endpoint(&server.endpoint()).finish().expect(0, &["ok    queue orders: orders is there"]);
}

#[tokio::test]
async fn what_is_there_stays_as_it_is() {
    let server = ministack();
    let sqs = aws::sqs(&server.endpoint());
    for name in ["other", "orders"] {
        sqs.create_queue().queue_name(name).send().await.unwrap();
    }
    let theirs = json!({ "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:other",
        "maxReceiveCount": 3 });
    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    let change = sqs.set_queue_attributes().queue_url(url);
    change.attributes(Name::RedrivePolicy, theirs.to_string()).send().await.unwrap();
    let told = setup(QUEUES, &["--yes"], &server.endpoint());
    told.expect(
        0,
        &["note  the redrive policy of", "names arn:aws:sqs:us-east-1:000000000000:other"],
    );
    let redrive = attribute(&sqs, "orders", Name::RedrivePolicy).await.unwrap();
    assert!(redrive.contains(":other"), "{redrive}");
}

/// Has the bucket tell somebody else's queue of what is removed.
async fn notify_theirs(s3: &aws_sdk_s3::Client) {
    let theirs = aws_sdk_s3::types::QueueConfiguration::builder()
        .id("theirs")
        .queue_arn("arn:aws:sqs:us-east-1:000000000000:theirs")
        .events("s3:ObjectRemoved:*".into())
        .build()
        .unwrap();
    let all = aws_sdk_s3::types::NotificationConfiguration::builder().queue_configurations(theirs);
    let put = s3.put_bucket_notification_configuration().bucket("uploads");
    put.notification_configuration(all.build()).send().await.unwrap();
}

#[tokio::test]
async fn a_buckets_notifications_are_merged_and_reach_the_queue() {
    let server = ministack();
    let (s3, sqs) = (aws::s3(&server.endpoint()), aws::sqs(&server.endpoint()));
    bucket(&server, "uploads").await;
    sqs.create_queue().queue_name("theirs").send().await.unwrap();
    notify_theirs(&s3).await;

    let text = format!("{QUEUES}{UPLOADS}");
    let told = setup(&text, &["--yes"], &server.endpoint());
    told.expect(
        0,
        &["done  change bucket uploads: tell arn:aws:sqs:us-east-1:000000000000:orders"],
    );
    let asked = s3.get_bucket_notification_configuration().bucket("uploads").send().await.unwrap();
    let ids: Vec<&str> = asked.queue_configurations().iter().filter_map(|one| one.id()).collect();
    assert_eq!(ids, ["theirs", "longshore-uploads"]);
    let policy = attribute(&sqs, "orders", Name::Policy).await.unwrap();
    assert!(policy.contains("s3.amazonaws.com") && policy.contains("arn:aws:s3:::uploads"));

    let proxy = Proxy::start(&server.endpoint());
    setup(&text, &["--yes"], &proxy.endpoint()).expect(0, &["nothing to do"]);
    assert_eq!(writes(&proxy), [""; 0]);

    for key in ["in/a.csv", "in/b.txt", "out/c.csv"] {
        s3.put_object().bucket("uploads").key(key).body(vec![1].into()).send().await.unwrap();
    }
    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    let receive = sqs.receive_message().queue_url(url).max_number_of_messages(10);
    let received = receive.wait_time_seconds(5).send().await.unwrap();
    let keys: Vec<&str> = received.messages().iter().filter_map(|one| one.body()).collect();
    let of_key = |key: &str| keys.iter().filter(|body| body.contains(key)).count();
    assert_eq!(
        (of_key("in/a.csv"), of_key("in/b.txt"), of_key("out/c.csv")),
        (1, 0, 0),
        "{keys:?}"
    );

    // A prefix that changes takes the place of the one before.
    let moved = text.replace("in/", "new/");
    setup(&moved, &["--yes"], &server.endpoint()).expect(0, &["change bucket uploads"]);
    let asked = s3.get_bucket_notification_configuration().bucket("uploads").send().await.unwrap();
    assert_eq!(asked.queue_configurations().len(), 2);
}

#[tokio::test]
async fn what_others_add_to_a_bucket_after_the_plan_stays() {
    let server = ministack();
    let (s3, sqs) = (aws::s3(&server.endpoint()), aws::sqs(&server.endpoint()));
    bucket(&server, "uploads").await;
    sqs.create_queue().queue_name("theirs").send().await.unwrap();
    let proxy = Proxy::start(&server.endpoint());
    let gate = Gate::closed();
    proxy.on(1, |seen| seen.operation() == "CreateQueue", Fault::Hold(gate.clone()));
    let (text, endpoint) = (format!("{QUEUES}{UPLOADS}"), proxy.endpoint());
    let run = tokio::task::spawn_blocking(move || setup(&text, &["--yes"], &endpoint));
    eventually("the plan stands", PATIENCE, || gate.arrived() == 1);
    notify_theirs(&s3).await;
    gate.open();
    run.await.unwrap().expect(0, &["done  change bucket uploads"]);
    let asked = s3.get_bucket_notification_configuration().bucket("uploads").send().await.unwrap();
    let ids: Vec<&str> = asked.queue_configurations().iter().filter_map(|one| one.id()).collect();
    assert_eq!(ids, ["theirs", "longshore-uploads"]);
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_named() {
    let server = ministack();
    let text = format!("{QUEUES}{UPLOADS}");
    let told = setup(&text, &["--yes"], &server.endpoint());
    told.expect(69, &["reading the notifications of bucket uploads", "create the bucket first"]);
}

#[test]
fn a_queue_named_by_its_url_is_not_made() {
    let server = ministack();
    let url = format!("{}/000000000000/orders", server.endpoint());
    let text = QUEUES.replace("queue = \"orders\"", &format!("queue = \"{url}\""));
    let told = setup(&text, &["--yes"], &server.endpoint());
    told.expect(69, &["does not exist", "by their name alone"]);
}

#[tokio::test]
async fn destroying_takes_away_what_setup_made_unless_a_queue_holds_messages() {
    let server = ministack();
    let (s3, sqs) = (aws::s3(&server.endpoint()), aws::sqs(&server.endpoint()));
    bucket(&server, "uploads").await;
    // This one was there before, so it stays.
    sqs.create_queue().queue_name("rejected").send().await.unwrap();
    let text = format!("{QUEUES}{UPLOADS}");
    setup(&text, &["--yes"], &server.endpoint()).expect(0, &["done"]);

    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    sqs.send_message().queue_url(&url).message_body("x").send().await.unwrap();
    let proxy = Proxy::start(&server.endpoint());
    let refused = setup(&text, &["--destroy", "--yes"], &proxy.endpoint());
    refused.expect(75, &["queue orders is not empty: it holds about"]);
    assert_eq!(writes(&proxy), [""; 0]);

    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    let done = setup(&text, &["--destroy", "--yes"], &server.endpoint());
    done.expect(0, &["done  change bucket uploads: no longshore-uploads", "rejected stays"]);
    let left = sqs.list_queues().send().await.unwrap();
    let left: Vec<&str> =
        left.queue_urls().iter().filter_map(|url| url.rsplit('/').next()).collect();
    assert_eq!(left, ["rejected"]);
    let asked = s3.get_bucket_notification_configuration().bucket("uploads").send().await.unwrap();
    assert_eq!(asked.queue_configurations().len(), 0);
    setup(&text, &["--destroy", "--yes"], &server.endpoint()).expect(0, &["nothing to do"]);
}
