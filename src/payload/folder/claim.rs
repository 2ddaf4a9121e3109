//! A file of a folder in one reader's hands. The lock tells that it lives, and the hidden name
//! keeps readers away that know of no locks.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde_json::Value;

use super::set_aside::{self, Movable};
use crate::drop::rename_to_free;
use crate::error::{Error, Kind, Result};
use crate::message::{Attribute, Message};
use crate::payload::codec::{Pylon, pylon};
use crate::toolkit::transport::Held;

/// Before the name of a file while a reader has it.
const TAKEN: &str = ".taken-";
/// A larger file is no message: pylon moves far smaller bodies to S3.
const LARGEST: u64 = 64 << 20;
/// pylon writes in place: a bad file that changed so lately may only be unfinished.
const YOUNG: Duration = Duration::from_secs(5);
/// The fields of a message that are attributes on the wire.
const FIELDS: [&str; 5] =
    ["payloadMimeType", "objectType", "ingestionId", "artifactName", "artifactVersion"];
const STORE_KEY: &str = "payloadStoreKey";

/// A file that is open and locked.
pub(super) struct Taken {
    directory: Arc<OwnedFd>,
    file: File,
    /// Its name for everybody.
    name: OsString,
    /// Its name now.
    current: OsString,
}

/// A message that nobody else gets while this lives. Dropped, it is given back.
#[derive(Debug)]
pub struct Claim {
    directory: Arc<OwnedFd>,
    /// Holds the lock.
    _file: File,
    name: OsString,
    hidden: OsString,
    pylon: Pylon,
    message: Message,
    is_settled: bool,
}

impl Taken {
    /// Opens and locks a file, unless it is none for us or another reader has it.
    pub(super) fn of(directory: &Arc<OwnedFd>, current: &OsStr) -> io::Result<Option<Self>> {
        let bytes = current.as_bytes();
        let name = bytes.strip_prefix(TAKEN.as_bytes()).unwrap_or(bytes);
        if name.starts_with(b".") {
            return Ok(None);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match fs::openat(directory, current, flags, Mode::empty()) {
            Ok(handle) => File::from(handle),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // Another reader may have had it from open to lock, and be done with it.
        match fs::statat(directory, current, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(now) if (now.st_dev, now.st_ino) == (stat.st_dev, stat.st_ino) => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        Ok(Some(Self {
            directory: Arc::clone(directory),
            file,
            name: OsStr::from_bytes(name).to_owned(),
            current: current.to_owned(),
        }))
    }

    /// Its message; or, in words, why it is none.
    pub(super) fn read(&self) -> io::Result<std::result::Result<Pylon, String>> {
        let size = self.file.metadata()?.len();
        if size > LARGEST {
            return Ok(Err(format!("it has {size} bytes, more than {LARGEST}")));
        }
        let mut text = String::new();
        match (&self.file).read_to_string(&mut text) {
            Ok(_) => Ok(Pylon::of_line(&text).map_err(|error| error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(Err("it is not UTF-8".to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// True where it may still be written.
    pub(super) fn is_young(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.modified()?.elapsed().unwrap_or_default() < YOUNG)
    }

    /// Hides it from everybody else; nothing where one was quicker, or a file of this name that a
    /// dead reader had is still to be taken.
    pub(super) fn claim(self, pylon: Pylon, folder: &str) -> io::Result<Option<Claim>> {
        let mut hidden = OsString::from(TAKEN);
        hidden.push(&self.name);
        if self.current != hidden {
            match self.rename((&self.directory, &hidden)) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let message = message(&pylon, folder, self.name.to_string_lossy().into_owned());
        let Self { directory, file, name, .. } = self;
        Ok(Some(Claim { directory, _file: file, name, hidden, pylon, message, is_settled: false }))
    }
}

impl Movable for Taken {
    fn name(&self) -> &OsStr {
        &self.name
    }

    fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    fn rename(&self, to: (&OwnedFd, &OsStr)) -> io::Result<bool> {
        moved(&self.directory, &self.current, to)
    }
}

impl Movable for Claim {
    fn name(&self) -> &OsStr {
        &self.name
    }

    fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    fn rename(&self, to: (&OwnedFd, &OsStr)) -> io::Result<bool> {
        moved(&self.directory, &self.hidden, to)
    }
}

fn moved(from: &OwnedFd, name: &OsStr, to: (&OwnedFd, &OsStr)) -> io::Result<bool> {
    match rename_to_free((from, name), to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Claim {
    /// Moves the file into `.set-aside`, with the reason beside it: nobody gets it any more.
    ///
    /// # Errors
    /// [`Kind::File`] where it could not be moved; then it is given back.
    pub fn set_aside(mut self, why: &str) -> Result<()> {
        // A few entries of directories: not worth a thread.
        set_aside::keep(&self, why).map_err(|error| self.told("setting aside", error))?;
        self.is_settled = true;
        Ok(())
    }

    /// The message with all its fields; an empty body and none are told apart here alone.
    pub const fn pylon(&self) -> &Pylon {
        &self.pylon
    }

    fn told(&self, doing: &str, error: impl Into<io::Error>) -> Error {
        let what = format!("{doing} {} in {}", self.name.display(), self.message.queue);
        Error::new(Kind::File, what).because(error.into())
    }
}

impl Held for Claim {
    fn message(&self) -> &Message {
        &self.message
    }

    async fn done(mut self) -> Result<()> {
        // One entry of a directory: not worth a thread.
        fs::unlinkat(&*self.directory, &self.hidden, AtFlags::empty())
            .map_err(|error| self.told("deleting", error))?;
        self.is_settled = true;
        Ok(())
    }

    async fn give_back(mut self) -> Result<()> {
        rename_to_free((&*self.directory, &self.hidden), (&*self.directory, &self.name))
            .map_err(|error| self.told("giving back", error))?;
        self.is_settled = true;
        Ok(())
    }

    /// It is held for as long as this lives.
    async fn hold(&self, _lease: Duration) -> Result<()> {
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_settled {
            // Where this fails, the next reader finds it under its hidden name, unlocked.
            let from = (&*self.directory, self.hidden.as_os_str());
            let _given_back = rename_to_free(from, (&*self.directory, &self.name));
        }
    }
}

/// The message as pylon sends it over SQS: what is nothing is `None`, and a body that is not there
/// the text that fills its place.
fn message(pylon: &Pylon, folder: &str, id: String) -> Message {
    let mut attributes = BTreeMap::new();
    let fields = serde_json::to_value(pylon).unwrap_or_default();
    for name in FIELDS {
        let text = fields.get(name).and_then(Value::as_str).unwrap_or("None");
        attributes.insert(name.to_owned(), Attribute::String(text.to_owned()));
    }
    if let Some(key) = &pylon.payload_store_key {
        attributes.insert(STORE_KEY.to_owned(), Attribute::String(key.clone()));
    }
    for (name, value) in &pylon.custom_attributes {
        let own = Attribute::String(value.clone());
        attributes.entry(name.clone()).or_insert(own);
    }
    Message {
        id,
        queue: folder.to_owned(),
        body: pylon.body.as_deref().unwrap_or(pylon::FILLER).into(),
        attributes,
        labels: BTreeMap::new(),
        system_attributes: BTreeMap::new(),
        event: None,
    }
}

/// True for the attributes by which a message is known as one of pylon's.
pub(super) fn is_field(name: &str) -> bool {
    FIELDS.contains(&name) || name == STORE_KEY
}
