//! Items by a key or an index, and all of them.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{Stream, TryStreamExt};
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::dynamodb::{self, Item, KeyAttribute, KeyType, Schema, Value};
use longshore::units;

use super::{Printer, find};
use crate::progress::Progress;
use crate::reach::Reach;
use crate::say;

#[derive(Debug, clap::Args)]
pub(crate) struct Query {
    table: String,
    /// The value of the partition key; a binary one in base64
    value: String,
    /// Ask this index
    #[arg(long, alias = "index-name", value_name = "NAME")]
    index: Option<String>,
    /// Only those whose sort key has this value
    #[arg(long, value_name = "VALUE", conflicts_with_all = ["begins_with", "between"])]
    equal: Option<String>,
    /// Only those whose sort key begins so
    #[arg(long, value_name = "START", conflicts_with = "between")]
    begins_with: Option<String>,
    /// Only those whose sort key lies between these two, both included
    #[arg(long, num_args = 2, value_names = ["LOW", "HIGH"])]
    between: Vec<String>,
    /// Highest sort key first
    #[arg(long, alias = "no-scan-index-forward")]
    descending: bool,
    /// No more than so many
    #[arg(long, alias = "max-items", value_name = "COUNT")]
    max: Option<u64>,
    /// Print them in DynamoDB's own form, which keeps sets and binary values what they are
    #[arg(long)]
    typed: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Scan {
    table: String,
    /// Take them from this host's cache while it is good
    #[arg(long)]
    cached: bool,
    /// Read them anew, and into the cache
    #[arg(long)]
    refresh: bool,
    /// How old the cache may be [default: 6h]
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    max_age: Option<Duration>,
    /// Where the cache lies, in place of the user's cache directory
    #[arg(long, visible_alias = "cache-dir", value_name = "DIR")]
    cache_directory: Option<PathBuf>,
    /// No more than so many
    #[arg(long, alias = "max-items", value_name = "COUNT")]
    max: Option<u64>,
    /// Print them in DynamoDB's own form, which keeps sets and binary values what they are
    #[arg(long)]
    typed: bool,
}

pub(super) async fn query(reach: &Reach, query: Query) -> Result<()> {
    let table = find(reach, &query.table).await?;
    let asked = asked(&table.schema().await?, &query)?;
    print(table.query(&asked), u64::MAX, query.typed).await
}

/// The types of the values are those of the keys.
fn asked(schema: &Schema, query: &Query) -> Result<dynamodb::Query> {
    let (partition, sort) = match &query.index {
        None => (&schema.partition, schema.sort.as_ref()),
        Some(name) => {
            let index = schema.indexes.iter().find(|index| index.name == *name);
            let index = index.ok_or_else(|| no_index(schema, query, name))?;
            (&index.partition, index.sort.as_ref())
        }
    };
    let mut asked = dynamodb::Query::equal(&partition.name, value(partition, &query.value)?);
    if let Some(index) = &query.index {
        asked = asked.index(index);
    }
    let sorted = || {
        let what = format!("{} has no sort key there", query.table);
        sort.ok_or_else(|| Error::new(Kind::Usage, what))
    };
    if let Some(text) = &query.equal {
        let sort = sorted()?;
        asked = asked.and_equal(&sort.name, value(sort, text)?);
    } else if let Some(text) = &query.begins_with {
        let sort = sorted()?;
        asked = asked.begins_with(&sort.name, value(sort, text)?);
    } else if let [low, high] = query.between.as_slice() {
        let sort = sorted()?;
        asked = asked.between(&sort.name, value(sort, low)?, value(sort, high)?);
    }
    if query.descending {
        asked = asked.descending();
    }
    Ok(query.max.map_or(asked.clone(), |max| asked.most(max)))
}

fn no_index(schema: &Schema, query: &Query, name: &str) -> Error {
    let known: Vec<&str> = schema.indexes.iter().map(|index| index.name.as_str()).collect();
    let error = Error::new(Kind::Usage, format!("{} has no index {name}", query.table));
    match known.as_slice() {
        [] => error.hint("it has none; create the table with --index"),
        known => error.hint(format!("it has {}", known.join(", "))),
    }
}

fn value(key: &KeyAttribute, text: &str) -> Result<Value> {
    Ok(match key.kind {
        KeyType::String => Value::from(text),
        KeyType::Number => Value::number(text),
        KeyType::Binary => Value::from(STANDARD.decode(text).map_err(|wrong| {
            Error::new(Kind::Usage, format!("the binary key {}", key.name)).because(wrong)
        })?),
    })
}

pub(super) async fn scan(reach: &Reach, scan: Scan) -> Result<()> {
    let mut table = find(reach, &scan.table).await?;
    if let Some(directory) = scan.cache_directory {
        table = table.cache_in(directory);
    }
    let most = scan.max.unwrap_or(u64::MAX);
    if !(scan.cached || scan.refresh || scan.max_age.is_some()) {
        return print(table.scan(), most, scan.typed).await;
    }
    let cached = if scan.refresh {
        table.refresh().await?
    } else {
        table.scan_cached(scan.max_age.unwrap_or(dynamodb::DEFAULT_MAX_AGE)).await?
    };
    if !cached.is_kept {
        say::note(
            "the cache could not be written; name a directory that this user may write to, with \
             --cache-directory",
        );
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let printer = Printer { typed: scan.typed };
    for item in cached.items.iter().take(most) {
        if !printer.print(item)? {
            break;
        }
    }
    Ok(())
}

async fn print(items: impl Stream<Item = Result<Item>>, most: u64, typed: bool) -> Result<()> {
    let (progress, printer) = (Progress::start(None), Printer { typed });
    let mut items = pin!(items);
    let mut count = 0;
    while count < most
        && let Some(item) = items.try_next().await?
    {
        if !printer.print(&item)? {
            break;
        }
        count += 1;
        progress.show(count, String::new());
    }
    Ok(())
}
