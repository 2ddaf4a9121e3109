//! Messages that are ready and wait for company: a handler that takes several gets those that are
//! there, and those of the next moment. Handlers that take one message never come here.
//!
//! Of a FIFO group, those stand in one batch that follow each other, in their order; what would
//! leave one out waits until the batch is settled.

use std::time::Duration;

use tokio::time::Instant;

use super::lease::Ticket;
use super::{Stage, Stages};
use crate::handler::BoxHandler;

/// How long a batch that is not full waits for more.
const COMPANY: Duration = Duration::from_millis(50);

/// The batches that have not left yet.
#[derive(Debug, Default)]
pub(super) struct Gather {
    batches: Vec<Batch>,
}

#[derive(Debug)]
struct Batch {
    handler: BoxHandler,
    tickets: Vec<Ticket>,
    leaves: Instant,
}

impl Batch {
    fn has_room(&self) -> bool {
        self.tickets.len() < self.handler.most().get()
    }
}

impl Gather {
    /// Enters a message that may stand in any batch of its handler.
    fn enter(&mut self, ticket: Ticket, handler: &BoxHandler) {
        let fits = |batch: &&mut Batch| batch.handler.is(handler) && batch.has_room();
        match self.batches.iter_mut().find(fits) {
            Some(batch) => batch.tickets.push(ticket),
            None => self.batches.push(Batch {
                handler: handler.clone(),
                tickets: vec![ticket],
                leaves: Instant::now() + COMPANY,
            }),
        }
    }

    /// Enters a message that may only stand behind these, all of them. False where it cannot.
    fn join(&mut self, ticket: Ticket, handler: &BoxHandler, before: &[Ticket]) -> bool {
        let fits = |batch: &&mut Batch| {
            let all = before.iter().all(|before| batch.tickets.contains(before));
            all && batch.handler.is(handler) && batch.has_room()
        };
        let batch = self.batches.iter_mut().find(fits);
        batch.map(|batch| batch.tickets.push(ticket)).is_some()
    }

    /// True where the batch of this message takes more.
    fn has_room_behind(&self, ticket: Ticket) -> bool {
        self.batches.iter().any(|batch| batch.tickets.contains(&ticket) && batch.has_room())
    }

    /// Takes a message out.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        for batch in &mut self.batches {
            batch.tickets.retain(|&own| own != ticket);
        }
        self.batches.retain(|batch| !batch.tickets.is_empty());
    }

    /// A batch that leaves now: it is full, its time has come, or nothing more can come.
    fn take_due(&mut self, alone: bool) -> Option<(BoxHandler, Vec<Ticket>)> {
        let now = Instant::now();
        let due = |batch: &Batch| alone || !batch.has_room() || batch.leaves <= now;
        let place = self.batches.iter().position(due)?;
        let batch = self.batches.remove(place);
        Some((batch.handler, batch.tickets))
    }

    /// When the next one leaves, unless it is full before.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.batches.iter().map(|batch| batch.leaves).min()
    }

    /// Every message here, the last one first.
    fn all(&self) -> Vec<Ticket> {
        self.batches.iter().flat_map(|batch| &batch.tickets).rev().copied().collect()
    }
}

impl Stages {
    /// The message is ready for this handler: it runs, or waits for company or for its turn. Returns
    /// the next of its group, where that may stand in the same batch.
    pub(super) fn ready(&mut self, ticket: Ticket, handler: &BoxHandler) -> Option<Ticket> {
        let before = self.before_in_group(ticket);
        if handler.most().get() == 1 && before.is_empty() {
            self.run_handler(handler, vec![ticket]);
            return None;
        }
        if let Some(pause) = &self.pause {
            // One message tries whether the handler can be started again.
            if pause.probe == Some(ticket) {
                self.run_handler(handler, vec![ticket]);
            } else {
                self.release(ticket);
            }
            return None;
        }
        if before.is_empty() {
            self.enter_stage(ticket, Stage::Gathering);
            self.gather.enter(ticket, handler);
        } else if self.gather.join(ticket, handler, &before) {
            self.enter_stage(ticket, Stage::Gathering);
        } else {
            self.enter_stage(ticket, Stage::Waiting);
            return None;
        }
        let next = self.next_in_group(ticket)?;
        self.may_join(next, ticket).then_some(next)
    }

    /// True where this message may get ready for the batch in which the one before it stands.
    pub(super) fn may_join(&mut self, ticket: Ticket, before: Ticket) -> bool {
        let Some(item) = self.items.get(&ticket) else { return false };
        item.stage == Stage::Waiting
            && self.gather.has_room_behind(before)
            && !self.finished.contains(&item.message.id, Instant::now())
    }

    /// Runs the batches whose time has come.
    pub(super) fn run_gathered(&mut self) {
        // With every slot taken and nothing on its way from there, no more can come.
        let alone = self.slots >= self.settings.concurrency && self.preparing == 0;
        while let Some((handler, tickets)) = self.gather.take_due(alone) {
            self.run_handler(&handler, tickets);
        }
    }

    /// What has not begun goes back.
    pub(super) fn release_gathered(&mut self) {
        for ticket in self.gather.all() {
            // With one of a group, those behind it go back.
            if self.items.get(&ticket).is_some_and(|item| item.stage == Stage::Gathering) {
                self.release(ticket);
            }
        }
    }
}
