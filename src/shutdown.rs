//! Stopping, in two steps: *drain* (no new work; running work finishes) and *abort* (running work
//! is cut off and given back). Both are tokens that every part of the daemon holds.

pub mod signals;
pub mod systemd;

use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

pub use signals::signals;

/// How long handlers and uploads get, once aborted, to end by themselves before they are dropped.
pub const ABORT_GRACE: Duration = Duration::from_secs(3);

/// The two tokens of one running worker. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    abort: CancellationToken,
}

impl Shutdown {
    /// Neither draining nor aborting yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes no new work from now on. Asking twice is the same as asking once.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Cuts running work off; implies [`drain`](Self::drain).
    pub fn abort(&self) {
        self.drain.cancel();
        self.abort.cancel();
    }

    /// True once no new work may be taken.
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// True once running work is cut off.
    pub fn is_aborting(&self) -> bool {
        self.abort.is_cancelled()
    }

    /// Ends when draining begins. Cancel-safe.
    pub fn draining(&self) -> WaitForCancellationFuture<'_> {
        self.drain.cancelled()
    }

    /// Ends when aborting begins. Cancel-safe.
    pub fn aborting(&self) -> WaitForCancellationFuture<'_> {
        self.abort.cancelled()
    }

    /// The abort token itself, for what is cut off together with this worker.
    pub fn abort_token(&self) -> CancellationToken {
        self.abort.clone()
    }
}
