//! What came of writing many.

use crate::error::{Error, Result};

/// How many were written, and which were not.
#[derive(Debug, Default)]
pub struct WriteReport {
    /// How many were confirmed.
    pub written: u64,
    /// Those that were not.
    pub failed: Vec<Failed>,
}

/// An item that was not written.
#[derive(Debug)]
pub struct Failed {
    /// Its number in what was given, from 0.
    pub number: u64,
    /// Why.
    pub error: Error,
}

impl WriteReport {
    /// # Errors
    /// What all further items would meet as well.
    pub(super) fn take(&mut self, outcomes: Vec<Option<Error>>) -> Result<()> {
        for outcome in outcomes {
            let number = self.written + u64::try_from(self.failed.len()).unwrap_or(u64::MAX);
            match outcome {
                None => self.written += 1,
                Some(error) if error.kind().is_of_destination() => return Err(error),
                Some(error) => self.failed.push(Failed { number, error }),
            }
        }
        Ok(())
    }
}
