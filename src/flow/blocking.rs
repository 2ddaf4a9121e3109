//! File-system calls, off the runtime's threads and only so many at a time.

use super::permits::Slots;
use crate::error::{Error, Kind, Result};
use crate::supervisor::panic_text;

/// Runs blocking work, at most so many pieces at once. Clones share the limit.
#[derive(Debug, Clone)]
pub(crate) struct Blocking {
    slots: Slots,
}

impl Blocking {
    pub(crate) fn new(at_once: usize) -> Self {
        Self { slots: Slots::new(at_once) }
    }

    /// Runs `work` on a thread of its own and hands back what it returned.
    ///
    /// Dropped midway, work that has begun still runs to its end.
    ///
    /// # Errors
    /// Only a panic of `work`, as a bug.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let slot = self.slots.take().await;
        let running = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(slot);
            result
        });
        running.await.map_err(|error| {
            let text = match error.try_into_panic() {
                Ok(panic) => panic_text(panic.as_ref()),
                Err(error) => error.to_string(),
            };
            Error::new(Kind::Bug, "blocking file work").because(text)
        })
    }
}
