//! Sending messages on, to a queue or a topic: what both kinds have in common.
//!
//! A message keeps its body, its attributes with their types, its trace and its group. To FIFO its
//! message id is the deduplication id, so that a second copy within five minutes is none. *Done* is
//! what the service has confirmed by name; each other entry has a verdict of its own.

use super::judge::judged;
use crate::config;
use crate::error::{Error, Kind};
use crate::handler::{Delivery, Turns, Verdict};
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
    let mut turns = Turns::of(deliveries);
    let mut load = Vec::with_capacity(deliveries.len());
    while let Some(message) = turns.take() {
        match way.outgoing(message) {
            Ok(outgoing) => {
                let order = message.fifo_group().map(str::to_owned);
                load.push(Item::new(load.len(), outgoing).in_order(order));
            }
            Err(why) => turns.refuse(Ok(Outcome::reject(why))),
        }
    }
    let count = load.len();
    let carried = carry(way.to, load).await;
    (turns.end(told(count, &carried)), carried.fatal)
}

/// The verdicts in the order in which they were sent; nothing on what stands behind another.
fn told(count: usize, carried: &Carried<usize>) -> Vec<Option<Verdict>> {
    use crate::toolkit::carry::Outcome as Sent;
    let mut verdicts = vec![None; count];
    for (place, outcome) in &carried.outcomes {
        let Some(verdict) = verdicts.get_mut(*place) else { continue };
        *verdict = match outcome {
            Sent::Sent => Some(Ok(Outcome::Done)),
            Sent::Failed(error) => Some(judged(error, is_own(error))),
            Sent::Unsent => carried.fatal.as_ref().map(|fatal| judged(fatal, false)),
            Sent::Behind => None,
        };
    }
    verdicts
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
