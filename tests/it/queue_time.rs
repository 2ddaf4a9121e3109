//! Queues in virtual time: the real worker and the real SDK against the embedded SQS in the same
//! runtime, with the clock stopped except while everybody waits.

mod batches;
mod locks;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore::aws::Aws;
use longshore::config::{self, Config, Handlers};
use longshore::error::Result;
use longshore::handler::Handler;
use longshore::handler::extract::{Attempt, Body};
use longshore::local::{Local, Options};
use longshore::lock::Store;
use longshore::outcome::{Failure, Outcome};
use longshore::shutdown::Shutdown;
use longshore::worker::{Builder, Report, Worker};
use tokio::task::JoinHandle;
use tokio::time::Instant;

struct Bench {
    local: Local,
    sqs: aws_sdk_sqs::Client,
    shutdown: Shutdown,
    settings: config::Queue,
    locks: Option<(Store, config::Idempotency)>,
    _directory: tempfile::TempDir,
}

impl Bench {
    async fn new(queue: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { directory: directory.path().to_owned(), port: 0, next_free: false };
        let local = Local::without_port(options).await.unwrap();
        let sqs = aws_sdk_sqs::Client::new(&local.sdk_config_in_process());
        let aws = config::Aws {
            endpoint_url: Some(local.endpoint().to_owned()),
            sealed: true,
            ..config::Aws::default()
        };
        let settings = config::Queue { aws, ..config::Queue::new(queue) };
        let mut create = sqs.create_queue().queue_name(queue);
        if queue.strip_suffix(".fifo").is_some() {
            create = create
                .attributes("FifoQueue".into(), "true")
                .attributes("ContentBasedDeduplication".into(), "true");
        }
        create.send().await.unwrap();
        let shutdown = Shutdown::new();
        Self { local, sqs, shutdown, settings, locks: None, _directory: directory }
    }

    fn url(&self) -> String {
        self.url_of(&self.settings.queue)
    }

    fn url_of(&self, queue: &str) -> String {
        format!("{}/000000000000/{queue}", self.local.endpoint())
    }

    async fn send(&self, body: &str) {
        self.sqs.send_message().queue_url(self.url()).message_body(body).send().await.unwrap();
    }

    async fn send_in_group(&self, group: &str, body: &str) {
        let send = self.sqs.send_message().queue_url(self.url()).message_body(body);
        send.message_group_id(group).send().await.unwrap();
    }

    /// Visible, and hidden, messages of a queue.
    async fn counts(&self, queue: &str) -> (u32, u32) {
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(self.url_of(queue))
            .attribute_names("All".into())
            .send()
            .await
            .unwrap();
        let attributes = answer.attributes.unwrap();
        let count = |name: &str| attributes[&name.into()].parse().unwrap();
        (count("ApproximateNumberOfMessages"), count("ApproximateNumberOfMessagesNotVisible"))
    }

    async fn is_empty(&self) -> bool {
        self.counts(&self.settings.queue).await == (0, 0)
    }

    fn start<H, Args>(&self, handler: H) -> JoinHandle<Result<Report>>
    where
        H: Handler<(), Args>,
        Args: 'static,
    {
        self.start_with(|worker| worker.queue("q", handler))
    }

    /// Starts a worker whose handlers `register` adds.
    fn start_with(
        &self,
        register: impl FnOnce(Builder<()>) -> Builder<()>,
    ) -> JoinHandle<Result<Report>> {
        let config = Config {
            spools: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            queues: BTreeMap::from([("q".to_owned(), self.settings.clone())]),
            idempotency: self.locks.as_ref().map(|(_, settings)| settings.clone()),
            ..Config::trial()
        };
        let worker =
            Worker::builder(()).settings(config).aws(Aws::through(self.local.http_client()));
        let mut worker = register(worker).build().unwrap();
        if let Some((store, _)) = &self.locks {
            worker = worker.with_locks(store.clone());
        }
        tokio::spawn(worker.run(self.shutdown.clone()))
    }

    async fn stop(&self, running: JoinHandle<Result<Report>>) -> longshore::queue::Report {
        self.shutdown.drain();
        self.local.drain();
        let report = running.await.unwrap().unwrap();
        report.queues["q"]
    }
}

