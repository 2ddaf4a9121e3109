//! The scripted S3 by itself.

use crate::support::{
    aws,
    exchange::End,
    scripted::{Say, ScriptedS3},
};
use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart},
};
use std::time::Duration;

/// CRC-64/NVME of `123456789`, from the catalogue of CRCs, not from our own code.
const CHECK: (&[u8], &str) = (b"123456789", "rosUhgp5mIg=");

fn stand() -> (ScriptedS3, Client) {
    let server = ScriptedS3::start();
    let client = aws::s3(&server.endpoint());
    (server, client)
}

#[tokio::test]
async fn refusals_come_in_order_and_then_it_works() {
    let (server, client) = stand();
    for (status, code) in
        [(403, "AccessDenied"), (404, "NoSuchBucket"), (500, "InternalError"), (503, "SlowDown")]
    {
        server.say("PutObject", "k", Say::Error(status, code));
    }
    let put = || client.put_object().bucket("b").key("k").body(b"x".to_vec().into()).send();
    for code in ["AccessDenied", "NoSuchBucket", "InternalError", "SlowDown"] {
        assert_eq!(put().await.unwrap_err().code(), Some(code));
    }
    assert!(server.objects().is_empty());
    put().await.unwrap();
    assert_eq!(server.requests()[0].end, End::Answered(403));
    assert_eq!(&server.objects()["b/k"][..], b"x");
}

#[tokio::test]
async fn a_line_is_for_its_own_operation_and_key() {
    let (server, client) = stand();
    server.say("PutObject", "other", Say::Error(403, "AccessDenied"));
    server.say("HeadObject", "*", Say::Error(403, "AccessDenied"));
    client.put_object().bucket("b").key("k").send().await.unwrap();
    client.head_object().bucket("b").key("k").send().await.unwrap_err();
    client.head_object().bucket("b").key("k").send().await.unwrap();
    client.delete_object().bucket("b").key("k").send().await.unwrap();
    assert!(server.objects().is_empty());
}

#[tokio::test]
async fn a_cut_leaves_the_deed_done_and_a_hang_nothing() {
    let (server, client) = stand();
    server.say("PutObject", "cut", Say::DoneAndCut);
    server.say("PutObject", "hang", Say::Hang);
    client.put_object().bucket("b").key("cut").send().await.unwrap_err();
    let hung = client.put_object().bucket("b").key("hang").send();
    tokio::time::timeout(Duration::from_millis(300), hung).await.unwrap_err();
    assert_eq!(server.objects().into_keys().collect::<Vec<_>>(), ["b/cut"]);
}

#[tokio::test]
async fn bytes_that_are_not_those_of_their_checksum_are_refused() {
    let (server, client) = stand();
    let put = |body: &[u8]| {
        let request = client.put_object().bucket("b").key("k").body(body.to_vec().into());
        request.checksum_crc64_nvme(CHECK.1).send()
    };
    assert_eq!(put(b"123456780").await.unwrap_err().code(), Some("BadDigest"));
    assert!(server.objects().is_empty());
    let done = put(CHECK.0).await.unwrap();
    assert_eq!(done.checksum_crc64_nvme(), Some(CHECK.1));
}

#[tokio::test]
async fn conditions_are_judged() {
    let (_server, client) = stand();
    let put = || client.put_object().bucket("b").key("k");
    let first = put().if_none_match("*").send().await.unwrap();
    let code = put().if_none_match("*").send().await.unwrap_err();
    assert_eq!(code.code(), Some("PreconditionFailed"));
    put().if_match("\"other\"").send().await.unwrap_err();
    put().if_match(first.e_tag().unwrap()).send().await.unwrap();
}

#[tokio::test]
async fn a_multipart_upload_is_held_to_its_whole_checksum_and_size() {
    let (server, client) = stand();
    let create = client.create_multipart_upload().bucket("b").key("k");
    let id = create.checksum_type(ChecksumType::FullObject).metadata("token", "t");
    let id = id.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send().await.unwrap();
    let id = id.upload_id().unwrap();
    let mut parts = CompletedMultipartUpload::builder();
    for (number, body) in [(1, b"1234".as_slice()), (2, b"56789")] {
        let part = client.upload_part().bucket("b").key("k").upload_id(id).part_number(number);
        let sent = part.body(body.to_vec().into()).send().await.unwrap();
        let tag = sent.e_tag().unwrap();
        parts = parts.parts(CompletedPart::builder().part_number(number).e_tag(tag).build());
    }
    let parts = parts.build();
    let complete = |checksum: &str, size| {
        let request = client.complete_multipart_upload().bucket("b").key("k").upload_id(id);
        let request = request.multipart_upload(parts.clone()).mpu_object_size(size);
        request.checksum_type(ChecksumType::FullObject).checksum_crc64_nvme(checksum).send()
    };
    assert_eq!(complete("AAAAAAAAAAA=", 9).await.unwrap_err().code(), Some("BadDigest"));
    assert_eq!(complete(CHECK.1, 8).await.unwrap_err().code(), Some("InvalidRequest"));
    server.say("CompleteMultipartUpload", "k", Say::ErrorInOk("InternalError"));
    assert_eq!(complete(CHECK.1, 9).await.unwrap_err().code(), Some("InternalError"));
    assert_eq!(server.open_uploads(), 1);
    complete(CHECK.1, 9).await.unwrap();
    assert_eq!(server.open_uploads(), 0);
    assert_eq!(&server.objects()["b/k"][..], CHECK.0);
    let head = client.head_object().bucket("b").key("k").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["token"], "t");

    let other = client.create_multipart_upload().bucket("b").key("k").send().await.unwrap();
    let abort = client.abort_multipart_upload().bucket("b").key("k");
    abort.upload_id(other.upload_id().unwrap()).send().await.unwrap();
    assert_eq!(server.open_uploads(), 0);
}
