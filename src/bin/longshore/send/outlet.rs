//! Where messages go: into a queue in batches, or into an outbox one by one.

use longshore::error::{Error, Kind, Result};
use longshore::message::Outgoing;
use longshore::toolkit::outbox::Outbox;
use longshore::toolkit::sqs::Sender;
use longshore::toolkit::transport::{CanSend, SendReport};

pub(crate) enum Outlet {
    Queue(Sender),
    Outbox { outbox: Outbox, taken: u64, report: SendReport },
}

impl Outlet {
    pub(crate) fn outbox(outbox: Outbox) -> Self {
        Self::Outbox { outbox, taken: 0, report: SendReport::default() }
    }

    pub(crate) async fn push(&mut self, message: Outgoing) -> Result<()> {
        match self {
            Self::Queue(sender) => sender.push(message).await,
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
            Self::Queue(sender) => sender.refuse(why),
            Self::Outbox { taken, report, .. } => {
                let what = format!("message {}", *taken + 1);
                report.failed.push((*taken, Error::new(Kind::Invalid, what).because(why)));
                *taken += 1;
            }
        }
    }

    pub(crate) async fn flush(&mut self) -> Result<()> {
        match self {
            Self::Queue(sender) => sender.flush().await,
            Self::Outbox { .. } => Ok(()),
        }
    }

    pub(crate) const fn report(&self) -> &SendReport {
        match self {
            Self::Queue(sender) => sender.report(),
            Self::Outbox { report, .. } => report,
        }
    }

    pub(crate) async fn finish(self) -> Result<SendReport> {
        match self {
            Self::Queue(sender) => sender.finish().await,
            Self::Outbox { report, .. } => Ok(report),
        }
    }
}
