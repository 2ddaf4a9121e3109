//! What `longshore check` finds: one fact in words, whether it is well, and what to do if not.

use std::fmt;

use crate::error::Error;

/// How well it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Good,
    /// It works, with a limit that is worth knowing.
    Limited,
    /// It does not work.
    Broken,
}

/// One fact about a queue, a spool or who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How well it is.
    pub health: Health,
    /// The fact, in words; names the thing.
    pub what: String,
    /// What to do about it, where that is known.
    pub fix: Option<String>,
    /// The exit code that this finding asks for: 0 unless broken.
    pub exit_code: u8,
}

impl Finding {
    /// As it should be.
    pub fn good(what: impl Into<String>) -> Self {
        Self { health: Health::Good, what: what.into(), fix: None, exit_code: 0 }
    }

    /// It works, with a limit.
    pub fn limited(what: impl Into<String>) -> Self {
        Self { health: Health::Limited, ..Self::good(what) }
    }

    /// Something of this host is wrong: a directory, a setting (exit code 78).
    pub fn broken(what: impl Into<String>) -> Self {
        Self { health: Health::Broken, exit_code: 78, ..Self::good(what) }
    }

    /// A service does not answer as it should (exit code 69).
    pub fn unavailable(what: impl Into<String>) -> Self {
        Self { exit_code: 69, ..Self::broken(what) }
    }

    /// An error, with its hint as what to do; `exit_code` as in [`Self::exit_code`].
    pub fn of_error(error: &Error, exit_code: u8) -> Self {
        let fix = error.advice().map(str::to_owned);
        Self { fix, exit_code, ..Self::broken(error.told()) }
    }

    /// The same finding, told of the thing of this name.
    #[must_use]
    pub fn about(mut self, name: impl fmt::Display) -> Self {
        self.what = format!("{name}: {}", self.what);
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}
