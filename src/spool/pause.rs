//! When a file may be sent at all: while the bucket refuses everything, only probes, each a real
//! upload of a different file; after failures in passing, not faster than it bears.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::open::Id;

/// How often a probe is sent while the spool is paused.
pub(crate) const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How often a pause that lasts is told of.
pub(crate) const TELL_EVERY: Duration = Duration::from_mins(5);
const FIRST_SLOWDOWN: Duration = Duration::from_millis(250);
const LONGEST_SLOWDOWN: Duration = Duration::from_secs(5);
/// So many refused files are remembered.
const MOST_REFUSED: usize = 1_000;

/// What may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Any file.
    Any,
    /// One file, as a probe.
    Probe,
    /// Nothing before this time; without one, before the probe has ended.
    Nothing(Option<Instant>),
}

/// What a refusal did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The spool pauses from now on.
    Paused,
    /// It is still paused; `tell` when it is time to say so again.
    Still { tell: bool },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    paused: Option<Paused>,
    slow: Duration,
    slow_until: Option<Instant>,
    /// Something landed since this run began.
    pub(crate) proven: bool,
}

#[derive(Debug)]
struct Paused {
    refused: BTreeSet<Id>,
    next_probe: Instant,
    probing: bool,
    told: Instant,
    probes: u32,
}

impl Gate {
    pub(crate) fn admits(&self, now: Instant) -> Admission {
        if let Some(paused) = &self.paused {
            return match (paused.probing, now >= paused.next_probe) {
                (true, _) => Admission::Nothing(None),
                (false, true) => Admission::Probe,
                (false, false) => Admission::Nothing(Some(paused.next_probe)),
            };
        }
        match self.slow_until {
            Some(until) if now < until => Admission::Nothing(Some(until)),
            _ => Admission::Any,
        }
    }

    /// The files to pass over when choosing a probe, while paused.
    pub(crate) fn refused_files(&self) -> Option<&BTreeSet<Id>> {
        self.paused.as_ref().map(|paused| &paused.refused)
    }

    /// A probe leaves.
    pub(crate) fn probing(&mut self) {
        if let Some(paused) = &mut self.paused {
            paused.probing = true;
        }
    }

    /// How many probes were refused since the pause began.
    pub(crate) fn probes(&self) -> u32 {
        self.paused.as_ref().map_or(0, |paused| paused.probes)
    }

    /// The destination refused; `id` is the file it was shown by, where it was one. The first
    /// probe, of another file, follows at once, since the fault may have been that file's own.
    pub(crate) fn refuse(&mut self, now: Instant, id: Option<&Id>, probe: bool) -> Refused {
        if let Some(paused) = &mut self.paused {
            if let Some(id) = id
                && paused.refused.len() < MOST_REFUSED
            {
                paused.refused.insert(id.clone());
            }
            if probe {
                paused.probing = false;
                paused.probes += 1;
                paused.next_probe = now + PROBE_EVERY;
            }
            let tell = now >= paused.told + TELL_EVERY;
            if tell {
                paused.told = now;
            }
            return Refused::Still { tell };
        }
        let wait = if id.is_some() { Duration::ZERO } else { PROBE_EVERY };
        self.paused = Some(Paused {
            refused: id.cloned().into_iter().collect(),
            next_probe: now + wait,
            probing: false,
            told: now,
            probes: 0,
        });
        Refused::Paused
    }

    /// A probe failed by a fault in passing or of its file. By then the bucket may have answered and
    /// ended the pause; this begins no new one.
    pub(crate) fn probe_failed(&mut self, now: Instant) {
        if self.paused.is_some() {
            let _still = self.refuse(now, None, true);
        }
    }

    /// A probe ended without a word on the destination.
    pub(crate) fn probe_said_nothing(&mut self, now: Instant) {
        if let Some(paused) = &mut self.paused {
            paused.probing = false;
            paused.next_probe = now + PROBE_EVERY;
        }
    }

