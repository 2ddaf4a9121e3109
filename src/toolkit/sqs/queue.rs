//! A queue to send to and to receive from: found on first use, found again when it is gone.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::MessageSystemAttributeName;
use futures_util::Stream;

use super::decode::received;
use super::poll::poll;
use super::settle::{self, seconds};
use super::{LONGEST_LEASE, QueueUrl, Target, find, single};
use crate::aws::batch::MOST_ENTRIES;
use crate::aws::{Aws, Found};
use crate::error::{Error, Kind, Result};
use crate::message::{Message, Outgoing};
use crate::toolkit::carry::batches::Batches;
use crate::toolkit::transport::{self, CanReceive, CanSend, SendReport, Sent};

/// SQS lets a receive wait so long.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// How messages are received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The lease on what is received; else the queue's own visibility timeout.
    pub visibility: Option<Duration>,
    /// Deleted as soon as they were received, before anybody has seen them: a crash loses them.
    pub delete_on_receive: bool,
    /// The message attribute that names the event.
    pub event_key: String,
}

impl Default for Reading {
    fn default() -> Self {
        Self { visibility: None, delete_on_receive: false, event_key: "iniesta_pass".to_owned() }
    }
}

impl Reading {
    fn check(&self) -> std::result::Result<(), &'static str> {
        match self.visibility {
            Some(_) if self.delete_on_receive => {
                Err("a lease means nothing where messages are deleted on receive; keep one of both")
            }
            Some(lease) if lease > LONGEST_LEASE => Err("SQS grants a lease of 12 hours at most"),
            Some(_) | None => Ok(()),
        }
    }
}

/// A queue by its name, URL or ARN. Clones share what was found.
///
/// It is looked up on first use and then kept. When SQS says that it is gone, it is looked up once
/// more, and the call made again where it is back.
#[derive(Debug, Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    address: Arc<str>,
    found: Found,
    reading: Reading,
}

impl Aws {
    /// The queue of this name, URL or ARN. Looked up once for each region and role, whoever asks
    /// and however often; [`Queue`] says what happens when it is gone.
    ///
    /// # Errors
    /// [`Kind::Missing`] where there is no such queue, [`Kind::Settings`] for what is no region.
    /// Neither is remembered.
    pub async fn queue(&self, region: &str, queue: &str) -> Result<Queue> {
        let client = self.sqs(region).await?;
        let queue = Queue::sharing(client, queue, self.found(region, "queue", queue));
        queue.url().await?;
        Ok(queue)
    }
}

impl Queue {
    /// The queue of this name, URL or ARN; no request is sent yet.
    pub fn new(client: aws_sdk_sqs::Client, address: impl Into<String>) -> Self {
        Self::sharing(client, &address.into(), Found::default())
    }

    pub(crate) fn sharing(client: aws_sdk_sqs::Client, address: &str, found: Found) -> Self {
        Self { client, address: address.into(), found, reading: Reading::default() }
    }

    /// The same queue, received from in another way.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a combination that makes no sense, and a lease over twelve hours.
    pub fn reading(mut self, reading: Reading) -> Result<Self> {
        reading.check().map_err(|why| {
            let what = format!("receiving from queue {}", self.address);
            Error::new(Kind::Invalid, what).because(why)
        })?;
        self.reading = reading;
        Ok(self)
    }

    /// The client that reaches it, for what has no verb here.
    pub const fn client(&self) -> &aws_sdk_sqs::Client {
        &self.client
    }

    /// Where it is; asked once.
    ///
    /// # Errors
    /// [`Kind::Missing`] where there is no such queue.
    pub async fn url(&self) -> Result<QueueUrl> {
        if let Some(url) = &*self.found.read().await {
            return Ok(QueueUrl(url.clone()));
        }
        let mut found = self.found.write().await;
        if let Some(url) = &*found {
            return Ok(QueueUrl(url.clone()));
        }
        let url = find(&self.client, &self.address).await?;
        *found = Some(url.0.clone());
        Ok(url)
    }

