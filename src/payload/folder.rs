//! pylon's folder transport: a directory where each message is a file, `<uuid4>.json`, of one line.
//!
//! Sending is atomic: nobody ever sees half a file. Of several readers one has a file: it is locked
//! and renamed to a hidden name, which pylon leaves alone; what a reader that died had taken, the
//! next one takes. A file that is no message is set aside and stands in nobody's way. Nothing is
//! ordered.

mod claim;
mod set_aside;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use rustix::fs::{self, Mode, OFlags};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::drop::{self, Existing};
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;
use crate::message::{Message, Outgoing};
use crate::payload::codec::Pylon;
use crate::toolkit::transport::{CanReceive, CanSend, SendReport, Sent, one_by_one};

pub use claim::Claim;
use claim::Taken;

/// How often an empty folder is looked at while a receive waits.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So many files are read or written at the same time.
const AT_ONCE: usize = 4;

/// A directory of messages. Clones share it.
#[derive(Debug, Clone)]
pub struct Folder {
    path: Arc<PathBuf>,
    blocking: Blocking,
}

impl Folder {
    /// A folder, made where it is not there. Blocks.
    ///
    /// # Errors
    /// [`Kind::File`] where it cannot be made or is no directory.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        std::fs::create_dir_all(&path).map_err(|error| unusable("making", &path, error))?;
        Ok(Self { path: Arc::new(path), blocking: Blocking::new(AT_ONCE) })
    }

    /// As [`open`](Self::open), off the runtime's threads.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn make(path: PathBuf) -> Result<Self> {
        Blocking::new(1).run(move || Self::open(path)).await?
    }

    /// As [`put`](Self::put), off the runtime's threads. Dropped midway, the message may be left.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn leave(&self, message: Pylon) -> Result<String> {
        let own = self.clone();
        self.blocking.run(move || own.put(&message)).await?
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves a message, and gives the name of its file. When it returns, the file is whole and on
    /// disk. Blocks.
    ///
    /// # Errors
    /// [`Kind::File`] where it could not be written; nothing is left then.
    pub fn put(&self, message: &Pylon) -> Result<String> {
        let name = format!("{}.json", Uuid::new_v4());
        let line = message.to_line()?;
        drop::file(&self.path, OsStr::new(&name), &mut line.as_bytes(), Existing::Keep)?;
        Ok(name)
    }

    /// Takes up to `most` messages that nobody else has; none where there are none. Blocks.
    ///
    /// Files whose names begin with a dot, and what is no regular file, are left alone. A file that
    /// is no message is set aside in `.set-aside`, with its reason beside it and a line in the log;
    /// one so young that it may still be written, as pylon itself writes, is left for later.
    ///
    /// # Errors
    /// [`Kind::File`] where the directory cannot be read; and where a file of it cannot be used,
    /// unless another was taken: none stands in the way of the others.
    pub fn take(&self, most: usize) -> Result<Vec<Claim>> {
        self.take_some(most).map_err(|error| unusable("reading", &self.path, error))
    }

    fn take_some(&self, most: usize) -> io::Result<Vec<Claim>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory: Arc<OwnedFd> = Arc::new(fs::open(&*self.path, flags, Mode::empty())?);
        let (mut claims, mut trouble) = (Vec::new(), None);
        for entry in fs::Dir::read_from(&directory)? {
            if claims.len() >= most {
                break;
            }
            let entry = entry?;
            match self.take_one(&directory, OsStr::from_bytes(entry.file_name().to_bytes())) {
                Ok(claim) => claims.extend(claim),
                Err(error) => trouble = Some(error),
            }
        }
        match trouble.filter(|_| claims.is_empty()) {
            Some(error) => Err(error),
            None => Ok(claims),
        }
    }

    fn take_one(&self, directory: &Arc<OwnedFd>, name: &OsStr) -> io::Result<Option<Claim>> {
        let Some(taken) = Taken::of(directory, name)? else { return Ok(None) };
        let shown = self.path.display();
        match taken.read()? {
            Ok(message) => return taken.claim(message, &shown.to_string()),
            Err(_) if taken.is_young()? => {}
            Err(why) => {
                let to = set_aside::keep(&taken, &why)?;
                let file = name.display();
                tracing::warn!(folder = %shown, %file, to, why, "file set aside");
            }
        }
        Ok(None)
    }

    /// What a folder can keep of a message that is sent: pylon's fields, or its body alone with
    /// attributes of the user's own.
    fn as_pylon(&self, message: Outgoing) -> Result<Pylon> {
        let refused = |why: String| {
            let what = format!("a message for the folder {}", self.path.display());
            Err(Error::new(Kind::Invalid, what).because(why))
        };
        let other = [
            (message.group.is_some(), "group"),
            (message.deduplication_id.is_some(), "deduplication id"),
            (message.delay.is_some(), "delay"),
            (message.subject.is_some(), "subject"),
            (message.trace_header.is_some(), "trace"),
            (message.is_per_protocol, "text per protocol"),
        ];
        if let Some((_, what)) = other.iter().find(|(is_there, _)| *is_there) {
            return refused(format!("it has a {what}, which pylon's files cannot keep"));
        }
        for (name, value) in &message.attributes {
            if message.data_type(name, value) != "String" {
                return refused(format!("attribute {name} is no text, and pylon's are"));
            }
        }
        let is_pylon = message.attributes.keys().any(|name| claim::is_field(name));
        let message = Message {
            id: String::new(),
            queue: String::new(),
            body: message.body.into(),
            attributes: message.attributes,
            labels: message.labels,
            system_attributes: std::collections::BTreeMap::new(),
            event: None,
        };
        if is_pylon {
            return Pylon::decode(&message);
        }
        let text = |value: &crate::message::Attribute| value.as_text().unwrap_or("").to_owned();
        let custom = message.attributes.iter().map(|(name, value)| (name.clone(), text(value)));
        let body = message.body.as_text().unwrap_or_default();
        Ok(Pylon { custom_attributes: custom.collect(), ..Pylon::raw(body) })
    }
}

impl CanSend for Folder {
    async fn send(&self, message: Outgoing) -> Result<Sent> {
        let name = self.leave(self.as_pylon(message)?).await?;
        Ok(Sent { message_id: name, sequence_number: None })
    }

    async fn send_all<S>(&self, messages: S) -> Result<SendReport>
    where
        S: Stream<Item = Outgoing> + Send,
    {
        one_by_one(self, messages).await
    }
}

impl CanReceive for Folder {
    type Held = Claim;

    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Claim>> {
        let until = Instant::now() + wait;
        loop {
            let own = self.clone();
            let taken = self.blocking.run(move || own.take(most)).await??;
            if !taken.is_empty() || most == 0 || Instant::now() >= until {
                return Ok(taken);
            }
            sleep(LOOK_EVERY.min(until - Instant::now())).await;
        }
    }
}

fn unusable(doing: &str, path: &Path, error: io::Error) -> Error {
    Error::new(Kind::File, format!("{doing} {}", path.display())).because(error)
}
