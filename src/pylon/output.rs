//! What the work gave, on its way to the output: first all of it is looked at, then what is large
//! is stored, then all is sent and confirmed.

use std::collections::HashSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use aws_sdk_s3::Client;
use futures_util::stream;
use tokio::sync::Mutex;

use super::context::Context;
use super::settings::in_region;
use super::{Place, Settings};
use crate::aws::Aws;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::handler::Verdict;
use crate::message::Outgoing;
use crate::outcome::{Outcome, Unavailable};
use crate::payload::codec::Pylon;
use crate::payload::folder::Folder;
use crate::toolkit::s3::{Bucket, Path};
use crate::toolkit::sns::Topic;
use crate::toolkit::sqs::{self, Queue};
use crate::toolkit::transport::{CanSend, SendReport};

/// Of so many inputs is remembered that something of them may have been sent.
const MOST_UNSURE: usize = 1_000;

/// Where messages go.
#[derive(Debug)]
pub(super) struct Output {
    place: Place,
    aws: Aws,
    account: config::Aws,
    /// Forgotten when it cannot be reached.
    target: Mutex<Option<Arc<Target>>>,
    /// The inputs that were not sent on for a fault of the destination, or not all of it: the next
    /// attempt at one comes without another receive.
    unsure: std::sync::Mutex<HashSet<String>>,
}

#[derive(Debug)]
enum Target {
    Queue(Queue),
    Topic(Topic),
    Folder(Folder),
}

impl Output {
    /// Nothing is asked or made yet.
    pub(super) fn new(place: Place, aws: Aws, account: config::Aws) -> Self {
        Self { place, aws, account, target: Mutex::default(), unsure: std::sync::Mutex::default() }
    }

    /// Sends all messages of one run. Otherwise what becomes of the run: a destination that takes
    /// nothing is no fault of the message.
    pub(super) async fn send(
        &self,
        mut messages: Vec<Pylon>,
        context: &Context,
        settings: &Settings,
    ) -> std::result::Result<(), Verdict> {
        let artifact = (settings.artifact_name.as_deref(), settings.artifact_version.as_deref());
        for (position, message) in messages.iter_mut().enumerate() {
            let fit = message
                .stamp(&context.ingestion_id, artifact)
                .and_then(|()| self.check(message, is_stored(message, settings)));
            if let Err(error) = fit {
                let place = position + 1;
                let why = format!("message {place} of what it gave cannot be sent: {error}");
                return Err(Ok(Outcome::retry(why)));
            }
        }
        if messages.is_empty() {
            return Ok(());
        }
        let stored = self.store(&mut messages, context, settings).await.map_err(verdict)?;
        let (count, bytes) = (messages.len(), messages.iter().map(Pylon::size).sum::<usize>());
        let report = self.deliver(messages, context).await;
        self.remember(context, report.as_ref().err());
        let report = report.map_err(verdict)?;
        tracing::info!(output = %self.place, messages = report.sent, bytes, "messages sent");
        if report.failed.is_empty() {
            return Ok(());
        }
        let refused = |position: &usize| {
            let mut failed = report.failed.iter();
            failed.any(|(number, error)| {
                usize::try_from(*number) == Ok(*position) && !error.kind().passes_by_itself()
            })
        };
        let orphans = stored.into_iter().filter(|(position, _)| refused(position));
        self.clean_up(orphans.map(|(_, object)| object).collect(), context).await;
        let failed = report.failed.len();
        let why = report.failed.into_iter().next().map(|(_, error)| error.to_string());
        let why = why.unwrap_or_default();
        Err(Ok(Outcome::retry(format!("{failed} of {count} messages were not sent: {why}"))))
    }

    /// Whether the output would take it, known before anything is sent.
    fn check(&self, message: &mut Pylon, is_stored: bool) -> Result<()> {
        if matches!(self.place, Place::Folder(_)) {
            return Ok(());
        }
        let body = is_stored.then(|| {
            message.payload_store_key = Some("s3://".to_owned());
            message.body.replace("s3://".to_owned())
        });
        let encoded = message.encode();
        if let Some(body) = body {
            (message.body, message.payload_store_key) = (body, None);
        }
        let outgoing = encoded?;
        let mistaken = |why: String| Error::new(Kind::Invalid, self.place.to_string()).because(why);
        outgoing.check_attributes().map_err(mistaken)?;
        let is_over = match &self.place {
            Place::Topic(_) => outgoing.size() > crate::toolkit::sns::MOST_BYTES,
            Place::Queue(_) | Place::Folder(_) => false,
        };
        let why = sqs::unfit(&outgoing).or_else(|| {
            is_over.then(|| format!("it has {} bytes, and SNS takes 262144", outgoing.size()))
        });
        match why {
            Some(why) => Err(mistaken(why).hint("set PYLON_STORE_DESTINATION for large bodies")),
            None => Ok(()),
        }
    }

