//! Handlers that take several messages at once, in virtual time.

use std::collections::HashMap;

use longshore::message::Message;

use super::*;

/// What a batch handler was called with, and when.
type Calls = Arc<Mutex<Vec<(Vec<String>, Instant)>>>;

fn bodies(messages: &[Arc<Message>]) -> Vec<String> {
    messages.iter().map(|message| message.body.as_text().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_handled_at_once_and_what_comes_late_is_not_waited_for() {
    let mut bench = Bench::new("orders").await;
    bench.settings.concurrency = 50;
    for n in 0..25 {
        bench.send(&n.to_string()).await;
    }
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let running = bench.start_with(|worker| {
        worker.batch("q", 10, move |messages: Vec<Arc<Message>>, ()| {
            seen.lock().unwrap().push((bodies(&messages), Instant::now()));
            async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                vec![(); messages.len()]
            }
        })
    });
    until("25 are handled", async || bench.is_empty().await).await;
    let sent = Instant::now();
    bench.send("late").await;
    until("and one more", async || bench.is_empty().await).await;
    let calls = calls.lock().unwrap().clone();
    let sizes: Vec<usize> = calls.iter().map(|(bodies, _)| bodies.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 26);
    assert!(sizes.len() <= 5 && sizes.contains(&10), "{sizes:?}");
    let (last, began) = calls.last().unwrap();
    assert_eq!(last, &["late"]);
    assert!(*began - sent <= Duration::from_millis(60), "{:?}", *began - sent);
    let report = bench.stop(running).await;
    assert_eq!((report.received, report.done), (26, 26));
}

#[tokio::test(start_paused = true)]
async fn only_what_failed_of_a_batch_comes_again() {
    let mut bench = Bench::new("orders").await;
    bench.sqs.create_queue().queue_name("dead").send().await.unwrap();
    bench.settings.dead_letter_queue = Some("dead".to_owned());
    for body in ["1", "2", "3", "{", "5", "6"] {
        bench.send(body).await;
    }
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let running = bench.start_with(|worker| {
        use longshore::handler::extract::Json;
        worker.batch("q", 10, move |orders: Vec<(Json<u32>, Attempt)>, ()| {
            let bodies = orders.iter().map(|(Json(order), _)| order.to_string()).collect();
            seen.lock().unwrap().push((bodies, Instant::now()));
            let judge = |(Json(order), Attempt(attempt)): (Json<u32>, Attempt)| {
                if order == 2 && attempt == 1 { Outcome::retry("not yet") } else { Outcome::Done }
            };
            let outcomes: Vec<Outcome> = orders.into_iter().map(judge).collect();
            async move { outcomes }
        })
    });
    until("the queue is empty", async || bench.is_empty().await).await;
    let mut seen: Vec<String> =
        calls.lock().unwrap().iter().flat_map(|(bodies, _)| bodies.clone()).collect();
    seen.sort();
    assert_eq!(seen, ["1", "2", "2", "3", "5", "6"]);
    assert_eq!(bench.counts("dead").await, (1, 0), "what cannot be read");
    let report = bench.stop(running).await;
    assert_eq!((report.done, report.retried, report.rejected), (5, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn draining_ends_a_batch_that_runs_and_gives_back_one_that_gathers() {
    let bench = Bench::new("orders").await;
    for n in 0..4 {
        bench.send(&n.to_string()).await;
    }
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let running = bench.start_with(|worker| {
        worker.batch("q", 10, move |messages: Vec<Arc<Message>>, ()| {
            seen.lock().unwrap().push((bodies(&messages), Instant::now()));
            async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                vec![(); messages.len()]
            }
        })
    });
    until("a batch runs", async || !calls.lock().unwrap().is_empty()).await;
    bench.send("late").await;
    // It has been received, and waits for company.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let report = bench.stop(running).await;
    assert_eq!(calls.lock().unwrap().len(), 1);
    assert_eq!((report.done, report.released + 4), (4, report.received));
    assert_eq!(bench.counts("orders").await, (1, 0), "it is visible at once");
}

/// Messages of many groups, batches of any size, failures at any place: within a group, nobody is
/// done, or even handed over outside of the batch of its predecessors, before those before it are.
#[tokio::test(start_paused = true)]
async fn no_message_of_a_group_overtakes_another_whatever_fails() {
    for seed in 0..12 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bench = Bench::new("orders.fifo").await;
        bench.settings.concurrency = random.usize(3..30);
        // Messages come into a batch after their locks, and after they are unpacked.
        if seed % 2 == 1 {
            let locks = config::Idempotency::new(config::IdempotencyStore::Memory);
            bench.locks = Some((Store::memory(), locks));
        }
        if seed % 3 == 1 {
            bench.settings.payload.steps = vec![config::Step::read("gzip?").unwrap()];
        }
        let (groups, each, most) = (random.u32(1..6), random.u32(5..20), random.usize(2..12));
        for n in 0..each {
            for group in 0..groups {
                bench.send_in_group(&group.to_string(), &format!("{group}:{n}")).await;
            }
        }
        let done: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
        let progress = Arc::clone(&done);
        let running = bench.start_with(|worker| {
            worker.batch("q", most, move |messages: Vec<Arc<Message>>, ()| {
                let pause = Duration::from_millis(random_below(3000));
                let progress = Arc::clone(&progress);
                async move {
                    tokio::time::sleep(pause).await;
                    let mut progress = progress.lock().unwrap();
                    let judge = |message: &Arc<Message>| {
                        let (group, n) = message.body.as_text().unwrap().split_once(':').unwrap();
                        let n: u32 = n.parse().unwrap();
                        let next = progress.entry(group.to_owned()).or_insert(0);
                        // Behind one of this batch that failed, it fails too; else it is the next.
                        if n > *next || fastrand::u32(0..8) == 0 {
                            return (group.to_owned(), n, Outcome::retry("not yet"));
                        }
                        assert_eq!(n, *next, "{group} was done before");
                        *next += 1;
                        (group.to_owned(), n, Outcome::Done)
                    };
                    let judged: Vec<(String, u32, Outcome)> = messages.iter().map(judge).collect();
                    let mut failed: HashMap<String, u32> = HashMap::new();
                    for (group, n, outcome) in &judged {
                        if let Some(first) = failed.get(group) {
                            assert!(first < n, "{group}: {n} stands behind {first} in a batch");
                            assert_ne!(*outcome, Outcome::Done);
                        } else if *outcome != Outcome::Done {
                            assert_eq!(*n, progress[group], "{group}: {n} overtook another");
                            failed.insert(group.clone(), *n);
                        }
                    }
                    judged.into_iter().map(|(_, _, outcome)| outcome).collect::<Vec<_>>()
                }
            })
        });
        until("the queue is empty", async || bench.is_empty().await).await;
        let ended = done.lock().unwrap().clone();
        assert_eq!(ended.len(), usize::try_from(groups).unwrap());
        assert!(ended.values().all(|&count| count == each), "seed {seed}: {ended:?}");
        bench.stop(running).await;
    }
}

fn random_below(most: u64) -> u64 {
    fastrand::u64(0..most)
}
