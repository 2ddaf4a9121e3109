//! Files that become objects, and objects that become files; and objects in parts.

use super::{both, bucket};
use crate::support::{
    aws,
    emulator::{embedded, ministack},
    exchange::Exchange,
    proxy::{Fault, Proxy},
    scripted::{Say, ScriptedS3},
};
use futures_util::stream;
use longshore::{
    error::Kind,
    toolkit::s3::{Bucket, Put, SHA512_KEY, Uploaded},
};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    time::{Duration, SystemTime},
};

const SHA512: &str = "309ecc489c12d6eb4cc40f50c902f2b4d0ed77ee511a7c7a9bcd3ca86d4cd86f\
                      989dd35bc5ff499670da34255b45b0cfd830e81f605dcf7dc5542e93ae9cd76f";

async fn upload(bucket: &Bucket, file: &std::path::Path, force: bool) -> Uploaded {
    bucket.upload(file, "a/hello.txt", force, &Put::new()).await.unwrap()
}

#[tokio::test]
async fn a13_a_file_is_uploaded_with_its_sha_512_and_not_again_while_it_is_the_same() {
    for server in both() {
        let proxy = Proxy::start(&server.endpoint());
        let bucket = bucket(&proxy.endpoint(), "my-bucket").await;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("hello.txt");
        fs::write(&file, "hello world").unwrap();
        assert!(matches!(upload(&bucket, &file, false).await, Uploaded::Written(_)));
        let facts = bucket.head("a/hello.txt").await.unwrap();
        assert_eq!((facts.size, facts.sha512.as_deref()), (11, Some(SHA512)));
        assert_eq!(facts.content_type.as_deref(), Some("text/plain"));
        let age = SystemTime::now().duration_since(facts.modified.unwrap()).unwrap_or_default();
        assert!(age < Duration::from_mins(10), "{age:?}");
        assert_eq!(facts.url, format!("{}/my-bucket/a/hello.txt", proxy.endpoint()));

        let Uploaded::Unchanged(same) = upload(&bucket, &file, false).await else {
            panic!("sent again")
        };
        assert_eq!(same, facts);
        assert_eq!(proxy.of("PutObject").len(), 1);
        assert!(matches!(upload(&bucket, &file, true).await, Uploaded::Written(_)), "forced");
        fs::write(&file, "hello World").unwrap();
        assert!(matches!(upload(&bucket, &file, false).await, Uploaded::Written(_)), "changed");
        assert_eq!(bucket.text("a/hello.txt", "utf-8").await.unwrap(), "hello World");

        let error = bucket.upload(directory.path(), "d", false, &Put::new()).await.unwrap_err();
        assert!(error.to_string().contains("it is no regular file"), "{error}");
    }
}

#[tokio::test]
async fn an_object_without_a_checksum_is_compared_by_its_older_metadata() {
    let server = ministack();
    let bucket = bucket(&server.endpoint(), "my-bucket").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hello.txt");
    fs::write(&file, "hello world").unwrap();
    let older = aws::s3(&server.endpoint());
    for (sha, unchanged) in [(SHA512, true), (&SHA512[..127], false)] {
        let call = older.put_object().bucket("my-bucket").key("a/hello.txt");
        let call = call.metadata(SHA512_KEY, sha).body(b"hello world".to_vec().into());
        call.send().await.unwrap();
        assert_eq!(bucket.head("a/hello.txt").await.unwrap().crc64nvme, None);
        let ended = upload(&bucket, &file, false).await;
        assert_eq!(matches!(ended, Uploaded::Unchanged(_)), unchanged, "{ended:?}");
    }
}

#[tokio::test]
async fn a_download_is_whole_has_the_objects_time_and_makes_its_directories() {
    for server in both() {
        let bucket = bucket(&server.endpoint(), "my-bucket").await;
        bucket.put("a/b.txt", "first", &Put::new()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let named = directory.path().join("new/place/x");
        let (path, facts) = bucket.download("a/b.txt", &named).await.unwrap();
        assert_eq!((&path, fs::read(&path).unwrap().as_slice()), (&named, &b"first"[..]));
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), facts.modified.unwrap());
        let (below, _) = bucket.download("a/b.txt", directory.path()).await.unwrap();
        assert_eq!(below, directory.path().join("a/b.txt"));

        bucket.put("a/b.txt", "second", &Put::new()).await.unwrap();
        bucket.download("a/b.txt", &named).await.unwrap();
        assert_eq!(fs::read(&named).unwrap(), b"second");
        let error = bucket.download("missing", &named).await.unwrap_err();
        assert!(error.to_string().contains("there is no object"), "{error}");
        assert_eq!(fs::read(&named).unwrap(), b"second", "a failure leaves what was there");
        let left = fs::read_dir(named.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "and nothing else");
    }
}

