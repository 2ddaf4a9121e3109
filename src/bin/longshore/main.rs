//! The daemon and its tools, as one command. It sees only the library's public API.

mod args;
mod attribute;
mod channels;
mod check;
mod completions;
mod consent;
mod dynamodb;
mod events;
mod lambda;
mod lines;
mod local;
mod policy;
mod progress;
mod publish;
mod put;
mod pylon;
mod reach;
mod redrive;
mod run;
mod s3;
mod say;
mod send;
mod settings;
mod setup;
mod sns;
mod sql;
mod sqs;
mod ssm;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use longshore::error::{Error, Result};
use longshore::shutdown::systemd;

use args::{Args, Command};

/// Wrong use of the command line (sysexits.h).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    // Before any thread starts: threads and handlers would inherit what systemd granted.
    systemd::keep_descriptors();
    if let Err(error) = systemd::keep_capabilities() {
        return fail(&error);
    }
    match Args::try_parse() {
        Ok(args) => match (execute(args), say::lost()) {
            (Ok(0), Some(lost)) => fail(&lost),
            (Ok(code), _) => ExitCode::from(code),
            (Err(error), _) => fail(&error),
        },
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            say::clap(&error);
            ExitCode::from(if asked { 0 } else { USAGE })
        }
    }
}

fn execute(args: Args) -> Result<u8> {
    if !matches!(args.command, Command::Run(_) | Command::Local(_)) {
        settings::start_tool_log(&args.log)?;
    }
    match args.command {
        Command::Run(run) => run::run(&args.log, run),
        Command::Local(local) => local::run(&args.log, &local),
        Command::Check(check) => check::run(&check),
        Command::Setup(setup) => setup::run(&setup),
        Command::Policy(policy) => policy::run(&policy),
        Command::Put(put) => put::run(&put),
        Command::Send(send) => send::run(send),
        Command::Publish(publish) => Ok(publish::run(&publish)),
        Command::FilterPolicies(args) => events::filter_policies(&args),
        Command::InitializationType(args) => events::initialization_type(&args),
        Command::Redrive(redrive) => redrive::run(redrive),
        Command::S3(s3) => s3::run(s3),
        Command::Sqs(sqs) => sqs::run(sqs),
        Command::Sns(sns) => sns::run(sns),
        Command::Sql(sql) => sql::run(sql),
        Command::Dynamodb(dynamodb) => dynamodb::run(dynamodb),
        Command::Lambda(verb) => lambda::run(verb),
        Command::Ssm(ssm) => ssm::run(ssm),
        Command::Channels(verb) => channels::run(verb),
        Command::Completions(args) => completions::run(&args),
    }
}

fn fail(error: &Error) -> ExitCode {
    say::error(error);
    ExitCode::from(error.kind().exit_code())
}
