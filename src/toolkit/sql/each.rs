//! Units of records that stand or fall each by itself.

use std::collections::HashSet;

use super::fault::Somebody;
use super::locks::{locked, nothing};
use super::session::Session;
use super::table::Table;
use super::write::{End, Row, transact};
use super::{Database, Record};
use crate::error::{Error, Kind, Result};

/// Records of which all go into the table or none, such as those of one message.
#[derive(Debug)]
pub struct Unit {
    /// The records.
    pub records: Vec<Record>,
    /// The group whose order is kept: behind one that failed, no other of its group goes in.
    pub group: Option<String>,
}

/// What became of a unit.
#[derive(Debug)]
pub enum Fate {
    /// All its records are in the table, committed.
    Done,
    /// The table does not take it, and never will as it is; none of its records is in.
    Refused(Error),
    /// It was not its fault, and whether its records are in may be unknown.
    Failed(Error),
    /// It stands behind one of its group that is not done, and is not in.
    Behind,
}

/// A unit whose records are ready to be sent.
struct Ready {
    place: usize,
    rows: Vec<Row>,
}

impl Database {
    /// As [`insert_or_ignore`](Self::insert_or_ignore), with a fate for each unit, in their order:
    /// a bad one keeps no other from going in. Tries nothing twice but to find the bad ones. Dropped
    /// midway, some units are in and the others are not.
    ///
    /// Where somebody else has locked a row for 10 seconds, all are tried in ever smaller parts, with
    /// a second for each further lock: only the unit that needs the row fails, with
    /// [`Kind::Transient`]. Where the table is locked as a whole, or more of it than can be told
    /// apart in half a minute, all that are not done fail with [`Kind::Unreachable`].
    pub async fn insert_each(&self, schema: &str, table: &str, units: Vec<Unit>) -> Vec<Fate> {
        let mut fates: Vec<Option<Fate>> = units.iter().map(|_| None).collect();
        let ended = self.each(schema, table, units, &mut fates).await;
        let failed = |fate: Option<Fate>| match (fate, &ended) {
            (Some(fate), _) => fate,
            (None, Err(error)) => Fate::Failed(error.again()),
            (None, Ok(())) => Fate::Behind,
        };
        fates.into_iter().map(failed).collect()
    }

    async fn each(
        &self,
        schema: &str,
        table: &str,
        units: Vec<Unit>,
        fates: &mut [Option<Fate>],
    ) -> Result<()> {
        let mut session = self.sessions.take().await?;
        let table = match Table::ask(&mut session, schema, table).await {
            Err(error) if session.was_locked() => return Err(locked(&error)),
            asked => asked?,
        };
        table.takes_records()?;
        let (records, groups): (Vec<_>, Vec<_>) =
            units.into_iter().map(|unit| (unit.records, unit.group)).unzip();
        let mut each =
            Each { table: &table, groups: &groups, fates, broken: HashSet::new(), waits: 0 };
        let mut ready = Vec::new();
        for (place, records) in records.into_iter().enumerate() {
            let rows = records.iter().map(|record| Row::of(&table, record));
            match rows.collect::<Result<Vec<Row>>>() {
                Ok(rows) => ready.push(Ready { place, rows }),
                Err(error) => {
                    // Those of its group that stand before it still have their turn.
                    each.run(&mut session, std::mem::take(&mut ready)).await?;
                    each.settle(place, Fate::Refused(error));
                }
            }
        }
        each.run(&mut session, ready).await
    }
}

/// How many locks one call waits for, each a second but the first.
const MOST_WAITS: usize = 30;

struct Each<'e> {
    table: &'e Table,
    groups: &'e [Option<String>],
    fates: &'e mut [Option<Fate>],
    broken: HashSet<&'e str>,
    /// How often a lock of somebody else was waited for in vain.
    waits: usize,
}

impl Each<'_> {
    /// All at once; where the table does not take them, or somebody has locked what one of them
    /// needs, one half after the other.
    async fn run(&mut self, session: &mut Session<'_>, units: Vec<Ready>) -> Result<()> {
        let mut waiting = vec![units];
        while let Some(mut next) = waiting.pop() {
            next.retain(|unit| !self.is_behind(unit.place));
            let places: Vec<usize> = next.iter().map(|unit| unit.place).collect();
            let Some(&place) = places.first() else { continue };
            let mut rows = Vec::new();
            let sizes: Vec<usize> = next.iter().map(|unit| unit.rows.len()).collect();
            rows.extend(next.into_iter().flat_map(|unit| unit.rows));
            let Err(error) = transact(session, self.table, &rows, End::Commit).await else {
                for place in places {
                    self.settle(place, Fate::Done);
                }
                continue;
            };
            let is_refused = error.kind() == Kind::Invalid;
            if session.notes(Somebody::HasLocked) {
                self.waited(session, &error).await?;
            } else if !is_refused {
                return Err(error);
            }
            if places.len() == 1 {
                let fate = if is_refused { Fate::Refused } else { Fate::Failed };
                self.settle(place, fate(error));
                continue;
            }
            let mut rows = rows.into_iter();
            let ready = |(place, size)| Ready { place, rows: rows.by_ref().take(size).collect() };
            let mut first: Vec<Ready> = places.into_iter().zip(sizes).map(ready).collect();
            let second = first.split_off(first.len() / 2);
            waiting.extend([second, first]);
        }
        Ok(())
    }

    /// Whether to go on after a wait in vain: not where the table is locked as a whole, and not for
    /// ever.
    async fn waited(&mut self, session: &mut Session<'_>, error: &Error) -> Result<()> {
        self.waits += 1;
        if self.waits == 1 {
            session.brief().await?;
            // Whatever else keeps it from going in shows where it is inserted.
            let _nothing = nothing(session, self.table).await;
        }
        if session.notes(Somebody::HasLocked) || self.waits > MOST_WAITS {
            Err(locked(error))
        } else {
            Ok(())
        }
    }

    fn is_behind(&self, place: usize) -> bool {
        let group = self.groups.get(place).and_then(Option::as_deref);
        group.is_some_and(|group| self.broken.contains(group))
    }

    fn settle(&mut self, place: usize, fate: Fate) {
        if self.is_behind(place) {
            return;
        }
        if let (Some(Some(group)), false) = (self.groups.get(place), matches!(fate, Fate::Done)) {
            self.broken.insert(group);
        }
        if let Some(own) = self.fates.get_mut(place) {
            *own = Some(fate);
        }
    }
}
