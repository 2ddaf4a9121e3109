//! What lies below a directory or a prefix, and where each of it goes.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use futures_util::{Stream, StreamExt, TryStreamExt, future, stream};
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::s3::{self, Entry};
use tokio::fs::{self, DirEntry, ReadDir};

use super::S3;
use super::place::Place;
use crate::say;

/// One file or object, and where it goes, or why it goes nowhere.
pub(super) struct Way {
    pub(super) from: Place,
    pub(super) to: Result<Place>,
}

type Ways<'a> = Pin<Box<dyn Stream<Item = Result<Way>> + 'a>>;

/// All that lies below `from`, and its place below `to`. An error ends it: nothing more is found.
pub(super) fn below<'a>(from: &'a Place, to: &'a Place, s3: &'a S3) -> Ways<'a> {
    match from {
        Place::Object(path) => Box::pin(objects(path, to, s3)),
        Place::File(root) => Box::pin(files(root, to)),
        Place::Stream => Box::pin(stream::empty()),
    }
}

fn objects<'a>(
    prefix: &'a s3::Path,
    to: &'a Place,
    s3: &'a S3,
) -> impl Stream<Item = Result<Way>> + 'a {
    let all = s3.bucket(&prefix.bucket).list(&prefix.key, true);
    all.try_filter_map(move |entry| {
        future::ready(Ok(match entry {
            // What consoles make to show a folder that is empty.
            Entry::Object(found) if found.path.key.ends_with('/') && found.size == 0 => None,
            Entry::Object(found) => {
                let rest = found.path.key.strip_prefix(&prefix.key).unwrap_or(&found.path.key);
                let to = to.within(rest);
                Some(Way { from: Place::Object(found.path), to })
            }
            Entry::Prefix(_) => None,
        }))
    })
}

fn files<'a>(root: &'a Path, to: &'a Place) -> impl Stream<Item = Result<Way>> + 'a {
    let walk = Walk { directories: vec![root.to_owned()], open: None };
    let found = stream::unfold(walk, |mut walk| async { Some((walk.next().await?, walk)) });
    found.map(move |(path, error)| {
        let to = match error {
            Some(error) => {
                Err(Error::new(Kind::File, format!("reading {}", path.display())).because(error))
            }
            None => named(root, &path).and_then(|rest| to.within(&rest)),
        };
        Ok(Way { from: Place::File(path), to })
    })
}

/// The name of a file below a directory, as a key.
fn named(root: &Path, path: &Path) -> Result<String> {
    let rest = path.strip_prefix(root).unwrap_or(path);
    rest.to_str().map(str::to_owned).ok_or_else(|| {
        let what = format!("{} has no name in UTF-8, and a key is", path.display());
        Error::new(Kind::Invalid, what).hint("rename it, or put it alone under a key that you name")
    })
}

/// Goes through directories, one open at a time, and never through a link to one.
struct Walk {
    directories: Vec<PathBuf>,
    open: Option<(PathBuf, ReadDir)>,
}

impl Walk {
    /// The next file, or what could not be read.
    async fn next(&mut self) -> Option<(PathBuf, Option<std::io::Error>)> {
        loop {
            let Some((path, open)) = &mut self.open else {
                let path = self.directories.pop()?;
                match fs::read_dir(&path).await {
                    Ok(open) => self.open = Some((path, open)),
                    Err(error) => return Some((path, Some(error))),
                }
                continue;
            };
            match open.next_entry().await {
                Ok(Some(entry)) => match self.look(&entry).await {
                    Ok(true) => return Some((entry.path(), None)),
                    Ok(false) => {}
                    Err(error) => return Some((entry.path(), Some(error))),
                },
                Ok(None) => self.open = None,
                Err(error) => {
                    let path = path.clone();
                    self.open = None;
                    return Some((path, Some(error)));
                }
            }
        }
    }

    /// True for a file; a directory is remembered.
    async fn look(&mut self, entry: &DirEntry) -> std::io::Result<bool> {
        let kind = entry.file_type().await?;
        if kind.is_dir() {
            self.directories.push(entry.path());
            return Ok(false);
        }
        let is_file = kind.is_file() || fs::metadata(entry.path()).await?.is_file();
        if !is_file {
            say::note(format_args!("{} is no regular file and is left", entry.path().display()));
        }
        Ok(is_file)
    }
}
