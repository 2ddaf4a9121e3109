//! One node of a channel: a callback, or a stream.

use std::collections::VecDeque;
use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Object, usage};
use crate::backoff::Backoff;
use crate::error::Result;
use crate::message::Message;
use crate::shutdown::Shutdown;
use crate::toolkit::sqs::{Held, Queue, QueueUrl, Reading};
use crate::toolkit::transport::{CanReceive, Held as _};

/// The lease on what was received; a callback's is renewed.
const LEASE: Duration = Duration::from_mins(1);
/// A receive waits so long (the longest that SQS knows).
const WAIT: Duration = Duration::from_secs(20);
/// How long a message stays hidden that could not be handled, by how often it came.
const AGAIN: Backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_mins(15));
/// After a receive failed, or brought nothing sooner than it should have.
const PAUSE: Backoff = Backoff::doubling(Duration::from_millis(200), Duration::from_secs(20));

/// Receives the messages of one channel for one node.
#[derive(Debug)]
pub struct Subscriber {
    queue: Queue,
    url: QueueUrl,
    topic: String,
    noted: Instant,
    waiting: VecDeque<Held>,
    failures: u32,
}

/// A message that was received and is held for a minute. Dropped, it comes again after that.
#[derive(Debug)]
pub struct Received {
    object: Object,
    held: Held,
}

impl Received {
    /// The message.
    pub const fn object(&self) -> &Object {
        &self.object
    }

    /// It is handled, and deleted.
    ///
    /// # Errors
    /// Where it could not be deleted: it comes again.
    pub async fn done(self) -> Result<()> {
        self.held.done().await
    }

    /// It is held for a minute more, counted from now.
    ///
    /// # Errors
    /// Where its lease is lost: it comes again.
    pub async fn hold(&self) -> Result<()> {
        self.held.hold(LEASE).await
    }
}

impl Subscriber {
    pub(super) fn of(queue: Queue, url: QueueUrl, topic: String) -> Result<Self> {
        let queue = queue.reading(Reading { visibility: Some(LEASE), ..Reading::default() })?;
        let waiting = VecDeque::new();
        Ok(Self { queue, url, topic, noted: Instant::now(), waiting, failures: 0 })
    }

    /// The queue of this node.
    pub const fn queue(&self) -> &QueueUrl {
        &self.url
    }

    /// Calls back with one message after the other until `shutdown` drains. A message is deleted
    /// after the callback succeeded; where it fails, the message comes again after a growing delay.
    /// While a callback runs, its message's lease is renewed.
    ///
    /// Ends at most 20 s and one callback after draining began, and gives back what is left.
    /// Dropped midway, what is held comes again after a minute.
    ///
    /// # Errors
    /// Where receiving fails for a reason that does not pass by itself.
    pub async fn run<F, W, E>(mut self, mut callback: F, shutdown: &Shutdown) -> Result<()>
    where
        F: FnMut(Object) -> W,
        W: Future<Output = std::result::Result<(), E>>,
        E: Display,
    {
        while !shutdown.is_draining() {
            self.fill().await?;
            let mut renew_at = Instant::now() + LEASE / 3;
            while let Some(held) = self.waiting.pop_front() {
                if shutdown.is_draining() {
                    self.waiting.push_front(held);
                    break;
                }
                let Some(object) = object(held.message()) else {
                    self.put_off(&held, "message is no JSON object").await;
                    continue;
                };
                let work = callback(object);
                match self.renewing(&held, work, &mut renew_at).await {
                    Ok(()) => self.delete(held).await,
                    Err(error) => self.put_off(&held, &error.to_string()).await,
                }
            }
        }
        for held in self.waiting {
            if let Err(error) = held.give_back().await {
                tracing::warn!(queue = %self.url.name(), %error, "give-back failed");
            }
        }
        Ok(())
    }

    /// The messages as they come, each to be told [`done`](Received::done). What is no JSON object
    /// is put off and said in the log. The first error ends it.
    ///
    /// Up to ten are held at a time, those that nobody has taken yet among them: take them sooner
    /// than a minute.
    pub fn messages(self) -> impl Stream<Item = Result<Received>> {
        unfold(Some(self), |subscriber| async move {
            let mut subscriber = subscriber?;
            loop {
                if subscriber.waiting.is_empty()
                    && let Err(error) = subscriber.fill().await
                {
                    return Some((Err(error), None));
                }
                let Some(held) = subscriber.waiting.pop_front() else { continue };
                match object(held.message()) {
                    Some(object) => return Some((Ok(Received { object, held }), Some(subscriber))),
                    None => subscriber.put_off(&held, "message is no JSON object").await,
                }
            }
        })
    }

