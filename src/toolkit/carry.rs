//! One load of messages to a queue or topic: in batches that fit, each entry confirmed, sent again or
//! told.

pub(crate) mod batches;

use std::collections::{HashSet, VecDeque};

use crate::again::{TRIES, pause};
use crate::aws::batch::{self, MOST_ENTRIES};
use crate::error::{Error, Kind, Result};
use crate::message::Outgoing;

/// What became of one message.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The target confirmed it.
    Sent,
    /// The target refuses it.
    Failed(Error),
    /// It stands behind one of its group that failed, and must not overtake it.
    Behind,
    /// Whether the target has it is unknown, or it was never sent.
    Unsent,
}

/// What became of a load.
#[derive(Debug)]
pub(crate) struct Carried<K> {
    /// By the key under which each message came.
    pub(crate) outcomes: Vec<(K, Outcome)>,
    /// The orders of which one failed.
    pub(crate) broken: Vec<String>,
    /// What no other message would escape either.
    pub(crate) fatal: Option<Error>,
}

/// A message of a load.
#[derive(Debug)]
pub(crate) struct Item<K> {
    key: K,
    message: Outgoing,
    /// Of those with the same order none overtakes another: no two ride in the same call, since one
    /// of them may fail and the other not, and what stands behind one that failed is not sent.
    order: Option<String>,
    tries: u32,
}

impl<K> Item<K> {
    /// A message in no order with others; what became of it is told under this key.
    pub(crate) const fn new(key: K, message: Outgoing) -> Self {
        Self { key, message, order: None, tries: 0 }
    }

    /// The same message, behind the ones before it that have this order too.
    pub(crate) fn in_order(self, order: Option<String>) -> Self {
        Self { order, ..self }
    }
}

/// Where a load goes.
pub(crate) trait Outlet: Sync {
    /// The most bytes of a batch.
    fn most_bytes(&self) -> usize;

    /// Sends up to ten messages in one call and tells of each whether it was confirmed.
    fn send_batch(
        &self,
        messages: &[&Outgoing],
    ) -> impl Future<Output = Result<Vec<Option<Error>>>> + Send;
}

/// Sends all of it. Dropped midway, any of it may or may not have been sent.
pub(crate) async fn carry<K: Send>(to: &impl Outlet, load: Vec<Item<K>>) -> Carried<K> {
    let mut left = VecDeque::from(load);
    let mut carried = Carried { outcomes: Vec::new(), broken: Vec::new(), fatal: None };
    let mut alone = false;
    while !left.is_empty() {
        let batch = next_batch(&mut left, alone, to.most_bytes());
        let answer = {
            let messages: Vec<&Outgoing> = batch.iter().map(|item| &item.message).collect();
            to.send_batch(&messages).await
        };
        if let Err(error) = &answer
            && error.kind() == Kind::Invalid
            && batch.len() > 1
        {
            // One of them spoils the call, such as one that is larger than this queue allows.
            alone = true;
            put_back(&mut left, batch);
            continue;
        }
        carried.judge(batch, answer, &mut left);
        if let Some(tries) = left.iter().map(|item| item.tries).max().filter(|&tries| tries > 0)
            && carried.fatal.is_none()
        {
            pause(tries).await;
        }
        if carried.fatal.is_some() {
            let unsent = left.drain(..).map(|item| (item.key, Outcome::Unsent));
            carried.outcomes.extend(unsent);
        }
    }
    carried
}

