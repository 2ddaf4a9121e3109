//! Connections to one database: made when they are needed, kept while idle, and never used again
//! after a statement or a transaction that was left in its middle.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fault::{Somebody, fault, met, no_answer};
use super::statement::Statement;
use crate::config::{DatabaseServer, Secret, SqlProtocol, SqlTls};
use crate::error::{Error, Kind, Result};

/// A database counts its connections; more of them wait here for their turn.
const MOST_CONNECTIONS: usize = 10;
/// How long a connection may take, TLS and login included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a statement may take. Waits for locks end sooner, by `lock_timeout` and its like: a server
/// goes on with a statement that we have given up.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the first row of an answer, or the next one, may take.
pub(super) const ROW_TIMEOUT: Duration = Duration::from_mins(10);

/// How a certificate begins in a file.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Bad data is an error and never a warning; zero is a value and not "the next number".
const MYSQL_SESSION: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,\
                             ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,\
                             NO_AUTO_VALUE_ON_ZERO'";
/// What another writer has committed meanwhile must be seen when the rows of a chunk are counted.
const MYSQL_ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
/// Locks on rows, and on a table that is being altered. In seconds; the default of the second is a
/// day.
const MYSQL_LOCKS: &str = "SET SESSION innodb_lock_wait_timeout = 10, lock_wait_timeout = 10";
/// The same; its default is for ever.
const POSTGRES_SESSION: &str = "SET TIME ZONE 'UTC'; SET lock_timeout = '10s'";
/// Once somebody has been waited for so long.
const MYSQL_BRIEF: &str = "SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 1";
const POSTGRES_BRIEF: &str = "SET lock_timeout = '1s'";

/// One connection, of either kind.
#[derive(Debug)]
pub(super) enum Line {
    MySql(MySqlConnection),
    Postgres(PgConnection),
}

/// The connections to one server.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) server: DatabaseServer,
    idle: Mutex<Vec<Line>>,
    turns: Arc<Semaphore>,
}

/// A connection in use. Dropped in the middle of something, it is closed, and the server takes back
/// what was not committed.
#[derive(Debug)]
pub(super) struct Session<'s> {
    sessions: &'s Sessions,
    line: Option<Line>,
    /// Nothing is under way: neither a statement nor a transaction.
    at_rest: bool,
    /// It waits for locks not as long as others do.
    is_brief: bool,
    /// Somebody else who ended a statement, and of whom nobody has taken note.
    met: Option<Somebody>,
    _turn: OwnedSemaphorePermit,
}

impl Sessions {
    pub(super) fn new(server: DatabaseServer) -> Self {
        let turns = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        Self { server, idle: Mutex::new(Vec::new()), turns }
    }

    /// A connection that answers: an idle one, or a new one.
    pub(super) async fn take(&self) -> Result<Session<'_>> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|closed| {
            Error::new(Kind::Bug, "the connections of a database are closed").because(closed)
        })?;
        let session = |line| Session {
            sessions: self,
            line: Some(line),
            at_rest: true,
            is_brief: false,
            met: None,
            _turn: turn,
        };
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut line) = idle else { break };
            // One that broke while it lay idle says nothing about the server.
            let answers = async {
                match &mut line {
                    Line::MySql(connection) => connection.ping().await.is_ok(),
                    Line::Postgres(connection) => connection.ping().await.is_ok(),
                }
            };
            if tokio::time::timeout(CONNECT_TIMEOUT, answers).await.unwrap_or(false) {
                return Ok(session(line));
            }
        }
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect(&self.server)).await;
        let connected = connected.map_err(|_| no_answer(&self.server, "connecting"))?;
        let line = connected.map_err(|error| fault(&self.server, "connecting", &error))?;
        Ok(session(line))
    }
}

async fn connect(server: &DatabaseServer) -> sqlx::Result<Line> {
    let authorities = match &server.ca_file {
        Some(file) => authorities(file).await?,
        None => Vec::new(),
    };
    match server.protocol {
        SqlProtocol::Mysql | SqlProtocol::Mariadb => {
            let mut connection = mysql_options(server, authorities).connect().await?;
            for statement in [MYSQL_SESSION, MYSQL_ISOLATION, MYSQL_LOCKS] {
                sqlx::raw_sql(statement).execute(&mut connection).await?;
            }
            Ok(Line::MySql(connection))
        }
        SqlProtocol::Postgresql => {
            let mut connection = postgres_options(server, authorities).connect().await?;
            sqlx::raw_sql(POSTGRES_SESSION).execute(&mut connection).await?;
            Ok(Line::Postgres(connection))
        }
    }
}

/// The driver would take a file without certificates, and trust none.
async fn authorities(file: &Path) -> sqlx::Result<Vec<u8>> {
    let wrong = |why: String| {
        sqlx::Error::Configuration(format!("ca_file {}: {why}", file.display()).into())
    };
    let pem = tokio::fs::read(file).await.map_err(|error| wrong(error.to_string()))?;
    if !pem.windows(CERTIFICATE.len()).any(|part| part == CERTIFICATE) {
        return Err(wrong("it holds no certificate in PEM".to_owned()));
    }
    Ok(pem)
}

