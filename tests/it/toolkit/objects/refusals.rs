//! What is refused: by its name, with what to do, and how often it was tried.

use super::{bucket, unmade};
use crate::support::{
    emulator::embedded,
    exchange::Exchange,
    proxy::{Fault, Proxy},
};
use longshore::{
    error::Kind,
    toolkit::s3::{Put, Refusal},
};

fn answer(status: u16, code: &str) -> Fault {
    let body = format!("<Error><Code>{code}</Code><Message>scripted</Message></Error>");
    Fault::Answer(status, body)
}

#[tokio::test]
async fn what_is_not_there_is_named_object_or_bucket() {
    let server = embedded();
    let bucket = bucket(&server.endpoint(), "my-bucket").await;
    let missing = unmade(&server.endpoint(), "missing").await;
    for (bucket, named) in [
        (&bucket, Refusal::ObjectNotFound(bucket.path("k"))),
        (&missing, Refusal::BucketNotFound("missing".to_owned())),
    ] {
        let errors = [bucket.head("k").await.err(), bucket.bytes("k").await.err()];
        for error in errors.into_iter().flatten() {
            assert_eq!(error.kind(), Kind::Missing);
            assert_eq!(Refusal::of(&error), Some(&named), "{error}");
            assert!(error.to_string().contains("check its"), "{error}");
        }
    }
    assert!(!bucket.exists("k").await.unwrap());
    for error in [
        missing.exists("k").await.unwrap_err(),
        missing.put("k", "x", &Put::new()).await.unwrap_err(),
        missing.delete(["k"]).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("longshore s3 mb s3://missing"), "{error}");
    }
    bucket.delete_one("k").await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_told_at_once_and_is_no_answer() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let bucket = bucket(&proxy.endpoint(), "my-bucket").await;
    bucket.put("k", "x", &Put::new()).await.unwrap();
    let is = |operation: &'static str| move |seen: &Exchange| seen.operation() == operation;
    proxy.on(9, is("HeadObject"), answer(403, ""));
    let error = bucket.exists("k").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    for told in ["reading the metadata of s3://my-bucket/k", "allow s3:GetObject", "s3:ListBucket"]
    {
        assert!(error.to_string().contains(told), "{error}");
    }
    assert_eq!(proxy.of("HeadObject").len(), 1, "asked once");

    proxy.on(1, is("CreateBucket"), answer(409, "BucketAlreadyExists"));
    let error = unmade(&proxy.endpoint(), "another").await.create().await.unwrap_err();
    assert_eq!(Refusal::of(&error), Some(&Refusal::BucketOfAnother("another".to_owned())));
    proxy.on(1, is("ListObjectsV2"), answer(301, "PermanentRedirect"));
    let error = bucket.keys("").await.unwrap_err();
    assert!(matches!(Refusal::of(&error), Some(Refusal::BucketElsewhere { .. })), "{error}");
}

#[tokio::test]
async fn what_passes_by_itself_is_tried_five_times() {
    let server = embedded();
    let proxy = Proxy::start(&server.endpoint());
    let bucket = bucket(&proxy.endpoint(), "my-bucket").await;
    let is = |operation: &'static str| move |seen: &Exchange| seen.operation() == operation;
    proxy.on(1, is("PutObject"), answer(503, "SlowDown"));
    proxy.on(1, is("PutObject"), Fault::CutAfter);
    bucket.put("k", "x", &Put::new()).await.unwrap();
    assert_eq!(proxy.of("PutObject").len(), 3);
    proxy.on(9, is("GetObject"), answer(500, "InternalError"));
    let error = bucket.bytes("k").await.unwrap_err();
    assert_eq!((error.kind(), proxy.of("GetObject").len()), (Kind::Transient, 5), "{error}");
}
