//! What S3 refuses: once, for one file, or for all of them.

use super::s3::Answer;
use super::*;

#[tokio::test]
async fn a_failure_in_passing_is_tried_again() {
    let yard = Yard::new();
    yard.deliver("a", b"x");
    let mut puts = 0;
    yard.s3.script(move |asked| {
        puts += usize::from(asked.what == "PUT");
        (asked.what == "PUT" && puts < 3).then_some(Answer(503, "SlowDown"))
    });
    yard.once().await.unwrap();
    assert_eq!(yard.s3.asked("PUT").len(), 3);
    assert!(yard.names().is_empty());
}

/// 403 for one key among others: it is retried and never lost, and the others are unhindered.
#[tokio::test]
async fn one_key_that_is_denied_does_not_stop_the_others() {
    let yard = Yard::new();
    yard.deliver("denied", b"x");
    for n in 0..20 {
        yard.deliver(&format!("f{n}"), b"x");
    }
    yard.s3.script(|asked| {
        (asked.what == "PUT" && asked.key == "denied").then_some(Answer(403, "AccessDenied"))
    });
    let running = yard.start().await;
    until("the others landed", || yard.s3.keys().len() == 20).await;
    let denied = || yard.s3.asked("PUT").iter().filter(|put| put.key == "denied").count();
    let so_far = denied();
    until("it is tried again", || denied() > so_far).await;
    // A file that comes later is not held up by it either.
    yard.deliver("late", b"x");
    until("the late one landed", || yard.s3.object("late").is_some()).await;
    until("it is settled", || yard.names() == ["denied"]).await;
    assert!(yard.quarantined().is_empty());
    yard.s3.obey();
    yard.is_empty().await;
    running.stop().await;
}

