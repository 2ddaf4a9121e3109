//! The extended client's pointers: read in every form, written, and their objects' end.

use longshore::config::Payload;
use longshore::message::{Attribute, Outgoing};
use longshore::outcome::Outcome;
use longshore::payload::pointer::offload;

use super::wrap::{CLASSES, MARKERS, Parcel, pointer};
use super::{BUCKET, Bench, steps};

/// A pointer in one of its forms; by SNS or not.
async fn pointing(bench: &Bench, form: usize, by_sns: bool, key: &str) -> Parcel {
    let body = pointer(CLASSES[form / 2], key);
    let parcel = Parcel::of(body).with(MARKERS[form % 2], "Number", "5");
    if by_sns { parcel.wrapped("sns", bench).await } else { parcel }
}

#[tokio::test(start_paused = true)]
async fn con_5_every_form_is_fetched_rejected_when_missing_and_when_too_large() {
    let mut bench = Bench::new().await;
    bench.put("there", b"fetched".to_vec()).await;
    bench.put("large", vec![b'x'; 101]).await;
    let payload = Payload { limit: 100, ..steps(&["sns?", "pointer"]) };
    let mut sent = Vec::new();
    for form in 0..4 {
        for by_sns in [false, true] {
            for key in ["there", "gone", "large"] {
                let queue = format!("{form}-{by_sns}-{key}");
                // SNS's envelope alone is larger than that.
                let limit = if by_sns { 1000 } else { payload.limit };
                bench.put("large", vec![b'x'; 1001]).await;
                bench.queue(&queue, Payload { limit, ..payload.clone() });
                let parcel = pointing(&bench, form, by_sns, key).await;
                bench.send(&queue, &parcel).await;
                sent.push((queue, key, parcel.text()));
            }
        }
    }
    let running = bench.start();
    bench.until_empty().await;
    let dead = bench.dead().await;
    assert_eq!(dead.len(), 16);
    for (queue, key, body) in sent {
        let got = bench.got(&queue);
        if key == "there" {
            assert_eq!(got[0].body.as_text(), Some("fetched"), "{queue}");
            assert!(got[0].attributes.is_empty(), "the marker is stripped: {queue}");
            continue;
        }
        assert!(got.is_empty(), "{queue}");
        let words = if key == "gone" { "is not there" } else { "payload_limit" };
        let told = dead.iter().any(|(dead, reason)| *dead == body && reason.contains(words));
        assert!(told, "{queue}: {dead:?}");
    }
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn an_object_goes_only_with_its_own_message_and_only_when_asked() {
    let mut bench = Bench::new().await;
    let deleting = |written: &[&str]| Payload { deletes_objects: true, ..steps(written) };
    bench.queue("kept", steps(&["pointer"]));
    bench.queue("deleted", deleting(&["pointer"]));
    bench.queue("published", deleting(&["sns", "pointer"]));
    bench.queue("rejected", deleting(&["pointer"]));
    bench.queue("later-step", deleting(&["pointer", "json"]));
    bench.queue("retried", deleting(&["pointer"]));
    for queue in bench.queues.keys() {
        bench.put(queue, b"fetched".to_vec()).await;
        bench.send(queue, &pointing(&bench, 0, queue == "published", queue).await).await;
    }
    let running = bench.start_with(|message| match message.queue.as_str() {
        "rejected" => Outcome::reject("no"),
        "retried" if message.receive_count() < 3 => Outcome::retry("not yet"),
        _ => Outcome::Done,
    });
    bench.until_empty().await;
    let dead = bench.dead_letters().await;
    bench.stop(running).await;
    assert_eq!(bench.got("retried").len(), 3, "its object was there each time");
    for (queue, stays) in [
        ("kept", true),
        ("deleted", false),
        ("published", true),
        ("rejected", true),
        ("later-step", true),
        ("retried", false),
    ] {
        assert_eq!(bench.has_object(queue).await, stays, "{queue}");
    }
    assert_eq!(dead.len(), 2);
    let marker = |dead: &aws_sdk_sqs::types::Message| {
        dead.message_attributes().unwrap().contains_key(MARKERS[0])
    };
    assert!(dead.iter().all(marker), "what is rejected still points to its object");
}

#[tokio::test(start_paused = true)]
async fn what_is_put_aside_into_s3_is_read_back() {
    let mut bench = Bench::new().await;
    bench.queue("q", steps(&["pointer?"]));
    let mut outgoing = Outgoing::text("a body that is long enough");
    outgoing.attributes.insert("own".to_owned(), Attribute::Number("12".to_owned()));
    let size = outgoing.size();
    let small = offload(&bench.connection, BUCKET, "", size, outgoing.clone()).await.unwrap();
    assert_eq!(small, outgoing, "not above: it goes as it is");
    let large =
        offload(&bench.connection, BUCKET, "big/", size - 1, outgoing.clone()).await.unwrap();
    assert_eq!(large.attributes[MARKERS[0]], Attribute::Number("26".to_owned()));
    let (class, place): (String, serde_json::Value) = serde_json::from_str(&large.body).unwrap();
    assert_eq!(class, CLASSES[0]);
    let key = place["s3Key"].as_str().unwrap().strip_prefix("big/").unwrap();
    assert_eq!((place["s3BucketName"].as_str(), key.len()), (Some(BUCKET), 36));
    for message in [small, large] {
        let attributes = message.attributes.iter().map(|(name, value)| {
            let value = ("Number".to_owned(), value.as_text().unwrap().to_owned());
            (name.clone(), value)
        });
        let parcel = Parcel { body: message.body.clone().into(), attributes: attributes.collect() };
        bench.send("q", &parcel).await;
    }
    let running = bench.start();
    bench.until_empty().await;
    let got = bench.got("q");
    assert_eq!(got.len(), 2);
    for message in got {
        assert_eq!(message.body.as_text(), Some(&*outgoing.body));
        assert_eq!(message.attributes, outgoing.attributes);
    }
    bench.stop(running).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_put_aside_is_refused_before_anything_is_written() {
    let bench = Bench::new().await;
    let with = |count: usize, name: &str| {
        let mut outgoing = Outgoing::text("x".repeat(100));
        for n in 0..count {
            outgoing.attributes.insert(format!("{name}{n}"), Attribute::Number("1".to_owned()));
        }
        outgoing
    };
    let mut twice = with(0, "");
    twice.attributes.insert(MARKERS[1].to_owned(), Attribute::Number("1".to_owned()));
    for (outgoing, prefix) in [(with(10, "n"), ""), (twice, ""), (with(0, ""), "../")] {
        assert!(offload(&bench.connection, BUCKET, prefix, 10, outgoing).await.is_err());
    }
    let listed = bench.connection.s3.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert!(listed.contents().is_empty());
    assert!(offload(&bench.connection, BUCKET, "", 10, with(9, "n")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_trace_and_every_attribute_stay_with_what_is_rejected() {
    let mut bench = Bench::new().await;
    bench.queue("q", steps(&["gzip"]));
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let system = aws_sdk_sqs::types::MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(trace)
        .build()
        .unwrap();
    let own = aws_sdk_sqs::types::MessageAttributeValue::builder()
        .data_type("String")
        .string_value(parent)
        .build()
        .unwrap();
    let send = bench.connection.sqs.send_message().queue_url(bench.url("q")).message_body("x");
    send.message_system_attributes(
        aws_sdk_sqs::types::MessageSystemAttributeNameForSends::AwsTraceHeader,
        system,
    )
    .message_attributes("traceparent", own)
    .send()
    .await
    .unwrap();
    // However little is asked for, the trace comes along.
    bench.queues.get_mut("q").unwrap().system_attributes = vec!["SenderId".to_owned()];
    let running = bench.start();
    bench.until_empty().await;
    let dead = bench.dead_letters().await.remove(0);
    assert_eq!(dead.attributes.unwrap()[&"AWSTraceHeader".into()], trace);
    assert_eq!(dead.message_attributes.unwrap()["traceparent"].string_value(), Some(parent));
    bench.stop(running).await;
}
