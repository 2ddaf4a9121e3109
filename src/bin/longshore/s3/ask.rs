//! What is asked of one object: its bytes, its metadata, whether it is there, its address.

use std::time::Duration;

use longshore::error::{Kind, Result};
use longshore::toolkit::s3::{Facts, Fetched};
use longshore::units;
use serde_json::{Value, json};

use super::S3;
use super::place::{object, one_object};
use crate::say;

/// Write an object to standard output
///
/// Byte by byte, unless an encoding is named: then it is a text in it, and written in UTF-8.
#[derive(Debug, clap::Args)]
pub(crate) struct Cat {
    /// The object
    #[arg(value_name = "s3://BUCKET/KEY")]
    object: String,
    /// The encoding of the text, such as latin1 or utf-16le
    #[arg(long, value_name = "LABEL")]
    encoding: Option<String>,
}

/// Tell what S3 knows of an object besides its bytes
#[derive(Debug, clap::Args)]
pub(crate) struct Object {
    /// The object
    #[arg(value_name = "s3://BUCKET/KEY")]
    object: String,
}

/// Tell whether an object or a bucket exists; exits with 69 where it does not
#[derive(Debug, clap::Args)]
pub(crate) struct Exists {
    /// The object, or the bucket
    #[arg(value_name = "s3://BUCKET[/KEY]")]
    object: String,
}

/// Make an address that reads an object for a while, for whoever has it
#[derive(Debug, clap::Args)]
pub(crate) struct Presign {
    /// The object
    #[arg(value_name = "s3://BUCKET/KEY")]
    object: String,
    /// For so many seconds, at most seven days
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600,
          value_parser = clap::value_parser!(u64).range(1..=604_800))]
    expires_in: u64,
    /// An address to which the object can be sent by PUT instead
    #[arg(long)]
    put: bool,
}

/// Tell an object's own address, for those who may read it without a signature
#[derive(Debug, clap::Args)]
pub(crate) struct Url {
    /// The object
    #[arg(value_name = "s3://BUCKET/KEY")]
    object: String,
}

pub(super) async fn cat(args: &Cat, s3: &S3) -> Result<u8> {
    let path = one_object(&args.object)?;
    let bucket = s3.bucket(&path.bucket);
    if let Some(encoding) = &args.encoding {
        say::bytes(bucket.text(&path.key, encoding).await?.as_bytes())?;
        return Ok(0);
    }
    pour(bucket.get(&path.key).await?).await?;
    Ok(0)
}

/// Writes all of an object to standard output, as far as somebody reads it.
pub(super) async fn pour(mut fetched: Fetched) -> Result<()> {
    while let Some(bytes) = fetched.next().await? {
        // Who has read enough, as `head` has, is no error.
        if !say::bytes(&bytes)? {
            break;
        }
    }
    Ok(())
}

pub(super) async fn head(args: &Object, s3: &S3) -> Result<u8> {
    let path = one_object(&args.object)?;
    let facts = s3.bucket(&path.bucket).head(&path.key).await?;
    s3.told.of(lines(&facts), document(&facts));
    Ok(0)
}

pub(super) async fn exists(args: &Exists, s3: &S3) -> Result<u8> {
    let path = object(&args.object)?;
    let bucket = s3.bucket(&path.bucket);
    let exists = if path.is_of_object() {
        bucket.exists(&path.key).await?
    } else {
        bucket.is_there().await?
    };
    let word = if exists { "exists" } else { "does not exist" };
    s3.told.of(format!("{path} {word}"), json!({ "path": path.to_string(), "exists": exists }));
    Ok(if exists { 0 } else { Kind::Missing.exit_code() })
}

pub(super) async fn presign(args: &Presign, s3: &S3) -> Result<u8> {
    let path = one_object(&args.object)?;
    let (bucket, valid) = (s3.bucket(&path.bucket), Duration::from_secs(args.expires_in));
    let url = if args.put {
        bucket.presign_put(&path.key, valid).await?
    } else {
        bucket.presign_get(&path.key, valid).await?
    };
    let document = json!({ "path": path.to_string(), "url": url, "expires_in": args.expires_in });
    s3.told.of(&url, document);
    Ok(0)
}

pub(super) async fn url(args: &Url, s3: &S3) -> Result<u8> {
    let path = one_object(&args.object)?;
    let url = s3.bucket(&path.bucket).url(&path.key).await?;
    s3.told.of(&url, json!({ "path": path.to_string(), "url": url }));
    Ok(0)
}

fn lines(facts: &Facts) -> String {
    let mut lines = vec![format!("path={}", facts.path), format!("size={}", facts.size)];
    for (name, value) in [
        ("modified", facts.modified.map(units::utc)),
        ("etag", facts.etag.clone()),
        ("content_type", facts.content_type.clone()),
        ("storage_class", facts.storage_class.clone()),
        ("kms_key", facts.kms_key.clone()),
        ("crc64nvme", facts.crc64nvme.clone()),
        ("sha512", facts.sha512.clone()),
    ] {
        lines.extend(value.map(|value| format!("{name}={value}")));
    }
    lines.extend(facts.metadata.iter().map(|(name, value)| format!("metadata.{name}={value}")));
    lines.join("\n")
}

fn document(facts: &Facts) -> Value {
    json!({
        "path": facts.path.to_string(),
        "bucket": facts.path.bucket,
        "key": facts.path.key,
        "url": facts.url,
        "size": facts.size,
        "modified": facts.modified.map(units::utc),
        "etag": facts.etag,
        "content_type": facts.content_type,
        "storage_class": facts.storage_class,
        "kms_key": facts.kms_key,
        "crc64nvme": facts.crc64nvme,
        "sha512": facts.sha512,
        "metadata": facts.metadata,
    })
}