/// What lies there is more than its bytes: its mode, the links to it; and a device is no file.
#[tokio::test]
async fn a_download_replaces_a_file_and_nothing_else() {
    let server = ScriptedS3::start();
    let bucket = bucket(&server.endpoint(), "my-bucket").await;
    bucket.put("k", "new", &Put::new()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("secret"), "old").unwrap();
    fs::set_permissions(at("secret"), Permissions::from_mode(0o600)).unwrap();
    symlink("secret", at("link")).unwrap();
    let (path, _) = bucket.download("k", &at("link")).await.unwrap();
    assert_eq!(path, at("link"));
    assert!(at("link").is_symlink());
    assert_eq!(fs::read(at("secret")).unwrap(), b"new");
    let mode = |name: &str| fs::metadata(at(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("secret"), 0o600);
    fs::write(at("like"), "as any program makes it").unwrap();
    bucket.download("k", &at("fresh")).await.unwrap();
    assert_eq!(mode("fresh"), mode("like"));

    let _socket = UnixListener::bind(at("socket")).unwrap();
    mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    for name in ["socket", "pipe"] {
        let error = bucket.download("k", &at(name)).await.unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (Kind::Invalid, 64));
        assert!(error.to_string().contains("a device, a pipe or a socket"), "{error}");
    }
    assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
    symlink("nowhere/at/all", at("broken")).unwrap();
    let error = bucket.download("k", &at("broken")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::File);
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_checksum_make_no_file() {
    let server = ScriptedS3::start();
    let bucket = bucket(&server.endpoint(), "my-bucket").await;
    bucket.put("k", "hello", &Put::new()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    server.say("GetObject", "k", Say::OtherBytes);
    let error = bucket.download("k", &directory.path().join("k")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    server.say("GetObject", "k", Say::OtherBytes);
    assert_eq!(bucket.bytes("k").await.unwrap_err().kind(), Kind::Corrupt);
    assert_eq!(bucket.bytes("k").await.unwrap(), "hello");
}

fn large() -> Vec<u8> {
    (0..17_u32 << 18).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn what_is_large_goes_in_parts_with_one_checksum_of_all() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let bucket = bucket(&proxy.endpoint(), "my-bucket").await;
    let (bytes, directory) = (large(), tempfile::tempdir().unwrap());
    let file = directory.path().join("large");
    fs::write(&file, &bytes).unwrap();

    // A stream in odd pieces, whose length nobody says; one part fails once in passing.
    let pieces = bytes.chunks(999_999).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece)));
    let pieces: Vec<_> = pieces.collect();
    let is_part = |seen: &Exchange| seen.operation() == "UploadPart";
    proxy.on(1, is_part, Fault::Answer(503, "<Error><Code>SlowDown</Code></Error>".to_owned()));
    let options = Put { storage_class: Some("STANDARD_IA".to_owned()), ..Put::new() };
    let stored = bucket.put_stream("stream", stream::iter(pieces), None, &options).await.unwrap();
    assert_eq!(stored.size, 17 << 20);
    assert_eq!(proxy.of("UploadPart").len(), 4, "three parts, one of them twice");
    let facts = bucket.head("stream").await.unwrap();
    assert_eq!((facts.crc64nvme.as_ref(), facts.size), (Some(&stored.crc64nvme), 17 << 20));
    assert_eq!(facts.storage_class.as_deref(), Some("STANDARD_IA"));

    let written = bucket.upload(&file, "file", false, &Put::new()).await.unwrap();
    assert!(matches!(&written, Uploaded::Written(file) if file.crc64nvme == stored.crc64nvme));
    let again = bucket.upload(&file, "file", false, &Put::new()).await.unwrap();
    assert!(matches!(again, Uploaded::Unchanged(_)));
    let back = directory.path().join("back");
    bucket.download("file", &back).await.unwrap();
    assert!(fs::read(&back).unwrap() == bytes, "another file came back");
}

#[tokio::test]
async fn what_is_written_is_encrypted_and_public_as_is_said() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let bucket = bucket(&proxy.endpoint(), "my-bucket").await;
    let key = "alias/orders";
    let acl = Some("public-read".to_owned());
    let options = Put { kms_key: Some(key.to_owned()), acl, ..Put::tiered() };
    bucket.put("small", "hello", &options).await.unwrap();
    bucket.put("large", large(), &options).await.unwrap();
    bucket.put("plain", "hello", &Put::new()).await.unwrap();
    for operation in ["PutObject", "CreateMultipartUpload"] {
        let seen = proxy.of(operation).remove(0);
        assert_eq!(seen.header("x-amz-server-side-encryption"), Some("aws:kms"), "{operation}");
        let named = seen.header("x-amz-server-side-encryption-aws-kms-key-id");
        assert_eq!(named, Some(key), "{operation}");
        assert_eq!(seen.header("x-amz-acl"), Some("public-read"), "{operation}");
        assert_eq!(seen.header("x-amz-storage-class"), Some("INTELLIGENT_TIERING"), "{operation}");
    }
    for header in ["x-amz-server-side-encryption", "x-amz-acl"] {
        assert_eq!(proxy.of("PutObject")[1].header(header), None, "{header}");
    }
    for (name, wanted) in [("small", Some(key)), ("large", Some(key)), ("plain", None)] {
        assert_eq!(bucket.head(name).await.unwrap().kms_key.as_deref(), wanted, "{name}");
    }
}

#[tokio::test]
async fn an_upload_that_fails_leaves_no_parts_behind() {
    let server = ScriptedS3::start();
    let bucket = bucket(&server.endpoint(), "my-bucket").await;
    let large = bytes::Bytes::from(vec![b'x'; 17 << 20]);
    server.say("UploadPart", "k", Say::Error(403, "AccessDenied"));
    let error = bucket.put("k", large.clone(), &Put::new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(
        error.to_string().contains("allow s3:PutObject on arn:aws:s3:::my-bucket/k"),
        "{error}"
    );
    let short = stream::iter([Ok(large.clone())]);
    let error = bucket.put_stream("k", short, Some(1 << 30), &Put::new()).await.unwrap_err();
    assert!(error.to_string().contains("1073741824 were announced"), "{error}");
    assert_eq!((server.open_uploads(), server.objects().len()), (0, 0));

    // The yes was lost: what is there is what was sent.
    server.say("CompleteMultipartUpload", "k", Say::DoneAndCut);
    assert_eq!(bucket.put("k", large.clone(), &Put::new()).await.unwrap().size, 17 << 20);
    server.say("CompleteMultipartUpload", "l", Say::ErrorInOk("InternalError"));
    bucket.put("l", large.clone(), &Put::new()).await.unwrap();
    assert_eq!((server.open_uploads(), server.objects().len()), (0, 2));
}
