//! What comes piece by piece and counts only once it is whole: held in a file without a name.

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::Stop;
use super::spill::{Bounds, Spill};
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;
use crate::message::Body;
use crate::units;

/// Bytes that nobody looks at yet. Dropped, nothing of them is left.
#[derive(Debug)]
pub(crate) struct Aside {
    /// Nothing once a push has failed or was cut off.
    spill: Option<Spill>,
    length: u64,
    most: u64,
    blocking: Blocking,
}

impl Aside {
    /// Room for so many bytes; the file is made with the first of them.
    pub(crate) fn new(most: u64, blocking: Blocking) -> Self {
        let bounds = Bounds::in_file(CancellationToken::new());
        Self { spill: Some(Spill::new(bounds)), length: 0, most, blocking }
    }

    /// Takes some more. Dropped midway, all of it is worth nothing.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where it is too much, [`Kind::File`] where the host has no room for it.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(mut spill) = self.spill.take() else { return Err(incomplete()) };
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.length > self.most {
            let most = units::count(self.most, "byte");
            return Err(Error::new(Kind::Invalid, format!("it is more than {most}")));
        }
        let bytes = Bytes::copy_from_slice(bytes);
        let pushed = self.blocking.run(move || spill.push(&bytes).map(|()| spill)).await?;
        self.spill = Some(pushed.map_err(as_error)?);
        Ok(())
    }

    /// All of it.
    ///
    /// # Errors
    /// Where a push has failed before.
    pub(crate) fn finish(self) -> Result<Body> {
        self.spill.ok_or_else(incomplete)?.finish().map_err(as_error)
    }
}

fn incomplete() -> Error {
    Error::new(Kind::File, "not all of it was kept")
}

fn as_error(stop: Stop) -> Error {
    match stop {
        Stop::Later(error) => error,
        Stop::Foreign(why) | Stop::Broken(why) => Error::new(Kind::Invalid, why),
        Stop::NoWork(why) => Error::new(Kind::Invalid, why),
    }
}
