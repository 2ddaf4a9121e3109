//! The settings, resolved: complete, checked, with every default filled in.
//!
//! As written they live in a TOML file (or in the INI of zc.s3uploadqueue); [`Config::load`] reads,
//! resolves and checks them, and reports all mistakes at once. Nothing here is an `Option` that
//! means "the default".

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backoff::Backoff;

/// Everything that one daemon does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from; messages about settings name it.
    pub file: Option<PathBuf>,
    /// What is logged, how and where.
    pub log: Log,
    /// Where `/live`, `/ready` and `/metrics` are served; nowhere unless configured.
    pub listen: Option<SocketAddr>,
    /// How long running work may take to finish after a stop was asked for.
    pub drain_timeout: Duration,
    /// `[spool.NAME]`, by name.
    pub spools: BTreeMap<String, Spool>,
    /// `[queue.NAME]`, by name.
    pub queues: BTreeMap<String, Queue>,
}

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

/// A log level; `Critical` and `NotSet` are Python's, for the settings of zc.s3uploadqueue.
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

/// How to reach AWS: what the settings say, and nothing where the SDK's own chain decides.
///
/// Two spools or queues with equal values share their connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Aws {
    /// The region; else the SDK's chain (environment, profile, instance).
    pub region: Option<String>,
    /// The region when neither the settings nor the SDK's chain knows one.
    pub fallback_region: Option<String>,
    /// The profile in the shared AWS files.
    pub profile: Option<String>,
    /// Explicit credentials; else the SDK's chain.
    pub credentials: Option<Credentials>,
    /// A role to assume with those credentials.
    pub role_arn: Option<String>,
    /// An endpoint for every service; else the SDK's chain.
    pub endpoint_url: Option<String>,
    /// Buckets in the path and not in the host name (`AWS` in 2012, most S3-compatible stores).
    pub path_style: bool,
    /// Set by `--local` alone: nothing but this endpoint is ever asked, whatever profile and
    /// environment say.
    pub sealed: bool,
}

/// Explicit credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// `access_key_id`
    pub access_key_id: String,
    /// `secret_access_key`, or the contents of `secret_access_key_file`
    pub secret_access_key: Secret,
    /// `session_token`, or the contents of `session_token_file`
    pub session_token: Option<Secret>,
}

/// A text that no log, page or `Debug` output may show.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; for the one place that must send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"…\"")
    }
}

/// `[spool.NAME]`: a directory whose files land in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Where programs drop files.
    pub directory: PathBuf,
    /// The bucket they land in.
    pub bucket: String,
    /// How to reach it.
    pub aws: Aws,
    /// How many files are uploaded at the same time.
    pub threads: usize,
    /// How often the directory is read anew where no event has said so.
    pub poll_interval: Duration,
    /// How long a file must have been left alone before it is taken.
    pub min_age: Duration,
    /// Which names are not taken.
    pub ignore: Ignore,
    /// The delay after a failed upload of one file.
    pub retry: Backoff,
    /// Where files with a fault of their own go; `.longshore/quarantine` of `directory` by default.
    pub quarantine_directory: PathBuf,
    /// How many bytes of file contents may be held in memory at the same time.
    pub buffer: u64,
    /// Which words the log uses.
    pub texts: Texts,
}

/// Which names a spool leaves alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignore {
    /// Names that editors, copy tools and network file systems use for files that are not
    /// finished, plus these patterns (`*` and `?`).
    Temporary(Vec<String>),
    /// None: every regular file is taken, as zc.s3uploadqueue does.
    Nothing,
}

/// Which words the log uses for the steps of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// Longshore's own.
    Longshore,
    /// Those of zc.s3uploadqueue, for operators who watch for them.
    Zc,
}

/// `[queue.NAME]`: a queue whose messages go to handlers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The queue's name, URL or ARN.
    pub queue: String,
    /// How to reach it.
    pub aws: Aws,
    /// How many messages are handled at the same time.
    pub concurrency: usize,
    /// The lease on a received message; nothing where the queue's own visibility timeout decides.
    pub visibility_timeout: Option<Duration>,
    /// How long a receive waits for messages.
    pub wait_time: Duration,
    /// How many messages one receive may bring, 1 to 10.
    pub max_messages: usize,
    /// The message attributes to ask for.
    pub attributes: Vec<String>,
    /// The system attributes to ask for.
    pub system_attributes: Vec<String>,
    /// The message attribute that names the event.
    pub event_key: String,
    /// The delay before a failed message comes again.
    pub retry: Backoff,
    /// How long one run of a handler may take.
    pub handler_timeout: Duration,
    /// Where rejected messages go; else the queue's own redrive policy decides.
    pub dead_letter_queue: Option<String>,
    /// The directory for rejected messages.
    pub set_aside: Option<PathBuf>,
    /// The handler of every message that no route takes.
    pub handler: Option<Handler>,
    /// Handlers by event: an exact name, or a prefix written `Order*`.
    pub routes: BTreeMap<String, Handler>,
}

/// `[queue.NAME.handler.KIND]`: what is done with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// Run a program.
    Exec(Exec),
    /// POST to an endpoint.
    Http(Http),
    /// Print it on standard output.
    Print,
}

/// `[….handler.exec]`: run a program with the body as its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// The program and its arguments; no shell.
    pub command: Vec<String>,
    /// Names of environment variables that it inherits besides `PATH`, `HOME`, `LANG`, `LC_*`,
    /// `TZ` and `TMPDIR`.
    pub environment: Vec<String>,
    /// Its working directory; else that of the daemon.
    pub directory: Option<PathBuf>,
}

/// `[….handler.http]`: POST the body to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where to.
    pub url: String,
    /// The `Content-Type`.
    pub content_type: String,
}

/// Where `longshore run` looks for settings when none are named.
pub const SYSTEM_FILE: &str = "/etc/longshore/longshore.toml";

impl Log {
    /// What is used before the settings are read.
    pub const DEFAULT: Self =
        Self { level: Level::Info, format: LogFormat::Text, target: LogTarget::Stderr };
}

/// The directory of Longshore's own files inside a spool.
pub fn own_directory(spool: &Path) -> PathBuf {
    spool.join(".longshore")
}
