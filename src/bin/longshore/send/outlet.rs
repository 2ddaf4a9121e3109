//! Where messages go: into a queue in batches, or into an outbox one by one.

use longshore::aws::Connection;
use longshore::error::{Error, Kind, Result};
use longshore::message::Outgoing;
use longshore::payload::pointer;
use longshore::toolkit::outbox::Outbox;
use longshore::toolkit::sqs::Sender;
use longshore::toolkit::transport::{CanSend, SendReport};

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

pub(crate) enum Outlet {
    Queue { sender: Sender, offload: Option<Box<Offload>> },
    Outbox { outbox: Outbox, taken: u64, report: SendReport },
}

impl Outlet {
    pub(crate) fn outbox(outbox: Outbox) -> Self {
        Self::Outbox { outbox, taken: 0, report: SendReport::default() }
    }

    pub(crate) async fn push(&mut self, message: Outgoing) -> Result<()> {
        match self {
            Self::Queue { sender, offload: None } => sender.push(message).await,
            Self::Queue { sender, offload: Some(offload) } => {
                let Offload { connection, place, above } = &**offload;
                let Place { bucket, prefix } = place;
                match pointer::offload(connection, bucket, prefix, *above, message).await {
                    Ok(pointing) => sender.push(pointing).await,
                    Err(error) if error.kind() == Kind::Invalid => {
                        sender.refuse(error.told());
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
            Self::Outbox { outbox, taken, report } => {
                let number = *taken;
                *taken += 1;
                match outbox.send(message).await {
                    Ok(_sent) => report.sent += 1,
                    Err(error) if error.kind() == Kind::Invalid => {
                        report.failed.push((number, error));
                    }
                    Err(error) => return Err(error),
                }
                Ok(())
            }
        }
    }

    /// Reports the next message as one that cannot be sent.
    pub(crate) fn refuse(&mut self, why: String) {
        match self {
            Self::Queue { sender, .. } => sender.refuse(why),
            Self::Outbox { taken, report, .. } => {
                let what = format!("message {}", *taken + 1);
                report.failed.push((*taken, Error::new(Kind::Invalid, what).because(why)));
                *taken += 1;
            }
        }
    }

    pub(crate) async fn flush(&mut self) -> Result<()> {
        match self {
            Self::Queue { sender, .. } => sender.flush().await,
            Self::Outbox { .. } => Ok(()),
        }
    }

    pub(crate) const fn report(&self) -> &SendReport {
        match self {
            Self::Queue { sender, .. } => sender.report(),
            Self::Outbox { report, .. } => report,
        }
    }

    pub(crate) async fn finish(self) -> Result<SendReport> {
        match self {
            Self::Queue { sender, .. } => sender.finish().await,
            Self::Outbox { report, .. } => Ok(report),
        }
    }
}
