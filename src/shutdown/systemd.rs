//! What systemd is told: ready, stopping, still alive. Does nothing where systemd is not there.
//! And what it, or whoever else started us, leaves to us: `CAP_LEASE` and open descriptors, which
//! no handler may inherit.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::error::{Error, Kind, Result};

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

/// Keeps the capabilities that the unit's `AmbientCapabilities=` grants to this process: the
/// programs that it runs do not inherit them. To be called before any thread is started, since
/// threads inherit them too.
///
/// # Errors
/// [`Kind::Bug`] when the kernel refuses.
pub fn keep_capabilities() -> Result<()> {
    match rustix::thread::clear_ambient_capability_set() {
        // A kernel or a sandbox that knows no ambient set has granted nothing through it.
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Ok(()),
        Err(error) => {
            Err(Error::new(Kind::Bug, "clearing the ambient capabilities").because(error))
        }
    }
}

/// Keeps the descriptors that whoever started this process left open: the programs that it runs do
/// not inherit them. To be called at the start, by a process that is all ours.
pub fn keep_descriptors() {
    crate::sys::keep_descriptors();
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
