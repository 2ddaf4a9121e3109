//! `longshore local`: the embedded AWS alone; and what `longshore run --local` says of it.

use std::path::Path;

use longshore::config::Config;
use longshore::error::Result;
use longshore::local::{Local, Options};
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
    settings::start_log(log, &mut Config::trial())?;
    settings::block_on(async {
        let aws = start(&args.directory).await?;
        let endpoint = aws.endpoint();
        say::line(format_args!("Longshore's embedded AWS: S3, SQS and SNS at {endpoint}"));
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

fn where_things_are(directory: &Path) {
    let objects = directory.join("s3/<bucket>/<key>");
    say::line(format_args!("Objects are files at {} and survive a restart;", objects.display()));
    say::line("queues, topics and messages live in memory and do not.");
}

/// What a person needs who has just started it: the endpoint, and commands to copy.
pub(crate) fn banner(aws: &Local, directory: &Path, config: &Config) {
    let endpoint = aws.endpoint();
    say::line(format_args!("Longshore on the embedded AWS at {endpoint}; Ctrl-C stops it."));
    where_things_are(directory);
    if let Some(spool) = config.spools.values().next() {
        let (dropped, bucket) = (spool.directory.join("hello.txt"), &spool.bucket);
        let landed = directory.join("s3").join(bucket).join("hello.txt");
        say::line("\nDrop a file and look at the object:");
        say::line(format_args!("  echo hello > {}", dropped.display()));
        say::line(format_args!("  cat {}", landed.display()));
    }
    if let Some(queue) = config.queues.values().next() {
        let name = &queue.queue;
        let local = if endpoint == DEFAULT_ENDPOINT { "" } else { "=" };
        let url = if local.is_empty() { "" } else { endpoint };
        say::line("\nSend a message, with longshore or with the aws CLI:");
        say::line(format_args!("  longshore send --local{local}{url} {name} hello"));
        say::line(format_args!("  {CREDENTIALS}"));
        say::line(format_args!(
            "  aws --endpoint-url {endpoint} sqs send-message \
             --queue-url {endpoint}/000000000000/{name} --message-body hello"
        ));
    }
    say::line("");
}
