//! Who is subscribed to a topic: queues with their policies, people, services, and who has not
//! agreed yet.

use crate::support::{
    aws,
    daemon::{Finished, longshore},
    emulator::{Emulator, embedded, ministack},
    proxy::{Fault, Proxy},
};
use serde_json::{Value, json};

fn run<const N: usize>(endpoint: &str, args: [&str; N]) -> Finished {
    longshore(args).endpoint(endpoint).finish()
}

fn ground(server: &Emulator) -> String {
    let endpoint = server.endpoint();
    run(&endpoint, ["sqs", "create", "orders"]).expect(0, &[]);
    run(&endpoint, ["sns", "create", "events"]).expect(0, &[]);
    endpoint
}

/// The statements of the queue's policy, as SQS has it.
async fn statements(endpoint: &str) -> Vec<Value> {
    let sqs = aws::sqs(endpoint);
    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap();
    let asked = sqs.get_queue_attributes().queue_url(url.queue_url().unwrap());
    let answer = asked.attribute_names("Policy".into()).send().await.unwrap();
    let policy = &answer.attributes.unwrap()[&"Policy".into()];
    let policy: Value = serde_json::from_str(policy).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

async fn queue_is_told(server: &Emulator) {
    let endpoint = ground(server);
    let filter = r#"{"iniesta_pass":["Placed.shop"]}"#;
    let subscribe =
        ["sns", "subscribe", "events", "--queue", "orders", "--raw", "--filter", filter, "--json"];
    let told = run(&endpoint, subscribe);
    assert_eq!(told.code, 0, "{}", told.said());
    let made: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&made["pending"], &made["protocol"]), (&json!(false), &json!("sqs")));
    let arn = made["subscription"].as_str().unwrap();

    let sns = aws::sns(&endpoint);
    let attributes = async || {
        let asked = sns.get_subscription_attributes().subscription_arn(arn);
        asked.send().await.unwrap().attributes.unwrap()
    };
    assert_eq!(attributes().await["RawMessageDelivery"], "true");
    let read: Value = serde_json::from_str(&attributes().await["FilterPolicy"]).unwrap();
    assert_eq!(read, json!({ "iniesta_pass": ["Placed.shop"] }));

    // Changed, not doubled.
    let changed = ["sns", "subscribe", "events", "--queue", "orders", "--raw=false"];
    run(&endpoint, changed).expect(0, &[arn]);
    assert_eq!(attributes().await["RawMessageDelivery"], "false");
    let listed = run(&endpoint, ["sns", "subscriptions", "events"]);
    assert_eq!(listed.stdout.lines().count(), 1, "{}", listed.said());
    assert_eq!(statements(&endpoint).await.len(), 1);

    run(&endpoint, ["sns", "unsubscribe", arn]).expect(64, &["not done", "--yes"]);
    run(&endpoint, ["sns", "unsubscribe", arn, "--yes"]).expect(0, &["ended"]);
    assert_eq!(run(&endpoint, ["sns", "subscriptions", "events"]).stdout, "");
}

#[tokio::test]
async fn a_queue_is_subscribed_once_and_changed_on_the_embedded_aws() {
    queue_is_told(&embedded()).await;
}

#[tokio::test]
async fn a_queue_is_subscribed_once_and_changed_on_ministack() {
    queue_is_told(&ministack()).await;
}

#[tokio::test]
async fn a18_two_topics_subscribed_to_one_queue_keep_two_statements() {
    let server = ministack();
    let endpoint = ground(&server);
    run(&endpoint, ["sns", "create", "audits"]).expect(0, &[]);
    for topic in ["events", "audits", "events"] {
        run(&endpoint, ["sns", "subscribe", topic, "--queue", "orders"]).expect(0, &[]);
    }
    let statements = statements(&endpoint).await;
    assert_eq!(statements.len(), 2, "{statements:#?}");
    for topic in ["events", "audits"] {
        let body = format!("from {topic}");
        let sns = aws::sns(&endpoint);
        let arn = run(&endpoint, ["sns", "arn", topic]).stdout;
        sns.publish().topic_arn(arn.trim()).message(&body).send().await.unwrap();
    }
    let got = run(&endpoint, ["sqs", "receive", "orders", "--delete", "--wait", "5", "--max", "2"]);
    got.expect(0, &["from events", "from audits"]);
}

