//! `[queue.NAME.handler.KIND]` and `[queue.NAME.route."Event".handler.KIND]`.
//!
//! The kind is the name of the table, so a handler of two kinds shows in the form itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::names;
use super::section::Section;
use crate::event::Pattern;

/// `[queue.NAME.handler.KIND]`: what is done with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    /// Run a program.
    Exec(Exec),
    /// POST to an endpoint.
    Http(Http),
    /// Print it on standard output.
    Print,
}

/// `[….handler.exec]`: run a program with the body as its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// The program and its arguments; no shell.
    pub command: Vec<String>,
    /// Names of environment variables that it inherits besides `PATH`, `HOME`, `LANG`, `LC_*`,
    /// `TZ` and `TMPDIR`.
    pub environment: Vec<String>,
    /// Its working directory; else that of the daemon.
    pub directory: Option<PathBuf>,
}

/// `[….handler.http]`: POST the body to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where to.
    pub url: String,
    /// The `Content-Type`.
    pub content_type: String,
}

/// The `Content-Type` of bodies whose settings name none.
pub(super) const CONTENT_TYPE: &str = "application/json";

pub(super) fn read(mut section: Section<'_>) -> Option<Handler> {
    let mut found = Vec::new();
    for kind in ["exec", "http", "print"] {
        // Asked for by name so that a wrong kind is told all three.
        let written = section.has(kind);
        let table = section.table(match kind {
            "exec" => "exec",
            "http" => "http",
            _ => "print",
        });
        if written {
            found.push((kind, of_kind(kind, table)));
        }
    }
    if let [(first, _), (second, _), ..] = found.as_slice() {
        let path = section.path();
        let message = format!("[{path}] is both {first} and {second}; a handler has one kind");
        section.blame(second, message);
    }
    if section.is_written() && found.is_empty() && section.left_over().is_empty() {
        let path = section.path();
        let message = format!("[{path}] has no kind; write [{path}.exec], .http or .print");
        section.blame("", message);
    }
    section.finish();
    found.into_iter().next().map(|(_, handler)| handler)
}

fn of_kind(kind: &str, mut section: Section<'_>) -> Handler {
    let handler = match kind {
        "exec" => Handler::Exec(exec(&mut section)),
        "http" => Handler::Http(http(&mut section)),
        _ => Handler::Print,
    };
    section.finish();
    handler
}

fn exec(section: &mut Section<'_>) -> Exec {
    let command = section.texts("command", |_| Ok(()));
    match command.as_deref() {
        Some([]) => section.blame("command", "command: an empty list; name a program"),
        Some([program, ..]) if program.is_empty() => {
            section.blame("command", "command: the program has an empty name");
        }
        None if !section.has("command") => {
            section.missing("command", "[\"/usr/local/bin/program\", \"argument\"]");
        }
        Some(_) | None => {}
    }
    Exec {
        command: command.unwrap_or_default(),
        environment: section.texts("environment", variable).unwrap_or_default(),
        directory: section.path_of("directory"),
    }
}

fn variable(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(format!("{name:?} is no variable; list the names alone, without values"));
    }
    Ok(())
}

fn http(section: &mut Section<'_>) -> Http {
    let url = section.formed("url", |text| names::web_url(text).map(|_| text.to_owned()));
    if !section.has("url") {
        section.missing("url", "\"http://127.0.0.1:8080/orders\"");
    }
    let content_type = section.formed("content_type", |text| {
        let is_sound = text.is_ascii() && !text.contains(|c: char| c.is_ascii_control());
        if is_sound && text.contains('/') {
            return Ok(text.to_owned());
        }
        Err(format!("{text:?} is no content type; one looks like {CONTENT_TYPE:?}"))
    });
    Http {
        url: url.unwrap_or_default(),
        content_type: content_type.unwrap_or_else(|| CONTENT_TYPE.to_owned()),
    }
}

/// Routes by event: the one that names the table, or those in its `events`, whose table then has any
/// name. Two that are the same but for white space around them are refused.
pub(super) fn routes(written: Vec<(String, Section<'_>)>) -> BTreeMap<String, Handler> {
    let mut routes = BTreeMap::new();
    for (label, mut section) in written {
        let listed = section.texts("events", |_| Ok(()));
        let key = if section.has("events") { "events" } else { "" };
        let mut own: Vec<String> = Vec::new();
        for event in listed.unwrap_or_else(|| vec![label]) {
            let event = event.trim().to_owned();
            match Pattern::of_route(&event) {
                Err(wrong) if event.is_empty() => {
                    section.blame(key, format!("a route for {wrong}"));
                }
                Err(wrong) => section.blame(key, format!("route {wrong}")),
                Ok(_) if own.contains(&event) => {
                    section.blame(key, format!("the event {event:?} stands in events twice"));
                }
                Ok(_) if routes.contains_key(&event) => {
                    section.blame(key, format!("a second route for the event {event:?}; keep one"));
                }
                Ok(_) => {}
            }
            own.push(event);
        }
        if own.is_empty() {
            section.blame(key, "events: an empty list; name the events of this route");
        }
        let handler = section.table("handler");
        if !handler.is_written() && section.left_over().is_empty() {
            let path = section.path();
            section.blame("", format!("[{path}] has no handler; write [{path}.handler.exec]"));
        }
        section.finish();
        if let Some(handler) = read(handler) {
            for event in own {
                routes.entry(event).or_insert_with(|| handler.clone());
            }
        }
    }
    routes
}
