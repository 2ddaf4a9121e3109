//! What is dropped is whole, or not there.

use std::fs;

use super::*;

#[test]
fn what_is_dropped_is_whole_and_alone() {
    let directory = tempfile::tempdir().unwrap();
    let name = OsStr::new("2012-06-14%2F01.txt");
    let bytes = file(directory.path(), name, &mut &b"text"[..], Existing::Keep).unwrap();
    assert_eq!(bytes, 4);
    assert_eq!(fs::read(directory.path().join(name)).unwrap(), b"text");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_taken_name_is_replaced_only_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let name = OsStr::new("a");
    file(directory.path(), name, &mut &b"one"[..], Existing::Keep).unwrap();
    let refused = file(directory.path(), name, &mut &b"two"[..], Existing::Keep).unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"one");
    file(directory.path(), name, &mut &b"three"[..], Existing::Replace).unwrap();
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"three");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn nothing_is_left_of_a_drop_that_fails() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the pipe broke"))
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let failed = file(directory.path(), OsStr::new("a"), &mut Broken, Existing::Keep);
    assert!(failed.unwrap_err().to_string().contains("the pipe broke"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// While the contents still come in, the name does not exist: only a whole file ever has it.
#[test]
fn the_name_appears_last() {
    struct Watching<'a>(&'a Path, bool);
    impl Read for Watching<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0.exists(), "seen before it was whole");
            if self.1 {
                return Ok(0);
            }
            self.1 = true;
            buffer[0] = b'x';
            Ok(1)
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    let mut contents = Watching(&path, false);
    file(directory.path(), OsStr::new("a"), &mut contents, Existing::Keep).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"x");
}
