//! pylon's components with functions as their work, in virtual time on the embedded AWS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore::aws::Aws;
use longshore::config::{self, Config};
use longshore::error::Kind;
use longshore::local::{Local, Options};
use longshore::message::Message;
use longshore::outcome::Failure;
use longshore::payload::{Store, codec::Pylon};
use longshore::pylon::{Component, Settings, Work};
use longshore::shutdown::Shutdown;
use longshore::toolkit::receive;
use longshore::toolkit::sqs::Queue;
use longshore::toolkit::transport::CanSend;
use longshore::worker::Worker;
use serde_json::{Value, json};
use uuid::Uuid;

struct Bench {
    aws: Aws,
    account: config::Aws,
    shutdown: Shutdown,
    _local: Local,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        for queue in ["in", "out"] {
            local.ensure_queue(queue).unwrap();
        }
        local.ensure_bucket("test-bucket").await.unwrap();
        let account = config::Aws {
            endpoint_url: Some(local.endpoint().to_owned()),
            sealed: true,
            ..config::Aws::default()
        };
        let aws = Aws::through(local.http_client()).with(account.clone());
        let shutdown = Shutdown::new();
        Bench { aws, account, shutdown, _local: local, _directory: directory }
    }

    fn component(&self, settings: Value, work: Work) -> Component {
        let settings = Settings::parse(&settings.to_string()).unwrap();
        Component::new(settings, work, self.aws.clone(), self.account.clone())
    }

    fn worker(&self, component: Component) -> Worker {
        let base = Config { aws: self.account.clone(), ..Config::of_environment().unwrap() };
        let config = component.settings().among(base);
        Worker::component(config, component).unwrap()
    }

    async fn queue(&self, name: &str) -> Queue {
        self.aws.queue("us-east-1", name).await.unwrap()
    }

    async fn bodies(&self, queue: &str) -> Vec<String> {
        let queue = self.queue(queue).await;
        let got = receive::many(&queue, 100, Duration::ZERO, async |messages: Vec<Message>| {
            let read = messages.iter().map(Pylon::decode);
            read.map(|message| message.map(|message| message.body.unwrap())).collect()
        });
        let mut bodies: Vec<String> = got.await.unwrap().unwrap_or_default();
        bodies.sort();
        bodies
    }
}

