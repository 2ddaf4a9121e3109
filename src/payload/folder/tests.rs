use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::time::SystemTime;

use futures_util::stream;

use super::*;
use crate::message::Attribute;
use crate::toolkit::transport::Held;

/// As pylon wrote it (0.10).
const LINE: &str = "{\"artifactName\": null, \"artifactVersion\": null, \"body\": \"very cool message\", \"customAttributes\": {}, \"ingestionId\": null, \"objectType\": \"rawContent\", \"payloadMimeType\": \"text\", \"payloadStoreKey\": null}";

fn folder() -> (tempfile::TempDir, Folder) {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::open(root.path().join("folder")).unwrap();
    (root, folder)
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A file that nobody writes any more.
fn old(folder: &Folder, name: &str, contents: &[u8]) {
    let path = folder.path().join(name);
    fs::write(&path, contents).unwrap();
    let long_ago = SystemTime::now() - Duration::from_mins(1);
    File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
}

#[test]
fn a_file_is_the_line_that_pylon_writes() {
    let (_root, folder) = folder();
    let name = folder.put(&Pylon::raw("very cool message")).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join(&name)).unwrap(), LINE);
    let uuid = Uuid::parse_str(name.strip_suffix(".json").unwrap()).unwrap();
    assert_eq!(uuid.get_version_num(), 4);
    assert_eq!(names(&folder), [name]);
}

#[tokio::test]
async fn every_field_comes_back_and_the_file_leaves_when_it_is_done() {
    let (_root, folder) = folder();
    let full = Pylon {
        artifact_name: Some("test_artifact".to_owned()),
        artifact_version: Some("0.0.0".to_owned()),
        body: Some("é\n\"quoted\"".to_owned()),
        custom_attributes: BTreeMap::from([("Key".to_owned(), "value".to_owned())]),
        ingestion_id: Some("id".to_owned()),
        object_type: Some("dataAsset".to_owned()),
        payload_mime_type: Some("text/json".to_owned()),
        payload_store_key: Some("s3://bucket/key".to_owned()),
    };
    let empty = Pylon { body: Some(String::new()), ..Pylon::default() };
    for message in [full, empty, Pylon::default()] {
        folder.put(&message).unwrap();
        let mut claims = folder.receive(10, Duration::ZERO).await.unwrap();
        let claim = claims.pop().unwrap();
        assert!(*claim.pylon() == message);
        assert!(Pylon::decode(claim.message()).unwrap() == message);
        claim.done().await.unwrap();
        assert_eq!(names(&folder), [""; 0]);
    }
}

#[tokio::test]
async fn two_readers_never_have_one_file() {
    let (_root, folder) = folder();
    for number in 0..200 {
        folder.put(&Pylon::raw(number.to_string())).unwrap();
    }
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let own = Folder::open(folder.path()).unwrap();
            std::thread::spawn(move || {
                let mut got = Vec::new();
                loop {
                    let claims = own.take(3).unwrap();
                    if claims.is_empty() {
                        return got;
                    }
                    got.extend(claims);
                }
            })
        })
        .collect();
    let claims: Vec<_> = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
    let bodies: BTreeSet<_> = claims.iter().map(|claim| claim.pylon().body.clone()).collect();
    assert_eq!((claims.len(), bodies.len()), (200, 200));
    // pylon's own reader sees none of them.
    assert!(names(&folder).iter().all(|name| name.starts_with(".taken-")));
    drop(claims);
    assert!(names(&folder).iter().all(|name| !name.starts_with('.')), "all given back");
}

#[tokio::test]
async fn what_a_dead_reader_had_is_taken_by_the_next() {
    let (_root, folder) = folder();
    // Its lock ended with it; its name for the file stays.
    fs::write(folder.path().join(".taken-a.json"), LINE).unwrap();
    let claim = folder.take(1).unwrap().pop().unwrap();
    assert_eq!(claim.message().id, "a.json");
    assert!(folder.take(1).unwrap().is_empty());
    claim.give_back().await.unwrap();
    assert_eq!(names(&folder), ["a.json"]);
}

