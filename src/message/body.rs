//! What a message carries: the text that SQS brought, or the bytes that were unpacked from it.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

/// The bytes of a message. Clones share them.
///
/// What came from a queue is text; what was unpacked from it may be any bytes, and what is too
/// large for memory lies in a file without a name. `Debug` shows the size alone: a body may hold
/// secrets.
#[derive(Clone)]
pub struct Body(Kept);

#[derive(Clone)]
enum Kept {
    Text(Arc<str>),
    Bytes(Bytes),
    File { file: Arc<File>, length: u64 },
}

impl Body {
    /// A body of bytes; those that are UTF-8 become text.
    pub fn of_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self(Kept::Text(text.into())),
            Err(_) => Self(Kept::Bytes(bytes)),
        }
    }

    /// A body that lies in a file, from its beginning; nobody may change it any more.
    pub fn of_file(file: File, length: u64) -> Self {
        Self(Kept::File { file: Arc::new(file), length })
    }

    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Kept::Text(text) => length(text.as_bytes()),
            Kept::Bytes(bytes) => length(bytes),
            Kept::File { length, .. } => *length,
        }
    }

    /// True for a body without a single byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text; nothing for bytes that are not UTF-8, and for what lies in a file.
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Kept::Text(text) => Some(text),
            Kept::Bytes(_) | Kept::File { .. } => None,
        }
    }

    /// The bytes; nothing for what lies in a file.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kept::Text(text) => Some(text.as_bytes()),
            Kept::Bytes(bytes) => Some(bytes),
            Kept::File { .. } => None,
        }
    }

    /// The file it lies in, where it is too large for memory.
    pub fn as_file(&self) -> Option<&Arc<File>> {
        match &self.0 {
            Kept::File { file, .. } => Some(file),
            Kept::Text(_) | Kept::Bytes(_) => None,
        }
    }

    /// The file it lies in, opened anew for reading, from its beginning; nothing where it lies in
    /// memory. Whoever gets it has a place in it of their own, and no byte is copied.
    ///
    /// # Errors
    /// Where `/proc` is not there, or no more files can be opened.
    pub fn reopened(&self) -> io::Result<Option<File>> {
        match &self.0 {
            Kept::File { file, .. } => {
                File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).map(Some)
            }
            Kept::Text(_) | Kept::Bytes(_) => Ok(None),
        }
    }

    /// Reads it from its beginning, wherever it lies. Each reader has a place of its own.
    pub fn reader(&self) -> Box<dyn Read + Send> {
        match &self.0 {
            Kept::Text(text) => Box::new(Cursor::new(Arc::<[u8]>::from(Arc::clone(text)))),
            Kept::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
            Kept::File { file, .. } => Box::new(FileReader { file: Arc::clone(file), at: 0 }),
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(Kept::Text(text.into()))
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self(Kept::Text(text.into()))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("bytes", &self.len()).finish_non_exhaustive()
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kept::File { file: one, .. }, Kept::File { file: another, .. }) => {
                Arc::ptr_eq(one, another)
            }
            _ => self.as_bytes().is_some() && self.as_bytes() == other.as_bytes(),
        }
    }
}

impl Eq for Body {}

/// Reads a shared file without moving the place of anybody else.
struct FileReader {
    file: Arc<File>,
    at: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += u64::try_from(count).unwrap_or(0);
        Ok(count)
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn bytes_that_are_text_are_text() {
        assert_eq!(Body::of_bytes("é".as_bytes().to_vec()).as_text(), Some("é"));
        let binary = Body::of_bytes(vec![0xff, 0x00]);
        assert_eq!((binary.as_text(), binary.as_bytes()), (None, Some(&[0xff, 0x00][..])));
    }

    #[test]
    fn every_reader_begins_at_the_beginning() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"all of it").unwrap();
        for body in [Body::of_file(file, 9), Body::from("all of it")] {
            for _ in 0..2 {
                let mut text = String::new();
                body.reader().read_to_string(&mut text).unwrap();
                assert_eq!(text, "all of it");
            }
            assert_eq!(body.len(), 9);
        }
    }

    #[test]
    fn a_file_opened_anew_has_a_place_of_its_own_and_cannot_be_written() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"all of it").unwrap();
        let body = Body::of_file(file, 9);
        for _ in 0..2 {
            let mut reopened = body.reopened().unwrap().unwrap();
            let mut text = String::new();
            reopened.read_to_string(&mut text).unwrap();
            assert_eq!(text, "all of it");
            assert!(reopened.write_all(b"more").is_err());
        }
        assert!(Body::from("all of it").reopened().unwrap().is_none());
    }

    #[test]
    fn debug_shows_no_byte_of_it() {
        assert_eq!(format!("{:?}", Body::from("sesame")), "Body { bytes: 6, .. }");
    }
}
