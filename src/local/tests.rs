//! The embedded AWS asked by the AWS SDK, through both doors.

mod conditions;
mod messages;
mod objects;
mod parameters;
mod port;
mod roles;
mod tables;
mod topics;

use super::{Local, Options};

fn options(directory: &tempfile::TempDir) -> Options {
    Options { directory: directory.path().to_owned(), port: 0, next_free: false }
}

/// The services in this process, and the directory that goes with them.
async fn in_process() -> (Local, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let local = Local::without_port(options(&directory)).await.unwrap();
    (local, directory)
}
