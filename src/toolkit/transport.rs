//! Two small traits that every place for messages has in common: one for those that take messages
//! and one for those that hand them out. A queue does both, a topic and an outbox send, a folder
//! does both.

use std::future::Future;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};

use crate::error::{Error, Kind, Result};
use crate::message::{Message, Outgoing};

/// What came of sending many.
#[derive(Debug, Default)]
pub struct SendReport {
    /// How many were confirmed.
    pub sent: u64,
    /// Those that were not, by their number in the source (from 0), and why.
    pub failed: Vec<(u64, Error)>,
}

/// A place that takes messages.
pub trait CanSend: Sync {
    /// Sends messages as they come from a stream, in batches where the place has batches; never
    /// holds more than a batch of them. Each is confirmed, or stands in the report with its error.
    ///
    /// Dropped midway, what was on its way may or may not have been sent.
    ///
    /// # Errors
    /// Where the place itself cannot be used: it is gone, or refuses us. What was sent before stays
    /// sent.
    fn send_all(
        &self,
        messages: impl Stream<Item = Outgoing> + Send,
    ) -> impl Future<Output = Result<SendReport>> + Send;

    /// Sends one message; when it returns, the place has confirmed it.
    ///
    /// # Errors
    /// As [`send_all`](Self::send_all), and where this very message is refused.
    fn send(&self, message: Outgoing) -> impl Future<Output = Result<()>> + Send {
        async move {
            let mut report = self.send_all(stream::iter([message])).await?;
            report.failed.pop().map_or(Ok(()), |(_, error)| Err(error))
        }
    }
}

/// A message that was received and is held until it is settled or its lease ends.
///
/// Dropping it settles nothing: it comes again when the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The message.
    pub message: Message,
    /// By which its place knows it: a receipt handle, the name of a claimed file.
    pub(crate) receipt: String,
}

/// How a held message is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// It is done and deleted.
    Delete,
    /// It is not done and comes again after this delay.
    GiveBack(Duration),
}

/// A place that hands messages out.
///
/// No lease is renewed here: what is not settled before it ends comes again. Work that takes long
/// belongs into a [`Worker`](crate::worker::Worker).
pub trait CanReceive: Sync {
    /// Receives up to `most` messages in one request (ten at most), waiting up to `wait` (20 s at
    /// most) for the first. None is no error.
    ///
    /// Dropped midway, messages that were on their way stay hidden until their leases end.
    ///
    /// # Errors
    /// Where the place is gone or refuses us, or `most` or `wait` is out of range.
    fn receive(
        &self,
        most: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<Held>>> + Send;

    /// Settles messages that were received here; one result each, in order.
    ///
    /// Dropped midway, each may or may not be settled.
    fn settle(&self, held: &[Held], how: Settle) -> impl Future<Output = Vec<Result<()>>> + Send;

    /// Receives one message for `work`: deleted when it returns `Ok`, kept when it returns an
    /// error. Nothing where no message came within `wait`.
    ///
    /// A kept message comes again when its lease ends. Dropped midway, it is kept.
    ///
    /// # Errors
    /// Those of receiving, of `work`, and of the delete: the work is done then, and the message
    /// comes again.
    fn receive_one<T, E: From<Error>>(
        &self,
        wait: Duration,
        work: impl AsyncFnOnce(&Message) -> std::result::Result<T, E>,
    ) -> impl Future<Output = std::result::Result<Option<T>, E>> {
        async move {
            let held = self.receive(1, wait).await?;
            let [one] = held.as_slice() else { return Ok(None) };
            let done = work(&one.message).await?;
            all_settled(self.settle(&held, Settle::Delete).await)?;
            Ok(Some(done))
        }
    }

    /// Receives up to `most` messages for `work`, in as many requests as it takes: all deleted when
    /// it returns `Ok`, all kept when it returns an error. Nothing where no message came.
    ///
    /// The first request waits up to `wait`; the rest take what is there, and the first that brings
    /// nothing ends it. Each message that could not be deleted fails by itself: the others are.
    ///
    /// # Errors
    /// As [`receive_one`](Self::receive_one).
    fn receive_many<T, E: From<Error>>(
        &self,
        most: usize,
        wait: Duration,
        work: impl AsyncFnOnce(&[Held]) -> std::result::Result<T, E>,
    ) -> impl Future<Output = std::result::Result<Option<T>, E>> {
        async move {
            let held = collect(self, most, wait).await?;
            if held.is_empty() {
                return Ok(None);
            }
            let done = work(&held).await?;
            all_settled(self.settle(&held, Settle::Delete).await)?;
            Ok(Some(done))
        }
    }

    /// Every message that is there and that comes, one by one, for ever; the first error ends it.
    /// Each has to be settled by whoever takes it.
    ///
    /// Up to ten are held at a time, those that nobody has taken yet among them: take them sooner
    /// than their leases end.
    fn messages(&self, wait: Duration) -> impl Stream<Item = Result<Held>> + Send {
        stream::unfold(Some(Vec::new()), move |state| async move {
            let mut waiting: Vec<Held> = state?;
            while waiting.is_empty() {
                match self.receive(10, wait).await {
                    Ok(mut held) => {
                        held.reverse();
                        waiting = held;
                    }
                    Err(error) => return Some((Err(error), None)),
                }
            }
            waiting.pop().map(|next| (Ok(next), Some(waiting)))
        })
        .fuse()
    }
}

/// Up to `most` messages in requests of ten; the first waits, the rest take what is there.
async fn collect<P: CanReceive + ?Sized>(
    place: &P,
    most: usize,
    wait: Duration,
) -> Result<Vec<Held>> {
    let mut held = Vec::new();
    while held.len() < most {
        let wait = if held.is_empty() { wait } else { Duration::ZERO };
        let more = place.receive((most - held.len()).min(10), wait).await?;
        if more.is_empty() {
            break;
        }
        held.extend(more);
    }
    Ok(held)
}

/// The first error, with how many there are.
fn all_settled(results: Vec<Result<()>>) -> Result<()> {
    let count = results.len();
    let mut errors: Vec<Error> = results.into_iter().filter_map(Result::err).collect();
    let failed = errors.len();
    match errors.pop() {
        None => Ok(()),
        Some(error) if count == 1 => Err(error),
        Some(error) => {
            let what = format!("{failed} of {count} messages could not be deleted and come again");
            Err(Error::new(error.kind(), what).because(error))
        }
    }
}

/// What every place refuses before it is asked.
pub(crate) fn in_range(most: usize, wait: Duration) -> Result<()> {
    if !(1..=10).contains(&most) {
        let what = format!("one receive brings 1 to 10 messages, not {most}");
        return Err(Error::new(Kind::Invalid, what));
    }
    if wait > Duration::from_secs(20) {
        return Err(Error::new(Kind::Invalid, "one receive waits 0 to 20 s for messages"));
    }
    Ok(())
}
