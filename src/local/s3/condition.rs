//! `If-Match` and `If-None-Match`: looked at before a change, and before a read.

use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Error, S3Result, s3_error};

/// What a request requires of the object that is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl Condition {
    pub(super) const fn matching(if_match: Option<ETagCondition>) -> Self {
        Self { if_match, if_none_match: None }
    }

    /// True where it requires nothing.
    pub(super) const fn is_none(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Before the object is changed.
    ///
    /// # Errors
    /// `PreconditionFailed`, or `NoSuchKey` where a match is asked of nothing.
    pub(super) fn check(&self, current: Option<&ETag>) -> S3Result<()> {
        match (&self.if_match, current) {
            (Some(_), None) => return Err(s3_error!(NoSuchKey)),
            (Some(wanted), Some(current)) if !holds(wanted, current) => return Err(failed()),
            _ => {}
        }
        match (&self.if_none_match, current) {
            (Some(unwanted), Some(current)) if holds(unwanted, current) => Err(failed()),
            _ => Ok(()),
        }
    }

    /// Before the object is read or copied.
    ///
    /// # Errors
    /// `PreconditionFailed`, or `NotModified` where the reader has it already.
    pub(super) fn check_read(&self, current: &ETag) -> S3Result<()> {
        if self.if_match.as_ref().is_some_and(|wanted| !holds(wanted, current)) {
            return Err(failed());
        }
        if self.if_none_match.as_ref().is_some_and(|unwanted| holds(unwanted, current)) {
            return Err(s3_error!(NotModified));
        }
        Ok(())
    }
}

fn holds(condition: &ETagCondition, current: &ETag) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == current.value(),
    }
}

fn failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}
