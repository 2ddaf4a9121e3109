//! One AWS, one proxy before it, one directory for handlers and what they leave behind.

use crate::support::{
    PATIENCE, aws,
    daemon::{Daemon, Launch, longshore},
    emulator::{Emulator, ministack},
    eventually,
    exchange::{End, Exchange, Record},
    proxy::{Fault, Proxy},
    wire::Server,
};
use aws_sdk_sqs::types::{Message, MessageAttributeValue, QueueAttributeName};
use http_body_util::{BodyExt, Full};
use hyper::{Response, body::Bytes};
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Whoever plays AWS; dropping it ends it.
enum Sky {
    Embedded { _server: Daemon },
    Ministack { _server: Emulator },
}

pub(crate) struct Ground {
    _sky: Sky,
    /// Where the test's own client goes, past the proxy.
    pub(crate) upstream: String,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) proxy: Proxy,
    place: TempDir,
}

/// The embedded AWS as a process of its own, which hears nothing of a worker's drain.
pub(crate) fn embedded() -> Ground {
    let server = longshore(["local", "aws"]).start();
    let banner = server.wait_for_line(|line| line.contains("at http://127.0.0.1:"), PATIENCE);
    let (_, upstream) = banner.split_once(" at ").unwrap();
    let upstream = upstream.split([';', ' ']).next().unwrap().to_owned();
    Ground::new(Sky::Embedded { _server: server }, upstream)
}

pub(crate) fn on_ministack() -> Ground {
    let server = ministack();
    let upstream = server.endpoint();
    Ground::new(Sky::Ministack { _server: server }, upstream)
}

impl Ground {
    fn new(sky: Sky, upstream: String) -> Ground {
        let place = TempDir::new().unwrap();
        let (sqs, proxy) = (aws::sqs(&upstream), Proxy::start(&upstream));
        Ground { _sky: sky, upstream, sqs, proxy, place }
    }

    /// Makes a queue with attributes such as `("VisibilityTimeout", "2")`.
    pub(crate) async fn queue(&self, name: &str, attributes: &[(&str, &str)]) {
        let mut create = self.sqs.create_queue().queue_name(name);
        for (name, value) in attributes {
            create = create.attributes(QueueAttributeName::from(*name), *value);
        }
        create.send().await.unwrap();
    }

    pub(crate) fn url(&self, queue: &str) -> String {
        format!("{}/000000000000/{queue}", self.upstream)
    }

    pub(crate) async fn send(&self, queue: &str, body: &str) {
        self.send_with(queue, body, &[]).await;
    }

    pub(crate) async fn send_with(
        &self,
        queue: &str,
        body: &str,
        attributes: &[(&str, MessageAttributeValue)],
    ) {
        let send = self.sqs.send_message().queue_url(self.url(queue)).message_body(body);
        let attributes: HashMap<_, _> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        send.set_message_attributes(Some(attributes)).send().await.unwrap();
    }

    pub(crate) async fn send_in_group(&self, queue: &str, group: &str, body: &str) {
        let send = self.sqs.send_message().queue_url(self.url(queue)).message_body(body);
        send.message_group_id(group).message_deduplication_id(body).send().await.unwrap();
    }

    /// Visible, and hidden, messages.
    pub(crate) async fn counts(&self, queue: &str) -> (usize, usize) {
        let ask = self.sqs.get_queue_attributes().queue_url(self.url(queue));
        let answer = ask.attribute_names(QueueAttributeName::All).send().await.unwrap();
        let attributes = answer.attributes.unwrap();
        let count = |name: &str| attributes[&QueueAttributeName::from(name)].parse().unwrap();
        (count("ApproximateNumberOfMessages"), count("ApproximateNumberOfMessagesNotVisible"))
    }

    /// Makes SQS deliver again what one daemon holds, as it may by its own rules.
    pub(crate) async fn deliver_again(&self, queue: &str) {
        let change = self.sqs.change_message_visibility().queue_url(self.url(queue));
        let change = change.receipt_handle(self.handles().pop().unwrap()).visibility_timeout(0);
        change.send().await.unwrap();
    }

