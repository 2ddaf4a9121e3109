//! From the name of a file to the key of its object and back: percent-encoding, byte by byte.
//!
//! Decoding is Python's `unquote`: `+` stays `+`, hex in either case, and what is not an escape
//! (`bad%zz`) stays as it is. Encoding is Python 2's `quote(key, safe='')`, as zc.s3uploadqueue's
//! producers use it, which also encodes `~`.

mod temporary;

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

pub use temporary::is_temporary;

/// S3 takes no longer key, in bytes.
pub const LONGEST_KEY: usize = 1024;
/// Linux takes no longer name of a file, in bytes.
pub const LONGEST_NAME: usize = 255;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-');

/// Why a name and a key do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFault {
    /// A key has at least one byte.
    Empty,
    /// S3's keys are UTF-8, and the decoded name is not.
    NotUtf8,
    /// The key is so many bytes long, more than S3 takes.
    KeyTooLong(usize),
    /// The encoded name is so many bytes long, more than a file system takes.
    NameTooLong(usize),
}

/// The key that the file of this name is uploaded under.
///
/// # Errors
/// Where no object can have that key; such a file goes to quarantine.
pub fn decode(name: &OsStr) -> Result<String, KeyFault> {
    let bytes: Vec<u8> = percent_decode(name.as_bytes()).collect();
    checked(String::from_utf8(bytes).map_err(|_| KeyFault::NotUtf8)?)
}

/// The name of the file that lands under this key: `A-Z a-z 0-9 _ . -` stay as they are, every
/// other byte becomes `%` and two upper-case hex digits. The keys `.` and `..`, which no file can
/// have for a name, become `%2E` and `%2E%2E`.
/// ```
/// // urllib.quote('2012-06-14/01.txt', safe='')
/// assert_eq!(longshore::key::encode("2012-06-14/01.txt").unwrap(), "2012-06-14%2F01.txt");
/// ```
///
/// # Errors
/// Where S3 takes no such key, or the name would be longer than 255 bytes.
pub fn encode(key: &str) -> Result<String, KeyFault> {
    let key = checked(key.to_owned())?;
    let name = match key.as_str() {
        "." | ".." => key.replace('.', "%2E"),
        _ => percent_encode(key.as_bytes(), ENCODED).to_string(),
    };
    fitting(name)
}

/// The name for a key that [`encode`] would give a name which a spool leaves alone, such as
/// `notes.tmp`: every byte but letters and digits is encoded, which decodes to the same key.
///
/// # Errors
/// As [`encode`].
pub fn encode_fully(key: &str) -> Result<String, KeyFault> {
    let key = checked(key.to_owned())?;
    fitting(percent_encode(key.as_bytes(), NON_ALPHANUMERIC).to_string())
}

fn checked(key: String) -> Result<String, KeyFault> {
    match key.len() {
        0 => Err(KeyFault::Empty),
        1..=LONGEST_KEY => Ok(key),
        bytes => Err(KeyFault::KeyTooLong(bytes)),
    }
}

fn fitting(name: String) -> Result<String, KeyFault> {
    if name.len() > LONGEST_NAME { Err(KeyFault::NameTooLong(name.len())) } else { Ok(name) }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the key is empty"),
            Self::NotUtf8 => f.write_str("the decoded name is not UTF-8, which S3's keys must be"),
            Self::KeyTooLong(bytes) => {
                write!(f, "the key is {bytes} bytes long, and S3 takes {LONGEST_KEY}")
            }
            Self::NameTooLong(bytes) => write!(
                f,
                "the key's file name would be {bytes} bytes long, and a file system takes \
                 {LONGEST_NAME}"
            ),
        }
    }
}

impl std::error::Error for KeyFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> String {
        decode(OsStr::new(name)).unwrap()
    }

    /// Z5 of the reference, and the seed's own example.
    #[test]
    fn names_become_keys() {
        for (name, expected) in [
            ("2012-06-14%2F01.txt", "2012-06-14/01.txt"),
            ("a+b", "a+b"),
            ("bad%zz", "bad%zz"),
            ("%", "%"),
            ("%2", "%2"),
            ("%C3%A9", "é"),
            ("%c3%a9", "é"),
            ("%252F", "%2F"),
            ("%2e%2e%2fetc", "../etc"),
            ("a%20b%2Bc", "a b+c"),
            ("100%25", "100%"),
            (".well-known%2Fx", ".well-known/x"),
            ("a%2F%2Fb%2F", "a//b/"),
            ("nul%00byte", "nul\0byte"),
        ] {
            assert_eq!(key(name), expected, "{name}");
        }
    }

    #[test]
    fn keys_become_names() {
        for (key, expected) in [
            ("2012-06-14/01.txt", "2012-06-14%2F01.txt"),
            ("a b+c", "a%20b%2Bc"),
            ("é", "%C3%A9"),
            ("~me", "%7Eme"),
            ("%2F", "%252F"),
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("a_b-c.d", "a_b-c.d"),
            ("\0", "%00"),
        ] {
            assert_eq!(encode(key).unwrap(), expected, "{key}");
        }
        assert_eq!(encode_fully("notes.tmp~").unwrap(), "notes%2Etmp%7E");
    }

    #[test]
    fn every_character_comes_back() {
        let all: String = (0..0x300_u32).filter_map(char::from_u32).collect();
        for c in all.chars() {
            let text = format!("x{c}y");
            assert_eq!(key(&encode(&text).unwrap()), text);
            assert_eq!(key(&encode_fully(&text).unwrap()), text);
        }
    }

    #[test]
    fn what_no_object_can_have_is_refused() {
        assert_eq!(decode(OsStr::from_bytes(b"caf\xe9")), Err(KeyFault::NotUtf8));
        assert_eq!(decode(OsStr::new("%ff")), Err(KeyFault::NotUtf8));
        assert_eq!(decode(OsStr::new("")), Err(KeyFault::Empty));
        assert_eq!(decode(OsStr::new(&"k".repeat(1025))), Err(KeyFault::KeyTooLong(1025)));
        assert_eq!(encode(""), Err(KeyFault::Empty));
        assert_eq!(encode(&"é".repeat(43)), Err(KeyFault::NameTooLong(258)));
        assert!(encode(&"k".repeat(255)).is_ok());
    }
}
