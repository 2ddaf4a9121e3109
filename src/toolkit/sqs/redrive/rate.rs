//! How fast messages may move.

use tokio::time::{Duration, Instant};

/// So many messages in so much time, such as `50/s` or `600/m`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    per_second: f64,
}

/// What may move now, by the clock.
#[derive(Debug)]
pub(super) struct Allowance {
    rate: Rate,
    saved: f64,
    at: Instant,
}

impl Rate {
    /// Reads `50`, `50/s`, `600/m` or `1000/h`; a bare number counts seconds.
    ///
    /// # Errors
    /// Says what was wrong with the text.
    pub fn read(text: &str) -> Result<Self, String> {
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            other => return Err(format!("unknown unit {other:?}; use s, m or h, as in 50/s")),
        };
        match number.trim().parse::<f64>() {
            Ok(number) if number.is_finite() && number > 0.0 => {
                Ok(Self { per_second: number / seconds })
            }
            _ => Err(format!("{text:?} is no rate; write one like 50/s")),
        }
    }

    /// So many at once: what SQS hands out in one receive, and less where that is a second's worth.
    fn burst(self) -> f64 {
        self.per_second.clamp(1.0, 10.0).floor()
    }
}

impl Allowance {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, saved: rate.burst(), at: now }
    }

    /// How many may move now; or when the next ones may.
    pub(super) fn look(&mut self, now: Instant) -> Result<usize, Instant> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        let burst = self.rate.burst();
        self.saved = (self.saved + passed * self.rate.per_second).min(burst);
        // Sums of fractions fall short of whole numbers by a hair.
        if self.saved + 1e-6 >= burst {
            return Ok((1..=10).take_while(|&n: &u8| f64::from(n) <= burst).count());
        }
        let wait = (burst - self.saved) / self.rate.per_second;
        Err(now + Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX / 4))
    }

    /// So many move.
    pub(super) fn spend(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.saved -= f64::from(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, per_second) in [("50/s", 50.0), ("50", 50.0), ("600/m", 10.0), ("36/h", 0.01)] {
            assert_eq!(Rate::read(text), Ok(Rate { per_second }), "{text}");
        }
        for wrong in ["", "/s", "0/s", "-1", "nan", "inf/s", "5/d", "1e999"] {
            assert!(Rate::read(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn over_time_no_more_move_than_the_rate_says() {
        for (text, seconds) in [("0.5/s", 100), ("3/s", 100), ("50/s", 20), ("600/m", 60)] {
            let rate = Rate::read(text).unwrap();
            let start = Instant::now();
            let mut allowance = Allowance::new(rate, start);
            let (mut now, mut moved) = (start, 0);
            while now <= start + Duration::from_secs(seconds) {
                match allowance.look(now) {
                    Ok(count) => {
                        moved += count;
                        allowance.spend(count);
                    }
                    Err(later) => {
                        assert!(later > now, "{text}");
                        now = later;
                    }
                }
            }
            let wanted = rate.per_second * f64::from(u32::try_from(seconds).unwrap());
            let moved = f64::from(u32::try_from(moved).unwrap());
            assert!(
                (wanted - 10.0..=wanted + 10.1).contains(&moved),
                "{text}: {moved} of {wanted}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_filter_leaves_costs_nothing() {
        let now = Instant::now();
        let mut allowance = Allowance::new(Rate::read("10/s").unwrap(), now);
        for _ in 0..100 {
            assert_eq!(allowance.look(now), Ok(10));
        }
    }
}
