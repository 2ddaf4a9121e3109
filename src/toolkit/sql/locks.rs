//! Locks that somebody else holds: on a row, or on the table as a whole.

use super::session::Session;
use super::statement::Statement;
use super::table::Table;
use crate::error::{Error, Kind, Result};

/// It is not about one record: none is judged.
pub(super) fn locked(error: &Error) -> Error {
    let what = "somebody else has locked the table, or much of it";
    Error::new(Kind::Unreachable, what).because(error.told()).hint("wait until it is free")
}

/// Inserts nothing, which waits for nobody but who has locked the table as a whole.
pub(super) async fn nothing(session: &mut Session<'_>, table: &Table) -> Result<()> {
    let what = format!("looking whether table {} is locked", table.shown());
    let mut statement = Statement::new(table.dialect, "INSERT INTO ");
    statement.table(table).words(" (");
    for (at, column) in table.key_columns().enumerate() {
        statement.between(at, ", ").name(&column.name);
    }
    statement.words(") SELECT ");
    for (at, column) in table.key_columns().enumerate() {
        statement.between(at, ", ").name(&column.name);
    }
    statement.words(" FROM ").table(table).words(" WHERE 1 = 0");
    session.busy();
    session.plain(&what, "BEGIN").await?;
    let tried = session.execute(&what, statement).await;
    // A trigger may have done something.
    session.plain(&what, "ROLLBACK").await?;
    session.rest();
    tried.map(|_none| ())
}
