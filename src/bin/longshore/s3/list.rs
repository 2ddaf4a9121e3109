//! `longshore s3 ls`: buckets, or what a bucket holds.

use std::pin::pin;

use futures_util::TryStreamExt;
use longshore::error::Result;
use longshore::toolkit::s3::{self, Entry};
use longshore::units;
use serde_json::json;

use super::S3;
use super::place::object;
use crate::say;

/// List buckets, or what lies below a prefix
///
/// Without --recursive the prefix is a directory, or an object: what lies deeper is told by its
/// prefix alone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What lies below it [default: the buckets]
    #[arg(value_name = "s3://BUCKET/PREFIX")]
    path: Option<String>,
    /// All that lies below the prefix, however deep
    #[arg(long)]
    recursive: bool,
    /// Tell at the end how many objects there were, and their bytes
    #[arg(long)]
    summarize: bool,
}

/// What was told so far.
#[derive(Default)]
struct Sum {
    objects: u64,
    bytes: u64,
}

pub(super) async fn run(args: &Args, s3: &S3) -> Result<u8> {
    let Some(path) = &args.path else { return buckets(s3).await };
    let path = object(path)?;
    let bucket = s3.bucket(&path.bucket);
    let mut sum = Sum::default();
    if !args.recursive && !path.key.is_empty() && !path.key.ends_with('/') {
        // Of all keys that begin so it comes first.
        let first = pin!(bucket.list(&path.key, true)).try_next().await?;
        if let Some(entry) = first.filter(|entry| entry.name() == path.key) {
            say::bytes(line(s3, &path.bucket, entry, &mut sum).as_bytes())?;
        }
    }
    let mut entries = pin!(bucket.list(&path.key, args.recursive));
    while let Some(entry) = entries.try_next().await? {
        // Who has read enough, as `head` has, is no error.
        if !say::bytes(line(s3, &path.bucket, entry, &mut sum).as_bytes())? {
            return Ok(0);
        }
    }
    if args.summarize {
        let Sum { objects, bytes } = sum;
        let words = format!("{}, {bytes} bytes", units::count(objects, "object"));
        s3.told.of(words, json!({ "objects": objects, "bytes": bytes }));
    }
    Ok(0)
}

async fn buckets(s3: &S3) -> Result<u8> {
    let mut all = pin!(s3::buckets(&s3.client));
    while let Some(found) = all.try_next().await? {
        let created = found.created.map(units::utc);
        let words = format!("{} {}", created.as_deref().unwrap_or("-"), found.name);
        s3.told.of(words, json!({ "bucket": found.name, "created": created }));
    }
    Ok(0)
}

fn line(s3: &S3, bucket: &str, entry: Entry, sum: &mut Sum) -> String {
    match entry {
        Entry::Prefix(prefix) if s3.told.json => {
            format!("{}\n", json!({ "bucket": bucket, "prefix": prefix }))
        }
        Entry::Prefix(prefix) => format!("{:>20} {:>12} {prefix}\n", "", "PRE"),
        Entry::Object(found) => {
            sum.objects += 1;
            sum.bytes = sum.bytes.saturating_add(found.size);
            let modified = found.modified.map(units::utc);
            if s3.told.json {
                let document = json!({
                    "bucket": bucket,
                    "key": found.path.key,
                    "size": found.size,
                    "modified": modified,
                    "etag": found.etag,
                    "storage_class": found.storage_class,
                });
                return format!("{document}\n");
            }
            let modified = modified.as_deref().unwrap_or("-");
            format!("{modified:>20} {:>12} {}\n", found.size, found.path.key)
        }
    }
}
