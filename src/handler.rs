//! What is done with a message. Built-in kinds and Rust functions become the same thing here:
//! a [`BoxHandler`], the one place where types are erased.

mod batch;
pub mod extract;
mod lease;
mod route;
#[cfg(test)]
pub(crate) mod logged;
mod run;
mod tuples;
#[cfg(feature = "queue")]
mod turns;

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;

use crate::message::Message;
use crate::outcome::{Outcome, Unavailable};

pub use extract::{FromMessage, Rejection};
pub use lease::{Lease, LeaseKeeper};
pub use route::Routes;
pub use run::{Ending, Ran, run, run_all};
pub use tuples::Handler;
#[cfg(feature = "queue")]
pub(crate) use turns::Turns;

/// One message on its way through a handler.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message.
    pub message: Arc<Message>,
    /// What the handler may know of the lease on it.
    pub lease: Lease,
}

/// What came of one run: an outcome, or the handler could not even be started.
pub type Verdict = Result<Outcome, Unavailable>;

type Run = Pin<Box<dyn Future<Output = Vec<Verdict>> + Send>>;

/// Any handler. Clones share it.
#[derive(Clone)]
pub struct BoxHandler {
    name: Arc<str>,
    most: NonZeroUsize,
    call: Arc<dyn Fn(Vec<Delivery>) -> Run + Send + Sync>,
}

impl BoxHandler {
    /// A handler from a function; `name` is how logs call it.
    pub fn new<F, R>(name: impl Into<Arc<str>>, call: F) -> Self
    where
        F: Fn(Delivery) -> R + Send + Sync + 'static,
        R: Future<Output = Verdict> + Send + 'static,
    {
        Self::batch(name, NonZeroUsize::MIN, move |deliveries| {
            let runs: Vec<R> = deliveries.into_iter().map(&call).collect();
            async move {
                let mut verdicts = Vec::with_capacity(runs.len());
                for run in runs {
                    verdicts.push(run.await);
                }
                verdicts
            }
        })
    }

    /// A handler that takes up to `most` messages at once and gives a verdict on each, in their
    /// order. Messages of one group stand in the group's order; when one is not *done*, the
    /// handler lets those of its group that stand behind it be *retry*, so that none overtakes it.
    /// What a verdict is missing for is *retry*.
    pub fn batch<F, R>(name: impl Into<Arc<str>>, most: NonZeroUsize, call: F) -> Self
    where
        F: Fn(Vec<Delivery>) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<Verdict>> + Send + 'static,
    {
        let call = move |deliveries| -> Run { Box::pin(call(deliveries)) };
        Self { name: name.into(), most, call: Arc::new(call) }
    }

    /// How many messages it takes at once.
    pub const fn most(&self) -> NonZeroUsize {
        self.most
    }

    /// How logs call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it once, on at most [`most`](Self::most) messages; the verdicts as it gave them, be
    /// they too few or too many. Whoever calls this bounds its time and catches its panics.
    pub(crate) fn call_all(&self, deliveries: Vec<Delivery>) -> Run {
        (self.call)(deliveries)
    }

    /// Runs it once, on a single message.
    #[cfg(test)]
    pub(crate) fn call(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Verdict> + Send>> {
        let run = self.call_all(vec![delivery]);
        Box::pin(async move {
            let [verdict] = <[Verdict; 1]>::try_from(run.await).expect("one message, one verdict");
            verdict
        })
    }

    /// True where both are the same handler, so that their messages may stand in one batch.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.call, &other.call)
    }
}

impl fmt::Debug for BoxHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxHandler").field("name", &self.name).finish_non_exhaustive()
    }
}
