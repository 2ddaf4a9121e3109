//! A message that is held: as it came, as its handler gets it, and where it is on its way.

use std::sync::Arc;
use std::time::Duration;

use crate::handler::LeaseKeeper;
use crate::message::Message;
use crate::toolkit::s3::Path;

/// One message that is held.
#[derive(Debug)]
pub(super) struct Item {
    /// As it came: so it is set aside.
    pub(super) message: Arc<Message>,
    /// As its handler gets it, where it had to be unpacked.
    pub(super) unpacked: Option<Arc<Message>>,
    /// What goes once the message is deleted.
    pub(super) objects: Vec<Path>,
    /// Its body is not the one that SQS has.
    pub(super) is_damaged: bool,
    pub(super) keeper: LeaseKeeper,
    pub(super) stage: Stage,
    /// For how long it is hidden once given back.
    pub(super) hidden_for: Duration,
    pub(super) settle_failures: u32,
}

impl Item {
    pub(super) fn as_handled(&self) -> &Arc<Message> {
        self.unpacked.as_ref().unwrap_or(&self.message)
    }
}

/// Where a held message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// For those before it in its group, or for a handler that can be started.
    Waiting,
    /// It is locked or unpacked.
    Preparing,
    /// For others that its handler takes with it.
    Gathering,
    /// Its handler runs.
    Running,
    /// Its outcome is being carried out.
    Settling,
    /// For somebody else's lock; takes no slot.
    Kept,
}

impl Stage {
    pub(super) const fn takes_slot(self) -> bool {
        matches!(self, Self::Waiting | Self::Preparing | Self::Gathering | Self::Running)
    }
}
