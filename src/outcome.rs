//! What a handler says of a message: *done*, *retry* or *reject*.
//!
//! [`Failure`] is what a Rust handler returns as its error. It does not implement
//! `std::error::Error`, so that `?` turns every error into a retry and only
//! [`Failure::permanent`] and [`Failure::retry_after`] have to be said out loud.

use std::fmt;
use std::time::Duration;

/// The verdict on one message. Settling it is the queue's business, never the handler's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Handled: the message is deleted.
    Done,
    /// Not now: the message is given back and comes again.
    Retry {
        /// The delay that the handler asks for; without one, the queue's backoff decides.
        after: Option<Duration>,
        /// Why, for the log; never the body.
        reason: String,
    },
    /// Never: the message goes to the dead-letter queue or is set aside.
    Reject {
        /// Why, for the log and the evidence; never the body.
        reason: String,
    },
}

impl Outcome {
    /// A retry with the queue's own backoff.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// A retry after a delay of the handler's own choosing, at most 12 hours (SQS's limit).
    pub fn retry_after(after: Duration, reason: impl Into<String>) -> Self {
        Self::Retry { after: Some(after), reason: reason.into() }
    }

    /// A message that no retry will ever help.
    pub fn reject(reason: impl Into<String>) -> Self {
        Self::Reject { reason: reason.into() }
    }

    /// A handler of several messages said nothing of this one.
    pub(crate) fn missing() -> Self {
        Self::retry("the handler gave no outcome")
    }

    /// The word under which logs and metrics count this outcome.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry { .. } => "retry",
            Self::Reject { .. } => "reject",
        }
    }
}

/// Why a handler could not be *started*: its program is missing, its endpoint refuses connections.
///
/// It says nothing about the message. The queue stops polling, tries again by backoff with one
/// message at a time, and judges no message by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// What could not be started and why.
    pub reason: String,
}

impl Unavailable {
    /// Names what could not be started and why.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// The error of a Rust handler. Any error becomes one through `?`, and means *retry*.
pub struct Failure(Outcome);

impl Failure {
    /// No retry will help: the message is rejected.
    pub fn permanent(reason: impl fmt::Display) -> Self {
        Self(Outcome::reject(reason.to_string()))
    }

    /// Try again after this delay instead of the queue's own backoff.
    pub fn retry_after(after: Duration, reason: impl fmt::Display) -> Self {
        Self(Outcome::retry_after(after, reason.to_string()))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if !reason.contains(&text) {
                reason.push_str(": ");
                reason.push_str(&text);
            }
            source = inner.source();
        }
        Self(Outcome::retry(reason))
    }
}

/// What a Rust handler may return. Anything besides the outcome itself is ignored.
pub trait IntoOutcome {
    /// The verdict that this value stands for.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Done
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl<T> IntoOutcome for Result<T, Failure> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(_) => Outcome::Done,
            Err(Failure(outcome)) => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<u32, Failure> {
        Ok(text.parse::<u32>()?)
    }

    #[test]
    fn any_error_through_the_question_mark_is_a_retry() {
        assert_eq!(parse("7").into_outcome(), Outcome::Done);
        assert_eq!(parse("x").into_outcome(), Outcome::retry("invalid digit found in string"));
    }

    #[test]
    fn only_permanent_rejects() {
        let failed: Result<(), Failure> = Err(Failure::permanent("no address"));
        assert_eq!(failed.into_outcome(), Outcome::reject("no address"));
    }
}
