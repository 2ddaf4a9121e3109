//! Live and ready: what a health check is told.
//!
//! Ready is a set of latches: each part holds one until it works for the first time, and a latch
//! once dropped cannot be taken back by mistake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Which parts have not worked yet. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    waiting: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// Held by a part until it has worked once.
#[derive(Debug)]
pub struct Latch {
    name: String,
    waiting: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Readiness {
    /// Nothing to wait for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more part to wait for, until the latch is dropped.
    pub fn wait_for(&self, name: impl Into<String>) -> Latch {
        let name = name.into();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting.entry(name.clone()).or_default() += 1;
        Latch { name, waiting: Arc::clone(&self.waiting) }
    }

    /// The parts that have not worked yet; ready when there are none.
    pub fn missing(&self) -> Vec<String> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.keys().cloned().collect()
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_latch_is_dropped() {
        let readiness = Readiness::new();
        let queue = readiness.wait_for("queue/orders");
        let spool = readiness.wait_for("spool/reports");
        drop(queue);
        assert_eq!(readiness.missing(), ["spool/reports"]);
        drop(spool);
        assert!(readiness.missing().is_empty());
    }
}
