//! The files that a command is given.

use super::*;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use crate::handlers::samples;

#[test]
fn an_anonymous_file_is_whole_and_sealed() {
    let body = "x".repeat(1 << 20);
    let mut file = anonymous(body.as_bytes()).unwrap();
    let mut read = String::new();
    file.read_to_string(&mut read).unwrap();
    assert_eq!(read, body);
    assert_eq!(file.write(b"more").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert!(file.set_len(0).is_err());
}

#[test]
fn a_body_in_a_file_is_read_from_there_from_its_beginning() {
    let mut kept = tempfile::tempfile().unwrap();
    kept.write_all(b"large").unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&kept.metadata().unwrap());
    let body = Body::of_file(kept, 5);
    for _ in 0..2 {
        let mut stdin = of_body(&body).unwrap();
        let mut read = String::new();
        stdin.read_to_string(&mut read).unwrap();
        assert_eq!(read, "large");
        let same = std::os::unix::fs::MetadataExt::ino(&stdin.metadata().unwrap()) == inode;
        assert!(same, "no byte is copied");
    }
}

#[test]
fn the_metadata_are_complete_private_and_gone_afterwards() {
    let file = MessageFile::write(&samples::message("hello")).unwrap();
    let path = file.path().to_owned();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let wanted = serde_json::json!({
        "message_id": "5fea7756-0ea4-451a-a703-a558b933e274",
        "queue": "orders",
        "event": "OrderPlaced.shop",
        "receive_count": 3,
        "sent_at": "2012-06-14T09:30:00.250Z",
        "first_received_at": "2012-06-14T09:30:05.000Z",
        "group": "group-7",
        "deduplication_id": "dedup-7",
        "sequence_number": "18870000000000000001",
        "sender_id": "AIDAEXAMPLE",
        "trace_header": null,
        "traceparent": null,
        "body_bytes": 5,
        "attributes": {
            "tint": {"type": "String", "value": "red"},
            "size.cm": {"type": "Number", "value": "12.5"},
            "raw": {"type": "Binary", "base64": "AAH/"},
        },
        "system_attributes": {
            "ApproximateReceiveCount": "3",
            "SentTimestamp": "1339666200250",
            "ApproximateFirstReceiveTimestamp": "1339666205000",
            "SenderId": "AIDAEXAMPLE",
            "MessageGroupId": "group-7",
            "MessageDeduplicationId": "dedup-7",
            "SequenceNumber": "18870000000000000001",
        },
    });
    assert_eq!(json, wanted);
    drop(file);
    assert!(!path.exists());

    let file = MessageFile::write(&samples::traced()).unwrap();
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap();
    assert_eq!(json["trace_header"], samples::TRACE_HEADER);
    assert_eq!(json["traceparent"], samples::TRACEPARENT);
}

#[test]
fn a_directory_that_takes_no_file_is_an_error() {
    let missing = Path::new("/proc/no-such-directory");
    assert!(MessageFile::write_in(missing, b"{}").is_err());
}

#[test]
fn what_a_killed_daemon_left_is_swept_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let left = MessageFile::write_in(directory.path(), b"{}").unwrap();
    let other = directory.path().join("longshore-message-of-somebody");
    std::fs::write(&other, "").unwrap();
    let now = SystemTime::now();
    sweep_in(directory.path(), now + Duration::from_hours(12));
    assert!(left.path().exists());
    sweep_in(directory.path(), now + Duration::from_hours(14));
    assert!(!left.path().exists() && other.exists());
    // Of a daemon that is gone, at once: no process has this number.
    let orphan = directory.path().join("longshore-message-4294967295-00.json");
    std::fs::write(&orphan, "").unwrap();
    sweep_in(directory.path(), now);
    assert!(!orphan.exists() && other.exists());
}
