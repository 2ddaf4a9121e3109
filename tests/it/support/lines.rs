//! The output of a child as lines that can be waited for.
//!
//! A thread drains the pipe from the start, so that no child ever blocks on a full one; lines stay
//! after they were seen, so that two waits for the same line both succeed. Whoever looks drains it
//! too: what a child had written by then is there, however late that thread is.

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
};
use std::{
    os::fd::OwnedFd,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::net::unix::pipe::Receiver;

/// What a child has written to one stream so far.
#[derive(Clone)]
pub(crate) struct Lines(Arc<(Mutex<Seen>, Condvar)>);

struct Seen {
    pipe: OwnedFd,
    lines: Vec<String>,
    /// The beginning of a line that is still to be ended.
    begun: Vec<u8>,
    ended: bool,
}

impl Seen {
    /// Reads whatever there is by now.
    fn drain(&mut self) {
        let mut chunk = [0; 1 << 14];
        while !self.ended {
            match rustix::io::read(&self.pipe, &mut chunk) {
                Ok(0) => self.ended = true,
                Ok(length) => self.take(&chunk[..length]),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        if self.ended && !self.begun.is_empty() {
            let last = std::mem::take(&mut self.begun);
            self.lines.push(text(&last));
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        let whole = self.begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = self.begun.split_off(whole);
        let whole = std::mem::replace(&mut self.begun, rest);
        self.lines.extend(whole.split_inclusive(|byte| *byte == b'\n').map(text));
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned()
}

impl Lines {
    /// Reads the end of a pipe, that is nobody else's, on a thread of its own.
    pub(crate) fn of(pipe: impl Into<OwnedFd>) -> Lines {
        let pipe = pipe.into();
        let own = pipe.try_clone().unwrap();
        fcntl_setfl(&pipe, fcntl_getfl(&pipe).unwrap() | OFlags::NONBLOCK).unwrap();
        let (lines, begun) = (Vec::new(), Vec::new());
        let seen = Seen { pipe, lines, begun, ended: false };
        let lines = Lines(Arc::new((Mutex::new(seen), Condvar::new())));
        let shared = lines.clone();
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_io().build().unwrap().block_on(async {
                let (pipe, mut chunk) = (Receiver::from_owned_fd(own).unwrap(), [0; 1 << 14]);
                while !shared.look().ended {
                    shared.0.1.notify_all();
                    pipe.readable().await.unwrap();
                    let mut seen = shared.look();
                    // Empty by now, or nearly so: it is asked itself, to learn that.
                    if let Ok(length) = pipe.try_read(&mut chunk) {
                        seen.take(&chunk[..length]);
                    }
                }
            });
            shared.0.1.notify_all();
        });
        lines
    }

    /// Everything that was written so far.
    fn look(&self) -> MutexGuard<'_, Seen> {
        let mut seen = self.0.0.lock().unwrap();
        seen.drain();
        seen
    }

    /// All lines so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.look().lines.clone()
    }

    /// The first line that `wanted` accepts, past or to come within `timeout`.
    pub(crate) fn wait(
        &self,
        wanted: impl Fn(&str) -> bool,
        timeout: Duration,
    ) -> Result<String, Vec<String>> {
        let until = Instant::now() + timeout;
        let mut seen = self.look();
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
        let seen = self.look();
        drop(self.0.1.wait_timeout_while(seen, timeout, |seen| !seen.ended).unwrap());
    }
}
