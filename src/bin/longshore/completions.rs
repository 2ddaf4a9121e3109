//! `longshore completions`: what a shell reads to complete our command line.

use clap::CommandFactory;
use clap_complete::Shell;
use longshore::error::Result;

use crate::args::Args as CommandLine;
use crate::say;

/// Print what makes a shell complete the command line, such as for
/// `source <(longshore completions bash)`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), "longshore", &mut script);
    say::bytes(&script).map(|_read| 0)
}
