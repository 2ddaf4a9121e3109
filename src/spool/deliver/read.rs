//! A stretch of a file, read from our descriptor into memory, with its checksum.

use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;

use super::{Load, Means, Refusal};
use crate::spool::open::Stamp;

/// Bytes and their CRC64NVME.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) bytes: Bytes,
    pub(super) checksum: u64,
}

/// Reads `length` bytes from `offset` on. When it returns, the file was still what it was when it
/// was opened.
///
/// # Errors
/// `Changed` where the file is shorter by now or was written to; `Unreadable` where the disk fails.
pub(super) async fn stretch(
    load: &Load,
    means: &Means,
    (offset, length): (u64, u64),
) -> Result<Stretch, Refusal> {
    let file = Arc::clone(&load.file);
    let stamp = load.stamp;
    let read = move || -> io::Result<Option<Stretch>> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        match file.read_exact_at(&mut bytes, offset) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        if Stamp::now(&*file)? != stamp {
            return Ok(None);
        }
        let checksum = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &bytes);
        Ok(Some(Stretch { bytes: Bytes::from(bytes), checksum }))
    };
    match means.blocking.run(read).await {
        Ok(Ok(Some(stretch))) => Ok(stretch),
        Ok(Ok(None)) => Err(Refusal::Changed),
        Ok(Err(error)) => Err(Refusal::Unreadable(error)),
        Err(error) => Err(Refusal::Refused(error)),
    }
}
