//! The settings, resolved: complete, checked, with every default filled in.
//!
//! As written they live in a TOML file, or in the INI of zc.s3uploadqueue. Either becomes one tree
//! (`document`) that is read table by table, key by key (`section`, `file`), so that all
//! mistakes are found at once and each knows its place. A key that a reader does not ask for is
//! unknown: there is no second list of names. Nothing here is an `Option` that means "the default".

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod aws;
mod check;
mod database;
mod document;
mod elsewhere;
mod events;
pub mod env;
mod file;
mod handler;
mod idempotency;
mod ini;
mod iniesta;
mod local;
mod locator;
mod log;
mod mistakes;
pub(crate) mod names;
mod notification;
mod outbox;
mod payload;
mod queue;
mod section;
mod spool;
mod value;
mod zc;
#[cfg(test)]
mod tests;

pub use self::aws::{Aws, Credentials, Secret};
pub use self::database::{DatabaseParts, DatabaseServer, SqlProtocol, SqlTls};
pub use self::elsewhere::{Elsewhere, Reference};
pub(crate) use self::events::route_mistakes;
pub use self::events::{Events, Initialization, region_of_topic, topic_name};
pub use self::handler::{
    Dynamodb, Exec, Handler, Http, IntoSpool, Lambda, LambdaInput, S3, Sns, Sql, Sqs,
};
pub use self::idempotency::{
    DynamodbTable, Idempotency, IdempotencyStore, OnStoreError, RedisServer,
};
pub use self::local::Local;
pub use self::locator::Locator;
pub(crate) use self::locator::parameter_name;
pub use self::log::{Level, Log, LogFormat, LogTarget};
pub use self::mistakes::{Mistake, Mistakes};
pub use self::names::QueueAddress;
pub(crate) use self::names::group as group_name;
pub use self::notification::{Notification, Target};
pub use self::outbox::{Outbox, Outlet};
pub use self::payload::{Payload, Step, Wrapper};
pub use self::queue::{OnUnrouted, Queue};
pub use self::spool::{Destination, Ignore, Spool, Texts};
pub use self::zc::SPOOL as ZC_SPOOL;

use self::document::Document;
use self::elsewhere::Source;
use self::env::Environment;

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
    /// `[aws]`: how to reach AWS for what no spool or queue says.
    pub aws: Aws,
    /// `[events]`: what is announced through a topic and wanted from it.
    pub events: Events,
    /// Nothing is to be done but what `longshore check` does (`INIESTA_DRY_RUN`).
    pub dry_run: bool,
    /// `[spool.NAME]`, by name.
    pub spools: BTreeMap<String, Spool>,
    /// `[outbox.NAME]`, by name: spools whose files become messages.
    pub outboxes: BTreeMap<String, Spool>,
    /// `[queue.NAME]`, by name.
    pub queues: BTreeMap<String, Queue>,
    /// `[notification.NAME]`: what buckets tell queues and topics, by name.
    pub notifications: BTreeMap<String, Notification>,
    /// Nothing starts unless everything that `longshore check` asks AWS is well.
    pub require_checks: bool,
    /// `[idempotency]`: locks and finished ids, for every queue that does not opt out.
    pub idempotency: Option<Idempotency>,
    /// What is no mistake but deserves a warning: options that are not read, a queue read twice.
    pub notes: Vec<String>,
    /// The values that stand in a parameter, an object or a file.
    pub elsewhere: Elsewhere,
}

/// How a settings file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// TOML.
    Toml,
    /// The INI of zc.s3uploadqueue, as Python's `RawConfigParser` reads it.
    Ini,
}

/// Who handles the messages of a queue whose settings name no handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handlers {
    /// Nobody: such a queue is a mistake.
    InSettings,
    /// Functions that the program registers; it must check that each queue has one.
    InCode,
}

/// Where `longshore run` looks for settings when none are named.
pub const SYSTEM_FILE: &str = "/etc/longshore/longshore.toml";

/// A settings file larger than this is some other file.
const LARGEST_FILE: u64 = 16 << 20;

