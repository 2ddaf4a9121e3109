//! What the calls came back with, and what follows from it.

use tokio::time::Instant;

use super::{Deletion, EMPTY_POLLS, Ending, Event, FULL, Run, count};
use crate::again::{AFTER_FAILURE, TRIES, pause};
use crate::error::Error;
use crate::message::{Message, Outgoing};
use crate::toolkit::carry::{Carried, Item, Outcome, carry};
use crate::toolkit::sqs::redrive::held::{Renewal, Stage};
use crate::toolkit::sqs::redrive::source::{self, About};

impl Run {
    pub(super) fn heed(&mut self, event: Event) {
        match event {
            Event::Polled { left_at, result } => {
                self.polling = false;
                match result {
                    Ok(messages) => self.received(messages, left_at),
                    Err(error) => self.not_received(error),
                }
            }
            Event::Carried(carried) => self.carried(carried),
            Event::Deleted { tries, results } => self.deleted(tries, results),
            Event::Renewed { sent_at, results } => self.renewed(sent_at, results),
            Event::Counted(result) => {
                self.counting = false;
                match result {
                    Ok(about) => self.counted(about),
                    Err(error) => self.not_received(error),
                }
            }
        }
    }

    fn received(&mut self, messages: Vec<(Message, String)>, left_at: Instant) {
        if messages.is_empty() {
            // An answer before its time was no long poll; asking at once again would be a hot loop.
            self.not_before = left_at + self.options.wait;
            self.empties += 1;
            if self.empties >= EMPTY_POLLS && self.ending.is_none() {
                self.counting = true;
                let end = self.from.clone();
                self.tasks
                    .spawn("counting", async move { Event::Counted(source::about(&end).await) });
            }
            return;
        }
        (self.empties, self.failures) = (0, 0);
        let now = Instant::now();
        let (mut load, mut copies) = (Vec::new(), Vec::new());
        for (message, handle) in messages {
            match self.held.enter(&message.id, handle, now) {
                Some(Stage::Undeleted) => copies.push(message.id),
                Some(Stage::Moving | Stage::Deleting | Stage::Staying) => {}
                None if self.moves(&message) => load.push(message),
                None => self.held.set(&message.id, Stage::Staying),
            }
        }
        self.delete(copies, 1);
        if load.is_empty() {
            return;
        }
        if let Some(allowance) = &mut self.allowance {
            allowance.spend(load.len());
        }
        let load = load.into_iter().map(|message| self.outgoing(message)).collect();
        let target = self.target.clone();
        self.tasks.spawn("sending", async move { Event::Carried(carry(&target, load).await) });
    }

    /// Whether a new message moves; counts it where it does not.
    fn moves(&mut self, message: &Message) -> bool {
        if self.ending.is_some() {
            return false;
        }
        if !self.options.filter.lets(message) {
            self.summary.left += 1;
            return false;
        }
        if message.group().is_some_and(|group| self.broken.contains(group)) {
            self.summary.behind += 1;
            return false;
        }
        if self.options.dry_run {
            self.summary.moved += 1;
            return false;
        }
        true
    }

    /// The message as it came.
    fn outgoing(&self, message: Message) -> Item<String> {
        let fifo = self.target.url.is_fifo();
        let keeps_group = fifo || !self.from.url.is_fifo();
        let own = message.group().filter(|_| keeps_group).map(str::to_owned);
        let outgoing = Outgoing {
            body: message.body.as_text().unwrap_or_default().to_owned(),
            group: own.or_else(|| self.options.group.clone()),
            deduplication_id: fifo.then(|| format!("redrive-{}", message.id)),
            trace_header: message.system_attributes.get("AWSTraceHeader").cloned(),
            attributes: message.attributes,
            labels: message.labels,
            ..Outgoing::default()
        };
        let order = outgoing.group.clone().filter(|_| self.ordered);
        Item::new(message.id, outgoing).in_order(order)
    }

    fn not_received(&mut self, error: Error) {
        self.failures += 1;
        if error.kind().passes_by_itself() && self.failures < TRIES {
            self.not_before = Instant::now() + AFTER_FAILURE.delay(self.failures, fastrand::f64());
        } else {
            self.fail(error);
        }
    }

