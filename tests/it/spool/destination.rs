//! A destination that refuses everything: a handful of requests, a handful of lines, nothing in
//! quarantine, and it goes on by itself.

use super::{BUCKET, Lasting, Page, Place, is_put, lines, puts_by_path, refusal};
use crate::support::{
    PATIENCE,
    daemon::Daemon,
    eventually,
    exchange::Exchange,
    proxy::{Fault, Proxy},
    scripted::ScriptedS3,
};
use std::{fs, time::Instant};

const FILES: usize = 200;
const THREADS: u32 = 4;
/// Between two probes.
const PROBE_SECONDS: u64 = 5;

fn crowded() -> Place {
    let place = Place::new();
    for number in 0..FILES {
        place.drop(format!("f{number:03}"), format!("contents {number}"));
    }
    place
}

fn settings(page: &Page) -> String {
    format!("threads = {THREADS}{}", page.settings())
}

/// Everything landed, once but for those that were refused, and nothing was blamed.
fn all_landed(s3: &ScriptedS3, place: &Place, daemon: &Daemon) {
    place.wait_until_empty(daemon);
    let objects = s3.objects();
    assert_eq!(objects.len(), FILES, "{}", daemon.output());
    for number in 0..FILES {
        let (path, contents) = (format!("{BUCKET}/f{number:03}"), format!("contents {number}"));
        assert_eq!(objects[&path], contents);
    }
    assert!(puts_by_path(&s3.requests()).values().all(|times| *times == 1));
    assert_eq!(fs::read_dir(place.quarantine()).unwrap().count(), 0);
    eventually("a line for each", PATIENCE, || lines(daemon, "file landed").len() >= FILES);
    assert_eq!(lines(daemon, "file landed").len(), FILES);
}

/// All lines but those of files that landed.
fn other_lines(daemon: &Daemon) -> Vec<String> {
    let lines = daemon.stderr.all().into_iter();
    lines.filter(|line| !line.contains("file landed")).collect()
}

/// So many requests may be made in the time since then: of the bucket, of each thread, one probe at
/// once, and then one every five seconds.
fn most_requests(began: Instant) -> u32 {
    let probes = began.elapsed().as_secs() / PROBE_SECONDS;
    THREADS + 4 + u32::try_from(probes).unwrap()
}

fn refused_by(names: fn(&Exchange) -> bool, fault: Fault) {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, page) = (crowded(), Page::free());
    let outage = Lasting::on(&proxy, names, fault);
    let began = Instant::now();
    let mut daemon = place.start(&proxy.endpoint(), &settings(&page));
    daemon.wait_for_line(|line| line.contains("spool paused"), PATIENCE);
    let paused = "longshore_spool_paused{spool=\"reports\"}";
    eventually("the pause is shown", PATIENCE, || page.metric(paused) == Some(1.0));
    let refused = || u32::try_from(proxy.requests().len()).unwrap();
    let so_far = refused();
    eventually("the next probe", PATIENCE, || refused() > so_far);
    let (asked, most) = (refused(), most_requests(began));
    assert!(asked <= most, "{asked} requests in {:?}", began.elapsed());
    assert_eq!(place.left().len(), FILES);
    assert!(other_lines(&daemon).len() <= 15, "{}", daemon.output());
    assert_eq!(daemon.ended(), None);
    outage.over();
    all_landed(&s3, &place, &daemon);
    assert_eq!(lines(&daemon, "spool resumed").len(), 1);
    assert_eq!(page.metric(paused), Some(0.0));
    assert!(other_lines(&daemon).len() <= 20, "{}", daemon.output());
}

#[test]
fn a_403_pauses_the_spool_until_it_is_over() {
    refused_by(is_put, refusal(403, "AccessDenied"));
}

#[test]
fn a_missing_bucket_pauses_the_spool_until_it_is_there() {
    refused_by(|_| true, refusal(404, "NoSuchBucket"));
}

#[test]
fn wrong_credentials_pause_the_spool_until_they_are_mended() {
    refused_by(|_| true, refusal(403, "InvalidAccessKeyId"));
}

#[test]
fn a_service_that_hangs_up_pauses_the_spool_until_it_is_over() {
    refused_by(|_| true, Fault::CutBefore);
}

#[test]
fn an_endpoint_that_is_down_pauses_the_spool_until_it_is_up() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, page) = (crowded(), Page::free());
    proxy.down();
    let began = Instant::now();
    let mut daemon = place.start(&proxy.endpoint(), &settings(&page));
    daemon.wait_for_line(|line| line.contains("spool paused"), PATIENCE);
    let failures = "longshore_upload_failures_total{";
    eventually("a file was tried", PATIENCE, || page.metric(failures).unwrap_or(0.0) >= 1.0);
    let before = page.metric(failures).unwrap();
    eventually("and another", PATIENCE, || page.metric(failures).unwrap() > before);
    let attempts = page.metric(failures).unwrap();
    assert!(attempts <= f64::from(most_requests(began)), "{attempts} in {:?}", began.elapsed());
    assert!(other_lines(&daemon).len() <= 15, "{}", daemon.output());
    assert_eq!(daemon.ended(), None);
    proxy.up();
    all_landed(&s3, &place, &daemon);
    assert!(other_lines(&daemon).len() <= 20, "{}", daemon.output());
}

/// The one file that is refused for a fault of its own does not keep the others back, though the
/// refusal reads as one of the whole bucket.
#[test]
fn a_403_on_one_file_alone_keeps_nobody_back() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let place = Place::new();
    let locked = Lasting::on(
        &proxy,
        |seen| is_put(seen) && seen.path().ends_with("/locked"),
        refusal(403, "AccessDenied"),
    );
    place.drop("locked", "not allowed");
    for number in 0..50 {
        place.drop(format!("f{number}"), "x");
    }
    let daemon = place.start(&proxy.endpoint(), "threads = 2");
    eventually("the others landed", PATIENCE, || place.left() == ["locked"]);
    locked.over();
    place.wait_until_empty(&daemon);
    assert_eq!(s3.objects().len(), 51);
}

#[test]
fn without_any_credentials_it_says_so_and_lands_once_there_are_some() {
    let s3 = ScriptedS3::start();
    let place = Place::new();
    place.drop("f", "contents");
    let launch = place.launch(&s3.endpoint(), "").without("AWS_ACCESS_KEY_ID");
    let daemon = launch.without("AWS_SECRET_ACCESS_KEY").start();
    let line = daemon.wait_for_line(|line| line.contains("spool paused"), PATIENCE);
    assert!(line.contains("check the credentials"), "{line}");
    assert!(s3.requests().is_empty(), "nothing is sent unsigned");
    let home = daemon.directory().join(".aws");
    fs::create_dir(&home).unwrap();
    let profile = "[default]\naws_access_key_id = later\naws_secret_access_key = later\n";
    fs::write(home.join("credentials"), profile).unwrap();
    place.wait_until_empty(&daemon);
    assert_eq!(s3.objects()[&format!("{BUCKET}/f")], "contents");
}
