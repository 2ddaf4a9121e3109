//! The rules across keys: what no single key can know.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::document::Document;
use super::names::QueueAddress;
use super::notification::Target;
use super::queue::Queue;
use super::{Config, Handler, events, zc};
use crate::units;

/// A file that asks for nothing is some other file.
pub(super) fn has_work(config: &Config, document: &Document) {
    let has_topic = config.events.topic.is_some();
    if config.spools.is_empty()
        && config.outboxes.is_empty()
        && config.queues.is_empty()
        && config.notifications.is_empty()
        && !has_topic
        && !document.has_mistakes()
    {
        document.blame(
            0,
            "nothing to do: there is neither a spool nor an outbox nor a queue; write [spool.NAME] \
             with directory and bucket, [outbox.NAME] with directory and queue, or [queue.NAME] \
             with queue and a handler",
        );
    }
}

pub(super) fn all(config: &Config, document: &Document) {
    directories(config, document);
    names_of_spools(config, document);
    for (name, queue) in &config.queues {
        outlets(name, queue, document);
        circles(name, queue, document);
        objects(config, name, queue, document);
        polled(config, name, queue, document);
    }
    shared_queues(config, document);
    events::check(config, document);
    notifications(config, document);
    lock_servers(config, document);
    slow_stops(config, document);
}

/// Two spools in one directory would upload each file twice; a quarantine in a spool would be
/// uploaded.
fn directories(config: &Config, document: &Document) {
    let mut owners: BTreeMap<PathBuf, &str> = BTreeMap::new();
    let spools = config.spools.iter().map(|(name, spool)| ("spool", name, spool));
    let outboxes = config.outboxes.iter().map(|(name, outbox)| ("outbox", name, outbox));
    let all: Vec<_> = spools.chain(outboxes).collect();
    for &(table, name, spool) in &all {
        if spool.directory.as_os_str().is_empty() {
            continue;
        }
        let directory = normal(&spool.directory);
        if let Some(other) = owners.get(&directory) {
            let shown = spool.directory.display();
            let message = format!("the spools {other} and {name} share the directory {shown}");
            document.blame(place(document, (table, name), "directory"), message);
        } else {
            owners.insert(directory, name);
        }
    }
    for (table, name, spool) in all {
        let quarantine = normal(&spool.quarantine_directory);
        if let Some(owner) = owners.get(&quarantine) {
            let message = format!("the quarantine of {name} is the spool {owner}'s directory");
            document.blame(place(document, (table, name), "quarantine_directory"), message);
        }
    }
}

/// One name for both would be one label of two metrics.
fn names_of_spools(config: &Config, document: &Document) {
    for name in config.outboxes.keys().filter(|name| config.spools.contains_key(*name)) {
        let message = format!("a spool has the name {name} too; give the outbox another");
        document.blame(document.place(&["outbox", name]), message);
    }
}

fn place(document: &Document, (table, spool): (&str, &str), key: &str) -> usize {
    if spool == zc::SPOOL && table == "spool" && document.root.contains_key("Queue") {
        return document.place(&["Queue", key]);
    }
    document.place(&[table, spool, key])
}

/// Where the messages of a queue go: a handler, and a place for what is rejected.
fn outlets(name: &str, queue: &Queue, document: &Document) {
    let key = |key| document.place(&["queue", name, key]);
    let own = QueueAddress::read(&queue.queue).ok();
    let dead = queue.dead_letter_queue.as_deref().and_then(|text| QueueAddress::read(text).ok());
    if dead.is_some() && queue.set_aside.is_some() {
        let message = "dead_letter_queue and set_aside are two places for the same; keep one";
        document.blame(key("set_aside"), message);
    }
    let (Some(own), Some(dead)) = (own, dead) else { return };
    if own.name() == dead.name() {
        let message = format!("the queue {:?} is its own dead_letter_queue", dead.name());
        document.blame(key("dead_letter_queue"), message);
    }
    if own.is_fifo() != dead.is_fifo() {
        let message = "a FIFO queue and its dead_letter_queue are both FIFO (.fifo), or neither";
        document.blame(key("dead_letter_queue"), message);
    }
}

/// A queue whose handler sends each message back into it would never be empty.
fn circles(name: &str, queue: &Queue, document: &Document) {
    let own = QueueAddress::read(&queue.queue).ok();
    for (event, handler) in queue.handlers() {
        let Handler::Sqs(to) = handler else { continue };
        if own.is_some() && own == QueueAddress::read(&to.queue).ok() && to.aws == queue.aws {
            let route = event.map(|event| ["route", event]);
            let path = ["queue", name].into_iter().chain(route.into_iter().flatten());
            let path: Vec<_> = path.chain(["handler", "sqs", "queue"]).collect();
            let message = format!("the queue {:?} is sent its own messages again", to.queue);
            document.blame(document.place(&path), message);
        }
    }
}

