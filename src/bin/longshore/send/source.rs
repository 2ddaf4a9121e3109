//! Where messages come from.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write, stderr};
use std::path::{Path, PathBuf};

use longshore::error::Result;
use longshore::message::Outgoing;
use longshore::toolkit::transport::SendReport;
use tokio::io::{BufReader, Stdin};

use super::shape::Shape;
use crate::lines::Lines;
use crate::say;

/// JSON writes one character in up to six, and attributes come along.
const JSON_PER_BYTE: usize = 8;

type Input = Lines<BufReader<Stdin>>;

/// Gives messages one by one.
pub(crate) enum Source {
    One(Option<String>),
    Files { files: VecDeque<PathBuf>, most: usize },
    Lines(Input),
    JsonLines(Input),
    Prompt { lines: Input, told: usize },
}

fn input(most: usize) -> Input {
    Lines::of(BufReader::new(tokio::io::stdin()), most)
}

impl Source {
    pub(crate) const fn one(body: String) -> Self {
        Self::One(Some(body))
    }

    pub(crate) fn files(files: Vec<PathBuf>, most: usize) -> Self {
        Self::Files { files: files.into(), most }
    }

    pub(crate) fn lines(most: usize) -> Self {
        Self::Lines(input(most))
    }

    pub(crate) fn json_lines(most: usize) -> Self {
        Self::JsonLines(input(JSON_PER_BYTE * most))
    }

    /// Asks a person.
    pub(crate) fn prompt(most: usize) -> Self {
        Self::Prompt { lines: input(most), told: 0 }
    }

    pub(crate) const fn is_prompt(&self) -> bool {
        matches!(self, Self::Prompt { .. })
    }

    /// How many messages there are, where that is known.
    pub(crate) fn count(&self) -> Option<u64> {
        match self {
            Self::One(_) => Some(1),
            Self::Files { files, .. } => u64::try_from(files.len()).ok(),
            Self::Lines(_) | Self::JsonLines(_) | Self::Prompt { .. } => None,
        }
    }

    /// The next message; or, in words, why it is none. Nothing at the end. Cancel-safe.
    pub(crate) async fn next(
        &mut self,
        shape: &Shape,
    ) -> Result<Option<std::result::Result<Outgoing, String>>> {
        let text = match self {
            Self::One(body) => body.take().map(Ok),
            Self::Files { files, most } => files.pop_front().map(|file| read(&file, *most)),
            Self::Lines(lines) => lines.next().await?,
            Self::JsonLines(lines) => {
                let line = lines.next().await?;
                return Ok(line.map(|line| line.and_then(|line| shape.of_json(&line))));
            }
            Self::Prompt { lines, .. } => typed(lines).await?,
        };
        Ok(text.map(|text| text.and_then(|text| shape.of_text(&text))))
    }

    /// Tells the person at once what was not sent.
    pub(crate) fn tell(&mut self, report: &SendReport) {
        if let Self::Prompt { told, .. } = self {
            for (_, error) in report.failed.iter().skip(*told) {
                say::error(error);
            }
            *told = report.failed.len();
        }
    }
}

/// A line that somebody types; empty ones are asked for again.
async fn typed(lines: &mut Input) -> Result<Option<std::result::Result<String, String>>> {
    loop {
        write!(stderr(), "Body: ").ok();
        match lines.next().await? {
            Some(Ok(line)) if line.is_empty() => {}
            None => {
                writeln!(stderr()).ok();
                return Ok(None);
            }
            line => return Ok(line),
        }
    }
}

/// A whole file; or, in words, why it is no message.
fn read(path: &Path, most: usize) -> std::result::Result<String, String> {
    let about = |why: String| format!("{}: {why}", path.display());
    let enough = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // Before it is opened: opening a named pipe waits for somebody to write.
    let metadata = std::fs::metadata(path).map_err(|error| about(error.to_string()))?;
    if !metadata.is_file() {
        return Err(about("it is no regular file".to_owned()));
    }
    let file = File::open(path).map_err(|error| about(error.to_string()))?;
    let mut bytes = Vec::new();
    let read = file.take(enough).read_to_end(&mut bytes);
    read.map_err(|error| about(error.to_string()))?;
    if bytes.len() > most {
        return Err(about(format!("it has more bytes than a message may have, {most}")));
    }
    String::from_utf8(bytes).map_err(|_| about("it is not UTF-8 text".to_owned()))
}
