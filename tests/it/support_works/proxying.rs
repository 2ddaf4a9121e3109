//! The recording proxy before the scripted S3.

use crate::support::{
    PATIENCE, aws, eventually,
    exchange::{End, Exchange},
    proxy::{Fault, Gate, Proxy},
    scripted::ScriptedS3,
};
use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::put_object::PutObjectError,
    primitives::ByteStream,
};
use std::{io::Write, net::TcpStream};

fn stand() -> (ScriptedS3, Proxy, Client) {
    let upstream = ScriptedS3::start();
    let proxy = Proxy::start(&upstream.endpoint());
    let client = aws::s3(&proxy.endpoint());
    (upstream, proxy, client)
}

async fn put(client: &Client, key: &str, body: &str) -> Result<(), SdkError<PutObjectError>> {
    let body = ByteStream::from(body.as_bytes().to_vec());
    client.put_object().bucket("b").key(key).body(body).send().await.map(drop)
}

#[tokio::test]
async fn everything_is_written_down_and_passed_on() {
    let (upstream, proxy, client) = stand();
    put(&client, "a b", "hello").await.unwrap();
    let got = client.get_object().bucket("b").key("a b").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");
    let head = client.head_object().bucket("b").key("a b").send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));

    let seen = proxy.requests();
    let operations: Vec<_> = seen.iter().map(Exchange::operation).collect();
    assert_eq!(operations, ["PutObject", "GetObject", "HeadObject"]);
    assert_eq!(seen[0].path(), "/b/a%20b");
    assert_eq!(&seen[0].body[..], b"hello");
    assert_eq!(seen[0].header("content-length"), Some("5"));
    assert!(seen.iter().all(|seen| seen.end == End::Answered(200)));
    assert!(seen.is_sorted_by_key(|seen| seen.at));
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn a_rule_holds_for_its_number_of_times() {
    let (upstream, proxy, client) = stand();
    let body = "<Error><Code>SlowDown</Code></Error>".to_owned();
    proxy.on(2, |seen| seen.operation() == "PutObject", Fault::Answer(503, body));
    for _ in 0..2 {
        let refused = put(&client, "k", "x").await.unwrap_err();
        assert_eq!(refused.code(), Some("SlowDown"));
    }
    put(&client, "k", "x").await.unwrap();
    let ends: Vec<_> = proxy.of("PutObject").iter().map(|seen| seen.end).collect();
    assert_eq!(ends, [End::Answered(503), End::Answered(503), End::Answered(200)]);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_gate_holds_the_request_or_the_reply() {
    let (upstream, proxy, client) = stand();
    let (before, after) = (Gate::closed(), Gate::closed());
    proxy.on(1, |seen| seen.path() == "/b/before", Fault::Hold(before.clone()));
    proxy.on(1, |seen| seen.path() == "/b/after", Fault::HoldReply(after.clone()));
    let held = tokio::spawn({
        let client = client.clone();
        async move { tokio::join!(put(&client, "before", "x"), put(&client, "after", "x")) }
    });
    while before.arrived() + after.arrived() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(upstream.objects().into_keys().collect::<Vec<_>>(), ["b/after"]);
    assert!(proxy.requests().iter().all(|seen| seen.end == End::Open));
    before.open();
    after.open();
    let (first, second) = held.await.unwrap();
    first.unwrap();
    second.unwrap();
    assert_eq!(upstream.objects().len(), 2);
}

#[tokio::test]
async fn a_cut_comes_before_or_after_the_deed() {
    let (upstream, proxy, client) = stand();
    proxy.on(1, |seen| seen.path() == "/b/before", Fault::CutBefore);
    proxy.on(1, |seen| seen.path() == "/b/after", Fault::CutAfter);
    assert!(put(&client, "before", "x").await.is_err());
    assert!(put(&client, "after", "x").await.is_err());
    assert_eq!(upstream.objects().into_keys().collect::<Vec<_>>(), ["b/after"]);
    assert!(proxy.requests().iter().all(|seen| seen.end == End::Cut));
}

#[test]
fn a_client_that_goes_away_before_its_reply_is_seen() {
    let (upstream, proxy, _) = stand();
    let gate = Gate::closed();
    proxy.on(1, |_| true, Fault::HoldReply(gate.clone()));
    let mut client = TcpStream::connect(proxy.endpoint().trim_start_matches("http://")).unwrap();
    client.write_all(b"HEAD /b HTTP/1.1\r\nhost: b\r\n\r\n").unwrap();
    eventually("the reply is held", PATIENCE, || gate.arrived() == 1);
    assert_eq!(proxy.requests()[0].end, End::Open);
    drop(client);
    eventually("the end is noted", PATIENCE, || proxy.requests()[0].end != End::Open);
    assert_eq!(proxy.requests()[0].end, End::Abandoned);
    assert_eq!(upstream.requests()[0].end, End::Answered(200));
}

#[tokio::test]
async fn what_down_closes_is_cut_and_not_abandoned() {
    let (_upstream, proxy, client) = stand();
    let gate = Gate::closed();
    proxy.on(1, |_| true, Fault::Hold(gate.clone()));
    let held = tokio::spawn(async move { put(&client, "k", "x").await });
    while gate.arrived() == 0 {
        tokio::task::yield_now().await;
    }
    proxy.down();
    held.await.unwrap().unwrap_err();
    eventually("the end is noted", PATIENCE, || proxy.requests()[0].end != End::Open);
    assert_eq!(proxy.requests()[0].end, End::Cut);
}

#[tokio::test]
async fn down_refuses_and_up_takes_again() {
    let (upstream, proxy, client) = stand();
    put(&client, "k", "1").await.unwrap();
    proxy.down();
    assert!(matches!(put(&client, "k", "2").await, Err(SdkError::DispatchFailure(_))));
    proxy.up();
    put(&client, "k", "3").await.unwrap();
    assert_eq!(&upstream.objects()["b/k"][..], b"3");
}
