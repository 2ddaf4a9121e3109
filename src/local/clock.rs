//! The clock of the embedded AWS: wall-clock stamps that move with tokio's clock.
//!
//! Under tokio's paused clock the stamps in messages advance with virtual time, so that a test
//! sees the same times as the leases it waits for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::units;

/// Maps tokio's instants to wall-clock times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    epoch: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), epoch }
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis(&self) -> u64 {
        let now = self.epoch.saturating_add(self.started.elapsed());
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }

    /// Seconds since 1970, as the JSON protocol of DynamoDB writes times.
    pub(crate) fn seconds(&self) -> f64 {
        self.epoch.saturating_add(self.started.elapsed()).as_secs_f64()
    }

    /// Now, as `2012-06-14T01:02:03.004Z`.
    pub(crate) fn iso(&self) -> String {
        let millis = self.millis();
        units::utc(UNIX_EPOCH + Duration::from_millis(millis))
    }
}