    /// Makes a call, and makes it again where the queue was gone and is back.
    pub(super) async fn call<T, F>(&self, call: impl Fn(QueueUrl) -> F + Send) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        let url = self.url().await?;
        match call(url.clone()).await {
            Err(error) if error.kind() == Kind::Missing => {
                let mut found = self.found.write().await;
                // Somebody else may have found it again meanwhile.
                if found.as_deref() == Some(url.as_str()) {
                    *found = None;
                }
                drop(found);
                call(self.url().await?).await
            }
            result => result,
        }
    }

    async fn poll(&self, url: QueueUrl, most: usize, wait: Duration) -> Result<Vec<Held>> {
        let messages = poll(&self.client, &url, (most, wait), |call| {
            call.set_visibility_timeout(self.reading.visibility.map(seconds))
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All)
        });
        let messages = messages.await?.into_iter();
        let key = &self.reading.event_key;
        let held = messages.filter_map(|message| received(message, url.name(), key));
        let held = held.map(|(message, handle)| Held {
            message,
            handle: Some(handle),
            client: self.client.clone(),
            url: url.clone(),
        });
        Ok(held.collect())
    }

    /// Deletes what was just received. What cannot be deleted is still handed out: it was received,
    /// and comes again.
    async fn delete_at_once(held: &mut [Held]) {
        let outcomes = delete_all(held).await;
        for (one, outcome) in held.iter_mut().zip(outcomes) {
            if outcome.is_none() {
                one.handle = None;
            }
        }
    }
}

impl CanSend for Queue {
    async fn send(&self, message: Outgoing) -> Result<Sent> {
        let message = &message;
        self.call(|url| async move { single::send(&self.client, &url, message).await }).await
    }

    async fn send_all<S>(&self, messages: S) -> Result<SendReport>
    where
        S: Stream<Item = Outgoing> + Send,
    {
        let url = self.url().await?;
        Batches::new(Target { client: self.client.clone(), url }).send_all(messages).await
    }
}

impl CanReceive for Queue {
    type Held = Held;

    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Held>> {
        if wait > LONGEST_WAIT {
            let what = format!("receiving from queue {}", self.address);
            return Err(Error::new(Kind::Invalid, what).because("SQS waits 20 s at most"));
        }
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut held = self.call(|url| self.poll(url, most, wait)).await?;
        if self.reading.delete_on_receive {
            Self::delete_at_once(&mut held).await;
        }
        Ok(held)
    }

    async fn done_all(&self, held: Vec<Held>) -> Vec<Option<Error>> {
        delete_all(&held).await
    }
}

/// In batches of ten; what fails in passing is deleted again.
async fn delete_all(held: &[Held]) -> Vec<Option<Error>> {
    let mut outcomes = Vec::with_capacity(held.len());
    for batch in held.chunks(MOST_ENTRIES) {
        let Some(first) = batch.first() else { continue };
        let handles: Vec<&str> = batch.iter().filter_map(|one| one.handle.as_deref()).collect();
        let mut failed =
            settle::delete_again(&first.client, &first.url, &handles).await.into_iter();
        outcomes.extend(batch.iter().map(|one| one.handle.as_ref().and(failed.next().flatten())));
    }
    outcomes
}

/// A message of a queue, and its lease.
pub struct Held {
    message: Message,
    /// Nothing where it was deleted on receive.
    handle: Option<String>,
    client: aws_sdk_sqs::Client,
    url: QueueUrl,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Held").field(&self.message).finish()
    }
}

impl Held {
    /// The receipt handle, for what has no verb here; nothing where it was deleted on receive.
    pub fn handle(&self) -> Option<&str> {
        self.handle.as_deref()
    }

    async fn hide(&self, lease: Duration) -> Result<()> {
        let Some(handle) = &self.handle else { return Ok(()) };
        let changes = [(handle.as_str(), lease)];
        let failed = settle::hide(&self.client, &self.url, &changes).await;
        failed.into_iter().flatten().next().map_or(Ok(()), Err)
    }
}

impl transport::Held for Held {
    fn message(&self) -> &Message {
        &self.message
    }

    async fn done(self) -> Result<()> {
        let Some(handle) = &self.handle else { return Ok(()) };
        let failed = settle::delete_again(&self.client, &self.url, &[handle]).await;
        failed.into_iter().flatten().next().map_or(Ok(()), Err)
    }

    async fn give_back(self) -> Result<()> {
        self.hide(Duration::ZERO).await
    }

    async fn hold(&self, lease: Duration) -> Result<()> {
        self.hide(lease).await
    }
}
