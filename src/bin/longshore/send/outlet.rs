//! Where messages go: into a queue in batches, or into an outbox one by one.

use longshore::aws::Connection;
use longshore::error::{Error, Kind, Result};
use longshore::message::Outgoing;
use longshore::payload::pointer;
use longshore::toolkit::outbox::Outbox;
use longshore::toolkit::sqs::{Queue, Sender};
use longshore::toolkit::transport::{CanSend, SendReport, Sent};

/// Where bodies go that are too large for their message.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    bucket: String,
    prefix: String,
}

impl Place {
    /// Reads `s3://BUCKET/PREFIX`; the prefix may be left out.
    pub(crate) fn read(text: &str) -> std::result::Result<Self, String> {
        let place = text.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err("write it as s3://BUCKET/PREFIX".to_owned());
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// What is put aside into S3, and through which connection.
pub(crate) struct Offload {
    pub(crate) connection: Connection,
    pub(crate) place: Place,
    pub(crate) above: usize,
}

/// Where messages go, and what came of them.
pub(crate) struct Outlet {
    to: To,
    offload: Option<Box<Offload>>,
    taken: u64,
    /// Of those that go one by one.
    report: SendReport,
    last: Option<Confirmed>,
}

pub(crate) enum To {
    /// In batches.
    Queue(Sender),
    /// The one message.
    One {
        queue: Queue,
        name: String,
    },
    Outbox(Outbox),
}

/// What the service, or the outbox, gave the last message that it took by itself.
pub(crate) struct Confirmed {
    pub(crate) sent: Sent,
    /// As the service counts them, attributes included.
    pub(crate) bytes: usize,
}

impl Outlet {
    pub(crate) fn new(to: To, offload: Option<Box<Offload>>) -> Self {
        Self { to, offload, taken: 0, report: SendReport::default(), last: None }
    }

    pub(crate) async fn push(&mut self, message: Outgoing) -> Result<()> {
        let message = match self.offloaded(message).await {
            Ok(message) => message,
            Err(error) if error.kind() == Kind::Invalid => {
                self.refuse(error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let bytes = message.size();
        let sent = match &mut self.to {
            To::Queue(sender) => return sender.push(message).await,
            To::One { queue, .. } => queue.send(message).await,
            To::Outbox(outbox) => outbox.send(message).await,
        };
        match sent {
            Ok(sent) => {
                self.taken += 1;
                self.report.sent += 1;
                self.last = Some(Confirmed { sent, bytes });
            }
            Err(error) if error.kind() == Kind::Invalid => self.fail(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn offloaded(&self, message: Outgoing) -> Result<Outgoing> {
        let Some(offload) = &self.offload else { return Ok(message) };
        let Offload { connection, place: Place { bucket, prefix }, above } = &**offload;
        pointer::offload(connection, bucket, prefix, *above, message).await
    }

    /// Reports the next message as one that cannot be sent.
    pub(crate) fn refuse(&mut self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        match &mut self.to {
            To::Queue(sender) => sender.refuse(why),
            To::One { .. } | To::Outbox(_) => self.fail(why),
        }
    }

    fn fail(&mut self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        let number = self.taken;
        self.taken += 1;
        let what = match &self.to {
            To::One { name, .. } => format!("message {} for queue {name}", number + 1),
            To::Queue(_) | To::Outbox(_) => format!("message {}", number + 1),
        };
        self.report.failed.push((number, Error::new(Kind::Invalid, what).because(why)));
    }

    pub(crate) async fn flush(&mut self) -> Result<()> {
        match &mut self.to {
            To::Queue(sender) => sender.flush().await,
            To::One { .. } | To::Outbox(_) => Ok(()),
        }
    }

    pub(crate) const fn report(&self) -> &SendReport {
        match &self.to {
            To::Queue(sender) => sender.report(),
            To::One { .. } | To::Outbox(_) => &self.report,
        }
    }

    /// What came of everything, and what the last message was given where it went by itself.
    pub(crate) async fn finish(self) -> Result<(SendReport, Option<Confirmed>)> {
        let report = match self.to {
            To::Queue(sender) => sender.finish().await?,
            To::One { .. } | To::Outbox(_) => self.report,
        };
        Ok((report, self.last))
    }
}
