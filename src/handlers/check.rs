//! What `longshore check` says of the handlers of a queue. Starts nothing and sends nothing.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::aws::Aws;
use crate::config;
#[cfg(not(feature = "cli"))]
use crate::error::Error;
use crate::finding::Finding;

/// Says of each handler whether it could be started, and of what it sends to whether it is there: a
/// program or a queue that is not there stops its queue.
///
/// A program that another handler brings, a URL that nobody serves yet: the first message shows
/// them. Blocks for a few file-system calls.
pub async fn check(name: &str, settings: &config::Queue, aws: &Aws) -> Vec<Finding> {
    let mut all = Vec::new();
    for (event, handler) in settings.handlers() {
        let event = event.map_or_else(String::new, |event| format!(" for {event:?}"));
        let about = |finding: Finding| finding.about(format_args!("queue {name}{event}"));
        all.extend(of_handler(handler, aws).await.into_iter().map(about));
    }
    all
}

async fn of_handler(handler: &config::Handler, aws: &Aws) -> Vec<Finding> {
    match handler {
        #[cfg(feature = "dynamodb")]
        config::Handler::Dynamodb(settings) => vec![super::dynamodb::check(settings, aws).await],
        #[cfg(not(feature = "dynamodb"))]
        config::Handler::Dynamodb(_) => vec![Finding::of_error(&left_out("dynamodb"), 78)],
        config::Handler::Exec(exec) => vec![of_program(exec)],
        config::Handler::Spool(spool) => vec![of_directory(&spool.directory)],
        config::Handler::Http(_) | config::Handler::Print => Vec::new(),
        #[cfg(feature = "lambda")]
        config::Handler::Lambda(settings) => vec![super::lambda::check(settings, aws).await],
        #[cfg(not(feature = "lambda"))]
        config::Handler::Lambda(_) => vec![Finding::of_error(&left_out("lambda"), 78)],
        config::Handler::S3(settings) => super::s3::check(settings, aws).await,
        config::Handler::Sns(settings) => vec![super::sns::check(settings, aws).await],
        #[cfg(feature = "sql")]
        config::Handler::Sql(settings) => vec![super::sql::check(settings).await],
        #[cfg(not(feature = "sql"))]
        config::Handler::Sql(_) => vec![Finding::of_error(&left_out("sql"), 78)],
        config::Handler::Sqs(settings) => vec![super::sqs::check(settings, aws).await],
    }
}

/// A kind that this library was built without.
#[cfg(not(feature = "cli"))]
pub(super) fn left_out(kind: &str) -> Error {
    Error::needs_feature(kind, format!("the handler {kind}"))
}

fn of_program(exec: &config::Exec) -> Finding {
    if let Some(missing) = exec.directory.as_deref().and_then(missing) {
        return missing;
    }
    let program = exec.command.first().map_or("", String::as_str);
    if program.contains('/') {
        // A relative path counts from the directory in which the program will run.
        let path = exec.directory.as_deref().unwrap_or(Path::new("")).join(program);
        return match obstacle(&path) {
            None => Finding::good(format!("the handler {} can be started", path.display())),
            Some(obstacle) => Finding::broken(format!("the handler {} {obstacle}", path.display()))
                .fix("install it, chmod +x it, or correct command"),
        };
    }
    let path = config::env::value("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|path: &PathBuf| obstacle(path).is_none());
    match found {
        Some(found) => Finding::good(format!("the handler {} can be started", found.display())),
        None => Finding::broken(format!("the handler {program} is in no directory of PATH"))
            .fix("write its whole path, or extend PATH where the daemon is started"),
    }
}

/// What is said of a directory that is not there.
fn missing(directory: &Path) -> Option<Finding> {
    let shown = directory.display();
    let missing = || {
        Finding::broken(format!("the handler's directory {shown} is not there"))
            .fix(format!("make it: mkdir -p {shown}, or correct directory"))
    };
    (!directory.is_dir()).then(missing)
}

/// Nothing is written to find out.
fn of_directory(directory: &Path) -> Finding {
    let shown = directory.display();
    if let Some(missing) = missing(directory) {
        return missing;
    }
    match access(directory, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::good(format!("files can be written into {shown}")),
        Err(error) => Finding::broken(format!("no file can be written into {shown}: {error}"))
            .fix(format!("give the daemon's user the right to: chown or chmod {shown}")),
    }
}

/// Why the file cannot be run, if it cannot.
fn obstacle(path: &Path) -> Option<&'static str> {
    match path.metadata() {
        Err(_) => Some("is not there"),
        Ok(metadata) if !metadata.is_file() => Some("is no program"),
        Ok(_) => access(path, Access::EXEC_OK).err().map(|_denied| "may not be executed"),
    }
}