/// Everything is denied: one probe at a time, each of another file, and all land afterwards.
#[tokio::test(start_paused = true)]
async fn a_bucket_that_refuses_everything_sees_probes_only() {
    let yard = Yard::new();
    for n in 0..200 {
        yard.deliver(&format!("f{n:03}"), b"x");
    }
    yard.s3.script(|asked| (asked.what == "PUT").then_some(Answer(403, "AccessDenied")));
    let running = yard.start().await;
    let puts = || yard.s3.asked("PUT");
    // Those under way when it paused, a first probe at once, and the next after five seconds.
    until("a timed probe was sent", || puts().len() >= yard.settings.threads + 2).await;
    assert!(puts().len() <= yard.settings.threads + 3, "{}", puts().len());
    let keys: std::collections::BTreeSet<_> = puts().into_iter().map(|put| put.key).collect();
    assert_eq!(keys.len(), puts().len(), "each probe is another file");
    yard.s3.obey();
    until("all landed", || yard.s3.keys().len() == 200).await;
    yard.is_empty().await;
    assert!(yard.quarantined().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn once_ends_with_the_reason_where_the_bucket_is_missing() {
    let yard = Yard::new();
    yard.deliver("a", b"x");
    yard.s3.script(|asked| match asked.what.as_str() {
        "HEAD" => Some(Answer(404, "")),
        _ => Some(Answer(404, "NoSuchBucket")),
    });
    let error = yard.once().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Missing);
    assert!(error.to_string().contains("testbucket"), "{error}");
    assert_eq!(yard.names(), ["a"]);
}

#[tokio::test]
async fn an_object_that_s3_never_takes_goes_to_quarantine() {
    let yard = Yard::new();
    yard.deliver("bad", b"x");
    yard.deliver("good", b"x");
    yard.s3.script(|asked| (asked.key == "bad").then_some(Answer(400, "KeyTooLongError")));
    yard.once().await.unwrap();
    assert_eq!(yard.quarantined(), ["bad", "bad.reason.json"]);
    assert_eq!(yard.s3.keys(), ["good"]);
}

/// The same 400 for every object is the bucket's business, for one among others its own.
#[tokio::test(start_paused = true)]
async fn an_invalid_request_is_the_objects_fault_only_where_others_land() {
    let mut yard = Yard::new();
    // One after the other, so that others land after the bad one was refused.
    yard.settings.threads = 1;
    for n in 0..5 {
        yard.deliver(&format!("f{n}"), b"x");
    }
    yard.s3.script(|asked| (asked.what == "PUT").then_some(Answer(400, "InvalidRequest")));
    assert_eq!(yard.once().await.unwrap_err().kind(), Kind::Invalid);
    assert_eq!(yard.names().len(), 5);
    assert!(yard.quarantined().is_empty());
    yard.s3.script(|asked| (asked.key == "f0").then_some(Answer(400, "InvalidRequest")));
    yard.once().await.unwrap();
    assert_eq!(yard.quarantined(), ["f0", "f0.reason.json"]);
    assert_eq!(yard.s3.keys(), ["f1", "f2", "f3", "f4"]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_whose_key_is_disabled_fills_no_quarantine() {
    refuses_everything_after_the_first("KMS.DisabledException").await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_comes_to_call_everything_invalid_fills_no_quarantine() {
    refuses_everything_after_the_first("InvalidRequest").await;
}

/// It pauses, no file is to blame, and all land afterwards.
async fn refuses_everything_after_the_first(code: &'static str) {
    let yard = Yard::new();
    let running = yard.start().await;
    yard.deliver("first", b"x");
    yard.is_empty().await;
    yard.s3.script(move |asked| (asked.what == "PUT").then_some(Answer(400, code)));
    for n in 0..20 {
        yard.deliver(&format!("f{n}"), b"x");
    }
    let puts = || yard.s3.asked("PUT").len() - 1;
    until("a timed probe was sent", || puts() >= yard.settings.threads + 2).await;
    assert!(puts() <= yard.settings.threads + 3, "{}", puts());
    assert!(yard.quarantined().is_empty());
    assert_eq!(yard.names().len(), 20);
    yard.s3.obey();
    yard.is_empty().await;
    running.stop().await;
    assert!(yard.quarantined().is_empty());
    assert_eq!(yard.s3.keys().len(), 21);
}

/// One that was accepted before lands after others were refused: no good file is to blame.
#[tokio::test(start_paused = true)]
async fn a_bucket_that_begins_to_refuse_in_the_middle_fills_no_quarantine() {
    let mut yard = Yard::new();
    yard.settings.threads = 2;
    yard.s3.script(|asked| {
        let is_refused = asked.what == "PUT" && asked.key != "older";
        is_refused.then_some(Answer(400, "InvalidRequest"))
    });
    let permits = yard.s3.hold();
    let running = yard.start().await;
    let puts = || yard.s3.asked("PUT").len();
    for (n, name) in ["a", "older"].into_iter().enumerate() {
        yard.deliver(name, b"x");
        until("it is on its way", || puts() == n + 1).await;
    }
    yard.deliver("b", b"x");
    permits.add_permits(1);
    until("the first was refused, and another is the probe", || puts() == 3).await;
    permits.add_permits(1);
    until("the older one has landed", || yard.names().len() == 2).await;
    permits.add_permits(30);
    until("probes were sent", || puts() >= 8).await;
    assert_eq!(yard.s3.keys(), ["older"]);
    assert!(yard.quarantined().is_empty());
    yard.s3.obey();
    yard.is_empty().await;
    running.stop().await;
    assert!(yard.quarantined().is_empty());
    assert_eq!(yard.s3.keys(), ["a", "b", "older"]);
}

/// Of a daemon that runs on: the one bad file goes, the good ones land.
#[tokio::test]
async fn one_invalid_object_among_good_ones_goes_to_quarantine() {
    let mut yard = Yard::new();
    // One after the other, so that others land after the bad one was refused.
    yard.settings.threads = 1;
    let running = yard.start().await;
    yard.s3.script(|asked| (asked.key == "bad").then_some(Answer(400, "InvalidRequest")));
    yard.deliver("bad", b"x");
    for n in 0..10 {
        yard.deliver(&format!("f{n}"), b"x");
    }
    yard.is_empty().await;
    running.stop().await;
    assert_eq!(yard.quarantined(), ["bad", "bad.reason.json"]);
    assert_eq!(yard.s3.keys().len(), 10);
}

#[tokio::test]
async fn an_answer_with_another_checksum_is_no_proof() {
    let yard = Yard::new();
    yard.deliver("a", b"x");
    let mut puts = 0;
    yard.s3.script(move |asked| {
        puts += usize::from(asked.what == "PUT");
        (asked.what == "PUT" && puts == 1).then_some(Answer(400, "BadDigest"))
    });
    yard.once().await.unwrap();
    assert_eq!(yard.s3.asked("PUT").len(), 2);
    assert!(yard.quarantined().is_empty());
}

/// Draining waits for what is under way; aborting cuts it off, and the file stays.
#[tokio::test]
async fn stopping_finishes_or_cuts_off() {
    let yard = Yard::new();
    let permits = yard.s3.hold();
    let running = yard.start().await;
    yard.deliver("a", b"x");
    until("it is on its way", || yard.s3.asked("PUT").len() == 1).await;
    running.shutdown.drain();
    yard.deliver("b", b"x");
    permits.add_permits(1);
    running.stop().await;
    assert_eq!(yard.s3.keys(), ["a"]);
    assert_eq!(yard.names(), ["b"]);

    let running = yard.start().await;
    until("it is on its way", || yard.s3.asked("PUT").len() == 2).await;
    running.shutdown.abort();
    running.stop().await;
    assert_eq!(yard.names(), ["b"]);
}

#[tokio::test]
async fn an_aborted_upload_leaves_no_parts_behind() {
    let yard = Yard::new();
    let _permits = yard.s3.hold();
    let running = yard.start().await;
    yard.deliver("large", &vec![1; 17 << 20]);
    until("a part is on its way", || !yard.s3.asked("PUT part").is_empty()).await;
    running.shutdown.abort();
    running.stop().await;
    assert_eq!(yard.s3.asked("DELETE upload").len(), 1);
    assert_eq!(yard.s3.open_uploads(), 0);
    assert_eq!(yard.names(), ["large"]);
}

/// Z6: the others flow, and the bad one is tried by its own backoff.
#[tokio::test(start_paused = true)]
async fn a_file_that_always_fails_is_tried_seldom_and_hinders_nobody() {
    let mut yard = Yard::new();
    yard.settings.retry = Backoff::doubling(Duration::from_millis(500), Duration::from_mins(10));
    yard.deliver("poison", b"x");
    for n in 0..100 {
        yard.deliver(&format!("f{n}"), b"x");
    }
    yard.s3.script(|asked| (asked.key == "poison").then_some(Answer(500, "InternalError")));
    let running = yard.start().await;
    let began = Instant::now();
    until("the others landed", || yard.s3.keys().len() == 100).await;
    let tried = || yard.s3.asked("PUT").iter().filter(|put| put.key == "poison").count();
    until("it was tried three times", || tried() >= 3).await;
    // Half of each delay is chance: 250 and 500 ms at least.
    assert!(began.elapsed() >= Duration::from_millis(750));
    until("the others are settled", || yard.names() == ["poison"]).await;
    running.stop().await;
}

/// Through the SDK's own HTTP client: nobody listens, nothing is lost, and stopping is quick.
#[tokio::test]
async fn a_dead_endpoint_keeps_the_files() {
    let mut yard = Yard::new();
    // Bound, so that it is nobody else's, and never listening.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = closed.local_addr().unwrap();
    yard.settings.aws.endpoint_url = Some(format!("http://{address}"));
    yard.deliver("a", b"x");
    let spool = Spool::open("reports", yard.settings.clone()).await.unwrap();
    let latch = Readiness::new().wait_for("spool/reports");
    let run = spool.run(Aws::new(), Shutdown::new(), latch, true);
    let error = tokio::time::timeout(SOON, run).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    assert_eq!(yard.names(), ["a"]);
}