fn mysql_options(server: &DatabaseServer, authorities: Vec<u8>) -> MySqlConnectOptions {
    let mode = match server.tls {
        SqlTls::Disable => MySqlSslMode::Disabled,
        SqlTls::Prefer => MySqlSslMode::Preferred,
        SqlTls::Require => MySqlSslMode::Required,
        SqlTls::VerifyCa => MySqlSslMode::VerifyCa,
        SqlTls::VerifyFull => MySqlSslMode::VerifyIdentity,
    };
    let mut options = MySqlConnectOptions::new()
        .host(&server.host)
        .port(server.port)
        .username(&server.user)
        .ssl_mode(mode)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .disable_statement_logging();
    if let Some(password) = &server.password {
        options = options.password(password.reveal());
    }
    if let Some(database) = &server.database {
        options = options.database(database);
    }
    options.ssl_ca_from_pem(authorities)
}

/// The driver reads the variables of libpq (`PGPASSWORD`, `PGSSLROOTCERT`); what is not written here
/// must not come from there.
fn postgres_options(server: &DatabaseServer, authorities: Vec<u8>) -> PgConnectOptions {
    let mode = match server.tls {
        SqlTls::Disable => PgSslMode::Disable,
        SqlTls::Prefer => PgSslMode::Prefer,
        SqlTls::Require => PgSslMode::Require,
        SqlTls::VerifyCa => PgSslMode::VerifyCa,
        SqlTls::VerifyFull => PgSslMode::VerifyFull,
    };
    PgConnectOptions::new_without_pgpass()
        .host(&server.host)
        .port(server.port)
        .username(&server.user)
        .database(server.database.as_deref().unwrap_or(&server.user))
        .ssl_mode(mode)
        .ssl_root_cert_from_pem(authorities)
        .password(server.password.as_ref().map_or("", Secret::reveal))
        .application_name("longshore")
        .disable_statement_logging()
}

impl Session<'_> {
    /// Runs a statement of our own without values, such as `BEGIN`.
    pub(super) async fn plain(&mut self, what: &str, sql: &'static str) -> Result<()> {
        let run = async |line: &mut Line| match line {
            Line::MySql(to) => sqlx::raw_sql(sql).execute(to).await.map(|_done| ()),
            Line::Postgres(to) => sqlx::raw_sql(sql).execute(to).await.map(|_done| ()),
        };
        self.bounded(what, run).await
    }

    /// How many rows a statement has changed.
    pub(super) async fn execute(&mut self, what: &str, statement: Statement) -> Result<u64> {
        let run = async |line: &mut Line| match line {
            Line::MySql(to) => statement.mysql().execute(to).await.map(|done| done.rows_affected()),
            Line::Postgres(to) => {
                statement.postgres().execute(to).await.map(|done| done.rows_affected())
            }
        };
        self.bounded(what, run).await
    }

    /// All rows of a short answer, each cell as text.
    pub(super) async fn rows(
        &mut self,
        what: &str,
        statement: Statement,
    ) -> Result<Vec<Vec<Option<String>>>> {
        let run = async |line: &mut Line| match line {
            Line::MySql(to) => {
                let rows = statement.mysql().fetch_all(to).await?;
                rows.iter().map(super::row::texts).collect()
            }
            Line::Postgres(to) => {
                let rows = statement.postgres().fetch_all(to).await?;
                rows.iter().map(super::row::texts).collect()
            }
        };
        self.bounded(what, run).await
    }

    /// From here on it waits for a lock for a second, and for a second only.
    pub(super) async fn brief(&mut self) -> Result<()> {
        self.is_brief = true;
        let sql = match self.line {
            Some(Line::Postgres(_)) => POSTGRES_BRIEF,
            _ => MYSQL_BRIEF,
        };
        self.plain("setting how long to wait for locks", sql).await
    }

    /// The connection itself, for an answer that is read row by row; it is not used again unless
    /// [`Self::rest`] says so.
    pub(super) fn line(&mut self) -> Option<&mut Line> {
        self.at_rest = false;
        self.line.as_mut()
    }

    /// From here on a transaction is under way: dropped now, the connection is closed.
    pub(super) const fn busy(&mut self) {
        self.at_rest = false;
    }

    /// Nothing is under way any more: the connection may serve somebody else.
    pub(super) const fn rest(&mut self) {
        self.at_rest = true;
    }

    /// The server that this is a connection to.
    pub(super) fn server(&self) -> &DatabaseServer {
        &self.sessions.server
    }

    async fn bounded<T>(
        &mut self,
        what: &str,
        run: impl AsyncFnOnce(&mut Line) -> sqlx::Result<T>,
    ) -> Result<T> {
        let server = &self.sessions.server;
        let was_at_rest = std::mem::replace(&mut self.at_rest, false);
        let Some(line) = self.line.as_mut() else { return Err(no_answer(server, what)) };
        let answer = tokio::time::timeout(STATEMENT_TIMEOUT, run(line)).await;
        let answer = answer.map_err(|_| no_answer(server, what))?;
        // A refused statement leaves the connection as it was, a broken one is not kept.
        self.at_rest = was_at_rest && matches!(answer, Ok(_) | Err(sqlx::Error::Database(_)));
        self.met = answer.as_ref().err().and_then(met).or(self.met);
        answer.map_err(|error| fault(server, what, &error))
    }

    /// True where a lock of somebody else has ended a statement.
    pub(super) fn was_locked(&self) -> bool {
        self.met == Some(Somebody::HasLocked)
    }

    /// True where this somebody ended a statement, of whom note is taken now.
    pub(super) fn notes(&mut self, somebody: Somebody) -> bool {
        self.met.take_if(|met| *met == somebody).is_some()
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take().filter(|_| self.at_rest && !self.is_brief) {
            self.sessions.idle.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }
}
