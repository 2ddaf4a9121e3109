//! Records out of a table, filtered by clauses.

use std::future::poll_fn;

use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::fault::{fault, no_answer};
use super::row::{Cells, record, select};
use super::session::{Line, ROW_TIMEOUT, Session};
use super::statement::Statement;
use super::table::{Form, Table};
use super::{Database, Record, value};
use crate::config::DatabaseServer;
use crate::error::{Error, Kind, Result};

/// How many rows may lie ready that nobody has asked for yet.
const READ_AHEAD: usize = 64;

/// One condition on the records that are wanted. Read from JSON it is
/// `{"key": "age", "op": "ge", "value": 18}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// The column.
    pub key: String,
    /// What the column is asked.
    pub op: Operator,
    /// What it is compared with; null with [`Operator::Eq`] and [`Operator::Ne`] alone.
    pub value: Value,
}

/// How a column is compared, by the names of Python's module `operator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Operator {
    /// Equal; with null: is null.
    Eq,
    /// Not equal; with null: is not null.
    Ne,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
}

impl Clause {
    /// A condition on a column.
    pub fn new(key: impl Into<String>, op: Operator, value: impl Into<Value>) -> Self {
        Self { key: key.into(), op, value: value.into() }
    }
}

impl Operator {
    /// Reads `eq`, `ne`, `lt`, `le`, `gt` or `ge`.
    ///
    /// # Errors
    /// Names what there is.
    pub fn read(text: &str) -> std::result::Result<Self, String> {
        match text {
            "eq" => Ok(Self::Eq),
            "ne" => Ok(Self::Ne),
            "lt" => Ok(Self::Lt),
            "le" => Ok(Self::Le),
            "gt" => Ok(Self::Gt),
            "ge" => Ok(Self::Ge),
            _ => Err(format!("{text:?} is no operator; there are eq, ne, lt, le, gt and ge")),
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Eq => " = ",
            Self::Ne => " <> ",
            Self::Lt => " < ",
            Self::Le => " <= ",
            Self::Gt => " > ",
            Self::Ge => " >= ",
        }
    }
}

impl TryFrom<String> for Operator {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        Self::read(&text)
    }
}

impl Database {
    /// The records of a table or view for which all clauses hold, in no particular order; without
    /// clauses, all of them. Each is read from the server when it is asked for, or a little ahead.
    ///
    /// Tries nothing twice. Dropping the stream closes its connection.
    ///
    /// # Errors
    /// [`Kind::Missing`]: no such table. [`Kind::Invalid`]: an unknown column, a value that its
    /// column cannot be compared with. Others, also in the stream: the server could not be reached or
    /// refuses.
    pub async fn fetch(
        &self,
        schema: &str,
        table: &str,
        clauses: &[Clause],
    ) -> Result<impl Stream<Item = Result<Record>> + Send + '_> {
        let mut session = self.sessions.take().await?;
        let table = Table::ask(&mut session, schema, table).await?;
        let statement = filtered(&table, clauses)?;
        let (rows, mut ready) = mpsc::channel(READ_AHEAD);
        // Both ends live in the stream: it is the one who asks that drives the reading.
        let reading = stream::once(read(session, table, statement, rows));
        let reading = reading.filter_map(async |ended: Result<()>| ended.err().map(Err));
        let ready = stream::poll_fn(move |context| ready.poll_recv(context));
        Ok(stream::select(ready, reading.boxed()))
    }
}

/// What the statement asks for; it reaches the end only where the clauses are sound.
fn filtered(table: &Table, clauses: &[Clause]) -> Result<Statement> {
    let mut statement = select(table);
    for (at, Clause { key, op, value }) in clauses.iter().enumerate() {
        let (_, column) = table.column(key)?;
        let wrong = |why: String| {
            Error::new(Kind::Invalid, format!("filtering table {}", table.shown())).because(why)
        };
        statement.words(if at == 0 { " WHERE " } else { " AND " }).name(key);
        match (op, value) {
            (Operator::Eq, Value::Null) => {
                statement.words(" IS NULL");
            }
            (Operator::Ne, Value::Null) => {
                statement.words(" IS NOT NULL");
            }
            (_, Value::Null) => {
                return Err(wrong(format!(
                    "{key:?} is compared with null, which only eq and ne do"
                )));
            }
            _ if column.form == Form::Json => {
                return Err(wrong(format!(
                    "{key:?} holds JSON, which is compared with null alone"
                )));
            }
            _ => {
                let bound = value::bound(table.dialect, column, value).map_err(wrong)?;
                statement.words(op.sign()).compared(column, bound);
            }
        }
    }
    Ok(statement)
}

type Rows = mpsc::Sender<Result<Record>>;

/// Reads the answer to its end, or until nobody wants more of it.
async fn read(
    mut session: Session<'_>,
    table: Table,
    statement: Statement,
    rows: Rows,
) -> Result<()> {
    let server = session.server().clone();
    let all = match session.line() {
        Some(Line::MySql(line)) => {
            hand_on(&server, &table, statement.mysql().fetch(line), rows).await?
        }
        Some(Line::Postgres(line)) => {
            hand_on(&server, &table, statement.postgres().fetch(line), rows).await?
        }
        None => false,
    };
    if all {
        session.rest();
    }
    Ok(())
}

/// True where the answer was read to its end.
async fn hand_on<R: Cells>(
    server: &DatabaseServer,
    table: &Table,
    mut answer: impl Stream<Item = sqlx::Result<R>> + Unpin,
    rows: Rows,
) -> Result<bool> {
    let what = format!("fetching from table {}", table.shown());
    loop {
        let next = poll_fn(|context| answer.poll_next_unpin(context));
        let next = tokio::time::timeout(ROW_TIMEOUT, next).await;
        let Some(row) = next.map_err(|_| no_answer(server, &what))? else { return Ok(true) };
        let row = row.map_err(|error| fault(server, &what, &error))?;
        if rows.send(record(table, &row)).await.is_err() {
            return Ok(false);
        }
    }
}
