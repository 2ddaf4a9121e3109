//! `sql`: inserts each body, a JSON object or an array of them, into a table; records whose primary
//! key is there already are skipped, so that a message which comes again does no harm.
//!
//! A batch is one transaction, and *done* is what was committed. Where the table does not take it,
//! its messages are tried in ever smaller parts: a bad one is rejected and spoils no other. Of a
//! message with several records all go in or none.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde_json::Value;

use super::judge::judged;
use crate::config;
use crate::error::{Error, Kind, Result};
use crate::finding::Finding;
use crate::handler::{BoxHandler, Delivery, Turns, Verdict};
use crate::message::Body;
use crate::outcome::Outcome;
use crate::toolkit::sql::{Database, Fate, Record, Unit};

/// How many messages share a transaction.
const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);

struct Target {
    database: Database,
    schema: String,
    table: String,
}

pub(super) fn build(settings: &config::Sql, name: &str) -> BoxHandler {
    let config::Sql { server, schema, table } = settings.clone();
    let target = Arc::new(Target { database: Database::new(server), schema, table });
    BoxHandler::batch(name, MOST, move |deliveries| insert(Arc::clone(&target), deliveries))
}

/// Dropping this future takes back what was not committed.
async fn insert(target: Arc<Target>, deliveries: Vec<Delivery>) -> Vec<Verdict> {
    let mut turns = Turns::of(&deliveries);
    let mut units = Vec::with_capacity(deliveries.len());
    while let Some(message) = turns.take() {
        match records(&message.body).await {
            Ok(records) => {
                units.push(Unit { records, group: message.fifo_group().map(str::to_owned) });
            }
            Err(error) => turns.refuse(judged(&error, true)),
        }
    }
    if units.is_empty() {
        return turns.end([]);
    }
    let Target { database, schema, table } = &*target;
    let fates = database.insert_each(schema, table, units).await;
    turns.end(fates.into_iter().map(told))
}

/// One record or several.
async fn records(body: &Body) -> Result<Vec<Record>> {
    let wrong = |why: &str| {
        let what = "the body is neither a JSON object nor an array of them";
        Error::new(Kind::Invalid, what).because(why.to_owned())
    };
    let read = if let Some(bytes) = body.as_bytes() {
        serde_json::from_slice(bytes)
    } else {
        let body = body.clone();
        let read = move || serde_json::from_reader(std::io::BufReader::new(body.reader()));
        tokio::task::spawn_blocking(read).await.map_err(|failed| {
            Error::new(Kind::File, "reading the body was cut off").because(failed)
        })?
    };
    let record = |value| {
        let Value::Object(record) = value else { return Err(wrong("it holds something else")) };
        Ok(record)
    };
    match read {
        Ok(Value::Array(values)) => values.into_iter().map(record).collect(),
        Ok(value) => Ok(vec![record(value)?]),
        Err(error) if error.is_io() => {
            Err(Error::new(Kind::File, "reading the body").because(error))
        }
        Err(error) => Err(wrong(&error.to_string())),
    }
}

fn told(fate: Fate) -> Option<Verdict> {
    match fate {
        Fate::Done => Some(Ok(Outcome::Done)),
        Fate::Refused(error) | Fate::Failed(error) => Some(judged(&error, true)),
        Fate::Behind => None,
    }
}

/// Whether the database answers and its table takes records.
pub(super) async fn check(settings: &config::Sql) -> Finding {
    let config::Sql { server, schema, table } = settings;
    let database = Database::new(server.clone());
    match database.takes_records(schema, table).await {
        Ok(()) => Finding::good(format!("table {schema}.{table} takes records, {server}")),
        Err(error) => Finding::of_error(&error, 69),
    }
}
