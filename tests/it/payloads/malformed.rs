//! What is not of the form that a step demands: rejected with the reason and as it came, or let
//! pass unchanged; and bodies that would be too much.

use std::time::Duration;

use longshore::config::Payload;

use super::wrap::{CLASSES, MARKERS, Parcel, content, gzipped, pointer};
use super::{Bench, steps};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A foreign body for each step. (That of gzip is no base64 away from being one.)
const FOREIGN: [(&str, &str); 9] = [
    ("sns", "hello"),
    ("s3-event", "{\"Records\": []}"),
    ("eventbridge", "{\"detail\": {}}"),
    ("base64", "aGVsbG8"),
    ("gzip", "hello"),
    ("json", "{'a': 1}"),
    ("relengapi", "aGVsbG8="),
    ("pylon", "hello"),
    ("pointer", "hello"),
];

#[tokio::test(start_paused = true)]
async fn a_named_step_is_a_demand_and_a_marked_one_lets_others_pass_unchanged() {
    let mut bench = Bench::new().await;
    for (step, body) in FOREIGN {
        let marked = format!("{step}?");
        bench.queue(step, steps(&[step]));
        bench.queue(&format!("{step}-marked"), steps(&[&marked, &marked]));
        for queue in [step.to_owned(), format!("{step}-marked")] {
            bench.send(&queue, &Parcel::of(body).with("own", "String", step)).await;
        }
    }
    let running = bench.start();
    bench.until_empty().await;
    let dead = bench.dead_letters().await;
    assert_eq!(dead.len(), FOREIGN.len());
    for (step, body) in FOREIGN {
        assert!(bench.got(step).is_empty(), "{step}");
        let passed = bench.got(&format!("{step}-marked"));
        assert_eq!(passed.len(), 1, "{step}");
        assert_eq!(passed[0].body.as_text(), Some(body));
        let of_step = dead.iter().find(|dead| {
            dead.message_attributes.as_ref().unwrap()["own"].string_value() == Some(step)
        });
        let rejected = of_step.unwrap_or_else(|| panic!("{step}"));
        assert_eq!(rejected.body(), Some(body), "as it came");
        let reason = rejected.message_attributes().unwrap()["longshore_reason"].string_value();
        let reason = reason.unwrap();
        assert!(reason.starts_with(&format!("payload step 1 of 1, {step}: ")), "{reason}");
        assert!(!reason.contains("hello"), "{reason}");
    }
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn what_begins_as_the_form_and_is_damaged_is_rejected_even_where_others_may_pass() {
    let mut bench = Bench::new().await;
    let mut cut = gzipped(b"some text");
    cut.truncate(cut.len() - 3);
    let cases = [
        ("gzip", vec!["base64", "gzip?"], Parcel::of(BASE64_STANDARD.encode(cut))),
        (
            "sns",
            vec!["sns?"],
            Parcel::of(r#"{"Type":"Notification","Message":"m","MessageAttributes":{"a":{}}}"#),
        ),
        ("records", vec!["s3-event?"], Parcel::of(content().replace("\"key\"", "\"no-key\""))),
        ("pylon", vec!["pylon?"], Parcel::of("x").with("objectType", "String", "rawContent")),
        ("pointer", vec!["pointer?"], Parcel::of("x").with(MARKERS[0], "Number", "1")),
    ];
    for (queue, written, parcel) in &cases {
        bench.queue(queue, steps(written));
        bench.send(queue, parcel).await;
    }
    let running = bench.start();
    bench.until_empty().await;
    let dead = bench.dead().await;
    for (queue, _, parcel) in &cases {
        assert!(bench.got(queue).is_empty(), "{queue}");
        assert!(dead.iter().any(|(body, _)| *body == parcel.text()), "{queue}");
    }
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn a_gzip_bomb_is_rejected_with_its_reason_however_deep_it_lies() {
    let mut bench = Bench::new().await;
    let limit = |written: &[&str]| Payload { limit: 1 << 20, ..steps(written) };
    let bomb = gzipped(&vec![0; 64 << 20]);
    let nested = gzipped(&gzipped(&bomb));
    bench.queue("bomb", limit(&["base64", "gzip"]));
    bench.queue("nested", limit(&["base64", "gzip", "gzip?", "gzip?"]));
    // The same bomb over and over: the limit is not worn out, nor is the rest of the queue.
    for _ in 0..3 {
        bench.send("bomb", &Parcel::of(BASE64_STANDARD.encode(&bomb))).await;
        bench.send("nested", &Parcel::of(BASE64_STANDARD.encode(&nested))).await;
    }
    bench.send("bomb", &Parcel::of(BASE64_STANDARD.encode(gzipped(b"harmless")))).await;
    let running = bench.start();
    bench.until_empty().await;
    let reasons: Vec<String> = bench.dead().await.into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons.len(), 6);
    assert!(reasons.iter().all(|reason| reason.contains("1048576 bytes")), "{reasons:?}");
    assert_eq!(bench.got("bomb")[0].body.as_text(), Some("harmless"));
    assert!(bench.got("nested").is_empty());
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn con_6_a_test_event_of_s3_is_done_without_a_handler() {
    let mut bench = Bench::new().await;
    let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2014-10-13T15:57:02.089Z",
        "Bucket":"b","RequestId":"5582815E1AEA5ADF","HostId":"8cLeGAm"}"#;
    bench.queue("raw", steps(&["s3-event"]));
    bench.queue("published", steps(&["sns", "s3-event"]));
    bench.send("raw", &Parcel::of(test)).await;
    bench.send("published", &Parcel::of(test).wrapped("sns", &bench).await).await;
    let running = bench.start();
    bench.until_empty().await;
    assert!(bench.seen.lock().unwrap().is_empty());
    assert!(bench.dead().await.is_empty());
    let report = bench.stop(running).await;
    assert_eq!((report.queues["raw"].done, report.queues["published"].done), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn pylons_words_for_nothing_are_read_as_nothing() {
    let mut bench = Bench::new().await;
    let filler = "filling message body with a string so it is not empty";
    let parcel = |body: &str, kind: &str| {
        let parcel = Parcel::of(body).with("objectType", "String", kind);
        ["payloadMimeType", "ingestionId", "artifactName", "artifactVersion"]
            .into_iter()
            .fold(parcel, |parcel, name| parcel.with(name, "String", "None"))
    };
    for queue in ["filled", "asset", "no-asset"] {
        bench.queue(queue, steps(&["pylon"]));
    }
    bench.send("filled", &parcel(filler, "rawContent").with("own", "String", "None")).await;
    bench.send("asset", &parcel("{\"data\": 1}", "dataAsset")).await;
    bench.send("no-asset", &parcel("data", "ingestionStep")).await;
    let running = bench.start();
    bench.until_empty().await;
    let got = bench.got("filled").remove(0);
    assert!(got.body.is_empty());
    assert_eq!(got.attributes.keys().collect::<Vec<_>>(), ["objectType", "own"]);
    assert_eq!(bench.got("asset")[0].body.as_text(), Some("{\"data\": 1}"));
    let dead = bench.dead().await;
    assert_eq!(dead.len(), 1);
    assert!(dead[0].1.contains("pylon: it is no JSON"), "{}", dead[0].1);
    bench.stop(running).await;
}

/// Whatever comes, each message ends, and none is run over and over.
#[tokio::test(start_paused = true)]
async fn nothing_malformed_is_ever_a_loop() {
    let mut bench = Bench::new().await;
    let all: Vec<&str> = FOREIGN.iter().map(|(step, _)| *step).collect();
    let mut sent = 0;
    for (place, step) in all.iter().enumerate() {
        let other = all[(place + 1) % all.len()];
        let queue = format!("{step}-and");
        bench.queue(&queue, steps(&[step, other]));
        for (_, body) in FOREIGN {
            let whole = Parcel::of(body);
            let marked = Parcel { body: pointer(CLASSES[1], body), ..whole.clone() };
            bench.send(&queue, &whole).await;
            bench.send(&queue, &marked.with(MARKERS[1], "Number", "5")).await;
            sent += 2;
        }
    }
    let running = bench.start();
    tokio::time::sleep(Duration::from_mins(20)).await;
    bench.until_empty().await;
    let runs = bench.seen.lock().unwrap().len();
    let dead = bench.dead().await.len();
    assert_eq!(runs + dead, sent, "each ended here or there, and at once");
    let report = bench.stop(running).await;
    let retried: u64 = report.queues.values().map(|queue| queue.retried).sum();
    assert_eq!(retried, 0);
}