impl<K> Carried<K> {
    fn judge(
        &mut self,
        batch: Vec<Item<K>>,
        answer: Result<Vec<Option<Error>>>,
        left: &mut VecDeque<Item<K>>,
    ) {
        let outcomes = match answer {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let last = batch.iter().any(|item| item.tries + 1 >= TRIES);
                let passes = error.kind().passes_by_itself();
                if error.kind() != Kind::Invalid && (last || !passes) {
                    let unsent = batch.into_iter().map(|item| (item.key, Outcome::Unsent));
                    self.outcomes.extend(unsent);
                    self.fatal = Some(error);
                    return;
                }
                batch::all_failed(batch.len(), &error)
            }
        };
        let mut again = Vec::new();
        for (mut item, outcome) in batch.into_iter().zip(outcomes) {
            item.tries += 1;
            match outcome {
                None => self.outcomes.push((item.key, Outcome::Sent)),
                Some(error) if error.kind().passes_by_itself() && item.tries < TRIES => {
                    again.push(item);
                }
                Some(error) => {
                    if let Some(order) = item.order {
                        self.break_off(left, &order);
                        self.broken.push(order);
                    }
                    self.outcomes.push((item.key, Outcome::Failed(error)));
                }
            }
        }
        put_back(left, again);
    }

    fn break_off(&mut self, left: &mut VecDeque<Item<K>>, order: &str) {
        let (behind, others): (VecDeque<_>, VecDeque<_>) =
            left.drain(..).partition(|item| item.order.as_deref() == Some(order));
        self.outcomes.extend(behind.into_iter().map(|item| (item.key, Outcome::Behind)));
        *left = others;
    }
}

fn next_batch<K>(left: &mut VecDeque<Item<K>>, alone: bool, most_bytes: usize) -> Vec<Item<K>> {
    let most = if alone { 1 } else { MOST_ENTRIES };
    let mut orders = HashSet::new();
    let overtakes =
        |item: &Item<K>| item.order.as_ref().is_some_and(|order| !orders.insert(order.clone()));
    chunk(left, (most, most_bytes), |item| item.message.size(), overtakes)
}

/// Takes what fits into one call, by count and by size: the first of it in any case. What
/// `stays` says must wait, and what stands behind the first that did not fit, is left.
fn chunk<T>(
    left: &mut VecDeque<T>,
    (most, most_bytes): (usize, usize),
    size: impl Fn(&T) -> usize,
    mut stays: impl FnMut(&T) -> bool,
) -> Vec<T> {
    let (mut batch, mut rest) = (Vec::new(), VecDeque::new());
    let (mut bytes, mut full) = (0, false);
    while let Some(item) = left.pop_front() {
        full =
            full || batch.len() >= most || (!batch.is_empty() && bytes + size(&item) > most_bytes);
        if full || stays(&item) {
            rest.push_back(item);
        } else {
            bytes += size(&item);
            batch.push(item);
        }
    }
    *left = rest;
    batch
}

/// To the front again, in their order.
fn put_back<K>(left: &mut VecDeque<Item<K>>, batch: Vec<Item<K>>) {
    for item in batch.into_iter().rev() {
        left.push_front(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(of: &[usize], most: usize, bytes: usize) -> Vec<Vec<usize>> {
        let mut left: VecDeque<usize> = of.iter().copied().collect();
        let mut chunks = Vec::new();
        while !left.is_empty() {
            chunks.push(chunk(&mut left, (most, bytes), |size| *size, |_| false));
        }
        chunks
    }

    #[test]
    fn p8_seven_items_in_chunks_of_two_three_four_and_nine() {
        let seven = [0, 1, 2, 3, 4, 5, 6];
        let of = |most| chunks(&seven, most, usize::MAX);
        assert_eq!(of(2), [vec![0, 1], vec![2, 3], vec![4, 5], vec![6]]);
        assert_eq!(of(3), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
        assert_eq!(of(4), [vec![0, 1, 2, 3], vec![4, 5, 6]]);
        assert_eq!(of(9), [vec![0, 1, 2, 3, 4, 5, 6]]);
    }

    #[test]
    fn a_chunk_is_full_by_bytes_too_and_never_empty() {
        assert_eq!(
            chunks(&[4, 4, 4, 11, 1, 9], 9, 10),
            [vec![4, 4], vec![4], vec![11], vec![1, 9]]
        );
    }

    #[test]
    fn no_two_of_one_group_ride_together_where_order_counts() {
        let item = |(key, order): (usize, &str)| {
            Item::new(key, Outgoing::text("x")).in_order(Some(order.to_owned()))
        };
        let mut left: VecDeque<_> =
            ["a", "b", "a", "a", "b", "c"].into_iter().enumerate().map(item).collect();
        let mut waves = Vec::new();
        while !left.is_empty() {
            let batch = next_batch(&mut left, false, usize::MAX);
            waves.push(batch.into_iter().map(|item| item.key).collect::<Vec<_>>());
        }
        assert_eq!(waves, [vec![0, 1, 5], vec![2, 4], vec![3]]);
    }
}
