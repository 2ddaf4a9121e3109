//! The embedded DynamoDB: tables in memory, every read consistent, every write whole.
//!
//! Tables are known by name alone: a request of any region finds them. Numbers are exact to their
//! 38 digits, expressions keep AWS's rules (reserved words, unused placeholders, types), pages end
//! at 1 MB or the limit.
//!
//! Not there: streams, `PartiQL`, backups, the parameters that came before expressions, consumed
//! capacity, and the removal of expired items, on which nobody may rely with AWS either. A token of
//! a transaction is not remembered. Throughput is kept and given back without effect.

mod ask;
mod batch;
mod expression;
mod key;
mod number;
mod partition;
mod read;
mod refusal;
mod table;
mod tables;
mod value;
mod write;

use serde_json::Value as Json;

use self::ask::Ask;
pub(super) use self::refusal::Refusal;
use self::tables::Tables;
use super::clock::Clock;
use super::guarded::Guarded;

#[derive(Debug)]
pub(super) struct Dynamodb {
    clock: Clock,
    tables: Guarded<Tables>,
}

impl Dynamodb {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, tables: Guarded::default() }
    }

    /// Answers one operation.
    pub(super) fn call(&self, region: &str, action: &str, input: Json) -> Result<Json, Refusal> {
        let mut tables = self.tables.lock();
        match action {
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                write::one(&mut tables, action, &Ask::of(input)?)
            }
            "GetItem" => read::get(&tables, &Ask::of(input)?),
            "Query" => read::query(&tables, &Ask::of(input)?),
            "Scan" => read::scan(&tables, &Ask::of(input)?),
            "BatchGetItem" => batch::gets(&tables, input),
            "BatchWriteItem" => batch::writes(&mut tables, &input),
            "TransactWriteItems" => batch::transact(&mut tables, &input),
            "TransactGetItems" => batch::transact_gets(&tables, &input),
            _ => tables::call(&mut tables, action, &input, region, self.clock.seconds()),
        }
    }
}
