//! Tables of `MySQL`, `MariaDB` and `PostgreSQL` databases.
//!
//! ```no_run
//! # async fn f() -> longshore::error::Result<()> {
//! use futures_util::TryStreamExt;
//! use longshore::config::{DatabaseServer, Secret};
//! use longshore::toolkit::sql::{Clause, Database, Operator};
//!
//! // MySQL, unless told otherwise
//! let server = DatabaseServer::new("my-host", "my-user", Secret::new("my-pass"));
//! let database = Database::new(server);
//! // or as SQLAlchemy writes it; its driver is ignored
//! let url = "mysql+pymysql://my-user:my-pass@my-host/";
//! # let wrong = |text: String| longshore::error::Error::new(longshore::error::Kind::Usage, text);
//! let same = Database::new(DatabaseServer::from_url(url).map_err(wrong)?);
//!
//! assert!(database.table_exists("my-schema", "table-that-exists").await?);
//! assert!(!same.table_exists("my-schema", "table-that-does-not-exist").await?);
//!
//! let records = [
//!     serde_json::json!({"id": 1, "first-field": "hi", "second-field": "hello"}),
//!     serde_json::json!({"id": 1, "first-field": "yo", "second-field": "sup"}),
//! ];
//! let records = records.iter().filter_map(|record| record.as_object().cloned());
//! let told = database.insert_or_ignore("my-schema", "table-that-exists", records).await?;
//! assert_eq!((told.inserted, told.skipped), (1, 1)); // the first of a key stays
//!
//! let clauses = [
//!     Clause::new("some-foreign-key", Operator::Eq, "abcd"),
//!     Clause::new("dimUTCTimestamp", Operator::Ge, 123_456_789),
//! ];
//! let rows = database.fetch("my-schema", "another-table", &clauses).await?;
//! let rows: Vec<_> = rows.try_collect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `schema` is a schema of `PostgreSQL`, and a database of `MySQL` and `MariaDB`.
#![doc = include_str!("sql/forms.md")]

mod each;
mod fault;
mod fetch;
mod insert;
mod locks;
mod moment;
mod row;
mod session;
mod statement;
mod table;
mod value;
mod write;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::session::Sessions;
use self::statement::{Dialect, Statement};
use self::table::Table;
use crate::config::DatabaseServer;
use crate::error::Result;

pub use self::each::{Fate, Unit};
pub use self::fetch::{Clause, Operator};
pub use self::write::Inserted;

/// A record of a table: its columns by name.
pub type Record = Map<String, Value>;

/// A database, with at most ten connections to it. They are made when they are needed and made again
/// when they break. Clones share them.
#[derive(Debug, Clone)]
pub struct Database {
    sessions: Arc<Sessions>,
}

impl Database {
    /// Connects to nothing yet.
    pub fn new(server: DatabaseServer) -> Self {
        Self { sessions: Arc::new(Sessions::new(server)) }
    }

    /// Where it is, and who logs in.
    pub fn server(&self) -> &DatabaseServer {
        &self.sessions.server
    }

    /// Connects, logs in and gets an answer: what the server says of its version, and the cipher
    /// where the connection is encrypted.
    ///
    /// # Errors
    /// Why not, with the place and never the password.
    pub async fn ping(&self) -> Result<Ping> {
        let mut session = self.sessions.take().await?;
        let dialect = Dialect::of(self.server().protocol);
        let (version, cipher) = match dialect {
            Dialect::Mysql => ("SELECT VERSION()", "SHOW SESSION STATUS LIKE 'Ssl_cipher'"),
            Dialect::Postgresql => (
                "SELECT pg_catalog.current_setting('server_version')",
                "SELECT cipher FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()",
            ),
        };
        let mut told = Vec::new();
        for question in [version, cipher] {
            let rows = session
                .rows("reading the version of the server", Statement::new(dialect, question))
                .await?;
            told.push(rows.into_iter().next().and_then(|mut row| row.pop().flatten()));
        }
        let cipher = told.pop().flatten().filter(|cipher| !cipher.is_empty());
        Ok(Ping { version: told.pop().flatten().unwrap_or_default(), cipher })
    }

    /// True where there is such a table or view. In `MySQL` and `MariaDB` one that the user has no
    /// right to is not there for him.
    ///
    /// # Errors
    /// The server could not be reached or refuses.
    pub async fn table_exists(&self, schema: &str, table: &str) -> Result<bool> {
        table::exists(&mut self.sessions.take().await?, schema, table).await
    }

    /// Whether records can be put into this table such that existing ones are skipped.
    ///
    /// # Errors
    /// [`Kind::Missing`](crate::error::Kind::Missing): no such table, no primary key, an engine
    /// without transactions. Others: the server could not be reached or refuses.
    pub async fn takes_records(&self, schema: &str, table: &str) -> Result<()> {
        self.table(schema, table).await?.takes_records()
    }

    async fn table(&self, schema: &str, table: &str) -> Result<Table> {
        Table::ask(&mut self.sessions.take().await?, schema, table).await
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Its version.
    pub version: String,
    /// The cipher of an encrypted connection.
    pub cipher: Option<String>,
}
