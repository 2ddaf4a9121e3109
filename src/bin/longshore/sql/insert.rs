//! `longshore sql insert`: records from standard input or a file.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream;
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::sql::{Database, Inserted, Record};
use serde_json::Value;
use tokio::io::{AsyncBufRead, BufReader};

use crate::lines::Lines;
use crate::progress::Progress;

/// A line that is longer is none that a database would take in one statement.
const MOST_LINE: usize = 64 << 20;

/// Up to the first record that the table does not take, which is named by its line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    schema: String,
    table: String,
    /// A file of JSON objects, a line each [default: standard input]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

type Input = Lines<Pin<Box<dyn AsyncBufRead + Send>>>;

pub(super) async fn run(database: &Database, args: &Args) -> Result<Inserted> {
    let input: Pin<Box<dyn AsyncBufRead + Send>> = match &args.file {
        Some(file) if file.as_os_str() != "-" => {
            let opened = tokio::fs::File::open(file).await.map_err(|error| {
                Error::new(Kind::Usage, format!("reading {}", file.display())).because(error)
            })?;
            Box::pin(BufReader::new(opened))
        }
        _ => Box::pin(BufReader::new(tokio::io::stdin())),
    };
    let (progress, count) = (Progress::start(None), AtomicU64::new(0));
    let state = (Lines::of(input, MOST_LINE), &count);
    let records = stream::try_unfold(state, async |(mut lines, count)| {
        let record = next(&mut lines, count).await?;
        progress.show(count.load(Ordering::Relaxed), String::new());
        Ok(record.map(|record| (record, (lines, count))))
    });
    database.insert_stream(&args.schema, &args.table, records).await
}

/// The record of the next line. An empty line is refused too, so that numbers of records are
/// numbers of lines.
async fn next(lines: &mut Input, count: &AtomicU64) -> Result<Option<Record>> {
    let Some(line) = lines.next().await? else { return Ok(None) };
    let number = count.fetch_add(1, Ordering::Relaxed) + 1;
    let wrong = |why: String| {
        Error::new(Kind::Invalid, format!("line {number} is no record"))
            .because(why)
            .hint("write one JSON object a line")
    };
    match serde_json::from_str(&line.map_err(wrong)?) {
        Ok(Value::Object(record)) => Ok(Some(record)),
        Ok(_) => Err(wrong("it is JSON, but no object".to_owned())),
        Err(error) => Err(wrong(error.to_string())),
    }
}
