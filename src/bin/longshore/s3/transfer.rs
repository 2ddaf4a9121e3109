//! `longshore s3 cp`, `mv`, `put` and `get`: objects and files from one place to another.

use std::ffi::OsString;
use std::pin::pin;

use futures_util::{Stream, StreamExt};
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::s3::Refusal;
use longshore::units;
use serde_json::{Value, json};

use super::S3;
use super::one::{Carrier, Done};
use super::options::{Download, Upload};
use super::place::Place;
use super::tree::{self, Way};
use crate::say;

/// So many transfers run at once.
const AT_ONCE: usize = 10;

/// Copy files and objects: to S3, from S3, or within it
///
/// A place is `s3://BUCKET/KEY`, the path of a file, or `-` for standard input or output. A file whose
/// object has the same content already is not written again.
#[derive(Debug, clap::Args)]
pub(crate) struct Copy {
    #[command(flatten)]
    ends: Ends,
    #[command(flatten)]
    upload: Upload,
    #[command(flatten)]
    download: Download,
}

/// Move files and objects: to S3, from S3, or within it
///
/// The source is deleted when the copy is safely there.
#[derive(Debug, clap::Args)]
pub(crate) struct Move {
    #[command(flatten)]
    ends: Ends,
    #[command(flatten)]
    upload: Upload,
}

/// Put a file, a directory or standard input into S3
#[derive(Debug, clap::Args)]
pub(crate) struct Put {
    #[command(flatten)]
    ends: Ends,
    #[command(flatten)]
    upload: Upload,
}

/// Get an object, or all below a prefix, from S3
#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    /// The object or prefix
    #[arg(value_name = "s3://BUCKET/KEY")]
    from: OsString,
    /// The file or directory to get it into, or `-`
    #[arg(value_name = "DST", default_value = ".")]
    to: OsString,
    /// All that lies below the prefix SRC
    #[arg(long)]
    recursive: bool,
    #[command(flatten)]
    download: Download,
}

#[derive(Debug, clap::Args)]
struct Ends {
    /// An object, the path of a file, or `-`
    #[arg(value_name = "SRC")]
    from: OsString,
    /// An object, a prefix, the path of a file or directory, or `-`
    #[arg(value_name = "DST")]
    to: OsString,
    /// All that lies below the directory or prefix SRC
    #[arg(long)]
    recursive: bool,
}

pub(super) async fn copy(args: Copy, s3: &S3) -> Result<u8> {
    let carrier = Carrier::new(s3).writing(&args.upload).kept_in(args.download.cache());
    args.ends.transfer(carrier).await
}

pub(super) async fn move_(args: Move, s3: &S3) -> Result<u8> {
    args.ends.transfer(Carrier::new(s3).writing(&args.upload).moving()).await
}

pub(super) async fn put(args: Put, s3: &S3) -> Result<u8> {
    args.ends.transfer(Carrier::new(s3).writing(&args.upload)).await
}

pub(super) async fn get(args: Get, s3: &S3) -> Result<u8> {
    let Get { from, to, recursive, download } = args;
    let ends = Ends { from, to, recursive };
    ends.transfer(Carrier::new(s3).kept_in(download.cache())).await
}

impl Ends {
    /// Ctrl-C ends it; a download that was under way leaves nothing behind.
    async fn transfer(self, by: Carrier<'_>) -> Result<u8> {
        tokio::select! {
            carried = self.carry(by) => carried,
            _ = tokio::signal::ctrl_c() => Err(Error::new(Kind::Aborted, "interrupted")
                .hint("run it again; what is in S3 already is not sent again")),
        }
    }

    async fn carry(self, carrier: Carrier<'_>) -> Result<u8> {
        let (from, to) = (Place::read(&self.from)?, Place::read(&self.to)?);
        let (from, to) = if self.recursive {
            (from.into_tree(), to.into_tree())
        } else {
            let to = from.single(to)?;
            (from, to)
        };
        carrier.check(&from, &to, self.recursive)?;
        if !self.recursive {
            let done = carrier.carry(&from, &to).await?;
            carrier.bar.around(|| tell(&carrier, &from, &to, done))?;
            return Ok(0);
        }
        all(&carrier, tree::below(&from, &to, carrier.s3)).await
    }
}

/// Carries all of these, each as far as it can be; a failure of one is told and does not stop the
/// others, unless none of them would fare better.
async fn all(carrier: &Carrier<'_>, ways: impl Stream<Item = Result<Way>>) -> Result<u8> {
    let bar = &carrier.bar;
    let under_way = ways.map(|way| async {
        let Way { from, to } = way?;
        Ok::<_, Error>(match to {
            Ok(to) => carrier.carry(&from, &to).await.map(|done| (from, to, done)),
            Err(error) => Err(error),
        })
    });
    let mut under_way = pin!(under_way.buffer_unordered(AT_ONCE));
    let (mut count, mut failed, mut worst, mut is_read) = (0, 0, None, true);
    while let Some(ended) = under_way.next().await {
        count += 1;
        match ended? {
            Ok((from, to, done)) => {
                bar.say(units::count(count, "transfer"));
                // The transfers were asked for, whether or not anybody reads of them to the end.
                is_read = is_read && bar.around(|| tell(carrier, &from, &to, done))?;
            }
            Err(error) if concerns_all(&error) => return Err(error),
            Err(error) => {
                bar.around(|| say::error(&error));
                failed += 1;
                worst.get_or_insert(error.exit_code());
            }
        }
    }
    let Some(worst) = worst else { return Ok(0) };
    let all = units::count(count, "transfer");
    bar.around(|| say::note(format_args!("{failed} of {all} failed")));
    Ok(worst)
}

/// True where no other transfer would fare better.
fn concerns_all(error: &Error) -> bool {
    let of_bucket = matches!(
        Refusal::of(error),
        Some(Refusal::BucketNotFound(_) | Refusal::BucketElsewhere { .. })
    );
    of_bucket || matches!(error.kind(), Kind::Credentials | Kind::Unreachable)
}

/// False where nobody reads any more.
fn tell(carrier: &Carrier<'_>, from: &Place, to: &Place, done: Done) -> Result<bool> {
    if *to == Place::Stream {
        return Ok(true);
    }
    let mut line = if carrier.s3.told.json {
        document(from, to, done).to_string()
    } else {
        format!("{} {from} to {to}", done.word())
    };
    line.push('\n');
    say::bytes(line.as_bytes())
}

fn document(from: &Place, to: &Place, done: Done) -> Value {
    json!({
        "source": from.to_string(),
        "destination": to.to_string(),
        "done": done.word(),
        "cache": done.cache(),
    })
}
