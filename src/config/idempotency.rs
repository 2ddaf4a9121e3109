//! `[idempotency]`: where locks on messages and the ids of finished ones are kept.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use reqwest::Url;

use super::aws::{Aws, Secret, Written};
use super::section::Section;
use super::{env, iniesta, names};

/// `[idempotency]`: one handler at a time for each message, among all daemons that use one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Where locks and finished ids lie.
    pub store: IdempotencyStore,
    /// How long a lock stands unless it is renewed.
    pub lock_timeout: Duration,
    /// How often a lock is asked for before its message is given back.
    pub lock_attempts: u32,
    /// What becomes of messages while the store is away.
    pub on_store_error: OnStoreError,
}

/// Where locks and finished ids lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyStore {
    /// In the memory of one worker.
    Memory,
    /// In one Redis server, or in several that know nothing of each other.
    Redis(Vec<RedisServer>),
    /// In one table of DynamoDB.
    Dynamodb(DynamodbTable),
}

/// A table of DynamoDB, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamodbTable {
    /// Its name.
    pub name: String,
    /// The keys of `[idempotency]` over those of `[aws]`.
    pub aws: Aws,
}

/// What becomes of messages while the store is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStoreError {
    /// Polling stops until the store is back; no message is judged.
    Retry,
    /// Messages are handled without lock and deleted without finished id.
    Proceed,
}

/// A Redis server, and how to log in to it. Shown without its password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedisServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// True for `rediss://`.
    pub tls: bool,
    /// The number of the database.
    pub database: u32,
    /// The name of an ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// A lock of less than this could not be renewed in time.
const SHORTEST_LOCK: Duration = Duration::from_secs(1);
/// Keys that mean nothing to the other stores.
const OF_REDIS: [&str; 3] = ["servers", "servers_file", "password_file"];
const OF_DYNAMODB: [&str; 11] = [
    "table",
    "region",
    "profile",
    "access_key_id",
    "secret_access_key",
    "secret_access_key_file",
    "session_token",
    "session_token_file",
    "role_arn",
    "endpoint_url",
    "path_style",
];
const REDIS_PORT: u16 = 6379;
/// More of them only cost time.
const MOST_SERVERS: usize = 15;

impl fmt::Display for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        write!(f, "{scheme}://{}:{}/{}", self.written_host(), self.port, self.database)
    }
}

