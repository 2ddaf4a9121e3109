//! `longshore sql`: tables of databases by their verbs.

mod insert;
mod place;

use std::pin::pin;

use futures_util::TryStreamExt as _;
use longshore::error::{Kind, Result};
use longshore::toolkit::sql::{Clause, Database, Operator};
use serde_json::{Value, json};

pub(crate) use self::place::Place;
use crate::progress::Progress;
use crate::say;
use crate::tool::Tool;

/// Looks at tables of MySQL, MariaDB and PostgreSQL, fills and reads them. SCHEMA is a schema of
/// PostgreSQL, and a database of MySQL and MariaDB.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Connect, log in, and tell the server's version and whether the connection is encrypted
    Ping,
    /// Tell whether a table exists; exits with 69 where it does not
    Exists { schema: String, table: String },
    /// Insert records, JSON objects a line each; those whose primary key is there are skipped
    Insert(insert::Args),
    /// Print the records of a table as JSON, a line each
    Fetch {
        schema: String,
        table: String,
        /// Only where this holds, such as age=ge:18 or name=ne:null, or in JSON
        /// {"key": "age", "op": "ge", "value": 18}; may be repeated
        #[arg(long = "where", value_name = "KEY=OP:VALUE", value_parser = clause)]
        clauses: Vec<Clause>,
    },
}

/// The short form says null for null; its other values are texts, which the database takes for what
/// the column holds.
fn clause(text: &str) -> std::result::Result<Clause, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    let parts = text.split_once('=').and_then(|(key, rest)| Some((key, rest.split_once(':')?)));
    let Some((key, (operator, value))) = parts.filter(|(key, _)| !key.is_empty()) else {
        return Err("write it as KEY=OP:VALUE, such as age=ge:18".to_owned());
    };
    let value = if value == "null" { Value::Null } else { Value::from(value) };
    Ok(Clause::new(key, Operator::read(operator)?, value))
}

pub(crate) async fn run(tool: Tool<Verb, Place>) -> Result<u8> {
    let Tool { verb, reach, told } = tool;
    let database = Database::new(reach.server()?);
    match verb {
        Verb::Ping => {
            let ping = database.ping().await?;
            let server = database.server();
            let cipher = ping.cipher.as_deref();
            let how = cipher.map_or("not encrypted".to_owned(), |name| format!("TLS, {name}"));
            told.of(
                format!("{server} answers: version {}, {how}", ping.version),
                json!({ "address": server.address(), "version": ping.version, "cipher": cipher }),
            );
        }
        Verb::Exists { schema, table } => {
            let exists = database.table_exists(&schema, &table).await?;
            let word = if exists { "exists" } else { "does not exist" };
            let document = json!({ "schema": schema, "table": table, "exists": exists });
            told.of(format!("table {schema}.{table} {word}"), document);
            return Ok(if exists { 0 } else { Kind::Missing.exit_code() });
        }
        Verb::Insert(args) => {
            let done = insert::run(&database, &args).await?;
            let (inserted, skipped) = (done.inserted, done.skipped);
            told.of(
                format!("inserted {inserted}, skipped {skipped} that were there"),
                json!({ "inserted": inserted, "skipped": skipped }),
            );
        }
        Verb::Fetch { schema, table, clauses } => {
            let progress = Progress::start(None);
            let mut rows = pin!(database.fetch(&schema, &table, &clauses).await?);
            let mut count = 0;
            while let Some(row) = rows.try_next().await? {
                // Who has read enough, as `head` has, is no error.
                if !say::bytes(format!("{}\n", Value::Object(row)).as_bytes())? {
                    break;
                }
                count += 1;
                progress.show(count, String::new());
            }
        }
    }
    Ok(0)
}
