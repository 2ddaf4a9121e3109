//! What the settings name instead of holding it: texts written as `ssm://NAME`, `s3://BUCKET/KEY`
//! or `file://PATH`.
//!
//! The settings are read twice: first without these texts, for everything else that is wrong and for
//! the way to AWS; then, once the texts are there, as a whole, so that a text from elsewhere is
//! judged like one that is written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::document::Document;
use super::env::Environment;
use super::mistakes::{Mistake, Mistakes};
use super::{Config, Dialect, Handlers, Locator, Secret};

/// A value that stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The line of the settings, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key, as in `aws.secret_access_key`.
    pub key: String,
    /// Where its value stands.
    pub locator: Locator,
}

/// The values of a settings file that stand elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elsewhere {
    references: Vec<Reference>,
    unread: Option<Box<Source>>,
}

/// A settings file to be read again.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) text: String,
    pub(super) path: PathBuf,
    pub(super) dialect: Dialect,
    pub(super) environment: Environment,
    pub(super) handlers: Handlers,
}

impl fmt::Debug for Source {
    /// The text and the environment may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Elsewhere {
    pub(super) fn of(document: &Document, source: Source) -> Self {
        let references = document.references();
        let unread = document.is_incomplete().then(|| Box::new(source));
        Self { references, unread }
    }

    /// The values that stand elsewhere, in the order of the file; also once they have been read.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// True until they have been read: the settings have holes and can only be looked at.
    pub const fn is_unread(&self) -> bool {
        self.unread.is_some()
    }

    /// What was refused, as mistakes of the lines that name it; never empty where `refused` is not.
    pub fn mistakes(&self, refused: &BTreeMap<Locator, String>) -> Mistakes {
        let told = |reference: &Reference| {
            let Reference { line, column, key, locator } = reference;
            let why = refused.get(locator)?;
            let message = format!("{key} = {locator}: {why}");
            Some(Mistake { line: *line, column: *column, message })
        };
        let list = self.references.iter().filter_map(told).collect();
        let path = self.unread.as_ref().map(|source| source.path.clone()).unwrap_or_default();
        Mistakes::new(&path, list)
    }
}

impl Config {
    /// These settings, read again with the values that stand elsewhere; what was changed in them
    /// since they were read is lost. Without such values, as they are.
    ///
    /// # Errors
    /// Every mistake at once; none shows any of the values.
    pub fn complete(self, values: &BTreeMap<Locator, Secret>) -> Result<Self, Mistakes> {
        match self.elsewhere.unread {
            Some(source) => Self::read(*source, values),
            None => Ok(self),
        }
    }
}
