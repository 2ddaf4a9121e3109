//! Placeholder until the spool's own durable writes are merged.
use std::ffi::OsStr;
use std::path::Path;

use crate::error::{Error, Kind, Result};

pub(crate) fn replace(directory: &Path, name: &OsStr, bytes: &[u8]) -> Result<()> {
    std::fs::write(directory.join(name), bytes)
        .map_err(|e| Error::new(Kind::File, "writing").because(e))
}
