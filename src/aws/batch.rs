//! Groups of ten with every entry of the answer looked at: a batch call answers HTTP 200 and may
//! still have failed in part.

use crate::error::{Error, Kind};

/// The most entries that a batch call of SQS or SNS takes.
pub const MOST_ENTRIES: usize = 10;

/// One failed entry, by its place in the batch that was sent.
#[derive(Debug)]
pub struct FailedEntry {
    /// Its position in the batch.
    pub position: usize,
    /// Why.
    pub error: Error,
}

/// The entry id of a position: positions and not message ids, since one standard queue may deliver
/// a message twice within a batch, and ids that repeat fail the whole call.
pub fn entry_id(position: usize) -> String {
    position.to_string()
}

/// Reads one entry of `Failed[]`. An id that we never sent comes back as position 0 of a failure
/// that names it, so that nothing is taken for a success.
pub fn failed_entry(entry: &aws_sdk_sqs::types::BatchResultErrorEntry, what: &str) -> FailedEntry {
    let kind = super::fault::entry_kind(entry.code(), entry.sender_fault());
    let told = entry
        .message()
        .map_or_else(|| entry.code().to_owned(), |message| format!("{}: {message}", entry.code()));
    match entry.id().parse() {
        Ok(position) => FailedEntry { position, error: Error::new(kind, what).because(told) },
        Err(_) => FailedEntry {
            position: 0,
            error: Error::new(Kind::Transient, what)
                .because(format!("the answer names an unknown entry {:?}", entry.id())),
        },
    }
}
