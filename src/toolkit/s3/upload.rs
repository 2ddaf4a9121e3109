//! A file that becomes an object, unless the object is that file already.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use sha2::{Digest as _, Sha512};

use super::facts::hexadecimal;
use super::parts::{LARGEST_OBJECT, header};
use super::{Bucket, Facts, Put, SHA512_KEY, Stored};
use crate::error::{Error, Kind, Result};
use crate::flow::blocking::Blocking;

/// Files are read in blocks of this size.
const BLOCK: usize = 1 << 20;

/// What became of a file that was to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uploaded {
    /// It was sent, and S3 confirmed it.
    Written(Stored),
    /// The object has exactly these bytes already, and nothing was sent.
    Unchanged(Facts),
}

impl Bucket {
    /// Makes the object of a file. Where the object has the same bytes already, by its size and its
    /// CRC64NVME, else by its SHA-512 or the one in its metadata ([`SHA512_KEY`]), nothing is sent,
    /// whatever the options: `force` sends it all the same.
    ///
    /// The file is read twice: once for its checksums, and once to be sent; what changes in between
    /// is an error and makes no object. The object's metadata tells the file's SHA-512. Dropped
    /// midway, as [`put`](Self::put).
    ///
    /// # Errors
    /// [`Kind::File`] for a file that cannot be read, is none, or changed; [`Kind::Invalid`] for
    /// one larger than S3 takes; else as [`put`](Self::put) and [`head`](Self::head).
    pub async fn upload(
        &self,
        file: &Path,
        key: &str,
        force: bool,
        options: &Put,
    ) -> Result<Uploaded> {
        let source = Source::open(file).await?;
        if source.size > LARGEST_OBJECT {
            let what = format!("uploading {}: S3 takes no larger object than 50 TB", source.shown);
            return Err(Error::new(Kind::Invalid, what));
        }
        let sums = source.sums().await?;
        let there = if force { None } else { self.facts(key).await? };
        if let Some(facts) = there.filter(|facts| sums.are_of(facts)) {
            return Ok(Uploaded::Unchanged(facts));
        }
        let options = options.clone().metadata(SHA512_KEY, &sums.sha512);
        let size = source.size;
        let blocks = source.blocks(sums.crc64nvme);
        Ok(Uploaded::Written(self.put_stream(key, blocks, Some(size), &options).await?))
    }
}

/// The checksums of a file.
#[derive(Debug)]
struct Sums {
    size: u64,
    /// In base64.
    crc64nvme: String,
    /// In hexadecimal.
    sha512: String,
}

impl Sums {
    fn are_of(&self, facts: &Facts) -> bool {
        let same = match (&facts.crc64nvme, &facts.sha512) {
            (Some(crc), _) => *crc == self.crc64nvme,
            (None, Some(sha)) => sha.eq_ignore_ascii_case(&self.sha512),
            (None, None) => false,
        };
        same && facts.size == self.size
    }
}

/// A file that is read.
#[derive(Debug)]
struct Source {
    file: Arc<File>,
    size: u64,
    shown: String,
    blocking: Blocking,
}

