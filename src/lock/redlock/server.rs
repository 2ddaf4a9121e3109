//! One Redis server: a connection that all share, made when it is needed and made anew when it
//! breaks. No call takes longer than two seconds, and a server that is away is tried again by
//! backoff, whoever asks.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisResult, Script, Value,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::config::RedisServer;
use crate::error::{Error, Kind, Result};

/// What a call may take, connecting included.
const ANSWER: Duration = Duration::from_secs(2);
/// What it may take until a command is on its way.
const SENDING: Duration = Duration::from_millis(500);
const MOMENT: Duration = Duration::from_millis(50);
const RECONNECT: Backoff = Backoff::doubling(Duration::from_millis(50), Duration::from_secs(1));

const LOGIN: &str = "name its password with password_file or servers_file in [idempotency]";
const ALLOW: &str = "allow its user ~sqs:* with +eval +evalsha +script|load +get +set +del +exists \
                     +pttl +pexpire +info";

/// Takes a lock that nobody has, or that is ours; else says for how many milliseconds it is
/// somebody else's. -1: it is ours.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
         if not held or held == ARGV[1] then
             redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
             return -1
         end
         return math.max(redis.call('PTTL', KEYS[1]), 0)",
    )
});
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then
             return redis.call('PEXPIRE', KEYS[1], ARGV[2])
         end
         return 0",
    )
});
/// Sent whole each time: whoever gives up waiting could not send it to a server that asks for it.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then
                           return redis.call('DEL', KEYS[1])
                       end
                       return 0";

/// A server. Clones share its connection.
#[derive(Clone)]
pub(in crate::lock) struct Server(Arc<Inner>);

struct Inner {
    /// Its URL, without the password.
    shown: String,
    client: redis::Client,
    line: Mutex<Line>,
    /// Connections made since the last answer.
    failures: AtomicU32,
}

/// The connection, or when the next one may be tried.
#[derive(Default)]
struct Line {
    connection: Option<MultiplexedConnection>,
    /// Which connection it is, so that nobody throws away a newer one.
    number: u64,
    not_before: Option<Instant>,
    /// Why there is none.
    why: Option<RedisError>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.0.shown).finish()
    }
}

impl Server {
    pub(in crate::lock) fn new(settings: &RedisServer) -> Result<Self> {
        let shown = settings.to_string();
        let host = settings.host.clone();
        let address = if settings.tls {
            // Another part of the process may have installed it already, which is as good.
            let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
            ConnectionAddr::TcpTls { host, port: settings.port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, settings.port)
        };
        let mut login = RedisConnectionInfo::default().set_db(i64::from(settings.database));
        if let Some(username) = &settings.username {
            login = login.set_username(username);
        }
        if let Some(password) = &settings.password {
            login = login.set_password(password.reveal());
        }
        let client = address
            .into_connection_info()
            .and_then(|info| redis::Client::open(info.set_redis_settings(login)))
            .map_err(|error| Error::new(Kind::Settings, format!("using {shown}")).because(error))?;
        Ok(Self(Arc::new(Inner {
            shown,
            client,
            line: Mutex::default(),
            failures: AtomicU32::new(0),
        })))
    }

    /// Its URL, without the password.
    pub(in crate::lock) fn shown(&self) -> &str {
        &self.0.shown
    }

    /// Nothing where the lock is ours now, else for how long it is somebody else's.
    pub(super) async fn take(
        &self,
        key: &str,
        token: &str,
        lease: Duration,
    ) -> Result<Option<Duration>> {
        let millis = millis(lease);
        let take = |mut line: MultiplexedConnection| async move {
            TAKE.key(key).arg(token).arg(millis).invoke_async(&mut line).await
        };
        // A server that only hangs grants it when it goes on, and hears this next.
        let left: i64 = self.call_or("locking", take, Some(release(key, token))).await?;
        Ok(u64::try_from(left).ok().map(Duration::from_millis))
    }

    /// True where the lock was still ours.
    pub(super) async fn renew(&self, key: &str, token: &str, lease: Duration) -> Result<bool> {
        let millis = millis(lease);
        self.call("renewing a lock", |mut line| async move {
            RENEW.key(key).arg(token).arg(millis).invoke_async(&mut line).await
        })
        .await
    }

    /// True where the lock was still ours.
    pub(super) async fn release(&self, key: &str, token: &str) -> Result<bool> {
        self.call("releasing a lock", |mut line| async move {
            release(key, token).query_async(&mut line).await
        })
        .await
    }

    pub(super) async fn finish(&self, key: &str, keep: Duration) -> Result<()> {
        let millis = millis(keep);
        self.call("noting a finished id", |mut line| async move {
            redis::cmd("SET")
                .arg(key)
                .arg("done")
                .arg("PX")
                .arg(millis)
                .query_async(&mut line)
                .await
        })
        .await
    }

    pub(super) async fn is_finished(&self, key: &str) -> Result<bool> {
        self.call("looking for a finished id", |mut line| async move {
            redis::cmd("EXISTS").arg(key).query_async(&mut line).await
        })
        .await
    }

