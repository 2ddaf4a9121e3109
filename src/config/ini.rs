//! Reads an INI file as Python's `RawConfigParser` does, since zc.s3uploadqueue was read by it.
//!
//! That program ran on Python 2. Where Python 2 and 3 differ, what could run then still runs and
//! means the same: ` ;` begins a comment on an option's own line, `rem` a comment line, a section
//! or option that stands twice is merged and the last one counts. Indented comments and options,
//! errors in Python 2, are read as Python 3 does. Names of sections are case-sensitive, those of
//! options are not; quotes, backslashes and `%` are nothing special.

use super::document::{Document, Node, Table, Value};

/// One `name = value`, continuation lines included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// As written; Python would turn it to lower case.
    pub(super) name: String,
    pub(super) value: String,
    name_at: usize,
    value_at: usize,
}

/// One `[section]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) settings: Vec<Setting>,
    at: usize,
}

/// All sections in the order of the file; one that stands twice is there twice.
///
/// `complain` is told the place and fault of each line that Python would refuse.
pub(super) fn sections(text: &str, mut complain: impl FnMut(usize, String)) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut option_is_open = false;
    let mut option_indent = 0;
    let mut told_of_no_section = false;
    let mut next = 0;
    for raw in text.split_inclusive('\n') {
        let start = next;
        next += raw.len();
        let line = raw.trim_start_matches('\u{feff}');
        let words = line.trim();
        let indent = line.len() - line.trim_start().len();
        let at = start + (raw.len() - line.len()) + indent;
        if words.starts_with(['#', ';']) || is_rem(line) {
            continue;
        }
        let open = sections.last_mut().and_then(|section| section.settings.last_mut());
        if let Some(setting) = open.filter(|_| option_is_open)
            && (words.is_empty() || indent > option_indent)
        {
            setting.value.push('\n');
            setting.value.push_str(words);
            continue;
        }
        if words.is_empty() {
            continue;
        }
        option_indent = indent;
        if let Some(name) = header(words) {
            option_is_open = false;
            sections.push(Section { name: name.to_owned(), settings: Vec::new(), at });
        } else if let Some(section) = sections.last_mut() {
            if let Some(setting) = setting(words, at) {
                option_is_open = true;
                section.settings.push(setting);
            } else {
                complain(at, format!("{words:?} is neither NAME = VALUE nor a [section]"));
            }
        } else if !told_of_no_section {
            told_of_no_section = true;
            complain(at, "text before the first [section]".to_owned());
        }
    }
    for setting in sections.iter_mut().flat_map(|section| &mut section.settings) {
        setting.value.truncate(setting.value.trim_end().len());
    }
    sections
}

/// `REM`, at the very start of a line.
fn is_rem(line: &str) -> bool {
    line.starts_with(['r', 'R'])
        && line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("rem"))
}

/// The name in `[name]`; what follows the bracket is ignored.
fn header(words: &str) -> Option<&str> {
    words.strip_prefix('[')?.split_once(']').map(|(name, _)| name).filter(|name| !name.is_empty())
}

fn setting(words: &str, at: usize) -> Option<Setting> {
    let (name, value) = words.split_once(['=', ':'])?;
    let value_at = at + name.len() + 1 + (value.len() - value.trim_start().len());
    let value = without_comment(value.trim()).to_owned();
    let name = name.trim_end();
    (!name.is_empty()).then(|| Setting { name: name.to_owned(), value, name_at: at, value_at })
}

/// Only the first semicolon counts, and only after white space: `a;b` and `a;b ;c` stay whole.
fn without_comment(value: &str) -> &str {
    match value.split_once(';') {
        Some((before, _)) if before.ends_with(char::is_whitespace) => before.trim_end(),
        _ => value,
    }
}