    /// Puts what is large into the store.
    async fn store(
        &self,
        messages: &mut [Pylon],
        context: &Context,
        settings: &Settings,
    ) -> Result<Vec<(usize, Path)>> {
        let mut stored = Vec::new();
        for (position, message) in messages.iter_mut().enumerate() {
            let Some(store) = settings.store.as_ref().filter(|_| is_stored(message, settings))
            else {
                continue;
            };
            let name = context.body_name(position);
            let object = match self.s3().await {
                Ok(s3) => {
                    let stored = store.check_in(&s3, message, name).await;
                    self.aws.heed(&self.account, stored)
                }
                Err(error) => Err(error),
            };
            match object {
                Ok(object) => stored.push((position, object)),
                Err(error) => {
                    let objects = stored.into_iter().map(|(_, object)| object).collect();
                    self.clean_up(objects, context).await;
                    return Err(error);
                }
            }
        }
        Ok(stored)
    }

    async fn s3(&self) -> Result<Client> {
        Ok(self.aws.connect(&self.account).await?.s3)
    }

    /// An attempt has ended; where the destination is at fault, some of it may have been sent.
    fn remember(&self, context: &Context, error: Option<&Error>) {
        let mut unsure = self.unsure();
        if error.is_none_or(|error| !error.kind().is_of_destination()) {
            unsure.remove(&context.origin);
        } else if unsure.len() < MOST_UNSURE {
            unsure.insert(context.origin.clone());
        }
    }

    /// True where nothing can have been sent of this input before.
    pub(super) fn is_first(&self, context: &Context) -> bool {
        let unsure = self.unsure();
        context.is_first && unsure.len() < MOST_UNSURE && !unsure.contains(&context.origin)
    }

    fn unsure(&self) -> MutexGuard<'_, HashSet<String>> {
        self.unsure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deletes stored bodies that no message names. Only in the first attempt: an earlier one may
    /// have sent a message that names the same place.
    async fn clean_up(&self, objects: Vec<Path>, context: &Context) {
        if !self.is_first(context) {
            return;
        }
        for object in objects {
            let deleted = match self.s3().await {
                Ok(s3) => Bucket::new(s3, &object.bucket).delete_one(&object.key).await,
                Err(error) => Err(error),
            };
            if let Err(error) = deleted {
                tracing::warn!(%object, %error, "stored body stays without a message");
            }
        }
    }

    async fn deliver(&self, messages: Vec<Pylon>, context: &Context) -> Result<SendReport> {
        let target = self.target().await?;
        let report = match &*target {
            Target::Queue(queue) => {
                queue.send_all(stream::iter(self.encode(&messages, context)?)).await
            }
            Target::Topic(topic) => {
                topic.send_all(stream::iter(self.encode(&messages, context)?)).await
            }
            Target::Folder(folder) => {
                let mut report = SendReport::default();
                for message in messages {
                    folder.leave(message).await?;
                    report.sent += 1;
                }
                Ok(report)
            }
        };
        if report.as_ref().is_err_and(|error| error.kind().is_of_destination()) {
            // The next attempt finds it anew, and reads credentials anew that were refused.
            *self.target.lock().await = None;
        }
        self.aws.heed(&self.reached_by(), report)
    }

    fn encode(&self, messages: &[Pylon], context: &Context) -> Result<Vec<Outgoing>> {
        let encoded = messages.iter().enumerate().map(|(position, message)| {
            let mut outgoing = message.encode()?;
            if self.place.is_fifo() {
                outgoing.group = Some(context.group.clone().unwrap_or_else(|| context.name()));
                outgoing.deduplication_id = Some(context.deduplication_id(position));
            }
            Ok(outgoing)
        });
        encoded.collect()
    }

    async fn target(&self) -> Result<Arc<Target>> {
        let mut known = self.target.lock().await;
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let account = self.reached_by();
        let found = match &self.place {
            Place::Queue(address) => {
                Target::Queue(Queue::new(self.aws.connect(&account).await?.sqs, address))
            }
            Place::Topic(arn) => {
                Target::Topic(Topic::new(self.aws.connect(&account).await?.sns, arn))
            }
            Place::Folder(path) => Target::Folder(Folder::make(path.clone()).await?),
        };
        Ok(Arc::clone(known.insert(Arc::new(found))))
    }

    /// The account, in the region that the address names.
    fn reached_by(&self) -> config::Aws {
        match &self.place {
            Place::Queue(address) => in_region(&self.account, sqs::region_of(address)),
            Place::Topic(arn) => {
                let region = config::region_of_topic(arn).ok();
                in_region(&self.account, region.as_deref())
            }
            Place::Folder(_) => self.account.clone(),
        }
    }
}

fn is_stored(message: &Pylon, settings: &Settings) -> bool {
    let bytes = message.body.as_ref().map_or(0, String::len);
    settings.store.is_some() && message.payload_store_key.is_none() && bytes >= settings.store_min
}

fn verdict(error: Error) -> Verdict {
    if error.kind().is_of_destination() {
        return Err(Unavailable::new(error.to_string()));
    }
    Ok(Outcome::retry(error.to_string()))
}