    /// What the server says of itself, one `name:value` a line.
    pub(in crate::lock) async fn info(&self) -> Result<String> {
        self.call("reading the INFO of the server", |mut line| async move {
            redis::cmd("INFO").query_async(&mut line).await
        })
        .await
    }

    async fn call<T, F>(&self, doing: &str, ask: impl Fn(MultiplexedConnection) -> F) -> Result<T>
    where
        T: FromRedisValue,
        F: Future<Output = RedisResult<T>>,
    {
        self.call_or(doing, ask, None).await
    }

    /// The same; where no answer comes in time, this is said on the same connection before it is
    /// thrown away.
    async fn call_or<T, F>(
        &self,
        doing: &str,
        ask: impl Fn(MultiplexedConnection) -> F,
        last_word: Option<Cmd>,
    ) -> Result<T>
    where
        T: FromRedisValue,
        F: Future<Output = RedisResult<T>>,
    {
        let mut number = None;
        let answer = timeout(ANSWER, async {
            let line = self.line(&mut number).await?;
            match ask(line).await {
                // The server may have been restarted since the last call. All that is asked here
                // may be asked twice.
                Err(error) if error.is_unrecoverable_error() => self.hang_up(number, error).await,
                answer => return answer,
            }
            ask(self.line(&mut number).await?).await
        })
        .await;
        let what = || format!("{doing} at {}", self.0.shown);
        match answer {
            Ok(Ok(value)) => {
                self.0.failures.store(0, Ordering::Relaxed);
                Ok(value)
            }
            Ok(Err(error)) => {
                if error.is_unrecoverable_error() {
                    self.hang_up(number, error.clone()).await;
                }
                Err(fault(what(), error))
            }
            Err(_) => {
                if let Some(last_word) = last_word {
                    self.say(number, &last_word).await;
                }
                self.hang_up(number, no_answer()).await;
                Err(fault(what(), no_answer()))
            }
        }
    }

    /// The shared connection; made where there is none, but not sooner than backoff allows.
    async fn line(&self, number: &mut Option<u64>) -> RedisResult<MultiplexedConnection> {
        let mut line = self.0.line.lock().await;
        *number = Some(line.number);
        if let Some(connection) = &line.connection {
            return Ok(connection.clone());
        }
        let now = Instant::now();
        let sick = self.0.failures.load(Ordering::Relaxed) > 0;
        if sick && line.not_before.is_some_and(|at| at > now) {
            return Err(line.why.clone().unwrap_or_else(no_answer));
        }
        // Noted first: whoever gives up waiting drops this midway.
        let tries = self.0.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        line.not_before = Some(now + RECONNECT.delay(tries, fastrand::f64()));
        line.why = Some(no_answer());
        // The time that the whole call may take bounds it.
        let settings =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        match self.0.client.get_multiplexed_async_connection_with_config(&settings).await {
            Ok(connection) => {
                line.connection = Some(connection.clone());
                line.number += 1;
                *number = Some(line.number);
                Ok(connection)
            }
            Err(error) => {
                line.why = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Sends a command to a server that does not answer.
    async fn say(&self, number: Option<u64>, command: &Cmd) {
        let Ok(line) = timeout(MOMENT, self.0.line.lock()).await else { return };
        let connection = line.connection.clone().filter(|_| Some(line.number) == number);
        drop(line);
        if let Some(mut connection) = connection {
            let _answer = timeout(SENDING, command.query_async::<Value>(&mut connection)).await;
        }
    }

    /// Throws the connection away, unless there is a newer one.
    async fn hang_up(&self, number: Option<u64>, why: RedisError) {
        // Whoever holds it for longer is making a new connection.
        let Ok(mut line) = timeout(MOMENT, self.0.line.lock()).await else { return };
        if Some(line.number) == number {
            line.connection = None;
            line.why = Some(why);
        }
    }
}

fn release(key: &str, token: &str) -> Cmd {
    let mut release = redis::cmd("EVAL");
    release.arg(RELEASE).arg(1).arg(key).arg(token);
    release
}

fn no_answer() -> RedisError {
    (ErrorKind::Io, "no answer within 2 s").into()
}

fn fault(what: String, error: RedisError) -> Error {
    let (kind, hint) = match error.code() {
        Some("NOAUTH" | "WRONGPASS") => (Kind::Credentials, LOGIN),
        Some("NOPERM") => (Kind::Denied, ALLOW),
        Some("READONLY") => (Kind::Denied, "name the primary, not a replica"),
        Some("LOADING" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN") => (Kind::Transient, ""),
        _ if error.kind() == ErrorKind::AuthenticationFailed => (Kind::Credentials, LOGIN),
        _ if error.is_io_error() => (Kind::Unreachable, ""),
        _ => (Kind::Invalid, ""),
    };
    let error = Error::new(kind, what).because(error);
    if hint.is_empty() { error } else { error.hint(hint) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
