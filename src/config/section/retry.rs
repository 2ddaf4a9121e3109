//! The delays before a thing is tried again.

use std::time::Duration;

use super::Section;
use crate::backoff::Backoff;

impl Section<'_> {
    /// `retry_initial` and `retry_longest`, at most `limit`.
    pub(in crate::config) fn retry(&mut self, default: Backoff, limit: Duration) -> Backoff {
        // Shorter delays would be a storm.
        let range = Duration::from_millis(10)..=limit;
        let initial = self.duration("retry_initial", range.clone()).unwrap_or(default.initial);
        let longest = self.duration("retry_longest", range).unwrap_or(default.longest);
        if initial > longest {
            let key = if self.has("retry_initial") { "retry_initial" } else { "retry_longest" };
            let (initial, longest) = (crate::units::show(initial), crate::units::show(longest));
            let message = format!("retry_initial ({initial}) is above retry_longest ({longest})");
            self.blame(key, message);
        }
        Backoff { initial, longest, ..default }
    }
}
