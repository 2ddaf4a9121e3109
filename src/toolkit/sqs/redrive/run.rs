//! The loop: polls, loads on their way, deletes, renewals; one task owns what is known.

mod answers;

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;

use tokio::time::{Instant, sleep_until};

use super::held::{Held, Renewal, Stage};
use super::rate::Allowance;
use super::source::{self, About};
use super::{End, Ending, MOST_TWICE, Options, Progress, Summary};
use crate::again::{TRIES, pause};
use crate::error::{Error, Kind, Result};
use crate::message::Message;
use crate::shutdown::Shutdown;
use crate::supervisor::{self, Tasks};
use crate::toolkit::carry::Carried;
use crate::toolkit::sqs::Target;

/// A receive asks for at most this many (SQS API reference).
const FULL: usize = 10;
/// So many polls in a row must bring nothing.
const EMPTY_POLLS: u32 = 3;
/// So many calls give back at the same time.
const PARALLEL: usize = 4;

/// What a task of the loop came back with.
enum Event {
    Polled { left_at: Instant, result: Result<Vec<(Message, String)>> },
    Carried(Carried<String>),
    Deleted { tries: u32, results: Vec<(Deletion, Option<Error>)> },
    Renewed { sent_at: Instant, results: Vec<(Renewal, Option<Error>)> },
    Counted(Result<Option<About>>),
}

/// A delete on its way: of which message, by which handle.
struct Deletion {
    id: String,
    handle: String,
}

pub(super) struct Run {
    from: End,
    target: Target,
    /// Of a group none overtakes another.
    ordered: bool,
    options: Options,
    allowance: Option<Allowance>,
    held: Held,
    tasks: Tasks<Event>,
    /// FIFO groups of which one failed: nothing of them may overtake it.
    broken: HashSet<String>,
    polling: bool,
    counting: bool,
    not_before: Instant,
    empties: u32,
    failures: u32,
    ending: Option<Ending>,
    waiting: Option<u64>,
    /// About how many messages somebody else holds.
    elsewhere: u64,
    summary: Summary,
}

impl Run {
    pub(super) fn new(from: End, to: End, options: Options, waiting: Option<u64>) -> Self {
        let now = Instant::now();
        let ordered = from.url.is_fifo() && to.url.is_fifo();
        Self {
            target: Target { client: to.client, url: to.url },
            ordered,
            from,
            allowance: options.rate.map(|rate| Allowance::new(rate, now)),
            held: Held::new(options.lease),
            options,
            tasks: Tasks::new(),
            broken: HashSet::new(),
            polling: false,
            counting: false,
            not_before: now,
            empties: 0,
            failures: 0,
            ending: None,
            waiting,
            elsewhere: 0,
            summary: Summary {
                ending: Ending::Empty,
                moved: 0,
                undeleted: 0,
                left: 0,
                behind: 0,
                shut_in: 0,
                unsent: 0,
                failed: Vec::new(),
                not_given_back: 0,
            },
        }
    }

