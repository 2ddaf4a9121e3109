//! What an error of AWS says of the message that was being handled.
//!
//! Only what the service holds against this very message rejects it. What would meet every other
//! message too (nothing of that name, no permission, no way there, settings that it refuses) is the
//! handler's fault: polling stops and one message is tried by backoff. All else passes.

use std::error::Error as _;

use crate::error::{Error, Kind};
use crate::handler::Verdict;
use crate::outcome::{Outcome, Unavailable};

/// The verdict on one message. `own` says whether a refusal, if it is one, is the message's own.
pub(super) fn judged(error: &Error, own: bool) -> Verdict {
    let kind = error.kind();
    if kind == Kind::Invalid && own {
        Ok(Outcome::reject(error.told()))
    } else if kind == Kind::Invalid || kind.is_of_destination() {
        Err(Unavailable::new(error.to_string()))
    } else {
        Ok(Outcome::retry(error.told()))
    }
}

/// True where a service answered with one of these codes. Only the code counts: what else an error
/// tells may quote the message, and no message may judge itself.
pub(super) fn says(error: &Error, codes: &[&str]) -> bool {
    let told = error.source().map(ToString::to_string).unwrap_or_default();
    codes.iter().any(|code| told.starts_with(code))
}

/// The verdict on all of a batch that failed before any of it was sent.
pub(super) fn all_judged(count: usize, error: &Error) -> Vec<Verdict> {
    vec![judged(error, false); count]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_and_never_what_a_message_says() {
        let error = Error::new(Kind::Invalid, "putting \"KeyTooLong\"");
        let error = error.because("InvalidStorageClass: not so: KeyTooLong (HTTP 400)");
        assert!(!says(&error, &["KeyTooLong"]) && says(&error, &["Other", "InvalidStorageClass"]));
    }

    #[test]
    fn only_what_is_the_messages_own_rejects_it() {
        let of = |kind, own| judged(&Error::new(kind, "it"), own);
        assert_eq!(of(Kind::Invalid, true), Ok(Outcome::reject("it")));
        for kind in [Kind::Denied, Kind::Missing, Kind::Credentials, Kind::Unreachable] {
            assert_eq!(of(kind, true), Err(Unavailable::new("it")), "{kind:?}");
        }
        assert_eq!(of(Kind::Invalid, false), Err(Unavailable::new("it")));
        for kind in [Kind::Throttled, Kind::Transient, Kind::Conflict, Kind::Corrupt, Kind::Bug] {
            assert_eq!(of(kind, true), Ok(Outcome::retry("it")), "{kind:?}");
        }
    }
}
