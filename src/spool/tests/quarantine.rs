//! Quarantine itself: no file in it without its reason, and nothing in it replaced.

use super::*;
use crate::spool::quarantine::{BoundFor, Kept, Reason, keep};
use std::io;

fn reason(why: &str) -> Reason {
    Reason {
        spool: "reports".to_owned(),
        file: "bad".to_owned(),
        key: None,
        bound_for: BoundFor::Bucket("testbucket".to_owned()),
        when: "2026-01-01T00:00:00Z".to_owned(),
        why: why.to_owned(),
        kind: "invalid",
        attempts: 1,
        size: 1,
        modified: "2026-01-01T00:00:00Z".to_owned(),
    }
}

fn kept(directory: &Directory, yard: &Yard, name: &str) -> io::Result<Kept> {
    let spool = fs::File::open(&yard.settings.directory)?;
    keep(directory, &spool, name.as_ref(), &reason("so it is"))
}

/// A look at any instant, and a start after a crash at any, finds why a file is there.
#[test]
fn a_file_is_never_there_without_its_reason() {
    let yard = Yard::new();
    yard.deliver("bad", b"x");
    let directory = Directory::establish(&yard.settings).unwrap();
    let quarantine = yard.settings.quarantine_directory.clone();
    let (seen, bare) = (std::rc::Rc::new(std::cell::Cell::new(0)), quarantine.join("bad"));
    let count = std::rc::Rc::clone(&seen);
    crate::drop::seam::without_the_flag(move || {
        if bare.exists() {
            assert!(quarantine.join("bad.reason.json").exists());
            count.set(count.get() + 1);
        }
    });
    let kept = kept(&directory, &yard, "bad").unwrap();
    assert!(kept.unexplained.is_none());
    assert_eq!(seen.get(), 1, "looked at the instant it came");
    assert_eq!(yard.quarantined(), ["bad", "bad.reason.json"]);
}

#[test]
fn a_file_that_cannot_be_moved_leaves_no_reason_behind() {
    let yard = Yard::new();
    let directory = Directory::establish(&yard.settings).unwrap();
    assert_eq!(kept(&directory, &yard, "gone").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(yard.quarantined().is_empty());
}

/// What a crash between the two leaves, and what stays when a file was mended and moved back.
#[test]
fn a_reason_that_is_there_keeps_its_name() {
    let yard = Yard::new();
    yard.deliver("bad", b"x");
    let directory = Directory::establish(&yard.settings).unwrap();
    let older = yard.settings.quarantine_directory.join("bad.reason.json");
    fs::write(&older, "an older one").unwrap();
    let kept = kept(&directory, &yard, "bad").unwrap();
    assert_eq!(kept.path.file_name().unwrap(), "bad.1");
    assert_eq!(yard.quarantined(), ["bad.1", "bad.1.reason.json", "bad.reason.json"]);
    assert_eq!(fs::read_to_string(older).unwrap(), "an older one");
}