/// A list: as in JSON, or as words where no item holds white space.
pub(super) fn list(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.starts_with('[') {
        return serde_json::from_str(text)
            .map_err(|error| format!("not a list like [\"one\", \"two\"]: {error}"));
    }
    if text.contains(['"', '\'', '\\']) {
        return Err("words with quotes; write the list like [\"one\", \"two words\"]".to_owned());
    }
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// The sections as the tree that TOML gives: `[queue.a]` with `handler.exec.command` becomes nested
/// tables. `[Queue]` and `[Credentials]` stay tables of these names, and alone take what `[DEFAULT]`
/// holds; `[longshore]` holds the keys of the top level; sections that are none of ours are passed
/// over, with a note.
pub(super) fn tree(text: &str, document: &Document) -> Table {
    let sections = sections(text, |at, wrong| document.blame(at, wrong));
    let mut root = Table::new();
    for section in &sections {
        match path_of(&section.name) {
            Some(path) => fill(&mut root, &path, section, document),
            None => pass_over(section, document),
        }
    }
    let defaults = root.get("DEFAULT").and_then(Node::table).cloned().unwrap_or_default();
    for name in ["Queue", "Credentials"] {
        if let Some(Node { value: Value::Table(section), .. }) = root.get_mut(name) {
            for (key, node) in &defaults {
                section.entry(key.clone()).or_insert_with(|| node.clone());
            }
        }
    }
    root
}

fn path_of(section: &str) -> Option<Vec<String>> {
    match section {
        "longshore" => Some(Vec::new()),
        "Queue" | "Credentials" | "DEFAULT" | "log" | "status" | "aws" => {
            Some(vec![section.to_owned()])
        }
        other => {
            let (kind, name) = other.split_once('.')?;
            matches!(kind, "queue" | "spool").then(|| vec![kind.to_owned(), name.to_owned()])
        }
    }
}

fn pass_over(section: &Section, document: &Document) {
    let name = &section.name;
    let ours = ["Queue", "Credentials"];
    if let Some(meant) = ours.iter().find(|ours| ours.eq_ignore_ascii_case(name)) {
        let message =
            format!("section [{name}]: names of sections are case-sensitive; write [{meant}]");
        document.blame(section.at, message);
    } else {
        let hint = super::names::closest(name, &ours)
            .map(|meant| format!("; did you mean [{meant}]?"))
            .unwrap_or_default();
        document.note(section.at, format!("section [{name}] is not read{hint}"));
    }
}

fn fill(root: &mut Table, path: &[String], section: &Section, document: &Document) {
    let empty = Node { key_at: section.at, at: section.at, value: Value::Table(Table::new()) };
    let mut table = root;
    for key in path {
        let node = table.entry(key.clone()).or_insert_with(|| empty.clone());
        let Value::Table(inner) = &mut node.value else { return };
        table = inner;
    }
    for setting in &section.settings {
        match keys(&setting.name, path.is_empty() || path.len() == 2) {
            Ok(keys) => put(table, &keys, setting, document),
            Err(wrong) => document.blame(setting.name_at, wrong),
        }
    }
}

/// The keys in `handler.exec.command` or `route.EVENT.handler.exec.command`, lower case and with
/// underscores. The event keeps its letters, and may hold dots.
fn keys(name: &str, nested: bool) -> Result<Vec<String>, String> {
    let plain = name.to_lowercase().replace('-', "_");
    if !nested {
        return Ok(vec![plain]);
    }
    let Some(rest) = name.get(..6).filter(|start| start.eq_ignore_ascii_case("route.")) else {
        return Ok(plain.split('.').map(str::to_owned).collect());
    };
    let rest = name.get(rest.len()..).unwrap_or("");
    let end = rest.to_ascii_lowercase().rfind(".handler.");
    let Some((event, handler)) = end.and_then(|end| rest.split_at_checked(end)) else {
        return Err(format!("{name:?} is no route; write route.EVENT.handler.KIND.KEY = VALUE"));
    };
    let handler = handler.trim_start_matches('.').to_lowercase().replace('-', "_");
    let mut keys = vec!["route".to_owned(), event.trim_matches('"').to_owned()];
    keys.extend(handler.split('.').map(str::to_owned));
    Ok(keys)
}

fn put(table: &mut Table, keys: &[String], setting: &Setting, document: &Document) {
    let Some((key, inner)) = keys.split_first() else { return };
    let (key_at, at) = (setting.name_at, setting.value_at);
    if inner.is_empty() {
        let node = Node { key_at, at, value: Value::Text(setting.value.clone()) };
        let name = &setting.name;
        match table.insert(key.clone(), node).map(|before| before.value) {
            Some(Value::Table(_)) => {
                document.blame(key_at, format!("{name} has keys above, so it cannot be a value"));
            }
            Some(Value::Text(before)) if before != setting.value => {
                document.note(key_at, format!("{name} stands twice; this last one counts"));
            }
            Some(_) | None => {}
        }
        return;
    }
    let empty = Node { key_at, at: key_at, value: Value::Table(Table::new()) };
    match &mut table.entry(key.clone()).or_insert(empty).value {
        Value::Table(table) => put(table, inner, setting, document),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Date
        | Value::List(_) => {
            document.blame(key_at, format!("{key} has a value above, so it cannot have keys"));
        }
    }
}

#[cfg(test)]
mod tests;
