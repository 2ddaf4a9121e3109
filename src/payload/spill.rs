//! Bytes that are being unpacked: in memory up to 16 MiB, above that in a file without a name, and
//! never more than they may be.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::Stop;
use crate::config;
use crate::error::{Error, Kind};
use crate::message::Body;
use crate::units;

/// What is larger lies in a file.
const IN_MEMORY: u64 = 16 << 20;
/// How much is read at once.
const PIECE: usize = 64 << 10;
/// The place for large temporary files, which outlive no run: not `/tmp`, which often is memory.
const DIRECTORY: &str = "/var/tmp";

/// Within what one body is unpacked.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// The most bytes it may have at any step.
    limit: u64,
    in_memory: u64,
    /// Nobody waits for it any more.
    stop: CancellationToken,
}

/// Bytes on their way into a body.
#[derive(Debug)]
pub(super) struct Spill {
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
    bounds: Bounds,
}

impl Bounds {
    pub(super) fn new(limit: u64, stop: CancellationToken) -> Self {
        Self { limit, in_memory: IN_MEMORY, stop }
    }

    /// Everything in a file, of any size.
    pub(super) fn in_file(stop: CancellationToken) -> Self {
        Self { limit: u64::MAX, in_memory: 0, stop }
    }

    /// Refuses a size that is known beforehand.
    pub(super) fn admit(&self, bytes: u64) -> Result<(), Stop> {
        if bytes > self.limit { Err(self.too_large()) } else { Ok(()) }
    }

    pub(super) fn go_on(&self) -> Result<(), Stop> {
        if self.stop.is_cancelled() {
            return Err(Stop::Later(Error::new(Kind::Aborted, "unpacking was cut off")));
        }
        Ok(())
    }

    /// Everything that the reader yields; `damaged` is said of input that it cannot read.
    ///
    /// Blocks, and looks after every piece whether anybody still waits for it.
    pub(super) fn take_all(&self, mut reader: impl Read, damaged: Stop) -> Result<Body, Stop> {
        let mut spill = Spill::new(self.clone());
        let mut piece = vec![0; PIECE];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return spill.finish(),
                Ok(count) => spill.push(piece.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_of_format(&error) => return Err(damaged),
                Err(error) => return Err(trouble("reading a body", error)),
            }
        }
    }

    fn too_large(&self) -> Stop {
        Stop::broken(format!(
            "it has more than the {} that payload_limit allows",
            units::count(self.limit, "byte")
        ))
    }
}

impl Spill {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { memory: Vec::new(), file: None, length: 0, bounds }
    }

    /// Blocks once it is in a file.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.bounds.go_on()?;
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.bounds.admit(self.length)?;
        if self.file.is_none() && self.length > self.bounds.in_memory {
            let mut file =
                anonymous().map_err(|error| trouble("making a temporary file", error))?;
            file.write_all(&self.memory)
                .map_err(|error| trouble("writing a temporary file", error))?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            return file
                .write_all(bytes)
                .map_err(|error| trouble("writing a temporary file", error));
        }
        self.memory.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Body, Stop> {
        match self.file {
            Some(file) => {
                // Whoever gets it may read it again through /proc, and nobody may change it.
                file.set_permissions(Permissions::from_mode(0o400))
                    .map_err(|error| trouble("closing a temporary file", error))?;
                Ok(Body::of_file(file, self.length))
            }
            None => Ok(Body::of_bytes(self.memory)),
        }
    }
}

/// Of these kinds are the errors of those who read a format; all others are the host's.
fn is_of_format(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
    )
}

fn trouble(what: &str, error: io::Error) -> Stop {
    Stop::Later(
        Error::new(Kind::File, format!("{what} in {}", directory().display()))
            .because(error)
            .hint("give it room, or name another place with TMPDIR"),
    )
}

fn directory() -> PathBuf {
    let named = config::env::value("TMPDIR").filter(|named| !named.is_empty());
    named.map_or_else(|| DIRECTORY.into(), PathBuf::from)
}

/// A file that no name leads to: gone with its last descriptor, also when the daemon is killed.
fn anonymous() -> io::Result<File> {
    let directory = directory();
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(&directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        // Some file systems know no files without names; old kernels take it for a directory.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => unlinked(&directory),
        Err(error) => Err(error.into()),
    }
}

fn unlinked(directory: &Path) -> io::Result<File> {
    let path = directory.join(format!("longshore-body-{:032x}", fastrand::u128(..)));
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(limit: u64, in_memory: u64) -> Bounds {
        Bounds { limit, in_memory, stop: CancellationToken::new() }
    }

    fn damaged() -> Stop {
        Stop::broken("damaged")
    }

    fn text(body: &Body) -> String {
        let mut text = String::new();
        body.reader().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn above_what_memory_may_hold_it_lies_in_a_file() {
        for (in_memory, in_file) in [(5, false), (4, true), (0, true)] {
            let body = bounds(100, in_memory).take_all(&b"12345"[..], damaged()).unwrap();
            assert_eq!((body.as_file().is_some(), body.len()), (in_file, 5));
            assert_eq!(text(&body), "12345");
        }
    }

    #[test]
    fn a_file_is_private_has_no_name_and_takes_no_more() {
        let body = bounds(100, 0).take_all(&b"12345"[..], damaged()).unwrap();
        let metadata = body.as_file().unwrap().metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o400);
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&metadata), 0);
        let mut reopened = body.reopened().unwrap().unwrap();
        assert!(reopened.write_all(b"x").is_err());
        assert_eq!(text(&body), "12345");
    }

    #[test]
    fn a_directory_without_nameless_files_is_used_too() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = unlinked(directory.path()).unwrap();
        file.write_all(b"x").unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_limit_is_counted_to_the_byte_and_two_gigabytes_can_be_counted() {
        assert_eq!(text(&bounds(5, 100).take_all(&b"12345"[..], damaged()).unwrap()), "12345");
        for in_memory in [0, 100] {
            let stop = bounds(4, in_memory).take_all(&b"12345"[..], damaged()).unwrap_err();
            assert!(matches!(stop, Stop::Broken(why) if why.contains("4 bytes")));
        }
        let most = config::Payload::default().limit;
        assert_eq!(most, 2 * 1024 * 1024 * 1024);
        let largest = bounds(most, 0);
        assert!(largest.admit(most).is_ok());
        assert!(largest.admit(most + 1).is_err());
        let mut spill = Spill::new(largest);
        spill.length = most - 1;
        spill.push(b"1").unwrap();
        assert!(matches!(spill.push(b"1"), Err(Stop::Broken(_))));
        spill.length = u64::MAX;
        assert!(matches!(spill.push(b"1"), Err(Stop::Broken(_))));
    }

    #[test]
    fn work_that_nobody_waits_for_ends() {
        let bounds = bounds(u64::MAX, 0);
        bounds.stop.cancel();
        let endless = io::repeat(0);
        assert!(matches!(bounds.take_all(endless, damaged()), Err(Stop::Later(_))));
    }
}
