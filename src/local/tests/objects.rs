//! S3 through the AWS SDK: what is stored, what is refused, and what is checked.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};

use super::in_process;
use crate::local::Local;

fn client(local: &Local) -> Client {
    let config = aws_sdk_s3::config::Builder::from(&local.sdk_config_in_process());
    Client::from_conf(config.force_path_style(true).build())
}

pub(super) async fn bucket() -> (Client, tempfile::TempDir, Local) {
    let (local, directory) = in_process().await;
    local.ensure_bucket("reports").await.unwrap();
    (client(&local), directory, local)
}

pub(super) async fn put(s3: &Client, key: &str, bytes: &[u8]) {
    let body = ByteStream::from(bytes.to_vec());
    s3.put_object().bucket("reports").key(key).body(body).send().await.unwrap();
}

pub(super) async fn get(s3: &Client, key: &str) -> Vec<u8> {
    let got = s3.get_object().bucket("reports").key(key).send().await.unwrap();
    got.body.collect().await.unwrap().to_vec()
}

#[tokio::test]
async fn keys_of_every_kind_come_back_and_are_plain_files() {
    let (s3, directory, _local) = bucket().await;
    let long = vec!["x".repeat(199); 5].join("/");
    let name = "é".repeat(127) + "x";
    let mut keys = vec![
        "2012-06-14/01.txt",
        "é",
        "a b+c",
        "100%",
        "100%41",
        "a&b=c?d#e",
        ".well-known/x",
        "~tilde",
        "back\\slash",
        "new\nline",
        "\"quoted'",
        &long,
        &name,
    ];
    for key in &keys {
        put(&s3, key, key.as_bytes()).await;
        assert_eq!(get(&s3, key).await, key.as_bytes(), "{key}");
        let file = directory.path().join("s3/reports").join(key);
        assert_eq!(std::fs::read(file).unwrap(), key.as_bytes(), "{key}");
    }
    let listed = s3.list_objects_v2().bucket("reports").send().await.unwrap();
    let listed: Vec<&str> = listed.contents().iter().map(|object| object.key().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(listed, keys);
}

#[tokio::test]
async fn keys_that_cannot_be_files_are_refused_with_the_reason() {
    let (s3, _directory, _local) = bucket().await;
    put(&s3, "a", b"file").await;
    put(&s3, "d/e", b"file").await;
    let long = "x".repeat(256);
    for (key, why) in [
        ("a/b", "is an object itself"),
        ("d", "other objects lie below it"),
        ("x//y", "two slashes"),
        ("/x", "begins with a slash"),
        ("x/", "ends with a slash"),
        ("x/../y", ". or .."),
        ("./x", ". or .."),
        (&long, "more than 255 bytes"),
    ] {
        let put = s3.put_object().bucket("reports").key(key).body(ByteStream::from_static(b"x"));
        let error = put.send().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 400, "{key}");
        let message = error.into_service_error().meta().message().unwrap().to_owned();
        assert!(message.contains(why), "{key}: {message}");
    }
    assert_eq!(get(&s3, "a").await, b"file");
    assert_eq!(get(&s3, "d/e").await, b"file");
    let listed = s3.list_objects_v2().bucket("reports").send().await.unwrap();
    assert_eq!(listed.contents().len(), 2);
}

#[tokio::test]
async fn a_deleted_object_leaves_room_for_one_of_its_directory() {
    let (s3, _directory, _local) = bucket().await;
    put(&s3, "a/b/c", b"1").await;
    s3.delete_object().bucket("reports").key("a/b/c").send().await.unwrap();
    s3.delete_object().bucket("reports").key("a/b/c").send().await.unwrap();
    put(&s3, "a", b"2").await;
    assert_eq!(get(&s3, "a").await, b"2");
}

#[tokio::test]
async fn checksum_type_and_metadata_come_back() {
    let (s3, _directory, _local) = bucket().await;
    let put = s3
        .put_object()
        .bucket("reports")
        .key("k")
        .content_type("text/x-log")
        .metadata("token", "t1");
    let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
    let put = put.body(ByteStream::from_static(b"123456789")).send().await.unwrap();
    assert_eq!(put.checksum_crc64_nvme(), Some("rosUhgp5mIg="));
    assert_eq!(put.e_tag(), Some("\"25f9e794323b453885f5181f1b624d0b\""));
    let head = s3.head_object().bucket("reports").key("k");
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.checksum_crc64_nvme(), Some("rosUhgp5mIg="));
    assert_eq!(head.checksum_type(), Some(&ChecksumType::FullObject));
    assert_eq!(head.content_type(), Some("text/x-log"));
    assert_eq!(head.metadata().unwrap()["token"], "t1");
    assert_eq!((head.e_tag(), head.content_length()), (put.e_tag(), Some(9)));
}

