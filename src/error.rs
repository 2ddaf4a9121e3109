//! What went wrong: to which thing, of what kind, and what to do next.
//!
//! One type for the whole crate. Its [`Kind`] decides whether trying again can help, the label in
//! metrics and the exit code; the text names the thing; the hint says what a person can do.

use std::error::Error as StdError;
use std::fmt;

/// A shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What sort of trouble it is. Every error has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The command line was wrong.
    Usage,
    /// The settings are wrong, or a file or directory that they name is.
    Settings,
    /// The service asked us to slow down.
    Throttled,
    /// The service failed, or did not answer in time; the next try may succeed.
    Transient,
    /// No connection could be made: name resolution, TLS, a refused connection.
    Unreachable,
    /// No credentials, or credentials that the service does not know or no longer accepts.
    Credentials,
    /// The service knows us and refuses.
    Denied,
    /// The queue, bucket, topic or object does not exist.
    Missing,
    /// A condition of a conditional request did not hold.
    Conflict,
    /// The service refuses this very request; sending it again cannot help.
    Invalid,
    /// What the service reports is not what we sent.
    Corrupt,
    /// A function that was called has failed: its own code, and not the call.
    Function,
    /// A file or directory of this host could not be read or written.
    File,
    /// Another process holds what we need.
    Busy,
    /// The bounded time to stop ran out.
    Aborted,
    /// A mistake in Longshore itself.
    Bug,
}

impl Kind {
    /// The label under which metrics and logs count this kind.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Settings => "settings",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Unreachable => "unreachable",
            Self::Credentials => "credentials",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Function => "function",
            Self::File => "file",
            Self::Busy => "busy",
            Self::Aborted => "aborted",
            Self::Bug => "bug",
        }
    }

    /// The exit code of a command that ends with an error of this kind (sysexits.h); that of an
    /// error is [`Error::exit_code`].
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Settings | Self::File => 78,
            Self::Busy | Self::Aborted => 75,
            Self::Bug => 70,
            Self::Throttled
            | Self::Transient
            | Self::Unreachable
            | Self::Credentials
            | Self::Denied
            | Self::Missing
            | Self::Conflict
            | Self::Invalid
            | Self::Corrupt
            | Self::Function => 69,
        }
    }

    /// True where sending the very same request again may succeed without anybody's help.
    pub const fn passes_by_itself(self) -> bool {
        matches!(self, Self::Throttled | Self::Transient | Self::Unreachable)
    }

    /// True where the fault lies with the destination and not with the one thing being sent, so
    /// that everything bound for it would meet the same refusal.
    pub const fn is_of_destination(self) -> bool {
        matches!(self, Self::Unreachable | Self::Credentials | Self::Denied | Self::Missing)
    }
}

/// An error: what happened to which thing, its [`Kind`], what to do next, and its source.
///
/// `Display` prints all of it on one line, sources included, since a log line must be enough.
pub struct Error {
    kind: Kind,
    what: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// A service said it; else it was known before any was asked.
    is_answer: bool,
}

impl Error {
    /// An error of this kind; `what` names the thing it happened to.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), hint: None, source: None, is_answer: false }
    }

    /// This build does without the cargo feature that `what` needs.
    #[cfg(not(feature = "cli"))]
    pub(crate) fn needs_feature(feature: &str, what: impl Into<String>) -> Self {
        Self::new(Kind::Settings, what)
            .because(format!("this build does without the feature {feature}"))
            .hint(format!("build longshore with --features {feature}"))
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Marks what a service said, which is not known before it is asked. [`Error::exit_code`] makes
    /// a difference of it.
    #[must_use]
    pub fn answered(mut self) -> Self {
        self.is_answer = true;
        self
    }

    /// The same error once more, for another thing that it concerns; its source is told in words.
    #[cfg(any(feature = "s3", feature = "dynamodb", feature = "sqs", feature = "sql"))]
    pub(crate) fn again(&self) -> Self {
        let is_answer = self.is_answer();
        let (what, hint) = (self.told(), self.hint.clone());
        Self { kind: self.kind, what, hint, source: None, is_answer }
    }

    /// True where it, or the error behind it, is what a service said.
    pub(crate) fn is_answer(&self) -> bool {
        let behind = self.source.as_ref().and_then(|source| source.downcast_ref::<Self>());
        self.is_answer || behind.is_some_and(Self::is_answer)
    }

    /// The exit code of a command that ends with it: that of its kind. What is invalid, and known to
    /// be without asking, is a mistake on the command line.
    pub fn exit_code(&self) -> u8 {
        let is_mistake = self.kind == Kind::Invalid && !self.is_answer();
        if is_mistake { Kind::Usage.exit_code() } else { self.kind.exit_code() }
    }

    /// What sort of trouble it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Error {
    /// What happened and why, without what to do about it.
    pub fn told(&self) -> String {
        let mut told = self.what.clone();
        let mut last = self.what.clone();
        let mut source: Option<&(dyn StdError + 'static)> = self.source();
        while let Some(error) = source {
            let text = error.to_string();
            // Many libraries repeat their source in their own text.
            if !last.contains(&text) {
                told.push_str(": ");
                told.push_str(&text);
                last = text;
            }
            source = error.source();
        }
        told
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told())?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} error: {self}", self.kind.label())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_tells_what_why_and_what_next() {
        let error = Error::new(Kind::File, "reading /etc/longshore.toml")
            .because(std::io::Error::from_raw_os_error(2))
            .hint("name the file with --config");
        assert_eq!(
            error.to_string(),
            "reading /etc/longshore.toml: No such file or directory (os error 2); \
             name the file with --config"
        );
    }

    #[test]
    fn what_was_never_asked_is_a_mistake_on_the_command_line() {
        let known = || Error::new(Kind::Invalid, "the item has no key");
        let refused = || Error::new(Kind::Invalid, "ValidationException").answered();
        let behind = |error| Error::new(Kind::Invalid, "only 3 were sent").because(error);
        assert_eq!((known().exit_code(), behind(known()).exit_code()), (64, 64));
        assert_eq!((refused().exit_code(), behind(refused()).exit_code()), (69, 69));
        assert_eq!(Error::new(Kind::Missing, "no such queue").exit_code(), 69);
    }

    #[test]
    fn a_source_that_is_already_told_is_not_told_twice() {
        let inner = Error::new(Kind::Transient, "no answer");
        let outer = Error::new(Kind::Transient, "sending: no answer").because(inner);
        assert_eq!(outer.to_string(), "sending: no answer");
    }
}
