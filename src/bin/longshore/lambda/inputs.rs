//! Where the inputs of functions come from. Their text stays as it is written.

use futures_util::stream::try_unfold;
use futures_util::{Stream, StreamExt};
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::lambda::MOST_BYTES;
use longshore::toolkit::s3::Bucket;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::io::{AsyncReadExt, BufReader};

use crate::lines::Lines;

/// What `--payload` says: JSON, `-`, or `file://PATH`.
pub(crate) async fn payload(said: &str) -> Result<Box<RawValue>> {
    let text = if said == "-" {
        let mut text = String::new();
        // One byte more than Lambda takes tells that it is too much.
        let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX) + 1;
        let read = tokio::io::stdin().take(most).read_to_string(&mut text).await;
        read.map_err(|error| Error::new(Kind::Usage, "reading standard input").because(error))?;
        text
    } else if let Some(path) = said.strip_prefix("file://") {
        let read = tokio::fs::read_to_string(path).await;
        read.map_err(|error| Error::new(Kind::Usage, format!("reading {path}")).because(error))?
    } else {
        said.to_owned()
    };
    as_input(text, "the payload")
}

fn as_input(text: String, what: &str) -> Result<Box<RawValue>> {
    RawValue::from_string(text.trim().to_owned())
        .map_err(|error| Error::new(Kind::Usage, format!("{what} is not JSON")).because(error))
}

/// Each line of standard input; empty ones are left out.
pub(crate) fn lines() -> impl Stream<Item = Result<Box<RawValue>>> + Send {
    let lines = Lines::of(BufReader::new(tokio::io::stdin()), MOST_BYTES);
    let each = try_unfold(lines, async |mut lines| {
        loop {
            match lines.next().await? {
                None => return Ok(None),
                Some(Ok(line)) if line.trim().is_empty() => {}
                Some(line) => return Ok::<_, Error>(Some((line, lines))),
            }
        }
    });
    each.map(|line: Result<std::result::Result<String, String>>| match line? {
        Ok(line) => as_input(line, "the line"),
        Err(why) => Err(Error::new(Kind::Usage, "the line is no input").because(why)),
    })
}

/// `{"key": KEY}` for each key of a bucket that begins so, page by page as they are taken.
pub(crate) fn keys(
    bucket: &Bucket,
    prefix: &str,
) -> impl Stream<Item = Result<Box<RawValue>>> + Send + use<> {
    bucket.list(prefix, true).map(|entry| {
        let key = entry?.name().to_owned();
        to_raw_value(&json!({ "key": key })).map_err(|error| {
            Error::new(Kind::Bug, format!("writing the key {key:?}")).because(error)
        })
    })
}