impl Source {
    async fn open(path: &Path) -> Result<Self> {
        let (shown, blocking) = (path.display().to_string(), Blocking::new(1));
        let path = path.to_owned();
        let opened = blocking.run(move || {
            let file = File::open(&path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata))
        });
        let opened: std::io::Result<_> = opened.await?;
        let failed = || Error::new(Kind::File, format!("reading {shown}"));
        let (file, metadata) = opened.map_err(|error| failed().because(error))?;
        if !metadata.is_file() {
            return Err(failed().because("it is no regular file"));
        }
        Ok(Self { file: Arc::new(file), size: metadata.len(), shown, blocking })
    }

    /// The block at an offset; empty at the end.
    async fn block(&self, offset: u64) -> Result<Bytes> {
        let file = Arc::clone(&self.file);
        let read = self.blocking.run(move || {
            let mut block = vec![0; BLOCK];
            let mut length = 0;
            while let Some(rest) = block.get_mut(length..).filter(|rest| !rest.is_empty()) {
                let at = offset + u64::try_from(length).unwrap_or(u64::MAX);
                match file.read_at(rest, at) {
                    Ok(0) => break,
                    Ok(read) => length += read,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            block.truncate(length);
            Ok(Bytes::from(block))
        });
        let read = read.await?;
        read.map_err(|error| {
            Error::new(Kind::File, format!("reading {}", self.shown)).because(error)
        })
    }

    /// Reads all of it for its checksums.
    async fn sums(&self) -> Result<Sums> {
        let (mut crc, mut sha) = (Digest::new(CrcAlgorithm::Crc64Nvme), Sha512::new());
        let mut size = 0;
        loop {
            let block = self.block(size).await?;
            if block.is_empty() {
                break;
            }
            size += u64::try_from(block.len()).unwrap_or(u64::MAX);
            let hashed = self.blocking.run(move || {
                crc.update(&block);
                sha.update(&block);
                (crc, sha)
            });
            (crc, sha) = hashed.await?;
        }
        if size != self.size {
            return Err(self.changed());
        }
        let (crc64nvme, sha512) = (header(crc.finalize()), hexadecimal(&sha.finalize()));
        Ok(Sums { size, crc64nvme, sha512 })
    }

    /// All of it in blocks. That these are other bytes than before shows at the end: then the last
    /// thing is an error, and no object comes of them.
    fn blocks(self, expected: String) -> impl Stream<Item = Result<Bytes>> + Send {
        let digest = Digest::new(CrcAlgorithm::Crc64Nvme);
        try_unfold((self, 0, digest, expected), |(source, offset, mut crc, expected)| async move {
            let block = source.block(offset).await?;
            if block.is_empty() {
                let same = header(crc.finalize()) == expected;
                return if same { Ok(None) } else { Err(source.changed()) };
            }
            crc.update(&block);
            let end = offset + u64::try_from(block.len()).unwrap_or(u64::MAX);
            Ok(Some((block, (source, end, crc, expected))))
        })
    }

    fn changed(&self) -> Error {
        Error::new(Kind::File, format!("reading {}", self.shown))
            .because("it changed meanwhile")
            .hint("upload it once it is written to its end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    #[test]
    fn only_what_is_known_to_be_the_same_is_left_out() {
        let sums = Sums { size: 3, crc64nvme: "c".to_owned(), sha512: "ab".to_owned() };
        let facts = |size, crc: Option<&str>, sha: Option<&str>| Facts {
            path: crate::toolkit::s3::Path::new("b", "k"),
            url: String::new(),
            size,
            modified: None,
            etag: None,
            crc64nvme: crc.map(str::to_owned),
            sha512: sha.map(str::to_owned),
            content_type: None,
            storage_class: None,
            kms_key: None,
            metadata: std::collections::BTreeMap::new(),
        };
        assert!(
            sums.are_of(&facts(3, Some("c"), None)) && sums.are_of(&facts(3, None, Some("AB")))
        );
        for other in [
            facts(3, None, None),
            facts(4, Some("c"), None),
            facts(3, Some("d"), Some("ab")),
            facts(3, None, Some("cd")),
        ] {
            assert!(!sums.are_of(&other), "{other:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_between_its_checksum_and_its_sending_ends_in_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "hello world").unwrap();
        let source = Source::open(&path).await.unwrap();
        let sums = source.sums().await.unwrap();
        assert!(sums.sha512.starts_with("309ecc489c12d6eb4cc40f50"), "{}", sums.sha512);
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(b"HELLO", 0).unwrap();
        let read: Result<Vec<Bytes>> = source.blocks(sums.crc64nvme).try_collect().await;
        assert!(read.unwrap_err().to_string().contains("it changed meanwhile"));
    }
}
