//! `longshore dynamodb`: tables and their items by their verbs.

mod items;
mod search;

use std::pin::pin;

use futures_util::TryStreamExt;
use longshore::error::{Kind, Result};
use longshore::toolkit::dynamodb::{self, Facts, Index, KeyAttribute, Schema, Table};
use serde_json::json;

use crate::reach::{Reach, connections};
use crate::tool::{Told, Tool};
use crate::{consent, say};

/// Makes, asks and deletes tables; gets, puts, deletes and finds items. An item or key is a JSON
/// object, plain ({"id": "a"}) or in DynamoDB's own form ({"id": {"S": "a"}}). The names of the aws
/// CLI (create-table, get-item, …) will do as well.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Create a table, on demand, or find it there with the same keys; ends when it can be used
    #[command(alias = "create-table")]
    Create {
        table: String,
        /// The key, or its first part: its name, with :N for numbers or :B for bytes behind it
        #[arg(long, value_name = "NAME[:TYPE]", value_parser = key)]
        partition_key: KeyAttribute,
        /// The second part of the key
        #[arg(long, value_name = "NAME[:TYPE]", value_parser = key)]
        sort_key: Option<KeyAttribute>,
        /// An index over this attribute, and another one for its order; its name is NAME-index; may
        /// be repeated
        #[arg(long = "index", value_name = "NAME[:TYPE][,NAME[:TYPE]]", value_parser = index)]
        indexes: Vec<Index>,
    },
    /// Delete a table with all its items
    #[command(alias = "delete-table")]
    Delete {
        table: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Tell whether a table exists; exits with 69 where it does not
    Exists { table: String },
    /// List tables
    #[command(alias = "list-tables")]
    List {
        /// Only those whose names begin so
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
    },
    /// Tell a table's keys, indexes, status, and how many items it had some hours ago
    #[command(alias = "describe-table")]
    Describe { table: String },
    /// Print the item of a key; exits with 69 where there is none
    #[command(alias = "get-item")]
    Get(items::Get),
    /// Put an item, or one of each line of standard input
    #[command(alias = "put-item")]
    Put(items::Put),
    /// Set attributes of an item and leave its others; prints it
    #[command(aliases = ["update", "update-item"])]
    Upsert(items::Upsert),
    /// Delete the item of a key, or all items
    DeleteItem(items::Delete),
    /// Print the items of one partition of a table or index, a line each
    Query(search::Query),
    /// Print all items of a table, a line each
    Scan(search::Scan),
}

pub(crate) async fn run(tool: Tool<Verb>) -> Result<u8> {
    let Tool { verb, reach, told } = tool;
    match verb {
        Verb::Create { table, partition_key, sort_key, indexes } => {
            let schema = Schema { partition: partition_key, sort: sort_key, indexes };
            let table = find(&reach, &table).await?;
            table.create(&schema).await?;
            tell(&told, &table.describe().await?);
        }
        Verb::Delete { table, yes } => {
            let table = find(&reach, &table).await?;
            let name = table.name();
            consent::given(yes, &format!("delete the DynamoDB table {name} with all its items"))?;
            table.destroy().await?;
            told.of(format!("deleted {name}"), json!({ "deleted": name }));
        }
        Verb::Exists { table } => {
            let exists = find(&reach, &table).await?.exists().await?;
            let words = if exists { "exists" } else { "does not exist" };
            told.of(format!("{table} {words}"), json!({ "table": table, "exists": exists }));
            return Ok(if exists { 0 } else { Kind::Missing.exit_code() });
        }
        Verb::List { prefix } => {
            let client = connections().connect(&reach.aws()?).await?.dynamodb;
            let mut tables = pin!(dynamodb::list(&client));
            while let Some(name) = tables.try_next().await? {
                if name.starts_with(&prefix) {
                    told.of(&name, json!({ "table": name }));
                }
            }
        }
        Verb::Describe { table } => tell(&told, &find(&reach, &table).await?.describe().await?),
        Verb::Get(get) => return items::get(&reach, get).await,
        Verb::Put(put) => return items::put(&reach, put, &told).await,
        Verb::Upsert(upsert) => items::upsert(&reach, upsert).await?,
        Verb::DeleteItem(delete) => return items::delete(&reach, delete, &told).await,
        Verb::Query(query) => search::query(&reach, query).await?,
        Verb::Scan(scan) => search::scan(&reach, scan).await?,
    }
    Ok(0)
}

/// A table by its name or ARN.
async fn find(reach: &Reach, table: &str) -> Result<Table> {
    Ok(Table::new(connections().connect(&reach.aws_of(table)?).await?.dynamodb, table))
}

fn tell(told: &Told, facts: &Facts) {
    let Facts { name, arn, id: _, status, schema, items, bytes } = facts;
    let keys = |partition: &KeyAttribute, sort: Option<&KeyAttribute>| {
        let parts = std::iter::once(partition).chain(sort);
        let parts: Vec<String> =
            parts.map(|part| format!("{}:{}", part.name, part.kind.letter())).collect();
        parts.join(",")
    };
    let key = keys(&schema.partition, schema.sort.as_ref());
    let indexes = schema.indexes.iter();
    let indexes: Vec<(&str, String)> = indexes
        .map(|index| (index.name.as_str(), keys(&index.partition, index.sort.as_ref())))
        .collect();
    let mut words = format!("{name} is {status}\narn={arn}\nkey={key}");
    for (index, key) in &indexes {
        words = format!("{words}\nindex {index}: key={key}");
    }
    words = format!("{words}\nabout {items} items of {bytes} bytes, counted every six hours");
    let indexes: Vec<_> =
        indexes.iter().map(|(name, key)| json!({ "index": name, "key": key })).collect();
    let document = json!({ "table": name, "arn": arn, "status": status, "key": key,
                           "indexes": indexes, "items": items, "bytes": bytes });
    told.of(words, document);
}

fn key(text: &str) -> std::result::Result<KeyAttribute, String> {
    let (name, kind) = text.rsplit_once(':').unwrap_or((text, "S"));
    if name.is_empty() {
        return Err("a key has a name".to_owned());
    }
    match kind {
        "S" => Ok(KeyAttribute::string(name)),
        "N" => Ok(KeyAttribute::number(name)),
        "B" => Ok(KeyAttribute::binary(name)),
        _ => Err(format!("{kind:?} is no type of a key; S, N and B are")),
    }
}

fn index(text: &str) -> std::result::Result<Index, String> {
    let (partition, sort) = match text.split_once(',') {
        Some((partition, sort)) => (partition, Some(key(sort)?)),
        None => (text, None),
    };
    let index = Index::of(key(partition)?);
    Ok(Index { sort, ..index })
}

/// Prints items; one that could not be printed is an error, unless nobody reads them any more.
struct Printer {
    typed: bool,
}

impl Printer {
    /// False where nobody reads any more.
    fn print(&self, item: &dynamodb::Item) -> Result<bool> {
        let line = if self.typed { item.typed_json() } else { item.json() };
        say::bytes(format!("{line}\n").as_bytes())
    }
}
