//! Rows as the drivers give them. Types are not asked about: each statement says itself what comes.

use serde_json::Map;
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::{ColumnIndex, Database, Decode, Row, Type};

use super::statement::{Dialect, Statement};
use super::table::{Form, Table};
use super::value::{self, Cell};
use crate::error::{Error, Kind, Result};

/// All cells of a row as text.
pub(super) fn texts<R>(row: &R) -> sqlx::Result<Vec<Option<String>>>
where
    R: Row,
    usize: ColumnIndex<R>,
    Vec<u8>: for<'r> Decode<'r, R::Database> + Type<R::Database>,
{
    let text = |place| {
        let bytes: Option<Vec<u8>> = row.try_get_unchecked(place)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    (0..row.len()).map(text).collect()
}

/// Adds `SELECT` with every column, each in the form in which [`record`] reads it.
pub(super) fn select(table: &Table) -> Statement {
    let mut statement = Statement::new(table.dialect, "SELECT ");
    for (place, column) in table.columns.iter().enumerate() {
        let (before, after) = match (table.dialect, column.form) {
            (Dialect::Postgresql, Form::Binary) => ("", "::bytea"),
            (Dialect::Postgresql, Form::Date | Form::Moment | Form::Instant) => {
                ("pg_catalog.to_json(", ") #>> '{}'")
            }
            (Dialect::Postgresql, _) => ("", "::text"),
            (
                Dialect::Mysql,
                Form::Text | Form::Binary | Form::Json | Form::Decimal | Form::Float { .. },
            ) => ("", ""),
            (Dialect::Mysql, Form::Bits) => ("CAST(", " + 0 AS CHAR)"),
            (Dialect::Mysql, _) => ("CAST(", " AS CHAR)"),
        };
        statement.between(place, ", ").words(before).name(&column.name).words(after);
    }
    statement.words(" FROM ").table(table);
    statement
}

/// A row of [`select`], as an object with a key for each column.
///
/// # Errors
/// [`Kind::Corrupt`] naming the column that JSON cannot hold.
pub(super) fn record<R: Cells>(table: &Table, row: &R) -> Result<super::Record> {
    let mut record = Map::new();
    for (place, column) in table.columns.iter().enumerate() {
        let wrong = |why: String| {
            Error::new(Kind::Corrupt, format!("reading table {}", table.shown())).because(why)
        };
        let cell = row.cell(place, column.form).map_err(|error| wrong(error.to_string()))?;
        let value = value::json(table.dialect, column, cell).map_err(wrong)?;
        record.insert(column.name.clone(), value);
    }
    Ok(record)
}

/// Reads one cell of a row.
pub(super) trait Cells {
    fn cell(&self, place: usize, form: Form) -> sqlx::Result<Cell>;
}

fn bytes<R, D>(row: &R, place: usize) -> sqlx::Result<Cell>
where
    D: Database<Row = R>,
    R: Row<Database = D>,
    usize: ColumnIndex<R>,
    Vec<u8>: for<'r> Decode<'r, D> + Type<D>,
{
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(place)?;
    Ok(bytes.map_or(Cell::Null, Cell::Bytes))
}

impl Cells for PgRow {
    fn cell(&self, place: usize, _: Form) -> sqlx::Result<Cell> {
        bytes(self, place)
    }
}

impl Cells for MySqlRow {
    fn cell(&self, place: usize, form: Form) -> sqlx::Result<Cell> {
        match form {
            Form::Float { single: true } => {
                let number: Option<f32> = self.try_get_unchecked(place)?;
                // By its digits: 0.1 of four bytes is 0.1, and not 0.10000000149011612.
                let number = number.and_then(|number| number.to_string().parse().ok());
                Ok(number.map_or(Cell::Null, Cell::Float))
            }
            Form::Float { single: false } => {
                let number: Option<f64> = self.try_get_unchecked(place)?;
                Ok(number.map_or(Cell::Null, Cell::Float))
            }
            Form::Integer
            | Form::Decimal
            | Form::Bool
            | Form::Text
            | Form::Binary
            | Form::Json
            | Form::Date
            | Form::Moment
            | Form::Instant
            | Form::Bits
            | Form::Other => bytes(self, place),
        }
    }
}
