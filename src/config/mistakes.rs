//! What is wrong with a settings file: every mistake, each with its place.
//!
//! Nobody likes to start a daemon five times to learn of five typos, so reading never stops at the
//! first mistake.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};

/// One mistake and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The line, from 1; 0 where the mistake is the file's as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 where the mistake is the file's as a whole.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Every mistake of a settings file, in the order of the file; never empty.
///
/// `Display` prints one mistake a line, as `FILE:LINE:COLUMN: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    file: PathBuf,
    list: Vec<Mistake>,
}

impl Mistakes {
    pub(super) fn new(file: &Path, mut list: Vec<Mistake>) -> Self {
        list.sort();
        list.dedup();
        Self { file: file.to_owned(), list }
    }

    /// A mistake of the file as a whole.
    pub(super) fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self::new(file, vec![Self::whole(message)])
    }

    pub(super) fn whole(message: impl Into<String>) -> Mistake {
        Mistake { line: 0, column: 0, message: message.into() }
    }

    /// The file as it was named.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The mistakes in the order of the file.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:", self.file.display())?;
            if mistake.line > 0 {
                write!(f, "{}:{}:", mistake.line, mistake.column)?;
            }
            write!(f, " {}", mistake.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl From<Mistakes> for Error {
    fn from(mistakes: Mistakes) -> Self {
        Self::new(Kind::Settings, mistakes.to_string())
    }
}
