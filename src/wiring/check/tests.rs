use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::arn::Arn;
use super::super::found::{Queue, Subscription};
use super::super::wanted::{Link, Raw, Topic};
use super::delivery;
use crate::config;
use crate::event::Pattern;
use crate::events::FilterPolicy;
use crate::finding::{Finding, Health};
use crate::toolkit::sqs::QueueUrl;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:orders";
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:shop";

fn link() -> Link {
    let patterns = ["A.shop", "B.*"].map(|filter| Pattern::of_filter(filter).unwrap());
    Link {
        topic: Topic::read(TOPIC, &config::Aws::default()).unwrap(),
        filter: FilterPolicy::new("iniesta_pass", &patterns).unwrap(),
        raw: Raw::On,
        asserts_filter: true,
    }
}

fn arn(text: &str) -> Arn {
    Arn::read(text).unwrap()
}

/// A subscription as the link wants it, with these attributes in place of its own.
fn subscription(attributes: &[(&str, &str)]) -> Subscription {
    let filter = r#"{"iniesta_pass":[{"prefix":"B."},"A.shop"]}"#;
    let own = [("RawMessageDelivery", "true"), ("FilterPolicy", filter)];
    let all = own.iter().chain(attributes);
    let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Subscription { arn: Some(format!("{TOPIC}:1")), attributes: all.collect() }
}

fn worst(findings: &[Finding]) -> (Health, u8) {
    let worst = findings.iter().max_by_key(|finding| finding.health).unwrap();
    assert!(worst.health == Health::Good || worst.fix.is_some(), "no fix: {worst:?}");
    (worst.health, worst.exit_code)
}

#[test]
fn a_subscription_as_wanted_is_well_in_any_order() {
    let told = delivery::subscription(&link(), &arn(QUEUE), Some(&subscription(&[])));
    assert_eq!(worst(&told), (Health::Good, 0), "{told:?}");
}

#[test]
fn i11_without_a_subscription_nothing_arrives() {
    let told = delivery::subscription(&link(), &arn(QUEUE), None);
    assert_eq!(worst(&told), (Health::Broken, 69));
    assert!(told[0].what.contains(QUEUE) && told[0].what.contains(TOPIC), "{told:?}");
}

#[test]
fn each_thing_that_is_wrong_with_a_subscription_is_named() {
    for (attributes, word) in [
        (&[("PendingConfirmation", "true")][..], "pending"),
        (&[("RawMessageDelivery", "false")], "raw delivery is off"),
        (&[("FilterPolicy", "{\"iniesta_pass\":[\"A.shop\"]}")], "the filter policy at"),
        (&[("FilterPolicy", "")], "the filter policy at"),
        (&[("FilterPolicyScope", "MessageBody")], "looks at MessageBody"),
    ] {
        let found = subscription(attributes);
        let told = delivery::subscription(&link(), &arn(QUEUE), Some(&found));
        assert_eq!(worst(&told), (Health::Broken, 69), "{word}");
        let broken: Vec<&Finding> = told.iter().filter(|told| told.exit_code == 69).collect();
        assert_eq!(broken.len(), 1, "{told:?}");
        assert!(broken[0].what.contains(word), "{told:?}");
    }
    let unconfirmed = Subscription { arn: None, attributes: HashMap::new() };
    let told = delivery::subscription(&link(), &arn(QUEUE), Some(&unconfirmed));
    assert_eq!(worst(&told), (Health::Broken, 69));
    assert!(told[0].what.contains("pending"), "{told:?}");
}

#[test]
fn what_is_not_asserted_is_a_note() {
    let link = Link { asserts_filter: false, ..link() };
    let found = subscription(&[("FilterPolicy", "{}")]);
    let told = delivery::subscription(&link, &arn(QUEUE), Some(&found));
    assert_eq!(worst(&told), (Health::Limited, 0));
}

#[test]
fn raw_delivery_is_what_the_payload_needs() {
    for (raw, found, health) in [
        (Raw::On, "true", Health::Good),
        (Raw::On, "false", Health::Broken),
        (Raw::Off, "false", Health::Good),
        (Raw::Off, "true", Health::Broken),
        (Raw::Either, "true", Health::Good),
        (Raw::Either, "false", Health::Good),
    ] {
        let link = Link { raw, ..link() };
        let found = subscription(&[("RawMessageDelivery", found)]);
        let told = delivery::subscription(&link, &arn(QUEUE), Some(&found));
        assert_eq!(worst(&told).0, health, "{raw:?} {told:?}");
    }
}

#[test]
fn kinds_of_topics_and_queues_are_told_apart() {
    let kinds = |topic: &str, queue: &str| {
        let topic = Topic::read(topic, &config::Aws::default()).unwrap();
        let told = delivery::kinds(&Link { topic, ..link() }, &arn(queue));
        told.map(|told| told.health)
    };
    let (fifo_topic, fifo_queue) = (format!("{TOPIC}.fifo"), format!("{QUEUE}.fifo"));
    assert_eq!(kinds(TOPIC, QUEUE), None);
    assert_eq!(kinds(&fifo_topic, &fifo_queue), None);
    assert_eq!(kinds(TOPIC, &fifo_queue), Some(Health::Broken));
    assert_eq!(kinds(&fifo_topic, QUEUE), Some(Health::Limited));
}

#[test]
fn a_policy_lets_in_or_not_or_it_cannot_be_known() {
    let policy = |statement: Value| json!({ "Statement": [statement] }).to_string();
    let allow = json!({ "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage",
        "Resource": QUEUE, "Condition": { "ArnEquals": { "aws:SourceArn": TOPIC } } });
    let mut unsure = allow.clone();
    unsure["Condition"] = json!({ "StringEquals": { "aws:SourceOrgID": "o-1" } });
    let mut deny = allow.clone();
    deny["Effect"] = json!("Deny");
    for (policy, health, word) in [
        (Some(policy(allow)), Health::Good, "lets topic"),
        (Some(policy(unsure)), Health::Limited, "undecided"),
        (Some(policy(deny)), Health::Broken, "statement 1 in the policy of"),
        (Some(policy(json!([]))), Health::Broken, "cannot be read"),
        (Some("{\"Statement\":[]}".to_owned()), Health::Broken, "no statement"),
        (None, Health::Broken, "has no policy"),
    ] {
        let told = delivery::permission(&link(), &arn(QUEUE), policy.as_deref());
        assert_eq!(told.health, health, "{told:?}");
        assert!(told.what.contains(word) && told.what.contains(QUEUE), "{told:?}");
        assert_eq!(told.exit_code, if health == Health::Broken { 69 } else { 0 });
    }
}

#[test]
fn a_key_lets_sns_in_only_if_it_is_the_customers() {
    let key = |key: Option<&str>| {
        let attribute = key.map(|key| ("KmsMasterKeyId".into(), key.to_owned()));
        let queue = Queue {
            url: QueueUrl::at("http://host/1", "orders"),
            attributes: attribute.into_iter().collect(),
        };
        delivery::key(&link(), &queue)
    };
    assert_eq!(key(None), None);
    assert_eq!(key(Some("alias/aws/sqs")).unwrap().exit_code, 69);
    let customers = key(Some("alias/mine")).unwrap();
    assert_eq!((customers.health, customers.exit_code), (Health::Limited, 0));
    assert!(customers.fix.unwrap().contains("kms:GenerateDataKey"));
}
