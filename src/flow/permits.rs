//! Slots by count and by bytes. Fair: who asks first is served first, so that a large request is
//! not starved by small ones. A slot is free again when it is dropped.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in blocks of this size, so that a budget of terabytes still fits.
const BLOCK: u64 = 4096;

/// A fixed number of slots. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
}

/// A budget of bytes. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Bytes {
    free: Arc<Semaphore>,
    all: u32,
}

/// A slot, or bytes, taken; given back when dropped.
#[derive(Debug)]
#[must_use = "it is given back as soon as it is dropped"]
pub(crate) struct Permit {
    // Nothing only if the semaphore were closed, which nobody does.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    /// So many slots, at least one.
    pub(crate) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// Takes a slot, waiting for one to come free. Cancel-safe: dropped while waiting, it takes
    /// nothing and loses its place.
    pub(crate) async fn take(&self) -> Permit {
        Permit { _permit: Arc::clone(&self.free).acquire_owned().await.ok() }
    }
}

impl Bytes {
    /// A budget of so many bytes, rounded up to whole blocks of 4 KiB.
    pub(crate) fn new(bytes: u64) -> Self {
        let all = blocks(bytes);
        // More permits than a usize holds are as good as no limit.
        let permits = usize::try_from(all).unwrap_or(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(permits)), all }
    }

    /// The whole budget.
    pub(crate) fn all(&self) -> u64 {
        u64::from(self.all) * BLOCK
    }

    /// Takes so many bytes, waiting for them to come free. More than the whole budget takes the
    /// whole budget: such a one runs alone. Cancel-safe.
    pub(crate) async fn take(&self, bytes: u64) -> Permit {
        let blocks = blocks(bytes).min(self.all);
        Permit { _permit: Arc::clone(&self.free).acquire_many_owned(blocks).await.ok() }
    }
}

fn blocks(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(BLOCK)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_slot_is_free_again_when_dropped() {
        let slots = Slots::new(1);
        let taken = slots.take().await;
        assert!(slots.take().now_or_never().is_none());
        drop(taken);
        assert!(slots.take().now_or_never().is_some());
    }

    #[tokio::test]
    async fn more_than_the_budget_runs_alone() {
        let budget = Bytes::new(64 * 1024);
        let small = budget.take(4096).await;
        assert!(budget.take(1 << 40).now_or_never().is_none());
        drop(small);
        let large = budget.take(1 << 40).await;
        assert!(budget.take(1).now_or_never().is_none());
        drop(large);
    }

    #[tokio::test]
    async fn a_large_request_is_not_overtaken() {
        let budget = Bytes::new(2 * BLOCK);
        let one = budget.take(BLOCK).await;
        let mut large = Box::pin(budget.take(2 * BLOCK));
        assert!(large.as_mut().now_or_never().is_none());
        // One block is free, but the large request stands in line before it.
        let mut late = Box::pin(budget.take(1));
        assert!(late.as_mut().now_or_never().is_none());
        drop(one);
        assert!(late.as_mut().now_or_never().is_none());
        let large = large.await;
        drop(large);
        let _late = late.await;
    }
}
