//! A handler that cannot be started: the handler's fault or the host's, never a message's.

use super::ground::{Ground, embedded, log_line, logged, sizes, stop};
use crate::support::{PATIENCE, daemon::Daemon, eventually, exchange::Exchange, proxy::Fault};
use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

fn settings(ground: &Ground, more: &str) -> String {
    let program = ground.path("handler").display().to_string();
    format!(
        "[log]\nlevel = \"debug\"\n[queue.q]\nqueue = \"q\"\nwait_time = 1\n{more}\
         [queue.q.handler.exec]\ncommand = [{program:?}]\n"
    )
}

fn probes(daemon: &Daemon) -> usize {
    logged(daemon, &["DEBUG", "handler still cannot be started"])
}

#[tokio::test]
async fn a_missing_program_costs_one_poll_and_one_message_a_probe() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    for n in 0..10 {
        ground.send("q", &n.to_string()).await;
    }
    let daemon = ground.run(&settings(&ground, ""));
    eventually("four probes", PATIENCE, || probes(&daemon) >= 4);
    assert_eq!(ground.proxy.of("ReceiveMessage").len(), 1, "no receive beyond the first poll");
    assert_eq!(ground.counts("q").await, (9, 1), "one message is kept, the others went back");
    assert_eq!(logged(&daemon, &["ERROR"]), 1, "{}", daemon.output());
    log_line(&daemon, &["ERROR", "handler cannot be started", "No such file"]);
    ground.script("handler", "echo \"$LONGSHORE_RECEIVE_COUNT $LONGSHORE_MESSAGE_ID\" >> $D/seen");
    ground.wait_empty("q").await;
    let seen = ground.lines("seen");
    assert_eq!(seen.len(), 10);
    let firsts = seen.iter().filter(|line| line.starts_with("1 ")).count();
    let seconds = seen.iter().filter(|line| line.starts_with("2 ")).count();
    assert_eq!((firsts, seconds), (1, 9), "the probe spent none: {seen:?}");
    log_line(&daemon, &["handler can be started again"]);
    assert_eq!(stop(daemon), 0);
    ground.no_poll_was_dropped();
}

#[tokio::test]
async fn a_program_that_may_not_be_run_judges_no_message_either() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "x").await;
    std::fs::write(ground.path("handler"), "#!/bin/sh\n").unwrap();
    let daemon = ground.run(&settings(&ground, ""));
    log_line(&daemon, &["ERROR", "handler cannot be started", "denied"]);
    assert_eq!(stop(daemon), 0);
    assert_eq!(ground.counts("q").await, (1, 0), "given back at once");
}

fn is_receive(seen: &Exchange) -> bool {
    seen.operation() == "ReceiveMessage"
}

fn is_renewal(seen: &Exchange) -> bool {
    seen.operation() == "ChangeMessageVisibilityBatch"
        && !String::from_utf8_lossy(&seen.body).contains("\"VisibilityTimeout\":0")
}

/// The answer to a renewal of one lease that is lost.
fn lost_lease() -> Fault {
    Fault::Answer(200, super::leases::LOST.to_owned())
}

/// How often the threads of a process have gone to sleep so far: a loop shows here, even one that
/// is slowed down to the millisecond of the runtime's timer.
fn naps(daemon: &Daemon) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok())
        .filter_map(|status| {
            let line =
                status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line?.trim().parse::<u64>().ok()
        })
        .sum()
}

/// No more naps since then than this a second: a loop that spins takes a thousand.
fn assert_rests(daemon: &Daemon, (before, since): (u64, Instant), most: u64) {
    let naps = naps(daemon).saturating_sub(before);
    let seconds = since.elapsed().as_secs() + 1;
    assert!(naps < most * seconds, "{naps} naps in {seconds} s of waiting");
}

/// The kept message is lost while SQS is in trouble too: that must neither storm nor spin.
#[tokio::test]
async fn a_lost_probe_is_followed_by_polls_with_backoff_and_by_recovery() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    for n in 0..3 {
        ground.send("q", &n.to_string()).await;
    }
    ground.proxy.on(1, is_renewal, lost_lease());
    // All but the first.
    let polls = AtomicUsize::new(0);
    let later = move |seen: &Exchange| is_receive(seen) && polls.fetch_add(1, SeqCst) > 0;
    ground.proxy.on(2, later, Fault::Answer(500, String::new()));
    let daemon = ground.run(&settings(&ground, "visibility_timeout = 4\n"));
    log_line(&daemon, &["lease lost"]);
    log_line(&daemon, &["WARN", "receive failed"]);
    let before = (naps(&daemon), Instant::now());
    eventually("both refused polls", PATIENCE, || {
        let polls = ground.proxy.of("ReceiveMessage");
        polls.iter().filter(|poll| poll.end == crate::support::exchange::End::Answered(500)).count()
            == 2
    });
    let again = probes(&daemon);
    eventually("another message is probed with", PATIENCE, || probes(&daemon) > again);
    assert_rests(&daemon, before, 300);
    let polls = ground.calls("ReceiveMessage");
    assert!(polls.len() <= 5, "{} polls", polls.len());
    assert_eq!(logged(&daemon, &["ERROR", "handler cannot be started"]), 1);
    ground.script("handler", "echo x >> $D/seen");
    ground.wait_empty("q").await;
    log_line(&daemon, &["handler can be started again"]);
    eventually("polls for ten again", PATIENCE, || {
        let last = ground.calls("ReceiveMessage").pop().unwrap().1;
        last["MaxNumberOfMessages"] == 10
    });
    assert_eq!(stop(daemon), 0);
    ground.no_poll_was_dropped();
}

/// The kept message is lost and no other is there: the one open poll is all there is to wait for.
#[tokio::test]
async fn while_polling_for_a_probe_the_daemon_rests() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "x").await;
    ground.proxy.on(1, is_renewal, lost_lease());
    let settings = settings(&ground, "concurrency = 1\nvisibility_timeout = 4\n");
    let daemon = ground.run(&settings.replace("wait_time = 1", "wait_time = 20"));
    log_line(&daemon, &["ERROR", "handler cannot be started"]);
    ground.sqs.purge_queue().queue_url(ground.url("q")).send().await.unwrap();
    log_line(&daemon, &["lease lost"]);
    eventually("the poll for a probe", PATIENCE, || ground.proxy.of("ReceiveMessage").len() >= 2);
    let before = (naps(&daemon), Instant::now());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_rests(&daemon, before, 100);
    let renewals = ground.calls("ChangeMessageVisibilityBatch");
    assert!(sizes(&renewals).iter().all(|entries| *entries == 1));
    drop(daemon);
}
