//! A clock that stands, for tests on real sockets and children.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// More than any test takes.
const LONG: Duration = Duration::from_mins(2);

/// From now on no time passes, so that no machine is too slow, until what this returns is dropped.
/// Whoever waits for time is let go in the end, and finds that it has passed.
pub(crate) fn stand_still() -> Sender<()> {
    tokio::time::pause();
    let (hold, dropped) = channel();
    // Time that is paused goes on while nothing else does, but not while a thread is blocked.
    tokio::task::spawn_blocking(move || dropped.recv_timeout(LONG));
    hold
}
