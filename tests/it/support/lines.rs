//! The output of a child as lines that can be waited for.
//!
//! A thread drains the pipe from the start, so that no child ever blocks on a full one; lines stay
//! after they were seen, so that two waits for the same line both succeed.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

/// What a child has written to one stream so far.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<(Mutex<Seen>, Condvar)>);

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Reads `stream` to its end on a thread of its own.
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Lines {
        let lines = Lines::default();
        let (shared, to) = (lines.clone(), Arc::clone(&lines.0));
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                shared.0.0.lock().unwrap().lines.push(line);
                to.1.notify_all();
            }
            shared.0.0.lock().unwrap().ended = true;
            to.1.notify_all();
        });
        lines
    }

    /// All lines so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    /// The first line that `wanted` accepts, past or to come within `timeout`.
    pub(crate) fn wait(
        &self,
        wanted: impl Fn(&str) -> bool,
        timeout: Duration,
    ) -> Result<String, Vec<String>> {
        let until = Instant::now() + timeout;
        let mut seen = self.0.0.lock().unwrap();
        loop {
            if let Some(line) = seen.lines.iter().find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(seen.lines.clone());
            }
            seen = self.0.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until the stream has ended, but no longer than this: a child's own child may keep it
    /// open.
    pub(crate) fn wait_for_end(&self, timeout: Duration) {
        let seen = self.0.0.lock().unwrap();
        drop(self.0.1.wait_timeout_while(seen, timeout, |seen| !seen.ended).unwrap());
    }
}
