//! What is taken, when, and how it arrives.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;

use super::*;

/// The seed's own example: by event, since no pass comes within the hour.
#[tokio::test]
async fn a_dropped_file_becomes_an_object_at_once() {
    let yard = Yard::new();
    let running = yard.start().await;
    until("the bucket was asked", || running.readiness.missing().is_empty()).await;
    yard.deliver("2012-06-14%2F01.txt", b"");
    yard.is_empty().await;
    assert_eq!(yard.s3.object("2012-06-14/01.txt"), Some(Vec::new()));
    running.stop().await;
    let put = &yard.s3.asked("PUT")[0];
    assert_eq!(put.headers["content-type"], "text/plain");
    assert_eq!(put.headers["content-length"], "0");
}

#[tokio::test]
async fn bytes_go_plain_with_their_checksum_in_a_header() {
    let yard = Yard::new();
    yard.deliver("a.unheard-of", &vec![7; 70_000]);
    yard.once().await.unwrap();
    assert_eq!(yard.s3.object("a.unheard-of"), Some(vec![7; 70_000]));
    let put = &yard.s3.asked("PUT")[0];
    assert_eq!(put.headers["content-type"], "application/octet-stream");
    assert_eq!(put.headers["content-length"], "70000");
    assert!(!put.headers.contains_key("x-amz-trailer"));
    assert!(!put.headers.contains_key("content-encoding"));
    // Without TLS the payload is signed; it may go unsigned over TLS only.
    assert_ne!(put.headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
}

#[tokio::test]
async fn over_tls_the_payload_goes_unsigned_once_that_is_known() {
    let mut yard = Yard::new();
    yard.settings.aws.endpoint_url = Some("https://127.0.0.1:9".to_owned());
    yard.settings.threads = 1;
    yard.deliver("a", b"one");
    yard.deliver("b", b"two");
    yard.once().await.unwrap();
    let puts = yard.s3.asked("PUT");
    assert_ne!(puts[0].headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    assert_eq!(puts[1].headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    assert!(!puts[1].headers.contains_key("x-amz-trailer"));
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_arrives_whole() {
    let yard = Yard::new();
    let contents: Vec<u8> = (0..=5_u32 << 20).flat_map(u32::to_le_bytes).collect();
    yard.deliver("large.bin", &contents);
    yard.once().await.unwrap();
    assert!(yard.s3.object("large.bin") == Some(contents));
    assert_eq!(yard.s3.asked("PUT part").len(), 3);
    assert_eq!(yard.s3.open_uploads(), 0);
    assert!(yard.s3.asked("PUT part").iter().all(|p| !p.headers.contains_key("x-amz-trailer")));
}

#[tokio::test]
async fn a_part_that_fails_in_passing_is_sent_again_alone() {
    let yard = Yard::new();
    yard.deliver("large.bin", &vec![1; 17 << 20]);
    let mut failures = 0;
    yard.s3.script(move |asked| {
        failures += usize::from(asked.what == "PUT part");
        (asked.what == "PUT part" && failures == 2).then_some(s3::Answer(503, "SlowDown"))
    });
    yard.once().await.unwrap();
    assert_eq!(yard.s3.asked("POST ?uploads").len(), 1);
    assert_eq!(yard.s3.asked("PUT part").len(), 4);
}

/// S3 may say 200 and then an error: the file stays and comes again, and no parts stay behind.
#[tokio::test]
async fn a_completion_that_only_looks_good_is_a_failure() {
    let yard = Yard::new();
    yard.deliver("large.bin", &vec![1; 17 << 20]);
    let mut completions = 0;
    yard.s3.script(move |asked| {
        completions += usize::from(asked.what == "POST complete");
        (asked.what == "POST complete" && completions == 1)
            .then_some(s3::Answer(200, "InternalError"))
    });
    yard.once().await.unwrap();
    assert_eq!(yard.s3.asked("POST ?uploads").len(), 2);
    assert_eq!(yard.s3.asked("DELETE upload").len(), 1);
    assert_eq!(yard.s3.open_uploads(), 0);
    assert!(yard.names().is_empty());
}

#[tokio::test]
async fn a_file_that_is_still_written_waits_and_arrives_once_and_whole() {
    let yard = Yard::new();
    let running = yard.start().await;
    let mut writer = fs::File::create(yard.path("slow")).unwrap();
    writer.write_all(b"first ").unwrap();
    // Another file comes and goes meanwhile, so the spool has had its chance.
    yard.deliver("quick", b"x");
    until("the other landed", || yard.s3.object("quick").is_some()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(yard.s3.keys(), ["quick"]);
    writer.write_all(b"last").unwrap();
    drop(writer);
    yard.is_empty().await;
    running.stop().await;
    assert_eq!(yard.s3.object("slow"), Some(b"first last".to_vec()));
    assert_eq!(yard.s3.asked("PUT").len(), 2);
}

#[tokio::test]
async fn a_file_delivered_by_link_is_taken() {
    let yard = Yard::new();
    let running = yard.start().await;
    until("the bucket was asked", || running.readiness.missing().is_empty()).await;
    let draft = yard.root.path().join("draft");
    fs::write(&draft, "linked").unwrap();
    fs::hard_link(&draft, yard.path("a")).unwrap();
    yard.is_empty().await;
    running.stop().await;
    assert_eq!(yard.s3.object("a"), Some(b"linked".to_vec()));
    assert!(draft.exists(), "only the spool's own name is removed");
}

#[tokio::test]
async fn what_is_no_finished_file_is_left_alone() {
    let yard = Yard::new();
    fs::create_dir(yard.path("directory")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", yard.path("symlink")).unwrap();
    std::os::unix::fs::symlink("nowhere", yard.path("dangling")).unwrap();
    let _socket = UnixListener::bind(yard.path("socket")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        yard.path("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let mut left = vec!["directory", "symlink", "dangling", "socket", "fifo"];
    for name in [".a.swp", "b.tmp", "c~"] {
        fs::write(yard.path(name), "x").unwrap();
        left.push(name);
    }
    left.sort_unstable();
    yard.deliver(".well-known%2Fx", b"x");
    yard.once().await.unwrap();
    assert_eq!(yard.s3.keys(), [".well-known/x"]);
    assert_eq!(yard.names(), left);
    assert!(yard.quarantined().is_empty());
}

/// As zc.s3uploadqueue did.
#[tokio::test]
async fn without_rules_every_regular_file_is_taken() {
    let mut yard = Yard::new();
    yard.settings.ignore = Ignore::Nothing;
    fs::create_dir(yard.path("directory")).unwrap();
    for name in [".hidden", "a.tmp", "b~"] {
        fs::write(yard.path(name), "x").unwrap();
    }
    yard.once().await.unwrap();
    assert_eq!(yard.s3.keys(), [".hidden", "a.tmp", "b~"]);
    assert_eq!(yard.names(), ["directory"]);
}

#[tokio::test]
async fn a_name_without_a_key_goes_to_quarantine_with_its_reason() {
    let yard = Yard::new();
    let name = OsStr::from_bytes(b"caf\xe9");
    for contents in ["one", "two"] {
        fs::write(yard.settings.directory.join(name), contents).unwrap();
        yard.once().await.unwrap();
    }
    assert!(yard.names().is_empty());
    assert_eq!(yard.quarantined().len(), 4, "two files, two reasons: {:?}", yard.quarantined());
    let quarantine = &yard.settings.quarantine_directory;
    assert_eq!(fs::read(quarantine.join(name)).unwrap(), b"one");
    let reason = quarantine.join(OsStr::from_bytes(b"caf\xe9.reason.json"));
    let reason: serde_json::Value = serde_json::from_slice(&fs::read(reason).unwrap()).unwrap();
    assert_eq!(reason["kind"], "invalid");
    assert_eq!(reason["size"], 3);
    assert!(reason["reason"].as_str().unwrap().contains("not UTF-8"));
    assert!(yard.s3.asked("PUT").is_empty());
}

#[tokio::test]
async fn a_file_younger_than_min_age_waits() {
    let mut yard = Yard::new();
    yard.settings.min_age = Duration::from_millis(700);
    let running = yard.start().await;
    let began = Instant::now();
    yard.deliver("a", b"x");
    yard.is_empty().await;
    assert!(began.elapsed() >= Duration::from_millis(600));
    running.stop().await;
}

/// Parts that are large for the budget are read twice in blocks instead of being held.
#[tokio::test]
async fn a_small_budget_still_sends_large_parts() {
    let mut yard = Yard::new();
    yard.settings.buffer = 4 << 20;
    let contents: Vec<u8> = (0..=5_u32 << 20).flat_map(u32::to_le_bytes).collect();
    yard.deliver("large.bin", &contents);
    yard.deliver("medium.bin", &contents[..3 << 20]);
    yard.once().await.unwrap();
    assert!(yard.s3.object("large.bin") == Some(contents.clone()));
    assert!(yard.s3.object("medium.bin") == Some(contents[..3 << 20].to_vec()));
    assert_eq!(yard.s3.held_whole().iter().filter(|whole| !**whole).count(), 3);
    let mut sent = yard.s3.asked("PUT part");
    sent.extend(yard.s3.asked("PUT"));
    for request in sent {
        assert!(!request.headers.contains_key("x-amz-trailer"), "{:?}", request.headers);
        assert!(!request.headers.contains_key("content-encoding"));
    }
}

/// A file that changes while its blocks are sent is told apart from a connection that fails.
#[tokio::test]
async fn a_large_file_that_changes_midway_pauses_nothing() {
    let mut yard = Yard::new();
    yard.settings.buffer = 4 << 20;
    yard.deliver("large.bin", &vec![1; 17 << 20]);
    let path = yard.path("large.bin");
    let mut parts = 0;
    yard.s3.script(move |asked| {
        parts += usize::from(asked.what == "PUT part");
        if asked.what == "PUT part" && parts == 1 {
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(b"more").unwrap();
        }
        None
    });
    yard.once().await.unwrap();
    assert_eq!(yard.s3.object("large.bin").map(|bytes| bytes.len()), Some((17 << 20) + 4));
    assert_eq!(yard.s3.landed().len(), 1);
    assert_eq!(yard.s3.open_uploads(), 0);
    assert!(yard.s3.asked("HEAD").len() == 1, "no probe was needed");
}
