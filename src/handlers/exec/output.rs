//! What a command writes: always drained, so that it never blocks on a full pipe, and never kept
//! beyond two bounds, so that a flood costs no memory.
//!
//! The first [`LOGGED`] bytes of a run go to the log at debug, line by line; the last [`KEPT`]
//! bytes of standard error go into the reason of a failure. Where standard output is data, it is
//! held aside instead, and nothing of it is logged.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::{Error, Kind, Result};
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
                read = read(&mut stdout, &mut of_stdout) => {
                    let goes_on = match read {
                        Ok(bytes) if !bytes.is_empty() => self.take_stdout(bytes).await,
                        Ok(_) => false,
                        Err(error) => {
                            self.break_off(error);
                            false
                        }
                    };
                    if !goes_on {
                        stdout = None;
                    }
                }
                read = read(&mut stderr, &mut of_stderr) => match read {
                    Ok(bytes) if !bytes.is_empty() => self.take_stderr(bytes),
                    Ok(_) | Err(_) => stderr = None,
                },
            }
        }
    }

    /// What is data must not be taken for whole.
    fn break_off(&mut self, error: io::Error) {
        if let Some(aside) = &mut self.aside {
            let what = "reading what the command writes";
            *aside = Err(Error::new(Kind::File, what).because(error));
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

/// What was read: nothing at the end. Pending for ever without a stream.
async fn read<'a>(
    stream: &mut Option<impl AsyncRead + Unpin>,
    into: &'a mut [u8],
) -> io::Result<&'a [u8]> {
    let Some(stream) = stream else { return std::future::pending().await };
    let count = stream.read(into).await?;
    Ok(into.get(..count).unwrap_or_default())
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
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;
    use tracing::Level;

    use super::*;
    use crate::flow::blocking::Blocking;
    use crate::handler::logged::logged;

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

    #[tokio::test]
    async fn data_that_breaks_off_is_not_taken_for_whole() {
        struct Broken;
        impl AsyncRead for Broken {
            fn poll_read(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Poll::Ready(Err(io::Error::other("no such luck")))
            }
        }
        let mut output = Output::holding(Aside::new(100, Blocking::new(1)));
        output.drain(Some((&b"one\n"[..]).chain(Broken)), None::<&[u8]>).await;
        let error = output.take_aside().unwrap().unwrap_err();
        assert!(error.to_string().contains("no such luck"), "{error}");
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
