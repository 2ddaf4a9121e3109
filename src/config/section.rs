//! Reads one table key by key, and knows afterwards which of its keys nobody asked for.
//!
//! A reader returns nothing both where a key is absent and where its value is wrong: the mistake is
//! noted, reading goes on, and the settings are never used.

mod retry;
mod texts;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::Dialect;
use super::document::{Document, Node, Table, Value};
use super::value;

/// One table, or the absence of it.
#[derive(Debug)]
pub(super) struct Section<'d> {
    pub(super) document: &'d Document,
    path: String,
    at: usize,
    table: Option<&'d Table>,
    /// Something stands in its place, which has been told already.
    is_no_table: bool,
    asked: Vec<&'static str>,
    /// No text of it may stand elsewhere.
    is_verbatim: bool,
}

impl<'d> Section<'d> {
    pub(super) fn root(document: &'d Document) -> Self {
        let table = Some(&document.root);
        Self {
            document,
            path: String::new(),
            at: 0,
            table,
            is_no_table: false,
            asked: Vec::new(),
            is_verbatim: false,
        }
    }

    fn of(document: &'d Document, path: String, at: usize, node: Option<&'d Node>) -> Self {
        let table = node.and_then(Node::table);
        let other =
            node.filter(|node| table.is_none() && !is_empty_ini_value(document, &node.value));
        if let Some(node) = other {
            let kind = node.value.kind();
            document.blame(node.at, format!("{path} is a table, not {kind}; write [{path}]"));
        }
        let at = node.map_or(at, |node| node.key_at);
        let is_no_table = other.is_some();
        Self { document, path, at, table, is_no_table, asked: Vec::new(), is_verbatim: false }
    }

    /// The same table, needed before anything can be read from elsewhere.
    pub(super) fn verbatim(self) -> Self {
        Self { is_verbatim: true, ..self }
    }

    /// The dotted name of this table.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_written(&self) -> bool {
        self.table.is_some()
    }

    /// True where the key is written; does not count as asking for it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    fn ask(&mut self, key: &'static str) -> Option<&'d Node> {
        self.document.know(self.dotted(key));
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.table?.get(key)
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Notes a mistake at the value of a key, or at the table where the key is absent.
    pub(super) fn blame(&self, key: &str, message: impl Into<String>) {
        let at = self.table.and_then(|table| table.get(key)).map_or(self.at, |node| node.at);
        self.document.blame(at, message);
    }

    /// Notes that a key without which nothing can work is absent.
    pub(super) fn missing(&self, key: &str, example: &str) {
        if self.is_no_table {
            return;
        }
        let path = &self.path;
        self.document.blame(self.at, format!("[{path}] has no {key}; write {key} = {example}"));
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&'d Node) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.ask(key)?;
        let wrong = match read(node) {
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        self.document.blame(node.at, format!("{key}: {wrong}"));
        None
    }

    pub(super) fn path_of(&mut self, key: &'static str) -> Option<PathBuf> {
        self.formed(key, |text| match text {
            "" => Err("empty; name a path".to_owned()),
            text if text.contains('\n') => Err("a path of several lines".to_owned()),
            text => Ok(PathBuf::from(text)),
        })
    }

    pub(super) fn whole(
        &mut self,
        key: &'static str,
        range: RangeInclusive<usize>,
    ) -> Option<usize> {
        let dialect = self.document.dialect;
        self.read(key, |node| value::whole(&node.value, dialect, range))
    }

    /// `"1.5m"`, or a number of seconds.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        self.read(key, |node| value::duration(&node.value, &range))
    }

    /// A duration that AWS takes in whole seconds only.
    pub(super) fn whole_seconds(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Duration> {
        let range = Duration::from_secs(*range.start())..=Duration::from_secs(*range.end());
        self.read(key, |node| {
            let duration = value::duration(&node.value, &range)?;
            if duration.subsec_nanos() > 0 {
                return Err("a whole number of seconds".to_owned());
            }
            Ok(duration)
        })
    }

    /// `"8MiB"`, or a number of bytes.
    pub(super) fn size(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.read(key, |node| value::size(&node.value, &range))
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let dialect = self.document.dialect;
        self.read(key, |node| value::flag(&node.value, dialect))
    }

    /// The table under this key.
    pub(super) fn table(&mut self, key: &'static str) -> Section<'d> {
        let node = self.ask(key);
        Section::of(self.document, self.dotted(key), self.at, node)
    }

    /// The tables under this key, each with its own name: `[key.NAME]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<(String, Section<'d>)> {
        let Some(node) = self.ask(key) else { return Vec::new() };
        let parent = self.dotted(key);
        let Some(entries) = node.table() else {
            let kind = node.value.kind();
            let message =
                format!("{parent} is a table of tables, not {kind}; write [{parent}.NAME]");
            self.document.blame(node.at, message);
            return Vec::new();
        };
        entries
            .iter()
            .map(|(name, node)| {
                let path = format!("{parent}.{}", quoted(name));
                (name.clone(), Section::of(self.document, path, node.at, Some(node)))
            })
            .filter(|(_, section)| section.is_written())
            .collect()
    }

    /// The keys that stand in this table and were not asked for.
    pub(super) fn left_over(&self) -> Vec<(&'d str, &'d Node)> {
        let entries = self.table.into_iter().flatten();
        entries
            .filter(|(key, _)| !self.asked.contains(&key.as_str()))
            .map(|(key, node)| (key.as_str(), node))
            .collect()
    }

    /// Says of each key that nobody asked for that it is unknown, and which names there are.
    pub(super) fn finish(self) {
        for (key, node) in self.left_over() {
            let place = match self.path.as_str() {
                "" => "at the top level".to_owned(),
                path => format!("in [{path}]"),
            };
            let kind = if node.table().is_some() { "table" } else { "key" };
            let message = format!("unknown {kind} {key:?} {place}{}", self.suggestion(key));
            self.document.blame(node.key_at, message);
        }
    }

    /// `; did you mean …? allowed: …`
    pub(super) fn suggestion(&self, key: &str) -> String {
        let mut allowed = self.asked.clone();
        allowed.sort_unstable();
        let meant = super::names::closest(key, &allowed)
            .map(|name| format!("did you mean {name:?}? "))
            .unwrap_or_default();
        if allowed.is_empty() {
            return "; this table has no keys".to_owned();
        }
        format!("; {meant}allowed: {}", allowed.join(", "))
    }
}

/// `handler.print =` is how an INI writes a table without keys.
fn is_empty_ini_value(document: &Document, value: &Value) -> bool {
    document.dialect == Dialect::Ini && matches!(value, Value::Text(text) if text.is_empty())
}

/// A name as it is written in a table's header.
fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { format!("{name:?}") }
}
