//! An object that becomes a file: whole, or not at all.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use super::{Bucket, Facts, Fetched};
use crate::again::again;
use crate::drop::{self, Existing, Looks};
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;

/// So many pieces wait to be written.
const WAITING: usize = 16;

impl Bucket {
    /// Makes a file of an object, with the object's time of change, and gives its path. A directory
    /// gets a file of the key's own name, slashes and all; directories on the way are made. A file
    /// that is there, or that a symbolic link there leads to, is replaced and leaves its mode and,
    /// where we may, its owner to the new one.
    ///
    /// The file appears under its name when all of it is on disk, compared with the checksum that S3
    /// gives. What fails or is dropped midway leaves nothing behind.
    ///
    /// # Errors
    /// [`Kind::File`] where it cannot be written; [`Kind::Invalid`] for a key that leads out of its
    /// directory or is no name of a file, and where a device, a pipe or a socket lies; else as
    /// [`get`](Self::get).
    pub async fn download(&self, key: &str, to: &Path) -> Result<(PathBuf, Facts)> {
        let to = self.destination(key, to).await?;
        let facts = self.download_to(key, &to).await?;
        Ok((to.path, facts))
    }

    /// As [`download`](Self::download), to where the file is to lie.
    pub(super) async fn download_to(&self, key: &str, to: &Destination) -> Result<Facts> {
        again(|| async {
            let fetched = self.open(key, None).await?;
            let facts = fetched.facts.clone();
            write(fetched, to.clone(), facts.modified).await?;
            Ok(facts)
        })
        .await
    }

    /// Where the file of this key is to lie, in a directory that is there when this returns.
    pub(super) async fn destination(&self, key: &str, to: &Path) -> Result<Destination> {
        let (to, key) = (to.to_owned(), key.to_owned());
        let what = format!("downloading {} to {}", self.path(&*key), to.display());
        let blocking = Blocking::new(1);
        blocking.run(move || Destination::of(&what, &key, to)).await?
    }
}

/// Where a file is to lie.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) path: PathBuf,
    directory: PathBuf,
    name: OsString,
}

impl Destination {
    /// Makes the directories on the way to it. Blocks.
    fn of(what: &str, key: &str, to: PathBuf) -> Result<Self> {
        let unusable = |error: io::Error| Error::new(Kind::File, what).because(error);
        let unfit = |why: &str, fix: &str| Error::new(Kind::Invalid, what).because(why).hint(fix);
        let no_name = || unfit("that is no name of a file below a directory", "name the file");
        let is_directory = to.is_dir() || to.as_os_str().as_encoded_bytes().ends_with(b"/");
        let path = if is_directory { to.join(below(key).ok_or_else(no_name)?) } else { to };
        // A link stays, and what it leads to is replaced.
        let file = if path.is_symlink() {
            fs::canonicalize(&path).map_err(unusable)?
        } else {
            path.clone()
        };
        let directory = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let name = file.file_name().ok_or_else(no_name)?.to_owned();
        fs::create_dir_all(&directory).map_err(unusable)?;
        match fs::metadata(&file) {
            Ok(there) if !there.is_file() && !there.is_dir() => Err(unfit(
                "a device, a pipe or a socket lies there, and no file to be replaced",
                "`longshore s3 cat` writes the object to wherever its output goes",
            )),
            _ => Ok(Self { path, directory, name }),
        }
    }

    /// Makes the file of what these contents yield. Blocks.
    pub(super) fn write(
        &self,
        contents: &mut dyn Read,
        modified: Option<SystemTime>,
    ) -> Result<u64> {
        let like = fs::metadata(self.directory.join(&self.name)).ok();
        let looks = Looks::asked_for(modified, like.filter(fs::Metadata::is_file));
        drop::looking(&self.directory, &self.name, contents, Existing::Replace, &looks)
    }
}

/// The key as a path below some directory, if it is one.
fn below(key: &str) -> Option<&Path> {
    let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    let path = Path::new(key);
    let is_right = !key.ends_with('/') && !key.contains('\0') && path.components().all(normal);
    (is_right && !key.is_empty()).then_some(path)
}

/// Writes an object into a file. Dropped midway, the writing thread sees that no end came, and takes
/// away what it has written.
async fn write(mut fetched: Fetched, to: Destination, modified: Option<SystemTime>) -> Result<()> {
    let (pieces, waiting) = mpsc::channel(WAITING);
    let blocking = Blocking::new(1);
    let written = blocking.run(move || {
        let mut contents = Pieces { waiting, piece: Bytes::new() };
        to.write(&mut contents, modified)
    });
    let reading = async move {
        loop {
            let next = fetched.next().await?;
            let is_end = next.is_none();
            // Without a writer nobody waits for the rest; why, the writer says.
            let taken = pieces.send(next).await.is_ok();
            if is_end || !taken {
                return Ok(());
            }
        }
    };
    let (read, written): (Result<()>, _) = futures_util::join!(reading, written);
    // What broke the reading is why the writing failed.
    read?;
    written?.map(|_bytes| ())
}

/// What comes from the network, for the thread that writes.
struct Pieces {
    /// Nothing is the end.
    waiting: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.waiting.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => return Ok(0),
                None => return Err(io::Error::other("it broke off")),
            }
        }
        let length = self.piece.len().min(buffer.len());
        self.piece.split_to(length).copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_file_below_its_directory_or_none() {
        assert_eq!(below("a/b.txt"), Some(Path::new("a/b.txt")));
        for key in ["", "/etc/passwd", "../a", "a/../../b", "a/", "a\0b"] {
            assert_eq!(below(key), None, "{key:?}");
        }
    }
}
