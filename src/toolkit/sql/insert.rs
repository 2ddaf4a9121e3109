//! Any number of records into a table, chunk by chunk, up to the first that it does not take.

use std::pin::pin;

use futures_util::{Stream, StreamExt as _};

use super::table::Table;
use super::write::{End, Inserted, Load, Row, transact};
use super::{Database, Record};
use crate::again::again;
use crate::error::{Error, Kind, Result};

/// What came of a call so far.
#[derive(Debug, Default)]
struct Progress {
    told: Inserted,
    /// How many records lie behind us, in the table or skipped.
    settled: u64,
}

impl Database {
    /// Puts records into a table; those whose primary key is there already are skipped, and of two
    /// with one key the first wins. A column that a record leaves out gets its default.
    ///
    /// Records go in chunks of at most 500 and about 512 KiB, each one statement in a transaction of
    /// its own. What may pass (a deadlock, a lock that somebody holds for more than 10 seconds, a
    /// database that is not there) is tried five times. Dropped midway, some chunks are in and the
    /// others are not; calling it again with the same records does no harm.
    ///
    /// # Errors
    /// [`Kind::Invalid`]: a record that the table does not take, named by its number from 1; its
    /// chunk is not in, those before it are. [`Kind::Missing`]: no such table, or one without
    /// primary key. Others: the server could not be reached or refuses.
    pub async fn insert_or_ignore(
        &self,
        schema: &str,
        table: &str,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Inserted> {
        let records = futures_util::stream::iter(records.into_iter().map(Ok));
        self.insert_stream(schema, table, records).await
    }

    /// The same of records that come one by one; the first error of the stream ends it, after what
    /// came before has been inserted.
    ///
    /// # Errors
    /// As [`Self::insert_or_ignore`], and those of the stream.
    pub async fn insert_stream(
        &self,
        schema: &str,
        table: &str,
        records: impl Stream<Item = Result<Record>>,
    ) -> Result<Inserted> {
        let table = self.table(schema, table).await?;
        table.takes_records()?;
        let mut records = pin!(records);
        let mut progress = Progress::default();
        let (mut chunk, mut load) = (Vec::new(), Load::default());
        let ended = loop {
            let row = match records.next().await {
                None => break Ok(()),
                Some(record) => record.and_then(|record| {
                    let number = progress.settled + count(&chunk) + 1;
                    Row::of(&table, &record).map_err(|error| of_record(&table, number, &error))
                }),
            };
            match row {
                Err(error) => break Err(error),
                Ok(row) => {
                    if !load.takes(&row) {
                        self.chunk(&table, &chunk, &mut progress).await?;
                        chunk.clear();
                        load = Load::default();
                        load.takes(&row);
                    }
                    chunk.push(row);
                }
            }
        };
        // A chunk with a bad record does not go in; with any other end of the stream it does.
        if !matches!(&ended, Err(error) if error.kind() == Kind::Invalid) && !chunk.is_empty() {
            self.chunk(&table, &chunk, &mut progress).await?;
        }
        ended.map(|()| progress.told)
    }

    async fn chunk(&self, table: &Table, rows: &[Row], progress: &mut Progress) -> Result<()> {
        match self.write(table, rows, End::Commit).await {
            Ok(told) => progress.told.add(told),
            Err(error) if error.kind() == Kind::Invalid => {
                let (place, error) = self.first_bad(table, rows, error).await?;
                let number = progress.settled + u64::try_from(place).unwrap_or(u64::MAX);
                return Err(of_record(table, number, &error));
            }
            Err(error) => return Err(error),
        }
        progress.settled += count(rows);
        Ok(())
    }

    /// The first of the rows that the table does not take, from 1, found by trying how many from the
    /// front it takes; nothing is left behind.
    async fn first_bad(
        &self,
        table: &Table,
        rows: &[Row],
        mut error: Error,
    ) -> Result<(usize, Error)> {
        let (mut good, mut bad) = (0, rows.len());
        while good + 1 < bad {
            let middle = usize::midpoint(good, bad);
            let (front, _) = rows.split_at(middle);
            match self.write(table, front, End::Undo).await {
                Ok(_) => good = middle,
                Err(refused) if refused.kind() == Kind::Invalid => (bad, error) = (middle, refused),
                Err(other) => return Err(other),
            }
        }
        Ok((bad, error))
    }

    /// What may pass (a deadlock, a server that starts) is tried again.
    async fn write(&self, table: &Table, rows: &[Row], end: End) -> Result<Inserted> {
        again(|| async {
            let mut session = self.sessions.take().await?;
            transact(&mut session, table, rows, end).await
        })
        .await
    }
}

fn count(rows: &[Row]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

fn of_record(table: &Table, number: u64, error: &Error) -> Error {
    let what = format!("record {number} does not go into table {}", table.shown());
    let told = Error::new(Kind::Invalid, what).because(error.told());
    let told = if error.is_answer() { told.answered() } else { told };
    let hint = error.advice().unwrap_or("correct it, and insert again: what is in is skipped");
    told.hint(hint)
}
