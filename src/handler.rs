//! What is done with a message. Built-in kinds and Rust functions become the same thing here:
//! a [`BoxHandler`], the one place where types are erased.

pub mod extract;
mod lease;
mod route;
#[cfg(test)]
pub(crate) mod logged;
mod run;
mod tuples;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::message::Message;
use crate::outcome::{Outcome, Unavailable};

pub use extract::{FromMessage, Rejection};
pub use lease::{Lease, LeaseKeeper};
pub use route::Routes;
pub use run::{Ending, Ran, run};
pub use tuples::Handler;

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

type Run = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// Any handler. Clones share it.
#[derive(Clone)]
pub struct BoxHandler {
    name: Arc<str>,
    call: Arc<dyn Fn(Delivery) -> Run + Send + Sync>,
}

impl BoxHandler {
    /// A handler from a function; `name` is how logs call it.
    pub fn new<F, R>(name: impl Into<Arc<str>>, call: F) -> Self
    where
        F: Fn(Delivery) -> R + Send + Sync + 'static,
        R: Future<Output = Verdict> + Send + 'static,
    {
        Self { name: name.into(), call: Arc::new(move |delivery| Box::pin(call(delivery))) }
    }

    /// How logs call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it once. Whoever calls this bounds its time and catches its panics.
    pub(crate) fn call(&self, delivery: Delivery) -> Run {
        (self.call)(delivery)
    }
}

impl fmt::Debug for BoxHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxHandler").field("name", &self.name).finish_non_exhaustive()
    }
}
