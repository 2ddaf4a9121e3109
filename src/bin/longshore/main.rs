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
mod tool;

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
        if args.log.quiet {
            say::be_quiet();
        }
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
        Command::S3(tool) => settings::block_on(s3::run(tool)),
        Command::Sqs(tool) => settings::block_on(sqs::run(tool)),
        Command::Sns(tool) => settings::block_on(sns::run(tool)),
        Command::Sql(tool) => settings::block_on(sql::run(tool)),
        Command::Dynamodb(tool) => settings::block_on(dynamodb::run(tool)),
        Command::Lambda(tool) => settings::block_on(lambda::run(tool)),
        Command::Ssm(tool) => settings::block_on(ssm::run(tool)),
        Command::Channels(verb) => channels::run(verb),
        Command::Completions(args) => completions::run(&args),
    }
}

fn fail(error: &Error) -> ExitCode {
    say::error(error);
    ExitCode::from(error.exit_code())
}
