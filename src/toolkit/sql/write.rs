//! Records on their way into a table: each chunk one statement, all or none of a transaction.

use std::collections::BTreeSet;

use super::Record;
use super::fault::Somebody;
use super::session::Session;
use super::statement::{Bound, Dialect, Statement};
use super::table::{Column, Table};
use super::value;
use crate::error::{Error, Kind, Result};

/// The most rows of one statement.
pub(super) const MOST_ROWS: usize = 500;
/// About how many bytes of values one statement may have, unless a single row has more. Servers
/// refuse packets of more than 1 MiB at the least (`max_allowed_packet`).
pub(super) const MOST_BYTES: usize = 512 << 10;
/// What a value takes besides itself, at the most: its type and its length.
const AROUND_VALUE: usize = 11;
/// The most values that a statement of either protocol may have.
const MOST_VALUES: usize = 65_535;

/// How many records were put into a table. `MySQL` and `MariaDB` do not tell; there, a record that
/// somebody else inserts at the same moment may be counted as inserted instead of skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inserted {
    /// They are new.
    pub inserted: u64,
    /// There was a record with their primary key already, in the table or before them.
    pub skipped: u64,
}

impl Inserted {
    pub(super) const fn add(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.skipped += other.skipped;
    }
}

/// A record as it will be sent.
#[derive(Debug)]
pub(super) struct Row {
    /// The places of its columns in the table, ascending; the table gives the others their default.
    places: Vec<usize>,
    values: Vec<Bound>,
    bytes: usize,
}

impl Row {
    /// # Errors
    /// [`Kind::Invalid`]: a column that the table has not, a value that its column does not take, no
    /// value for a column of the primary key, more bytes than the server takes.
    pub(super) fn of(table: &Table, record: &Record) -> Result<Self> {
        let mut fields = Vec::with_capacity(record.len());
        for (name, value) in record {
            let (place, column) = table.column(name)?;
            let bound = value::bound(table.dialect, column, value)
                .map_err(|wrong| Error::new(Kind::Invalid, wrong))?;
            fields.push((place, bound));
        }
        fields.sort_by_key(|(place, _)| *place);
        for (place, column) in table.key.iter().zip(table.key_columns()) {
            let given = fields.iter().find(|(given, _)| given == place);
            if given.is_none_or(|(_, value)| *value == Bound::Null) {
                let what = format!("it has no {:?}, which is of the primary key", column.name);
                return Err(Error::new(Kind::Invalid, what)
                    .hint("without it nobody can tell whether the record is there already"));
            }
        }
        let bytes = fields.iter().map(|(_, value)| value.size() + AROUND_VALUE).sum();
        if bytes > table.most_bytes {
            let most = table.most_bytes;
            let what = format!("it has about {bytes} bytes, and the server takes at most {most}");
            return Err(Error::new(Kind::Invalid, what).hint(
                "shorten it, or raise max_allowed_packet where the server is MySQL or MariaDB",
            ));
        }
        let (places, values) = fields.into_iter().unzip();
        Ok(Self { places, values, bytes })
    }

    /// What it has for a column of the table.
    fn value(&self, place: usize) -> Option<&Bound> {
        let at = self.places.binary_search(&place).ok()?;
        self.values.get(at)
    }
}

/// What one statement holds so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    rows: usize,
    bytes: usize,
    values: usize,
}

impl Load {
    /// Takes the row in as well; false where it has no room, which the first always has.
    pub(super) fn takes(&mut self, row: &Row) -> bool {
        let more = Self {
            rows: self.rows + 1,
            bytes: self.bytes.saturating_add(row.bytes),
            values: self.values + row.values.len(),
        };
        let fits = more.rows <= MOST_ROWS && more.bytes <= MOST_BYTES && more.values <= MOST_VALUES;
        let takes = fits || self.rows == 0;
        if takes {
            *self = more;
        }
        takes
    }
}

/// What becomes of a transaction whose statements went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    /// It was only to see whether they would.
    Undo,
}

/// How often rows are tried of which another unique key is taken. Where somebody else inserts the same
/// rows at that moment, `PostgreSQL` may meet this before it knows their primary keys, by which they
/// are skipped the next time (its manual, INSERT: other keys than that of ON CONFLICT are errors).
const TRIES: u32 = 3;

/// All of the rows, or none. Dropped midway, none; where the connection breaks at the very end, it is
/// unknown, and doing it again does no harm.
///
/// # Errors
/// [`Kind::Invalid`] where one of the rows is at fault.
pub(super) async fn transact(
    session: &mut Session<'_>,
    table: &Table,
    rows: &[Row],
    end: End,
) -> Result<Inserted> {
    let mut tries = 0;
    loop {
        let written = try_once(session, table, rows, end).await;
        tries += 1;
        if !session.notes(Somebody::HasTakenAKey) || tries == TRIES {
            return written;
        }
    }
}

async fn try_once(
    session: &mut Session<'_>,
    table: &Table,
    rows: &[Row],
    end: End,
) -> Result<Inserted> {
    let what = format!("inserting into table {}", table.shown());
    session.busy();
    session.plain(&what, "BEGIN").await?;
    let written = write(session, table, rows, &what).await;
    match &written {
        Ok(_) if end == End::Commit => session.plain(&what, "COMMIT").await?,
        Ok(_) => session.plain(&what, "ROLLBACK").await?,
        Err(error) if error.kind() == Kind::Invalid || session.was_locked() => {
            session.plain(&what, "ROLLBACK").await?;
        }
        // The connection goes, and the transaction with it.
        Err(_) => return written,
    }
    session.rest();
    written
}