    /// The handle of the first message of each receive that brought any.
    pub(crate) fn handles(&self) -> Vec<String> {
        let polls = self.proxy.of("ReceiveMessage").into_iter();
        let handle = |reply: &[u8]| {
            let reply: Value = serde_json::from_slice(reply).ok()?;
            Some(reply["Messages"][0]["ReceiptHandle"].as_str()?.to_owned())
        };
        polls.filter_map(|poll| handle(&poll.reply)).collect()
    }

    pub(crate) async fn wait_empty(&self, queue: &str) {
        self.wait_counts(queue, (0, 0)).await;
    }

    pub(crate) async fn wait_counts(&self, queue: &str, wanted: (usize, usize)) {
        self.wait_until(queue, |counts| counts == wanted).await;
    }

    /// Waits until so many are left, visible or hidden.
    pub(crate) async fn wait_left(&self, queue: &str, wanted: usize) {
        self.wait_until(queue, |(visible, hidden)| visible + hidden == wanted).await;
    }

    async fn wait_until(&self, queue: &str, holds: impl Fn((usize, usize)) -> bool) {
        let began = Instant::now();
        loop {
            let counts = self.counts(queue).await;
            if holds(counts) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{queue} has {counts:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All messages that are visible right now.
    pub(crate) async fn visible(&self, queue: &str) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(self.url(queue));
            let receive = receive.max_number_of_messages(10).message_attribute_names("All");
            let receive = receive.message_system_attribute_names("All".into());
            let messages = receive.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return all;
            }
            all.extend(messages);
        }
    }

    /// A shell script for `exec`; `$D` in it is this ground's directory.
    pub(crate) fn script(&self, name: &str, text: &str) -> String {
        let text = format!("#!/bin/sh\nD='{}'\n{text}\n", self.place.path().display());
        // Renamed into place: no child of ours ever holds it open for writing when it is run.
        let (draft, path) = (self.path(&format!("{name}.draft")), self.path(name));
        fs::write(&draft, text).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(draft, &path).unwrap();
        path.display().to_string()
    }

    /// A table of settings that runs such a script.
    pub(crate) fn exec(&self, table: &str, name: &str, text: &str) -> String {
        format!("[{table}.exec]\ncommand = [{:?}]\n", self.script(name, text))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// The whole lines of a file that handlers append to.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn wait_lines(&self, name: &str, count: usize) -> Vec<String> {
        eventually(&format!("{count} lines in {name}"), PATIENCE, || {
            self.lines(name).len() >= count
        });
        self.lines(name)
    }

    pub(crate) fn launch(&self, settings: &str) -> Launch {
        let path = self.path("longshore.toml");
        fs::write(&path, settings).unwrap();
        let launch = longshore(["run", "--config", path.to_str().unwrap()]);
        launch.endpoint(&self.proxy.endpoint())
    }

    pub(crate) fn run(&self, settings: &str) -> Daemon {
        self.launch(settings).start()
    }

    /// The bodies of all calls of one operation, with when they arrived.
    pub(crate) fn calls(&self, operation: &str) -> Vec<(Instant, Value)> {
        let all = self.proxy.of(operation).into_iter();
        all.map(|seen| (seen.at, serde_json::from_slice(&seen.body).unwrap())).collect()
    }

    /// What is true of every run: no poll was closed before its reply.
    pub(crate) fn no_poll_was_dropped(&self) {
        let polls = self.proxy.of("ReceiveMessage");
        let dropped = polls.iter().filter(|poll| poll.end == End::Abandoned).count();
        assert_eq!(dropped, 0, "of {} polls", polls.len());
    }
}

/// Every delete that came by, with how much handlers had recorded by then.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<Vec<(Value, usize)>>>);

