//! The cases of RelengAPI, R1 to R8.

use super::ground::{Endpoint, embedded, log_line, logged, stop};
use crate::support::{PATIENCE, daemon::longshore, eventually};
use std::fs;

#[tokio::test]
async fn r1_a_body_arrives_as_it_was_sent() {
    const BODY: &str = "eyJhIjogImIifQ==";
    let ground = embedded();
    let endpoint = Endpoint::start(|_, _| (200, Vec::new()));
    for queue in ["to-exec", "to-http"] {
        ground.queue(queue, &[]).await;
        ground.send(queue, BODY).await;
    }
    let exec = ground.exec("queue.a.handler", "keep", "cat > $D/draft && mv $D/draft $D/body");
    let daemon = ground.run(&format!(
        "[queue.a]\nqueue = \"to-exec\"\n{exec}\
         [queue.b]\nqueue = \"to-http\"\n[queue.b.handler.http]\nurl = {:?}\n",
        endpoint.url("/b")
    ));
    assert_eq!(endpoint.wait(1)[0].body, BODY);
    eventually("the body in a file", PATIENCE, || ground.path("body").exists());
    assert_eq!(fs::read(ground.path("body")).unwrap(), BODY.as_bytes());
    ground.wait_empty("to-exec").await;
    ground.wait_empty("to-http").await;
    assert_eq!(endpoint.seen().len(), 1);
    drop(daemon);
}

#[tokio::test]
async fn r2_a_missing_queue_is_said_loudly_and_stops_no_other() {
    let ground = embedded();
    ground.queue("there", &[]).await;
    let note = "echo \"$LONGSHORE_QUEUE $(cat)\" >> $D/seen";
    let daemon = ground.run(&format!(
        "[queue.a]\nqueue = \"not-there\"\n{}[queue.b]\nqueue = \"there\"\n{}",
        ground.exec("queue.a.handler", "a", note),
        ground.exec("queue.b.handler", "b", note),
    ));
    log_line(&daemon, &["ERROR", "queue cannot be listened to", "not-there", "us-east-1"]);
    ground.send("there", "1").await;
    assert_eq!(ground.wait_lines("seen", 1), ["there 1"]);
    ground.queue("not-there", &[]).await;
    ground.send("not-there", "2").await;
    assert_eq!(ground.wait_lines("seen", 2)[1], "not-there 2");
    assert_eq!(logged(&daemon, &["queue cannot be listened to"]), 1, "{}", daemon.output());
    ground.wait_empty("not-there").await;
}

#[tokio::test]
async fn r3_what_fails_is_named_kept_and_hinders_nothing() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    for body in ["BODY1", "EXC", "BODY2"] {
        ground.send("q", body).await;
    }
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nconcurrency = 1\n{}",
        ground.exec(
            "queue.q.handler",
            "h",
            "body=$(cat); echo $body >> $D/seen\n\
             [ $body != EXC ] || { echo $LONGSHORE_MESSAGE_ID >> $D/id; echo oh no >&2; exit 1; }",
        )
    ));
    let failed = log_line(&daemon, &["message failed", "exited with 1: oh no"]);
    let id = ground.lines("id").remove(0);
    assert!(failed.contains(&id) && failed.contains("WARN"), "{failed}");
    let mut seen = Vec::new();
    let count = |seen: &[String], begins| seen.iter().filter(|s| s.starts_with(begins)).count();
    eventually("EXC a second time, and the others", PATIENCE, || {
        seen = ground.lines("seen");
        count(&seen, "EXC") >= 2 && count(&seen, "BODY") >= 2
    });
    let place = |body: &str| seen.iter().position(|seen| seen == body).unwrap();
    assert!(place("BODY1") < place("BODY2"), "{seen:?}");
    assert_eq!(count(&seen, "BODY"), 2, "{seen:?}");
    assert_eq!(stop(daemon), 0);
    let (visible, hidden) = ground.counts("q").await;
    assert_eq!(visible + hidden, 1, "EXC is still there");
}

#[tokio::test]
async fn r4_a_region_that_is_none_is_named() {
    let ground = embedded();
    let settings = "[aws]\nregion = \"us-canada-17\"\nendpoint_url = \"http://127.0.0.1:1\"\n\
                    [queue.q]\nqueue = \"q\"\n[queue.q.handler.print]\n";
    let mut daemon = ground.run(settings);
    log_line(
        &daemon,
        &["WARN", "queue cannot be listened to", "looking up queue q in us-canada-17"],
    );
    assert_eq!(daemon.ended(), None, "the world may mend it");
    assert_eq!(stop(daemon), 0);
    let path = ground.path("longshore.toml");
    let mut check = longshore(["check", "--config", path.to_str().unwrap()]).start();
    assert_eq!(check.wait(PATIENCE), 69);
    check.wait_for_line(|line| line.contains("us-canada-17"), PATIENCE);
}

