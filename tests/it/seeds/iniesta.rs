//! iniesta's examples: what a service announces, what others do with it, and the two commands.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore::aws::Aws;
use longshore::config::{Config, Dialect, Handlers};
use longshore::error::Error;
use longshore::events::{self, Announcement};
use longshore::handler::extract::{Body, Event, State};
use longshore::local::{Local, Options};
use longshore::message::Outgoing;
use longshore::outcome::Failure;
use longshore::shutdown::Shutdown;
use longshore::toolkit::sns::{self, Wishes};
use longshore::toolkit::sqs;
use longshore::toolkit::transport::CanSend;
use longshore::worker::Worker;
use serde_json::json;

use crate::support::daemon::longshore;

type Seen = Arc<Mutex<Vec<String>>>;

struct Bench {
    local: Local,
    aws: Aws,
    directory: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        local.ensure_queue("receiver").unwrap();
        let aws = Aws::through(local.http_client());
        Bench { local, aws, directory }
    }

    fn aws_settings(&self) -> String {
        format!(
            "[aws]\nendpoint_url = \"{}\"\nregion = \"us-east-1\"\naccess_key_id = \"test\"\n\
             secret_access_key = \"test\"\n",
            self.local.endpoint()
        )
    }

    fn settings(&self, of: &str) -> Config {
        let path = self.directory.path().join("longshore.toml");
        std::fs::write(&path, format!("{}{of}", self.aws_settings())).unwrap();
        assert_eq!(Dialect::of(&path), Dialect::Toml);
        Config::load_with(&path, Handlers::InCode).unwrap()
    }
}

/// For producing, and for consuming by event polling.
#[tokio::test(start_paused = true)]
async fn an_event_that_is_published_reaches_its_handler_and_is_deleted() {
    let bench = Bench::new().await;
    let topic = bench.local.ensure_topic("global").unwrap();
    let config = bench.settings(&format!(
        "[events]\nservice = \"producer\"\ntopic = \"{topic}\"\n\
         filters = [\"EventHappened.producer\"]\n[queue.receiver]\nqueue = \"receiver\"\n"
    ));
    let receiver = &config.queues["receiver"];
    let connection = bench.aws.connect(&receiver.aws).await.unwrap();
    let url = sqs::resolve(&connection.sqs, "receiver").await.unwrap();
    let filter = json!({"iniesta_pass": ["EventHappened.producer"]}).to_string();
    let wishes = Wishes { filter: Some(filter), ..Wishes::default() };
    sns::subscribe_queue(&connection.sns, &topic, &connection.sqs, &url, &wishes).await.unwrap();

    // sns.publish_event(event="EventHappened", message={"id": 1}, version=1)
    let announced = Announcement::new("EventHappened").json(&json!({"id": 1})).version(1);
    let publisher = events::publisher(&bench.aws, &config.events).await.unwrap();
    publisher.publish(&announced.outgoing(&config.events).unwrap()).await.unwrap();
    let other = Announcement::new("SomethingElse").outgoing(&config.events).unwrap();
    publisher.publish(&other).await.unwrap();

    let (seen, shutdown) = (Seen::default(), Shutdown::new());
    let stop = shutdown.clone();
    let worker = Worker::builder(Arc::clone(&seen))
        .settings(config)
        .aws(bench.aws.clone())
        // @SQSClient.handler('EventHappened.producer')
        .event(
            "receiver",
            "EventHappened.producer",
            move |Event(event): Event, State(seen): State<Seen>| {
                let stop = stop.clone();
                async move {
                    seen.lock().unwrap().push(event.unwrap_or_default());
                    stop.drain();
                    Ok::<_, Failure>(())
                }
            },
        )
        .build()
        .unwrap();
    let report = worker.run(shutdown).await.unwrap();
    assert_eq!(report.queues["receiver"].done, 1);
    assert_eq!(*seen.lock().unwrap(), ["EventHappened.producer"]);
    let left = sqs::length(&connection.sqs, &url).await.unwrap();
    assert_eq!((left.visible, left.in_flight), (0, 0));
}

/// For consuming by queue polling, and what comes after a message was handled.
#[tokio::test(start_paused = true)]
async fn a_default_handler_that_fails_has_its_message_again() {
    let bench = Bench::new().await;
    let config = bench.settings("[queue.receiver]\nqueue = \"receiver\"\n");
    let connection = bench.aws.connect(&config.queues["receiver"].aws).await.unwrap();
    let queue = sqs::Queue::new(connection.sqs.clone(), "receiver");
    queue.send(Outgoing::text("hello")).await.unwrap();
    let (seen, shutdown) = (Seen::default(), Shutdown::new());
    let stop = shutdown.clone();
    let worker = Worker::builder(Arc::clone(&seen))
        .settings(config)
        .aws(bench.aws.clone())
        // @SQSClient.handler
        .queue("receiver", move |Body(body): Body, State(seen): State<Seen>| {
            let stop = stop.clone();
            async move {
                seen.lock().unwrap().push(body);
                if seen.lock().unwrap().len() == 1 {
                    return Err(Error::new(longshore::error::Kind::Bug, "at first").into());
                }
                stop.drain();
                Ok::<_, Failure>(())
            }
        })
        .build()
        .unwrap();
    let run = tokio::time::timeout(Duration::from_mins(10), worker.run(shutdown));
    let report = run.await.unwrap().unwrap();
    let receiver = &report.queues["receiver"];
    assert_eq!((receiver.retried, receiver.done), (1, 1));
    assert_eq!(*seen.lock().unwrap(), ["hello", "hello"]);
}

#[test]
fn the_commands_print_what_the_document_shows() {
    let run = |command| {
        let launch = longshore([command]).env("INIESTA_SQS_CONSUMER_FILTERS", "[\"some.*\"]");
        let topic = "arn:aws:sns:us-east-1:000000000000:events";
        launch.env("INIESTA_SNS_PRODUCER_GLOBAL_TOPIC_ARN", topic).finish().expect(0, &[]).stdout
    };
    assert_eq!(run("initialization-type"), "InitializationTypes.SNS_PRODUCER|EVENT_POLLING\n");
    assert_eq!(run("filter-policies"), "{\"iniesta_pass\": [{\"prefix\": \"some.\"}]}\n");
}