impl Dialect {
    /// INI for `.cfg`, `.ini` and `.conf` in any case, otherwise TOML.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        match extension.to_ascii_lowercase().as_str() {
            "cfg" | "ini" | "conf" => Self::Ini,
            _ => Self::Toml,
        }
    }
}

impl Config {
    /// Reads, resolves and checks a settings file, and the secret files that it names. Values that
    /// stand elsewhere (`ssm://…`) are not read yet: see [`Elsewhere::is_unread`].
    ///
    /// # Errors
    /// Every mistake at once; as an [`crate::error::Error`] they are of `Kind::Settings`.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        Self::load_with(path, Handlers::InSettings)
    }

    /// As [`Config::load`]; with [`Handlers::InCode`] a queue may be without a handler.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn load_with(path: &Path, handlers: Handlers) -> Result<Self, Mistakes> {
        let dialect = Dialect::of(path);
        let bytes = read_file(path).map_err(|wrong| Mistakes::of_file(path, wrong))?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            // Python 2 did not care for what stands in a comment; a value that is used and is
            // not UTF-8 is refused where it is read.
            Err(error) if dialect == Dialect::Ini => {
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            }
            Err(error) => return Err(not_utf8(path, &error)),
        };
        let environment = Environment::read();
        let path = path.to_owned();
        Self::read(Source { text, path, dialect, environment, handlers }, &BTreeMap::new())
    }

    /// As [`Config::load`], from a text; `path` names it in messages.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn parse(text: &str, path: &Path, dialect: Dialect) -> Result<Self, Mistakes> {
        let (text, path) = (text.to_owned(), path.to_owned());
        let (environment, handlers) = (Environment::read(), Handlers::InSettings);
        Self::read(Source { text, path, dialect, environment, handlers }, &BTreeMap::new())
    }

    /// What the environment says without a file, for tools: `[events]` and credentials, no queue and
    /// no spool.
    ///
    /// # Errors
    /// Every wrong variable at once.
    pub fn of_environment() -> Result<Self, Mistakes> {
        let path = Path::new("the environment");
        let document = Document::new("", path, Dialect::Toml, &Environment::read())?;
        let config = Self { file: None, ..file::read(&document) };
        if document.has_mistakes() { Err(document.into_mistakes()) } else { Ok(config) }
    }

    /// `values` are those that stand elsewhere; without them, they are left out.
    fn read(source: Source, values: &BTreeMap<Locator, Secret>) -> Result<Self, Mistakes> {
        let Source { text, path, dialect, environment, .. } = &source;
        let document = Document::new(text, path, *dialect, environment)?.with_values(values);
        let mut config = file::read(&document);
        check::has_work(&config, &document);
        if source.handlers == Handlers::InSettings {
            check::handlers(&config, &document);
            if !document.is_incomplete() {
                events::check_routes(&config, &document);
            }
        }
        if document.has_mistakes() {
            return Err(document.into_mistakes());
        }
        config.elsewhere = Elsewhere::of(&document, source);
        Ok(config)
    }
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> Mistakes {
    let sound = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or(&[]);
    let line = sound.split(|byte| *byte == b'\n').count();
    let message = "not UTF-8 text; save the file as UTF-8".to_owned();
    Mistakes::new(path, vec![Mistake { line, column: 1, message }])
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let about = |error: std::io::Error| {
        let hint = if error.kind() == ErrorKind::NotFound {
            "; name the settings with --config or LONGSHORE_CONFIG"
        } else if error.kind() == ErrorKind::PermissionDenied {
            "; let the user that runs longshore read it"
        } else {
            ""
        };
        format!("{error}{hint}")
    };
    let metadata = std::fs::metadata(path).map_err(about)?;
    if metadata.is_dir() {
        return Err("a directory, not a settings file".to_owned());
    }
    if metadata.len() > LARGEST_FILE {
        return Err("too large for a settings file".to_owned());
    }
    std::fs::read(path).map_err(about)
}

/// The directory of Longshore's own files inside a spool.
pub fn own_directory(spool: &Path) -> PathBuf {
    spool.join(".longshore")
}
