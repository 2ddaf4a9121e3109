//! SIGTERM: what runs may finish, everything else is given back at once, no poll is dropped.

use super::ground::{Ground, embedded, log_line, logged};
use crate::support::{
    PATIENCE,
    daemon::longshore,
    eventually,
    exchange::Exchange,
    proxy::{Fault, Gate},
};
use std::{
    fs::{self, File},
    time::{Duration, Instant},
};

/// Gone, or only waiting for its parent to look.
pub(super) fn is_dead(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap().trim_start().chars().next();
    matches!(state, None | Some('Z' | 'X'))
}

/// A gate that handlers wait at without spinning: `flock -s $D/gate true`.
pub(super) fn gate(ground: &Ground) -> File {
    let gate = File::create(ground.path("gate")).unwrap();
    gate.lock().unwrap();
    gate
}

fn fifty_and_a_poll(ground: &Ground) -> String {
    format!(
        "[queue.a]\nqueue = \"busy\"\nconcurrency = 50\n{}\
         [queue.b]\nqueue = \"idle\"\n[queue.b.handler.print]\n",
        ground.exec(
            "queue.a.handler",
            "h",
            "read body; echo $body >> $D/begun; flock -s $D/gate true; echo $body >> $D/done"
        )
    )
}

#[tokio::test]
async fn fifty_running_handlers_finish_and_an_open_poll_gives_back_what_it_brings() {
    let ground = embedded();
    ground.queue("busy", &[]).await;
    ground.queue("idle", &[]).await;
    for n in 0..60 {
        ground.send("busy", &n.to_string()).await;
    }
    let gate = gate(&ground);
    let is_idle = |seen: &Exchange| {
        seen.operation() == "ReceiveMessage"
            && String::from_utf8_lossy(&seen.body).contains("/idle\"")
    };
    // Open until we let SQS hear of it, however long fifty programs take to begin.
    let poll = Gate::closed();
    ground.proxy.on(1, is_idle, Fault::Hold(poll.clone()));
    let mut daemon = ground.run(&fifty_and_a_poll(&ground));
    ground.wait_lines("begun", 50);
    let idle = || ground.proxy.requests().iter().filter(|seen| is_idle(seen)).count();
    eventually("the open poll", PATIENCE, || poll.arrived() == 1);
    daemon.terminate();
    log_line(&daemon, &["stopping"]);
    ground.send("idle", "came too late").await;
    poll.open();
    // It was received after the signal, and given back: only then is it visible again.
    eventually("the late one was received", PATIENCE, || {
        let replies = ground.proxy.of("ReceiveMessage").into_iter();
        replies.into_iter().any(|poll| String::from_utf8_lossy(&poll.reply).contains("too late"))
    });
    assert_eq!(ground.lines("done").len(), 0, "handlers are waited for");
    gate.unlock().unwrap();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
    let late = ground.visible("idle").await;
    assert_eq!(late.len(), 1, "visible again at once");
    assert_eq!(ground.lines("done").len(), 50);
    assert_eq!(ground.counts("busy").await, (10, 0), "50 are deleted, 10 were never touched");
    assert_eq!(idle(), 1, "no poll after the signal");
    assert_eq!(logged(&daemon, &["message done"]), 50);
    ground.no_poll_was_dropped();
}

#[tokio::test]
async fn an_open_poll_that_brings_nothing_is_waited_for() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    let gate = Gate::closed();
    let is_poll = |seen: &Exchange| seen.operation() == "ReceiveMessage";
    ground.proxy.on(1, is_poll, Fault::HoldReply(gate.clone()));
    let mut daemon =
        ground.run("[queue.q]\nqueue = \"q\"\nwait_time = 1\n[queue.q.handler.print]\n");
    eventually("a poll", PATIENCE, || gate.arrived() == 1);
    daemon.terminate();
    log_line(&daemon, &["stopping"]);
    assert_eq!(daemon.ended(), None);
    gate.open();
    assert_eq!(daemon.wait(PATIENCE), 0);
    assert_eq!(ground.proxy.of("ReceiveMessage").len(), 1);
    ground.no_poll_was_dropped();
}

