//! What the settings room promises, file by file and mistake by mistake.

use std::path::Path;

use super::*;

mod elsewhere;
mod events;
mod files;
mod idempotency;
mod iniesta;
mod local;
mod mistakes;
mod sql;
mod toml;
mod zc;

fn toml_text(text: &str) -> Result<Config, Mistakes> {
    Config::parse(text, Path::new("longshore.toml"), Dialect::Toml)
}

fn ini_text(text: &str) -> Result<Config, Mistakes> {
    Config::parse(text, Path::new("queue.cfg"), Dialect::Ini)
}

/// The mistakes, one a line; fails where there are none.
fn wrong(text: &str) -> String {
    toml_text(text).unwrap_err().to_string()
}

/// A sound spool with these lines added.
fn spool_with(lines: &str) -> String {
    format!("[spool.a]\ndirectory = \"a\"\nbucket = \"bucket\"\n{lines}\n")
}

/// A sound queue with these lines added.
fn queue_with(lines: &str) -> String {
    format!("[queue.q]\nqueue = \"orders\"\nhandler.print = {{}}\n{lines}\n")
}

/// As [`toml_text`], with these variables set and no others.
fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let variables =
        variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let environment = Environment { variables, ..Environment::default() };
    read_with(text, environment)
}

fn read_with(text: &str, environment: Environment) -> Result<Config, Mistakes> {
    let (text, path) = (text.to_owned(), PathBuf::from("longshore.toml"));
    let (dialect, handlers) = (Dialect::Toml, Handlers::InSettings);
    Config::read(Source { text, path, dialect, environment, handlers }, &BTreeMap::new())
}
