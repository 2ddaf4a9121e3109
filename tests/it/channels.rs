//! Channels: published here, received there, by whatever of ours or of AWSimple's wire form.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use longshore::aws::{Aws, Connection};
use longshore::config;
use longshore::local::{Local, Options};
use longshore::shutdown::Shutdown;
use longshore::toolkit::channels::{Channels, Scheme, Subscriber, cleanup, mangle};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    aws,
    daemon::{longshore, program},
    emulator::{Emulator, embedded, ministack},
    venv,
};

struct Bench {
    connection: Connection,
    shutdown: Shutdown,
    _local: Local,
    _directory: tempfile::TempDir,
}

/// What a callback was called with, and when.
type Seen = Arc<Mutex<Vec<(Instant, Value)>>>;

fn settings(endpoint: &str) -> config::Aws {
    config::Aws { endpoint_url: Some(endpoint.to_owned()), sealed: true, ..config::Aws::default() }
}

async fn connect(server: &Emulator) -> Connection {
    Aws::new().connect(&settings(&server.endpoint())).await.unwrap()
}

impl Bench {
    /// The embedded AWS in this runtime, for virtual time.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        let aws = Aws::through(local.http_client());
        let connection = aws.connect(&settings(local.endpoint())).await.unwrap();
        let shutdown = Shutdown::new();
        Self { connection, shutdown, _local: local, _directory: directory }
    }

    fn channels(&self) -> Channels {
        Channels::new(&self.connection)
    }

    /// Runs a subscriber that notes what comes, until so much came.
    async fn note(&self, subscriber: Subscriber, count: usize) -> Vec<(Instant, Value)> {
        let seen = Seen::default();
        let note = |object| {
            let (seen, shutdown) = (Arc::clone(&seen), self.shutdown.clone());
            async move {
                let mut seen = seen.lock().unwrap();
                seen.push((Instant::now(), Value::Object(object)));
                if seen.len() == count {
                    shutdown.drain();
                }
                Ok::<(), String>(())
            }
        };
        subscriber.run(note, &self.shutdown).await.unwrap();
        let seen = seen.lock().unwrap();
        seen.clone()
    }

    async fn length(&self, queue: &longshore::toolkit::sqs::QueueUrl) -> (u64, u64) {
        let sqs = &self.connection.sqs;
        let length = longshore::toolkit::sqs::length(sqs, queue).await.unwrap();
        (length.visible, length.in_flight)
    }
}

#[tokio::test(start_paused = true)]
async fn a10_what_is_published_reaches_the_callback_and_both_stop() {
    let bench = Bench::new().await;
    let subscriber = bench.channels().subscriber("my channel", "here").await.unwrap();
    let queue = subscriber.queue().clone();
    let publisher = bench.channels().publisher("my channel").await.unwrap();
    let began = Instant::now();
    let id = publisher.publish(&json!({ "number": 1 })).await.unwrap();
    assert!(!id.is_empty());
    let seen = bench.note(subscriber, 1).await;
    assert_eq!(seen[0].1, json!({ "number": 1 }));
    assert!(began.elapsed() < Duration::from_mins(1));
    assert_eq!(bench.length(&queue).await, (0, 0), "deleted, since it was handled");
    assert!(publisher.publish(&json!([1])).await.is_err());
}

#[tokio::test]
async fn a11_types_survive_the_way() {
    let server = ministack();
    let channels = Channels::new(&connect(&server).await);
    let subscriber = channels.subscriber("types", "here").await.unwrap();
    let publisher = channels.publisher("types").await.unwrap();
    let message = json!({ "MyNumber": 1, "MyBoolean": true, "MyFloat": 0.666_666_666_666_666_6 });
    publisher.publish(&message).await.unwrap();
    let mut messages = std::pin::pin!(subscriber.messages());
    let received = messages.next().await.unwrap().unwrap();
    assert_eq!(Value::Object(received.object().clone()), message);
    received.done().await.unwrap();
}

