//! SQS in trouble: receives that fail, deletes that fail in part.

use super::ground::{Ground, embedded, log_line, logged, sizes, stop};
use crate::support::{PATIENCE, daemon::Daemon, eventually, exchange::End, proxy::Fault};
use std::time::Duration;

fn settings(ground: &Ground) -> String {
    format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\n{}",
        ground.exec("queue.q.handler", "h", "read body; echo $body >> $D/seen")
    )
}

/// Three receives fail with this; then a message must be handled. Returns the daemon for its log.
async fn three_times(status: u16, body: &str) -> (Ground, Daemon) {
    let ground = embedded();
    ground.queue("q", &[]).await;
    let answer = Fault::Answer(status, body.to_owned());
    ground.proxy.on(3, |seen| seen.operation() == "ReceiveMessage", answer);
    let daemon = ground.run(&settings(&ground));
    log_line(&daemon, &["receive failed, trying again"]);
    ground.send("q", "x").await;
    ground.wait_empty("q").await;
    let calls = ground.proxy.of("ReceiveMessage");
    let failed: Vec<_> =
        calls.iter().filter(|call| call.end == End::Answered(status)).map(|call| call.at).collect();
    assert_eq!(failed.len(), 3);
    // At least half of 1 and of 2 s.
    let took = failed[2] - failed[0];
    assert!(took >= Duration::from_millis(1500), "three calls in {took:?}");
    assert_eq!(logged(&daemon, &["receive failed"]), 1, "{}", daemon.output());
    assert_eq!(logged(&daemon, &["receiving again"]), 1, "{}", daemon.output());
    (ground, daemon)
}

#[tokio::test]
async fn throttled_receives_back_off() {
    let body = r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow down"}"#;
    let (_ground, daemon) = three_times(400, body).await;
    log_line(&daemon, &["WARN", "receive failed", "throttled"]);
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn receives_that_fail_at_the_server_back_off() {
    let (_ground, daemon) = three_times(500, "").await;
    log_line(&daemon, &["WARN", "receive failed"]);
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn denied_receives_are_an_error_with_advice() {
    let body = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not authorized to perform: sqs:ReceiveMessage"}"#;
    let (_ground, daemon) = three_times(403, body).await;
    log_line(&daemon, &["ERROR", "receive failed", "sqs:ReceiveMessage", "allow this action"]);
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_waited_for() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    let settings = format!("[log]\nlevel = \"debug\"\n{}", settings(&ground));
    let daemon = ground.run(&settings);
    eventually("a poll", PATIENCE, || !ground.proxy.of("ReceiveMessage").is_empty());
    ground.proxy.down();
    let tries = || logged(&daemon, &["receive failed, trying again"]);
    eventually("three tries", PATIENCE, || tries() >= 3);
    let told = logged(&daemon, &["WARN", "receive failed"]);
    assert!(told <= 2, "broken off, then refused:\n{}", daemon.output());
    assert!(!log_line(&daemon, &["WARN", "receive failed"]).contains("{ source"), "one plain line");
    ground.proxy.up();
    ground.send("q", "x").await;
    ground.wait_empty("q").await;
    assert!(tries() <= 6, "{}", tries());
    assert_eq!(stop(daemon), 0);
}

/// SQS deletes two of three; what it did not delete is asked for again, alone.
#[tokio::test]
async fn i18_of_a_batch_that_fails_in_part_only_that_part_is_sent_again() {
    let ground = embedded();
    ground.queue("q", &[("VisibilityTimeout", "4")]).await;
    for n in 0..3 {
        ground.send("q", &n.to_string()).await;
    }
    let partial = r#"{"Successful":[{"Id":"0"},{"Id":"2"}],"Failed":[{"Id":"1","SenderFault":false,"Code":"InternalError","Message":"oops"}]}"#;
    let delete = "DeleteMessageBatch";
    let of_three = move |seen: &crate::support::exchange::Exchange| {
        seen.operation() == delete && String::from_utf8_lossy(&seen.body).contains("\"Id\":\"2\"")
    };
    ground.proxy.on(1, of_three, Fault::Answer(200, partial.to_owned()));
    // They end together, and so are deleted together.
    let gate = super::stopping::gate(&ground);
    let waits = "read body; echo $body >> $D/seen; flock -s $D/gate true";
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\n{}",
        ground.exec("queue.q.handler", "h", waits)
    ));
    ground.wait_lines("seen", 3);
    gate.unlock().unwrap();
    eventually("a second delete", PATIENCE, || ground.proxy.of(delete).len() >= 2);
    let calls = ground.calls(delete);
    assert_eq!(sizes(&calls)[..2], [3, 1]);
    let handle = |call: usize, entry: usize| {
        calls[call].1["Entries"][entry]["ReceiptHandle"].as_str().unwrap().to_owned()
    };
    assert_eq!(handle(1, 0), handle(0, 1));
    // The proxy lied about the other two: they come again, and are deleted without being run.
    ground.wait_empty("q").await;
    assert_eq!(logged(&daemon, &["the copy is deleted"]), 2, "{}", daemon.output());
    assert_eq!(ground.lines("seen").len(), 3, "each was run once");
    assert_eq!(stop(daemon), 0);
}

/// Deletes that are refused for good: nothing is run twice on this host while they are.
#[tokio::test]
async fn what_cannot_be_deleted_is_not_run_twice() {
    let ground = embedded();
    ground.queue("q", &[("VisibilityTimeout", "4")]).await;
    ground.send("q", "x").await;
    let denied = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}"#;
    let delete =
        |seen: &crate::support::exchange::Exchange| seen.operation() == "DeleteMessageBatch";
    ground.proxy.on(2, delete, Fault::Answer(403, denied.to_owned()));
    let daemon = ground.run(&settings(&ground));
    ground.wait_empty("q").await;
    assert_eq!(ground.lines("seen"), ["x"]);
    assert_eq!(logged(&daemon, &["WARN", "delete failed"]), 2, "{}", daemon.output());
    assert_eq!(stop(daemon), 0);
}