#[tokio::test(start_paused = true)]
async fn p14_a_source_sends_all_but_the_nothings_among_what_it_gives() {
    let bench = Bench::new().await;
    let settings = json!({"PYLON_OUTPUT": "sqs://out"});
    let of = |bodies: &'static [Option<&'static str>]| {
        Work::function(move |input: Option<Pylon>, _settings| async move {
            assert!(input.is_none());
            Ok::<_, Failure>(bodies.iter().map(|body| body.map(Pylon::raw)).collect::<Vec<_>>())
        })
    };
    let gives = of(&[Some("a"), None, Some("b"), None]);
    let worker = bench.worker(bench.component(settings.clone(), gives));
    worker.once().run(bench.shutdown.clone()).await.unwrap();
    assert_eq!(bench.bodies("out").await, ["a", "b"]);
    for nothing in [of(&[None, None]), Work::function(async |_, _| Ok::<(), Failure>(()))] {
        let worker = bench.worker(bench.component(settings.clone(), nothing));
        worker.once().run(bench.shutdown.clone()).await.unwrap();
        assert_eq!(bench.bodies("out").await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_pauses_for_a_minute_and_a_stop_does_not_wait_for_it() {
    let bench = Bench::new().await;
    let began = tokio::time::Instant::now();
    let runs = Arc::new(Mutex::new(Vec::new()));
    let (writes, stop) = (Arc::clone(&runs), bench.shutdown.clone());
    let work = Work::function(move |_, _| {
        writes.lock().unwrap().push(began.elapsed().as_secs());
        if writes.lock().unwrap().len() == 3 {
            stop.drain();
        }
        async { Ok::<(), Failure>(()) }
    });
    bench.worker(bench.component(json!({}), work)).run(bench.shutdown.clone()).await.unwrap();
    assert_eq!(*runs.lock().unwrap(), [0, 60, 120]);
    assert_eq!(began.elapsed().as_secs(), 120);
}

#[tokio::test(start_paused = true)]
async fn a_function_gets_the_message_and_the_settings_and_what_it_says_counts() {
    let bench = Bench::new().await;
    let sent = Pylon {
        ingestion_id: Some("aaaa".to_owned()),
        custom_attributes: [("tint".to_owned(), "red".to_owned())].into(),
        ..Pylon::raw("hello")
    };
    bench.queue("in").await.send(sent.encode().unwrap()).await.unwrap();
    let (runs, stop) = (Arc::new(Mutex::new(0)), bench.shutdown.clone());
    let (counts, wanted) = (Arc::clone(&runs), sent.clone());
    let work = Work::function(move |input: Option<Pylon>, settings: Arc<Settings>| {
        assert!(input.as_ref() == Some(&wanted));
        *counts.lock().unwrap() += 1;
        let (first, stop) = (*counts.lock().unwrap() == 1, stop.clone());
        async move {
            if first {
                return Err(Failure::retry_after(Duration::from_mins(5), "not yet"));
            }
            stop.drain();
            let word = settings.values()["MY_VAR"].as_str().unwrap_or_default().to_owned();
            Ok(Some(Pylon::raw(word)))
        }
    });
    let settings =
        json!({"PYLON_INPUT": "sqs://in", "PYLON_OUTPUT": "sqs://out", "MY_VAR": "yeet"});
    let worker = bench.worker(bench.component(settings, work));
    let report = worker.run(bench.shutdown.clone()).await.unwrap();
    assert_eq!((report.queues["pylon"].retried, report.queues["pylon"].done), (1, 1));
    assert_eq!(bench.bodies("out").await, ["yeet"]);
    assert_eq!(*runs.lock().unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn p11_checked_in_and_out_again() {
    let bench = Bench::new().await;
    let s3 = bench.aws.s3("us-east-1").await.unwrap();
    let store = Store::read("s3://test-bucket/test.prefix/").unwrap();
    let name = Uuid::new_v4();
    let path = format!("s3://test-bucket/test.prefix/{name}");
    for body in ["hello", "really big string"] {
        let mut message = Pylon::raw(body);
        let object = store.check_in(&s3, &mut message, name).await.unwrap();
        assert_eq!(object.to_string(), path);
        assert_eq!(message.payload_store_key.as_deref(), Some(&*path));
        assert_eq!(message.body.as_deref(), Some(&*path));
        Store::check_out(&s3, &mut message).await.unwrap();
        assert!(message == Pylon::raw(body));
    }
    let listed = s3.list_objects_v2().bucket("test-bucket").send().await.unwrap();
    assert_eq!(listed.key_count(), Some(1), "the same name replaces");
    let mut inline = Pylon::raw("inline");
    assert!(Store::check_out(&s3, &mut inline).await.unwrap().is_none());
    assert!(inline == Pylon::raw("inline"));
    let key = Some("s3://test-bucket/none".to_owned());
    let mut gone = Pylon { payload_store_key: key, ..Pylon::raw("") };
    let error = Store::check_out(&s3, &mut gone).await.unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.to_string().contains("not there"), "{error}");
    for wrong in ["", "bucket", "s3://", "s3:///prefix", "http://bucket/prefix"] {
        assert!(Store::read(wrong).is_err(), "{wrong}");
    }
}

fn record(id: &str) -> Value {
    let text = |text: &str| json!({"stringValue": text, "dataType": "String"});
    json!({
        "messageId": format!("message-{id}"),
        "body": format!("body {id}"),
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:in",
        "messageAttributes": {
            "payloadMimeType": text("text"),
            "objectType": text("rawContent"),
            "ingestionId": text(id),
            "artifactName": text("None"),
            "artifactVersion": text("None"),
        },
    })
}

#[tokio::test(start_paused = true)]
async fn p16_each_record_of_an_event_is_run_and_what_fails_is_an_error() {
    let bench = Bench::new().await;
    let work = Work::function(|input: Option<Pylon>, _settings| async move {
        let message = input.unwrap();
        if message.body.as_deref() == Some("body cccc") {
            return Err(Failure::permanent("no such luck"));
        }
        Ok(Pylon::raw(format!("{} {}", message.ingestion_id.unwrap(), message.body.unwrap())))
    });
    let settings = json!({"PYLON_INPUT": "sqs://in", "PYLON_OUTPUT": "sqs://out"});
    let component = bench.component(settings, work);
    let event = json!({"Records": [record("aaaa"), record("bbbb")]});
    component.lambda_handler(&event).await.unwrap();
    assert_eq!(bench.bodies("out").await, ["aaaa body aaaa", "bbbb body bbbb"]);
    let event = json!({"Records": [record("aaaa"), record("cccc"), record("bbbb")]});
    let error = component.lambda_handler(&event).await.unwrap_err().to_string();
    assert!(error.contains("message-cccc") && error.contains("no such luck"), "{error}");
    assert_eq!(bench.bodies("out").await, ["aaaa body aaaa"]);
    let error = component.lambda_handler(&json!({"foo": "bar"})).await.unwrap_err();
    assert!(error.to_string().contains("Unable to determine the event type"), "{error}");
}