    pub(super) async fn until_the_end(
        mut self,
        shutdown: &Shutdown,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<Summary> {
        loop {
            on_progress(&self.progress());
            let next_poll = self.poll();
            let settled = self.ending.is_some() && !self.polling && self.under_way() == 0;
            if !settled {
                self.renew();
            } else if self.tasks.is_empty() {
                // A renewal on its way would hide again what is given back.
                break;
            }
            let renewal = self.held.next_due().filter(|_| !settled);
            let due = [renewal, next_poll].into_iter().flatten().min();
            tokio::select! {
                Some(ended) = self.tasks.next() => match ended.end {
                    supervisor::End::Returned(event) => self.heed(event),
                    supervisor::End::Panicked(text) => {
                        return Err(Error::new(Kind::Bug, ended.name).because(text));
                    }
                    supervisor::End::Cancelled => {}
                },
                () = at(due) => {}
                () = shutdown.draining(), if self.ending.is_none() => {
                    self.ending = Some(Ending::Stopped);
                }
            }
        }
        self.give_back().await;
        on_progress(&self.progress());
        self.summary.undeleted = count(self.held.count(Stage::Undeleted));
        self.summary.moved -= self.summary.undeleted;
        self.summary.ending = self.ending.unwrap_or(Ending::Empty);
        Ok(self.summary)
    }

    /// How many are on their way to the target, or out of the source.
    fn under_way(&self) -> usize {
        self.held.count(Stage::Moving) + self.held.count(Stage::Deleting)
    }

    fn progress(&self) -> Progress {
        Progress {
            waiting: self.waiting,
            moved: self.summary.moved,
            left: self.summary.left,
            failed: count(self.summary.failed.len()),
            elsewhere: self.elsewhere,
        }
    }

    /// Sends a poll where one may leave; otherwise says when one may, where time alone decides.
    fn poll(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if self.ending.is_some() || self.polling || self.counting {
            return None;
        }
        // In order: nothing is received before what was received is settled.
        let most = if self.ordered { 0 } else { MOST_TWICE - FULL };
        if self.under_way() > most {
            return None;
        }
        let mut ask = FULL;
        if let Some(wanted) = self.options.most {
            let moving = self.held.count(Stage::Moving);
            let more = wanted.saturating_sub(self.summary.moved + count(moving));
            if more == 0 && moving == 0 {
                self.ending = Some(Ending::Most);
            }
            if more == 0 {
                return None;
            }
            ask = ask.min(usize::try_from(more).unwrap_or(usize::MAX));
        }
        let kept = self.held.count(Stage::Staying) + self.held.count(Stage::Undeleted);
        ask = ask.min(self.options.most_held.saturating_sub(kept));
        if ask == 0 {
            self.ending = Some(Ending::Full);
            return None;
        }
        if self.not_before > now {
            return Some(self.not_before);
        }
        if let Some(allowance) = &mut self.allowance {
            match allowance.look(now) {
                Ok(allowed) => ask = ask.min(allowed),
                Err(later) => return Some(later),
            }
        }
        let (end, options) = (self.from.clone(), self.options.clone());
        self.polling = true;
        self.tasks.spawn("receiving", async move {
            let result = source::receive(&end, ask, &options).await;
            Event::Polled { left_at: now, result }
        });
        None
    }

    fn renew(&mut self) {
        let now = Instant::now();
        loop {
            let due = self.held.take_due(now);
            if due.is_empty() {
                return;
            }
            let end = self.from.clone();
            self.tasks.spawn("renewing", async move {
                let sent_at = Instant::now();
                let changes = due.iter().map(|renewal| (&*renewal.handle, renewal.lease)).collect();
                let errors = source::hide(&end, changes).await;
                Event::Renewed { sent_at, results: due.into_iter().zip(errors).collect() }
            });
        }
    }

    /// Gives back what stays, so that others see it at once.
    async fn give_back(&mut self) {
        let handles = self.held.to_give_back(Instant::now());
        // One after the other keeps the head of a FIFO group hidden until those behind it are back.
        let parallel = if self.from.url.is_fifo() { 1 } else { PARALLEL };
        let calls = handles.chunks(FULL).map(|batch| give_back(&self.from, batch));
        let failed = futures_util::stream::iter(calls).buffered(parallel);
        self.summary.not_given_back +=
            failed.fold(0, |sum, failed| async move { sum + count(failed) }).await;
    }
}

/// Gives up to ten messages back: how many could not be.
async fn give_back(end: &End, handles: &[String]) -> usize {
    let mut left: Vec<&str> = handles.iter().map(String::as_str).collect();
    let mut refused = 0;
    for tries in 1..=TRIES {
        let changes = left.iter().map(|handle| (*handle, Duration::ZERO)).collect();
        let errors = source::hide(end, changes).await;
        let passes = |error: &Option<Error>| {
            error.as_ref().is_some_and(|error| error.kind().passes_by_itself())
        };
        refused += errors.iter().filter(|e| e.is_some() && !passes(e)).count();
        left = left.into_iter().zip(errors).filter(|(_, e)| passes(e)).map(|(h, _)| h).collect();
        if left.is_empty() {
            break;
        }
        pause(tries).await;
    }
    refused + left.len()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