    /// Receives once; what passes by itself is waited out.
    async fn fill(&mut self) -> Result<()> {
        self.note().await;
        let began = Instant::now();
        match self.queue.receive(10, WAIT).await {
            Ok(held) => {
                let hasty = held.is_empty() && began.elapsed() < Duration::from_secs(1);
                self.waiting.extend(held);
                if !hasty {
                    self.failures = 0;
                    return Ok(());
                }
            }
            Err(error) if error.kind().passes_by_itself() => {
                tracing::warn!(queue = %self.url.name(), %error, "receive failed");
            }
            Err(error) => return Err(error),
        }
        self.failures += 1;
        sleep(PAUSE.delay(self.failures, fastrand::f64())).await;
        Ok(())
    }

    /// Notes once a day that the queue is used. Where that fails, it is tried a day later: the queue
    /// is in use for thirty.
    async fn note(&mut self) {
        if self.noted.elapsed() < usage::OFTEN {
            return;
        }
        self.noted = Instant::now();
        if let Err(error) = usage::note(self.queue.client(), &self.url, &self.topic).await {
            tracing::warn!(queue = %self.url.name(), %error, "last use could not be noted");
        }
    }

    /// Waits for the work, and keeps its message and those behind it meanwhile.
    async fn renewing<T>(
        &self,
        held: &Held,
        work: impl Future<Output = T>,
        renew_at: &mut Instant,
    ) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return result,
                () = sleep_until(*renew_at) => {}
            }
            *renew_at = Instant::now() + LEASE / 3;
            for held in std::iter::once(held).chain(&self.waiting) {
                if let Err(error) = held.hold(LEASE).await {
                    let message_id = &held.message().id;
                    tracing::warn!(queue = %self.url.name(), message_id, %error, "lease was lost");
                }
            }
        }
    }

    async fn delete(&self, held: Held) {
        let message_id = held.message().id.clone();
        if let Err(error) = held.done().await {
            tracing::warn!(
                queue = %self.url.name(),
                message_id,
                %error,
                "message was handled and could not be deleted; it comes again"
            );
        }
    }

    async fn put_off(&self, held: &Held, why: &str) {
        let message = held.message();
        let delay = AGAIN.delay(message.receive_count(), fastrand::f64());
        let message_id = &message.id;
        tracing::warn!(queue = %self.url.name(), message_id, why, "message was not handled");
        if let Err(error) = held.hold(delay).await {
            tracing::warn!(queue = %self.url.name(), message_id, %error, "give-back failed");
        }
    }
}

/// The object that was published: the body under raw delivery, else what SNS's envelope holds.
fn object(message: &Message) -> Option<Object> {
    let text = message.body.as_text()?;
    let Value::Object(outer) = serde_json::from_str(text).ok()? else { return None };
    let member = |name: &str| outer.get(name).and_then(Value::as_str);
    let is_envelope = member("Type") == Some("Notification") && member("TopicArn").is_some();
    match member("Message").filter(|_| is_envelope) {
        Some(inner) => serde_json::from_str(inner).ok(),
        None => Some(outer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn of(body: &str) -> Option<Value> {
        let message = Message {
            id: "id".into(),
            queue: "q".into(),
            body: body.into(),
            attributes: BTreeMap::new(),
            labels: BTreeMap::new(),
            system_attributes: BTreeMap::new(),
            event: None,
        };
        object(&message).map(Value::Object)
    }

    #[test]
    fn envelopes_and_raw_delivery_hold_the_same_object() {
        let object = serde_json::json!({ "Type": "Notification", "n": 1.5 });
        assert_eq!(of(&object.to_string()), Some(object.clone()));
        let envelope = serde_json::json!({
            "Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:t",
            "Message": object.to_string(),
        });
        assert_eq!(of(&envelope.to_string()), Some(object));
    }

    #[test]
    fn what_is_no_object_is_none() {
        let inner = serde_json::json!({
            "Type": "Notification", "TopicArn": "arn", "Message": "[1]",
        });
        for body in ["", "text", "[1]", "1", "null", &inner.to_string()] {
            assert_eq!(of(body), None, "{body}");
        }
    }
}
