//! Groups of ten with every entry of the answer looked at: a batch call answers HTTP 200 and may
//! still have failed in part.

use crate::error::{Error, Kind};

/// The most entries that a batch call of SQS or SNS takes.
pub const MOST_ENTRIES: usize = 10;

/// The entry id of a position: positions and not message ids, since one standard queue may deliver
/// a message twice within a batch, and ids that repeat fail the whole call.
pub fn entry_id(position: usize) -> String {
    position.to_string()
}

/// What the answer says of one entry that failed; SQS and SNS say the same.
#[derive(Debug)]
pub struct Failed<'a> {
    id: &'a str,
    code: &'a str,
    message: Option<&'a str>,
    sender_fault: bool,
}

impl<'a> From<&'a aws_sdk_sqs::types::BatchResultErrorEntry> for Failed<'a> {
    fn from(entry: &'a aws_sdk_sqs::types::BatchResultErrorEntry) -> Self {
        let (id, code, message) = (entry.id(), entry.code(), entry.message());
        Self { id, code, message, sender_fault: entry.sender_fault() }
    }
}

#[cfg(feature = "sns")]
impl<'a> From<&'a aws_sdk_sns::types::BatchResultErrorEntry> for Failed<'a> {
    fn from(entry: &'a aws_sdk_sns::types::BatchResultErrorEntry) -> Self {
        let (id, code, message) = (entry.id(), entry.code(), entry.message());
        Self { id, code, message, sender_fault: entry.sender_fault() }
    }
}

/// What became of each of the entries that were sent, by position: nothing, or its error.
///
/// An answer that names an entry which was never sent tells nothing about the others: then all
/// have failed, so that nothing is taken for a success.
pub fn outcomes<'a, E>(failed: &'a [E], sent: usize, what: &str) -> Vec<Option<Error>>
where
    Failed<'a>: From<&'a E>,
{
    let mut outcomes: Vec<Option<Error>> = (0..sent).map(|_| None).collect();
    for Failed { id, code, message, sender_fault } in failed.iter().map(Failed::from) {
        let kind = super::fault::entry_kind(code, sender_fault);
        let told = message.map_or_else(|| code.to_owned(), |text| format!("{code}: {text}"));
        let place: Option<usize> = id.parse().ok();
        let Some(outcome) = place.and_then(|place| outcomes.get_mut(place)) else {
            let told = format!("the answer names an unknown entry {id:?}: {told}");
            return all_failed(sent, &Error::new(Kind::Transient, what).because(told));
        };
        *outcome = Some(Error::new(kind, what).because(told).answered());
    }
    outcomes
}

/// Every entry failed with the whole call.
pub fn all_failed(sent: usize, error: &Error) -> Vec<Option<Error>> {
    (0..sent).map(|_| Some(error.again())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::BatchResultErrorEntry;

    fn entry(id: &str) -> BatchResultErrorEntry {
        let entry = BatchResultErrorEntry::builder().id(id).code("InternalError");
        entry.sender_fault(false).build().unwrap()
    }

    fn failed(outcomes: &[Option<Error>]) -> Vec<bool> {
        outcomes.iter().map(Option::is_some).collect()
    }

    #[test]
    fn one_failed_entry_spoils_no_other() {
        assert_eq!(failed(&outcomes(&[entry("1")], 3, "deleting")), [false, true, false]);
    }

    #[test]
    fn an_answer_about_entries_never_sent_is_no_success() {
        for id in ["7", "x", "-1"] {
            assert_eq!(failed(&outcomes(&[entry(id)], 2, "deleting")), [true, true], "{id}");
        }
    }
}
