//! Locks in virtual time: somebody else's lock, the redrive policy, and order in a group.

use longshore::config::{Idempotency, IdempotencyStore};
use longshore::lock::{Attempt as Asked, Lock};

use super::*;

const TEN: Duration = Duration::from_secs(10);

/// A queue with locks in memory.
async fn guarded(queue: &str) -> (Bench, Store) {
    let mut bench = Bench::new(queue).await;
    let store = Store::memory();
    bench.locks = Some((store.clone(), Idempotency::new(IdempotencyStore::Memory)));
    (bench, store)
}

async fn lock(store: &Store, message_id: &str, lease: Duration) -> Lock {
    match store.lock(&format!("sqs:event:{message_id}"), lease).await.unwrap() {
        Asked::Held(lock) => lock,
        Asked::Busy(left) => panic!("held for {left:?}"),
    }
}

async fn send(bench: &Bench, body: &str, group: Option<&str>) -> String {
    let message = bench.sqs.send_message().queue_url(bench.url()).message_body(body);
    let sent = message.set_message_group_id(group.map(str::to_owned)).send().await.unwrap();
    sent.message_id.unwrap()
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_lock_never_ends_a_message_in_the_dead_letter_queue() {
    let (bench, store) = guarded("orders").await;
    bench.sqs.create_queue().queue_name("dead").send().await.unwrap();
    let policy = "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\",\
                  \"maxReceiveCount\":2}";
    let set = bench.sqs.set_queue_attributes().queue_url(bench.url());
    set.attributes("RedrivePolicy".into(), policy).send().await.unwrap();
    let id = send(&bench, "x", None).await;
    let mut other = lock(&store, &id, TEN).await;
    let attempts: Arc<Mutex<Vec<u32>>> = Arc::default();
    let seen = Arc::clone(&attempts);
    let running = bench.start(move |Attempt(attempt): Attempt| {
        seen.lock().unwrap().push(attempt);
        async {}
    });
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(store.renew(&mut other, TEN).await.unwrap());
    }
    assert!(attempts.lock().unwrap().is_empty(), "it is somebody else's");
    assert_eq!(bench.counts("dead").await, (0, 0));
    store.unlock(&other).await.unwrap();
    until("the queue is empty", async || bench.is_empty().await).await;
    assert_eq!(*attempts.lock().unwrap(), [2], "kept, not received again and again");
    assert_eq!(bench.counts("dead").await, (0, 0));
    let report = bench.stop(running).await;
    assert_eq!((report.received, report.released, report.done), (2, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_locked_message_holds_back_its_group_and_no_other() {
    let (bench, store) = guarded("orders.fifo").await;
    let mut locked = None;
    for n in 0..3 {
        let id = send(&bench, &format!("a{n}"), Some("a")).await;
        send(&bench, &format!("b{n}"), Some("b")).await;
        if n == 0 {
            locked = Some(lock(&store, &id, Duration::from_secs(20)).await);
        }
    }
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let running = bench.start(move |Body(body): Body| {
        log.lock().unwrap().push(body);
        async {}
    });
    until("the queue is empty", async || bench.is_empty().await).await;
    assert_eq!(*seen.lock().unwrap(), ["b0", "b1", "b2", "a0", "a1", "a2"]);
    assert!(locked.unwrap().until <= Instant::now());
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn with_a_store_a_failing_message_is_tried_again_as_without() {
    let (bench, _store) = guarded("orders").await;
    for n in 0..20 {
        bench.send(&n.to_string()).await;
    }
    let running = bench.start(|Attempt(attempt): Attempt| async move {
        if attempt < 4 { Outcome::retry("not yet") } else { Outcome::Done }
    });
    until("the queue is empty", async || bench.is_empty().await).await;
    let report = bench.stop(running).await;
    assert_eq!((report.done, report.retried, report.released), (20, 60, 0));
}

#[tokio::test(start_paused = true)]
async fn two_workers_share_a_queue_and_a_store_and_nothing_is_done_twice() {
    let (bench, _store) = guarded("orders").await;
    for n in 0..200 {
        bench.send(&n.to_string()).await;
    }
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let start = || {
        let log = Arc::clone(&seen);
        bench.start(move |Body(body): Body| {
            log.lock().unwrap().push(body);
            async { tokio::time::sleep(Duration::from_millis(100)).await }
        })
    };
    let (first, second) = (start(), start());
    until("the queue is empty", async || bench.is_empty().await).await;
    let both = bench.stop(first).await.done + bench.stop(second).await.done;
    assert_eq!(both, 200);
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_opted_out_asks_for_no_lock() {
    let (mut bench, store) = guarded("orders").await;
    bench.settings.idempotency = false;
    let id = send(&bench, "x", None).await;
    lock(&store, &id, Duration::from_hours(1)).await;
    let running = bench.start(|| async {});
    until("the queue is empty", async || bench.is_empty().await).await;
    assert_eq!(bench.stop(running).await.done, 1);
}
