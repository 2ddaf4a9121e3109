//! Every metric in one table, and the one place where each is counted.
//!
//! Through the `metrics` facade: in the daemon they end in `/metrics`, in a program that embeds
//! Longshore in whatever recorder that program has installed.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::error::{Error, Kind, Result};

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, in seconds.
    Seconds,
}

/// One metric: its name, shape, labels and meaning.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// As `/metrics` shows it.
    pub name: &'static str,
    /// How it behaves.
    pub shape: Shape,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub meaning: &'static str,
}

const RECEIVED: Metric = Metric::new(
    "longshore_messages_received_total",
    Shape::Counter,
    &["queue"],
    "messages received, redeliveries included",
);
const SETTLED: Metric = Metric::new(
    "longshore_messages_settled_total",
    Shape::Counter,
    &["queue", "outcome"],
    "messages settled, by outcome: done, retry, reject, released",
);
const HANDLED: Metric = Metric::new(
    "longshore_handler_seconds",
    Shape::Seconds,
    &["queue", "outcome"],
    "how long handlers ran",
);
const UNROUTED: Metric = Metric::new(
    "longshore_messages_unrouted_total",
    Shape::Counter,
    &["queue"],
    "messages that no handler takes, redeliveries included",
);
const HELD: Metric = Metric::new(
    "longshore_messages_held",
    Shape::Gauge,
    &["queue"],
    "messages received and not settled yet",
);
const RECEIVE_FAILED: Metric = Metric::new(
    "longshore_receive_failures_total",
    Shape::Counter,
    &["queue", "kind"],
    "failed receive calls, by kind of error",
);
const DELETE_FAILED: Metric = Metric::new(
    "longshore_delete_failures_total",
    Shape::Counter,
    &["queue", "kind"],
    "messages whose delete failed at first, by kind of error",
);
const LEASE_LOST: Metric = Metric::new(
    "longshore_leases_lost_total",
    Shape::Counter,
    &["queue"],
    "messages whose lease ended while they were being handled",
);
const BODY_DAMAGED: Metric = Metric::new(
    "longshore_bodies_damaged_total",
    Shape::Counter,
    &["queue"],
    "messages whose body came with another MD5 than SQS told; they are retried",
);
const HANDLER_DOWN: Metric = Metric::new(
    "longshore_handler_unavailable",
    Shape::Gauge,
    &["queue"],
    "1 while a handler of the queue cannot be started",
);
const LOCK_CONTENDED: Metric = Metric::new(
    "longshore_lock_contended_total",
    Shape::Counter,
    &["queue"],
    "messages that were not handled because somebody else had their lock",
);
const LOCK_LOST: Metric = Metric::new(
    "longshore_locks_lost_total",
    Shape::Counter,
    &["queue"],
    "messages whose lock ended while they were being handled",
);
const FOUND_FINISHED: Metric = Metric::new(
    "longshore_finished_before_total",
    Shape::Counter,
    &["queue"],
    "messages deleted and not handled, because the idempotency store knew them as finished",
);
const UNGUARDED: Metric = Metric::new(
    "longshore_unguarded_total",
    Shape::Counter,
    &["queue"],
    "messages handled without lock, or deleted without finished id, while the store was away",
);
const STORE_AWAY: Metric = Metric::new(
    "longshore_idempotency_store_away",
    Shape::Gauge,
    &["queue"],
    "1 while the idempotency store is away and polling has stopped",
);
const UPLOADED: Metric = Metric::new(
    "longshore_files_uploaded_total",
    Shape::Counter,
    &["spool"],
    "files that landed in the bucket",
);
const UPLOADED_BYTES: Metric = Metric::new(
    "longshore_bytes_uploaded_total",
    Shape::Counter,
    &["spool"],
    "bytes that landed in the bucket",
);
const UPLOAD_TIME: Metric = Metric::new(
    "longshore_upload_seconds",
    Shape::Seconds,
    &["spool"],
    "how long successful uploads took",
);
const UPLOAD_FAILED: Metric = Metric::new(
    "longshore_upload_failures_total",
    Shape::Counter,
    &["spool", "kind"],
    "failed uploads, by kind of error",
);
const QUARANTINED: Metric = Metric::new(
    "longshore_files_quarantined_total",
    Shape::Counter,
    &["spool"],
    "files moved into quarantine",
);
const WAITING: Metric = Metric::new(
    "longshore_files_waiting",
    Shape::Gauge,
    &["spool"],
    "files seen in the spool by the last pass and not landed yet",
);
const IGNORED: Metric = Metric::new(
    "longshore_files_ignored",
    Shape::Gauge,
    &["spool", "why"],
    "entries of the spool that the last pass left alone, by reason",
);
const PAUSED: Metric = Metric::new(
    "longshore_spool_paused",
    Shape::Gauge,
    &["spool"],
    "1 while the bucket refuses everything and only probes are sent",
);

