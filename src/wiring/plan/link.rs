//! The subscription of a queue to a topic: made, or changed by its attributes; never a second one.

use std::collections::BTreeMap;

use super::super::arn::Arn;
use super::super::found::{self, ATTRIBUTES, Subscription};
use super::super::step::{Act, FILTER, Step};
use super::super::wanted::{Link, Raw};
use super::Plan;
use crate::aws::Aws;
use crate::error::{Error, Kind, Result};

const RAW: &str = "RawMessageDelivery";
const SCOPE: &str = "FilterPolicyScope";

pub(super) async fn plan(link: &Link, queue: &Arn, aws: &Aws, plan: &mut Plan) -> Result<()> {
    let topic = &link.topic.arn;
    if queue.is_fifo() && !topic.is_fifo() {
        return Err(Error::new(
            Kind::Settings,
            format!("{topic} is a standard topic, and {queue} a FIFO queue, which SNS refuses"),
        )
        .hint("use a FIFO topic, or a standard queue"));
    }
    let connection = aws.connect(&link.topic.aws).await?;
    // A topic that the plan makes has no subscriptions yet.
    let found = match found::subscription(&connection.sns, topic, &queue.to_string()).await {
        Err(error) if error.kind() == Kind::Missing => None,
        found => found?,
    };
    let changes = match &found {
        None => vec![subscribe(link, queue)],
        Some(found) if found.is_pending() => {
            plan.notes.push(format!(
                "the subscription of {queue} to {topic} is pending; confirm it, then run setup again"
            ));
            Vec::new()
        }
        Some(found) => changes(link, found),
    };
    plan.steps.extend(changes.into_iter().map(|act| Step::new(&link.topic.aws, act)));
    Ok(())
}

fn subscribe(link: &Link, queue: &Arn) -> Act {
    let raw = if link.raw == Raw::Off { "false" } else { "true" };
    let mut attributes = BTreeMap::from([(RAW, raw.to_owned())]);
    if has_values(link) {
        attributes.insert(FILTER, link.filter.to_json().to_string());
    }
    Act::Subscribe { topic: link.topic.arn.clone(), queue: queue.clone(), attributes }
}

fn changes(link: &Link, found: &Subscription) -> Vec<Act> {
    let mut changes = Vec::new();
    let mut change = |attribute, value: String| {
        let Some(subscription) = found.arn.clone() else { return };
        changes.push(Act::ChangeSubscription { subscription, attribute, value });
    };
    match (link.raw, found.is_raw()) {
        (Raw::On, false) => change(RAW, "true".to_owned()),
        (Raw::Off, true) => change(RAW, "false".to_owned()),
        (Raw::On | Raw::Either, true) | (Raw::Off | Raw::Either, false) => {}
    }
    // The scope first: a policy is judged by the scope that stands.
    if has_values(link) && found.scope() != ATTRIBUTES {
        change(SCOPE, ATTRIBUTES.to_owned());
    }
    if !link.filter.is_same(found.filter()) {
        change(FILTER, link.filter.to_json().to_string());
    }
    changes
}

fn has_values(link: &Link) -> bool {
    !link.filter.patterns().is_empty()
}
