//! One item, or one of each line.

use futures_util::stream::unfold;
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::dynamodb::{IntoItem, Item, Table, WriteReport};
use serde_json::json;
use tokio::io::BufReader;

use super::{Printer, find};
use crate::lines::Lines;
use crate::progress::Progress;
use crate::reach::Reach;
use crate::tool::Told;
use crate::{consent, say};

/// An item of 400 KB may be much longer as JSON, but not by this much.
const LONGEST_LINE: usize = 8 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    table: String,
    /// The key, as a JSON object
    #[arg(value_name = "KEY", value_parser = item)]
    key: Item,
    /// Print it in DynamoDB's own form, which keeps sets and binary values what they are
    #[arg(long)]
    typed: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Put {
    table: String,
    /// The item, as a JSON object; absent or `-`: one of each line of standard input, 25 in a call
    #[arg(value_name = "ITEM")]
    item: Option<String>,
    /// Leave an item of that key that is there already; exits with 75 where there is one
    #[arg(long)]
    if_absent: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Upsert {
    table: String,
    /// The key, as a JSON object
    #[arg(value_name = "KEY", value_parser = item)]
    key: Item,
    /// The attributes to set, as a JSON object
    #[arg(value_name = "ATTRIBUTES", value_parser = item)]
    set: Item,
    /// Print it in DynamoDB's own form
    #[arg(long)]
    typed: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Delete {
    table: String,
    /// The key, as a JSON object
    #[arg(value_name = "KEY", value_parser = item, required_unless_present = "all")]
    key: Option<Item>,
    /// Delete all items, and keep the table
    #[arg(long, conflicts_with = "key")]
    all: bool,
    /// With --all: do not ask
    #[arg(long, requires = "all")]
    yes: bool,
}

fn item(text: &str) -> std::result::Result<Item, String> {
    Item::from_json(text).map_err(|error| error.told())
}

pub(super) async fn get(reach: &Reach, get: Get) -> Result<u8> {
    let table = find(reach, &get.table).await?;
    let Some(item) = table.get(&get.key).await? else {
        say::note(format_args!("{} holds no item of that key", get.table));
        return Ok(Kind::Missing.exit_code());
    };
    Printer { typed: get.typed }.print(&item)?;
    Ok(0)
}

pub(super) async fn put(reach: &Reach, put: Put, told: &Told) -> Result<u8> {
    let table = find(reach, &put.table).await?;
    let one = put.item.filter(|item| item != "-");
    if put.if_absent {
        let text = one.ok_or_else(|| {
            Error::new(Kind::Usage, "--if-absent without an item")
                .hint("it is for one item, which stands on the command line")
        })?;
        let is_new = table.put_if_absent(&Item::from_json(&text)?).await?;
        let words = if is_new { "put 1 item" } else { "it was there already" };
        told.of(words, json!({ "put": u8::from(is_new) }));
        return Ok(if is_new { 0 } else { Kind::Busy.exit_code() });
    }
    if let Some(text) = one {
        table.put(&Item::from_json(&text)?).await?;
        told.of("put 1 item", json!({ "put": 1 }));
        return Ok(0);
    }
    let report = put_lines(&table).await?;
    for failed in &report.failed {
        say::note(format_args!("line {}: {}", failed.number + 1, failed.error));
    }
    let (written, failed) = (report.written, report.failed.len());
    told.of(format!("put {written} items"), json!({ "put": written, "failed": failed }));
    Ok(code(&report))
}

/// A line, or why it is none.
struct Line(std::result::Result<String, String>);

impl IntoItem for Line {
    fn to_item(&self) -> Result<Item> {
        match &self.0 {
            Ok(text) => Item::from_json(text),
            Err(wrong) => Err(Error::new(Kind::Invalid, wrong.clone())),
        }
    }
}

async fn put_lines(table: &Table) -> Result<WriteReport> {
    let progress = Progress::start(None);
    let lines = Lines::of(BufReader::new(tokio::io::stdin()), LONGEST_LINE);
    let mut broken = None;
    let source = unfold((lines, 0, &mut broken), |(mut lines, count, broken)| {
        let progress = &progress;
        async move {
            match lines.next().await {
                Ok(line) => {
                    progress.show(count, String::new());
                    Some((Line(line?), (lines, count + 1, broken)))
                }
                Err(error) => {
                    *broken = Some(error);
                    None
                }
            }
        }
    });
    let report = table.put_all(source).await?;
    broken.map_or(Ok(report), Err)
}

pub(super) async fn upsert(reach: &Reach, upsert: Upsert) -> Result<()> {
    let table = find(reach, &upsert.table).await?;
    let item = table.upsert(&upsert.key, &upsert.set).await?;
    Printer { typed: upsert.typed }.print(&item).map(|_read| ())
}

pub(super) async fn delete(reach: &Reach, delete: Delete, told: &Told) -> Result<u8> {
    let table = find(reach, &delete.table).await?;
    if let Some(key) = &delete.key {
        table.delete(key).await?;
        told.of("it is not there any more", json!({ "deleted": true }));
        return Ok(0);
    }
    let name = table.name();
    consent::given(delete.yes, &format!("delete all items of the DynamoDB table {name}"))?;
    let report = table.delete_all().await?;
    for failed in &report.failed {
        say::note(&failed.error);
    }
    let (deleted, failed) = (report.written, report.failed.len());
    told.of(format!("deleted {deleted} items"), json!({ "deleted": deleted, "failed": failed }));
    Ok(code(&report))
}

/// That of the first failure, if there was one.
fn code(report: &WriteReport) -> u8 {
    report.failed.first().map_or(0, |failed| failed.error.exit_code())
}
