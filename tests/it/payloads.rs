//! Payloads through the real pipeline, in virtual time against the embedded AWS. The real binary
//! with other hands stands in `queues::payloads`.

mod formats;
mod malformed;
mod nesting;
mod pointers;
mod stalling;
mod wrap;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::types::MessageAttributeValue;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use longshore::aws::{Aws, Connection};
use longshore::config::{self, Config, Payload, Step};
use longshore::error::Result;
use longshore::local::{Local, Options};
use longshore::message::Message;
use longshore::outcome::Outcome;
use longshore::shutdown::Shutdown;
use longshore::worker::{Report, Worker};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Where the objects of pointers lie.
const BUCKET: &str = "payloads";

/// Any number of queues, each with its own steps; all share one handler and one `dead` queue.
struct Bench {
    local: Local,
    connection: Connection,
    aws: config::Aws,
    /// How the worker reaches AWS.
    http: SharedHttpClient,
    queues: BTreeMap<String, config::Queue>,
    shutdown: Shutdown,
    seen: Arc<Mutex<Vec<Arc<Message>>>>,
    _directory: tempfile::TempDir,
}

fn steps(written: &[&str]) -> Payload {
    let steps = written.iter().map(|step| Step::read(step).unwrap()).collect();
    Payload { steps, ..Payload::default() }
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        let aws = config::Aws {
            endpoint_url: Some(local.endpoint().to_owned()),
            sealed: true,
            ..config::Aws::default()
        };
        let connection = Aws::through(local.http_client()).connect(&aws).await.unwrap();
        local.ensure_bucket(BUCKET).await.unwrap();
        local.ensure_queue("dead").unwrap();
        Self {
            http: local.http_client(),
            local,
            connection,
            aws,
            queues: BTreeMap::new(),
            shutdown: Shutdown::new(),
            seen: Arc::default(),
            _directory: directory,
        }
    }

    /// A queue whose messages are unpacked so.
    fn queue(&mut self, name: &str, payload: Payload) {
        self.local.ensure_queue(name).unwrap();
        let queue = config::Queue {
            aws: self.aws.clone(),
            payload,
            dead_letter_queue: Some("dead".to_owned()),
            ..config::Queue::new(name)
        };
        self.queues.insert(name.to_owned(), queue);
    }

    fn url(&self, queue: &str) -> String {
        format!("{}/000000000000/{queue}", self.local.endpoint())
    }

    async fn send(&self, queue: &str, parcel: &wrap::Parcel) {
        let sqs = &self.connection.sqs;
        let mut send = sqs.send_message().queue_url(self.url(queue)).message_body(parcel.text());
        for (name, (data_type, value)) in &parcel.attributes {
            let value =
                MessageAttributeValue::builder().data_type(data_type).string_value(value).build();
            send = send.message_attributes(name, value.unwrap());
        }
        send.send().await.unwrap();
    }

    fn start(&self) -> JoinHandle<Result<Report>> {
        self.start_with(|_| Outcome::Done)
    }

    fn start_with(
        &self,
        judge: impl Fn(&Message) -> Outcome + Clone + Send + Sync + 'static,
    ) -> JoinHandle<Result<Report>> {
        let config =
            Config { spools: BTreeMap::new(), queues: self.queues.clone(), ..Config::trial() };
        let mut builder = Worker::builder(()).settings(config);
        builder = builder.aws(Aws::through(self.http.clone()));
        for name in self.queues.keys() {
            let (seen, judge) = (Arc::clone(&self.seen), judge.clone());
            builder = builder.queue(name, move |message: Arc<Message>| {
                let outcome = judge(&message);
                seen.lock().unwrap().push(message);
                async move { outcome }
            });
        }
        let worker = builder.build().unwrap();
        tokio::spawn(worker.run(self.shutdown.clone()))
    }

    async fn stop(&self, running: JoinHandle<Result<Report>>) -> Report {
        self.shutdown.drain();
        self.local.drain();
        running.await.unwrap().unwrap()
    }

    /// Visible and hidden messages.
    async fn count(&self, queue: &str) -> u32 {
        let ask = self.connection.sqs.get_queue_attributes().queue_url(self.url(queue));
        let answer = ask.attribute_names("All".into()).send().await.unwrap().attributes.unwrap();
        let count = |name: &str| answer[&name.into()].parse::<u32>().unwrap();
        count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesNotVisible")
    }

    async fn until_empty(&self) {
        for queue in self.queues.keys() {
            let limit = Instant::now() + Duration::from_hours(1);
            while self.count(queue).await > 0 {
                assert!(Instant::now() < limit, "{queue} is never empty");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// What the handler got from this queue.
    fn got(&self, queue: &str) -> Vec<Arc<Message>> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|message| message.queue == queue).cloned().collect()
    }

    /// All dead letters: their body and the reason beside it.
    async fn dead(&self) -> Vec<(String, String)> {
        self.dead_letters()
            .await
            .into_iter()
            .map(|dead| {
                let reason = dead.message_attributes.unwrap().remove("longshore_reason").unwrap();
                (dead.body.unwrap(), reason.string_value.unwrap())
            })
            .collect()
    }

    async fn dead_letters(&self) -> Vec<aws_sdk_sqs::types::Message> {
        let mut all = Vec::new();
        loop {
            let receive = self.connection.sqs.receive_message().queue_url(self.url("dead"));
            let receive = receive.max_number_of_messages(10).message_attribute_names("All");
            let receive = receive.message_system_attribute_names("All".into());
            let some = receive.send().await.unwrap().messages.unwrap_or_default();
            if some.is_empty() {
                return all;
            }
            all.extend(some);
        }
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) {
        let put = self.connection.s3.put_object().bucket(BUCKET).key(key).body(bytes.into());
        put.send().await.unwrap();
    }

    async fn has_object(&self, key: &str) -> bool {
        self.connection.s3.head_object().bucket(BUCKET).key(key).send().await.is_ok()
    }
}
