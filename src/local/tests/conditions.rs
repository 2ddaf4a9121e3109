//! Conditions on requests of S3, through the AWS SDK: each is one step with what it guards.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::objects::{bucket, get, put};

#[tokio::test]
async fn conditions_on_writes_hold() {
    let (s3, _directory, _local) = bucket().await;
    let write = |body: &'static [u8]| {
        let put = s3.put_object().bucket("reports").key("k");
        put.body(ByteStream::from_static(body))
    };
    let e_tag = write(b"1").if_none_match("*").send().await.unwrap().e_tag.unwrap();
    let refused = write(b"2").if_none_match("*").send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 412);
    write(b"3").if_match(&e_tag).send().await.unwrap();
    let refused = write(b"4").if_match(&e_tag).send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 412);
    assert_eq!(get(&s3, "k").await, b"3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_create_the_same_key_one_wins() {
    let (s3, _directory, _local) = bucket().await;
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..20_u8 {
        let put = s3.put_object().bucket("reports").key("k").if_none_match("*");
        racers.spawn(put.body(ByteStream::from(vec![racer])).send());
    }
    let won = racers.join_all().await.into_iter().flatten().count();
    assert_eq!(won, 1);
}

/// As S3 answers since September 2025.
#[tokio::test]
async fn conditions_on_deletes_hold() {
    let (s3, _directory, _local) = bucket().await;
    let delete = |e_tag: &str| s3.delete_object().bucket("reports").key("k").if_match(e_tag).send();
    let head = || s3.head_object().bucket("reports").key("k").send();
    put(&s3, "k", b"1").await;
    let first = head().await.unwrap().e_tag.unwrap();
    put(&s3, "k", b"2").await;
    assert_eq!(delete(&first).await.unwrap_err().code(), Some("PreconditionFailed"));
    let many = ObjectIdentifier::builder().key("k").e_tag(&first).build().unwrap();
    let many = Delete::builder().objects(many).build().unwrap();
    let many = s3.delete_objects().bucket("reports").delete(many).send().await.unwrap();
    assert_eq!(many.errors()[0].code(), Some("PreconditionFailed"));
    assert_eq!(get(&s3, "k").await, b"2");
    delete(&head().await.unwrap().e_tag.unwrap()).await.unwrap();
    for condition in [&first, "*"] {
        assert_eq!(delete(condition).await.unwrap_err().code(), Some("NoSuchKey"));
    }
}

#[tokio::test]
async fn conditions_on_the_source_of_a_copy_hold() {
    let (s3, _directory, _local) = bucket().await;
    put(&s3, "k", b"1").await;
    let first = s3.head_object().bucket("reports").key("k").send().await.unwrap().e_tag.unwrap();
    put(&s3, "k", b"2").await;
    let copy = s3.copy_object().bucket("reports").key("to").copy_source("reports/k");
    let refused = copy.copy_source_if_match(&first).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("PreconditionFailed"));
    let begun = s3.create_multipart_upload().bucket("reports").key("to").send().await.unwrap();
    let part = s3.upload_part_copy().bucket("reports").key("to").part_number(1);
    let part = part.upload_id(begun.upload_id.unwrap()).copy_source("reports/k");
    let refused = part.copy_source_if_match(&first).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("PreconditionFailed"));
}
