//! Finished ids: noted before the delete is sent, and found before a handler would run again.

use super::super::lease::Ticket;
use super::super::{Event, Stages};
use super::{News, finished_key};
use crate::error::Result;
use crate::telemetry::metrics;

impl Stages {
    pub(super) fn found_finished(&mut self, ticket: Ticket) {
        let Some(item) = self.items.get(&ticket) else { return };
        metrics::found_finished(&self.name);
        tracing::info!(
            queue = %self.name,
            message_id = item.message.id,
            "received again after it was finished; the copy is deleted"
        );
        self.delete_finished(ticket);
    }

    /// Notes the id of a message that is done; the delete follows when that is confirmed.
    pub(in crate::queue) fn confirm(&mut self, ticket: Ticket) {
        let (Some(guard), Some(source)) = (&self.guard, &self.source) else {
            return self.send_delete(ticket);
        };
        let Some(item) = self.items.get(&ticket) else { return };
        let key = finished_key(&source.arn, &item.message.id);
        let (store, keep) = (guard.store.clone(), source.retention);
        self.tasks.spawn("finished id", async move {
            let result = store.finish(&key, keep).await;
            Event::Heard(News::Finished { ticket, result })
        });
    }

    pub(super) fn finish_answered(&mut self, ticket: Ticket, result: Result<()>) {
        let Err(error) = result else {
            self.store_works();
            return self.send_delete(ticket);
        };
        if self.proceeds() {
            self.tell_unguarded(&error, "message is deleted without a finished id");
            return self.send_delete(ticket);
        }
        self.store_failed(&error);
        if let Some(guard) = &mut self.guard {
            guard.unconfirmed.insert(ticket);
        }
        if self.shutdown.is_aborting() {
            self.give_up_unconfirmed();
        }
    }

    /// There is no time left to wait for the store.
    pub(in crate::queue) fn give_up_unconfirmed(&mut self) {
        let Some(guard) = &mut self.guard else { return };
        for ticket in std::mem::take(&mut guard.unconfirmed) {
            self.report.stranded += 1;
            self.forget_lost(
                ticket,
                "done, but its finished id is not confirmed, so it is not deleted and comes again",
            );
        }
    }
}
