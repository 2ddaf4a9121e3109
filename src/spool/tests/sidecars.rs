//! Sidecars whose files do not come.

use std::time::SystemTime;

use super::*;
use crate::config::{Outbox, Outlet};
use crate::spool::directory::Directory;
use crate::spool::scan::Pass;

const DAY: Duration = Duration::from_hours(24);
const ALMOST_A_DAY: Duration = Duration::from_mins(24 * 60 - 1);

/// The names that a pass so much later moves to quarantine.
fn put_away(yard: &Yard, directory: &Directory, later: Duration) -> Vec<String> {
    let now = SystemTime::now() + later;
    let mut pass = Pass::begin(directory, &yard.settings, now).unwrap();
    let batch = pass.next(directory, &yard.settings).unwrap();
    assert!(batch.last);
    let names = batch.put_away.into_iter().map(|name| name.into_string().unwrap());
    names.collect()
}

#[test]
fn a_sidecar_whose_file_has_not_come_in_a_day_goes_to_quarantine_and_is_never_deleted() {
    let mut yard = Yard::new();
    yard.settings.destination = Destination::Messages(Outbox {
        outlet: Outlet::Queue("notices".to_owned()),
        base64: false,
        group: None,
        event: None,
        event_key: "iniesta_pass".to_owned(),
        service: None,
    });
    let directory = Directory::establish(&yard.settings).unwrap();
    let lone = ".lone.meta.json";
    yard.deliver(lone, b"{\"group\": \"first\"}");
    yard.deliver(".two.meta.json", b"{}");
    yard.deliver("two", b"its file");
    yard.deliver(".other", b"no sidecar");
    for later in [Duration::ZERO, ALMOST_A_DAY] {
        assert_eq!(put_away(&yard, &directory, later), [""; 0]);
        assert!(yard.path(lone).exists(), "its file may still come");
    }
    assert_eq!(put_away(&yard, &directory, DAY), [lone]);
    // Another of that name overwrites none.
    yard.deliver(lone, b"{\"group\": \"second\"}");
    assert_eq!(put_away(&yard, &directory, DAY), [lone]);
    assert_eq!(put_away(&yard, &directory, DAY * 365), [""; 0]);

    let kept = |name: &str| {
        fs::read_to_string(yard.settings.quarantine_directory.join(name)).unwrap_or_default()
    };
    assert_eq!(kept(lone), "{\"group\": \"first\"}");
    assert_eq!(kept(&format!("{lone}.1")), "{\"group\": \"second\"}");
    for name in [".two.meta.json", "two", ".other"] {
        assert!(yard.path(name).exists(), "{name}");
    }
    // A spool of files for a bucket knows no sidecars.
    yard.settings.destination = Destination::Bucket("testbucket".to_owned());
    yard.deliver(lone, b"{}");
    assert_eq!(put_away(&yard, &directory, DAY * 2), [""; 0]);
    assert!(yard.path(lone).exists());
}
