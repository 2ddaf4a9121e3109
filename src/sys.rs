//! The system calls that no safe crate offers: the only `unsafe` code.
//!
//! File leases: the kernel grants a read lease on a descriptor only while nobody has the file open
//! for writing, and sends SIGIO, whose default action ends the process, when somebody is about to.
//! Whoever takes one installs a handler first.

//!
//! Descriptors that whoever started us left open: nobody here owns them.

#![expect(
    unsafe_code,
    reason = "rustix has no F_SETLEASE, no F_GETLEASE, and nothing for descriptors without owner"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Takes a read lease on a descriptor that is open for reading only.
///
/// # Errors
/// `EAGAIN` while somebody has the file open for writing; `EACCES` where the file is another
/// user's and we lack `CAP_LEASE`; `EINVAL` where the file system has no leases.
pub(crate) fn take_read_lease(file: &impl AsFd) -> io::Result<()> {
    set_lease(file, libc::F_RDLCK)
}

/// Gives a lease back; one that is not held is no error worth a look.
pub(crate) fn release_lease(file: &impl AsFd) -> io::Result<()> {
    set_lease(file, libc::F_UNLCK)
}

/// True while our read lease stands and nobody waits for it to end.
pub(crate) fn holds_read_lease(file: &impl AsFd) -> io::Result<bool> {
    // SAFETY: F_GETLEASE takes no argument and touches no memory of ours; the descriptor is open
    // for as long as it is borrowed.
    let lease = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_GETLEASE) };
    if lease == -1 { Err(io::Error::last_os_error()) } else { Ok(lease == libc::F_RDLCK) }
}

fn set_lease(file: &impl AsFd, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: F_SETLEASE takes an int and touches no memory of ours; the descriptor is open for as
    // long as it is borrowed.
    let result = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_SETLEASE, kind) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Closes, at the start of another program, every descriptor beyond standard error that is open
/// now. Best effort: without `/proc` nothing happens.
pub(crate) fn keep_descriptors() {
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    for number in open.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        if number > libc::STDERR_FILENO {
            // SAFETY: F_SETFD takes an int and touches no memory of ours; a number that is no
            // descriptor any more is EBADF and changes nothing.
            let _closed = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_read_lease_stands_only_without_a_writer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let writer = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        let refused = take_read_lease(&reader).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EAGAIN));
        drop(writer);
        take_read_lease(&reader).unwrap();
        assert!(holds_read_lease(&reader).unwrap());
        release_lease(&reader).unwrap();
        assert!(!holds_read_lease(&reader).unwrap());
    }
}
