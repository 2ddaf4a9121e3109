//! Every wrapper inside every other, and as deep as it goes.

use std::collections::BTreeMap;

use longshore::message::Attribute;

use super::wrap::{Parcel, content};
use super::{Bench, steps};

const WRAPPERS: [&str; 9] =
    ["sns", "s3-event", "eventbridge", "base64", "gzip", "json", "relengapi", "pylon", "pointer"];

/// Rows are the outer wrapper, columns the inner one, in the order above. `h`: the handler gets the
/// content. `1` and `2`: that step rejects it, since what it wants cannot be there: a text in
/// base64 is no JSON, the attributes of one pointer are not those of two. `-`: SNS carries no bytes.
const EXPECTED: [&str; 9] = [
    "hhhh-hhhh",
    "1hh11h111",
    "1hh11h111",
    "hhhhhhhhh",
    "hhhhhhhhh",
    "hhh11h1hh",
    "hhh11h1hh",
    "hhhhhhh2h",
    "hhhhhhhh2",
];

/// The steps of a pair, and how many stand before them: SQS carries no bytes, so gzip that nothing
/// makes text of comes in base64.
fn steps_of(outer: &'static str, inner: &'static str) -> (Vec<&'static str>, u32) {
    let only_looks = matches!(outer, "json" | "s3-event" | "eventbridge");
    if outer == "gzip" || (inner == "gzip" && only_looks) {
        return (vec!["base64", outer, inner], 1);
    }
    (vec![outer, inner], 0)
}

/// The number of the step that a reason names.
fn step_of(reason: &str) -> u32 {
    let number = reason.strip_prefix("payload step ").and_then(|rest| rest.split(' ').next());
    number.unwrap_or_else(|| panic!("no step in {reason}")).parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_pair_of_wrappers_is_handled_or_rejected_by_the_step_that_cannot_be() {
    let mut bench = Bench::new().await;
    let mut pairs = Vec::new();
    for (outer, row) in WRAPPERS.into_iter().zip(EXPECTED) {
        for (inner, expected) in WRAPPERS.into_iter().zip(row.chars()) {
            if expected == '-' {
                continue;
            }
            let name = format!("{outer}-in-{inner}");
            let (written, before) = steps_of(outer, inner);
            let mut parcel = Parcel::of(content());
            for wrapper in written.iter().rev() {
                parcel = parcel.wrapped(wrapper, &bench).await;
            }
            bench.queue(&name, steps(&written));
            bench.send(&name, &parcel.clone().with("pair", "String", &name)).await;
            pairs.push((name, parcel.text(), expected.to_digit(10).map(|step| step + before)));
        }
    }
    assert_eq!(pairs.len(), 80);
    let running = bench.start();
    bench.until_empty().await;
    let mut rejected = BTreeMap::new();
    for dead in bench.dead_letters().await {
        let attributes = dead.message_attributes.unwrap();
        let text = |name: &str| attributes[name].string_value().unwrap().to_owned();
        let before = rejected.insert(text("pair"), (dead.body.unwrap(), text("longshore_reason")));
        assert_eq!(before, None, "rejected once");
    }
    for (name, sent, rejecting) in pairs {
        let got = bench.got(&name);
        let dead = rejected.remove(&name);
        assert_eq!(got.len() + usize::from(dead.is_some()), 1, "{name}: handled or rejected, once");
        if let Some(message) = got.first() {
            assert_eq!(message.body.as_text(), Some(&*content()), "{name}");
        }
        let dead = dead.map(|(body, reason)| {
            assert_eq!(body, sent, "{name}: as it came");
            step_of(&reason)
        });
        assert_eq!(dead, rejecting, "{name}: the step that rejects it");
    }
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn eight_layers_are_unpacked_in_order() {
    let mut bench = Bench::new().await;
    let layers = ["base64", "gzip", "sns", "pointer", "gzip", "base64", "sns", "relengapi"];
    let mut parcel = Parcel::of(content());
    for wrapper in layers.iter().rev() {
        parcel = parcel.wrapped(wrapper, &bench).await;
    }
    bench.queue("deep", steps(&layers));
    bench.send("deep", &parcel).await;
    let running = bench.start();
    bench.until_empty().await;
    assert_eq!(bench.got("deep")[0].body.as_text(), Some(&*content()));
    assert_eq!(bench.stop(running).await.queues["deep"].done, 1);
}

#[tokio::test(start_paused = true)]
async fn attributes_and_event_come_out_of_the_envelope_and_the_route_goes_by_them() {
    let mut bench = Bench::new().await;
    let inner = Parcel::of("hello")
        .with("iniesta_pass", "String", "Placed.shop")
        .with("tags", "String.Array", "[1]")
        .with("raw", "Binary", "AAH/");
    // An envelope that nobody sees from outside: it is base64.
    let parcel = inner.wrapped("sns", &bench).await.wrapped("base64", &bench).await;
    let parcel = parcel.with("iniesta_pass", "String", "Outer.shop").with("own", "Number", "1");
    bench.queue("q", steps(&["base64", "sns"]));
    // By default the body goes on as it came, and only the event is read inside the envelope.
    bench.queue("plain", steps(&[]));
    let plain = Parcel::of("hello").with("iniesta_pass", "String", "Placed.shop");
    bench.send("plain", &plain.clone().wrapped("sns", &bench).await).await;
    bench.send("q", &parcel).await;
    let running = bench.start();
    bench.until_empty().await;
    let got = bench.got("q").remove(0);
    assert_eq!(got.body.as_text(), Some("hello"));
    assert_eq!(got.event.as_deref(), Some("Placed.shop"));
    assert_eq!(got.attributes["own"], Attribute::Number("1".into()));
    assert_eq!(got.attributes["raw"], Attribute::Binary(vec![0, 1, 255].into()));
    assert_eq!(got.data_type("tags"), Some("String.Array"));
    let plain = bench.got("plain").remove(0);
    assert_eq!(plain.event.as_deref(), Some("Placed.shop"));
    assert!(plain.body.as_text().unwrap().contains("\"Notification\""));
    assert!(plain.attributes.is_empty());
    bench.stop(running).await;
}