#[tokio::test]
async fn a_wrong_checksum_leaves_the_object_as_it_was() {
    let (s3, directory, _local) = bucket().await;
    put(&s3, "k", b"before").await;
    let put = s3.put_object().bucket("reports").key("k").checksum_crc64_nvme("AAAAAAAAAAA=");
    let error = put.body(ByteStream::from_static(b"after")).send().await.unwrap_err();
    assert_eq!(error.into_service_error().meta().code(), Some("BadDigest"));
    assert_eq!(get(&s3, "k").await, b"before");
    let incoming = directory.path().join("s3/.longshore/incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
}

#[tokio::test]
async fn parts_are_listed_proved_and_joined() {
    let (s3, _directory, _local) = bucket().await;
    let begun = s3.create_multipart_upload().bucket("reports").key("big").metadata("token", "t");
    let begun = begun.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
    let begun = begun.checksum_type(ChecksumType::FullObject).send().await.unwrap();
    let id = begun.upload_id.unwrap();
    let blocks = [vec![1_u8; 5 << 20], vec![2_u8; 1000]];
    let mut parts = Vec::new();
    for (number, block) in (1..).zip(&blocks) {
        let sent = s3.upload_part().bucket("reports").key("big").upload_id(&id).part_number(number);
        let sent = sent.body(ByteStream::from(block.clone())).send().await.unwrap();
        let part = CompletedPart::builder().part_number(number);
        parts.push(part.set_e_tag(sent.e_tag).build());
    }
    let listed = s3.list_parts().bucket("reports").key("big").upload_id(&id).send().await.unwrap();
    let listed: Vec<_> =
        listed.parts().iter().map(|part| (part.e_tag.clone(), part.size)).collect();
    assert_eq!(
        listed,
        [(parts[0].e_tag.clone(), Some(5 << 20)), (parts[1].e_tag.clone(), Some(1000))]
    );
    let uploads = s3.list_multipart_uploads().bucket("reports").send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id.as_str()));
    let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = || {
        let complete = s3.complete_multipart_upload().bucket("reports").key("big");
        complete.upload_id(&id).multipart_upload(whole.clone())
    };
    let wrong = complete().mpu_object_size(7).send().await.unwrap_err().into_service_error();
    assert_eq!(wrong.meta().code(), Some("InvalidRequest"));
    let wrong = complete().checksum_crc64_nvme("AAAAAAAAAAA=").send().await;
    assert_eq!(wrong.unwrap_err().into_service_error().meta().code(), Some("BadDigest"));
    let done = complete().mpu_object_size((5 << 20) + 1000).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    assert_eq!(get(&s3, "big").await, blocks.concat());
    let head = s3.head_object().bucket("reports").key("big");
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.checksum_crc64_nvme(), done.checksum_crc64_nvme());
    assert_eq!(head.metadata().unwrap()["token"], "t");
    let again = complete().send().await.unwrap_err().into_service_error();
    assert_eq!(again.meta().code(), Some("NoSuchUpload"));
}

#[tokio::test]
async fn objects_are_copied_whole_and_in_parts() {
    let (s3, _directory, _local) = bucket().await;
    let put = s3.put_object().bucket("reports").key("from +é").metadata("token", "t");
    put.body(ByteStream::from_static(b"123456789")).send().await.unwrap();
    let source = "reports/from%20%2B%C3%A9";
    let copy = s3.copy_object().bucket("reports").key("to").copy_source(source);
    copy.send().await.unwrap();
    let head = s3.head_object().bucket("reports").key("to").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["token"], "t");
    assert_eq!(get(&s3, "to").await, b"123456789");
    let begun = s3.create_multipart_upload().bucket("reports").key("part").send().await.unwrap();
    let id = begun.upload_id.unwrap();
    let part = s3.upload_part_copy().bucket("reports").key("part").upload_id(&id).part_number(1);
    let part = part.copy_source(source).copy_source_range("bytes=2-4").send().await.unwrap();
    let e_tag = part.copy_part_result.unwrap().e_tag;
    let part = CompletedPart::builder().part_number(1).set_e_tag(e_tag).build();
    let whole = CompletedMultipartUpload::builder().parts(part).build();
    let done = s3.complete_multipart_upload().bucket("reports").key("part").upload_id(&id);
    done.multipart_upload(whole).send().await.unwrap();
    assert_eq!(get(&s3, "part").await, b"345");
}