async fn write(
    session: &mut Session<'_>,
    table: &Table,
    rows: &[Row],
    what: &str,
) -> Result<Inserted> {
    let mut total = Inserted::default();
    let mut rest = rows;
    while !rest.is_empty() {
        let mut load = Load::default();
        let count = rest.iter().take_while(|row| load.takes(row)).count();
        let (chunk, left) = rest.split_at(count);
        total.add(match table.dialect {
            Dialect::Mysql => mysql(session, table, chunk, what).await?,
            Dialect::Postgresql => {
                let inserted = session.execute(what, insert(table, chunk)).await?;
                Inserted { inserted, skipped: size(chunk).saturating_sub(inserted) }
            }
        });
        rest = left;
    }
    if table.dialect == Dialect::Postgresql {
        // What is checked at the end is checked here, where it can still be told from a commit that
        // nobody answered.
        session.plain(what, "SET CONSTRAINTS ALL IMMEDIATE").await?;
    }
    Ok(total)
}

fn size(rows: &[Row]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

/// The server does not say how many rows were new, which is found by counting.
async fn mysql(
    session: &mut Session<'_>,
    table: &Table,
    rows: &[Row],
    what: &str,
) -> Result<Inserted> {
    let before = count(session, table, rows, what).await?;
    session.execute(what, insert(table, rows)).await?;
    let after = count(session, table, rows, what).await?;
    let inserted = after.saturating_sub(before);
    Ok(Inserted { inserted, skipped: size(rows).saturating_sub(inserted) })
}

/// With every column that one of the rows has; those of the others that have it not say so.
fn insert(table: &Table, rows: &[Row]) -> Statement {
    let places: BTreeSet<usize> = rows.iter().flat_map(|row| &row.places).copied().collect();
    let columns = places.into_iter().filter_map(|place| Some((place, table.columns.get(place)?)));
    let columns: Vec<(usize, &Column)> = columns.collect();
    let mut statement = Statement::new(table.dialect, "INSERT INTO ");
    statement.table(table).words(" (");
    for (at, (_, column)) in columns.iter().enumerate() {
        statement.between(at, ", ").name(&column.name);
    }
    statement.words(") VALUES ");
    for (at, row) in rows.iter().enumerate() {
        statement.between(at, ", ").words("(");
        for (at, (place, column)) in columns.iter().enumerate() {
            statement.between(at, ", ");
            match row.value(*place) {
                Some(value) => statement.value(column, value.clone()),
                None => statement.words("DEFAULT"),
            };
        }
        statement.words(")");
    }
    match table.dialect {
        Dialect::Postgresql => {
            statement.words(" ON CONFLICT (");
            for (at, column) in table.key_columns().enumerate() {
                statement.between(at, ", ").name(&column.name);
            }
            statement.words(") DO NOTHING");
        }
        Dialect::Mysql => {
            statement.words(" ON DUPLICATE KEY UPDATE ");
            known(&mut statement, table);
        }
    }
    statement
}

/// Leaves the row that is there as it is. `ON DUPLICATE KEY` means every unique key, and a row that
/// another one than the primary key keeps out would be lost silently: of such a row this fails the
/// whole statement with error 1242, for MySQL and MariaDB have no word that does.
fn known(statement: &mut Statement, table: &Table) {
    let Some(first) = table.key_columns().next() else { return };
    statement.name(&first.name).words(" = ");
    if table.has_other_keys {
        statement.words("IF(IF(");
        for (at, Column { name, .. }) in table.key_columns().enumerate() {
            statement.between(at, " AND ").name(name).words(" <=> VALUES(").name(name).words(")");
        }
        statement.words(", 1, (SELECT 1 UNION ALL SELECT 2)), ");
        statement.name(&first.name).words(", ").name(&first.name).words(")");
    } else {
        statement.name(&first.name);
    }
}

/// How many rows of the table have the primary key of one of these.
async fn count(session: &mut Session<'_>, table: &Table, rows: &[Row], what: &str) -> Result<u64> {
    let mut statement = Statement::new(table.dialect, "SELECT CAST(COUNT(*) AS CHAR) FROM ");
    statement.table(table).words(" WHERE ");
    let key: Vec<(usize, &Column)> = table.key.iter().copied().zip(table.key_columns()).collect();
    // Servers look up each of a list, and each of several conditions; of lists of pairs not all do.
    let (before, between, after) = match *key {
        [(_, column)] => {
            statement.name(&column.name);
            (" IN (", ", ", ")")
        }
        _ => ("(", ") OR (", ")"),
    };
    statement.words(before);
    for (at, row) in rows.iter().enumerate() {
        statement.between(at, between);
        for (at, (place, column)) in key.iter().enumerate() {
            if key.len() > 1 {
                statement.between(at, " AND ").name(&column.name).words(" = ");
            }
            statement.key(column, row.value(*place).cloned().unwrap_or(Bound::Null));
        }
    }
    statement.words(after);
    let rows = session.rows(what, statement).await?;
    let told = rows.into_iter().flatten().flatten().next();
    told.and_then(|told| told.parse().ok())
        .ok_or_else(|| Error::new(Kind::Corrupt, format!("{what}: the server counted nothing")))
}
