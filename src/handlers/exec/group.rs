//! The process group of one command: it starts as one, is told as one, and ends as one.
//!
//! Signals by number can hit a stranger once the number is free again. So the group is only ever
//! signalled while its leader is not reaped: the exit is seen through a pidfd, which does not reap.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::Child;

/// A process group that is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Group(Option<Pid>);

/// Ends when the leader of the group has exited.
#[derive(Debug)]
pub(super) struct Exited(AsyncFd<OwnedFd>);

/// The group that this child leads, and its exit. Where that fails, the group is killed.
pub(super) fn watch(leader: &Child) -> io::Result<(Group, Exited)> {
    let pid = leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let group = Group(pid);
    let pid = pid.ok_or_else(|| io::Error::other("the child has no process id"))?;
    let exited = pidfd_open(pid, PidfdFlags::empty())?;
    #[expect(
        deprecated,
        reason = "sound for an OwnedFd, and its successor asks for a promise that an OwnedFd keeps by itself"
    )]
    let exited = AsyncFd::with_interest(exited, Interest::READABLE)?;
    Ok((group, Exited(exited)))
}

impl Group {
    /// Sends a signal to every process of the group.
    pub(super) fn signal(&self, signal: Signal) {
        let Some(group) = self.0 else { return };
        match kill_process_group(group, signal) {
            // Nobody is left, or only what has changed its user and is not ours to end.
            Ok(()) | Err(rustix::io::Errno::SRCH | rustix::io::Errno::PERM) => {}
            Err(error) => tracing::warn!(%error, "cannot signal the process group of a handler"),
        }
    }

    /// Kills what is left of the group. Has to come before the leader is reaped, and comes once.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Exited {
    /// Cancel-safe. Once it has exited, this always ends at once.
    pub(super) async fn wait(&self) {
        // The guard is dropped and readiness never cleared: a process exits once. An error means
        // that the runtime goes down, and the child's own wait tells that better.
        let _readiness = self.0.readable().await;
    }
}
