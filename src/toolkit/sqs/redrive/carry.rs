//! One load of messages to the target: in batches that fit, in the order of their groups, each
//! entry confirmed or not.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::aws::batch::{self, MOST_ENTRIES};
use crate::backoff::Backoff;
use crate::error::{Error, Kind, Result};
use crate::message::Outgoing;
use crate::toolkit::sqs::send::send_batch;
use crate::toolkit::sqs::{MOST_BYTES, QueueUrl};

/// How often an entry, or a whole call, is tried that fails in a way that may pass.
const TRIES: u32 = 5;
const AFTER_FAILURE: Backoff =
    Backoff::doubling(Duration::from_millis(200), Duration::from_secs(5));

/// What became of one message.
#[derive(Debug)]
pub(super) enum Outcome {
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
pub(super) struct Carried {
    pub(super) outcomes: Vec<(String, Outcome)>,
    /// The groups of which one failed, where order is kept.
    pub(super) broken: Vec<String>,
    /// What no other message would escape either.
    pub(super) fatal: Option<Error>,
}

struct Item {
    id: String,
    message: Outgoing,
    tries: u32,
}

/// Where a load goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) client: aws_sdk_sqs::Client,
    pub(super) url: QueueUrl,
    /// The order inside a group is kept: no two of one group ride in the same call, since one of
    /// them may fail and the other not.
    pub(super) ordered: bool,
}

impl Target {
    /// Sends all of it. Dropped midway, any of it may or may not have been sent.
    pub(super) async fn carry(self, load: Vec<(String, Outgoing)>) -> Carried {
        let mut left: VecDeque<Item> =
            load.into_iter().map(|(id, message)| Item { id, message, tries: 0 }).collect();
        let mut carried = Carried { outcomes: Vec::new(), broken: Vec::new(), fatal: None };
        let mut alone = false;
        while !left.is_empty() {
            let batch = self.next_batch(&mut left, alone);
            let messages: Vec<&Outgoing> = batch.iter().map(|item| &item.message).collect();
            let answer = send_batch(&self.client, &self.url, &messages).await;
            if let Err(error) = &answer
                && error.kind() == Kind::Invalid
                && batch.len() > 1
            {
                // One of them spoils the call, such as one that is larger than this queue allows.
                alone = true;
                put_back(&mut left, batch);
                continue;
            }
            self.judge(batch, answer, &mut left, &mut carried);
            if let Some(tries) = left.iter().map(|item| item.tries).max().filter(|&tries| tries > 0)
                && carried.fatal.is_none()
            {
                tokio::time::sleep(AFTER_FAILURE.delay(tries, fastrand::f64())).await;
            }
            if carried.fatal.is_some() {
                let unsent = left.drain(..).map(|item| (item.id, Outcome::Unsent));
                carried.outcomes.extend(unsent);
            }
        }
        carried
    }

    fn judge(
        &self,
        batch: Vec<Item>,
        answer: Result<Vec<Option<Error>>>,
        left: &mut VecDeque<Item>,
        carried: &mut Carried,
    ) {
        let outcomes = match answer {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let last = batch.iter().any(|item| item.tries + 1 >= TRIES);
                let passes = error.kind().passes_by_itself();
                if error.kind() != Kind::Invalid && (last || !passes) {
                    let unsent = batch.into_iter().map(|item| (item.id, Outcome::Unsent));
                    carried.outcomes.extend(unsent);
                    carried.fatal = Some(error);
                    return;
                }
                batch::all_failed(batch.len(), &error)
            }
        };
        let mut again = Vec::new();
        for (mut item, outcome) in batch.into_iter().zip(outcomes) {
            item.tries += 1;
            match outcome {
                None => carried.outcomes.push((item.id, Outcome::Sent)),
                Some(error) if error.kind().passes_by_itself() && item.tries < TRIES => {
                    again.push(item);
                }
                Some(error) => {
                    if let Some(group) = item.message.group.filter(|_| self.ordered) {
                        break_off(left, &group, carried);
                        carried.broken.push(group);
                    }
                    carried.outcomes.push((item.id, Outcome::Failed(error)));
                }
            }
        }
        put_back(left, again);
    }

    fn next_batch(&self, left: &mut VecDeque<Item>, alone: bool) -> Vec<Item> {
        let most = if alone { 1 } else { MOST_ENTRIES };
        let (mut batch, mut stays) = (Vec::new(), VecDeque::new());
        let (mut bytes, mut groups) = (0, HashSet::new());
        let mut full = false;
        while let Some(item) = left.pop_front() {
            let size = item.message.size();
            full = full || batch.len() >= most || (!batch.is_empty() && bytes + size > MOST_BYTES);
            let overtakes = self.ordered && !groups.insert(item.message.group.clone());
            if full || overtakes {
                stays.push_back(item);
            } else {
                bytes += size;
                batch.push(item);
            }
        }
        *left = stays;
        batch
    }
}

/// To the front again, in their order.
fn put_back(left: &mut VecDeque<Item>, batch: Vec<Item>) {
    for item in batch.into_iter().rev() {
        left.push_front(item);
    }
}

fn break_off(left: &mut VecDeque<Item>, group: &str, carried: &mut Carried) {
    let (behind, others): (VecDeque<_>, VecDeque<_>) =
        left.drain(..).partition(|item| item.message.group.as_deref() == Some(group));
    carried.outcomes.extend(behind.into_iter().map(|item| (item.id, Outcome::Behind)));
    *left = others;
}
