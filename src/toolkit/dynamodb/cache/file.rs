//! The files of a cached scan: `NAME.scan`, a JSON line at the head, one for each item, and one at
//! the end that says how many and with which checksum; and `NAME.mark`. All of it blocks.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crc_fast::{CrcAlgorithm, checksum};
use serde::{Deserialize, Serialize};

use crate::drop::{self, Existing};
use crate::error::{Error, Kind, Result};
use crate::toolkit::dynamodb::item::Item;

/// A file of another version counts as none.
pub(super) const VERSION: u32 = 1;

/// What a cached scan knows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    #[serde(rename = "longshore_scan")]
    pub(super) version: u32,
    /// The table's ARN.
    pub(super) arn: String,
    /// The table's id.
    pub(super) id: String,
    /// How many items the table said that it had.
    pub(super) count: u64,
    /// The mark that stood when the scan began.
    pub(super) mark: String,
    /// When it began, in milliseconds since 1970.
    pub(super) read_at: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Foot {
    items: u64,
    crc64nvme: u64,
}

/// Where the files of one table lie.
#[derive(Debug, Clone)]
pub(super) struct Place {
    directory: PathBuf,
    scan: String,
    mark: String,
}

impl Place {
    pub(super) fn of(directory: PathBuf, region: &str, table: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name: String = format!("{region}.{table}").chars().map(plain).collect();
        Self { directory, scan: format!("{name}.scan"), mark: format!("{name}.mark") }
    }

    /// The mark; makes one where there is none.
    pub(super) fn mark(&self) -> Result<String> {
        if let Some(mark) = self.current()? {
            return Ok(mark);
        }
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.map_err(|error| failed("making", &self.directory, error))?;
        match self.put(&self.mark, word().as_bytes(), Existing::Keep) {
            Err(error) if error.kind() != Kind::Conflict => Err(error),
            // Somebody else was faster.
            Ok(()) | Err(_) => self.current().map(Option::unwrap_or_default),
        }
    }

    /// Changes the mark where there is one.
    pub(super) fn change(&self) -> Result<()> {
        match self.current()? {
            Some(_) => self.put(&self.mark, word().as_bytes(), Existing::Replace),
            None => Ok(()),
        }
    }

    /// What is cached, where its head is good and nothing in it is damaged.
    pub(super) fn read(&self, is_good: impl Fn(&Head) -> bool) -> Option<(Head, Vec<Item>)> {
        let text = fs::read_to_string(self.directory.join(&self.scan)).ok()?;
        let (first, _) = text.split_once('\n')?;
        let head: Head = serde_json::from_str(first).ok()?;
        if head.version != VERSION
            || self.current().ok()?.as_ref() != Some(&head.mark)
            || !is_good(&head)
        {
            return None;
        }
        let (body, last) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let items = body.split('\n').skip(1).map(Item::from_json);
        let items: Vec<Item> = items.collect::<Result<_>>().ok()?;
        let foot: Foot = serde_json::from_str(last).ok()?;
        (foot == Foot::of(body, items.len())).then_some((head, items))
    }

    pub(super) fn write(&self, head: &Head, lines: &[String]) -> Result<()> {
        let json = |error| Error::new(Kind::Bug, "writing a cached scan").because(error);
        let mut text = serde_json::to_string(head).map_err(json)?;
        for line in lines {
            text.push('\n');
            text.push_str(line);
        }
        let foot = serde_json::to_string(&Foot::of(&text, lines.len())).map_err(json)?;
        text.push('\n');
        text.push_str(&foot);
        text.push('\n');
        self.put(&self.scan, text.as_bytes(), Existing::Replace)
    }

    /// Nothing where there is none, and where we may not look: a scan that lies there under a mark
    /// is none that we could read.
    fn current(&self) -> Result<Option<String>> {
        use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
        let path = self.directory.join(&self.mark);
        match fs::read_to_string(&path) {
            Ok(mark) => Ok(Some(mark)),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory | PermissionDenied) => {
                Ok(None)
            }
            Err(error) => Err(failed("reading", &path, error)),
        }
    }

    fn put(&self, name: &str, mut contents: &[u8], existing: Existing) -> Result<()> {
        drop::file(&self.directory, OsStr::new(name), &mut contents, existing).map(|_bytes| ())
    }
}

impl Foot {
    fn of(body: &str, items: usize) -> Self {
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        Self { items, crc64nvme: checksum(CrcAlgorithm::Crc64Nvme, body.as_bytes()) }
    }
}

/// One that nobody had before.
fn word() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(Kind::File, format!("{what} {}", path.display()))
        .because(error)
        .hint("make the cache directory writable, or set XDG_CACHE_HOME to another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(mark: String) -> Head {
        let (arn, id) = ("arn:aws:dynamodb:x:1:table/t".to_owned(), "i".to_owned());
        Head { version: VERSION, arn, id, count: 2, mark, read_at: 7 }
    }

    #[test]
    fn what_is_cached_comes_back_exactly_until_the_mark_changes() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::of(directory.path().join("a/b"), "eu/west", "t");
        assert_eq!(place.read(|_| true), None);
        place.change().unwrap();
        let mark = place.mark().unwrap();
        assert_eq!(place.mark().unwrap(), mark);
        let items = [
            Item::new().with("id", "a\nb").with("n", u64::MAX).with("b", vec![0_u8, 255]),
            Item::new().with("id", "c"),
        ];
        let lines = items.each_ref().map(Item::typed_json);
        place.write(&head(mark), &lines).unwrap();
        let (read, found) = place.read(|_| true).unwrap();
        assert_eq!((read.count, found.as_slice()), (2, items.as_slice()));
        assert_eq!(place.read(|_| false), None);
        place.change().unwrap();
        assert_eq!(place.read(|_| true), None);
        // A scan that began before the change is no good either.
        place.write(&read, &lines).unwrap();
        assert_eq!(place.read(|_| true), None);
    }

    #[test]
    fn a_damaged_file_counts_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::of(directory.path().to_owned(), "x", "t");
        let mark = place.mark().unwrap();
        let lines = ["a", "b"].map(|id| Item::new().with("id", id).typed_json());
        place.write(&head(mark), &lines).unwrap();
        let path = directory.path().join("x.t.scan");
        let whole = fs::read_to_string(&path).unwrap();
        assert!(place.read(|_| true).is_some());
        for end in 0..whole.len() {
            fs::write(&path, whole.get(..end).unwrap()).unwrap();
            assert_eq!(place.read(|_| true), None, "cut at {end}");
        }
        for (from, to) in [
            ("\"S\":\"a\"", "\"S\":\"x\""),
            ("scan\":1", "scan\":2"),
            ("\n{\"id\":{\"S\":\"b\"}}", ""),
        ] {
            assert!(whole.contains(from));
            fs::write(&path, whole.replace(from, to)).unwrap();
            assert_eq!(place.read(|_| true), None, "{from}");
        }
        fs::write(&path, b"\xff\xfe").unwrap();
        assert_eq!(place.read(|_| true), None);
    }
}
