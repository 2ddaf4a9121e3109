//! What systemd is told: ready, stopping, still alive. Does nothing where systemd is not there.

use std::time::Duration;

use sd_notify::NotifyState;

/// Everything is started.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// No new work is taken any more.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The scheduler still turns.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often [`alive`] has to be said: twice within the time that the unit's `WatchdogSec` allows.
pub fn watchdog_interval() -> Option<Duration> {
    let mut limit_micros = 0;
    sd_notify::watchdog_enabled(false, &mut limit_micros)
        .then(|| Duration::from_micros(limit_micros) / 2)
        .filter(|interval| !interval.is_zero())
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
