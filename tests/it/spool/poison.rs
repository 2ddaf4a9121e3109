//! Bad files among good ones: the good ones land unhindered, the bad ones are tried a bounded
//! number of times or lie in quarantine with their reason beside them.

use super::{BUCKET, Lasting, Place, lines, puts_by_path, refusal};
use crate::support::{PATIENCE, dwindles, eventually, proxy::Proxy, scripted::ScriptedS3};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, time::Instant};

const GOOD: usize = 997;

#[test]
fn z6_poison_among_a_thousand_hinders_nobody() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let place = Place::new();
    let _for_ever =
        Lasting::on(&proxy, |seen| seen.path().ends_with("/poison"), refusal(500, "InternalError"));
    let latin = OsStr::from_bytes(b"caf\xe9.txt");
    // The bad ones are the oldest, and so the first to be tried.
    place.drop("poison", "refused for ever");
    place.drop(latin, "no key");
    place.drop("%FF%FE", "no key either");
    for number in 0..GOOD {
        place.drop(format!("good-{number}"), format!("contents {number}"));
    }
    let began = Instant::now();
    let daemon = place.start(&proxy.endpoint(), "");
    let left = || place.left().len() + place.unsettled() - 1;
    dwindles(|| format!("{} others are left", left()), PATIENCE, left);
    assert_eq!(place.left(), ["poison"]);
    let objects = s3.objects();
    assert_eq!(objects.len(), GOOD);
    for number in 0..GOOD {
        let contents = format!("contents {number}");
        assert_eq!(objects[&format!("{BUCKET}/good-{number}")], contents);
    }
    let bad = format!("/{BUCKET}/poison");
    let tried = || puts_by_path(&proxy.requests()).remove(&bad).unwrap_or_default();
    eventually("it is tried again", PATIENCE, || tried() >= 3);
    let mut counts = puts_by_path(&proxy.requests());
    // Delays of at least 0.5, 1, 2, 4… seconds: so many attempts fit into the time.
    let halves = began.elapsed().as_millis() / 500 + 1;
    let most = 2 + usize::try_from(halves.ilog2()).unwrap();
    assert!(counts[&bad] <= most, "{} attempts in {:?}", counts[&bad], began.elapsed());
    counts.remove(&bad);
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
    // One line an attempt; the last one's may still be to come.
    eventually("a line each", PATIENCE, || lines(&daemon, "upload failed").len() == tried());

    for (name, file, contents) in
        [(latin, "caf\u{fffd}.txt", "no key"), (OsStr::new("%FF%FE"), "%FF%FE", "no key either")]
    {
        let kept = place.quarantine().join(name);
        assert_eq!(fs::read_to_string(&kept).unwrap(), contents);
        let mut beside = kept.into_os_string();
        beside.push(".reason.json");
        let reason: serde_json::Value = serde_json::from_slice(&fs::read(beside).unwrap()).unwrap();
        assert_eq!(reason["file"], file);
        assert_eq!(reason["spool"], "reports");
        assert_eq!(reason["bucket"], BUCKET);
        assert_eq!(reason["attempts"], 1);
        assert_eq!(reason["size"], contents.len());
        assert!(reason["reason"].as_str().unwrap().contains("UTF-8"), "{reason}");
    }
    let quarantined = || lines(&daemon, "file quarantined").len();
    eventually("both are told of", PATIENCE, || quarantined() >= 2);
    assert_eq!(quarantined(), 2);
    assert_eq!(fs::read_dir(place.quarantine()).unwrap().count(), 4);
}

/// S3 refuses the object itself: a key of more than 1,024 bytes, which no file's name can spell,
/// is refused so by stores with narrower limits.
#[test]
fn z6_a_file_that_s3_will_never_take_goes_to_quarantine() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let place = Place::new();
    proxy.on(usize::MAX, |seen| seen.path().ends_with("/long"), refusal(400, "KeyTooLongError"));
    place.drop("good", "x");
    place.drop("long", "y");
    let daemon = place.start(&proxy.endpoint(), "");
    place.wait_until_empty(&daemon);
    assert_eq!(fs::read(place.quarantine().join("long")).unwrap(), b"y");
    assert!(place.quarantine().join("long.reason.json").exists());
    let counts = puts_by_path(&proxy.requests());
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
    // Mended and moved back, it lands, and what was said of it stays.
    fs::rename(place.quarantine().join("long"), place.at("short")).unwrap();
    eventually("it lands", PATIENCE, || s3.objects().contains_key(&format!("{BUCKET}/short")));
}
