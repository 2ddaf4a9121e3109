//! Which entries of a spool are not taken, by their name and by what they are.
//!
//! A dot in front does not make a file hidden: `.well-known%2Fx` is the key `.well-known/x` and is
//! taken. Only what copy tools, editors and network file systems use for unfinished files is not.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::FileType;

use crate::config::Ignore;

/// Names that mean *not finished yet*, or *not yours*.
const TEMPORARY: &[&str] = &[
    ".nfs*",
    ".fuse_hidden*",
    ".#*",
    "#*#",
    "*~",
    "*.tmp",
    "*.temp",
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crdownload",
    "*.download",
    "*.swp",
    "*.swo",
    "*.swx",
    ".goutputstream-*",
    ".~lock.*#",
    ".DS_Store",
];

/// Our own directory and the temporary names of our own drops begin so, under every setting.
const OWN: &[u8] = b".longshore";

/// Why an entry is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Why {
    Own,
    Temporary,
    Directory,
    Symlink,
    Fifo,
    Socket,
    Device,
    Unreadable,
}

impl Why {
    /// Those that are counted, in the order of the metric's labels.
    pub(crate) const COUNTED: [Self; 7] = [
        Self::Temporary,
        Self::Directory,
        Self::Symlink,
        Self::Fifo,
        Self::Socket,
        Self::Device,
        Self::Unreadable,
    ];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Temporary => "temporary",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Device => "device",
            Self::Unreadable => "unreadable",
        }
    }
}

/// True where a spool with these rules leaves every file of this name alone.
pub fn is_ignored(name: &OsStr, ignore: &Ignore) -> bool {
    by_name(name, ignore).is_some()
}

pub(crate) fn by_name(name: &OsStr, ignore: &Ignore) -> Option<Why> {
    let name = name.as_bytes();
    if name.starts_with(OWN) {
        return Some(Why::Own);
    }
    let Ignore::Temporary(more) = ignore else {
        return None;
    };
    let temporary = TEMPORARY.iter().any(|pattern| matches(pattern.as_bytes(), name))
        || more.iter().any(|pattern| matches(pattern.as_bytes(), name))
        || is_rsync(name);
    temporary.then_some(Why::Temporary)
}

/// Nothing for a regular file.
pub(crate) fn by_type(file_type: FileType) -> Option<Why> {
    match file_type {
        FileType::RegularFile => None,
        FileType::Directory => Some(Why::Directory),
        FileType::Symlink => Some(Why::Symlink),
        FileType::Fifo => Some(Why::Fifo),
        FileType::Socket => Some(Why::Socket),
        FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => Some(Why::Device),
    }
}

/// rsync writes `NAME` as `.NAME.XXXXXX`, six letters and digits.
///
/// `.config.backup` has that form too; so at least one of the six must be a digit or upper case,
/// which all but one in six hundred of rsync's are.
fn is_rsync(name: &[u8]) -> bool {
    let Some((b'.', rest)) = name.split_first() else {
        return false;
    };
    let mut parts = rest.rsplitn(2, |&byte| byte == b'.');
    let (Some(end), Some(stem)) = (parts.next(), parts.next()) else {
        return false;
    };
    !stem.is_empty()
        && end.len() == 6
        && end.iter().all(u8::is_ascii_alphanumeric)
        && end.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// `*` stands for any bytes, `?` for one; everything else for itself.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on when a later part of the pattern does not fit: the last star eats one more.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (Some((b'*', rest)), _) => {
                again = Some((rest, name));
                pattern = rest;
            }
            (Some((wanted, rest)), Some((byte, others))) if wanted == byte || *wanted == b'?' => {
                pattern = rest;
                name = others;
            }
            (None, None) => return true,
            _ => {
                let Some((after_star, eaten)) = again else {
                    return false;
                };
                let Some((_, others)) = eaten.split_first() else {
                    return false;
                };
                again = Some((after_star, others));
                pattern = after_star;
                name = others;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_names_are_left_alone() {
        let rules = Ignore::Temporary(vec!["*.lock".to_owned(), "draft-??".to_owned()]);
        for name in [
            ".nfs000000001",
            ".report.csv.swp",
            "report.csv~",
            "#report.csv#",
            ".#report.csv",
            ".report.csv.Ab3dE9",
            "report.tmp",
            "report.part",
            "report.partial",
            "report.crdownload",
            "a.lock",
            "draft-07",
        ] {
            assert_eq!(by_name(OsStr::new(name), &rules), Some(Why::Temporary), "{name}");
        }
    }

    #[test]
    fn other_names_are_taken() {
        let rules = Ignore::Temporary(vec!["draft-??".to_owned()]);
        for name in [
            ".well-known%2Fx",
            ".htaccess",
            ".config.backup",
            "tmp",
            "report.tmp.gz",
            "draft-7",
            "partial",
            "a~b",
        ] {
            assert_eq!(by_name(OsStr::new(name), &rules), None, "{name}");
        }
    }

    #[test]
    fn what_is_ours_is_left_alone_under_every_rule() {
        for name in [".longshore", ".longshore-0123.tmp"] {
            assert_eq!(by_name(OsStr::new(name), &Ignore::Nothing), Some(Why::Own));
        }
        for name in ["report.tmp", ".hidden", ".nfs01", "x~"] {
            assert!(!is_ignored(OsStr::new(name), &Ignore::Nothing), "{name}");
        }
    }

    #[test]
    fn stars_try_every_length() {
        assert!(matches(b"*a*b", b"xaaxxb"));
        assert!(matches(b"*", b""));
        assert!(matches(b"a**", b"a"));
        assert!(!matches(b"*a*b", b"xbbaa"));
        assert!(!matches(b"?", b""));
    }
}
