//! What the order within a FIFO group means for its messages: who waits for whom, and who goes back
//! with whom.

use std::time::Duration;

use tokio::time::Instant;

use super::lease::Ticket;
use super::{Stage, Stages};
use crate::telemetry::metrics;

impl Stages {
    /// The FIFO group of a message; none in a standard queue, whose groups have no order.
    fn group(&self, ticket: Ticket) -> Option<&str> {
        let item = self.items.get(&ticket)?;
        item.message.group().filter(|_| self.is_fifo())
    }

    /// Enters a message that was received. True where none of its group is before it.
    pub(super) fn enter_group(&mut self, ticket: Ticket) -> bool {
        let Some(group) = self.group(ticket).map(str::to_owned) else { return true };
        self.order.enter(&group, ticket)
    }

    /// Those of its group that have to be settled before it.
    pub(super) fn before_in_group(&self, ticket: Ticket) -> Vec<Ticket> {
        self.group(ticket).map_or_else(Vec::new, |group| self.order.before(group, ticket))
    }

    /// The one of its group that comes after it.
    pub(super) fn next_in_group(&self, ticket: Ticket) -> Option<Ticket> {
        self.order.after(self.group(ticket)?, ticket)
    }

    /// What waits behind a message that goes back must go back before it, the last one first.
    pub(super) fn give_back_tail(&mut self, ticket: Ticket) {
        let Some(group) = self.group(ticket).map(str::to_owned) else { return };
        for behind in self.order.break_off(&group, ticket) {
            let stage = self.items.get(&behind).map(|item| item.stage);
            // What runs has a verdict of its own to come, and what is settled has had it.
            if matches!(stage, None | Some(Stage::Running | Stage::Settling)) {
                continue;
            }
            metrics::settled(&self.name, "released");
            self.report.released += 1;
            self.unlock(behind);
            self.forget_probe(behind);
            self.enter_stage(behind, Stage::Settling);
            self.settle.give_back(behind, Duration::ZERO);
        }
    }

    /// What waits behind another of its group goes back; not the message that is kept to try with.
    pub(super) fn release_waiting(&mut self) {
        for ticket in self.order.behind_others() {
            let waits = self.items.get(&ticket).is_some_and(|item| item.stage == Stage::Waiting);
            if waits && !self.is_kept(ticket) {
                self.release(ticket);
            }
        }
    }

    /// The message is not ours any more. With `settled`, the next of its group may begin.
    pub(super) fn leave(&mut self, ticket: Ticket, settled: bool) {
        let group = self.group(ticket).map(str::to_owned);
        self.enter_stage(ticket, Stage::Settling);
        self.leases.leave(ticket);
        self.items.remove(&ticket);
        self.unlock(ticket);
        self.forget_probe(ticket);
        let Some(group) = group.filter(|_| settled) else { return };
        let Some(next) = self.order.advance(&group, ticket) else { return };
        let Some(item) = self.items.get(&next) else { return };
        // One that is further comes to its turn by itself, and one that is kept to try with in time.
        if item.stage != Stage::Waiting || self.is_kept(next) {
            return;
        }
        if self.finished.contains(&item.message.id, Instant::now()) {
            self.delete_copy(next);
        } else if self.draining {
            self.release(next);
        } else {
            self.start(next);
        }
    }
}
