//! What can send, and what can receive: the two traits under which a queue, a topic, an outbox and a
//! folder are the same thing.
//!
//! Neither knows a format: they carry [`Outgoing`] and give [`Message`].
//!
//! # Sending
//! One message, or as many as a stream gives, here in pylon's format; a topic takes them in the same
//! way.
//! ```no_run
//! # async fn example() -> longshore::error::Result<()> {
//! use futures_util::stream;
//! use longshore::aws::Aws;
//! use longshore::payload::codec::Pylon;
//! use longshore::toolkit::transport::CanSend;
//!
//! let queue = Aws::new().queue("us-east-1", "my-queue").await?;
//! queue.send(Pylon::raw("very cool message").encode()?).await?;
//!
//! let numbered = |i| Pylon::raw(format!("Message number {i}")).encode();
//! let messages: Vec<_> = (0..200).map(numbered).collect::<Result<_, _>>()?;
//! let report = queue.send_all(stream::iter(messages)).await?;
//! assert_eq!((report.sent, report.failed.len()), (200, 0));
//! # Ok(())
//! # }
//! ```
//! Lines that somebody types become messages as they come:
//! ```no_run
//! # async fn example() -> longshore::error::Result<()> {
//! use std::io::{BufRead, stdin};
//!
//! use longshore::aws::Aws;
//! use longshore::payload::codec::Pylon;
//! use longshore::toolkit::transport::CanSend;
//!
//! let queue = Aws::new().queue("us-east-1", "pylon_demo_in").await?;
//! for body in stdin().lock().lines() {
//!     queue.send(Pylon::raw(body.unwrap()).encode()?).await?;
//! }
//! # Ok(())
//! # }
//! ```

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};

use crate::error::{Error, Kind, Result};
use crate::message::{Message, Outgoing};

/// What a service answers to a message that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The id that it gave the message.
    pub message_id: String,
    /// Its place in the order of a FIFO queue or topic; nothing elsewhere.
    pub sequence_number: Option<String>,
}

/// What came of sending many.
#[derive(Debug, Default)]
pub struct SendReport {
    /// How many were confirmed.
    pub sent: u64,
    /// Those that were not, by their number in the source (from 0), and why.
    pub failed: Vec<(u64, Error)>,
}

/// Something that messages can be sent to.
///
/// At least once: what fails in passing is sent again, also where nobody knows whether the first
/// one arrived.
pub trait CanSend: Send + Sync {
    /// Sends one message and gives its confirmation.
    ///
    /// Dropped midway, the message may or may not have been sent.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where it would be refused whatever is done,
    /// else as the service says.
    fn send(&self, message: Outgoing) -> impl Future<Output = Result<Sent>> + Send;

    /// Sends all that a stream gives, in batches where there are any, taking no more of it than
    /// the next batch holds. What waits for company leaves after 200 ms.
    ///
    /// Dropped midway, the batch that was on its way may or may not have been sent.
    ///
    /// # Errors
    /// When all further messages would fail as well: nothing of that name, no permission, no
    /// credentials. What fails for single messages stands in the report.
    fn send_all<S>(&self, messages: S) -> impl Future<Output = Result<SendReport>> + Send
    where
        S: Stream<Item = Outgoing> + Send;
}

/// Something that messages can be received from.
pub trait CanReceive: Send + Sync {
    /// A message that was received, with what settles it.
    type Held: Held;

    /// Receives up to `most` messages in one call (what lies behind it may have a limit of its own,
    /// such as ten); waits up to `wait` for the first, none where it is zero. Nothing received is
    /// no error.
    ///
    /// Dropped midway, messages may already be held for nobody; they come again when their lease
    /// ends.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a wait over 20 s; else as the service
    /// says. Nothing is tried again.
    fn receive(
        &self,
        most: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<Self::Held>>> + Send;

    /// [`Held::done`] for many, in batches where there are any. Gives, by position, why a message
    /// could not be deleted; one that fails holds up no other.
    fn done_all(&self, held: Vec<Self::Held>) -> impl Future<Output = Vec<Option<Error>>> + Send {
        async {
            let mut outcomes = Vec::with_capacity(held.len());
            for one in held {
                outcomes.push(one.done().await.err());
            }
            outcomes
        }
    }
}

/// A received message that nobody else gets while it is held.
///
/// Dropped unsettled, nothing is sent: it comes again when its lease ends. The lease is renewed by
/// [`hold`](Self::hold) alone.
pub trait Held: Send + Sync {
    /// The message.
    fn message(&self) -> &Message;

    /// Ends it: it never comes again. A lease that has ended before may make this void without an
    /// error, and the message then comes again.
    fn done(self) -> impl Future<Output = Result<()>> + Send;

    /// Lets others have it at once.
    fn give_back(self) -> impl Future<Output = Result<()>> + Send;

    /// Holds it for so long, counted from now.
    fn hold(&self, lease: Duration) -> impl Future<Output = Result<()>> + Send;
}

/// Sends each message of a stream by itself; what is refused for its own sake stands in the report.
pub(crate) async fn one_by_one<T, S>(to: &T, messages: S) -> Result<SendReport>
where
    T: CanSend,
    S: Stream<Item = Outgoing> + Send,
{
    let mut report = SendReport::default();
    let mut messages = pin!(messages);
    let mut number = 0;
    while let Some(message) = messages.next().await {
        match to.send(message).await {
            Ok(_sent) => report.sent += 1,
            Err(error) if error.kind() == Kind::Invalid => report.failed.push((number, error)),
            Err(error) => return Err(error),
        }
        number += 1;
    }
    Ok(report)
}
