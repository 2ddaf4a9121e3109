//! `longshore local`: the embedded AWS alone; and what `longshore run --local` says of it.

use std::path::{Path, PathBuf};

use longshore::config::Config;
use longshore::error::{Error, Kind, Result};
use longshore::local::{ACCOUNT, Local, Options};
use longshore::shutdown::signals;

use crate::args::{self, DEFAULT_ENDPOINT, LogArgs};
use crate::{say, settings};

/// Where everybody looks for an emulated AWS.
const PORT: u16 = 4566;
/// The embedded AWS takes any credentials, but the aws CLI wants to have some.
const CREDENTIALS: &str =
    "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1";

pub(crate) async fn start(directory: &Path) -> Result<Local> {
    let directory = directory.to_owned();
    Local::start(Options { directory, port: PORT, next_free: true }).await
}

pub(crate) fn run(log: &LogArgs, args: &args::Local) -> Result<u8> {
    may_be_directory(&args.directory)?;
    settings::start_log(log, &mut Config::trial())?;
    settings::block_on(async {
        let aws = start(&args.directory).await?;
        let endpoint = aws.endpoint();
        say::line(format_args!(
            "Longshore's embedded AWS: S3, SQS, SNS, DynamoDB, SSM and STS at {endpoint}"
        ));
        where_things_are(&args.directory);
        say::line(format_args!("\n  {CREDENTIALS}"));
        say::line(format_args!("  aws --endpoint-url {endpoint} s3 mb s3://my-bucket"));
        say::line(format_args!(
            "  aws --endpoint-url {endpoint} sqs create-queue --queue-name my-queue\n"
        ));
        signals().await;
        aws.drain();
        aws.stop().await;
        Ok(0)
    })
}

/// A file is easily given in place of the directory, since settings are one.
pub(crate) fn may_be_directory(directory: &Path) -> Result<()> {
    if !directory.exists() || directory.is_dir() {
        return Ok(());
    }
    let shown = directory.display();
    Err(Error::new(
        Kind::Usage,
        format!("{shown} is a file, where the embedded AWS needs a directory"),
    )
    .hint(format!("settings are named with --config: longshore run --local --config {shown}")))
}

fn where_things_are(directory: &Path) {
    let objects = directory.join("s3/<bucket>/<key>");
    say::line(format_args!("Objects are files at {} and survive a restart;", objects.display()));
    say::line("queues, topics, tables, parameters and messages live in memory and do not.");
}

/// What a person needs who has just started it: the endpoint, and commands to copy.
pub(crate) fn banner(aws: &Local, directory: &Path, config: &Config) {
    let endpoint = aws.endpoint();
    say::line(format_args!("Longshore on the embedded AWS at {endpoint}; Ctrl-C stops it."));
    where_things_are(directory);
    let spool = config.spools.values().next();
    if let Some((spool, bucket)) = spool.and_then(|spool| Some((spool, spool.bucket()?))) {
        let landed = directory.join("s3").join(bucket).join("hello.txt");
        say::line("\nDrop a file and look at the object:");
        say::line(format_args!("  echo hello > {}", in_shell(spool.directory.join("hello.txt"))));
        say::line(format_args!("  cat {}", in_shell(landed)));
    }
    if let Some(queue) = config.queues.values().next() {
        let name = &queue.queue;
        let url = format!("{endpoint}/{ACCOUNT}/{name}");
        let local = if endpoint == DEFAULT_ENDPOINT { "" } else { "=" };
        let to = if local.is_empty() { "" } else { endpoint };
        // A FIFO queue takes no message without a group, and drops what it has seen.
        let (group, message_group) = if name.strip_suffix(".fifo").is_some() {
            (
                " --group g --deduplication-id \"$(date +%s%N)\"",
                " --message-group-id g --message-deduplication-id \"$(date +%s%N)\"",
            )
        } else {
            ("", "")
        };
        say::line("\nSend a message, with longshore or with the aws CLI:");
        say::line(format_args!("  {} send --local{local}{to} {name} hello{group}", ourselves()));
        say::line(format_args!("  {CREDENTIALS}"));
        say::line(format_args!(
            "  aws --endpoint-url {endpoint} sqs send-message --queue-url {url} \
             --message-body hello{message_group}"
        ));
    }
    say::line("");
}

/// This program as it was called, so that the command works where it is not installed.
fn ourselves() -> String {
    let called = std::env::args_os().next().map(PathBuf::from);
    called.filter(|path| path.components().count() > 1).map_or("longshore".to_owned(), in_shell)
}

/// A path as one word of a shell's command line.
fn in_shell(path: PathBuf) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
