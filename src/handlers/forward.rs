//! Sending messages on, to a queue or a topic: what both kinds have in common.
//!
//! A message keeps its body, its attributes with their types, its trace and its group. To FIFO its
//! message id is the deduplication id, so that a second copy within five minutes is none. *Done* is
//! what the service has confirmed by name; each other entry has a verdict of its own.

use std::collections::HashSet;

use super::judge::judged;
use crate::config;
use crate::error::{Error, Kind};
use crate::handler::{Delivery, Verdict};
use crate::message::{Message, Outgoing};
use crate::outcome::Outcome;
use crate::template::Template;
use crate::toolkit::carry::{Carried, Item, Outlet, carry};

/// What errors hold that speak of the queue or topic, although SQS and SNS call the request invalid.
/// Each has a space: no attribute of a message, which an error may name, can be called so.
const OF_THE_ADDRESS: [&str; 6] = [
    "parameter: TopicArn",
    "parameter QueueUrl",
    "InvalidAddress: ",
    "InvalidAddress (",
    "UnsupportedOperation: ",
    "UnsupportedOperation (",
];

/// Where messages are sent on to.
pub(super) struct Way<'w, O> {
    pub(super) to: &'w O,
    pub(super) is_fifo: bool,
    /// The group of every message, in place of its own.
    pub(super) group: Option<&'w Template>,
    /// Why it would be refused, known before it is asked.
    pub(super) unfit: &'w (dyn Fn(&Outgoing) -> Option<String> + Sync),
}

/// Sends them on and gives each its verdict, in their order; and the error that none would escape.
///
/// What comes from a FIFO queue stays in order: behind one that was not taken, those of its group
/// are not sent. Dropped midway, any of them may or may not have been sent.
pub(super) async fn forward<O: Outlet>(
    way: &Way<'_, O>,
    deliveries: &[Delivery],
) -> (Vec<Verdict>, Option<Error>) {
    let behind = || Ok(Outcome::retry("one before it in its group was not taken"));
    let mut verdicts: Vec<Verdict> = deliveries.iter().map(|_| behind()).collect();
    let (mut load, mut held) = (Vec::new(), HashSet::new());
    for (place, (delivery, verdict)) in deliveries.iter().zip(&mut verdicts).enumerate() {
        let message = &*delivery.message;
        let order = message.fifo_group();
        if order.is_some_and(|order| held.contains(order)) {
            continue;
        }
        match way.outgoing(message) {
            Ok(outgoing) => {
                load.push(Item::new(place, outgoing).in_order(order.map(str::to_owned)));
            }
            Err(why) => {
                *verdict = Ok(Outcome::reject(why));
                held.extend(order);
            }
        }
    }
    let carried = carry(way.to, load).await;
    tell(&mut verdicts, &carried);
    (verdicts, carried.fatal)
}

fn tell(verdicts: &mut [Verdict], carried: &Carried<usize>) {
    use crate::toolkit::carry::Outcome as Sent;
    for (place, outcome) in &carried.outcomes {
        let told = match outcome {
            Sent::Sent => Ok(Outcome::Done),
            Sent::Failed(error) => judged(error, is_own(error)),
            Sent::Unsent => match &carried.fatal {
                Some(fatal) => judged(fatal, false),
                None => continue,
            },
            Sent::Behind => continue,
        };
        if let Some(verdict) = verdicts.get_mut(*place) {
            *verdict = told;
        }
    }
}

fn is_own(error: &Error) -> bool {
    let told = error.told();
    error.kind() == Kind::Invalid && !OF_THE_ADDRESS.iter().any(|of| told.contains(of))
}

impl<O> Way<'_, O> {
    fn outgoing(&self, message: &Message) -> Result<Outgoing, String> {
        let body = message.body.as_text().ok_or_else(|| {
            let bytes = message.body.len();
            format!("its body of {bytes} bytes is not UTF-8 text that could be sent on")
        })?;
        let outgoing = Outgoing {
            body: body.to_owned(),
            attributes: message.attributes.clone(),
            labels: message.labels.clone(),
            group: self.group_of(message)?,
            deduplication_id: self.is_fifo.then(|| message.id.clone()),
            trace_header: message.trace_header().map(str::to_owned),
            ..Outgoing::default()
        };
        match (self.unfit)(&outgoing) {
            Some(why) => Err(format!("it cannot be sent on: {why}")),
            None => Ok(outgoing),
        }
    }

    /// FIFO wants a group: a message that has none gets one of its own, and so keeps up no other.
    /// The groups of a FIFO queue mean nothing to a standard one.
    fn group_of(&self, message: &Message) -> Result<Option<String>, String> {
        if let Some(template) = self.group {
            let group = template.fill(message).map_err(|why| format!("its group: {why}"))?;
            return config::group_name(&group).map(Some);
        }
        let own = message.group().filter(|_| self.is_fifo || message.fifo_group().is_none());
        let alone = || self.is_fifo.then(|| message.id.clone());
        Ok(own.map(str::to_owned).or_else(alone))
    }
}

#[cfg(test)]
mod tests;
