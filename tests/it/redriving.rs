//! `longshore redrive`: nothing is lost, whoever fails, and everything is said.

mod failing;
mod ground;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::support::{
    PATIENCE, aws,
    daemon::longshore,
    emulator::{embedded, ministack, moto},
    eventually,
    exchange::Exchange,
    proxy::{Fault, Gate, Proxy},
};
use ground::{Ground, TWICE, numbered};

#[tokio::test]
async fn killed_in_the_middle_of_ten_thousand_and_run_again_all_are_there() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(10_000)).await;
    let redrive = |endpoint: &str| {
        let args = ["redrive", "dead", "orders", "--wait=1", "--visibility-timeout=5"];
        longshore(args).endpoint(endpoint)
    };
    // From the 300th batch on, what it sends arrives and is never confirmed: so it is killed when
    // as much as possible is on its way.
    let (proxy, gate, sends) =
        (Proxy::start(&server.endpoint()), Gate::closed(), AtomicUsize::new(0));
    let late = move |seen: &Exchange| {
        seen.operation() == "SendMessageBatch" && sends.fetch_add(1, SeqCst) >= 300
    };
    proxy.on(usize::MAX, late, Fault::HoldReply(gate.clone()));
    let mut first = redrive(&proxy.endpoint()).start();
    eventually("it is in the middle", 2 * PATIENCE, || gate.arrived() > 0);
    first.kill9();
    let (moved, left) = (ground.visible("orders").await, ground.visible("dead").await);
    assert!((2_000..10_000).contains(&moved) && left > 0, "{moved} moved, {left} left");

    let second = redrive(&server.endpoint()).finish().expect(0, &["from dead to orders", TWICE]);
    assert!(second.stdout.starts_with("moved "), "{}", second.stdout);
    assert_eq!(ground.counts("dead").await, (0, 0));
    let bodies = ground.drain("orders").await;
    let distinct: BTreeSet<&String> = bodies.iter().collect();
    assert_eq!(distinct.len(), 10_000);
    assert!(bodies.len() <= 10_000 + 80, "{} twice", bodies.len() - 10_000);
}

#[tokio::test]
async fn a_signal_stops_it_cleanly() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(200)).await;
    let args = ["redrive", "dead", "orders", "--wait=1", "--rate=10/s", "--body-contains=1"];
    let mut redrive = longshore(args).endpoint(&server.endpoint()).start();
    // A hundred more would follow, for ten seconds.
    while ground.visible("orders").await < 15 {
        assert_eq!(redrive.ended(), None, "{}", redrive.output());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    redrive.terminate();
    assert_eq!(redrive.wait(PATIENCE), 75, "{}", redrive.output());
    redrive.wait_for_line(|line| line.contains("run it again to go on"), PATIENCE);
    let moved = ground.visible("orders").await;
    assert_eq!(ground.counts("dead").await, (200 - moved, 0));
    redrive.wait_for_line(
        |line| line == format!("moved {moved} messages from dead to orders"),
        PATIENCE,
    );
}

#[tokio::test]
async fn no_delete_leaves_before_its_send_was_confirmed() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(95)).await;
    let proxy = Proxy::start(&server.endpoint());
    let gate = Gate::closed();
    // Those that are held: it is asked no more once they are four.
    let held = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&held);
    let sends = move |seen: &Exchange| {
        let is_send = seen.operation() == "SendMessageBatch";
        notes.lock().unwrap().extend(is_send.then(|| seen.clone()));
        is_send
    };
    proxy.on(4, sends, Fault::HoldReply(gate.clone()));
    let args = ["redrive", "dead", "orders", "--wait=1"];
    let mut redrive = longshore(args).endpoint(&proxy.endpoint()).start();
    eventually("four sends", PATIENCE, || gate.arrived() == 4);
    // The target has forty, and nobody said so: the source must still have them.
    eventually("the other six", PATIENCE, || proxy.of("SendMessageBatch").len() >= 8);
    let deleted = |proxy: &Proxy| ground::deleted(&proxy.requests());
    let early = ground::sent(&held.lock().unwrap());
    assert_eq!(early.len(), 40);
    assert!(deleted(&proxy).is_disjoint(&early));
    gate.open();
    assert_eq!(redrive.wait(PATIENCE), 0, "{}", redrive.output());
    let record = proxy.requests();
    assert_eq!(ground::deleted(&record), numbered(95).collect());
    ground::assert_deletes_follow_sends(&record);
    for poll in proxy.of("ReceiveMessage") {
        let asked: serde_json::Value = serde_json::from_slice(&poll.body).unwrap();
        assert_eq!(asked["WaitTimeSeconds"], 1, "a long poll");
    }
}

