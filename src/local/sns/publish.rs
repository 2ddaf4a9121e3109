//! From a publish to the queues that are subscribed: filter, envelope, deliver.

use serde_json::{Map, Value, json};

use super::input::Input;
use super::{Sns, Subscription, filter, members, no_such_topic, one};
use crate::local::digest;
use crate::local::fault::Fault;
use crate::local::form;
use crate::local::sqs::{Attribute, Attributes, Caller, Draft, is_fifo};

/// AWS's limit for a message and for a batch.
const MOST_BYTES: usize = 262_144;

/// One message on its way out.
#[derive(Debug)]
struct Notification {
    id: String,
    topic: String,
    subject: Option<String>,
    /// The message as given, or the one for `sqs` out of a structured message.
    message: String,
    attributes: Attributes,
    group: Option<String>,
    deduplication: Option<String>,
}

impl Sns {
    pub(super) fn publish(&self, caller: &Caller, input: &Input) -> Result<String, Fault> {
        let topic = input.text("TopicArn").or_else(|| input.text("TargetArn"));
        let topic = topic.ok_or_else(|| {
            Fault::new(
                "InvalidParameter",
                "Invalid parameter: TopicArn or TargetArn: the embedded SNS of longshore \
                 publishes to topics only",
            )
        })?;
        let id = self.deliver(caller, &notification(topic, input)?)?;
        Ok(one("MessageId", &id))
    }

    pub(super) fn publish_batch(&self, caller: &Caller, input: &Input) -> Result<String, Fault> {
        let topic = input.needed("TopicArn")?;
        let entries = input
            .0
            .get("PublishBatchRequestEntries")
            .and_then(|list| list.get("member"))
            .map(form::numbered)
            .unwrap_or_default();
        if entries.is_empty() {
            return Err(Fault::new("EmptyBatchRequest", "The batch request is empty."));
        }
        if entries.len() > 10 {
            return Err(Fault::new(
                "TooManyEntriesInBatchRequest",
                "The batch request contains more entries than permissible.",
            ));
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let entry = Input(entry.clone());
            let entry_id = one("Id", entry.needed("Id")?);
            match notification(topic, &entry).and_then(|n| self.deliver(caller, &n)) {
                Ok(id) => successful.push(entry_id + &one("MessageId", &id)),
                Err(fault) if fault.code == "NotFound" => return Err(fault),
                Err(fault) => failed.push(
                    [entry_id, one("Code", fault.code), one("Message", &fault.message)].concat()
                        + &one("SenderFault", "true"),
                ),
            }
        }
        let successful = members("Successful", successful.into_iter());
        Ok(successful + &members("Failed", failed.into_iter()))
    }

    fn deliver(&self, caller: &Caller, notification: &Notification) -> Result<String, Fault> {
        let subscriptions: Vec<(String, Subscription)> = {
            let topics = self.topics.lock();
            let topic = topics.get(&notification.topic).ok_or_else(no_such_topic)?;
            topic.subscriptions.iter().map(|(arn, s)| (arn.clone(), s.clone())).collect()
        };
        for (arn, subscription) in subscriptions {
            let flag = |name: &str| subscription.attributes.get(name).map(String::as_str);
            let in_body = flag("FilterPolicyScope") == Some("MessageBody");
            let wanted = flag("FilterPolicy").is_none_or(|policy| {
                if in_body {
                    filter::matches_body(policy, &notification.message)
                } else {
                    filter::matches_attributes(policy, &notification.attributes)
                }
            });
            if !wanted {
                continue;
            }
            let raw = flag("RawMessageDelivery") == Some("true");
            let (body, attributes) = if raw {
                (notification.message.clone(), notification.attributes.clone())
            } else {
                (self.envelope(caller, notification, &arn), Attributes::new())
            };
            let draft = Draft {
                body,
                attributes,
                group: notification.group.clone(),
                deduplication: notification.deduplication.clone(),
                ..Draft::default()
            };
            if let Err(fault) = self.sqs.send_to_arn(&subscription.queue, draft) {
                tracing::warn!(
                    topic = notification.topic,
                    queue = subscription.queue,
                    error = fault.message,
                    "embedded sns could not deliver"
                );
            }
        }
        Ok(notification.id.clone())
    }

    fn envelope(&self, caller: &Caller, notification: &Notification, arn: &str) -> String {
        let mut envelope = json!({
            "Type": "Notification",
            "MessageId": notification.id,
            "TopicArn": notification.topic,
            "Message": notification.message,
            "Timestamp": self.clock.iso(),
            "SignatureVersion": "1",
            "Signature": "unsigned",
            "SigningCertURL": format!("{}/SimpleNotificationService.pem", caller.origin),
            "UnsubscribeURL":
                format!("{}/?Action=Unsubscribe&SubscriptionArn={arn}", caller.origin),
        });
        let map = envelope.as_object_mut();
        if let Some(map) = map {
            if let Some(subject) = &notification.subject {
                map.insert("Subject".to_owned(), json!(subject));
            }
            let attributes: Map<String, Value> = notification
                .attributes
                .iter()
                .map(|(name, value)| {
                    let text = value.string_value.as_ref().or(value.binary_value.as_ref());
                    (name.clone(), json!({ "Type": value.data_type, "Value": text }))
                })
                .collect();
            if !attributes.is_empty() {
                map.insert("MessageAttributes".to_owned(), Value::Object(attributes));
            }
        }
        envelope.to_string()
    }
}

fn notification(topic: &str, input: &Input) -> Result<Notification, Fault> {
    let message = input
        .text("Message")
        .filter(|message| !message.is_empty())
        .ok_or_else(|| Fault::new("InvalidParameter", "Invalid parameter: Empty message"))?;
    if message.len() > MOST_BYTES {
        return Err(Fault::new("InvalidParameter", "Invalid parameter: Message too long"));
    }
    let fifo = is_fifo(topic);
    let own = |name: &str| input.text(name).map(str::to_owned);
    let group = own("MessageGroupId");
    if fifo && group.is_none() {
        return Err(Fault::new(
            "InvalidParameter",
            "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        ));
    }
    let deduplication = own("MessageDeduplicationId")
        .or_else(|| fifo.then(|| digest::sha256_hex(message.as_bytes())));
    Ok(Notification {
        id: digest::uuid(),
        topic: topic.to_owned(),
        subject: own("Subject"),
        message: if input.text("MessageStructure") == Some("json") {
            for_queues(message)?
        } else {
            message.to_owned()
        },
        attributes: attributes(input),
        group,
        deduplication,
    })
}

fn for_queues(message: &str) -> Result<String, Fault> {
    let wrong = || {
        Fault::new(
            "InvalidParameter",
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        )
    };
    let structured: Value = serde_json::from_str(message).map_err(|_| wrong())?;
    let default = structured.get("default").ok_or_else(wrong)?;
    let chosen = structured.get("sqs").unwrap_or(default);
    chosen.as_str().map(str::to_owned).ok_or_else(wrong)
}

fn attributes(input: &Input) -> Attributes {
    let entries = input.0.get("MessageAttributes").and_then(|map| map.get("entry"));
    entries
        .map(form::numbered)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|entry| {
            let name = entry.get("Name")?.as_str()?.to_owned();
            let value: Attribute = serde_json::from_value(entry.get("Value")?.clone()).ok()?;
            Some((name, value))
        })
        .collect()
}
