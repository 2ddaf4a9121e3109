//! A settings file as it is written: a tree whose every key and value knows its place.
//!
//! Both dialects become this one tree, so that all rules are written once. A value of the INI is
//! always text; [`super::section`] reads numbers and lists out of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::env::Environment;
use super::mistakes::{Mistake, Mistakes};
use super::{Dialect, Locator, Reference, Secret};

/// A key with its value.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where the key stands, in bytes from the start of the file.
    pub(super) key_at: usize,
    /// Where the value stands.
    pub(super) at: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
}

pub(super) type Table = BTreeMap<String, Node>;

/// The tree, and what has been found out about it so far.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) file: PathBuf,
    pub(super) dialect: Dialect,
    pub(super) root: Table,
    pub(super) environment: Environment,
    text: String,
    mistakes: RefCell<Vec<Mistake>>,
    notes: RefCell<Vec<String>>,
    known: RefCell<BTreeSet<String>>,
    values: BTreeMap<Locator, Secret>,
    references: RefCell<BTreeSet<Reference>>,
}

impl Document {
    pub(super) fn new(
        text: &str,
        file: &Path,
        dialect: Dialect,
        environment: &Environment,
    ) -> Result<Self, Mistakes> {
        let document = Self {
            file: file.to_owned(),
            dialect,
            root: Table::new(),
            environment: environment.clone(),
            text: text.to_owned(),
            mistakes: RefCell::default(),
            notes: RefCell::default(),
            known: RefCell::default(),
            values: BTreeMap::new(),
            references: RefCell::default(),
        };
        match dialect {
            Dialect::Ini => Ok(Self { root: super::ini::tree(text, &document), ..document }),
            Dialect::Toml => document.with_toml(text),
        }
    }

    /// A key that stands twice leaves the rest of the tree sound, so its reading goes on; after
    /// any other fault of the syntax, further complaints would be guesses.
    fn with_toml(self, text: &str) -> Result<Self, Mistakes> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut only_duplicates = true;
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            if error.message().starts_with("duplicate key") {
                self.blame(at, "this key stands here twice; keep one");
            } else {
                only_duplicates = false;
                self.blame(at, format!("not TOML: {}", error.message()));
            }
        }
        if only_duplicates {
            return Ok(Self { root: table(root.get_ref()), ..self });
        }
        Err(self.into_mistakes())
    }

    /// The same document, and what stands where its locators lead.
    pub(super) fn with_values(self, values: &BTreeMap<Locator, Secret>) -> Self {
        Self { values: values.clone(), ..self }
    }

    /// What stands where this locator leads, if it has been read; notes who names it.
    pub(super) fn value_of(&self, at: usize, key: String, locator: Locator) -> Option<&Secret> {
        let (line, column) = self.line_and_column(at);
        let value = self.values.get(&locator);
        self.references.borrow_mut().insert(Reference { line, column, key, locator });
        value
    }

    /// The locators that were met so far, in the order of the file.
    pub(super) fn references(&self) -> Vec<Reference> {
        self.references.borrow().iter().cloned().collect()
    }

    /// True where a value that stands elsewhere has not been read: what follows from it cannot be
    /// judged.
    pub(super) fn is_incomplete(&self) -> bool {
        self.references.borrow().iter().any(|met| !self.values.contains_key(&met.locator))
    }

    /// Notes a mistake at this place of the file.
    pub(super) fn blame(&self, at: usize, message: impl Into<String>) {
        let (line, column) = self.line_and_column(at);
        self.mistakes.borrow_mut().push(Mistake { line, column, message: message.into() });
    }

    /// Notes a mistake in an environment variable.
    pub(super) fn blame_environment(&self, variable: &str, message: &str) {
        self.mistakes.borrow_mut().push(Mistakes::whole(format!("{variable}: {message}")));
    }

    /// Notes what is no mistake, but worth a warning.
    pub(super) fn note(&self, at: usize, message: impl AsRef<str>) {
        let (line, _) = self.line_and_column(at);
        let text = format!("{}:{line}: {}", self.file.display(), message.as_ref());
        self.notes.borrow_mut().push(text);
    }

    /// Remembers that a key of this name is read, whether or not it is written.
    pub(super) fn know(&self, path: String) {
        self.known.borrow_mut().insert(path);
    }

    /// True where the whole path is written.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        let mut table = Some(&self.root);
        path.iter().all(|key| {
            let node = table.and_then(|table| table.get(*key));
            table = node.and_then(Node::table);
            node.is_some()
        })
    }

    /// The value at this path, as far down as the file goes; for rules across keys.
    pub(super) fn place(&self, path: &[&str]) -> usize {
        let mut at = 0;
        let mut table = Some(&self.root);
        for key in path {
            let Some(node) = table.and_then(|table| table.get(*key)) else { break };
            at = node.at;
            table = node.table();
        }
        at
    }

    pub(super) fn has_mistakes(&self) -> bool {
        !self.mistakes.borrow().is_empty()
    }

    pub(super) fn into_mistakes(self) -> Mistakes {
        Mistakes::new(&self.file, self.mistakes.into_inner())
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.borrow().clone()
    }

    /// The paths of all keys that were read, for the test of the reference file.
    #[cfg(test)]
    pub(super) fn known(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).unwrap_or("").chars().count() + 1;
        (line, column)
    }
}

impl Node {
    pub(super) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Date
            | Value::List(_) => None,
        }
    }
}

impl Value {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

fn table(written: &DeTable<'_>) -> Table {
    written
        .iter()
        .map(|(key, written)| {
            let value = value(written.get_ref());
            let (key_at, at) = (key.span().start, written.span().start);
            (key.get_ref().to_string(), Node { key_at, at, value })
        })
        .collect()
}

fn value(written: &DeValue<'_>) -> Value {
    match written {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(digits) => {
            // What does not fit is out of every range we know, whichever way it is read.
            i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or(Value::Float(f64::INFINITY), Value::Integer)
        }
        DeValue::Float(digits) => Value::Float(digits.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(yes) => Value::Boolean(*yes),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| {
                    let at = item.span().start;
                    Node { key_at: at, at, value: value(item.get_ref()) }
                })
                .collect(),
        ),
        DeValue::Table(entries) => Value::Table(table(entries)),
    }
}
