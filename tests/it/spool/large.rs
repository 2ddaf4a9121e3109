//! Large files: in parts, whole, and no parts left behind when it fails.

use super::{BUCKET, Embedded, Lasting, Place, make_bucket, refusal};
use crate::support::{
    PATIENCE, eventually,
    proxy::{Fault, Gate, Proxy},
    scripted::ScriptedS3,
};
use std::fs;

const MIB: usize = 1 << 20;

/// Different at every place.
fn contents(bytes: usize) -> Vec<u8> {
    (0..u32::try_from(bytes / 4).unwrap()).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_file_of_40_mib_lands_whole_in_equal_parts() {
    let server = Embedded::start();
    make_bucket(&server.endpoint, BUCKET);
    let proxy = Proxy::start(&server.endpoint);
    let (place, contents) = (Place::new(), contents(40 * MIB));
    place.drop("large.csv", &contents);
    let daemon = place.start(&proxy.endpoint(), "");
    place.wait_until_empty(&daemon);
    assert!(fs::read(server.objects().join("large.csv")).unwrap() == contents);
    let parts = proxy.of("UploadPart");
    assert_eq!(parts.len(), 5);
    for part in &parts {
        assert_eq!(part.body.len(), 8 * MIB);
        assert!(part.header("x-amz-checksum-crc64nvme").is_some());
        assert!(part.header("x-amz-trailer").is_none());
    }
    assert!(proxy.of("PutObject").is_empty());
    let begun = proxy.of("CreateMultipartUpload");
    assert_eq!(begun[0].header("content-type"), Some("text/csv"));
    let completed = proxy.of("CompleteMultipartUpload");
    assert_eq!(completed.len(), 1);
    assert_eq!(completed[0].header("x-amz-mp-object-size"), Some("41943040"));
    assert!(completed[0].header("x-amz-checksum-crc64nvme").is_some());
}

/// Sixteen MiB exactly still go in one request.
#[test]
fn a_file_of_16_mib_goes_in_one_request() {
    let (s3, place, contents) = (ScriptedS3::start(), Place::new(), contents(16 * MIB));
    place.drop("large", &contents);
    let daemon = place.start(&s3.endpoint(), "");
    place.wait_until_empty(&daemon);
    assert!(s3.objects()[&format!("{BUCKET}/large")] == contents);
    assert_eq!(s3.requests().iter().filter(|seen| super::is_put(seen)).count(), 1);
}

#[test]
fn an_upload_that_fails_leaves_no_parts_behind() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, contents) = (Place::new(), contents(17 * MIB));
    // Not one that a part is sent again for.
    let outage = Lasting::on(
        &proxy,
        |seen| seen.query("partNumber") == Some("2"),
        refusal(400, "BadDigest"),
    );
    place.drop("large", &contents);
    let daemon = place.start(&proxy.endpoint(), "");
    eventually("two uploads were given up", PATIENCE, || {
        proxy.of("AbortMultipartUpload").len() >= 2
    });
    assert!(s3.objects().is_empty());
    assert_eq!(place.left(), ["large"], "{}", daemon.output());
    outage.over();
    place.wait_until_empty(&daemon);
    assert_eq!(s3.open_uploads(), 0);
    assert!(s3.objects()[&format!("{BUCKET}/large")] == contents);
}

/// A part that S3 answers with 500 for ever: sent again a few times, then all of it is given up.
#[test]
fn a_part_that_fails_for_ever_ends_its_upload() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let place = Place::new();
    let third = |number: Option<&str>| number == Some("3");
    let _outage = Lasting::on(
        &proxy,
        move |seen| third(seen.query("partNumber")),
        refusal(500, "InternalError"),
    );
    place.drop("large", contents(17 * MIB));
    place.drop("small", "x");
    let daemon = place.start(&proxy.endpoint(), "retry_initial = \"1h\"\nretry_longest = \"1h\"");
    eventually("it was given up", PATIENCE, || proxy.of("AbortMultipartUpload").len() == 1);
    eventually("nothing stays open", PATIENCE, || s3.open_uploads() == 0);
    daemon.wait_for_line(|line| line.contains("upload failed"), PATIENCE);
    let parts = proxy.of("UploadPart");
    let tries = parts.iter().filter(|part| third(part.query("partNumber"))).count();
    assert!((2..=8).contains(&tries), "{tries}");
    eventually("the small one is settled", PATIENCE, || place.left() == ["large"]);
}

#[test]
fn sigterm_that_cuts_off_an_upload_in_parts_aborts_it() {
    let s3 = ScriptedS3::start();
    let proxy = Proxy::start(&s3.endpoint());
    let (place, gate) = (Place::new(), Gate::closed());
    proxy.on(1, |seen| seen.query("partNumber") == Some("2"), Fault::Hold(gate.clone()));
    place.drop("large", contents(17 * MIB));
    let launch = super::stop::drains_for("200ms", &place, &proxy.endpoint());
    let mut daemon = launch.start();
    eventually("a part is held", PATIENCE, || gate.arrived() == 1);
    daemon.terminate();
    assert_eq!(daemon.wait(PATIENCE), 75, "{}", daemon.output());
    assert_eq!(s3.open_uploads(), 0);
    assert_eq!(place.left(), ["large"]);
}
