//! File events: hints that something may be new. The truth is a pass over the directory, which
//! follows whenever events were lost.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use futures_util::StreamExt;
use inotify::{EventMask, EventStream, Inotify, WatchMask};

use super::candidate::Hint;

/// Room for some hundred events; more wait in the kernel.
const BUFFER: usize = 16 * 1024;

/// What is heard of a directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Something may be new under this name.
    Name(OsString, Hint),
    /// Events were lost.
    Lost,
    /// The directory itself was moved, removed or unmounted.
    Gone,
}

/// The events of one directory, or none where events say nothing (network file systems) or cannot
/// be had.
#[derive(Debug)]
pub(crate) struct Watch {
    events: Option<EventStream<Vec<u8>>>,
}

impl Watch {
    /// Watches a directory from now on.
    ///
    /// # Errors
    /// When the kernel refuses, mostly by its limit on watches; the spool then polls.
    pub(crate) fn begin(directory: &Path) -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let mask = WatchMask::CREATE
            | WatchMask::MOVED_TO
            | WatchMask::CLOSE_WRITE
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        inotify.watches().add(directory, mask)?;
        Ok(Self { events: Some(inotify.into_event_stream(vec![0; BUFFER])?) })
    }

    /// Hears nothing.
    pub(crate) const fn none() -> Self {
        Self { events: None }
    }

    /// The next event; never ends where there are none. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Heard {
        loop {
            let Some(events) = &mut self.events else {
                return std::future::pending().await;
            };
            let Some(Ok(event)) = events.next().await else {
                self.events = None;
                return Heard::Gone;
            };
            if let Some(heard) = heard(event.mask, event.name) {
                return heard;
            }
        }
    }
}

fn heard(mask: EventMask, name: Option<OsString>) -> Option<Heard> {
    if mask.contains(EventMask::Q_OVERFLOW) {
        return Some(Heard::Lost);
    }
    let gone =
        EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::IGNORED | EventMask::UNMOUNT;
    if mask.intersects(gone) {
        return Some(Heard::Gone);
    }
    let hint = if mask.intersects(EventMask::CLOSE_WRITE | EventMask::MOVED_TO) {
        Hint::Closed
    } else {
        Hint::Created
    };
    name.map(|name| Heard::Name(name, hint))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn names(watch: &mut Watch, count: usize) -> Vec<(String, Hint)> {
        let mut names = Vec::new();
        for _ in 0..count {
            let Heard::Name(name, hint) = watch.next().await else { panic!("no name") };
            names.push((name.into_string().unwrap(), hint));
        }
        names
    }

    #[tokio::test]
    async fn every_way_to_deliver_is_heard() {
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir_in(directory.path()).unwrap();
        let mut watch = Watch::begin(directory.path()).unwrap();
        fs::write(directory.path().join("written"), "x").unwrap();
        fs::hard_link(directory.path().join("written"), directory.path().join("linked")).unwrap();
        fs::write(elsewhere.path().join("draft"), "x").unwrap();
        rustix::fs::rename(elsewhere.path().join("draft"), directory.path().join("moved")).unwrap();
        assert_eq!(
            names(&mut watch, 4).await,
            [
                ("written".to_owned(), Hint::Created),
                ("written".to_owned(), Hint::Closed),
                ("linked".to_owned(), Hint::Created),
                ("moved".to_owned(), Hint::Closed),
            ]
        );
    }

    #[tokio::test]
    async fn the_end_of_the_directory_is_heard() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("spool");
        fs::create_dir(&path).unwrap();
        let mut watch = Watch::begin(&path).unwrap();
        rustix::fs::rename(&path, parent.path().join("other")).unwrap();
        assert_eq!(watch.next().await, Heard::Gone);
    }
}
