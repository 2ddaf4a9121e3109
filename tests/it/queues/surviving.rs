//! `kill -9` under load: nothing is lost, nothing is deleted before its handler was done.

use super::ground::{Ground, embedded, stop};
use crate::support::{PATIENCE, eventually};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

fn settings(ground: &Ground) -> String {
    format!(
        "[queue.q]\nqueue = \"q\"\nconcurrency = 8\nwait_time = 1\nvisibility_timeout = 2\n{}",
        // The work comes first, the record of it last.
        ground.exec("queue.q.handler", "h", "read body; sleep 0.05; echo \"$body\" >> $D/seen")
    )
}

/// Sends on a thread of its own until it is told to stop, never far ahead of the handlers; returns
/// what was sent.
fn produce(ground: &Ground, over: Arc<AtomicBool>) -> std::thread::JoinHandle<BTreeSet<String>> {
    let (upstream, url, seen) = (ground.upstream.clone(), ground.url("q"), ground.path("seen"));
    let seen = move || std::fs::read_to_string(&seen).unwrap_or_default().matches('\n').count();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sqs = crate::support::aws::sqs(&upstream);
            let mut sent = BTreeSet::new();
            while !over.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(15)).await;
                if sent.len() > seen() + 100 {
                    continue;
                }
                let body = format!("body-{}", sent.len());
                sqs.send_message().queue_url(&url).message_body(&body).send().await.unwrap();
                sent.insert(body);
            }
            sent
        })
    })
}

#[tokio::test]
async fn ten_kills_under_load_lose_nothing() {
    let ground = embedded();
    ground.queue("q", &[]).await;

    let witness = ground.watch_deletes("seen");
    let over = Arc::new(AtomicBool::new(false));
    let producer = produce(&ground, Arc::clone(&over));
    let settings = settings(&ground);
    for _ in 0..10 {
        let mut daemon = ground.run(&settings);
        // Some progress, and then any moment at all.
        let before = ground.lines("seen").len();
        eventually("progress", PATIENCE, || ground.lines("seen").len() > before + 3);
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..400))).await;
        daemon.kill9();
    }
    over.store(true, Ordering::SeqCst);
    let sent = producer.join().unwrap();
    let daemon = ground.run(&settings);
    ground.wait_empty("q").await;
    assert_eq!(stop(daemon), 0);

    let lines = ground.lines("seen");
    let seen: BTreeSet<String> = lines.iter().cloned().collect();
    assert!(sent.is_subset(&seen), "lost: {:?}", sent.difference(&seen).collect::<Vec<_>>());
    let falsified: Vec<_> = seen.difference(&sent).collect();
    assert!(falsified.is_empty(), "bodies that nobody sent: {falsified:?}");

    let body = |message: &serde_json::Value| message["Body"].as_str().unwrap().to_owned();
    assert!(ground.deleted_after(&witness, "seen", body) >= sent.len());
}
