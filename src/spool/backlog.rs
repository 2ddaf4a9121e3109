//! What waits: a window of the first files, the files that failed with their next attempt, and the
//! lanes that are taken. Bounded, whatever lies in the directory.
//!
//! The first are the oldest, or by name where names give the order. Two names can mean one key
//! (`a%2f` and `a%2F`), and many files of an outbox be one group. Of such a lane only one file is
//! ever under way or due again, and the others wait in their order until it is settled, so that the
//! youngest lands last.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::time::Instant;

use super::candidate::{Candidate, Hint, Job, Record, merged};
use super::open::{Id, Place};

/// So many files are known that wait for their first attempt.
pub(crate) const WINDOW: usize = 20_000;
/// So many files are known that failed.
const MOST_RECORDS: usize = 100_000;

#[derive(Debug)]
struct Waiting {
    candidate: Candidate,
    record: Record,
    /// Nothing while it is in the window again.
    due: Option<Instant>,
    lane: Option<String>,
}

#[derive(Debug)]
struct Flight {
    lane: Option<String>,
    again: Option<Candidate>,
}

type Rank = (Place, i128, Id);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    by_name: bool,
    window: BTreeMap<Rank, Candidate>,
    ranks: HashMap<Id, Rank>,
    flying: HashMap<Id, Flight>,
    waiting: HashMap<Id, Waiting>,
    due: BTreeSet<(Instant, Id)>,
    lanes: HashMap<String, Id>,
    held: HashMap<String, BTreeMap<Rank, Candidate>>,
    held_count: usize,
    overflowed: bool,
}

impl Backlog {
    /// One whose order is that of the files' names, byte by byte.
    pub(crate) fn by_name() -> Self {
        Self { by_name: true, ..Self::default() }
    }

    /// Takes notice of a file; what is known already is not entered twice.
    pub(crate) fn offer(&mut self, candidate: Candidate) {
        let id = candidate.id.clone();
        if let Some(flight) = self.flying.get_mut(&id) {
            // Whether this is news is judged when the attempt ends.
            flight.again = Some(merged(flight.again.take(), candidate));
            return;
        }
        if let Some(waiting) = self.waiting.get_mut(&id) {
            let known = waiting.candidate.stamp;
            // One that failed and is written in place keeps its backoff, else a log that grows
            // would be uploaded whole at every line; a newer file under the name goes at once.
            let newer = !known.is_of_the_same_file(&candidate.stamp);
            let changed = known != candidate.stamp && (newer || waiting.record.failures == 0);
            let closed = candidate.hint == Hint::Closed && waiting.record.waits > 0;
            waiting.candidate = merged(Some(waiting.candidate.clone()), candidate);
            if changed {
                waiting.record = Record::default();
            }
            if (changed || closed)
                && let Some(due) = waiting.due.take()
            {
                let again = waiting.candidate.clone();
                self.due.remove(&(due, id));
                self.enter(again);
            }
            return;
        }
        self.enter(candidate);
    }

