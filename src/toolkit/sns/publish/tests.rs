//! Against an SNS that answers by script, in virtual time.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::*;
use crate::aws::Aws;
use crate::error::Kind;
use crate::message::Attribute;

/// What is answered instead of success: the status and the body.
type Script = Vec<(u16, String)>;

#[derive(Debug, Clone, Default)]
struct Sns {
    asked: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<Script>>,
}

impl Sns {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl HttpConnector for Sns {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asked = String::from_utf8_lossy(request.body().bytes().unwrap()).into_owned();
        let mut script = self.script.lock().unwrap();
        let (status, body) =
            if script.is_empty() { (200, answer(&asked, &[])) } else { script.remove(0) };
        let body = body.replace(THE_REST, &taken(&asked, &body));
        self.asked.lock().unwrap().push(asked);
        let status = StatusCode::try_from(status).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

/// Where an answer names the entries that were taken.
const THE_REST: &str = "the rest";

/// The entries that an answer does not name, as taken.
fn taken(asked: &str, answer: &str) -> String {
    let ids = (0..entries(asked)).map(|position| format!("<Id>{position}</Id>"));
    let rest = ids.filter(|id| !answer.contains(id.as_str()));
    rest.fold(String::new(), |taken, id| taken + "<member>" + &id + "</member>")
}

/// How AWS answers: every entry succeeds but those named, each with its code and whose fault it is.
fn answer(asked: &str, failed: &[(&str, &str, bool)]) -> String {
    if asked.contains("Action=Publish&") {
        return "<PublishResponse><PublishResult><MessageId>m-1</MessageId>\
                <SequenceNumber>7</SequenceNumber></PublishResult></PublishResponse>"
            .to_owned();
    }
    let mut answer = "<PublishBatchResponse><PublishBatchResult><Failed>".to_owned();
    for (id, code, sender) in failed {
        let fault = format!("<Code>{code}</Code><SenderFault>{sender}</SenderFault>");
        answer.extend(["<member><Id>", id, "</Id>", &fault, "</member>"]);
    }
    let taken = format!("</Failed><Successful>{THE_REST}</Successful>");
    answer + &taken + "</PublishBatchResult></PublishBatchResponse>"
}

async fn publisher(sns: &Sns, topic: &str) -> Publisher {
    let connector = SharedHttpConnector::new(sns.clone());
    let aws = Aws::through(http_client_fn(move |_, _| connector.clone()));
    let sealed = crate::config::Aws { sealed: true, ..crate::config::Aws::default() };
    Publisher::new(aws.connect(&sealed).await.unwrap().sns, format!("arn:aws:sns:r:1:{topic}"))
}

fn entries(asked: &str) -> usize {
    asked.matches(".Message=").count()
}

#[tokio::test(start_paused = true)]
async fn batches_are_cut_by_count_and_by_bytes() {
    let sns = Sns::default();
    let mut publisher = publisher(&sns, "events").await;
    for _ in 0..21 {
        publisher.push(Outgoing::text("small")).await.unwrap();
    }
    for _ in 0..3 {
        publisher.push(Outgoing::text("x".repeat(100_000))).await.unwrap();
    }
    let report = publisher.finish().await.unwrap();
    assert_eq!((report.sent, report.failed.len()), (24, 0));
    let sizes: Vec<usize> = sns.asked().iter().map(|asked| entries(asked)).collect();
    assert_eq!(sizes, [10, 10, 3, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_entry_is_published_again_or_reported() {
    let sns = Sns::default();
    let failed = [("1", "InternalError", false), ("2", "InvalidParameter", true)];
    *sns.script.lock().unwrap() = vec![(503, String::new()), (200, answer("", &failed))];
    let mut publisher = publisher(&sns, "events").await;
    for body in ["zero", "one", "two"] {
        publisher.push(Outgoing::text(body)).await.unwrap();
    }
    publisher.refuse("it is no message");
    let report = publisher.finish().await.unwrap();
    assert_eq!(report.sent, 2);
    let failed: Vec<u64> = report.failed.iter().map(|(number, _)| *number).collect();
    assert_eq!(failed, [3, 2]);
    let asked = sns.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked[2].contains("Message=one") && entries(&asked[2]) == 1, "{}", asked[2]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_never_passes_is_reported_in_the_end() {
    let sns = Sns::default();
    let failed = [("0", "InternalError", false)];
    *sns.script.lock().unwrap() = (0..10).map(|_| (200, answer("", &failed))).collect();
    let mut publisher = publisher(&sns, "events").await;
    publisher.push(Outgoing::text("x")).await.unwrap();
    let report = publisher.finish().await.unwrap();
    assert_eq!((report.sent, report.failed.len()), (0, 1));
    assert_eq!(sns.asked().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn all_that_a_message_carries_goes_along_singly_and_in_batches() {
    let sns = Sns::default();
    let mut publisher = publisher(&sns, "events.fifo").await;
    let message = Outgoing {
        attributes: [
            ("list".to_owned(), Attribute::String("[1]".to_owned())),
            ("raw".to_owned(), Attribute::Binary(b"\0\xff"[..].into())),
        ]
        .into(),
        labels: [("list".to_owned(), "String.Array".to_owned())].into(),
        subject: Some("news".to_owned()),
        is_per_protocol: true,
        group: Some("g-1".to_owned()),
        deduplication_id: Some("d-1".to_owned()),
        ..Outgoing::text(r#"{"default":"x"}"#)
    };
    let answer = publisher.publish(&message).await.unwrap();
    assert_eq!(answer.message_id, "m-1");
    assert_eq!(answer.sequence_number.as_deref(), Some("7"));
    publisher.push(message).await.unwrap();
    publisher.flush().await.unwrap();
    let asked = sns.asked();
    let batched = "PublishBatchRequestEntries.member.1.";
    for (asked, entry) in [(&asked[0], ""), (&asked[1], batched)] {
        for pair in [
            "Message=%7B%22default%22%3A%22x%22%7D",
            "MessageStructure=json",
            "Subject=news",
            "MessageGroupId=g-1",
            "MessageDeduplicationId=d-1",
        ] {
            assert!(asked.contains(&format!("&{entry}{pair}")), "{pair}: {asked}");
        }
        for value in ["DataType=String.Array", "StringValue=%5B1%5D", "BinaryValue=AP8%3D"] {
            assert!(asked.contains(value), "{value}: {asked}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_sns_would_refuse_is_never_asked() {
    let sns = Sns::default();
    let mut publisher = publisher(&sns, "events").await.most_bytes(10);
    let error = publisher.publish(&Outgoing::text("x".repeat(11))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    publisher.push(Outgoing::text("x".repeat(11))).await.unwrap();
    publisher.push(Outgoing::text("x".repeat(10))).await.unwrap();
    let report = publisher.finish().await.unwrap();
    assert_eq!((report.sent, report.failed.len()), (1, 1));
    assert_eq!(sns.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_the_answer_does_not_name_is_published_again() {
    let sns = Sns::default();
    let forgetful = answer("", &[]).replace(THE_REST, "<member><Id>0</Id></member>");
    sns.script.lock().unwrap().push((200, forgetful));
    let mut publisher = publisher(&sns, "events").await;
    publisher.push(Outgoing::text("named")).await.unwrap();
    publisher.push(Outgoing::text("forgotten")).await.unwrap();
    let report = publisher.finish().await.unwrap();
    assert_eq!((report.sent, report.failed.len()), (2, 0));
    let sizes: Vec<usize> = sns.asked().iter().map(|asked| entries(asked)).collect();
    assert_eq!(sizes, [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn messages_of_one_fifo_group_never_share_a_call() {
    let sns = Sns::default();
    let mut publisher = publisher(&sns, "events.fifo").await;
    for group in ["a", "b", "a", "c"] {
        let group = Some(group.to_owned());
        let id = Some("d".to_owned());
        let message = Outgoing { group, deduplication_id: id, ..Outgoing::text("x") };
        publisher.push(message).await.unwrap();
    }
    assert_eq!(publisher.finish().await.unwrap().sent, 4);
    let sizes: Vec<usize> = sns.asked().iter().map(|asked| entries(asked)).collect();
    assert_eq!(sizes, [2, 2]);
}
