//! Leases while handlers run: renewed in batches, and lost.

use super::ground::{Ground, embedded, log_line, logged, sizes, stop};
use crate::support::{
    PATIENCE, eventually,
    exchange::{End, Exchange},
    proxy::Fault,
};

/// A handler that says that it has begun, and lasts until the file `go` is there.
const LASTS: &str = "read body; echo $body >> $D/seen; while [ ! -e $D/go ]; do sleep 0.1; done";

fn go(ground: &Ground) {
    std::fs::write(ground.path("go"), "").unwrap();
}

#[tokio::test]
async fn handlers_longer_than_their_leases_run_once_and_renewals_go_in_batches() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    for n in 0..10 {
        ground.send("q", &n.to_string()).await;
    }
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\nvisibility_timeout = 6\n{}",
        ground.exec("queue.q.handler", "h", LASTS)
    ));
    // Each at half of its lease: two leases have passed.
    eventually("four renewals of each", PATIENCE, || {
        sizes(&ground.calls("ChangeMessageVisibilityBatch")).iter().sum::<usize>() >= 40
    });
    go(&ground);
    ground.wait_empty("q").await;
    let mut seen = ground.lines("seen");
    seen.sort();
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], "each once");
    let calls = sizes(&ground.calls("ChangeMessageVisibilityBatch"));
    assert!(
        calls.len() * 3 <= calls.iter().sum::<usize>(),
        "ten leases of one receive are renewed together: {calls:?}"
    );
    assert_eq!(logged(&daemon, &["WARN"]), 0, "{}", daemon.output());
    assert_eq!(stop(daemon), 0);
}

fn is_change(seen: &Exchange) -> bool {
    seen.operation() == "ChangeMessageVisibilityBatch"
}

pub(super) const LOST: &str = r#"{"Successful":[],"Failed":[{"Id":"0","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"gone"}]}"#;

#[tokio::test]
async fn a_lost_lease_ends_its_handler_first_by_word_then_by_force_and_deletes_nothing() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "x").await;
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 20\nvisibility_timeout = 8\n{}",
        ground.exec(
            "queue.q.handler",
            "h",
            "trap 'echo told >> $D/told' TERM; echo $$ >> $D/pids\n\
             while :; do sleep 1 & wait; done"
        )
    ));
    let pid = ground.wait_lines("pids", 1).remove(0);
    ground.proxy.on(100, is_change, Fault::Answer(200, LOST.to_owned()));
    log_line(&daemon, &["WARN", "lease lost"]);
    ground.wait_lines("told", 1);
    eventually("the handler is dead", PATIENCE, || super::stopping::is_dead(&pid));
    log_line(&daemon, &["handler was cut off: lease lost"]);
    assert!(ground.proxy.of("DeleteMessageBatch").is_empty());
    drop(daemon);
}

/// The message was handled, but the lease was not ours any more: a delete now could hit another
/// consumer's copy, or nothing. The copy that comes back here is deleted and not run.
#[tokio::test]
async fn done_after_the_lease_was_lost_is_deleted_when_it_comes_back() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "x").await;
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\nvisibility_timeout = 4\n{}",
        ground.exec(
            "queue.q.handler",
            "h",
            "trap 'exit 0' TERM; echo x >> $D/seen; while :; do sleep 1 & wait; done"
        )
    ));
    ground.wait_lines("seen", 1);
    ground.proxy.on(100, is_change, Fault::Answer(200, LOST.to_owned()));
    log_line(&daemon, &["done after its lease was lost"]);
    log_line(&daemon, &["received again after it was done; the copy is deleted"]);
    ground.wait_empty("q").await;
    let handles = ground.handles();
    let deleted = ground.calls("DeleteMessageBatch").into_iter();
    for (_, call) in deleted {
        let handle = call["Entries"][0]["ReceiptHandle"].as_str().unwrap();
        assert!(handles[1..].iter().any(|own| own == handle), "the lost one was deleted");
    }
    assert_eq!(ground.lines("seen").len(), 1, "run once");
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn renewals_that_fail_for_a_while_are_tried_again_and_are_no_storm() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    for n in 0..10 {
        ground.send("q", &n.to_string()).await;
    }
    ground.proxy.on(3, is_change, Fault::Answer(500, String::new()));
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\nvisibility_timeout = 12\n{}",
        ground.exec("queue.q.handler", "h", LASTS)
    ));
    let ended = |status| {
        let calls = ground.proxy.of("ChangeMessageVisibilityBatch").into_iter();
        calls.filter(|call| call.end == End::Answered(status)).count()
    };
    eventually("three failed, another was right", PATIENCE, || ended(500) == 3 && ended(200) > 0);
    go(&ground);
    ground.wait_empty("q").await;
    assert_eq!(ground.lines("seen").len(), 10, "each once");
    assert_eq!(logged(&daemon, &["WARN"]), 1, "{}", daemon.output());
    assert_eq!(logged(&daemon, &["WARN", "renewing a lease failed"]), 1);
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn a_reply_that_was_lost_brings_its_messages_after_their_leases() {
    let ground = embedded();
    ground.queue("q", &[("VisibilityTimeout", "4")]).await;
    for n in 0..3 {
        ground.send("q", &n.to_string()).await;
    }
    ground.proxy.on(1, |seen| seen.operation() == "ReceiveMessage", Fault::CutAfter);
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 5\n{}",
        ground.exec("queue.q.handler", "h", "echo $LONGSHORE_RECEIVE_COUNT >> $D/seen")
    ));
    ground.wait_empty("q").await;
    assert_eq!(ground.lines("seen"), ["2", "2", "2"], "handled once, received twice");
    assert_eq!(stop(daemon), 0);
}