#[tokio::test(start_paused = true)]
async fn file_work_takes_no_virtual_time() {
    let (s3, _directory, _local) = bucket().await;
    let began = tokio::time::Instant::now();
    let work = async {
        for round in 0..20 {
            put(&s3, &format!("k{round}"), &vec![1; 300_000]).await;
            get(&s3, &format!("k{round}")).await;
        }
        began.elapsed()
    };
    let nap = tokio::time::sleep(std::time::Duration::from_millis(5));
    let (worked, ()) = tokio::join!(work, nap);
    assert!(worked.is_zero(), "the paused clock jumped by {worked:?}");
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let (s3, directory, _local) = bucket().await;
    let begun = s3.create_multipart_upload().bucket("reports").key("big").send().await.unwrap();
    let id = begun.upload_id.unwrap();
    let abort = || s3.abort_multipart_upload().bucket("reports").key("big").upload_id(&id).send();
    abort().await.unwrap();
    assert!(abort().await.unwrap_err().into_service_error().is_no_such_upload());
    let uploads = directory.path().join("s3/.longshore/uploads");
    assert_eq!(std::fs::read_dir(uploads).unwrap().count(), 0);
}

#[tokio::test]
async fn listings_have_pages_and_common_prefixes() {
    let (s3, _directory, _local) = bucket().await;
    for key in ["a/1", "a/2", "b", "c/d/3"] {
        put(&s3, key, b"x").await;
    }
    let top = s3.list_objects_v2().bucket("reports").delimiter("/").send().await.unwrap();
    let prefixes: Vec<_> = top.common_prefixes().iter().filter_map(|p| p.prefix()).collect();
    assert_eq!((prefixes, top.contents()[0].key()), (vec!["a/", "c/"], Some("b")));
    let mut pages = s3.list_objects_v2().bucket("reports").max_keys(1).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.extend(page.unwrap().contents().iter().map(|o| o.key().unwrap().to_owned()));
    }
    assert_eq!(keys, ["a/1", "a/2", "b", "c/d/3"]);
    let below = s3.list_objects_v2().bucket("reports").prefix("c/").send().await.unwrap();
    assert_eq!(below.contents().len(), 1);
}

#[tokio::test]
async fn what_is_missing_says_so() {
    let (s3, _directory, _local) = bucket().await;
    let no_key = s3.head_object().bucket("reports").key("x//y").send().await.unwrap_err();
    assert!(no_key.into_service_error().is_not_found());
    let put = s3.put_object().bucket("no-such").key("k").body(ByteStream::from_static(b"x"));
    let no_bucket = put.send().await.unwrap_err().into_service_error();
    assert_eq!(no_bucket.meta().code(), Some("NoSuchBucket"));
}

#[tokio::test]
async fn objects_survive_a_restart_and_two_cannot_share_a_directory() {
    let (s3, directory, local) = bucket().await;
    let put = s3.put_object().bucket("reports").key("k").metadata("token", "t");
    put.body(ByteStream::from_static(b"stays")).send().await.unwrap();
    let second = Local::without_port(super::options(&directory)).await.unwrap_err();
    assert_eq!(second.kind(), crate::error::Kind::Busy);
    drop(s3);
    local.stop().await;
    let local = Local::without_port(super::options(&directory)).await.unwrap();
    let s3 = client(&local);
    assert_eq!(get(&s3, "k").await, b"stays");
    let head = s3.head_object().bucket("reports").key("k").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["token"], "t");
}

#[tokio::test]
async fn a_file_laid_there_by_hand_is_an_object() {
    let (s3, directory, _local) = bucket().await;
    put(&s3, "k", b"ours").await;
    std::fs::write(directory.path().join("s3/reports/k"), b"123456789").unwrap();
    let head = s3.head_object().bucket("reports").key("k");
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.e_tag(), Some("\"25f9e794323b453885f5181f1b624d0b\""));
    assert_eq!(head.checksum_crc64_nvme(), Some("rosUhgp5mIg="));
}
