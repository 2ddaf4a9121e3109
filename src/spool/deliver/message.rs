//! From a file of an outbox to its message: what it says, checked against what SQS and SNS take,
//! so that a file that can never be sent is known before it is tried.

use aws_smithy_types::base64::encode as base64;

use super::{Load, Means, Refusal, read};
use crate::config::{self, Outbox};
use crate::error::{Error, Kind};
use crate::message::{Attribute, Outgoing};
use crate::spool::lane;
use crate::toolkit::outbox::sidecar::Sidecar;
use crate::toolkit::{sns, sqs};

/// The attribute with which publishers of iniesta's name the version of an event.
const VERSION: &str = "version";

/// The message of a file.
///
/// # Errors
/// `Own` where neither SQS nor SNS would ever take it.
pub(crate) async fn compose(
    outbox: &Outbox,
    said: &Sidecar,
    load: &Load,
    means: &Means,
) -> Result<Outgoing, Refusal> {
    let size = load.stamp.size;
    let most = most_bytes(outbox);
    let unfit = |why: String| {
        let what = format!("{:?} can never be sent to {}", load.key, outbox.outlet);
        Refusal::Own(Error::new(Kind::Invalid, what).because(why))
    };
    if size > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(unfit(too_large(size, outbox)));
    }
    let _budget = means.bytes.take(size).await;
    let bytes = read::block(load, means, (0, size)).await?;
    let body = if outbox.base64 {
        base64(bytes)
    } else {
        String::from_utf8(bytes.into()).map_err(|_| unfit("it is not UTF-8".to_owned()))?
    };
    let mut message = said.message(body).map_err(unfit)?;
    message.group = lane::group(outbox, said);
    if outbox.outlet.is_fifo() && message.deduplication_id.is_none() {
        message.deduplication_id = Some(load.token.clone());
    }
    name_event(&mut message, outbox, said).map_err(unfit)?;
    check(&message, outbox).map_err(unfit)?;
    Ok(message)
}

const fn most_bytes(outbox: &Outbox) -> usize {
    if outbox.outlet.is_topic() { sns::MOST_BYTES } else { sqs::MOST_BYTES }
}

fn too_large(bytes: impl std::fmt::Display, outbox: &Outbox) -> String {
    format!("it has {bytes} bytes, and {} are the most", most_bytes(outbox))
}

/// Names the event in its attribute, and beside it, for a topic, the version 1 unless another is
/// said: so iniesta's subscribers expect it.
fn name_event(message: &mut Outgoing, outbox: &Outbox, said: &Sidecar) -> Result<(), String> {
    let Some(event) = said.event.as_ref().or(outbox.event.as_ref()) else { return Ok(()) };
    let key = &outbox.event_key;
    if message.attributes.contains_key(key) {
        if said.event.is_none() {
            return Ok(());
        }
        return Err(format!("its event is said twice, as event and as attribute {key:?}"));
    }
    let event = match &outbox.service {
        Some(service) if !event.ends_with(&format!(".{service}")) => format!("{event}.{service}"),
        _ => event.clone(),
    };
    message.attributes.insert(key.clone(), Attribute::String(event));
    if outbox.outlet.is_topic() {
        let first = Attribute::Number("1".to_owned());
        message.attributes.entry(VERSION.to_owned()).or_insert(first);
    }
    Ok(())
}

/// What the settings or the sidecar say and the queue or topic does not know. What SNS takes besides
/// is checked where it is published.
fn check(message: &Outgoing, outbox: &Outbox) -> Result<(), String> {
    let (fifo, topic) = (outbox.outlet.is_fifo(), outbox.outlet.is_topic());
    if !topic {
        sqs::unfit(message).map_or(Ok(()), Err)?;
        message.check_attributes()?;
    }
    for (what, id) in [("group", &message.group), ("deduplication_id", &message.deduplication_id)] {
        if let Some(id) = id {
            config::group_name(id).map_err(|_| {
                format!("its {what} is not 1 to 128 ASCII letters, digits and punctuation")
            })?;
        }
    }
    if message.subject.is_some() && !topic {
        return Err("it has a subject, and a queue knows none".to_owned());
    }
    if message.is_per_protocol && !topic {
        return Err("per_protocol is for topics, and this is a queue".to_owned());
    }
    if message.delay.is_some() && (topic || fifo) {
        let whom = if topic { "a topic" } else { "a FIFO queue" };
        return Err(format!("it has a delay of its own, and {whom} knows none"));
    }
    if fifo && message.group.is_none() {
        return Err(
            "it has no group, and FIFO takes no message without; name one in its sidecar, \
                    in user.longshore.group, or as group of the outbox"
                .to_owned(),
        );
    }
    if !fifo && message.deduplication_id.is_some() {
        return Err("it has a deduplication id, which only FIFO knows".to_owned());
    }
    Ok(())
}
