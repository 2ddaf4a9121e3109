//! `[log]`: what is logged, how and where.

use std::path::PathBuf;

use super::section::Section;

/// What is logged, how and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The least level that is logged.
    pub level: Level,
    /// Text for people or one JSON document a line.
    pub format: LogFormat,
    /// Standard error, standard output or a file that is appended to.
    pub target: LogTarget,
}

/// The least level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Text for people or one JSON document a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogFormat {
    Text,
    Json,
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file that is appended to.
    File(PathBuf),
}

impl Log {
    /// What is used before the settings are read.
    pub const DEFAULT: Self =
        Self { level: Level::Info, format: LogFormat::Text, target: LogTarget::Stderr };

    pub(super) fn read(mut section: Section<'_>) -> Self {
        let log = Self {
            level: section.formed("level", Level::read).unwrap_or(Self::DEFAULT.level),
            format: section.formed("format", format).unwrap_or(Self::DEFAULT.format),
            target: section.formed("target", target).unwrap_or(Self::DEFAULT.target),
        };
        section.finish();
        log
    }
}

impl Level {
    /// Reads a level in any case: ours, or one of Python's.
    ///
    /// Nothing of ours is as grave as Python's `CRITICAL`, so that level silences the log, as it
    /// did in zc.s3uploadqueue.
    ///
    /// # Errors
    /// Names the levels there are.
    pub fn read(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "off" | "critical" | "fatal" => Ok(Self::Off),
            "error" => Ok(Self::Error),
            "warn" | "warning" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" | "notset" => Ok(Self::Trace),
            _ => Err(format!(
                "{text:?} is no level; allowed: off, error, warn, info, debug, trace, and Python's \
                 CRITICAL, ERROR, WARNING, INFO, DEBUG, NOTSET"
            )),
        }
    }

    /// Its name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

fn format(text: &str) -> Result<LogFormat, String> {
    match text.to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is no format; allowed: text, json")),
    }
}

fn target(text: &str) -> Result<LogTarget, String> {
    match text {
        "" => Err("empty; write stderr, stdout or the path of a file".to_owned()),
        "stderr" => Ok(LogTarget::Stderr),
        "stdout" => Ok(LogTarget::Stdout),
        path if path.contains('/') => Ok(LogTarget::File(PathBuf::from(path))),
        other => {
            Err(format!("{other:?} is neither stderr, stdout nor a path; a file here is ./{other}"))
        }
    }
}
