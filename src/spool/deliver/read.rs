//! A stretch of a file, read from our descriptor: into memory with its checksum, or, where that
//! would take too much of the budget, twice in small blocks: once for the checksum, once to send.

use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use futures_util::stream::{self, Stream, StreamExt};
use http_body::{Body, Frame, SizeHint};

use super::{Load, Means, Refusal};
use crate::flow::permits::Permit;
use crate::spool::open::Stamp;

/// Stretches that are not held whole are read in blocks of this size.
const BLOCK: u64 = 1 << 20;

/// A body and its CRC64NVME. It holds its part of the budget.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) body: ByteStream,
    pub(super) checksum: u64,
    /// Why the body ended early, where it did: the SDK only tells that it could not send it.
    pub(super) broken: Broken,
    _budget: Permit,
}

/// What went wrong with the file while a body was sent.
pub(super) type Broken = Arc<Mutex<Option<Refusal>>>;

/// Reads a stretch, whole or in blocks, as the budget allows: no more than a quarter of it is held
/// for one stretch. Without TLS, where a payload must be signed and so be held, up to all of it;
/// what is larger even than that goes unsigned, with its checksum.
///
/// # Errors
/// `Changed` where the file is shorter by now or was written to; `Unreadable` where the disk fails.
pub(super) async fn stretch(
    load: &Load,
    means: &Means,
    (offset, length): (u64, u64),
    over_tls: bool,
) -> Result<Stretch, Refusal> {
    let most = if over_tls { means.bytes.all() / 4 } else { means.bytes.all() };
    if length > most.max(BLOCK) {
        // One block waits to be sent while the next is read.
        let budget = means.bytes.take(2 * BLOCK).await;
        let checksum = checksum(load, means, (offset, length)).await?;
        let blocks = Blocks::new(load, means, (offset, length));
        let broken = Arc::clone(&blocks.broken);
        let body = ByteStream::from_body_1_x(blocks);
        return Ok(Stretch { body, checksum, broken, _budget: budget });
    }
    let budget = means.bytes.take(length).await;
    let bytes = block(load, means, (offset, length)).await?;
    let checksum = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, &bytes);
    let body = ByteStream::from(bytes);
    Ok(Stretch { body, checksum, broken: Broken::default(), _budget: budget })
}

/// Reads a stretch for its checksum alone.
async fn checksum(
    load: &Load,
    means: &Means,
    (offset, length): (u64, u64),
) -> Result<u64, Refusal> {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    for (offset, length) in blocks(offset, length) {
        digest.update(&block(load, means, (offset, length)).await?);
    }
    Ok(digest.finalize())
}

fn blocks(offset: u64, length: u64) -> impl Iterator<Item = (u64, u64)> + Send + Sync {
    (0..length.div_ceil(BLOCK))
        .map(move |index| (offset + index * BLOCK, BLOCK.min(length - index * BLOCK)))
}

/// A request body that reads its blocks as they are asked for. A file that changes meanwhile ends
/// it with an error, and so the request.
struct Blocks {
    left: u64,
    broken: Broken,
    pieces: Pin<Box<dyn Stream<Item = Result<Bytes, Refusal>> + Send + Sync>>,
}

impl Blocks {
    fn new(load: &Load, means: &Means, (offset, length): (u64, u64)) -> Self {
        let (load, means) = (load.clone(), means.clone());
        let pieces = stream::iter(blocks(offset, length)).then(move |piece| {
            let (load, means) = (load.clone(), means.clone());
            async move { block(&load, &means, piece).await }
        });
        Self { left: length, broken: Broken::default(), pieces: Box::pin(pieces) }
    }
}

impl Body for Blocks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.pieces.as_mut().poll_next(context).map(|read| match read? {
            Ok(bytes) => {
                let sent = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.left = self.left.saturating_sub(sent);
                Some(Ok(Frame::data(bytes)))
            }
            Err(refusal) => {
                let text = format!("{refusal:?}");
                *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
                Some(Err(io::Error::other(text)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Reads `length` bytes from `offset` on. When it returns, the file was still what it was when it
/// was opened.
///
/// # Errors
/// `Changed` where the file is shorter by now or was written to; `Unreadable` where the disk fails.
pub(super) async fn block(
    load: &Load,
    means: &Means,
    (offset, length): (u64, u64),
) -> Result<Bytes, Refusal> {
    let file = Arc::clone(&load.file);
    let stamp = load.stamp;
    let read = move || -> io::Result<Option<Bytes>> {
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
        Ok(Some(Bytes::from(bytes)))
    };
    match means.blocking.run(read).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(Refusal::Changed),
        Ok(Err(error)) => Err(Refusal::Unreadable(error)),
        Err(error) => Err(Refusal::Refused(error)),
    }
}

/// What went wrong with the file while a body was sent, if that was it.
pub(super) fn fault_of(broken: &Broken) -> Option<Refusal> {
    broken.lock().unwrap_or_else(PoisonError::into_inner).take()
}