    /// Something landed. A probe that does ends the pause, and the files that were refused come back:
    /// since another landed, the fault may be their own. What was under way when the pause began
    /// says nothing of the bucket as it is since.
    pub(crate) fn landed(&mut self, probe: bool) -> Option<BTreeSet<Id>> {
        self.proven = true;
        self.slow /= 2;
        if self.slow < FIRST_SLOWDOWN {
            self.slow = Duration::ZERO;
            self.slow_until = None;
        }
        self.paused.take_if(|_| probe).map(|paused| paused.refused)
    }

    /// An attempt that began then failed in passing: everybody slows down. Decorrelated: between
    /// the first delay and three times the last, by `dice` from 0 to 1.
    pub(crate) fn slow_down(&mut self, now: Instant, began: Instant, dice: f64) {
        // Of attempts that were under way together, one speaks for all.
        if self.slow_until.is_some_and(|until| began < until) {
            return;
        }
        let spread = (self.slow * 3).max(FIRST_SLOWDOWN * 2).saturating_sub(FIRST_SLOWDOWN);
        self.slow = (FIRST_SLOWDOWN + spread.mul_f64(dice)).min(LONGEST_SLOWDOWN);
        self.slow_until = Some(now + self.slow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_sends_one_probe_at_a_time_until_something_lands() {
        let mut gate = Gate::default();
        let (a, b) = (Id::in_spool("a"), Id::in_spool("b"));
        let start = Instant::now();
        assert_eq!(gate.admits(start), Admission::Any);
        assert_eq!(gate.refuse(start, Some(&a), false), Refused::Paused);
        // Another file is tried at once, and then one every five seconds.
        assert_eq!(gate.admits(start), Admission::Probe);
        gate.probing();
        assert_eq!(gate.admits(start), Admission::Nothing(None));
        assert_eq!(gate.refuse(start, Some(&b), true), Refused::Still { tell: false });
        assert_eq!(gate.admits(start), Admission::Nothing(Some(start + PROBE_EVERY)));
        let later = start + PROBE_EVERY;
        assert_eq!(gate.admits(later), Admission::Probe);
        assert_eq!(gate.landed(false), None, "it left before the pause");
        assert_eq!(gate.landed(true), Some(BTreeSet::from([a, b])));
        assert_eq!(gate.admits(later), Admission::Any);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_fails_after_the_pause_pauses_nothing() {
        let mut gate = Gate::default();
        let start = Instant::now();
        gate.refuse(start, Some(&Id::in_spool("a")), false);
        gate.probing();
        gate.probe_failed(start);
        assert_eq!(gate.admits(start), Admission::Nothing(Some(start + PROBE_EVERY)));
        assert_eq!(gate.probes(), 1);
        gate.probing();
        gate.landed(true);
        gate.probe_failed(start);
        assert_eq!(gate.admits(start), Admission::Any);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_lasts_is_told_every_five_minutes() {
        let mut gate = Gate::default();
        let start = Instant::now();
        let mut told = 0;
        gate.refuse(start, None, true);
        for probe in 1..=240 {
            let now = start + PROBE_EVERY * probe;
            if gate.refuse(now, None, true) == (Refused::Still { tell: true }) {
                told += 1;
            }
        }
        assert_eq!(told, 4, "in 20 minutes");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_passing_slow_everybody_down() {
        let mut gate = Gate::default();
        let start = Instant::now();
        gate.slow_down(start, start, 0.5);
        let Admission::Nothing(Some(until)) = gate.admits(start) else { panic!("not slowed") };
        // The others of the same moment do not count again.
        gate.slow_down(start, start, 0.5);
        assert_eq!(gate.admits(start), Admission::Nothing(Some(until)));
        let mut now = until;
        for _ in 0..20 {
            gate.slow_down(now, now, 0.99);
            let Admission::Nothing(Some(until)) = gate.admits(now) else { panic!("not slowed") };
            assert!(until - now <= LONGEST_SLOWDOWN);
            now = until;
        }
        for _ in 0..10 {
            gate.landed(false);
        }
        assert_eq!(gate.admits(start), Admission::Any);
    }
}