#[test]
fn subscribing_twice_changes_nothing() {
    let server = embedded();
    ground(&server);
    let proxy = Proxy::start(&server.endpoint());
    for _ in 0..2 {
        run(&proxy.endpoint(), ["sns", "subscribe", "events", "--queue", "orders", "--raw"])
            .expect(0, &[]);
    }
    assert_eq!(proxy.of("SetQueueAttributes").len(), 1);
    assert_eq!(proxy.of("SetSubscriptionAttributes").len(), 0);
}

#[test]
fn a9_people_and_services_are_subscribed() {
    let server = ministack();
    let endpoint = ground(&server);
    for (flag, to, protocol) in [
        ("--email", "ann@example.org", "email"),
        ("--sms", "+15550100", "sms"),
        ("--http", "http://127.0.0.1:9/hook", "http"),
        ("--http", "https://127.0.0.1:9/hook", "https"),
    ] {
        let told = run(&endpoint, ["sns", "subscribe", "events", flag, to]);
        told.expect(0, &["arn:aws:sns:", to, protocol]);
    }
    let listed = run(&endpoint, ["sns", "subscriptions", "events"]);
    assert_eq!(listed.stdout.lines().count(), 4, "{}", listed.said());
    run(&endpoint, ["sns", "subscribe", "events"]).expect(64, &["--queue"]);
    run(&endpoint, ["sns", "subscribe", "events", "--email", "a@b", "--sms", "1"]).expect(64, &[]);
}

/// AWS's own answers; no emulator lets a subscription wait.
#[test]
fn a_subscription_that_waits_to_be_confirmed_is_told() {
    let server = ministack();
    ground(&server);
    let proxy = Proxy::start(&server.endpoint());
    let topic = "arn:aws:sns:us-east-1:000000000000:events";
    let arn = format!("{topic}:5be8f5b6-4c1b-4f5e-8b5a-3d1c2f4a6b7c");
    let answer = |operation: &str, inside: &str| {
        let body = format!(
            "<{operation}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
             <{operation}Result>{inside}</{operation}Result><ResponseMetadata>\
             <RequestId>1</RequestId></ResponseMetadata></{operation}Response>"
        );
        Fault::Answer(200, body)
    };
    for (operation, inside) in [
        ("Subscribe", format!("<SubscriptionArn>{arn}</SubscriptionArn>")),
        (
            "GetSubscriptionAttributes",
            "<Attributes><entry><key>PendingConfirmation</key><value>true</value></entry>\
             </Attributes>"
                .to_owned(),
        ),
        (
            "ListSubscriptionsByTopic",
            "<Subscriptions><member><SubscriptionArn>PendingConfirmation</SubscriptionArn>\
             <Protocol>email</Protocol><Endpoint>ann@example.org</Endpoint></member>\
             </Subscriptions>"
                .to_owned(),
        ),
    ] {
        let fault = answer(operation, &inside);
        proxy.on(1, move |seen| seen.operation() == operation, fault);
    }
    let subscribe = ["sns", "subscribe", "events", "--email", "ann@example.org"];
    run(&proxy.endpoint(), subscribe).expect(0, &[&arn, "pending: it waits to be confirmed"]);
    let listed = run(&proxy.endpoint(), ["sns", "subscriptions", "events", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((&listed["pending"], &listed["subscription"]), (&json!(true), &Value::Null));
    run(&proxy.endpoint(), ["sns", "unsubscribe", "PendingConfirmation", "--yes"])
        .expect(64, &["no ARN", "after 48 hours"]);
}
