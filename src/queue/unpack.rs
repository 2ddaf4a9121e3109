//! From the message as it came to what its handler gets.
//!
//! Fetching and decoding take time, so they run as a task of their own before the handler: the
//! message takes its slot, and its lease is renewed, as while a handler runs. At stop it goes back.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::lease::Ticket;
use super::{Event, Stages};
use crate::error::{Error, Kind};
use crate::outcome::Outcome;
use crate::payload::Unpacked;
use crate::telemetry::metrics;
use crate::toolkit::s3::Bucket;
use crate::units;

impl Stages {
    /// False where the handler can have the message at once. Otherwise the message is being
    /// unpacked, or judged already.
    pub(super) fn unpacks_first(&mut self, ticket: Ticket) -> bool {
        let Some(item) = self.items.get(&ticket) else { return true };
        if item.is_damaged {
            metrics::body_damaged(&self.name);
            let outcome = Outcome::retry("the body is not the one that SQS has: its MD5 differs");
            self.judge(ticket, outcome, Instant::now());
            return true;
        }
        if item.unpacked.is_some() || !self.unpacker.has_steps() {
            return false;
        }
        let Some(source) = &self.source else { return false };
        let (message, lease) = (Arc::clone(&item.message), item.keeper.lease());
        let (steps, s3) = (self.unpacker.clone(), source.connection.s3.clone());
        let (shutdown, timeout) = (self.shutdown.clone(), self.settings.handler_timeout);
        let began = Instant::now();
        self.tasks.spawn(format!("unpack {}", message.id), async move {
            let unpacked = tokio::select! {
                biased;
                () = lease.ended() => None,
                () = shutdown.draining() => None,
                () = sleep(timeout) => {
                    let what = format!("unpacking took longer than {}", units::show(timeout));
                    Some(Unpacked::Later(Error::new(Kind::Transient, what)))
                }
                unpacked = steps.unpack(&message, &s3) => Some(unpacked),
            };
            Event::Unpacked { ticket, began, unpacked }
        });
        true
    }

    /// Unpacking ended; with nothing, it was cut off.
    pub(super) fn unpacked(&mut self, ticket: Ticket, began: Instant, unpacked: Option<Unpacked>) {
        // It may have gone back meanwhile, with one before it in its group.
        if self.is_settled(ticket) {
            return;
        }
        let Some(item) = self.items.get_mut(&ticket) else { return };
        match unpacked {
            None if item.keeper.is_lost() => {
                self.judge(ticket, Outcome::retry("the lease was lost"), began);
            }
            None => self.release(ticket),
            Some(Unpacked::Message { .. }) if self.draining => self.release(ticket),
            Some(Unpacked::Message { message, objects }) => {
                item.unpacked = Some(message.into());
                item.objects = objects;
                self.start(ticket);
            }
            Some(Unpacked::NoWork(why)) => {
                let message_id = &*item.message.id;
                tracing::info!(queue = %self.name, message_id, why, "message needs no handler");
                self.judge(ticket, Outcome::Done, began);
            }
            Some(Unpacked::Reject(reason)) => self.judge(ticket, Outcome::reject(reason), began),
            Some(Unpacked::Later(error)) => {
                self.judge(ticket, Outcome::retry(error.to_string()), began);
            }
        }
    }

    /// An outcome without a handler.
    fn judge(&mut self, ticket: Ticket, outcome: Outcome, began: Instant) {
        let Some(item) = self.items.get(&ticket) else { return };
        self.log(&item.message, &outcome, began.elapsed());
        self.carry_out(ticket, outcome);
    }

    /// The message was deleted for certain; so may be what only it pointed to.
    pub(super) fn delete_objects(&mut self, ticket: Ticket) {
        let Some(item) = self.items.get_mut(&ticket) else { return };
        let objects = std::mem::take(&mut item.objects);
        let Some(source) = self.source.as_ref().filter(|_| !objects.is_empty()) else { return };
        let (s3, queue) = (source.connection.s3.clone(), Arc::clone(&self.name));
        self.tasks.spawn("delete objects", async move {
            for object in objects {
                let bucket = Bucket::new(s3.clone(), &object.bucket);
                let deleted = bucket.delete_one(&object.key).await;
                if let Err(error) = deleted {
                    tracing::warn!(%queue, %object, %error, "object of a deleted message stays");
                }
            }
            Event::ObjectsDeleted
        });
    }
}
