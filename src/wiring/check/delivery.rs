//! From a topic to a queue: the subscription, the queue's policy, its key, the kinds of both.

use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::super::arn::Arn;
use super::super::found::{ATTRIBUTES, Queue, Subscription};
use super::super::wanted::{Link, Raw};
use crate::finding::Finding;
use crate::toolkit::permission::{Policy, Request, Verdict};

const SETUP: &str = "longshore setup puts it right";

/// A subscription for exactly this queue that is confirmed and delivers as the settings want it.
pub(super) fn subscription(link: &Link, queue: &Arn, found: Option<&Subscription>) -> Vec<Finding> {
    let topic = &link.topic.arn;
    let Some(found) = found else {
        let told = format!("no subscription of {queue} to topic {topic} was found");
        return vec![Finding::unavailable(told).fix("subscribe it with longshore setup")];
    };
    if found.is_pending() {
        let told =
            format!("the subscription of {queue} to topic {topic} is pending: not confirmed");
        return vec![Finding::unavailable(told).fix(
            "confirm it with the token in the queue's message of Type SubscriptionConfirmation \
             (aws sns confirm-subscription), or subscribe as the owner of the queue",
        )];
    }
    let mut findings = vec![raw(link, found), filter(link, found)];
    if found.filter().is_some() && found.scope() != ATTRIBUTES {
        let scope = found.scope();
        let told = format!("the filter of the subscription to {topic} looks at {scope}");
        let fix = format!("set its FilterPolicyScope to {ATTRIBUTES}; {SETUP}");
        findings.push(Finding::unavailable(told).fix(fix));
    }
    findings
}

fn raw(link: &Link, found: &Subscription) -> Finding {
    let topic = &link.topic.arn;
    match (link.raw, found.is_raw()) {
        (Raw::On, false) => Finding::unavailable(format!(
            "raw delivery is off in the subscription to {topic}: handlers would get SNS's envelope \
             in place of the message"
        ))
        .fix(format!("set its RawMessageDelivery to true, or payload = [\"sns\"]; {SETUP}")),
        (Raw::Off, true) => Finding::unavailable(format!(
            "raw delivery is on in the subscription to {topic}, and payload demands SNS's envelope: \
             every message would be rejected"
        ))
        .fix(format!("set its RawMessageDelivery to false, or payload = [\"sns?\"]; {SETUP}")),
        (Raw::On | Raw::Either, true) => Finding::good(format!("topic {topic} delivers raw")),
        (Raw::Off | Raw::Either, false) => {
            Finding::good(format!("topic {topic} delivers in SNS's envelope"))
        }
    }
}

fn filter(link: &Link, found: &Subscription) -> Finding {
    let (topic, wanted) = (&link.topic.arn, &link.filter);
    if wanted.is_same(found.filter()) {
        return Finding::good(format!("the filter policy at {topic} is that of the settings"));
    }
    let remote = found.filter().unwrap_or("{}");
    let told =
        format!("the filter policy at {topic} is {remote}, and that of the settings is {wanted}");
    let fix = format!("{SETUP}; a new filter takes up to 15 minutes");
    if link.asserts_filter {
        Finding::unavailable(told).fix(fix)
    } else {
        Finding::limited(told).fix(fix)
    }
}

/// Which kind of topic can deliver to which kind of queue.
pub(super) fn kinds(link: &Link, queue: &Arn) -> Option<Finding> {
    let topic = &link.topic.arn;
    match (topic.is_fifo(), queue.is_fifo()) {
        (false, true) => Some(
            Finding::unavailable(format!(
                "{topic} is a standard topic, and {queue} a FIFO queue, to which SNS delivers from \
                 FIFO topics only"
            ))
            .fix("use a FIFO topic, or a standard queue"),
        ),
        (true, false) => Some(Finding::limited(format!(
            "{topic} is a FIFO topic, and {queue} a standard queue: messages may come twice and in \
             any order"
        ))),
        (true, true) | (false, false) => None,
    }
}

/// Whether the queue's policy lets the topic in.
pub(super) fn permission(link: &Link, queue: &Arn, policy: Option<&str>) -> Finding {
    let topic = &link.topic.arn;
    let allow = format!(
        "add a statement to the queue's policy that allows sns.amazonaws.com sqs:SendMessage on \
         {queue} with ArnEquals aws:SourceArn {topic}; {SETUP}"
    );
    let Some(policy) = policy else {
        return Finding::unavailable(format!(
            "{queue} has no policy that would let topic {topic} in"
        ))
        .fix(allow);
    };
    let policy = match Policy::read(policy) {
        Ok(policy) => policy,
        Err(wrong) => {
            let told = format!("the policy of {queue} cannot be read: {wrong}");
            return Finding::unavailable(told).fix("write it anew");
        }
    };
    let request = Request {
        service: "sns.amazonaws.com",
        action: "sqs:SendMessage",
        resource: &queue.to_string(),
        source_arn: &topic.to_string(),
        source_account: &topic.account,
    };
    match policy.judge(&request) {
        Verdict::Allowed => Finding::good(format!("the policy of {queue} lets topic {topic} in")),
        Verdict::NotAllowed => Finding::unavailable(format!(
            "no statement in the policy of {queue} lets topic {topic} in"
        ))
        .fix(allow),
        Verdict::Denied(statement) => Finding::unavailable(format!(
            "{statement} in the policy of {queue} denies topic {topic} to send"
        ))
        .fix("take that statement out of the queue's policy, or except the topic from it"),
        Verdict::Undecided(why) => Finding::limited(format!(
            "undecided whether the policy of {queue} lets topic {topic} in: {why}"
        ))
        .fix("see that this condition holds for the topic, or allow the topic by its ARN"),
    }
}

/// Whether SNS can encrypt for the queue. The policy of a customer's key is not read: that would
/// take a permission on the key that nothing else here needs.
pub(super) fn key(link: &Link, queue: &Queue) -> Option<Finding> {
    let (topic, name) = (&link.topic.arn, queue.url.name());
    let key = queue.attribute(&Name::KmsMasterKeyId)?;
    if key.ends_with("alias/aws/sqs") {
        return Some(
            Finding::unavailable(format!(
                "{name} is encrypted with the key {key}, which never lets SNS in: nothing from \
                 topic {topic} arrives"
            ))
            .fix("use a customer managed key that lets SNS in, or SqsManagedSseEnabled"),
        );
    }
    Some(
        Finding::limited(format!(
            "undecided whether the key {key} of {name} lets topic {topic} in"
        ))
        .fix(
            "see that the key's policy holds a statement with Effect Allow, Principal Service \
             sns.amazonaws.com, Action kms:GenerateDataKey* and kms:Decrypt, Resource *",
        ),
    )
}
