//! Settings and log, the same for every subcommand.

use std::path::Path;

use longshore::config::{Config, env};
use longshore::error::{Error, Kind, Result};
use longshore::telemetry::log;
use tokio::runtime::Runtime;

use crate::args::LogArgs;

/// The settings file that was named, or the one that is looked for.
pub(crate) fn load(named: Option<&Path>) -> Result<Config> {
    Ok(Config::load(&env::settings_file(named))?)
}

/// Starts the log as the settings, and over them the command line, say.
pub(crate) fn start_log(args: &LogArgs, config: &mut Config) -> Result<()> {
    if let Some(level) = args.level() {
        config.log.level = level;
    }
    log::start(&config.log).map(|_started| ())
}

/// The runtime that everything runs on.
pub(crate) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Bug, "starting the runtime").because(error))
}
