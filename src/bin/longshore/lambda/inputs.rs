//! Where the inputs of functions come from. Their text stays as it is written.

use std::collections::VecDeque;
use std::str::FromStr;

use futures_util::Stream;
use futures_util::stream::try_unfold;
use longshore::aws::fault::fault;
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::lambda::MOST_BYTES;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::io::{AsyncReadExt, BufReader};

use crate::lines::Lines;

/// `s3://BUCKET/PREFIX`
#[derive(Debug, Clone)]
pub(crate) struct Prefix {
    bucket: String,
    prefix: String,
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let path = text.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err("write it as s3://BUCKET/PREFIX".to_owned());
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

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
    futures_util::StreamExt::map(each, |line: Result<std::result::Result<String, String>>| {
        match line? {
            Ok(line) => as_input(line, "the line"),
            Err(why) => Err(Error::new(Kind::Usage, "the line is no input").because(why)),
        }
    })
}

/// `{"key": KEY}` for each key that begins so, page by page as they are taken.
pub(crate) fn keys(
    s3: aws_sdk_s3::Client,
    from: Prefix,
) -> impl Stream<Item = Result<Box<RawValue>>> + Send {
    let begin = (VecDeque::new(), Some(None), s3, from);
    try_unfold(begin, async |(mut page, mut next, s3, from): (VecDeque<String>, _, _, Prefix)| {
        loop {
            if let Some(key) = page.pop_front() {
                let input = to_raw_value(&json!({ "key": key })).map_err(|error| {
                    Error::new(Kind::Bug, format!("writing the key {key:?}")).because(error)
                })?;
                return Ok(Some((input, (page, next, s3, from))));
            }
            let Some(token) = next else { return Ok(None) };
            let list = s3.list_objects_v2().bucket(&from.bucket).prefix(&from.prefix);
            let answer = list.set_continuation_token(token).send().await.map_err(|error| {
                fault(format!("listing s3://{}/{}", from.bucket, from.prefix), error)
            })?;
            let objects = answer.contents.unwrap_or_default().into_iter();
            page = objects.filter_map(|object| object.key).collect();
            next = answer.next_continuation_token.map(Some);
        }
    })
}
