//! What a command writes: always drained, so that it never blocks on a full pipe, and never kept
//! beyond two bounds, so that a flood costs no memory.
//!
//! The first [`LOGGED`] bytes of a run go to the log at debug, line by line; the last [`KEPT`]
//! bytes of standard error go into the reason of a failure. Where standard output is data, it is
//! held aside instead, and nothing of it is logged.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::Result;
use crate::handlers::one_line;
use crate::message::Body;
use crate::payload::Aside;

/// How much of a run, both streams together, is logged.
const LOGGED: usize = 64 << 10;
/// How much of standard error is kept.
const KEPT: usize = 4 << 10;
const CHUNK: usize = 16 << 10;

/// The output of one run.
#[derive(Debug)]
pub(super) struct Output {
    stdout: Lines,
    stderr: Lines,
    /// How much more may be logged.
    room: usize,
    total: u64,
    tail: VecDeque<u8>,
    is_cut: bool,
    /// Where standard output goes that is data; or why not all of it could be held.
    aside: Option<Result<Aside>>,
}

#[derive(Debug)]
struct Lines {
    stream: &'static str,
    unfinished: Vec<u8>,
}

impl Output {
    pub(super) fn new() -> Self {
        let lines = |stream| Lines { stream, unfinished: Vec::new() };
        Self {
            stdout: lines("stdout"),
            stderr: lines("stderr"),
            room: LOGGED,
            total: 0,
            tail: VecDeque::new(),
            is_cut: false,
            aside: None,
        }
    }

    /// Standard output is data, and goes there.
    pub(super) fn holding(aside: Aside) -> Self {
        Self { aside: Some(Ok(aside)), ..Self::new() }
    }

    /// All of standard output that was held aside; nothing where it was no data.
    pub(super) fn take_aside(&mut self) -> Option<Result<Body>> {
        Some(self.aside.take()?.and_then(Aside::finish))
    }

    /// Reads both streams to their ends. Cancel-safe.
    pub(super) async fn drain(
        &mut self,
        mut stdout: Option<impl AsyncRead + Unpin>,
        mut stderr: Option<impl AsyncRead + Unpin>,
    ) {
        let (mut of_stdout, mut of_stderr) = (vec![0; CHUNK], vec![0; CHUNK]);
        while stdout.is_some() || stderr.is_some() {
            tokio::select! {
                count = read(&mut stdout, &mut of_stdout) => {
                    match of_stdout.get(..count) {
                        Some(bytes) if count > 0 => {
                            if !self.take_stdout(bytes).await {
                                stdout = None;
                            }
                        }
                        _ => stdout = None,
                    }
                }
                count = read(&mut stderr, &mut of_stderr) => {
                    match of_stderr.get(..count) {
                        Some(bytes) if count > 0 => self.take_stderr(bytes),
                        _ => stderr = None,
                    }
                }
            }
        }
    }

    /// False where nothing more of it is wanted.
    async fn take_stdout(&mut self, bytes: &[u8]) -> bool {
        match &mut self.aside {
            None => {
                let logged = self.admit(bytes);
                self.stdout.take(logged);
                true
            }
            Some(Ok(aside)) => match aside.push(bytes).await {
                Ok(()) => true,
                Err(error) => {
                    self.aside = Some(Err(error));
                    false
                }
            },
            Some(Err(_)) => false,
        }
    }

    fn take_stderr(&mut self, bytes: &[u8]) {
        let newest = bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or(bytes);
        self.tail.extend(newest);
        if self.tail.len() > KEPT {
            self.is_cut = true;
            self.tail.drain(..self.tail.len() - KEPT);
        }
        self.is_cut |= newest.len() < bytes.len();
        let logged = self.admit(bytes);
        self.stderr.take(logged);
    }

    /// The part of these bytes that may still be logged.
    fn admit<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        self.total = self.total.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let logged = bytes.get(..self.room).unwrap_or(bytes);
        self.room -= logged.len();
        logged
    }

    /// Logs what has no end of line yet, and returns the last of standard error on one line.
    pub(super) fn finish(mut self) -> String {
        self.stdout.flush();
        self.stderr.flush();
        if self.total > u64::try_from(LOGGED).unwrap_or(u64::MAX) {
            tracing::debug!(truncated = true, bytes = self.total, "handler output");
        }
        let text = String::from_utf8_lossy(self.tail.make_contiguous());
        let cut = if self.is_cut { "…" } else { "" };
        format!("{cut}{}", one_line(text.trim_end()))
    }
}

/// The count of bytes read: 0 at the end, which an error is too. Pending for ever without stream.
async fn read(stream: &mut Option<impl AsyncRead + Unpin>, into: &mut [u8]) -> usize {
    match stream {
        Some(stream) => stream.read(into).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let line = std::mem::take(&mut self.unfinished);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        if !line.is_empty() {
            tracing::debug!(stream = self.stream, line = one_line(line), "handler output");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::logged::logged;
    use tracing::Level;

    #[test]
    fn lines_are_logged_at_debug_up_to_a_bound() {
        let log = logged(Level::DEBUG, async {
            let mut output = Output::new();
            let stdout = format!("one\ntwo\r\n{}", "x".repeat(LOGGED));
            output.drain(Some(stdout.as_bytes()), Some(&b"bad \xff\x1b[1m\n"[..])).await;
            assert_eq!(output.finish(), "bad \u{fffd}\\u{1b}[1m");
        });
        assert!(log.contains("stream=\"stdout\" line=\"one\""), "{log}");
        assert!(log.contains("line=\"two\""));
        assert!(log.contains("truncated=true bytes="));
        assert!(log.len() < LOGGED + 2000);
    }

    #[test]
    fn nothing_of_it_is_logged_at_info() {
        let log = logged(Level::INFO, async {
            let mut output = Output::new();
            output.drain(Some(&b"secret\n"[..]), Some(&b"secret\n"[..])).await;
            assert_eq!(output.finish(), "secret");
        });
        assert_eq!(log, "");
    }

    #[tokio::test]
    async fn the_last_of_stderr_is_kept() {
        let mut output = Output::new();
        let stderr = format!("first\n{}last\n", "é".repeat(10_000));
        output.drain(None::<&[u8]>, Some(stderr.as_bytes())).await;
        let tail = output.finish();
        assert!(tail.starts_with("…") && tail.ends_with("élast"), "{tail}");
        assert!(tail.len() <= KEPT + 6);
    }
}
