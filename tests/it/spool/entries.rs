//! What lies in a spool and is no file to upload: left alone by rule, counted, never followed.

use super::{Page, Place, lines, puts_by_path};
use crate::support::{PATIENCE, eventually, scripted::ScriptedS3};
use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
};

#[test]
fn z8_what_is_no_file_is_left_alone_and_counted() {
    let (s3, place, page) = (ScriptedS3::start(), Place::new(), Page::free());
    fs::create_dir(place.at("directory")).unwrap();
    fs::write(place.at("directory/inner"), "never followed").unwrap();
    let outside = place.root.path().join("outside");
    fs::write(&outside, "never followed").unwrap();
    symlink(&outside, place.at("to-a-file")).unwrap();
    symlink(place.at("directory"), place.at("to-a-directory")).unwrap();
    symlink("/nowhere", place.at("dangling")).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, place.at("fifo"), fifo, mode, 0).unwrap();
    let _socket = UnixListener::bind(place.at("socket")).unwrap();
    for name in ["a.tmp", "b.part", ".c.swp", "d~", ".e.Ab3dE9", ".nfs0001"] {
        fs::write(place.at(name), "unfinished").unwrap();
    }
    for name in [".well-known%2Fx", ".hidden", "plain"] {
        place.drop(name, name);
    }
    let before = place.left().len();
    let settings = format!("poll_interval = \"100ms\"{}", page.settings());
    let mut daemon = place.start(&s3.endpoint(), &settings);
    eventually("the files landed", PATIENCE, || place.left().len() == before - 3);
    let mut keys: Vec<_> = s3.objects().into_keys().collect();
    keys.sort();
    assert_eq!(keys, ["landing/.hidden", "landing/.well-known/x", "landing/plain"]);

    let ignored = |why: &str| {
        let counted = format!("longshore_files_ignored{{spool=\"reports\",why=\"{why}\"}}");
        page.metric(&counted)
    };
    let counts = [("directory", 1.0), ("symlink", 3.0), ("fifo", 1.0), ("socket", 1.0)];
    for (why, count) in counts.into_iter().chain([("temporary", 6.0)]) {
        eventually(&format!("{count} × {why}\n{}", page.get("/metrics")), PATIENCE, || {
            ignored(why) == Some(count)
        });
    }
    // Each new directory is counted at the end of a later pass: so there were many of them.
    for count in 2..8_u32 {
        fs::create_dir(place.at(format!("directory-{count}"))).unwrap();
        let what = format!("{count} directories");
        eventually(&what, PATIENCE, || ignored("directory") == Some(f64::from(count)));
    }
    for name in ["directory", "to-a-file", "to-a-directory", "dangling", "fifo", "socket"] {
        let told = || lines(&daemon, &format!("file={name} ")).len();
        eventually(&format!("{name} is told of"), PATIENCE, || told() > 0);
        assert_eq!(told(), 1, "{name}: {}", daemon.output());
    }
    assert!(daemon.stderr.all().len() < 40, "{}", daemon.output());
    assert_eq!(puts_by_path(&s3.requests()).len(), 3);
    assert!(page.get("/ready").contains("200"));
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 0);
}

#[test]
fn a_temporary_name_is_taken_once_it_has_its_real_one() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    let daemon = place.start(&s3.endpoint(), "poll_interval = \"1h\"\nignore = [\"*.lock\"]");
    fs::write(place.at("report.csv.part"), "half").unwrap();
    fs::write(place.at("report.csv.lock"), "").unwrap();
    place.drop("other", "x");
    eventually("another landed", PATIENCE, || s3.objects().contains_key("landing/other"));
    eventually("it is settled", PATIENCE, || {
        place.left() == ["report.csv.lock", "report.csv.part"]
    });
    fs::write(place.at("report.csv.part"), "whole").unwrap();
    fs::rename(place.at("report.csv.part"), place.at("report.csv")).unwrap();
    eventually("it landed", PATIENCE, || place.left() == ["report.csv.lock"]);
    assert_eq!(s3.objects()["landing/report.csv"], "whole");
    assert_eq!(s3.objects().len(), 2, "{}", daemon.output());
}
