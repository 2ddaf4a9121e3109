use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crc_fast::checksum;

use super::*;

fn store(directory: &Path, most: u64) -> Store {
    Store { directory: directory.join("cache"), most, share: 5 }
}

fn wanted<'a>(name: &'a str, contents: &[u8]) -> Wanted<'a> {
    let crc = Some(checksum(CrcAlgorithm::Crc64Nvme, contents));
    Wanted { name, size: contents.len().try_into().unwrap(), crc }
}

fn keep(store: &Store, name: &str, contents: &[u8]) -> bool {
    let lock = store.lock().unwrap().expect("nobody else has it");
    store.keep(wanted(name, contents), &mut Cursor::new(contents), &lock).unwrap()
}

fn read(store: &Store, name: &str, contents: &[u8]) -> bool {
    let Some(mut file) = store.open(wanted(name, contents)).unwrap() else { return false };
    let mut read = Vec::new();
    file.read_to_end(&mut read).unwrap();
    assert_eq!(read, contents);
    true
}

/// The only file of that name.
fn path(store: &Store, name: &str) -> PathBuf {
    let mut entries = entries(&store.drawer(name)).unwrap();
    entries.retain(|entry| crc_of(entry, name).is_some());
    assert_eq!(entries.len(), 1);
    entries[0].path()
}

fn used(store: &Store, name: &str, seconds: u64) {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let file = File::open(path(store, name)).unwrap();
    file.set_times(FileTimes::new().set_modified(at)).unwrap();
}

#[test]
fn a14_a_cache_of_100_bytes_never_holds_more_and_not_what_is_larger() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), 100);
    let (half, full, double) = ([b'a'; 50], [b'b'; 100], [b'c'; 200]);
    for (name, contents, is_kept) in [
        ("aa-half", &half[..], true),
        ("bb-full", &full, true),
        ("cc-double", &double, false),
        ("aa-half", &half, true),
        ("ab-half", &half, true),
        ("bb-full", &full, true),
    ] {
        // What lies there while the contents still come in counts too.
        struct Watched<'a>(Cursor<&'a [u8]>, &'a Store);
        impl Read for Watched<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let held = self.1.look()?.bytes;
                let incoming = fs::metadata(self.1.directory.join(INCOMING))?.len();
                assert!(held + incoming <= 100, "{held} and {incoming} bytes at once");
                let most = buffer.len().min(7);
                self.0.read(&mut buffer[..most])
            }
        }
        let lock = store.lock().unwrap().unwrap();
        let mut watched = Watched(Cursor::new(contents), &store);
        assert_eq!(store.keep(wanted(name, contents), &mut watched, &lock).unwrap(), is_kept);
        assert!(store.look().unwrap().bytes <= 100, "after {name}");
        assert_eq!(read(&store, name, contents), is_kept, "{name}");
    }
    assert!(!read(&store, "aa-half", &half), "made room for the last");
}

#[test]
fn what_was_used_last_stays() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), 100);
    for (at, name) in (1_000..).zip(["aa", "bb", "cc", "dd"]) {
        assert!(keep(&store, name, name.repeat(12).as_bytes()));
        used(&store, name, at);
    }
    // The oldest of the four is used again; the next two go.
    assert!(read(&store, "aa", "aa".repeat(12).as_bytes()));
    assert!(keep(&store, "ee", &[b'e'; 40]));
    for (name, stays) in [("aa", true), ("bb", false), ("cc", false), ("dd", true)] {
        assert_eq!(read(&store, name, name.repeat(12).as_bytes()), stays, "{name}");
    }
}

#[test]
fn the_share_of_the_free_disk_is_a_limit_too() {
    let directory = tempfile::tempdir().unwrap();
    let none = Store { share: 0, ..store(directory.path(), 1_000) };
    assert!(!keep(&none, "aa", b"some"));
    let store = store(directory.path(), 1_000);
    let disk = rustix::fs::statvfs(directory.path()).unwrap();
    let free = disk.f_bavail * disk.f_frsize;
    assert!(keep(&store, "aa", b"some"));
    assert_eq!(store.limit(0).unwrap(), 1_000);
    let all = Store { most: u64::MAX, ..store }.limit(0).unwrap();
    assert!(all > 1_000 && all <= free / 10, "{all} of {free}");
}

#[test]
fn a_damaged_file_is_never_handed_out() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), 1_000);
    let damages: [fn(&Path); 3] = [
        |path| fs::write(path, b"precioux").unwrap(),
        |path| fs::write(path, b"prec").unwrap(),
        |path| fs::write(path, b"precious and more").unwrap(),
    ];
    for damage in damages {
        assert!(keep(&store, "aa", b"precious"));
        damage(&path(&store, "aa"));
        // S3 need not have told a CRC: ours is in the name.
        let wanted = Wanted { crc: None, ..wanted("aa", b"precious") };
        assert!(store.open(wanted).unwrap().is_none());
        assert!(entries(&store.drawer("aa")).unwrap().is_empty(), "and it is gone");
    }
}

#[test]
fn what_is_not_what_was_told_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), 1_000);
    let lock = store.lock().unwrap().unwrap();
    for contents in [&b"precioux"[..], b"prec", b"precious and more"] {
        let told = wanted("aa", b"precious");
        assert!(!store.keep(told, &mut Cursor::new(contents), &lock).unwrap());
    }
    assert_eq!(store.look().unwrap().files, 0);
    assert!(!store.directory.join(INCOMING).exists());
}

#[test]
fn one_writes_at_a_time_and_what_one_who_died_left_is_cleared_away() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), 1_000);
    let lock = store.lock().unwrap().unwrap();
    assert!(store.lock().unwrap().is_none(), "somebody has it");
    fs::write(store.directory.join(INCOMING), b"half a fi").unwrap();
    drop(lock);
    assert!(keep(&store, "aa", b"some"));
    assert!(!store.directory.join(INCOMING).exists());
}

#[test]
fn nobody_else_may_look() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), 1_000);
    assert!(keep(&store, "aa", b"secret"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&store.directory), mode(&store.drawer("aa"))), (0o700, 0o700));
    assert_eq!(mode(&path(&store, "aa")), 0o600);
}
