//! What the server knows of a table: its columns, their types, its primary key.

mod mysql;
mod postgres;

use super::session::Session;
use super::statement::{Dialect, Statement};
use crate::config::{DatabaseServer, SqlProtocol};
use crate::error::{Error, Kind, Result};

/// How values of a column look in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Integer,
    Decimal,
    /// Of four or of eight bytes.
    Float {
        single: bool,
    },
    Bool,
    Text,
    Binary,
    Json,
    Date,
    /// Date and time, without saying where.
    Moment,
    /// Date and time, in UTC.
    Instant,
    /// `BIT(n)` of `MySQL`, as a number.
    Bits,
    /// What the server itself writes as text.
    Other,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) form: Form,
    /// `PostgreSQL`: the type that a text becomes. `MySQL`: the type that a key is rounded to, or
    /// nothing where values are stored as they come.
    pub(super) cast: String,
    /// Its type, for people.
    pub(super) shown: String,
}

impl Column {
    pub(super) const fn is_decimal(&self) -> bool {
        matches!(self.form, Form::Decimal)
    }
}

/// A table or view.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) dialect: Dialect,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// The places of the columns of the primary key among the columns.
    pub(super) key: Vec<usize>,
    /// It has unique keys besides the primary one.
    pub(super) has_other_keys: bool,
    /// What its engine does can be taken back.
    pub(super) is_transactional: bool,
    /// The most bytes that the server takes of one row.
    pub(super) most_bytes: usize,
}

/// What a catalog tells of a table.
struct Told {
    /// Behind each column its place in the primary key, nothing for most.
    columns: Vec<(Column, Option<String>)>,
    has_other_keys: bool,
    is_transactional: bool,
    most_bytes: usize,
}

/// True where there is such a table or view and the user may know of it.
pub(super) async fn exists(session: &mut Session<'_>, schema: &str, name: &str) -> Result<bool> {
    let dialect = Dialect::of(session.server().protocol);
    let statement = match dialect {
        Dialect::Mysql => mysql::exists(schema, name),
        Dialect::Postgresql => postgres::exists(schema, name),
    };
    let rows = session.rows(&format!("looking for table {schema}.{name}"), statement).await?;
    Ok(!rows.is_empty())
}

impl Table {
    /// Asks the server.
    ///
    /// # Errors
    /// [`Kind::Missing`] where there is no such table.
    pub(super) async fn ask(session: &mut Session<'_>, schema: &str, name: &str) -> Result<Self> {
        let what = format!("reading the columns of table {schema}.{name}");
        let dialect = Dialect::of(session.server().protocol);
        let told = match dialect {
            Dialect::Mysql => mysql::ask(session, &what, schema, name).await?,
            Dialect::Postgresql => postgres::ask(session, &what, schema, name).await?,
        };
        if told.columns.is_empty() {
            return Err(missing(session.server(), schema, name));
        }
        let Told { columns, has_other_keys, is_transactional, most_bytes } = told;
        let (columns, key) = columns_and_key(columns);
        let (schema, name) = (schema.to_owned(), name.to_owned());
        Ok(Self {
            dialect,
            schema,
            name,
            columns,
            key,
            has_other_keys,
            is_transactional,
            most_bytes,
        })
    }

    /// `schema.table`, as messages name it.
    pub(super) fn shown(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The place of a column among the columns.
    ///
    /// # Errors
    /// [`Kind::Invalid`], naming the columns there are.
    pub(super) fn column(&self, name: &str) -> Result<(usize, &Column)> {
        let found = self.columns.iter().enumerate().find(|(_, column)| column.name == name);
        found.ok_or_else(|| {
            let columns: Vec<&str> = self.columns.iter().map(|known| &*known.name).collect();
            let what = format!("table {} has no column {name:?}", self.shown());
            Error::new(Kind::Invalid, what).hint(format!("it has {}", columns.join(", ")))
        })
    }

    /// The columns of the primary key.
    pub(super) fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|&place| self.columns.get(place))
    }

    /// Whether records can be put into it such that existing ones are skipped, and all or none of a
    /// chunk.
    ///
    /// # Errors
    /// [`Kind::Missing`] where it has no primary key, or an engine that takes nothing back.
    pub(super) fn takes_records(&self) -> Result<()> {
        let wrong = |why: &str| Error::new(Kind::Missing, format!("table {} {why}", self.shown()));
        if self.key.is_empty() {
            return Err(wrong("has no primary key, by which existing records are known")
                .hint("give it one that is not deferrable: ALTER TABLE … ADD PRIMARY KEY (…)"));
        }
        if !self.is_transactional {
            return Err(wrong("lies in an engine without transactions")
                .hint("move it: ALTER TABLE … ENGINE = InnoDB"));
        }
        Ok(())
    }
}

fn missing(server: &DatabaseServer, schema: &str, name: &str) -> Error {
    let user = &server.user;
    let hint = match server.protocol {
        SqlProtocol::Postgresql => format!(
            "make it, or correct the names: {schema} is a schema, looked for in the database {}",
            server.database.as_deref().unwrap_or(user)
        ),
        SqlProtocol::Mysql | SqlProtocol::Mariadb => {
            format!("make it, correct the names ({schema} is a database), or let {user} see it")
        }
    };
    Error::new(Kind::Missing, format!("there is no table {schema}.{name}, {server}")).hint(hint)
}

/// Rows of the catalog with the place in the primary key behind each column, nothing for most.
fn columns_and_key(columns: Vec<(Column, Option<String>)>) -> (Vec<Column>, Vec<usize>) {
    let mut key: Vec<(u32, usize)> = columns
        .iter()
        .enumerate()
        .filter_map(|(place, (_, at))| Some((at.as_ref()?.parse().ok()?, place)))
        .collect();
    key.sort_unstable();
    let key = key.into_iter().map(|(_, place)| place).collect();
    (columns.into_iter().map(|(column, _)| column).collect(), key)
}

/// A question to the catalog about one table.
fn about(dialect: Dialect, words: [&'static str; 3], schema: &str, name: &str) -> Statement {
    let [before, between, after] = words;
    let mut statement = Statement::new(dialect, before);
    statement.text(schema).words(between).text(name).words(after);
    statement
}
