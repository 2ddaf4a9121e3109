//! Units of records that stand or fall each by itself.

use std::collections::HashSet;

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
    pub async fn insert_each(&self, schema: &str, table: &str, units: Vec<Unit>) -> Vec<Fate> {
        let mut fates: Vec<Option<Fate>> = units.iter().map(|_| None).collect();
        let ended = self.each(schema, table, units, &mut fates).await;
        let failed = |fate: Option<Fate>| match (fate, &ended) {
            (Some(fate), _) => fate,
            (None, Err(error)) => {
                let again = error.again();
                Fate::Failed(match error.advice() {
                    Some(hint) => again.hint(hint),
                    None => again,
                })
            }
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
        let table = Table::ask(&mut session, schema, table).await?;
        table.takes_records()?;
        let (records, groups): (Vec<_>, Vec<_>) =
            units.into_iter().map(|unit| (unit.records, unit.group)).unzip();
        let mut each = Each { table: &table, groups: &groups, fates, broken: HashSet::new() };
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

struct Each<'e> {
    table: &'e Table,
    groups: &'e [Option<String>],
    fates: &'e mut [Option<Fate>],
    broken: HashSet<&'e str>,
}

impl Each<'_> {
    /// All at once; where the table does not take them, one half after the other.
    async fn run(&mut self, session: &mut Session<'_>, units: Vec<Ready>) -> Result<()> {
        let mut waiting = vec![units];
        while let Some(mut next) = waiting.pop() {
            next.retain(|unit| !self.is_behind(unit.place));
            let places: Vec<usize> = next.iter().map(|unit| unit.place).collect();
            let Some(&place) = places.first() else { continue };
            let mut rows = Vec::new();
            let sizes: Vec<usize> = next.iter().map(|unit| unit.rows.len()).collect();
            rows.extend(next.into_iter().flat_map(|unit| unit.rows));
            match transact(session, self.table, &rows, End::Commit).await {
                Ok(_) => places.into_iter().for_each(|place| self.settle(place, Fate::Done)),
                Err(error) if error.kind() != Kind::Invalid => return Err(error),
                Err(error) if places.len() == 1 => self.settle(place, Fate::Refused(error)),
                Err(_) => {
                    let mut rows = rows.into_iter();
                    let mut first: Vec<Ready> = places
                        .into_iter()
                        .zip(sizes)
                        .map(|(place, size)| Ready {
                            place,
                            rows: rows.by_ref().take(size).collect(),
                        })
                        .collect();
                    let second = first.split_off(first.len() / 2);
                    waiting.extend([second, first]);
                }
            }
        }
        Ok(())
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
