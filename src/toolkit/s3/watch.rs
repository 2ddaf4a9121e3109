//! Who is told how much of an object has come or gone, such as a progress bar.

use std::fmt;
use std::sync::Arc;

use super::Bucket;

/// Told the bytes of each piece.
#[derive(Clone, Default)]
pub(super) struct Watch(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl Watch {
    pub(super) fn tell(&self, bytes: usize) {
        if let Some(told) = &self.0 {
            told(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Watch" } else { "no watch" })
    }
}

impl Bucket {
    /// The same bucket, whose reads and writes tell how many bytes each piece has that came or is
    /// about to go. What is read again after a failure is told again. It must not block.
    #[must_use]
    pub fn watched(self, told: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self { watch: Watch(Some(Arc::new(told))), ..self }
    }
}
