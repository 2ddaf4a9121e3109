//! Which entries of a spool are not taken, by their name and by what they are.
//!
//! A dot in front does not make a file hidden: `.well-known%2Fx` is the key `.well-known/x` and is
//! taken. Only temporary names ([`key::is_temporary`]) are not.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::FileType;

use crate::config::Ignore;
use crate::key;

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
    if name.as_bytes().starts_with(OWN) {
        return Some(Why::Own);
    }
    let Ignore::Temporary(more) = ignore else {
        return None;
    };
    key::is_temporary(name, more).then_some(Why::Temporary)
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
}