/// Every metric there is.
pub const METRICS: &[Metric] = &[
    RECEIVED,
    SETTLED,
    HANDLED,
    UNROUTED,
    HELD,
    RECEIVE_FAILED,
    DELETE_FAILED,
    LEASE_LOST,
    BODY_DAMAGED,
    HANDLER_DOWN,
    LOCK_CONTENDED,
    LOCK_LOST,
    FOUND_FINISHED,
    UNGUARDED,
    STORE_AWAY,
    UPLOADED,
    UPLOADED_BYTES,
    UPLOAD_TIME,
    UPLOAD_FAILED,
    QUARANTINED,
    WAITING,
    IGNORED,
    PAUSED,
];

impl Metric {
    const fn new(
        name: &'static str,
        shape: Shape,
        labels: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self { name, shape, labels, meaning }
    }
}

/// A queue or spool of this name begins: what is only counted for it as a whole stands at zero
/// from now on, so that a rate sees the first one too.
pub fn begin(label: &'static str, name: &str) {
    for metric in METRICS.iter().filter(|metric| metric.labels == [label]) {
        match metric.shape {
            Shape::Counter => counter!(metric.name, label => name.to_owned()).increment(0),
            Shape::Gauge => gauge!(metric.name, label => name.to_owned()).increment(0.0),
            Shape::Seconds => {}
        }
    }
}

/// One message came.
pub fn received(queue: &str, messages: usize) {
    counter!(RECEIVED.name, "queue" => queue.to_owned()).increment(count(messages));
}

/// One message is settled; `outcome` is one of done, retry, reject, released.
pub fn settled(queue: &str, outcome: &'static str) {
    counter!(SETTLED.name, "queue" => queue.to_owned(), "outcome" => outcome).increment(1);
}

/// A handler ran this long, on one message or several; `outcome` is one of theirs, and *done* only
/// where all are.
pub fn handled(queue: &str, outcome: &'static str, time: Duration) {
    histogram!(HANDLED.name, "queue" => queue.to_owned(), "outcome" => outcome)
        .record(time.as_secs_f64());
}

/// No handler takes a message.
pub fn unrouted(queue: &str) {
    counter!(UNROUTED.name, "queue" => queue.to_owned()).increment(1);
}

/// So many messages are held now.
pub fn held(queue: &str, messages: usize) {
    gauge!(HELD.name, "queue" => queue.to_owned()).set(level(messages));
}

/// A receive call failed.
pub fn receive_failed(queue: &str, kind: Kind) {
    counter!(RECEIVE_FAILED.name, "queue" => queue.to_owned(), "kind" => kind.label()).increment(1);
}

/// The delete of a message failed.
pub fn delete_failed(queue: &str, kind: Kind) {
    counter!(DELETE_FAILED.name, "queue" => queue.to_owned(), "kind" => kind.label()).increment(1);
}

/// A lease ended under a running handler.
pub fn lease_lost(queue: &str) {
    counter!(LEASE_LOST.name, "queue" => queue.to_owned()).increment(1);
}

/// The body of a message is not the one that SQS has.
pub fn body_damaged(queue: &str) {
    counter!(BODY_DAMAGED.name, "queue" => queue.to_owned()).increment(1);
}

/// A handler of the queue can, or cannot, be started.
pub fn handler_unavailable(queue: &str, unavailable: bool) {
    gauge!(HANDLER_DOWN.name, "queue" => queue.to_owned()).set(f64::from(u8::from(unavailable)));
}

