//! `longshore s3 rm`: one object, or all below a prefix.

use std::pin::pin;

use futures_util::{StreamExt, TryStreamExt};
use longshore::error::Result;
use longshore::toolkit::s3::Bucket;
use longshore::units;
use serde_json::json;

use super::S3;
use super::place::{object, one_object};
use crate::progress::Progress;
use crate::{consent, say};

/// Delete an object, or all below a prefix
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The object
    #[arg(value_name = "s3://BUCKET/KEY")]
    path: String,
    /// Every object whose key begins so; of a bucket alone, all
    #[arg(long)]
    recursive: bool,
    /// Do not ask
    #[arg(long, requires = "recursive")]
    yes: bool,
}

pub(super) async fn run(args: &Args, s3: &S3) -> Result<u8> {
    if args.recursive {
        let path = object(&args.path)?;
        consent::given(args.yes, &format!("delete every object that begins with {path}"))?;
        return all(&s3.bucket(&path.bucket), &path.key, s3).await;
    }
    let path = one_object(&args.path)?;
    s3.bucket(&path.bucket).delete_one(&path.key).await?;
    s3.told.of(format!("deleted {path}"), json!({ "deleted": path.to_string() }));
    Ok(0)
}

/// Deletes what begins with this prefix, as far as it can be; a failure of one is told and does not
/// stop the others.
pub(super) async fn all(bucket: &Bucket, prefix: &str, s3: &S3) -> Result<u8> {
    let keys = bucket.list(prefix, true).map_ok(|entry| entry.name().to_owned());
    let mut outcomes = pin!(bucket.delete_stream(keys));
    let bar = Progress::start(None);
    let (mut gone, mut failed, mut worst) = (0, 0, None);
    while let Some(outcome) = outcomes.next().await {
        match outcome? {
            (key, Ok(())) => {
                gone += 1;
                bar.show(gone, String::new());
                if s3.told.json {
                    let path = bucket.path(key).to_string();
                    bar.around(|| say::line(json!({ "deleted": path })));
                }
            }
            (_, Err(error)) => {
                bar.around(|| say::error(&error));
                failed += 1;
                worst.get_or_insert(error.exit_code());
            }
        }
    }
    drop(bar);
    if !s3.told.json {
        let objects = units::count(gone, "object");
        say::line(format_args!("deleted {objects} of {}", bucket.path(prefix)));
    }
    let Some(worst) = worst else { return Ok(0) };
    say::note(format_args!("{} not deleted", units::count(failed, "object")));
    Ok(worst)
}
