//! How long to wait before the next attempt. Pure: the dice are passed in.

#[cfg(all(test, any(feature = "queue", feature = "redis")))]
pub(crate) mod still;

use std::time::Duration;

/// Exponential delays between two bounds, half of each left to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// The delay before the second attempt.
    pub initial: Duration,
    /// What each delay is multiplied with to get the next; at least 1.
    pub factor: u32,
    /// No delay is longer than this.
    pub longest: Duration,
}

impl Backoff {
    /// Delays that double from `initial` up to `longest`.
    pub const fn doubling(initial: Duration, longest: Duration) -> Self {
        Self { initial, factor: 2, longest }
    }

    /// The full delay after this many failures in a row (the first failure is 1), without chance.
    pub fn ceiling(&self, failures: u32) -> Duration {
        let exponent = failures.saturating_sub(1).min(63);
        let mut delay = self.initial.min(self.longest);
        for _ in 0..exponent {
            delay = delay.saturating_mul(self.factor.max(1)).min(self.longest);
            if delay == self.longest {
                break;
            }
        }
        delay
    }

    /// The delay after this many failures, with half jitter: between half the ceiling and all of
    /// it. `dice` is a number from 0 up to, but not including, 1.
    pub fn delay(&self, failures: u32, dice: f64) -> Duration {
        let ceiling = self.ceiling(failures);
        let half = ceiling / 2;
        half + half.mul_f64(dice.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Backoff = Backoff::doubling(Duration::from_secs(1), Duration::from_mins(15));

    #[test]
    fn delays_double_up_to_the_longest() {
        let seconds: Vec<u64> = (1..=12).map(|n| RETRY.ceiling(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(RETRY.ceiling(u32::MAX), Duration::from_mins(15));
    }

    #[test]
    fn half_is_left_to_chance() {
        assert_eq!(RETRY.delay(3, 0.0), Duration::from_secs(2));
        assert_eq!(RETRY.delay(3, 0.5), Duration::from_secs(3));
        assert!(RETRY.delay(3, 0.999) < Duration::from_secs(4));
    }

    #[test]
    fn a_factor_of_one_stays() {
        let steady = Backoff { factor: 1, ..RETRY };
        assert_eq!(steady.ceiling(50), Duration::from_secs(1));
    }
}