/// Modes that are written leave no queue out by accident; CUSTOM says that it is on purpose.
fn polled(config: &Config, name: &str, queue: &Queue, document: &Document) {
    use super::Initialization::{Custom, QueuePolling};
    let modes = &config.events.initialization;
    let is_polled = modes.contains(&QueuePolling) || modes.contains(&Custom);
    if !is_polled && !config.gets_events(queue) {
        let message = format!(
            "initialization: no mode polls [queue.{name}]; add QUEUE_POLLING, or EVENT_POLLING \
             where it gets events from the topic, or take the queue out"
        );
        document.blame(document.place(&["events", "initialization"]), message);
    }
}

/// An object that a topic's message names may be another queue's too, and under raw delivery nothing
/// in the message tells that it came through a topic.
fn objects(config: &Config, name: &str, queue: &Queue, document: &Document) {
    if queue.payload.deletes_objects && config.gets_events(queue) {
        let message = format!(
            "delete_payload: [queue.{name}] gets its messages from a topic, whose other queues may \
             need the object too; leave it out"
        );
        document.blame(document.place(&["queue", name, "delete_payload"]), message);
    }
}

/// A queue with neither handler nor route: its messages would come and go for ever.
pub(super) fn handlers(config: &Config, document: &Document) {
    for (name, queue) in &config.queues {
        let is_written = document.root.get("queue").and_then(|queues| queues.table()?.get(name));
        let tried = is_written
            .and_then(|node| node.table())
            .is_some_and(|table| table.contains_key("handler") || table.contains_key("route"));
        if queue.handler.is_none() && queue.routes.is_empty() && !tried {
            let message = format!(
                "[queue.{name}] has neither a handler nor a route; write \
                 [queue.{name}.handler.exec] with command = [\"PROGRAM\"]"
            );
            document.blame(document.place(&["queue", name]), message);
        }
    }
}

fn shared_queues(config: &Config, document: &Document) {
    let mut readers: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, queue) in &config.queues {
        if let Some(other) = readers.insert(&queue.queue, name)
            && config.queues.get(other).is_some_and(|other| other.aws == queue.aws)
        {
            let at = document.place(&["queue", name, "queue"]);
            let shown = &queue.queue;
            document.note(at, format!("the sections {other} and {name} read one queue, {shown}"));
        }
    }
}

/// S3 notifies standard queues only, by whatever name the settings know them.
fn notifications(config: &Config, document: &Document) {
    for (name, notification) in &config.notifications {
        let Some(Target::Queue(target)) = &notification.target else { continue };
        if let Some(queue) = config.queues.get(target)
            && QueueAddress::read(&queue.queue).is_ok_and(|queue| queue.is_fifo())
        {
            let message =
                format!("[queue.{target}] is a FIFO queue, and S3 notifies standard ones");
            document.blame(document.place(&["notification", name, "queue"]), message);
        }
    }
}

/// A quorum counts on servers that fail one by one.
fn lock_servers(config: &Config, document: &Document) {
    let Some(idempotency) = &config.idempotency else { return };
    if let Some(address) = idempotency.shared_host() {
        let at = document.place(&["idempotency", "servers"]);
        document.note(at, format!(
            "idempotency: several databases of {address} are one server; they fail together, so \
             one of them does as well"
        ));
    }
    let opted_out = config.queues.values().filter(|queue| !queue.idempotency).count();
    if !config.queues.is_empty() && opted_out == config.queues.len() {
        let at = document.place(&["idempotency"]);
        document.note(at, "idempotency: every queue has opted out of it");
    }
}

/// A receive is never cut short, so a stop may have to wait for one.
fn slow_stops(config: &Config, document: &Document) {
    for (name, queue) in &config.queues {
        if queue.wait_time >= config.drain_timeout {
            let at = document.place(&["queue", name, "wait_time"]);
            let (wait, drain) = (units::show(queue.wait_time), units::show(config.drain_timeout));
            document.note(at, format!(
                "queue {name} waits {wait} for messages and drain_timeout is {drain}: a stop may \
                 end with 75 although nothing runs; lower wait_time or raise drain_timeout"
            ));
        }
    }
}

/// Absolute and without `.` and doubled slashes; what does not exist has a normal form too.
fn normal(path: &Path) -> PathBuf {
    let path = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    let path = path.unwrap_or_default();
    path.components().filter(|part| *part != Component::CurDir).collect()
}
