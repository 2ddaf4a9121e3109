//! Receiving for a scope, and as a stream, from whatever can receive.
//!
//! A message is deleted when the work on it succeeded, and kept when it failed: it stays under its
//! lease and comes again when that ends. No lease is renewed here. So the work must take less than
//! the queue's visibility timeout, counted from the receive, or the message comes again; the worker
//! renews, [`Held::hold`] does so by hand.
//!
//! ```no_run
//! # async fn example() -> longshore::error::Result<()> {
//! use std::time::Duration;
//!
//! use longshore::aws::Aws;
//! use longshore::error::Error;
//! use longshore::payload::codec::Pylon;
//! use longshore::toolkit::{receive, sqs};
//!
//! let queue = Aws::new().queue("us-east-1", "my-queue").await?;
//! receive::one(&queue, Duration::ZERO, async |message| {
//!     println!("{:?}", Pylon::decode(&message)?.body);
//!     Ok::<_, Error>(())
//! })
//! .await?;
//!
//! receive::many(&queue, 10, Duration::ZERO, async |messages| {
//!     for message in messages {
//!         println!("{:?}", Pylon::decode(&message)?.body);
//!     }
//!     Ok::<_, Error>(())
//! })
//! .await?;
//!
//! let length = sqs::length(queue.client(), &queue.url().await?).await?;
//! println!("about {} messages", length.visible);
//! # Ok(())
//! # }
//! ```
//!
//! # From one queue to another
//! [`redrive`](crate::toolkit::sqs::redrive::redrive) deletes each message once the other queue has
//! confirmed it.

use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;

use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::toolkit::transport::{CanReceive, Held};

/// After something came, the next call waits this long: enough for SQS to ask all its servers.
const NEXT_WAIT: Duration = Duration::from_secs(1);
/// Between answers without a message that came faster than they should have, and after failures.
const PAUSE: Backoff = Backoff::doubling(Duration::from_millis(100), Duration::from_secs(20));

/// Receives one message, does the work, and deletes the message if that succeeded. Nothing where
/// none came within `wait` (up to 20 s).
///
/// Dropped midway, the message is kept and comes again when its lease ends.
///
/// # Errors
/// Those of the work, which keep the message; those of the receive; those of the delete, after
/// which the message comes again though the work was done.
pub async fn one<R, T, E, W, F>(
    from: &R,
    wait: Duration,
    work: W,
) -> std::result::Result<Option<T>, E>
where
    R: CanReceive,
    W: FnOnce(Message) -> F,
    F: Future<Output = std::result::Result<T, E>>,
    E: From<Error>,
{
    let Some(held) = from.receive(1, wait).await?.pop() else { return Ok(None) };
    let worth = work(held.message().clone()).await?;
    held.done().await?;
    Ok(Some(worth))
}

/// Receives up to `most` messages, does the work on all of them, and deletes them all if that
/// succeeded. Nothing, and no work, where none came within `wait` (up to 20 s).
///
/// Asks until there are as many, or until an answer brings none. The messages lie in memory; the
/// first one's lease runs while the others are awaited. Dropped midway, all are kept.
///
/// # Errors
/// As [`one`]; where some could not be deleted, the others are, and the error names the first.
pub async fn many<R, T, E, W, F>(
    from: &R,
    most: usize,
    wait: Duration,
    work: W,
) -> std::result::Result<Option<T>, E>
where
    R: CanReceive,
    W: FnOnce(Vec<Message>) -> F,
    F: Future<Output = std::result::Result<T, E>>,
    E: From<Error>,
{
    let held = gather(from, most, wait).await?;
    if held.is_empty() {
        return Ok(None);
    }
    let messages = held.iter().map(|held| held.message().clone()).collect();
    let worth = work(messages).await?;
    let count = held.len();
    let mut failed = from.done_all(held).await.into_iter().flatten();
    match failed.next() {
        None => Ok(Some(worth)),
        Some(error) => {
            let failed = failed.count() + 1;
            let what = format!("deleting {failed} of {count} messages");
            Err(Error::new(error.kind(), what).because(error).into())
        }
    }
}

async fn gather<R: CanReceive>(from: &R, most: usize, wait: Duration) -> Result<Vec<R::Held>> {
    let mut held = Vec::new();
    let mut wait = wait;
    while held.len() < most {
        let came = from.receive(most - held.len(), wait).await?;
        if came.is_empty() {
            break;
        }
        held.extend(came);
        wait = wait.min(NEXT_WAIT);
    }
    Ok(held)
}

/// Every message there is and will be, without an end, received up to `most` at a time; a receive
/// waits up to `wait` (20 s at most).
///
/// What was received and not taken yet waits in the stream under its running lease: with slow work,
/// ask for few at a time. An error is given out and the stream goes on, after a pause. Dropped,
/// what it holds comes again when its lease ends.
pub fn stream<R: CanReceive>(
    from: &R,
    most: usize,
    wait: Duration,
) -> impl Stream<Item = Result<R::Held>> + Send {
    unfold(Source::new(from, most, wait), |mut source| async {
        loop {
            match source.next().await {
                Ok(Some(held)) => return Some((Ok(held), source)),
                Ok(None) => {}
                Err(error) => return Some((Err(error), source)),
            }
        }
    })
}

/// Every message until a receive brings none, received up to `most` at a time.
///
/// As [`stream`], but the first error ends it, after it was given out. A short poll (`wait` zero)
/// asks some of SQS's servers only, and so may find nothing in a queue that is not empty.
pub fn drain<R: CanReceive>(
    from: &R,
    most: usize,
    wait: Duration,
) -> impl Stream<Item = Result<R::Held>> + Send {
    unfold(Some(Source::new(from, most, wait)), |source| async {
        let mut source = source?;
        match source.next().await {
            Ok(held) => held.map(|held| (Ok(held), Some(source))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

struct Source<'a, R: CanReceive> {
    from: &'a R,
    most: usize,
    wait: Duration,
    ready: std::vec::IntoIter<R::Held>,
    /// Answers in a row that brought nothing sooner than they should have.
    hasty: u32,
}

impl<'a, R: CanReceive> Source<'a, R> {
    fn new(from: &'a R, most: usize, wait: Duration) -> Self {
        Self { from, most: most.max(1), wait, ready: Vec::new().into_iter(), hasty: 0 }
    }

    /// The next message; nothing where a receive brought none.
    async fn next(&mut self) -> Result<Option<R::Held>> {
        if let Some(held) = self.ready.next() {
            return Ok(Some(held));
        }
        if self.hasty > 0 {
            tokio::time::sleep(PAUSE.delay(self.hasty, fastrand::f64())).await;
        }
        let began = tokio::time::Instant::now();
        let answer = self.from.receive(self.most, self.wait).await;
        let came = answer.as_ref().is_ok_and(|held| !held.is_empty());
        let is_hasty = !came && began.elapsed() < NEXT_WAIT;
        self.hasty = if is_hasty || answer.is_err() { self.hasty + 1 } else { 0 };
        self.ready = answer?.into_iter();
        Ok(self.ready.next())
    }
}
