//! Writing into an outbox: a directory whose files a daemon sends to a queue or topic, as
//! `[outbox.NAME]` says. No network is needed, and nothing here waits for it.

pub(crate) mod sidecar;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use futures_util::Stream;

use crate::drop::{self, Existing};
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;
use crate::message::Outgoing;
use crate::toolkit::transport::{CanSend, SendReport, Sent, one_by_one};
use sidecar::Sidecar;

/// The directory of an outbox. Clones share it.
///
/// As a [`CanSend`] it never blocks the runtime; dropped midway, a message that was being written
/// is written all the same.
#[derive(Debug, Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
    blocking: Blocking,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    /// When the last name was given, in nanoseconds since 1970: no two names have the same, and
    /// none goes back.
    last: AtomicU64,
}

impl Outbox {
    /// An outbox that is there already.
    ///
    /// # Errors
    /// `Kind::File` where the path leads to no directory.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self> {
        let directory = directory.into();
        if !directory.is_dir() {
            let shown = directory.display();
            return Err(Error::new(Kind::File, format!("{shown} is no directory"))
                .hint(format!("make it: mkdir -p {shown}")));
        }
        let shared = Arc::new(Shared { directory, last: AtomicU64::new(0) });
        // One after another: names are given in the order of the calls.
        Ok(Self { shared, blocking: Blocking::new(1) })
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// Leaves a message to be sent, and gives the name of its file. When it returns, the message is
    /// on disk, whole; it is sent at least once. Names are in the order of the calls, and so are
    /// the messages of one group. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// `Kind::Invalid` for an empty message or one that is no message; `Kind::File` where it could
    /// not be written. Nothing is left to be sent then.
    pub fn put(&self, message: &Outgoing) -> Result<String> {
        if message.body.is_empty() {
            return Err(Error::new(Kind::Invalid, "an empty message; SQS and SNS take none"));
        }
        let directory = self.directory();
        let name = format!("{:016x}-{:08x}", self.shared.next(), fastrand::u32(..));
        let beside = sidecar::name_for(OsStr::new(&name));
        let said = Sidecar::of(message);
        if !said.is_empty() {
            let text = said.write().map_err(|error| {
                Error::new(Kind::Bug, "writing what a message has besides its body").because(error)
            })?;
            drop::file(directory, &beside, &mut text.as_slice(), Existing::Keep)?;
        }
        let contents = &mut message.body.as_bytes();
        match drop::file(directory, OsStr::new(&name), contents, Existing::Keep) {
            Ok(_bytes) => Ok(name),
            Err(error) => {
                // Where it stays, the daemon clears it away in a day.
                let _gone = std::fs::remove_file(directory.join(beside));
                Err(error)
            }
        }
    }
}

impl CanSend for Outbox {
    /// The id of the message is the name of its file.
    async fn send(&self, message: Outgoing) -> Result<Sent> {
        let own = self.clone();
        let name = self.blocking.run(move || own.put(&message)).await??;
        Ok(Sent { message_id: name, sequence_number: None })
    }

    async fn send_all<S>(&self, messages: S) -> Result<SendReport>
    where
        S: Stream<Item = Outgoing> + Send,
    {
        one_by_one(self, messages).await
    }
}

impl Shared {
    /// Now, or just after the last time where the clock went back.
    fn next(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let later = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
        now.max(last.unwrap_or(0).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_in_the_order_of_the_calls_and_sidecars_are_hidden() {
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(directory.path()).unwrap();
        let mut names = Vec::new();
        for number in 0..100 {
            let mut message = Outgoing::text(number.to_string());
            message.group = (number % 2 == 0).then(|| "even".to_owned());
            names.push(outbox.put(&message).unwrap());
        }
        assert!(names.is_sorted());
        for (number, name) in names.iter().enumerate() {
            let path = directory.path().join(name);
            assert_eq!(fs::read_to_string(path).unwrap(), number.to_string());
            let beside = directory.path().join(sidecar::name_for(OsStr::new(name)));
            assert_eq!(fs::read_to_string(beside).is_ok(), number % 2 == 0);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 150);
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_name_twice() {
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(directory.path()).unwrap();
        let later = u64::MAX / 2;
        outbox.shared.last.store(later, Ordering::Relaxed);
        assert_eq!((outbox.shared.next(), outbox.shared.next()), (later + 1, later + 2));
    }

    #[test]
    fn what_cannot_be_sent_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(directory.path()).unwrap();
        assert_eq!(outbox.put(&Outgoing::text("")).unwrap_err().kind(), Kind::Invalid);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let missing = Outbox::open(directory.path().join("missing")).unwrap_err();
        assert!(missing.to_string().contains("mkdir -p"), "{missing}");
    }
}
