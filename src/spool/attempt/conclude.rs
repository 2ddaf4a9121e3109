//! What follows for the file from what came of sending it: it is settled, or quarantined, or stays.

use std::ffi::OsStr;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use super::{Bench, End, Ready, unreadable};
use crate::config::{Destination, Outbox, Outlet};
use crate::error::{Error, Kind};
use crate::key;
use crate::spool::deliver::Refusal;
use crate::spool::directory;
use crate::spool::open::{Id, Stamp};
use crate::spool::quarantine::{self, BoundFor, Reason};
use crate::spool::settle::{self, Settled};
use crate::units;

impl Bench {
    pub(super) async fn conclude(
        &self,
        id: &Id,
        ready: &Ready,
        delivered: Result<(), Refusal>,
        (invalid_is_own, failures): (bool, u32),
    ) -> End {
        let own = match delivered {
            Ok(()) => {
                let (directory, aside, id) =
                    (Arc::clone(&self.directory), Arc::clone(&self.aside), id.clone());
                let shown = self.shown(&id);
                let (file, stamp, found) = ready.shared();
                let settled = self.means.blocking.run(move || {
                    aside.settle(&directory, &id, (&file, stamp), |place, name| match &found {
                        None => settle::unlink(place, name),
                        Some(found) => found.finish(
                            &directory,
                            (place, name),
                            settle::unlink,
                            |place, sidecar, ()| settle::unlink(place, sidecar),
                        ),
                    })
                });
                let settled = settled.await.and_then(|settled| {
                    settled.map_err(|error| {
                        directory::unusable("taking out of the spool", shown.as_ref(), error)
                    })
                });
                return End::Landed(ready.stamp, settled);
            }
            Err(Refusal::Changed) => return End::Changed,
            Err(Refusal::Unreadable(error)) if is_of_the_disk(&error) => {
                unreadable(&self.shown(id), error)
            }
            Err(Refusal::Unreadable(error)) => {
                return End::Failed(unreadable(&self.shown(id), error));
            }
            Err(Refusal::Own(error)) => error,
            Err(Refusal::Refused(error)) if error.kind() == Kind::Invalid && invalid_is_own => {
                error
            }
            Err(Refusal::Refused(error)) => return End::Failed(error),
        };
        self.quarantine(id, ready, own, failures).await
    }

    async fn quarantine(&self, id: &Id, ready: &Ready, fault: Error, failures: u32) -> End {
        let (file, stamp, found) = ready.shared();
        let reason = self.reason(id, stamp, &fault, failures);
        let (directory, aside, owned) =
            (Arc::clone(&self.directory), Arc::clone(&self.aside), id.clone());
        let moved = self.means.blocking.run(move || {
            let mut kept = None;
            let keep =
                |place: &File, name: &OsStr| quarantine::keep(&directory, place, name, &reason);
            let settled = aside.settle(&directory, &owned, (&file, stamp), |place, name| {
                kept = Some(match &found {
                    None => keep(place, name)?,
                    Some(found) => {
                        found.finish(&directory, (place, name), keep, |place, sidecar, kept| {
                            let target = kept.path.file_name().unwrap_or(name);
                            quarantine::keep_beside(&directory, place, sidecar, target)
                        })?
                    }
                });
                Ok(())
            })?;
            Ok::<_, std::io::Error>((settled, kept))
        });
        match moved.await {
            Ok(Ok((Settled::Done, Some(kept)))) => End::Quarantined(kept, fault),
            Ok(Ok((Settled::Changed, _))) => End::Failed(fault.hint(format!(
                "it stays in the spool: {} must lie on the same file system and be writable",
                self.directory.quarantine_path.display()
            ))),
            Ok(Ok((settled, _))) => End::Superseded(settled),
            Ok(Err(error)) => End::Failed(directory::unusable(
                "moving to quarantine",
                self.shown(id).as_ref(),
                error,
            )),
            Err(error) => End::Failed(error),
        }
    }

    fn reason(&self, id: &Id, stamp: Stamp, fault: &Error, failures: u32) -> Reason {
        let modified = u64::try_from(stamp.modified / 1_000_000_000).unwrap_or(0);
        Reason {
            spool: self.name.clone(),
            file: id.name.display().to_string(),
            key: candidate_key(&self.settings.destination, &id.name),
            bound_for: match &self.settings.destination {
                Destination::Bucket(bucket) => BoundFor::Bucket(bucket.clone()),
                Destination::Messages(Outbox { outlet: Outlet::Queue(queue), .. }) => {
                    BoundFor::Queue(queue.clone())
                }
                Destination::Messages(Outbox { outlet: Outlet::Topic(topic), .. }) => {
                    BoundFor::Topic(topic.clone())
                }
            },
            when: units::utc(SystemTime::now()),
            why: fault.to_string(),
            kind: fault.kind().label(),
            attempts: failures.saturating_add(1),
            size: stamp.size,
            modified: units::utc(SystemTime::UNIX_EPOCH + Duration::from_secs(modified)),
        }
    }
}

/// The key of a file that was to become an object.
fn candidate_key(destination: &Destination, name: &OsStr) -> Option<String> {
    match destination {
        Destination::Bucket(_) => key::decode(name).ok(),
        Destination::Messages(_) => None,
    }
}

fn is_of_the_disk(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}