#[tokio::test]
async fn a12_topics_and_queues_have_the_names_of_awsimple() {
    let server = embedded();
    let connection = connect(&server).await;
    let channels = Channels::new(&connection);
    let eight = channels.subscriber("a_6.3", "-5").await.unwrap();
    let topic = "psd4gg6yrpd2pieqhchpz2qlc7a52shxy";
    assert_eq!(eight.queue().name(), format!("{topic}dk1zux1ndufnok5x2v4uj3flwtzxpr6"));
    let seven = channels.scheme(Scheme::Seven).subscriber("a_6.3", "-5").await.unwrap();
    assert_eq!(seven.queue().name(), format!("ps{}", mangle(&[&format!("{topic}-5")])));
    let topics = connection.sns.list_topics().send().await.unwrap();
    let arns: Vec<_> = topics.topics().iter().map(|topic| topic.topic_arn().unwrap()).collect();
    assert_eq!(arns, [format!("arn:aws:sns:us-east-1:000000000000:{topic}")]);
}

#[tokio::test(start_paused = true)]
async fn a19_a_burst_of_four_is_there_within_a_second() {
    let bench = Bench::new().await;
    let subscriber = bench.channels().subscriber("burst", "here").await.unwrap();
    let publisher = bench.channels().publisher("burst").await.unwrap();
    let publish = async {
        // The subscriber waits by then.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let began = Instant::now();
        for number in 0..4 {
            publisher.publish(&json!({ "number": number })).await.unwrap();
        }
        began
    };
    let (began, seen) = tokio::join!(publish, bench.note(subscriber, 4));
    assert_eq!(seen.len(), 4);
    for (at, message) in seen {
        assert!(at.duration_since(began) < Duration::from_secs(1), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_callback_could_not_handle_comes_again() {
    let bench = Bench::new().await;
    let subscriber = bench.channels().subscriber("failing", "here").await.unwrap();
    let queue = subscriber.queue().clone();
    let publisher = bench.channels().publisher("failing").await.unwrap();
    publisher.publish(&json!({ "try": "hard" })).await.unwrap();
    // Somebody else's message on our queue: put off, and in nobody's way.
    let send = bench.connection.sqs.send_message().queue_url(queue.as_str());
    send.message_body("no object").send().await.unwrap();
    let tries = Mutex::new(0);
    let handle = |_| {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        let (tries, shutdown) = (*tries, bench.shutdown.clone());
        async move {
            if tries < 3 {
                return Err("not yet");
            }
            shutdown.drain();
            Ok(())
        }
    };
    subscriber.run(handle, &bench.shutdown).await.unwrap();
    assert_eq!(*tries.lock().unwrap(), 3);
    let (visible, in_flight) = bench.length(&queue).await;
    assert_eq!(visible + in_flight, 1, "the one that is no object is still there");
}

#[tokio::test(start_paused = true)]
async fn a_long_callback_keeps_its_message_and_those_behind_it() {
    let bench = Bench::new().await;
    let subscriber = bench.channels().subscriber("slow", "here").await.unwrap();
    let publisher = bench.channels().publisher("slow").await.unwrap();
    for number in 0..3 {
        publisher.publish(&json!({ "number": number })).await.unwrap();
    }
    let seen = Mutex::new(Vec::new());
    let handle = |object: longshore::toolkit::channels::Object| {
        let (seen, shutdown) = (&seen, &bench.shutdown);
        async move {
            tokio::time::sleep(Duration::from_mins(5)).await;
            let mut seen = seen.lock().unwrap();
            seen.push(object["number"].as_u64().unwrap());
            if seen.len() == 3 {
                shutdown.drain();
            }
            Ok::<(), String>(())
        }
    };
    let queue = subscriber.queue().clone();
    subscriber.run(handle, &bench.shutdown).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2], "each once");
    assert_eq!(bench.length(&queue).await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nodes_each_get_all_and_subscribers_of_one_node_share() {
    let bench = Bench::new().await;
    let channels = bench.channels();
    let one = channels.subscriber("news", "one").await.unwrap();
    let two = channels.subscriber("news", "two").await.unwrap();
    let again = channels.subscriber("news", "one").await.unwrap();
    assert_eq!(one.queue(), again.queue());
    let publisher = channels.publisher("news").await.unwrap();
    publisher.publish(&json!({ "n": 1 })).await.unwrap();
    for subscriber in [one, two] {
        assert_eq!(bench.length(subscriber.queue()).await, (1, 0));
    }
}

#[tokio::test]
async fn it_meets_the_wire_form_of_others_on_one_channel() {
    let server = ministack();
    let channels = Channels::new(&connect(&server).await);
    let subscriber = channels.subscriber("shared", "ours").await.unwrap();
    let topic = format!("ps{}", mangle(&["shared"]));
    // As AWSimple: the topic is found by its name, the queue reads the envelope's `Message`.
    let script = r"
import boto3, json, sys
topic, queue = sys.argv[1:]
sns, sqs = boto3.client('sns'), boto3.client('sqs')
made = sns.create_topic(Name=topic, Attributes={'DisplayName': topic})['TopicArn']
arns = [t['TopicArn'] for t in sns.list_topics()['Topics'] if t['TopicArn'].split(':')[-1] == topic]
assert arns == [made], arns
url = sqs.create_queue(QueueName=queue)['QueueUrl']
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['QueueArn'])['Attributes']['QueueArn']
sns.subscribe(TopicArn=made, Protocol='sqs', Endpoint=arn)
sns.publish(TopicArn=made, Message=json.dumps({'from': 'python', 'n': 0.1}))
print('published', flush=True)
sys.stdin.readline()
seen = []
while len(seen) < 2:
    got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)
    seen += [json.loads(json.loads(m['Body'])['Message']) for m in got.get('Messages', [])]
    for m in got.get('Messages', []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=m['ReceiptHandle'])
print('seen', json.dumps(sorted(seen, key=str)), flush=True)
";
    let theirs = format!("ps{}", mangle(&[&format!("{topic}theirs")]));
    let launch = program(&venv("python"), ["-c", script, &topic, &theirs]);
    let launch = launch.env("AWS_DEFAULT_REGION", "us-east-1").endpoint(&server.endpoint());
    let mut python = launch.piped().start();
    let patience = crate::support::PATIENCE;
    python.wait_for_line(|line| line == "published", patience);
    let mut messages = std::pin::pin!(subscriber.messages());
    let received = messages.next().await.unwrap().unwrap();
    assert_eq!(Value::Object(received.object().clone()), json!({ "from": "python", "n": 0.1 }));
    received.done().await.unwrap();

    let publisher = channels.publisher("shared").await.unwrap();
    publisher.publish(&json!({ "from": "rust" })).await.unwrap();
    std::io::Write::write_all(&mut python.input(), b"go on\n").unwrap();
    let line = python.wait_for_line(|line| line.starts_with("seen "), patience);
    let seen: Value = serde_json::from_str(line.strip_prefix("seen ").unwrap()).unwrap();
    assert_eq!(seen, json!([{ "from": "python", "n": 0.1 }, { "from": "rust" }]));
}

#[tokio::test]
async fn cleanup_takes_tagged_queues_that_are_old_and_empty_and_no_others() {
    let server = embedded();
    let connection = connect(&server).await;
    let channels = Channels::new(&connection);
    let age = async |channel: &str, at: &str| {
        let subscriber = channels.subscriber(channel, "here").await.unwrap();
        let tag = connection.sqs.tag_queue().queue_url(subscriber.queue().as_str());
        tag.tags("longshore:channel-last-use", at).send().await.unwrap();
        subscriber.queue().clone()
    };
    let old = "2001-02-03T04:05:06.000Z";
    let gone = age("gone", old).await;
    let full = age("full", old).await;
    let odd = age("odd", "last winter").await;
    let fresh = channels.subscriber("fresh", "here").await.unwrap().queue().clone();
    let sqs = aws::sqs(&server.endpoint());
    sqs.send_message().queue_url(full.as_str()).message_body("x").send().await.unwrap();
    sqs.create_queue().queue_name("psychology").send().await.unwrap();

    let local = format!("--local={}", server.endpoint());
    let cleanup = |args: &[&str]| longshore(["channels", "cleanup", &local]).args(args).finish();
    let line = format!("unused {}, last used {old}", gone.name());
    cleanup(&[]).expect(0, &[&line, "1 unused queue; delete with --yes"]);
    let listed = sqs.list_queues().send().await.unwrap();
    assert_eq!(listed.queue_urls().len(), 5, "nothing is deleted unasked");

    let told: Value = serde_json::from_str(&cleanup(&["--yes", "--json"]).stdout).unwrap();
    assert_eq!((&told["queue"], &told["deleted"]), (&gone.name().into(), &true.into()));
    let listed = sqs.list_queues().send().await.unwrap();
    let mut left: Vec<&str> =
        listed.queue_urls().iter().map(|url| url.rsplit('/').next().unwrap()).collect();
    left.sort_unstable();
    let mut wanted = [full.name(), odd.name(), fresh.name(), "psychology"];
    wanted.sort_unstable();
    assert_eq!(left, wanted);
    let subscriptions = connection.sns.list_subscriptions().send().await.unwrap();
    assert_eq!(subscriptions.subscriptions().len(), 3, "that of the deleted queue is gone too");
    cleanup(&["--yes"]).expect(0, &["0 unused queues, 0 deleted"]);
}

#[tokio::test]
async fn what_came_into_use_again_is_not_deleted() {
    let server = embedded();
    let connection = connect(&server).await;
    let channels = Channels::new(&connection);
    let subscriber = channels.subscriber("sleeping", "here").await.unwrap();
    let queue = subscriber.queue().clone();
    let tag = connection.sqs.tag_queue().queue_url(queue.as_str());
    let old = "2001-02-03T04:05:06.000Z";
    tag.tags("longshore:channel-last-use", old).send().await.unwrap();
    let unused = cleanup::unused(&channels).await.unwrap();
    assert_eq!(unused.len(), 1);
    // Starting deletes nothing, and notes the use.
    channels.subscriber("sleeping", "here").await.unwrap();
    assert!(!cleanup::delete(&channels, &unused[0]).await.unwrap());
    assert!(cleanup::unused(&channels).await.unwrap().is_empty());
    assert!(longshore::toolkit::sqs::exists(&connection.sqs, queue.name()).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn the_last_use_is_noted_at_the_start_and_once_a_day() {
    let bench = Bench::new().await;
    let subscriber = bench.channels().subscriber("daily", "here").await.unwrap();
    let queue = subscriber.queue().clone();
    let tags = async || {
        let ask = bench.connection.sqs.list_queue_tags().queue_url(queue.as_str());
        ask.send().await.unwrap().tags.unwrap_or_default()
    };
    let untag = bench.connection.sqs.untag_queue().queue_url(queue.as_str());
    assert!(tags().await.contains_key("longshore:channel-last-use"));
    untag.tag_keys("longshore:channel-last-use").send().await.unwrap();
    let began = Instant::now();
    let watch = async {
        while !tags().await.contains_key("longshore:channel-last-use") {
            tokio::time::sleep(Duration::from_mins(10)).await;
        }
        bench.shutdown.drain();
        began.elapsed()
    };
    let handle = |_| async { Ok::<(), String>(()) };
    let (took, ended) = tokio::join!(watch, subscriber.run(handle, &bench.shutdown));
    ended.unwrap();
    let day = Duration::from_hours(24);
    assert!((day..day + Duration::from_mins(20)).contains(&took), "{took:?}");
}
