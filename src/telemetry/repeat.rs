//! A trouble that lasts is said once, then again every five minutes, and once when it is over.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Kind;

const EVERY: Duration = Duration::from_mins(5);

/// When a lasting trouble was last said.
#[derive(Debug, Default)]
pub struct Repeat {
    said: Option<(Kind, Instant)>,
}

impl Repeat {
    /// True when it is to be said now: it is new, of another kind than before, or last said long
    /// enough ago.
    pub fn is_due(&mut self, kind: Kind) -> bool {
        let now = Instant::now();
        let due = match self.said {
            Some((before, at)) => before != kind || now >= at + EVERY,
            None => true,
        };
        if due {
            self.said = Some((kind, now));
        }
        due
    }

    /// The trouble is over. True when it had been said, so that its end must be said too.
    pub fn is_over(&mut self) -> bool {
        self.said.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn said_once_and_then_every_five_minutes() {
        let mut repeat = Repeat::default();
        assert!(!repeat.is_over());
        assert!(repeat.is_due(Kind::Denied));
        assert!(!repeat.is_due(Kind::Denied));
        assert!(repeat.is_due(Kind::Unreachable));
        tokio::time::advance(Duration::from_mins(5)).await;
        assert!(repeat.is_due(Kind::Unreachable));
        assert!(repeat.is_over());
        assert!(!repeat.is_over());
    }
}