    /// The next file to attempt: the first whose lane is free.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Job> {
        self.wake(now);
        let mut blocked = Vec::new();
        let job = loop {
            let Some((rank, candidate)) = self.window.pop_first() else { break None };
            self.ranks.remove(&rank.2);
            if let Some(job) = self.launch(candidate, &mut blocked) {
                break Some(job);
            }
        };
        for candidate in blocked {
            self.enter(candidate);
        }
        job
    }

    /// As [`next`](Self::next), but passing over files that `refused` names, wherever another is
    /// known; those that failed before come too, before they are due.
    pub(crate) fn next_but(&mut self, now: Instant, refused: &BTreeSet<Id>) -> Option<Job> {
        self.wake(now);
        let fresh = self
            .window
            .values()
            .find(|candidate| !refused.contains(&candidate.id) && self.holder(candidate).is_none());
        let id = match fresh {
            Some(candidate) => Some(candidate.id.clone()),
            None => self
                .due
                .iter()
                .map(|(_, id)| id)
                .find(|id| !refused.contains(id))
                .or_else(|| self.due.first().map(|(_, id)| id))
                .cloned(),
        };
        let Some(id) = id else {
            return self.next(now);
        };
        if let Some(waiting) = self.waiting.get_mut(&id)
            && let Some(due) = waiting.due.take()
        {
            let candidate = waiting.candidate.clone();
            self.due.remove(&(due, id));
            return self.launch_free(candidate);
        }
        let rank = self.ranks.remove(&id)?;
        let candidate = self.window.remove(&rank)?;
        self.launch_free(candidate)
    }

    /// An attempt has ended and the file is out of the way: landed, quarantined, gone, no file.
    pub(crate) fn finish(&mut self, id: &Id) {
        let Some(flight) = self.flying.remove(id) else {
            return;
        };
        self.waiting.remove(id);
        self.release(flight.lane);
        if let Some(again) = flight.again {
            self.offer(again);
        }
    }

    /// An attempt has ended and the file stays, to be tried again when `due`.
    pub(crate) fn retry(&mut self, candidate: Candidate, record: Record, due: Instant) {
        let id = candidate.id.clone();
        let Some(flight) = self.flying.remove(&id) else {
            return;
        };
        let waiting = Waiting { candidate, record, due: Some(due), lane: flight.lane };
        self.due.insert((due, id.clone()));
        self.waiting.insert(id, waiting);
        self.forget_some();
        if let Some(again) = flight.again {
            self.offer(again);
        }
    }

    /// Marks a file as refused while others landed.
    pub(crate) fn suspect(&mut self, id: &Id) {
        if let Some(waiting) = self.waiting.get_mut(id) {
            waiting.record.suspect = true;
        }
    }

    /// When the next file that failed is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Files that could be attempted now.
    pub(crate) fn has_ready(&self) -> bool {
        !self.window.is_empty()
    }

    /// True when fewer than half a window is left of more than a window: a pass would find more.
    pub(crate) fn wants_pass(&self) -> bool {
        self.overflowed && self.window.len() + self.held_count < WINDOW / 2
    }

    /// A pass begins: what it finds is all there is.
    pub(crate) fn pass_begins(&mut self) {
        self.overflowed = false;
    }

    /// How many files are known and not settled.
    pub(crate) fn len(&self) -> usize {
        self.window.len() + self.held_count + self.flying.len() + self.due.len()
    }

    /// Files that failed or were not ready: how often at least, and their last hint.
    pub(crate) fn delayed(&self) -> impl Iterator<Item = &Record> {
        self.waiting.values().map(|waiting| &waiting.record)
    }

    fn wake(&mut self, now: Instant) {
        while let Some((due, _)) = self.due.first()
            && *due <= now
        {
            let Some((_, id)) = self.due.pop_first() else {
                return;
            };
            if let Some(waiting) = self.waiting.get_mut(&id) {
                waiting.due = None;
                let candidate = waiting.candidate.clone();
                self.enter(candidate);
            }
        }
    }

    fn enter(&mut self, candidate: Candidate) {
        let id = candidate.id.clone();
        let known = self.ranks.remove(&id).and_then(|rank| self.window.remove(&rank));
        let candidate = merged(known, candidate);
        let rank = self.rank(&candidate);
        self.ranks.insert(id, rank.clone());
        self.window.insert(rank, candidate);
        if self.window.len() > WINDOW {
            self.drop_last();
        }
    }

    /// The last of the window is left to a later pass; one that holds its lane stays, or those
    /// behind it would overtake it.
    fn drop_last(&mut self) {
        let mut ranks = self.window.keys().rev();
        let last = ranks.find(|rank| !self.waiting.contains_key(&rank.2)).cloned();
        let last = last.or_else(|| self.window.keys().next_back().cloned());
        let Some(rank) = last else {
            return;
        };
        self.overflowed = true;
        self.window.remove(&rank);
        self.ranks.remove(&rank.2);
        if let Some(waiting) = self.waiting.remove(&rank.2) {
            self.release(waiting.lane);
        }
    }

    fn rank(&self, candidate: &Candidate) -> Rank {
        let age = if self.by_name { 0 } else { candidate.stamp.modified };
        (candidate.id.place, age, candidate.id.clone())
    }

    /// The other file that has the lane of this one.
    fn holder(&self, candidate: &Candidate) -> Option<&Id> {
        let holder = self.lanes.get(candidate.lane.as_ref()?)?;
        (*holder != candidate.id).then_some(holder)
    }

    fn launch_free(&mut self, candidate: Candidate) -> Option<Job> {
        let mut blocked = Vec::new();
        let job = self.launch(candidate, &mut blocked);
        for candidate in blocked {
            self.enter(candidate);
        }
        job
    }

    /// Begins with a file. One whose lane is taken waits for it; where too many do, it is `blocked`.
    fn launch(&mut self, candidate: Candidate, blocked: &mut Vec<Candidate>) -> Option<Job> {
        let id = candidate.id.clone();
        if self.holder(&candidate).is_some() {
            blocked.extend(self.hold(candidate));
            return None;
        }
        let lane = candidate.lane.clone();
        if let Some(lane) = &lane {
            self.lanes.insert(lane.clone(), id.clone());
        }
        let record =
            self.waiting.remove(&id).map_or_else(Record::default, |waiting| waiting.record);
        self.flying.insert(id, Flight { lane, again: None });
        Some(Job { candidate, record })
    }

    fn hold(&mut self, candidate: Candidate) -> Option<Candidate> {
        let lane = candidate.lane.clone()?;
        if self.held_count >= WINDOW {
            return Some(candidate);
        }
        let rank = self.rank(&candidate);
        if self.held.entry(lane).or_default().insert(rank, candidate).is_none() {
            self.held_count += 1;
        }
        None
    }

    /// The lane is free for the next one that waits for it.
    fn release(&mut self, lane: Option<String>) {
        let Some(lane) = lane else {
            return;
        };
        self.lanes.remove(&lane);
        let Some(held) = self.held.get_mut(&lane) else {
            return;
        };
        let next = held.pop_first();
        if held.is_empty() {
            self.held.remove(&lane);
        }
        if let Some((_, candidate)) = next {
            self.held_count -= 1;
            self.enter(candidate);
        }
    }

    /// What falls out is found again by a pass and is due then. What lies in settling stays known.
    fn forget_some(&mut self) {
        while self.due.len() > MOST_RECORDS {
            let latest = self.due.iter().rev().find(|(_, id)| id.place == Place::Spool).cloned();
            let Some((due, id)) = latest else {
                return;
            };
            self.due.remove(&(due, id.clone()));
            self.overflowed = true;
            if let Some(waiting) = self.waiting.remove(&id) {
                self.release(waiting.lane);
            }
        }
    }
}
