//! The log: lines for people, or one JSON document a line.
//!
//! A line of text is never more than one line: whatever a file's name or an error holds, control
//! characters are written as escapes, and a value with spaces stands in quotes.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use self::line::{Fields, Line};
use crate::config::{self, Level, LogFormat, LogTarget};
use crate::error::{Error, Kind, Result};
use crate::units;

mod line;
#[cfg(test)]
mod tests;

/// Whose own words matter only when something is wrong: the SDK logs every request at DEBUG, and
/// would drown ours. Beginnings of targets.
const QUIET: [&str; 12] = [
    "aws_config",
    "aws_credential_types",
    "aws_runtime",
    "aws_sdk",
    "aws_sigv4",
    "aws_smithy",
    "h2",
    "hyper",
    "reqwest",
    "rustack",
    "rustls",
    "s3s",
];

/// Time stamps in UTC, to the millisecond.
#[derive(Debug)]
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&units::utc(SystemTime::now()))
    }
}

/// What starting the log gave.
#[derive(Debug)]
pub struct Started {
    /// False where the program that embeds Longshore has a log already; it is left alone.
    pub ours: bool,
}

/// Starts the log of this process, for good: it cannot be stopped or started again.
///
/// `LONGSHORE_LOG` stands over the configured level, in the syntax of `EnvFilter`: `debug`, or
/// `warn,longshore::queue=trace`.
///
/// # Errors
/// [`Kind::Settings`] where the file cannot be opened or `LONGSHORE_LOG` is not understood.
pub fn start(log: &config::Log) -> Result<Started> {
    let over = config::env::value(config::env::LOG);
    let over = over.map(|over| over.to_string_lossy().into_owned());
    let filter = filter(log.level, over.as_deref())?;
    let (writer, ansi) = match &log.target {
        LogTarget::Stderr => (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()),
        LogTarget::Stdout => (BoxMakeWriter::new(io::stdout), io::stdout().is_terminal()),
        LogTarget::File(path) => (BoxMakeWriter::new(Arc::new(open(path)?)), false),
    };
    let ours = match log.format {
        LogFormat::Text => tracing::subscriber::set_global_default(text(filter, writer, ansi)),
        LogFormat::Json => tracing::subscriber::set_global_default(json(filter, writer)),
    };
    Ok(Started { ours: ours.is_ok() })
}

fn open(path: &Path) -> Result<std::fs::File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
        Error::new(Kind::Settings, format!("opening the log file {}", path.display()))
            .because(error)
            .hint("change [log] target, or make its directory writable")
    })
}

/// Everything at the level, the talkative ones at WARN at most, and then what `over` says.
fn filter(level: Level, over: Option<&str>) -> Result<EnvFilter> {
    let over = over.unwrap_or_default().split(',').map(str::trim);
    let over: Vec<&str> = over.filter(|directive| !directive.is_empty()).collect();
    let bare = over.iter().rev().find_map(|directive| directive.parse::<LevelFilter>().ok());
    let level = bare.unwrap_or(match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    });
    let quiet = level.min(LevelFilter::WARN);
    let mut directives = vec![level.to_string()];
    directives.extend(QUIET.iter().map(|target| format!("{target}={quiet}")));
    // A later directive of the same target replaces an earlier one.
    directives.extend(over.iter().map(|&directive| directive.to_owned()));
    EnvFilter::builder().parse(directives.join(",")).map_err(|error| {
        Error::new(Kind::Settings, format!("{} is not understood", config::env::LOG))
            .because(error)
            .hint("write a level, or TARGET=LEVEL pairs like warn,longshore::queue=debug")
    })
}

fn text<W>(filter: EnvFilter, writer: W, ansi: bool) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(ansi)
        .with_writer(writer)
        .fmt_fields(Fields)
        .event_format(Line)
        .finish()
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_timer(Utc)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}
