//! What is told to the person at the terminal. A closed pipe is no reason to fail.

use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use longshore::error::{Error, Kind, Result};

/// The first line that did not reach standard output, and why.
static LOST: OnceLock<io::Error> = OnceLock::new();
/// Whether nobody wants to know what is waited for.
static QUIET: AtomicBool = AtomicBool::new(false);

/// One line on standard output. The work goes on where it cannot be written; [`lost`] tells of it.
pub(crate) fn line(text: impl fmt::Display) {
    if let Err(error) = writeln!(io::stdout().lock(), "{text}") {
        LOST.set(error).ok();
    }
}

/// Why a line did not reach standard output, once there was one that somebody wanted to read.
pub(crate) fn lost() -> Option<Error> {
    LOST.get().filter(|error| error.kind() != io::ErrorKind::BrokenPipe).map(unwritten)
}

/// Bytes on standard output that somebody relies on; false where nobody reads them any more.
pub(crate) fn bytes(bytes: &[u8]) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(unwritten(&error)),
    }
}

fn unwritten(error: &io::Error) -> Error {
    Error::new(Kind::File, "writing to standard output").because(error.to_string())
}

/// What a person should know besides, on standard error.
pub(crate) fn note(text: impl fmt::Display) {
    writeln!(io::stderr().lock(), "longshore: {text}").ok();
}

/// What is waited for, on standard error, unless it is to be quiet.
pub(crate) fn waiting(text: impl fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        note(text);
    }
}

/// What is waited for is told no more.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// What went wrong, on standard error.
pub(crate) fn error(error: &Error) {
    let text = error.to_string();
    let mut stderr = io::stderr().lock();
    // The mistakes of a settings file are a line each, and each names its place.
    if text.contains('\n') {
        writeln!(stderr, "{text}").ok();
    } else {
        writeln!(stderr, "longshore: {text}").ok();
    }
}

/// Help, version or a usage error, where clap wants it.
pub(crate) fn clap(error: &clap::Error) {
    error.print().ok();
}
