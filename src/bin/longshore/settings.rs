//! Settings and log, the same for every subcommand.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use longshore::config::{Config, Handlers, Level, Log, env};
use longshore::error::{Error, Kind, Result};
use longshore::telemetry::log;
use longshore::worker;

use crate::args::LogArgs;
use crate::reach::connections;

/// So long what was interrupted may take away what it had begun.
const CLEANING_UP: Duration = Duration::from_secs(3);

/// The settings file that was named, or the one that is looked for. A program may bring the
/// handlers of its queues itself: only `run` and `check` need them to be written.
pub(crate) fn load(named: Option<&Path>) -> Result<Config> {
    complete(Config::load_with(&env::settings_file(named), Handlers::InCode)?)
}

/// The settings with what they name in its place. On a thread and a runtime of its own: tools ask
/// for their settings wherever they are.
fn complete(config: Config) -> Result<Config> {
    if !config.elsewhere.is_unread() {
        return Ok(config);
    }
    std::thread::scope(|scope| {
        let reading =
            scope.spawn(|| block_on(async { worker::complete(config, &connections()).await }));
        let panicked = || Error::new(Kind::Bug, "the thread that completes the settings panicked");
        reading.join().unwrap_or_else(|_panic| Err(panicked()))
    })
}

/// The settings of a tool that can do without a file: the one that was named, or the one that is
/// looked for where it is there, else what the environment says.
pub(crate) fn load_if_any(named: Option<&Path>) -> Result<Config> {
    let file = env::settings_file(named);
    let is_named = named.is_some() || env::value(env::CONFIG).is_some();
    if is_named || file.exists() {
        return complete(Config::load_with(&file, Handlers::InCode)?);
    }
    Ok(Config::of_environment()?)
}

/// Starts the log as the settings, and over them the command line, say.
pub(crate) fn start_log(args: &LogArgs, config: &mut Config) -> Result<()> {
    if let Some(level) = args.level() {
        config.log.level = level;
    }
    log::start(&config.log).map(|_started| ())
}

/// Starts the log of a tool: only errors, on standard error, unless the command line wants more.
pub(crate) fn start_tool_log(args: &LogArgs) -> Result<()> {
    let level = args.level().unwrap_or(Level::Error);
    log::start(&Log { level, ..Log::DEFAULT }).map(|_started| ())
}

/// Runs this to its end on a runtime of its own. A thread that then still waits, as for a terminal
/// that nobody reads, does not hold the process up.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Bug, "starting the runtime").because(error))?;
    let result = runtime.block_on(future);
    match &result {
        // What was cut off in the middle takes away what it had begun.
        Err(error) if error.kind() == Kind::Aborted => runtime.shutdown_timeout(CLEANING_UP),
        _ => runtime.shutdown_background(),
    }
    result
}
