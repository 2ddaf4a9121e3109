//! `longshore s3 mb` and `rb`: buckets made and deleted.

use longshore::error::Result;
use serde_json::json;

use super::S3;
use super::place::bucket;
use super::remove;
use crate::consent;

/// Make a bucket, or find it there as our own
#[derive(Debug, clap::Args)]
pub(crate) struct Make {
    /// It lies in the region that is asked (--region)
    #[arg(value_name = "s3://BUCKET")]
    bucket: String,
}

/// Delete an empty bucket
#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// The bucket
    #[arg(value_name = "s3://BUCKET")]
    bucket: String,
    /// Delete all its objects first
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) async fn make(args: &Make, s3: &S3) -> Result<u8> {
    let name = bucket(&args.bucket)?;
    let is_new = s3.bucket(&name).create().await?;
    let word = if is_new { "made" } else { "is there already:" };
    s3.told.of(format!("{word} s3://{name}"), json!({ "bucket": name, "made": is_new }));
    Ok(0)
}

pub(super) async fn remove(args: &Remove, s3: &S3) -> Result<u8> {
    let name = bucket(&args.bucket)?;
    let with = if args.force { " with all its objects" } else { "" };
    consent::given(args.yes, &format!("delete bucket {name}{with}"))?;
    let bucket = s3.bucket(&name);
    if args.force {
        let code = remove::all(&bucket, "", s3).await?;
        if code != 0 {
            return Ok(code);
        }
    }
    let was_there = bucket.remove().await?;
    let word = if was_there { "deleted" } else { "there was no" };
    s3.told.of(format!("{word} s3://{name}"), json!({ "bucket": name, "deleted": was_there }));
    Ok(0)
}
