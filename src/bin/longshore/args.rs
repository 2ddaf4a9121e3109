//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use longshore::config::Level;

use crate::tool::Tool;

/// One worker daemon for the AWS edge of a host: files dropped into spool directories land in S3,
/// messages of SQS queues reach their handlers and are deleted only on success.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 ok, 64 usage, 69 a service is unavailable, 70 a bug, \
                        75 try again later, 78 configuration.")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is logged, over what the settings say. `LONGSHORE_LOG` comes before both.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LogArgs {
    /// Least level that is logged: off, error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", value_parser = Level::read)]
    log_level: Option<Level>,
    /// Log warnings and errors only
    #[arg(short, long, global = true, conflicts_with_all = ["log_level", "verbose"])]
    pub(crate) quiet: bool,
    /// Log every step
    #[arg(short, long, global = true, conflicts_with = "log_level")]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the daemon
    Run(Run),
    /// Serve the embedded AWS (S3, SQS, SNS, DynamoDB, SSM and STS) alone
    Local(Local),
    /// Check the settings and everything that they name
    Check(Check),
    /// Make the queues, the topic and what leads messages to them, as the settings name them
    Setup(Setup),
    /// Print the least IAM policy that these settings need
    Policy(Policy),
    /// Drop files into a spool, whole and synced
    Put(Put),
    /// Send messages to a queue: from the command line, lines, files or JSON
    Send(crate::send::Args),
    /// Move messages from one queue to another
    Redrive(crate::redrive::Args),
    /// List, copy, read and delete objects and buckets
    S3(Tool<crate::s3::Verb>),
    /// Create, ask, read, empty and delete queues
    Sqs(Tool<crate::sqs::Verb>),
    /// Create, find and delete topics, and who is subscribed to them
    Sns(Tool<crate::sns::Verb>),
    /// Look at tables of SQL databases, fill and read them
    Sql(Tool<crate::sql::Verb, crate::sql::Place>),
    /// Create, describe and delete tables of DynamoDB; get, put, delete and find their items
    Dynamodb(Tool<crate::dynamodb::Verb>),
    /// Call functions of AWS Lambda, once or for many inputs
    Lambda(Tool<crate::lambda::Verb>),
    /// Read, write, list and delete parameters
    Ssm(Tool<crate::ssm::Verb>),
    Publish(crate::publish::Args),
    FilterPolicies(crate::events::FilterPolicies),
    InitializationType(crate::events::InitializationType),
    /// Look after the queues of channels
    #[command(subcommand)]
    Channels(crate::channels::Verb),
    Completions(crate::completions::Args),
}

/// Where the settings are looked for, the same for every subcommand.
pub(crate) const CONFIG_HELP: &str =
    "Settings file [default: $LONGSHORE_CONFIG, else /etc/longshore/longshore.toml]";

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    pub(crate) config: Option<PathBuf>,
    /// Use the embedded AWS, with its files in DIR; nothing leaves this host
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = DEFAULT_DIRECTORY)]
    pub(crate) local: Option<PathBuf>,
    /// With --local: allow absolute directories and handler URLs beyond this host
    #[arg(long, requires = "local")]
    pub(crate) yes: bool,
    /// Empty what is there and exit
    #[arg(long)]
    pub(crate) once: bool,
    /// Run COMMAND as a component of pylon's, as `PYLON_CONFIG` in the environment says
    #[arg(long, conflicts_with = "config", requires = "command")]
    pub(crate) pylon: bool,
    /// With --pylon: the program and its arguments; it gets a message's body on standard input and
    /// prints messages, one JSON object a line
    #[arg(last = true, value_name = "COMMAND", requires = "pylon")]
    pub(crate) command: Vec<String>,
}

/// Where the embedded AWS keeps its files unless told otherwise.
pub(crate) const DEFAULT_DIRECTORY: &str = "./longshore-local";
/// Where the embedded AWS listens unless the port is taken.
pub(crate) const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:4566";

#[derive(Debug, clap::Args)]
pub(crate) struct Local {
    /// Where objects lie as plain files
    #[arg(value_name = "DIR", default_value = DEFAULT_DIRECTORY)]
    pub(crate) directory: PathBuf,
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch on the command line")]
pub(crate) struct Check {
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    pub(crate) config: Option<PathBuf>,
    /// Check the settings only; send no request
    #[arg(long, conflicts_with_all = ["aws", "probe"])]
    pub(crate) offline: bool,
    /// Only tell who we are to AWS; needs no settings file
    #[arg(long, conflicts_with = "probe")]
    pub(crate) aws: bool,
    /// Also write a small object into each bucket and delete it
    #[arg(long)]
    pub(crate) probe: bool,
    /// One JSON document a finding
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Setup {
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    pub(crate) config: Option<PathBuf>,
    /// Do what is planned without asking; otherwise a terminal is asked, and nobody else
    #[arg(long)]
    pub(crate) yes: bool,
    /// Delete what setup made, which bears the tag made-by=longshore-setup; not while a queue holds
    /// messages or the table of [idempotency] a lock or finished id that has not ended
    #[arg(long)]
    pub(crate) destroy: bool,
    /// One JSON document a step
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Policy {
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    pub(crate) config: Option<PathBuf>,
    /// The account that owns the queues [default: the one that AWS knows us as]
    #[arg(long, value_name = "TWELVE DIGITS")]
    pub(crate) account: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Put {
    /// Files to drop; `-` is standard input and needs --key
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The object's key, for a single file [default: the file's name]
    #[arg(long, conflicts_with = "prefix")]
    pub(crate) key: Option<String>,
    /// Put before each file's name to make its key
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// The spool, by its name in the settings; not needed where there is only one
    #[arg(long, value_name = "NAME")]
    pub(crate) spool: Option<String>,
    /// A spool directory, instead of one from the settings
    #[arg(long, value_name = "DIR", conflicts_with_all = ["spool", "config"])]
    pub(crate) directory: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    pub(crate) config: Option<PathBuf>,
}

impl LogArgs {
    /// The level that the command line asks for.
    pub(crate) fn level(&self) -> Option<Level> {
        match (self.log_level, self.quiet, self.verbose) {
            (Some(level), _, _) => Some(level),
            (None, true, _) => Some(Level::Warn),
            (None, false, true) => Some(Level::Debug),
            (None, false, false) => None,
        }
    }
}

impl Check {
    /// What is checked in place of a run: everything, and on the embedded AWS, which is not there
    /// yet, the settings alone.
    pub(crate) fn of_run(run: &Run) -> Self {
        let offline = run.local.is_some();
        Self { config: run.config.clone(), offline, aws: false, probe: false, json: false }
    }
}
