//! What is told to the person at the terminal. A closed pipe is no reason to fail.

use std::fmt;
use std::io::{self, Write};

use longshore::error::{Error, Kind, Result};

/// One line on standard output.
pub(crate) fn line(text: impl fmt::Display) {
    writeln!(io::stdout().lock(), "{text}").ok();
}

/// Bytes on standard output that somebody relies on; false where nobody reads them any more.
pub(crate) fn bytes(bytes: &[u8]) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::new(Kind::File, "writing to standard output").because(error)),
    }
}

/// One line on standard output that must not be lost.
///
/// # Errors
/// Where it could not be written.
pub(crate) fn written(text: impl fmt::Display) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::new(Kind::File, "writing to standard output").because(error))
}

/// What a person should know besides, on standard error.
pub(crate) fn note(text: impl fmt::Display) {
    writeln!(io::stderr().lock(), "longshore: {text}").ok();
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
