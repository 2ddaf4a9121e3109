use std::path::PathBuf;

use crate::config::section::Section;

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

pub(super) fn read(section: &mut Section<'_>) -> Exec {
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