#[tokio::test]
async fn ministack_agrees() {
    let server = ministack();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(120)).await;
    let send = ground.sqs.send_message().queue_url(ground.url("dead")).message_body("typed");
    let number = aws_sdk_sqs::types::MessageAttributeValue::builder().data_type("Number.int");
    let number = number.string_value("7").build().unwrap();
    send.message_attributes("count", number.clone()).send().await.unwrap();
    let args = ["redrive", "dead", "orders", "--wait=1", "--json"];
    let finished = longshore(args).endpoint(&server.endpoint()).finish();
    assert_eq!(finished.code, 0, "{}", finished.said());
    let told: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&told["moved"], &told["ending"]), (&121.into(), &"empty".into()), "{told}");
    assert_eq!(ground.counts("dead").await, (0, 0));
    let messages = ground.drain_whole("orders").await;
    assert_eq!(messages.len(), 121);
    let typed = messages.iter().find(|message| message.body() == Some("typed")).unwrap();
    assert_eq!(typed.message_attributes().unwrap()["count"], number);
}

#[tokio::test]
async fn addresses_may_name_regions_and_settings_may_name_queues() {
    // One endpoint, two regions: moto keeps them apart, under one URL.
    let server = moto();
    let near = Ground::new(&server.endpoint(), &["orders"]).await;
    let far = Ground::in_region(&server.endpoint(), "eu-west-1", &["orders"]).await;
    near.fill("orders", numbered(3)).await;
    let arn = |region: &str| format!("arn:aws:sqs:{region}:123456789012:orders");
    let (from, to) = (arn("us-east-1"), arn("eu-west-1"));
    let launch = longshore(["redrive", &from, &to, "--wait=1"]).endpoint(&server.endpoint());
    launch.finish().expect(0, &["moved 3 messages"]);
    assert_eq!((near.visible("orders").await, far.visible("orders").await), (0, 3));

    let settings = format!(
        "[aws]\nendpoint_url = \"{}\"\nregion = \"us-east-1\"\n\
         [queue.far]\nqueue = \"orders\"\nregion = \"eu-west-1\"\nhandler.print = {{}}\n",
        server.endpoint()
    );
    let back = ["redrive", "far", "orders", "--wait=1", "--config=c.toml"];
    longshore(back).file("c.toml", &settings).finish().expect(0, &["moved 3 messages"]);
    assert_eq!((near.visible("orders").await, far.visible("orders").await), (3, 0));
}

#[tokio::test]
async fn what_cannot_work_is_refused_in_words() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["orders", "plain", "groups.fifo"]).await;
    let arn = "arn:aws:sqs:us-east-1:000000000000:orders";
    let local = format!("--local={}", server.endpoint());
    let refused: [(&[&str], i32, &str); 7] = [
        (&["orders", "orders"], 64, "both are the queue orders"),
        (&["orders", arn], 64, "both are the queue orders"),
        (&["orders", &ground.url("orders")], 64, "both are the queue orders"),
        (&["plain", "groups.fifo"], 64, "name the group"),
        (&["plain", "orders", "--group=g"], 64, "a group is only for"),
        (&["plain", "orders", "--rate=fast"], 64, "no rate"),
        (&["plain", "missing"], 69, "looking up queue missing in us-east-1"),
    ];
    for (args, code, told) in refused {
        longshore(["redrive", &local]).args(args).finish().expect(code, &[told]);
    }
    let url = aws::sqs(&server.endpoint()).list_queues().send().await.unwrap();
    assert_eq!(url.queue_urls().len(), 3);
}

#[tokio::test]
async fn what_stays_is_counted_and_bounded() {
    let server = embedded();
    let ground = Ground::new(&server.endpoint(), &["dead", "orders"]).await;
    ground.fill("dead", numbered(60)).await;
    let local = format!("--local={}", server.endpoint());
    let filter = "--body-contains=0001";
    let full = ["redrive", &local, "dead", "orders", filter, "--wait=1", "--hold=20"];
    longshore(full).finish().expect(75, &["20 messages left by the filter", "raise --hold"]);
    assert_eq!(ground.counts("dead").await.1, 0);
    let dry = ["redrive", &local, "dead", "orders", "--wait=1", "--dry-run", "--max=7"];
    let dry = longshore(dry).finish().expect(0, &["would move 7 messages from dead to orders"]);
    assert!(!dry.stdout.contains("twice"), "{}", dry.stdout);
    let all = ["redrive", &local, "dead", "orders", "--wait=1"];
    longshore(all).finish().expect(0, &[TWICE]);
    assert_eq!(ground.drain("orders").await.len(), 60);
}