/// Waits in virtual time, which passes only while everybody else waits too.
async fn until(what: &str, mut reached: impl AsyncFnMut() -> bool) {
    let limit = Instant::now() + Duration::from_hours(48);
    while !reached().await {
        assert!(Instant::now() < limit, "never: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_message_comes_again_with_growing_delay_and_the_other_nine_are_deleted() {
    let bench = Bench::new("orders").await;
    for n in 0..10 {
        bench.send(&n.to_string()).await;
    }
    let failed: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&failed);
    let running = bench.start(move |Body(body): Body| {
        let seen = Arc::clone(&seen);
        async move {
            if body == "3" {
                seen.lock().unwrap().push(Instant::now());
                return Err(Failure::from(std::io::Error::other("no")));
            }
            Ok(())
        }
    });
    until("six attempts", async || failed.lock().unwrap().len() >= 6).await;
    let (visible, hidden) = bench.counts("orders").await;
    assert_eq!(visible + hidden, 1, "the other nine are deleted");
    let times = failed.lock().unwrap().clone();
    let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    // Half jitter: between half of 1, 2, 4, 8, 16 s and all of it; SQS counts whole seconds, and
    // none of them is cut short.
    for (gap, full) in gaps.iter().zip([1.0_f64, 2.0, 4.0, 8.0, 16.0]) {
        assert!(*gap >= (full / 2.0).ceil() && *gap <= full + 2.0, "{gaps:?}");
    }
    assert!(gaps[4] > gaps[1], "{gaps:?}");
    let report = bench.stop(running).await;
    assert_eq!(report.done, 9);
    assert_eq!(report.retried, u64::try_from(times.len()).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_ten_leases_runs_once() {
    let mut bench = Bench::new("slow").await;
    bench.settings.visibility_timeout = Some(Duration::from_secs(30));
    bench.send("x").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let running = bench.start(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { tokio::time::sleep(Duration::from_mins(5)).await }
    });
    until("the queue is empty", async || bench.is_empty().await).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let report = bench.stop(running).await;
    assert_eq!((report.received, report.done), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_rejected_is_in_the_dead_letter_queue_with_its_reason() {
    let mut bench = Bench::new("orders").await;
    bench.sqs.create_queue().queue_name("dead").send().await.unwrap();
    bench.settings.dead_letter_queue = Some("dead".to_owned());
    bench.send("broken").await;
    let running = bench.start(|| async { Outcome::reject("no address") });
    until("the queue is empty", async || bench.is_empty().await).await;
    assert_eq!(bench.counts("dead").await, (1, 0));
    let dead = bench
        .sqs
        .receive_message()
        .queue_url(bench.url_of("dead"))
        .message_attribute_names("All")
        .send()
        .await
        .unwrap()
        .messages
        .unwrap();
    assert_eq!(dead[0].body(), Some("broken"));
    let reason = &dead[0].message_attributes().unwrap()["longshore_reason"];
    assert_eq!(reason.string_value(), Some("no address"));
    assert_eq!(bench.stop(running).await.rejected, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_rejected_without_anywhere_to_go_is_kept() {
    let bench = Bench::new("orders").await;
    bench.send("broken").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let running = bench.start(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { Outcome::reject("no address") }
    });
    tokio::time::sleep(Duration::from_mins(14)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1, "the longest backoff is 15 minutes");
    assert_eq!(bench.counts("orders").await, (0, 1));
    until("it came again", async || runs.load(Ordering::SeqCst) == 2).await;
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn fifo_keeps_order_within_a_group_and_stops_there_on_failure() {
    let bench = Bench::new("orders.fifo").await;
    for n in 0..3 {
        bench.send_in_group("a", &format!("a{n}")).await;
        bench.send_in_group("b", &format!("b{n}")).await;
    }
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let running = bench.start(move |Body(body): Body, Attempt(attempt): Attempt| {
        let log = Arc::clone(&log);
        async move {
            log.lock().unwrap().push(format!("{body}#{attempt}"));
            tokio::time::sleep(Duration::from_millis(200)).await;
            if body == "a1" && attempt < 3 {
                return Outcome::retry("not yet");
            }
            Outcome::Done
        }
    });
    until("the queue is empty", async || bench.is_empty().await).await;
    let seen = seen.lock().unwrap().clone();
    let of = |group: &str| -> Vec<&str> {
        seen.iter().map(String::as_str).filter(|body| body.starts_with(group)).collect()
    };
    assert_eq!(of("b"), ["b0#1", "b1#1", "b2#1"]);
    let a: Vec<&str> = of("a");
    assert_eq!(a[..2], ["a0#1", "a1#1"]);
    assert!(a[2].starts_with("a1#2") && a[3].starts_with("a1#3"), "{a:?}");
    assert!(a[4].starts_with("a2#"), "{a:?}");
    assert_eq!(a.len(), 5, "a2 never ran before a1 was done: {a:?}");
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn order_and_growing_delays_do_not_hang_on_the_system_attributes_asked_for() {
    let mut bench = Bench::new("orders.fifo").await;
    bench.settings.system_attributes = vec!["SentTimestamp".to_owned()];
    for n in 0..3 {
        bench.send_in_group("a", &n.to_string()).await;
    }
    let seen: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let running = bench.start(move |Body(body): Body, Attempt(attempt): Attempt| {
        log.lock().unwrap().push((body.clone(), Instant::now()));
        async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if body == "0" && attempt < 5 { Outcome::retry("not yet") } else { Outcome::Done }
        }
    });
    until("the queue is empty", async || bench.is_empty().await).await;
    let seen = seen.lock().unwrap().clone();
    let bodies: Vec<&str> = seen.iter().map(|(body, _)| body.as_str()).collect();
    assert_eq!(bodies, ["0", "0", "0", "0", "0", "1", "2"]);
    let fourth = seen[4].1 - seen[3].1;
    assert!(fourth >= Duration::from_secs(4), "{fourth:?}");
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_what_runs_and_gives_back_the_rest_at_once() {
    let mut bench = Bench::new("orders").await;
    bench.settings.concurrency = 50;
    for n in 0..50 {
        bench.send(&n.to_string()).await;
    }
    let started = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&started);
    let running = bench.start(move |Body(body): Body| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            // Half of them end within the time to drain, half of them do not.
            let minutes = if body.parse::<u32>().unwrap() < 25 { 0 } else { 10 };
            tokio::time::sleep(Duration::from_secs(5 + 60 * minutes)).await;
        }
    });
    until("all run", async || started.load(Ordering::SeqCst) == 50).await;
    let asked = Instant::now();
    bench.shutdown.drain();
    bench.local.drain();
    let report = running.await.unwrap().unwrap();
    assert!(report.aborted);
    assert!(asked.elapsed() <= Duration::from_secs(25 + 3 + 3), "{:?}", asked.elapsed());
    assert_eq!((report.queues["q"].done, report.queues["q"].released), (25, 25));
    assert_eq!(bench.counts("orders").await, (25, 0), "the rest is visible at once");
}

#[tokio::test(start_paused = true)]
async fn a_missing_queue_is_waited_for() {
    let mut bench = Bench::new("other").await;
    bench.settings.queue = "orders".to_owned();
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let running = bench.start(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async {}
    });
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(!running.is_finished());
    bench.sqs.create_queue().queue_name("orders").send().await.unwrap();
    bench.send("x").await;
    until("it is handled", async || runs.load(Ordering::SeqCst) == 1).await;
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_deleted_and_made_again_is_found_again() {
    let bench = Bench::new("orders").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let running = bench.start(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async {}
    });
    bench.send("x").await;
    until("the first", async || runs.load(Ordering::SeqCst) == 1).await;
    bench.sqs.delete_queue().queue_url(bench.url()).send().await.unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    bench.sqs.create_queue().queue_name("orders").send().await.unwrap();
    bench.send("y").await;
    until("the second", async || runs.load(Ordering::SeqCst) == 2).await;
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_attempt() {
    let bench = Bench::new("orders").await;
    bench.send("x").await;
    let running = bench.start(|Attempt(attempt): Attempt| async move {
        assert!(attempt > 1, "the first attempt panics");
    });
    until("the queue is empty", async || bench.is_empty().await).await;
    let report = bench.stop(running).await;
    assert_eq!((report.retried, report.done), (1, 1));
}

#[test]
fn a_handler_for_a_queue_that_the_settings_do_not_name_is_refused() {
    let build = |name: &str| {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), "[queue.orders]\nqueue = \"orders\"\n").unwrap();
        assert!(Config::load_with(file.path(), Handlers::InCode).is_ok());
        Worker::builder(()).config(file.path()).queue(name, || async {}).build()
    };
    assert!(build("orders").is_ok());
    let error = build("others").unwrap_err().to_string();
    assert!(error.contains("others") && error.contains("orders"), "{error}");
}