#[tokio::test]
async fn r5_a_queue_missing_in_a_region_is_an_error() {
    let ground = embedded();
    let path = ground.path("c.toml");
    fs::write(&path, "[queue.q]\nqueue = \"missing\"\n[queue.q.handler.print]\n").unwrap();
    let check = longshore(["check", "--config", path.to_str().unwrap()]);
    let mut check = check.endpoint(&ground.proxy.endpoint()).start();
    assert_eq!(check.wait(PATIENCE), 69, "{}", check.output());
    check.wait_for_line(|line| line.contains("missing") && line.contains("us-east-1"), PATIENCE);
}

#[tokio::test]
async fn r6_a_queue_is_looked_up_once() {
    let ground = embedded();
    for queue in ["q", "dead"] {
        ground.queue(queue, &[]).await;
    }
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\nconcurrency = 1\ndead_letter_queue = \"dead\"\n{}",
        ground.exec("queue.q.handler", "h", "exit 65")
    ));
    for n in 0..5 {
        ground.send("q", &n.to_string()).await;
    }
    ground.wait_counts("dead", (5, 0)).await;
    ground.wait_empty("q").await;
    assert!(ground.proxy.of("ReceiveMessage").len() >= 5);
    let lookups = ground.calls("GetQueueUrl").into_iter();
    let lookups: Vec<_> = lookups.map(|(_, call)| call["QueueName"].to_string()).collect();
    assert_eq!(lookups, ["\"q\"", "\"dead\""]);
    drop(daemon);
}

#[tokio::test]
async fn r7_without_credentials_in_the_settings_the_default_chain_is_asked() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    let settings = "[queue.q]\nqueue = \"q\"\n[queue.q.handler.print]\n";
    let daemon = ground.launch(settings).env("AWS_ACCESS_KEY_ID", "AKIDOFENVIRONMENT").start();
    log_line(&daemon, &["listening to queue"]);
    eventually("a poll", PATIENCE, || !ground.proxy.of("ReceiveMessage").is_empty());
    for seen in ground.proxy.requests() {
        let authorization = seen.header("authorization").unwrap();
        assert!(authorization.contains("Credential=AKIDOFENVIRONMENT/"), "{authorization}");
    }
}

#[tokio::test]
async fn r7_without_any_credentials_it_says_so_and_waits_for_some() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "hello").await;
    let settings = "[log]\nlevel = \"debug\"\n[queue.q]\nqueue = \"q\"\n\
                    wait_time = 1\n[queue.q.handler.print]\n";
    let launch = ground.launch(settings).without("AWS_ACCESS_KEY_ID");
    let mut daemon = launch.without("AWS_SECRET_ACCESS_KEY").start();
    let line = log_line(&daemon, &["ERROR", "queue cannot be listened to", "redentials"]);
    assert!(line.contains("check the credentials"), "{line}");
    let again = ["DEBUG", "queue cannot be listened to"];
    eventually("it tries again", PATIENCE, || logged(&daemon, &again) >= 2);
    assert_eq!(logged(&daemon, &["ERROR"]), 1, "{}", daemon.output());
    assert!(logged(&daemon, &again) <= 3, "no storm:\n{}", daemon.output());
    assert!(ground.proxy.requests().is_empty(), "nothing is sent unsigned");
    assert_eq!(daemon.ended(), None);
    let home = daemon.directory().join(".aws");
    fs::create_dir(&home).unwrap();
    let profile = "[default]\naws_access_key_id = later\naws_secret_access_key = later\n";
    fs::write(home.join("credentials"), profile).unwrap();
    ground.wait_empty("q").await;
    assert_eq!(stop(daemon), 0);
}

#[tokio::test]
async fn r8_run_starts_every_listener() {
    let ground = embedded();
    let mut settings = String::new();
    for queue in ["one", "two", "three"] {
        ground.queue(queue, &[]).await;
        ground.send(queue, "x").await;
        let handler = ground.exec(
            &format!("queue.{queue}.handler"),
            queue,
            "echo $LONGSHORE_QUEUE >> $D/seen",
        );
        settings = format!("{settings}[queue.{queue}]\nqueue = {queue:?}\n{handler}");
    }
    let daemon = ground.run(&settings);
    let mut seen = ground.wait_lines("seen", 3);
    seen.sort();
    assert_eq!(seen, ["one", "three", "two"]);
    assert_eq!(logged(&daemon, &["listening to queue"]), 3);
}