#[test]
fn a_bad_file_is_set_aside_and_hidden_ones_are_left_alone() {
    let (_root, folder) = folder();
    for (name, contents) in [("a", &b"{"[..]), ("b", b"\xff"), ("c", b"[]"), (".hidden", b"{")] {
        old(&folder, name, contents);
    }
    fs::create_dir(folder.path().join("directory")).unwrap();
    std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
    // It may be half of what pylon still writes.
    old(&folder, "young", b"{\"body\": ");
    let young = File::options().write(true).open(folder.path().join("young")).unwrap();
    young.set_modified(SystemTime::now() + Duration::from_mins(10)).unwrap();
    folder.put(&Pylon::raw("good")).unwrap();
    let claims = folder.take(10).unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].pylon().body.as_deref(), Some("good"));
    let left = [".hidden", ".set-aside", "directory", "link", "young"];
    let seen: Vec<_> =
        names(&folder).into_iter().filter(|name| !name.starts_with(".taken-")).collect();
    assert_eq!(seen, left);
    let aside = folder.path().join(".set-aside");
    assert_eq!(fs::read(aside.join("a")).unwrap(), b"{");
    let reason = fs::read_to_string(aside.join("b.reason.json")).unwrap();
    assert!(reason.contains("not UTF-8"), "{reason}");
    assert_eq!(fs::read_dir(aside).unwrap().count(), 6);
}

#[tokio::test]
async fn what_a_file_cannot_keep_is_refused() {
    let (_root, folder) = folder();
    let with = |change: fn(&mut Outgoing)| {
        let mut message = Outgoing::text("body");
        change(&mut message);
        message
    };
    let number = |message: &mut Outgoing| {
        message.attributes.insert("n".to_owned(), Attribute::Number("1".to_owned()));
    };
    let messages = [
        with(|message| message.group = Some("g".to_owned())),
        with(number),
        with(|message| {
            message.attributes.insert("a".to_owned(), Attribute::String("b".to_owned()));
        }),
        Pylon::raw("by pylon").encode().unwrap(),
    ];
    let report = folder.send_all(stream::iter(messages)).await.unwrap();
    assert_eq!(report.sent, 2);
    let failed: Vec<u64> = report.failed.iter().map(|(number, _)| *number).collect();
    assert_eq!(failed, [0, 1]);
    let claims = folder.receive(10, Duration::ZERO).await.unwrap();
    let mut bodies: Vec<_> = claims.iter().map(|claim| claim.pylon().clone()).collect();
    bodies.sort_by(|one, other| one.body.cmp(&other.body));
    let custom = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    assert!(bodies[0] == Pylon { custom_attributes: custom, ..Pylon::raw("body") });
    assert!(bodies[1] == Pylon::raw("by pylon"));
}

#[tokio::test]
async fn a_receive_waits_for_a_file() {
    let (_root, folder) = folder();
    assert!(folder.receive(1, Duration::ZERO).await.unwrap().is_empty());
    let (got, put) = tokio::join!(folder.receive(1, Duration::from_secs(20)), async {
        tokio::task::yield_now().await;
        folder.put(&Pylon::raw("late"))
    });
    put.unwrap();
    assert_eq!(got.unwrap().len(), 1);
}

#[test]
fn a_file_that_cannot_be_used_stands_in_the_way_of_no_other() {
    let (_root, folder) = folder();
    // Nothing can be set aside there.
    fs::write(folder.path().join(".set-aside"), "").unwrap();
    for number in 0..20 {
        old(&folder, &format!("bad-{number}"), b"no message");
    }
    assert_eq!(folder.take(10).unwrap_err().kind(), Kind::File);
    folder.put(&Pylon::raw("good")).unwrap();
    assert_eq!(folder.take(10).unwrap().len(), 1);
}
