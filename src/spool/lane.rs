//! What must not be under way side by side: two names of one key, two files of one group. Such
//! files share a lane, and of a lane one is under way at a time.

use std::io;

use super::directory::Directory;
use super::open::{self, Id, Opened};
use super::sidecar;
use crate::config::{Destination, Outbox, Spool};
use crate::key;
use crate::toolkit::outbox::sidecar::Sidecar;

/// The lane of a file; nothing for one that goes its own way. Blocks.
///
/// A file whose group cannot be known goes its own way, into quarantine.
pub(crate) fn of(settings: &Spool, directory: &Directory, id: &Id) -> Option<String> {
    match &settings.destination {
        Destination::Bucket(_) => key::decode(&id.name).ok(),
        Destination::Messages(outbox) => group(outbox, &said(directory, id).ok()??),
    }
}

/// The group of a message: its own, or that of the outbox.
pub(crate) fn group(outbox: &Outbox, said: &Sidecar) -> Option<String> {
    said.group.clone().or_else(|| outbox.group.clone())
}

fn said(directory: &Directory, id: &Id) -> io::Result<Option<Sidecar>> {
    Ok(match open::open(directory, id)? {
        Opened::File(file, _) => sidecar::read(directory, id, &file)?.said.ok(),
        Opened::Gone | Opened::NotAFile => None,
    })
}
