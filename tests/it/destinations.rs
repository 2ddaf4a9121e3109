//! Every kind of handler that leads somewhere, end to end: 1,000 messages, a destination that fails
//! in the middle, `kill -9` once; every message arrives, and none is deleted before it has.
//!
//! A kind is tested by one call of [`haul`], which needs four things of it:
//! ```ignore
//! let ground = embedded();                       // or on_ministack()
//! let directory = ground.path("spool");
//! let load = Load {
//!     // The handler's table, its header included.
//!     handler: format!("[queue.load.handler.spool]\ndirectory = {directory:?}\n"),
//!     // Which messages are at the destination by now, by `number_of` their bodies. It is asked
//!     // often, from several runtimes: a client that it needs is made inside it, and leads past
//!     // the proxy (`ground.upstream`).
//!     arrived: async move || numbers_in(&directory),
//!     // What breaks the destination, and what mends it. A fault of the proxy that is used up by
//!     // itself needs no mending: `async || {}`.
//!     fail: async || ground.proxy.on(20, |seen| seen.operation() == "PutObject", fault),
//!     mend: async || {},
//! };
//! haul(&ground, load).await;
//! ```
//! Bodies are `{"id": "load-0007", "number": 7}`. The daemon reaches AWS through `ground.proxy`, so
//! that a fault can be put before any AWS destination; the failure must make at least one message
//! fail, or its handler unavailable. [`haul`] returns the daemon that is left running, for more
//! assertions on its log.

mod lambda;
mod s3;
mod sns;
mod dynamodb;
mod spool;
mod sqs;
mod sql;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde_json::{Value, json};

use crate::queues::ground::Ground;
use crate::support::{
    daemon::Daemon,
    eventually,
    exchange::Exchange,
    proxy::{Fault, Gate},
};

/// What is hauled in all.
const ALL: u32 = 1000;
/// Before the destination fails, and while it does.
const BEFORE: u32 = 200;
const MEANWHILE: u32 = 600;
/// Within this something must move on: a machine that is busy with other tests may take long for a
/// thousand messages, but not stand still.
const LONG: Duration = Duration::from_mins(1);

/// What a kind of handler has to tell of itself; see the head of this file.
pub(crate) struct Load<A, F, M> {
    pub(crate) handler: String,
    pub(crate) arrived: A,
    pub(crate) fail: F,
    pub(crate) mend: M,
}

/// The number of the message with this body; panics at any other body.
pub(crate) fn number_of(body: &[u8]) -> u32 {
    let body: Value = serde_json::from_slice(body).expect("a body of ours");
    let number = body["number"].as_u64().expect("a body of ours");
    assert_eq!(body, body_of(u32::try_from(number).unwrap()), "changed on its way");
    u32::try_from(number).unwrap()
}

fn body_of(number: u32) -> Value {
    json!({ "id": format!("load-{number:04}"), "number": number })
}