impl RedisServer {
    /// The host as URLs write it.
    fn written_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Reads `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS.
    ///
    /// # Errors
    /// Says what is wrong, never repeating the text, which may hold a password.
    pub fn read(text: &str) -> Result<Self, String> {
        let form = "it looks like redis://HOST:6379/0, or rediss:// for TLS";
        let wrong = |what: &str| format!("a server's URL {what}; {form}");
        let url = Url::parse(text).map_err(|error| wrong(&format!("is none: {error}")))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(wrong("begins with neither redis:// nor rediss://")),
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("names no host"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a ? or # part"));
        }
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| wrong("ends in something else than a number"))?,
        };
        let decoded = |text: &str| {
            let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
            decoded.map(std::borrow::Cow::into_owned).map_err(|_| wrong("is not UTF-8"))
        };
        let username = Some(url.username()).filter(|name| !name.is_empty());
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(REDIS_PORT),
            tls,
            database,
            username: username.map(decoded).transpose()?,
            password: url.password().map(decoded).transpose()?.map(Secret::new),
        })
    }
}

impl Idempotency {
    /// Settings with the default of every key that has one.
    pub const fn new(store: IdempotencyStore) -> Self {
        Self {
            store,
            lock_timeout: Duration::from_secs(10),
            lock_attempts: 1,
            on_store_error: OnStoreError::Retry,
        }
    }

    /// Nothing where the table is not written, or names no store.
    pub(super) fn read(mut section: Section<'_>, base: &Written) -> Option<Self> {
        let kind = section.formed("store", store);
        let servers = servers(&mut section);
        let table = section.formed("table", names::table);
        let aws = Written::read(&mut section);
        let timeouts = SHORTEST_LOCK..=Duration::from_hours(1);
        let document = section.document;
        let lock_timeout =
            section.duration("lock_timeout", timeouts).or_else(|| iniesta::lock_timeout(document));
        let lock_attempts = section
            .whole("lock_attempts", 1..=100)
            .or_else(|| iniesta::whole(document, iniesta::LOCK_ATTEMPTS, 1..=100));
        let on_store_error = section.formed("on_store_error", on_store_error);
        if section.is_written() && !section.has("store") {
            section.missing(
                "store",
                "\"redis\" (or \"dynamodb\", or \"memory\" for one daemon alone)",
            );
        }
        for (owner, keys) in [("redis", &OF_REDIS[..]), ("dynamodb", &OF_DYNAMODB[..])] {
            let foreign = |key: &&&str| kind.is_some_and(|kind| kind != owner) && section.has(key);
            for key in keys.iter().filter(foreign) {
                section.blame(key, format!("{key} is for store = \"{owner}\""));
            }
        }
        let store = match kind {
            Some("redis") => {
                if !section.has("servers") && !section.has("servers_file") {
                    section.missing("servers", "[\"redis://127.0.0.1:6379\"]");
                }
                Some(IdempotencyStore::Redis(servers))
            }
            Some("dynamodb") => {
                if !section.has("table") {
                    section.missing("table", "\"longshore\"");
                }
                let aws = aws.over(base).resolve();
                Some(IdempotencyStore::Dynamodb(DynamodbTable {
                    name: table.unwrap_or_default(),
                    aws,
                }))
            }
            Some(_) => Some(IdempotencyStore::Memory),
            None => None,
        };
        section.finish();
        let default = Self::new(store?);
        Some(Self {
            lock_timeout: lock_timeout.unwrap_or(default.lock_timeout),
            lock_attempts: lock_attempts
                .and_then(|attempts| attempts.try_into().ok())
                .unwrap_or(default.lock_attempts),
            on_store_error: on_store_error.unwrap_or(default.on_store_error),
            ..default
        })
    }

    /// The table, where it is DynamoDB that keeps them.
    pub const fn table(&self) -> Option<&DynamodbTable> {
        match &self.store {
            IdempotencyStore::Dynamodb(table) => Some(table),
            IdempotencyStore::Memory | IdempotencyStore::Redis(_) => None,
        }
    }

    /// The servers that are not this host.
    pub(super) fn beyond_this_host(&self) -> impl Iterator<Item = &RedisServer> {
        let servers = match &self.store {
            IdempotencyStore::Memory | IdempotencyStore::Dynamodb(_) => &[][..],
            IdempotencyStore::Redis(servers) => servers,
        };
        let is_near = |server: &RedisServer| {
            names::is_loopback(&format!("http://{}/", server.written_host()))
        };
        servers.iter().filter(move |&server| !is_near(server))
    }

    /// Servers of the same host and port: all of them go down together.
    pub(super) fn shared_host(&self) -> Option<String> {
        let IdempotencyStore::Redis(servers) = &self.store else { return None };
        let mut seen = BTreeSet::new();
        let twice = servers.iter().find(|server| !seen.insert((&server.host, server.port)))?;
        Some(format!("{}:{}", twice.host, twice.port))
    }
}

fn store(text: &str) -> Result<&'static str, String> {
    match text {
        "redis" => Ok("redis"),
        "dynamodb" => Ok("dynamodb"),
        "memory" => Ok("memory"),
        _ => Err(format!("{text:?} is no store; there are redis, dynamodb and memory")),
    }
}

fn on_store_error(text: &str) -> Result<OnStoreError, String> {
    match text {
        "retry" => Ok(OnStoreError::Retry),
        "proceed" => Ok(OnStoreError::Proceed),
        _ => Err(format!("{text:?} is neither retry nor proceed")),
    }
}

fn servers(section: &mut Section<'_>) -> Vec<RedisServer> {
    let with_password = |text: &str| RedisServer::read(text).map(|_| text.to_owned());
    let written = section.placed_list("servers", without_password, with_password);
    let file = secret_file(section, "servers_file");
    let password = secret_file(section, "password_file");
    if section.has("servers") && section.has("servers_file") {
        section.blame("servers_file", "servers and servers_file say the same thing; keep one");
    }
    let mut servers: Vec<RedisServer> =
        written.iter().flatten().filter_map(|text| RedisServer::read(text).ok()).collect();
    let lines = file.as_ref().map(Secret::reveal).unwrap_or_default().lines();
    for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
        match RedisServer::read(line) {
            Ok(server) => servers.push(server),
            Err(wrong) => section.blame("servers_file", format!("servers_file: {wrong}")),
        }
    }
    for server in &mut servers {
        server.password = server.password.take().or_else(|| password.clone());
    }
    let key = if section.has("servers") { "servers" } else { "servers_file" };
    let mut seen = BTreeSet::new();
    if let Some(twice) = servers.iter().find(|server| !seen.insert(server.to_string())) {
        section.blame(key, format!("{key}: {twice} stands there twice"));
    }
    if servers.len() > MOST_SERVERS {
        section.blame(key, format!("{key}: more than {MOST_SERVERS} servers"));
    }
    let is_empty = written.as_ref().is_some_and(Vec::is_empty) && file.is_none();
    if servers.is_empty() && section.has(key) && is_empty {
        section.blame(key, format!("{key}: no server"));
    }
    servers
}

/// A password in the settings themselves would be seen by whoever may read them.
fn without_password(text: &str) -> Result<String, String> {
    let server = RedisServer::read(text)?;
    if server.password.is_some() {
        return Err(format!(
            "the URL of {server} holds a password; write the URL as ssm://NAME, or put the URLs \
             into a servers_file, or the password into a password_file"
        ));
    }
    Ok(text.to_owned())
}

fn secret_file(section: &mut Section<'_>, key: &'static str) -> Option<Secret> {
    let file = section.path_of(key)?;
    let secret = env::secret(&file, &section.document.environment);
    secret.map_err(|wrong| section.blame(key, format!("{key}: {wrong}"))).ok()
}
