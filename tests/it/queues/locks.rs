//! Locks and finished ids in Redis: two daemons and one message, and a store that goes away.

use super::ground::{Ground, embedded, log_line, logged, stop};
use crate::support::{
    PATIENCE,
    daemon::{Daemon, longshore},
    eventually,
    exchange::Exchange,
    proxy::{Fault, Gate},
    redis::{Redis, idempotency, redis, redis_with},
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A queue whose handler says when it begins and ends; it lasts until the file `go` is there.
fn settings(ground: &Ground, store: &str, more: &str) -> String {
    let handler = ground.exec(
        "queue.q.handler",
        "handler",
        "echo \"$LONGSHORE_MESSAGE_ID\" >> $D/begun\n\
         while [ ! -e $D/go ]; do sleep 0.05; done\n\
         echo \"$LONGSHORE_MESSAGE_ID\" >> $D/done",
    );
    format!(
        "[log]\nlevel = \"debug\"\n{store}[queue.q]\nqueue = \"q\"\nwait_time = 1\n\
         retry_initial = \"1s\"\nretry_longest = \"1s\"\n{more}\n{handler}"
    )
}

fn go(ground: &Ground) {
    std::fs::write(ground.path("go"), "").unwrap();
}

fn is_delete(seen: &Exchange) -> bool {
    seen.operation() == "DeleteMessageBatch"
}

#[tokio::test]
async fn two_daemons_and_a_message_delivered_twice_handle_it_once() {
    let (ground, redis) = (embedded(), redis());
    ground.queue("q", &[]).await;
    let store = idempotency(&[&redis], "lock_timeout = 9");
    let settings = settings(&ground, &store, "concurrency = 1");
    let first = ground.run(&settings);
    ground.send("q", "x").await;
    ground.wait_lines("begun", 1);
    let second = ground.run(&settings);
    log_line(&second, &["listening to queue"]);
    ground.deliver_again("q").await;
    log_line(&second, &["WARN", "cannot acquire the lock", "sqs:event:"]);
    go(&ground);
    ground.wait_empty("q").await;
    assert_eq!(ground.lines("begun").len(), 1, "{}\n{}", first.output(), second.output());
    assert_eq!((stop(first), stop(second)), (0, 0));
    assert!(redis.keys("sqs:event:").is_empty(), "{:?}", redis.keys("sqs:"));
    let finished = redis.keys("sqs:done:arn:aws:sqs:us-east-1:000000000000:q:");
    assert_eq!(finished.len(), 1, "{:?}", redis.keys("sqs:"));
    let left = redis.say(&format!("PTTL {}", finished[0])).unwrap();
    let left: u64 = left.trim_start_matches(':').trim().parse().unwrap();
    let hours = Duration::from_millis(left).as_secs() / 3600;
    assert!((95..=96).contains(&hours), "the queue's retention: {hours} h");
}

#[tokio::test]
async fn what_one_daemon_finished_and_could_not_delete_the_next_deletes_and_does_not_run() {
    let (ground, redis) = (embedded(), redis());
    ground.queue("q", &[]).await;
    go(&ground);
    let lines = "visibility_timeout = 4";
    let settings = settings(&ground, &idempotency(&[&redis], ""), lines);
    // However often it tries: what it asked for never comes through.
    let refused = Arc::new(AtomicBool::new(true));
    let of_first = Arc::clone(&refused);
    let of_first = move |seen: &Exchange| is_delete(seen) && of_first.load(Ordering::SeqCst);
    ground.proxy.on(usize::MAX, of_first, Fault::CutBefore);
    let mut first = ground.run(&settings);
    ground.send("q", "x").await;
    eventually("a delete that is cut", PATIENCE, || {
        !ground.proxy.of("DeleteMessageBatch").is_empty()
    });
    assert_eq!(redis.keys("sqs:done:").len(), 1, "confirmed before the delete was sent");
    first.kill9();
    refused.store(false, Ordering::SeqCst);
    let second = ground.run(&settings);
    ground.wait_empty("q").await;
    log_line(&second, &["received again after it was finished"]);
    assert_eq!(ground.lines("done").len(), 1);
    assert_eq!(stop(second), 0);
}

/// Killed while a handler runs, and back a while later without its memory.
async fn outage(on_store_error: &str) -> (Ground, Daemon, Redis) {
    let (ground, mut redis) = (embedded(), redis());
    ground.queue("q", &[]).await;
    let more = format!("on_store_error = \"{on_store_error}\"\nlock_timeout = \"6s\"");
    let settings = settings(&ground, &idempotency(&[&redis], &more), "");
    let daemon = ground.run(&settings);
    ground.send("q", "x").await;
    ground.wait_lines("begun", 1);
    redis.kill();
    (ground, daemon, redis)
}

#[tokio::test]
async fn redis_killed_and_restarted_with_retry_nothing_is_deleted_or_polled_meanwhile() {
    let (ground, daemon, mut redis) = outage("retry").await;
    go(&ground);
    log_line(&daemon, &["ERROR", "idempotency store is away; polling stops"]);
    assert_eq!(ground.proxy.of("DeleteMessageBatch").len(), 0);
    let open = ground.proxy.of("ReceiveMessage").len();
    ground.send("q", "y").await;
    let failed = || logged(&daemon, &["DEBUG", "idempotency store is away"]);
    eventually("two more probes", PATIENCE, || failed() >= 2);
    let polls = ground.proxy.of("ReceiveMessage").len();
    assert!(polls <= open + 1, "one may have been open: {open}, {polls}");
    assert_eq!(ground.proxy.of("DeleteMessageBatch").len(), 0);
    assert_eq!(logged(&daemon, &["ERROR"]), 1, "{}", daemon.output());
    redis.start();
    ground.wait_empty("q").await;
    log_line(&daemon, &["idempotency store is back"]);
    assert_eq!(ground.lines("done").len(), 2, "each once: {}", daemon.output());
    assert_eq!(redis.keys("sqs:done:").len(), 2);
    assert_eq!(stop(daemon), 0);
    ground.no_poll_was_dropped();
}

#[tokio::test]
async fn redis_killed_and_restarted_with_proceed_work_goes_on() {
    let (ground, daemon, mut redis) = outage("proceed").await;
    ground.send("q", "y").await;
    log_line(&daemon, &["ERROR", "idempotency store is away, so it is done without"]);
    ground.wait_lines("begun", 2);
    log_line(&daemon, &["ERROR", "lock could not be renewed; the handler goes on without it"]);
    go(&ground);
    ground.wait_empty("q").await;
    assert_eq!(ground.lines("done").len(), 2, "each once: {}", daemon.output());
    redis.start();
    // Nobody probes it: a message finds out, perhaps not the first one.
    let mut sent = 2;
    while logged(&daemon, &["idempotency store is back"]) == 0 {
        assert!(sent < 30, "{}", daemon.output());
        ground.send("q", "z").await;
        sent += 1;
        ground.wait_lines("done", sent);
        ground.wait_empty("q").await;
    }
    let before = redis.keys("sqs:done:").len();
    ground.send("q", "z").await;
    ground.wait_empty("q").await;
    assert_eq!(redis.keys("sqs:done:").len(), before + 1, "it is guarded again");
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_lock_that_redis_forgot_is_lost_and_the_message_comes_again() {
    let (ground, daemon, mut redis) = outage("retry").await;
    redis.start();
    log_line(&daemon, &["lock lost"]);
    assert_eq!(ground.proxy.of("DeleteMessageBatch").len(), 0);
    // When its lease is over.
    ground.deliver_again("q").await;
    ground.wait_lines("begun", 2);
    go(&ground);
    ground.wait_empty("q").await;
    assert_eq!(ground.lines("done").len(), 1, "the first was cut off: {}", daemon.output());
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn of_three_redis_servers_one_may_be_away_and_two_may_not() {
    let (ground, mut servers) = (embedded(), [redis(), redis(), redis()]);
    ground.queue("q", &[]).await;
    go(&ground);
    servers[1].kill();
    let all: Vec<&Redis> = servers.iter().collect();
    let daemon = ground.run(&settings(&ground, &idempotency(&all, ""), ""));
    ground.send("q", "x").await;
    ground.wait_lines("done", 1);
    ground.wait_empty("q").await;
    let finished = servers[0].keys("sqs:done:").len() + servers[2].keys("sqs:done:").len();
    assert!(finished == 2, "{finished}: {}", daemon.output());
    servers[2].kill();
    ground.send("q", "y").await;
    log_line(&daemon, &["ERROR", "idempotency store is away", "2 of 3 Redis servers"]);
    assert_eq!(ground.lines("done").len(), 1);
    servers[1].start();
    ground.wait_lines("done", 2);
    ground.wait_empty("q").await;
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_stop_releases_the_locks() {
    let (ground, redis) = (embedded(), redis());
    ground.queue("q", &[]).await;
    let settings = settings(&ground, &idempotency(&[&redis], ""), "");
    let settings = format!("drain_timeout = 0\n{settings}");
    let daemon = ground.run(&settings);
    ground.send("q", "x").await;
    ground.wait_lines("begun", 1);
    assert_eq!(redis.keys("sqs:event:").len(), 1);
    assert_eq!(stop(daemon), 75, "the handler was cut off");
    assert!(redis.keys("sqs:event:").is_empty());
    assert_eq!(ground.counts("q").await, (1, 0), "given back at once");
}

/// What Redis held each time a delete came by.
fn keys_at_deletes(ground: &Ground, redis: &Arc<Redis>) -> Arc<Mutex<Vec<Vec<String>>>> {
    let (seen, redis) = (Arc::new(Mutex::new(Vec::new())), Arc::clone(redis));
    let notes = Arc::clone(&seen);
    let look = move |request: &Exchange| {
        if is_delete(request) {
            notes.lock().unwrap().push(redis.keys("sqs:"));
        }
        false
    };
    ground.proxy.on(1, look, Fault::CutBefore);
    seen
}

/// Redis answers late: sometimes within its two seconds, sometimes not.
#[tokio::test]
async fn no_delete_is_sent_before_a_late_redis_has_confirmed_and_no_lock_released_before_the_delete()
 {
    let (ground, redis) = (embedded(), Arc::new(redis()));
    ground.queue("q", &[]).await;
    let at_deletes = keys_at_deletes(&ground, &redis);
    let settings = settings(&ground, &idempotency(&[&redis], ""), "");
    let daemon = ground.run(&settings);
    for (round, patience) in [500, 3000].into_iter().enumerate() {
        drop(std::fs::remove_file(ground.path("go")));
        ground.send("q", "x").await;
        ground.wait_lines("begun", round + 1);
        redis.freeze();
        go(&ground);
        ground.wait_lines("done", round + 1);
        let frozen = Instant::now();
        eventually("it has been late", PATIENCE, || {
            frozen.elapsed() > Duration::from_millis(patience)
        });
        assert_eq!(ground.proxy.of("DeleteMessageBatch").len(), round, "it is not confirmed");
        let gate = Gate::closed();
        ground.proxy.on(1, is_delete, Fault::HoldReply(gate.clone()));
        redis.thaw();
        eventually("the delete", PATIENCE, || gate.arrived() == 1);
        assert_eq!(redis.keys("sqs:event:").len(), 1, "locked until the delete is confirmed");
        gate.open();
        ground.wait_empty("q").await;
        eventually("the unlock", PATIENCE, || redis.keys("sqs:event:").is_empty());
    }
    for (deletes, keys) in at_deletes.lock().unwrap().iter().enumerate() {
        let finished = keys.iter().filter(|key| key.starts_with("sqs:done:")).count();
        assert_eq!(finished, deletes + 1, "finished before the delete: {keys:?}");
    }
    assert_eq!(ground.lines("done").len(), 2, "each once: {}", daemon.output());
    assert_eq!(stop(daemon), 0);
}

/// A Redis that hangs from the start hangs neither a message nor the stop.
#[tokio::test]
async fn a_redis_that_hangs_holds_up_neither_messages_nor_the_stop() {
    let (ground, redis) = (embedded(), redis());
    ground.queue("q", &[]).await;
    go(&ground);
    redis.freeze();
    ground.send("q", "x").await;
    let retry = ground.run(&settings(&ground, &idempotency(&[&redis], ""), ""));
    log_line(&retry, &["ERROR", "idempotency store is away", "no answer within 2 s"]);
    assert_eq!(ground.proxy.of("ReceiveMessage").len(), 0, "no receive is spent");
    // Held up, it would be cut off at the end of its drain and say so.
    assert_eq!(stop(retry), 0);
    let store = idempotency(&[&redis], "on_store_error = \"proceed\"");
    let proceed = ground.run(&settings(&ground, &store, ""));
    ground.wait_lines("done", 1);
    ground.wait_empty("q").await;
    assert_eq!(stop(proceed), 0);
}

/// What two that hang are asked they do when they go on: grant the lock, and give it back.
#[tokio::test]
async fn a_lock_that_was_granted_unheard_does_not_outlast_the_servers_that_hang() {
    let (ground, servers) = (embedded(), [redis(), redis(), redis()]);
    ground.queue("q", &[]).await;
    go(&ground);
    let store = idempotency(&servers.each_ref(), "lock_timeout = \"30m\"");
    let daemon = ground.run(&settings(&ground, &store, ""));
    log_line(&daemon, &["listening to queue"]);
    let [_, second, third] = &servers;
    second.freeze();
    third.freeze();
    ground.send("q", "x").await;
    log_line(&daemon, &["ERROR", "idempotency store is away"]);
    second.thaw();
    third.thaw();
    ground.wait_lines("done", 1);
    ground.wait_empty("q").await;
    assert_eq!(stop(daemon), 0);
    for server in &servers {
        assert!(server.keys("sqs:event:").is_empty(), "{:?}", server.keys("sqs:"));
    }
}

fn check(ground: &Ground, store: &str) -> crate::support::daemon::Finished {
    let path = ground.path("checked.toml");
    let settings = format!("{store}[queue.q]\nqueue = \"q\"\nhandler.print = {{}}\n");
    std::fs::write(&path, settings).unwrap();
    let launch = longshore(["check", "--config", path.to_str().unwrap()]);
    launch.endpoint(&ground.upstream).finish()
}

#[tokio::test]
async fn check_asks_the_store_and_names_what_is_wrong_with_it() {
    let (ground, plain, locked) = (embedded(), redis(), redis_with(&["--requirepass", "hunter2"]));
    ground.queue("q", &[]).await;
    let memory = "[idempotency]\nstore = \"memory\"\n";
    check(&ground, memory)
        .expect(0, &["note  idempotency:", "this one process", "store = \"redis\""]);
    let url = plain.url();
    check(&ground, &idempotency(&[&plain], "")).expect(0, &[&format!("{url}/0 answers")]);

    let denied = check(&ground, &idempotency(&[&locked], ""));
    denied.expect(69, &["FAIL  idempotency:", &locked.url(), "password_file"]);
    std::fs::write(ground.path("password"), "hunter2\n").unwrap();
    let password = format!("password_file = {:?}", ground.path("password").display().to_string());
    let good = check(&ground, &idempotency(&[&locked], &password));
    let good = good.expect(0, &["answers"]);
    assert!(!good.said().contains("hunter2"));
    std::fs::write(ground.path("password"), "wrong1\n").unwrap();
    let wrong = check(&ground, &idempotency(&[&locked], &password));
    let wrong = wrong.expect(69, &["password_file"]);
    assert!(!wrong.said().contains("wrong1"));

    let mut gone = redis();
    gone.kill();
    let fix = format!("start {}/0, or correct servers", gone.url());
    check(&ground, &idempotency(&[&gone], "")).expect(69, &["FAIL  idempotency:", &fix]);
    let three = [&gone, &plain, &redis()];
    check(&ground, &idempotency(&three, "")).expect(0, &["note  idempotency:", &fix]);
}
