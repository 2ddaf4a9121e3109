//! What a handler may know of the lease on its message: until when it stands, and that it has
//! to end. Renewing it is the queue's business; a handler never sees a receipt handle.

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The handler's view of a lease. Clones share it.
#[derive(Debug, Clone)]
pub struct Lease {
    deadline: watch::Receiver<Instant>,
    lost: CancellationToken,
    end: CancellationToken,
}

/// The queue's end of a lease: moves the deadline, tells that it is lost.
#[derive(Debug, Clone)]
pub struct LeaseKeeper {
    deadline: watch::Sender<Instant>,
    lost: CancellationToken,
    end: CancellationToken,
}

impl LeaseKeeper {
    /// A lease that stands until `deadline`.
    pub fn new(deadline: Instant) -> Self {
        Self {
            deadline: watch::Sender::new(deadline),
            lost: CancellationToken::new(),
            end: CancellationToken::new(),
        }
    }

    /// The handler's view.
    pub fn lease(&self) -> Lease {
        Lease {
            deadline: self.deadline.subscribe(),
            lost: self.lost.clone(),
            end: self.end.clone(),
        }
    }

    /// Until when it stands.
    pub fn deadline(&self) -> Instant {
        *self.deadline.borrow()
    }

    /// It was renewed and stands until then.
    pub fn renewed(&self, deadline: Instant) {
        self.deadline.send_replace(deadline);
    }

    /// Somebody else may have the message by now; the handler is told to end.
    pub fn lose(&self) {
        self.lost.cancel();
        self.end.cancel();
    }

    /// True once it was lost.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }
}

impl Lease {
    /// Until when the lease stands by what is known now; renewals move it.
    pub fn deadline(&self) -> Instant {
        *self.deadline.borrow()
    }

    /// True once somebody else may have the message: what this run does is not wanted any more.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Ends when this run has to: the lease is lost, the handler's time is over, or the daemon
    /// aborts. A run that goes on is cut off a few seconds later. Cancel-safe.
    pub async fn ended(&self) {
        self.end.cancelled().await;
    }

    /// Ends when somebody else may have the message. Cancel-safe.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Tells the run to end without the lease being lost.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }
}
