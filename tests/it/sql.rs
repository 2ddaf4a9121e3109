//! SQL databases: the toolkit, the command line and the handler, on MariaDB and PostgreSQL.

mod each;
mod encrypted;
mod handling;
mod inserting;
mod types;
mod verbs;

use crate::support::database::Database as Server;
use futures_util::TryStreamExt;
use longshore::{
    config::DatabaseServer,
    toolkit::sql::{Clause, Database, Record},
};
use serde_json::Value;

/// A connection to it, as a program would make it.
fn connect(server: &Server) -> Database {
    Database::new(DatabaseServer::from_url(&server.url()).unwrap())
}

pub(crate) fn record(value: Value) -> Record {
    let Value::Object(record) = value else { panic!("{value} is no object") };
    record
}

/// All records for which the clauses hold, by their column `id`.
async fn fetched(database: &Database, table: &str, clauses: &[Clause]) -> Vec<Record> {
    let rows = database.fetch("shop", table, clauses).await.unwrap();
    let mut rows: Vec<Record> = rows.try_collect().await.unwrap();
    rows.sort_by_key(|row| row["id"].as_i64());
    rows
}