    /// The first error that nothing more would escape is the one that is told.
    fn fail(&mut self, error: Error) {
        if !matches!(self.ending, Some(Ending::Failed(_))) {
            self.ending = Some(Ending::Failed(error));
        }
    }

    fn carried(&mut self, carried: Carried<String>) {
        let mut sent = Vec::new();
        for (id, outcome) in carried.outcomes {
            match outcome {
                Outcome::Sent => {
                    self.summary.moved += 1;
                    sent.push(id);
                    continue;
                }
                Outcome::Failed(error) => self.summary.failed.push((id.clone(), error)),
                Outcome::Behind => self.summary.behind += 1,
                Outcome::Unsent => self.summary.unsent += 1,
            }
            self.held.set(&id, Stage::Staying);
        }
        self.broken.extend(carried.broken);
        if let Some(error) = carried.fatal {
            self.fail(error);
        }
        self.delete(sent, 1);
    }

    /// Deletes what the target has. What has no lease any more waits to come again.
    fn delete(&mut self, ids: Vec<String>, tries: u32) {
        let now = Instant::now();
        let mut deletions = Vec::new();
        for id in ids {
            match self.held.handle(&id, now).map(str::to_owned) {
                Some(handle) => {
                    self.held.set(&id, Stage::Deleting);
                    deletions.push(Deletion { id, handle });
                }
                None => self.not_deleted(&id),
            }
        }
        while !deletions.is_empty() {
            let rest = deletions.split_off(deletions.len().min(FULL));
            let batch = std::mem::replace(&mut deletions, rest);
            let end = self.from.clone();
            self.tasks.spawn("deleting", async move {
                if tries > 1 {
                    pause(tries - 1).await;
                }
                let handles: Vec<&str> = batch.iter().map(|of| &*of.handle).collect();
                let errors = source::delete(&end, &handles).await;
                Event::Deleted { tries, results: batch.into_iter().zip(errors).collect() }
            });
        }
    }

    fn deleted(&mut self, tries: u32, results: Vec<(Deletion, Option<Error>)>) {
        let now = Instant::now();
        let mut again = Vec::new();
        for (Deletion { id, handle }, error) in results {
            match (error, self.held.handle(&id, now)) {
                // A delete under a lapsed lease may succeed without deleting.
                (_, None) => self.not_deleted(&id),
                // It came again meanwhile: this answer was about the old handle.
                (_, Some(current)) if current != handle => again.push(id),
                (None, Some(_)) => self.held.leave(&id),
                (Some(error), Some(_)) if error.kind().passes_by_itself() && tries < TRIES => {
                    again.push(id);
                }
                (Some(error), Some(_)) => {
                    self.not_deleted(&id);
                    if error.kind().passes_by_itself() || error.kind().is_of_destination() {
                        self.fail(error);
                    }
                }
            }
        }
        self.delete(again, tries + 1);
    }

    fn not_deleted(&mut self, id: &str) {
        self.held.set(id, Stage::Undeleted);
        self.held.let_go(id);
    }

    fn renewed(&mut self, sent_at: Instant, results: Vec<(Renewal, Option<Error>)>) {
        let now = Instant::now();
        for (renewal, error) in results {
            match error {
                None => self.held.renewed(&renewal, sent_at),
                Some(error) => {
                    self.held.not_renewed(&renewal, error.kind().passes_by_itself(), now);
                }
            }
        }
    }

    /// Three polls brought nothing: it is the end unless SQS counts what nobody here holds.
    fn counted(&mut self, about: Option<About>) {
        self.failures = 0;
        let now = Instant::now();
        let held = self.held.leases(now);
        // Of a FIFO group nothing is handed out while one of it is held.
        let shut = self.from.url.is_fifo() && self.held.count(Stage::Staying) > 0;
        let is_empty = match &about {
            Some(about) => {
                (about.visible == 0 || shut) && about.delayed == 0 && about.leased <= held
            }
            None => !self.held.awaits(now),
        };
        let counts_none = about.as_ref().is_some_and(|about| about.visible == 0);
        let (visible, leased) = about.map_or((0, 0), |about| (about.visible, about.leased));
        self.elsewhere = count(leased.saturating_sub(held));
        if is_empty && self.ending.is_none() {
            if counts_none {
                self.held.forget_undeleted();
            }
            self.summary.shut_in = count(visible);
            self.ending = Some(Ending::Empty);
        }
    }
}
