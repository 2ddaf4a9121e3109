//! `longshore put`: files into a spool, so that nobody ever sees half of one.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use longshore::config::Ignore;
use longshore::drop::{self, Existing};
use longshore::error::{Error, Kind, Result};
use longshore::key::{self, KeyFault};
use longshore::spool::rules;

use crate::args::Put;
use crate::{say, settings};

pub(crate) fn run(args: &Put) -> Result<u8> {
    if args.key.is_some() && args.files.len() > 1 {
        return Err(Error::new(Kind::Usage, "--key names one object and there are several files")
            .hint("use --prefix"));
    }
    let (directory, ignore) = spool(args)?;
    if !directory.is_dir() {
        let shown = directory.display();
        return Err(Error::new(Kind::Settings, format!("{shown} is no directory"))
            .hint(format!("make it: mkdir -p {shown}")));
    }
    for file in &args.files {
        let key = key(args, file)?;
        let name = name(&key, &ignore)
            .map_err(|fault| Error::new(Kind::Usage, format!("the key {key:?}: {fault}")))?;
        let mut contents: Box<dyn Read> =
            if is_stdin(file) { Box::new(io::stdin().lock()) } else { Box::new(open(file)?) };
        drop::file(&directory, name.as_ref(), &mut contents, Existing::Replace)?;
        say::line(directory.join(name).display());
    }
    Ok(0)
}

/// The file name for a key, and for one that the spool would leave alone another of the same key.
fn name(key: &str, ignore: &Ignore) -> std::result::Result<String, KeyFault> {
    let name = key::encode(key)?;
    if rules::is_ignored(name.as_ref(), ignore) { key::encode_fully(key) } else { Ok(name) }
}

/// The directory of the spool, and what it leaves alone.
fn spool(args: &Put) -> Result<(PathBuf, Ignore)> {
    if let Some(directory) = &args.directory {
        return Ok((directory.clone(), Ignore::Temporary(Vec::new())));
    }
    let config = settings::load(args.config.as_deref())?;
    let known: Vec<&str> = config.spools.keys().map(String::as_str).collect();
    let spool = match &args.spool {
        Some(name) => config.spools.get(name).ok_or_else(|| {
            Error::new(Kind::Usage, format!("the settings name no spool {name}"))
                .hint(format!("they name: {}", known.join(", ")))
        })?,
        None if known.len() > 1 => {
            return Err(Error::new(Kind::Usage, "the settings name several spools")
                .hint(format!("choose one with --spool: {}", known.join(", "))));
        }
        None => config
            .spools
            .values()
            .next()
            .ok_or_else(|| Error::new(Kind::Usage, "the settings name no spool"))?,
    };
    Ok((spool.directory.clone(), spool.ignore.clone()))
}

fn key(args: &Put, file: &Path) -> Result<String> {
    if let Some(key) = &args.key {
        return Ok(key.clone());
    }
    if is_stdin(file) {
        return Err(Error::new(Kind::Usage, "standard input has no name").hint("give it a --key"));
    }
    let name = file.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        Error::new(Kind::Usage, format!("{} has no name in UTF-8", file.display()))
            .hint("give it a --key")
    })?;
    Ok(format!("{}{name}", args.prefix.as_deref().unwrap_or_default()))
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn open(path: &Path) -> Result<File> {
    let about = |error: io::Error| {
        Error::new(Kind::Usage, format!("reading {}", path.display())).because(error)
    };
    let file = File::open(path).map_err(about)?;
    if !file.metadata().map_err(about)?.is_file() {
        return Err(Error::new(Kind::Usage, format!("{} is not a regular file", path.display())));
    }
    Ok(file)
}
