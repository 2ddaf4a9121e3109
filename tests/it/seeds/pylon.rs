//! pylon's examples of queues and topics, in virtual time on the embedded AWS.

use std::collections::BTreeSet;
use std::io::{BufRead, Cursor};
use std::time::Duration;

use futures_util::stream;
use longshore::aws::Aws;
use longshore::config;
use longshore::error::Error;
use longshore::local::{Local, Options};
use longshore::message::Message;
use longshore::payload::codec::Pylon;
use longshore::shutdown::Shutdown;
use longshore::toolkit::receive;
use longshore::toolkit::sns::{self, Endpoint, Wishes};
use longshore::toolkit::sqs::redrive::{self, End, Ending};
use longshore::toolkit::sqs::{self, Queue};
use longshore::toolkit::transport::CanSend;

struct Bench {
    aws: Aws,
    local: Local,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        for queue in ["my-queue", "dead-letters", "pylon_demo_in"] {
            local.ensure_queue(queue).unwrap();
        }
        let settings = config::Aws {
            endpoint_url: Some(local.endpoint().to_owned()),
            sealed: true,
            ..config::Aws::default()
        };
        let aws = Aws::through(local.http_client()).with(settings);
        Bench { aws, local, _directory: directory }
    }

    async fn queue(&self, name: &str) -> Queue {
        self.aws.queue("us-east-1", name).await.unwrap()
    }
}

async fn length(queue: &Queue) -> u64 {
    sqs::length(queue.client(), &queue.url().await.unwrap()).await.unwrap().visible
}

fn body(message: &Message) -> String {
    Pylon::decode(message).unwrap().body.unwrap()
}

/// The message of the document, field by field.
fn very_cool_message() -> Pylon {
    Pylon {
        body: Some("very cool message".to_owned()),
        payload_mime_type: Some("text".to_owned()),
        object_type: Some("rawContent".to_owned()),
        ..Pylon::default()
    }
}

#[tokio::test(start_paused = true)]
async fn send_message_and_get_message() {
    let bench = Bench::new().await;
    let queue = bench.queue("my-queue").await;
    queue.send(very_cool_message().encode().unwrap()).await.unwrap();
    assert_eq!(length(&queue).await, 1);
    let got = receive::one(&queue, Duration::ZERO, async |message| Pylon::decode(&message));
    assert!(got.await.unwrap() == Some(very_cool_message()));
    assert_eq!(length(&queue).await, 0, "removed from the queue");
}

#[tokio::test(start_paused = true)]
async fn send_messages_takes_a_generator_and_get_messages_up_to_ten() {
    let bench = Bench::new().await;
    let queue = bench.queue("my-queue").await;
    let messages = (0..200).map(|i| Pylon::raw(format!("Message number {i}")).encode().unwrap());
    let report = queue.send_all(stream::iter(messages)).await.unwrap();
    assert_eq!((report.sent, report.failed.len()), (200, 0));
    assert_eq!(length(&queue).await, 200);
    let got = receive::many(&queue, 10, Duration::ZERO, async |messages: Vec<Message>| {
        Ok::<_, Error>(messages.iter().map(body).collect::<BTreeSet<_>>())
    });
    let got = got.await.unwrap().unwrap();
    assert_eq!(got.len(), 10);
    assert!(got.iter().all(|body| body.starts_with("Message number ")));
    assert_eq!(length(&queue).await, 190, "the ten were deleted at once");
}

#[tokio::test(start_paused = true)]
async fn all_messages_are_transferred_from_the_dead_letter_queue() {
    let bench = Bench::new().await;
    let (dead, main) = (bench.queue("dead-letters").await, bench.queue("my-queue").await);
    let messages = (0..25).map(|i| Pylon::raw(format!("{i}")).encode().unwrap());
    dead.send_all(stream::iter(messages)).await.unwrap();
    let end = async |queue: &Queue| End {
        client: queue.client().clone(),
        url: queue.url().await.unwrap(),
    };
    let (from, to) = (end(&dead).await, end(&main).await);
    let options = redrive::Options::default();
    let summary = redrive::redrive(from, to, options, Shutdown::new(), |_| ()).await.unwrap();
    assert!(matches!(summary.ending, Ending::Empty), "{summary:?}");
    assert_eq!((summary.moved, length(&dead).await, length(&main).await), (25, 0, 25));
}

#[tokio::test(start_paused = true)]
async fn what_is_typed_is_added_line_by_line() {
    let bench = Bench::new().await;
    let queue = bench.queue("pylon_demo_in").await;
    for body in Cursor::new("one\ntwo\n").lines() {
        queue.send(Pylon::raw(body.unwrap()).encode().unwrap()).await.unwrap();
    }
    let got = receive::many(&queue, 10, Duration::ZERO, async |messages: Vec<Message>| {
        Ok::<_, Error>(messages.iter().map(body).collect::<BTreeSet<_>>())
    });
    assert_eq!(got.await.unwrap(), Some(BTreeSet::from(["one".to_owned(), "two".to_owned()])));
}

#[tokio::test(start_paused = true)]
async fn a_topic_posts_a_single_message() {
    let bench = Bench::new().await;
    let arn = bench.local.ensure_topic("my_topic").unwrap();
    let queue = bench.queue("my-queue").await;
    let client = bench.aws.sns("us-east-1").await.unwrap();
    let wishes = Wishes { raw: Some(true), ..Wishes::default() };
    let to = Endpoint::Queue("arn:aws:sqs:us-east-1:000000000000:my-queue".to_owned());
    sns::subscribe(&client, &arn, &to, &wishes).await.unwrap();
    let topic = bench.aws.topic("us-east-1", &arn).await.unwrap();
    topic.send(very_cool_message().encode().unwrap()).await.unwrap();
    let got =
        receive::one(&queue, Duration::from_secs(20), async |message| Pylon::decode(&message));
    assert!(got.await.unwrap() == Some(very_cool_message()));
}