#[tokio::test]
async fn run_local_answers_its_own_polls_and_stops_at_once() {
    let ground = embedded();
    let gate = gate(&ground);
    fs::write(ground.path("c.toml"), fifty_and_a_poll(&ground)).unwrap();
    let config = ground.path("c.toml").display().to_string();
    let mut daemon = longshore(["run", "--local", "aws", "--config", &config]).start();
    let banner = daemon.wait_for_line(|line| line.contains("at http://127.0.0.1:"), PATIENCE);
    let endpoint = banner.split(" at ").last().unwrap().split(';').next().unwrap().to_owned();
    let sqs = crate::support::aws::sqs(&endpoint);
    for n in 0..50 {
        let url = format!("{endpoint}/000000000000/busy");
        sqs.send_message().queue_url(url).message_body(n.to_string()).send().await.unwrap();
    }
    ground.wait_lines("begun", 50);
    daemon.terminate();
    log_line(&daemon, &["stopping"]);
    gate.unlock().unwrap();
    ground.wait_lines("done", 50);
    // Only the poll is left, which would last for 20 s.
    let asked = Instant::now();
    assert_eq!(daemon.wait(PATIENCE), 0, "{}", daemon.output());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(ground.lines("done").len(), 50);
    assert_eq!(logged(&daemon, &["queue stopped", "queue=a", "done=50"]), 1);
}

const STUBBORN: &str = "trap '' TERM; sleep 600 & echo $! >> $D/pids; echo $$ >> $D/pids; wait";

#[tokio::test]
async fn handlers_that_ignore_the_drain_are_ended_with_their_trees_and_given_back() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    for n in 0..10 {
        ground.send("q", &n.to_string()).await;
    }
    let settings = format!(
        "drain_timeout = \"1s\"\n[queue.q]\nqueue = \"q\"\nvisibility_timeout = 600\n{}",
        ground.exec("queue.q.handler", "h", STUBBORN)
    );
    let mut daemon = ground.run(&settings);
    let pids = ground.wait_lines("pids", 20);
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 75);
    assert_eq!(ground.counts("q").await, (10, 0), "visible again at once");
    eventually("all trees are dead", PATIENCE, || pids.iter().all(|pid| is_dead(pid)));
    assert!(ground.proxy.of("DeleteMessageBatch").is_empty());
    ground.no_poll_was_dropped();
}

#[tokio::test]
async fn a_second_signal_aborts() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    for n in 0..10 {
        ground.send("q", &n.to_string()).await;
    }
    let settings = format!(
        // The first signal alone would let them go on for ever.
        "drain_timeout = \"1h\"\n[queue.q]\nqueue = \"q\"\nvisibility_timeout = 600\n{}",
        ground.exec("queue.q.handler", "h", STUBBORN)
    );
    let mut daemon = ground.run(&settings);
    let pids = ground.wait_lines("pids", 20);
    daemon.interrupt();
    log_line(&daemon, &["stopping"]);
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 75);
    assert_eq!(ground.counts("q").await, (10, 0));
    eventually("all trees are dead", PATIENCE, || pids.iter().all(|pid| is_dead(pid)));
}

/// Looking for a queue takes no message: an answer that never comes must not hold up the stop.
#[tokio::test]
async fn looking_for_a_queue_does_not_hold_up_the_stop() {
    let ground = embedded();
    let never = Gate::closed();
    let hold = Fault::Hold(never.clone());
    ground.proxy.on(10, |seen| seen.operation() == "GetQueueUrl", hold);
    let mut daemon = ground.run("[queue.q]\nqueue = \"q\"\n[queue.q.handler.print]\n");
    eventually("it is looked for", PATIENCE, || never.arrived() == 1);
    let asked = Instant::now();
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

/// One refused give-back must not hide ten messages for a whole lease.
#[tokio::test]
async fn a_give_back_that_fails_at_stop_is_tried_again() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    for n in 0..10 {
        ground.send("q", &n.to_string()).await;
    }
    let settings = format!(
        "drain_timeout = \"1s\"\n[queue.q]\nqueue = \"q\"\nvisibility_timeout = 600\n{}",
        ground.exec("queue.q.handler", "h", "echo x >> $D/begun; exec sleep 600")
    );
    let mut daemon = ground.run(&settings);
    ground.wait_lines("begun", 10);
    let change = "ChangeMessageVisibilityBatch";
    ground.proxy.on(2, move |seen| seen.operation() == change, Fault::Answer(503, String::new()));
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 75);
    assert_eq!(ground.counts("q").await, (10, 0), "{}", daemon.output());
}