/// Somebody else has the lock on a message.
pub fn lock_contended(queue: &str) {
    counter!(LOCK_CONTENDED.name, "queue" => queue.to_owned()).increment(1);
}

/// A lock ended under a running handler.
pub fn lock_lost(queue: &str) {
    counter!(LOCK_LOST.name, "queue" => queue.to_owned()).increment(1);
}

/// A message was finished before, as the idempotency store knows.
pub fn found_finished(queue: &str) {
    counter!(FOUND_FINISHED.name, "queue" => queue.to_owned()).increment(1);
}

/// A message went its way without the idempotency store.
pub fn unguarded(queue: &str) {
    counter!(UNGUARDED.name, "queue" => queue.to_owned()).increment(1);
}

/// The idempotency store is away, or no longer is.
pub fn store_away(queue: &str, away: bool) {
    gauge!(STORE_AWAY.name, "queue" => queue.to_owned()).set(f64::from(u8::from(away)));
}

/// A file landed.
pub fn uploaded(spool: &str, bytes: u64, time: Duration) {
    counter!(UPLOADED.name, "spool" => spool.to_owned()).increment(1);
    counter!(UPLOADED_BYTES.name, "spool" => spool.to_owned()).increment(bytes);
    histogram!(UPLOAD_TIME.name, "spool" => spool.to_owned()).record(time.as_secs_f64());
}

/// An upload failed.
pub fn upload_failed(spool: &str, kind: Kind) {
    counter!(UPLOAD_FAILED.name, "spool" => spool.to_owned(), "kind" => kind.label()).increment(1);
}

/// A file went into quarantine.
pub fn quarantined(spool: &str) {
    counter!(QUARANTINED.name, "spool" => spool.to_owned()).increment(1);
}

/// So many files are waiting.
pub fn waiting(spool: &str, files: usize) {
    gauge!(WAITING.name, "spool" => spool.to_owned()).set(level(files));
}

/// So many entries are left alone for this reason.
pub fn ignored(spool: &str, why: &'static str, entries: usize) {
    gauge!(IGNORED.name, "spool" => spool.to_owned(), "why" => why).set(level(entries));
}

/// The spool waits for its bucket, or no longer does.
pub fn paused(spool: &str, paused: bool) {
    gauge!(PAUSED.name, "spool" => spool.to_owned()).set(f64::from(u8::from(paused)));
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn level(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Installs the recorder behind `/metrics`, once for the process.
///
/// # Errors
/// When the program that embeds Longshore has installed a recorder of its own.
pub fn install() -> Result<PrometheusHandle> {
    static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = INSTALLED.get() {
        return Ok(handle.clone());
    }
    let refuse = |error: String| {
        Error::new(Kind::Settings, "installing the recorder for /metrics")
            .because(error)
            .hint("leave out [status] listen in a program that has a metrics recorder of its own")
    };
    let buckets = [0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 1800.0];
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &buckets)
        .map_err(|error| refuse(error.to_string()))?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| refuse(error.to_string()))?;
    describe();
    Ok(INSTALLED.get_or_init(|| handle).clone())
}

/// What `/metrics` shows: every metric of the table, those without a value yet by their name and
/// meaning alone.
pub fn show(handle: &PrometheusHandle) -> String {
    handle.run_upkeep();
    let mut text = handle.render();
    for Metric { name, shape, meaning, .. } in METRICS {
        if !text.contains(&format!("# TYPE {name} ")) {
            let shape = match shape {
                Shape::Counter => "counter",
                Shape::Gauge => "gauge",
                Shape::Seconds => "histogram",
            };
            let lines = format!("# HELP {name} {meaning}\n# TYPE {name} {shape}\n\n");
            text.push_str(&lines);
        }
    }
    text
}

fn describe() {
    for metric in METRICS {
        match metric.shape {
            Shape::Counter => metrics::describe_counter!(metric.name, metric.meaning),
            Shape::Gauge => metrics::describe_gauge!(metric.name, metric.meaning),
            Shape::Seconds => metrics::describe_histogram!(metric.name, metric.meaning),
        }
    }
}