impl Ground {
    /// Watches deletes; handlers append a line to `evidence` for each message, after their work.
    pub(crate) fn watch_deletes(&self, evidence: &str) -> Witness {
        let (witness, path) = (Witness::default(), self.path(evidence));
        let writes = witness.clone();
        let look = move |seen: &Exchange| {
            if seen.operation() == "DeleteMessageBatch" {
                let lines = fs::read_to_string(&path).unwrap_or_default().matches('\n').count();
                let call = serde_json::from_slice(&seen.body).unwrap();
                writes.0.lock().unwrap().push((call, lines));
            }
            false
        };
        self.proxy.on(1, look, Fault::CutBefore);
        witness
    }

    /// Each message was recorded, by the line that `line` makes of it, when it was deleted. Returns
    /// how many lines were: one that came again is deleted again.
    pub(crate) fn deleted_after(
        &self,
        witness: &Witness,
        evidence: &str,
        line: impl Fn(&Value) -> String,
    ) -> usize {
        let mut received = HashMap::new();
        let replies = self.proxy.of("ReceiveMessage").into_iter().map(|poll| poll.reply);
        for reply in replies.filter(|reply| !reply.is_empty()) {
            let reply: Value = serde_json::from_slice(&reply).unwrap();
            for message in reply["Messages"].as_array().into_iter().flatten() {
                received.insert(message["ReceiptHandle"].to_string(), line(message));
            }
        }
        let mut first: HashMap<String, usize> = HashMap::new();
        for (place, line) in self.lines(evidence).into_iter().enumerate() {
            first.entry(line).or_insert(place);
        }
        let mut deleted = HashSet::new();
        for (call, recorded) in witness.0.lock().unwrap().iter() {
            for entry in call["Entries"].as_array().unwrap() {
                let line = &received[&entry["ReceiptHandle"].to_string()];
                assert!(first[line] < *recorded, "{line}: deleted before it was handled");
                deleted.insert(line);
            }
        }
        deleted.len()
    }
}

/// How many entries each call of a batch operation had.
pub(crate) fn sizes(calls: &[(Instant, Value)]) -> Vec<usize> {
    calls.iter().map(|(_, call)| call["Entries"].as_array().unwrap().len()).collect()
}

pub(crate) fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
}

/// Lines of the log that contain all of these.
pub(crate) fn logged(daemon: &Daemon, wanted: &[&str]) -> usize {
    let lines = [daemon.stderr.all(), daemon.stdout.all()].concat();
    lines.iter().filter(|line| wanted.iter().all(|word| line.contains(word))).count()
}

pub(crate) fn log_line(daemon: &Daemon, wanted: &[&str]) -> String {
    daemon.wait_for_line(|line| wanted.iter().all(|word| line.contains(word)), PATIENCE)
}

/// Ends it in order and says with which code.
pub(crate) fn stop(mut daemon: Daemon) -> i32 {
    daemon.terminate();
    daemon.wait(PATIENCE)
}

/// An HTTP endpoint for handlers, which writes down what it is sent.
pub(crate) struct Endpoint {
    server: Server,
    record: Record,
}

impl Endpoint {
    /// Answers each request, by what it is and its number from 0, with a status and headers.
    pub(crate) fn start<F>(answer: F) -> Endpoint
    where
        F: Fn(&Exchange, usize) -> (u16, Vec<(&'static str, String)>) + Send + Sync + 'static,
    {
        let (record, answer) = (Record::default(), Arc::new(answer));
        let writes = record.clone();
        let server = Server::start(move |request| {
            let (place, answer) = (writes.open(&request), Arc::clone(&answer));
            let number = writes.all().len() - 1;
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let (status, headers) = answer(&place.body(body), number);
                place.end(End::Answered(status));
                let mut reply = Response::builder().status(status);
                for (name, value) in headers {
                    reply = reply.header(name, value);
                }
                Ok(reply.body(Full::new(Bytes::new())).unwrap())
            }
        });
        Endpoint { server, record }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.endpoint())
    }

    pub(crate) fn seen(&self) -> Vec<Exchange> {
        self.record.all().into_iter().filter(|seen| seen.end != End::Open).collect()
    }

    pub(crate) fn wait(&self, count: usize) -> Vec<Exchange> {
        eventually(&format!("{count} requests"), PATIENCE, || self.seen().len() >= count);
        self.seen()
    }
}