/// Sends 1,000 messages through the real daemon to a destination; see the head of this file.
pub(crate) async fn haul<A, F, M>(ground: &Ground, load: Load<A, F, M>) -> Daemon
where
    A: AsyncFn() -> BTreeSet<u32> + Send + Sync + 'static,
    F: AsyncFnOnce(),
    M: AsyncFnOnce(),
{
    let arrived = Arc::new(load.arrived);
    // What the daemon held when it was killed comes again so soon; and until half of it has passed
    // nothing is renewed, while the witness holds up every call.
    ground.queue("load", &[("VisibilityTimeout", "14")]).await;
    let witness = watch_deletes(ground, Arc::clone(&arrived));
    let settings = format!(
        "[queue.load]\nqueue = \"load\"\nconcurrency = 30\nwait_time = 1\n\
         retry_initial = \"200ms\"\nretry_longest = \"1s\"\n{}",
        load.handler
    );

    let mut daemon = ground.run(&settings);
    send(ground, 0..BEFORE).await;
    wait_for(&*arrived, BEFORE, &daemon).await;

    (load.fail)().await;
    send(ground, BEFORE..MEANWHILE).await;
    let failed =
        |line: &str| line.contains("message failed") || line.contains("handler cannot be started");
    daemon.wait_for_line(failed, LONG);
    (load.mend)().await;
    wait_for(&*arrived, MEANWHILE, &daemon).await;

    // It is killed when something is at its destination and not deleted.
    let gate = Gate::closed();
    ground.proxy.on(usize::MAX, is_delete, Fault::Hold(gate.clone()));
    send(ground, MEANWHILE..ALL).await;
    eventually("a delete is on its way", LONG, || gate.arrived() > 0);
    daemon.kill9();
    gate.open();
    let daemon = ground.run(&settings);
    let (mut least, mut since) = (usize::MAX, Instant::now());
    loop {
        let (visible, hidden) = ground.counts("load").await;
        let left = visible + hidden;
        if left == 0 {
            break;
        }
        if left < least {
            (least, since) = (left, Instant::now());
        }
        assert!(since.elapsed() < LONG, "{left} stay in the queue:\n{}", daemon.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(arrived().await, (0..ALL).collect());
    assert_none_was_deleted_early(ground, &witness);
    daemon
}

/// Sends the messages of these numbers, past the proxy.
async fn send(ground: &Ground, numbers: std::ops::Range<u32>) {
    let numbers: Vec<u32> = numbers.collect();
    for ten in numbers.chunks(10) {
        let entry = |number: &u32| {
            let entry = SendMessageBatchRequestEntry::builder().id(number.to_string());
            entry.message_body(body_of(*number).to_string()).build().unwrap()
        };
        let batch = ground.sqs.send_message_batch().queue_url(ground.url("load"));
        let sent = batch.set_entries(Some(ten.iter().map(entry).collect())).send().await.unwrap();
        assert_eq!(sent.failed, []);
    }
}

/// Waits until all messages below this number have arrived.
async fn wait_for(arrived: &impl AsyncFn() -> BTreeSet<u32>, below: u32, daemon: &Daemon) {
    let (mut most, mut since) = (0, Instant::now());
    loop {
        let asked = Instant::now();
        let there = arrived().await;
        if there == (0..below).collect() {
            return;
        }
        if there.len() > most {
            (most, since) = (there.len(), Instant::now());
        }
        let told = || format!("{} of {below} have arrived:\n{}", there.len(), daemon.output());
        assert!(since.elapsed() < LONG, "{}", told());
        // To ask is work too, which is not to hold up what is asked about.
        tokio::time::sleep((2 * asked.elapsed()).max(Duration::from_millis(20))).await;
    }
}

fn is_delete(seen: &Exchange) -> bool {
    seen.operation() == "DeleteMessageBatch"
}

/// Every delete that came by, with what had arrived by then.
type Witness = Arc<Mutex<Vec<(Value, BTreeSet<u32>)>>>;

fn watch_deletes<A>(ground: &Ground, arrived: Arc<A>) -> Witness
where
    A: AsyncFn() -> BTreeSet<u32> + Send + Sync + 'static,
{
    let witness = Witness::default();
    let writes = Arc::clone(&witness);
    let look = move |seen: &Exchange| {
        if is_delete(seen) {
            let ask = || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                runtime.enable_all().build().unwrap().block_on(arrived())
            };
            // The proxy's own thread has a runtime already.
            let there = std::thread::scope(|scope| scope.spawn(ask).join().unwrap());
            writes.lock().unwrap().push((serde_json::from_slice(&seen.body).unwrap(), there));
        }
        false
    };
    ground.proxy.on(1, look, Fault::CutBefore);
    witness
}

fn assert_none_was_deleted_early(ground: &Ground, witness: &Witness) {
    assert_eq!(ground.proxy.of("DeleteMessage").len(), 0, "deletes that nobody watched");
    let mut received = HashMap::new();
    let replies = ground.proxy.of("ReceiveMessage").into_iter().map(|poll| poll.reply);
    for reply in replies.filter(|reply| !reply.is_empty()) {
        let reply: Value = serde_json::from_slice(&reply).unwrap();
        for message in reply["Messages"].as_array().into_iter().flatten() {
            let number = number_of(message["Body"].as_str().unwrap().as_bytes());
            received.insert(message["ReceiptHandle"].to_string(), number);
        }
    }
    let mut deleted = BTreeSet::new();
    for (call, there) in witness.lock().unwrap().iter() {
        for entry in call["Entries"].as_array().unwrap() {
            let number = received[&entry["ReceiptHandle"].to_string()];
            assert!(there.contains(&number), "{number} was deleted before it arrived");
            deleted.insert(number);
        }
    }
    assert_eq!(deleted, (0..ALL).collect());
}
