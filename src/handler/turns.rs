//! A batch on its way, message by message: within a FIFO group, behind one that is not *done*, none
//! is handed on, and none counts as *done*.

use std::collections::HashSet;

use super::{Delivery, Verdict};
use crate::message::Message;
use crate::outcome::Outcome;

/// The turns of a batch: [`take`](Self::take) each message in its turn and hand it on, or
/// [`refuse`](Self::refuse) it; then [`end`](Self::end) with what came of those that were handed on.
#[derive(Debug)]
pub(crate) struct Turns<'d> {
    deliveries: &'d [Delivery],
    /// Of each that had its turn, unless it is handed on.
    verdicts: Vec<Option<Verdict>>,
    stopped: HashSet<&'d str>,
}

impl<'d> Turns<'d> {
    /// The messages of one run, in their order.
    pub(crate) fn of(deliveries: &'d [Delivery]) -> Self {
        Self { deliveries, verdicts: Vec::with_capacity(deliveries.len()), stopped: HashSet::new() }
    }

    /// The next message to be handed on. One whose lease is lost is not, nor what stands behind one
    /// of its group that was refused.
    pub(crate) fn take(&mut self) -> Option<&'d Message> {
        while let Some(delivery) = self.deliveries.get(self.verdicts.len()) {
            let message = &*delivery.message;
            self.verdicts.push(None);
            if message.fifo_group().is_some_and(|group| self.stopped.contains(group)) {
                self.refuse(Ok(behind()));
            } else if delivery.lease.is_lost() {
                self.refuse(Ok(Outcome::retry("the lease was lost")));
            } else {
                return Some(message);
            }
        }
        None
    }

    /// The verdict on the message that was taken last: it is not handed on, and none of its group
    /// behind it will be.
    pub(crate) fn refuse(&mut self, verdict: Verdict) {
        let last = self.verdicts.len().saturating_sub(1);
        if let (Some(taken), Some(own)) = (self.deliveries.get(last), self.verdicts.last_mut()) {
            self.stopped.extend(taken.message.fifo_group());
            *own = Some(verdict);
        }
    }

    /// The verdicts on all of the batch: `given` are those on what was handed on, in its order, with
    /// nothing for one that was left behind another of its group. *Done* behind one that is not done
    /// is *retry*: whoever has it done again does it in its order.
    pub(crate) fn end(self, given: impl IntoIterator<Item = Option<Verdict>>) -> Vec<Verdict> {
        let mut given = given.into_iter();
        let mut stopped = HashSet::new();
        let each = self.deliveries.iter().zip(self.verdicts).map(|(delivery, refused)| {
            let verdict = match refused.map_or_else(|| given.next(), |own| Some(Some(own))) {
                Some(verdict) => verdict.unwrap_or_else(|| Ok(behind())),
                None => Ok(Outcome::missing()),
            };
            let Some(group) = delivery.message.fifo_group() else { return verdict };
            if verdict != Ok(Outcome::Done) {
                stopped.insert(group);
            } else if stopped.contains(group) {
                return Ok(behind());
            }
            verdict
        });
        each.collect()
    }
}

fn behind() -> Outcome {
    Outcome::retry("one before it in its group was not done")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::handler::LeaseKeeper;

    const DONE: Verdict = Ok(Outcome::Done);

    /// One for each name: its first letter is its group.
    fn deliveries(queue: &str, names: &[&str]) -> (Vec<Delivery>, Vec<LeaseKeeper>) {
        let of = |name: &&str| {
            let group = ("MessageGroupId".to_owned(), name.chars().take(1).collect());
            let message = Message {
                id: (*name).to_owned(),
                queue: queue.to_owned(),
                body: "".into(),
                attributes: BTreeMap::new(),
                labels: BTreeMap::new(),
                system_attributes: BTreeMap::from([group]),
                event: None,
            };
            let keeper = LeaseKeeper::new(Instant::now() + Duration::from_secs(30));
            (Delivery { message: Arc::new(message), lease: keeper.lease() }, keeper)
        };
        names.iter().map(of).unzip()
    }

    /// Hands on all but those that it refuses.
    fn handed_on<'d>(turns: &mut Turns<'d>, refused: &[&str]) -> Vec<&'d str> {
        let mut handed_on = Vec::new();
        while let Some(message) = turns.take() {
            if refused.contains(&&*message.id) {
                turns.refuse(Ok(Outcome::reject("no")));
            } else {
                handed_on.push(&*message.id);
            }
        }
        handed_on
    }

    #[test]
    fn what_stands_behind_one_that_was_refused_is_not_handed_on() {
        let (batch, keepers) = deliveries("q.fifo", &["a1", "b1", "a2", "c1", "a3", "b2", "c2"]);
        keepers[3].lose();
        let mut turns = Turns::of(&batch);
        assert_eq!(handed_on(&mut turns, &["a2"]), ["a1", "b1", "b2"]);
        let lost = Ok(Outcome::retry("the lease was lost"));
        let behind = || Ok(behind());
        let wanted = [DONE, DONE, Ok(Outcome::reject("no")), lost, behind(), DONE, behind()];
        assert_eq!(turns.end(vec![Some(DONE); 3]), wanted);
    }

    #[test]
    fn what_could_not_be_handed_on_lets_none_of_its_group_be_done() {
        let names = ["a1", "b1", "a2", "a3", "b2", "b3"];
        let later = || Ok(Outcome::retry("throttled"));
        let reject = || Ok(Outcome::reject("no"));
        let given = [Some(DONE), Some(DONE), Some(later()), Some(DONE), None, Some(reject())];
        let (batch, _keepers) = deliveries("q.fifo", &names);
        let mut turns = Turns::of(&batch);
        handed_on(&mut turns, &[]);
        let wanted = [DONE, DONE, later(), Ok(behind()), Ok(behind()), reject()];
        assert_eq!(turns.end(given), wanted);
        // The groups of a standard queue have no order.
        let (batch, _keepers) = deliveries("q", &names);
        let mut turns = Turns::of(&batch);
        assert_eq!(handed_on(&mut turns, &["a1"]), names[1..]);
        let wanted = [reject(), DONE, later(), DONE, DONE, DONE];
        assert_eq!(turns.end([DONE, later(), DONE, DONE, DONE].map(Some)), wanted);
    }

    #[test]
    fn one_without_a_verdict_is_not_done() {
        let (batch, _keepers) = deliveries("q.fifo", &["a1", "a2", "b1"]);
        let mut turns = Turns::of(&batch);
        handed_on(&mut turns, &[]);
        let missing = || Ok(Outcome::missing());
        assert_eq!(turns.end([Some(DONE)]), [DONE, missing(), missing()]);
    }
}
