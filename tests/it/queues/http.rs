//! Endpoints as handlers.

use super::ground::{Endpoint, embedded, log_line, stop, text};
use aws_sdk_sqs::types::MessageAttributeValue;
use std::time::{Duration, SystemTime};

#[tokio::test]
async fn an_endpoint_is_sent_what_an_aws_sqsd_sends() {
    let ground = embedded();
    ground.queue("orders", &[]).await;
    let endpoint = Endpoint::start(|_, _| (200, Vec::new()));
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"orders\"\n[queue.q.handler.http]\nurl = {:?}\n",
        endpoint.url("/hooks/orders?secret=1")
    ));
    let number = MessageAttributeValue::builder().data_type("Number").string_value("12.5");
    let attributes = [
        ("tint", text("red")),
        ("size", number.build().unwrap()),
        ("evil", text("a\r\nX-Injected: yes")),
    ];
    ground.send_with("orders", "{\"a\": 1}", &attributes).await;
    let seen = endpoint.wait(1).remove(0);
    assert_eq!((seen.method.as_str(), seen.path()), ("POST", "/hooks/orders"));
    assert_eq!(seen.body, "{\"a\": 1}");
    let header = |name: &str| seen.header(name).unwrap_or_else(|| panic!("{name} is missing"));
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("content-length"), "8");
    assert!(header("user-agent").starts_with("aws-sqsd/"));
    assert_eq!(header("x-aws-sqsd-msgid").len(), 36);
    assert_eq!(header("x-aws-sqsd-queue"), "orders");
    assert_eq!(header("x-aws-sqsd-path"), "/hooks/orders");
    assert_eq!(header("x-aws-sqsd-receive-count"), "1");
    assert_eq!(header("x-aws-sqsd-attr-tint"), "red");
    assert_eq!(header("x-aws-sqsd-attr-size"), "12.5");
    assert!(!header("x-aws-sqsd-sender-id").is_empty());
    for name in ["x-aws-sqsd-first-received-at", "x-aws-sqsd-sent-at"] {
        let at = header(name);
        assert!(at.len() == 20 && at.ends_with('Z') && &at[10..11] == "T", "{name}: {at}");
    }
    assert!(seen.header("x-injected").is_none() && seen.header("x-aws-sqsd-attr-evil").is_none());
    assert_eq!(header("x-longshore-omitted"), "evil");
    ground.wait_empty("orders").await;
    drop(daemon);
}

/// A date `seconds` from now, as HTTP writes it.
fn date_in(seconds: u64) -> String {
    let at = SystemTime::now() + Duration::from_secs(seconds);
    let at = aws_smithy_types::DateTime::from(at);
    at.fmt(aws_smithy_types::date_time::Format::HttpDate).unwrap()
}

#[tokio::test]
async fn an_endpoint_that_is_busy_says_when() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    let endpoint = Endpoint::start(move |_, number| match number {
        0 => (429, vec![("retry-after", "3".to_owned())]),
        1 => (503, vec![("retry-after", date_in(6))]),
        _ => (204, Vec::new()),
    });
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 5\n[queue.q.handler.http]\nurl = {:?}\n",
        endpoint.url("/")
    ));
    ground.send("q", "x").await;
    let seen = endpoint.wait(3);
    let (first, second) = (seen[1].at - seen[0].at, seen[2].at - seen[1].at);
    assert!(first >= Duration::from_millis(2900), "{first:?}");
    // A date has whole seconds.
    assert!(second >= Duration::from_millis(4900), "the date was not waited for: {second:?}");
    // Nor more than that: how long it took beyond is the machine's affair, what was asked is ours.
    let changes = ground.calls("ChangeMessageVisibilityBatch").into_iter();
    let asked = changes.map(|(_, call)| call["Entries"][0]["VisibilityTimeout"].as_u64().unwrap());
    let asked: Vec<u64> = asked.filter(|seconds| *seconds < 30).collect();
    assert!(asked.len() == 2 && asked[0] == 3 && asked[1] <= 6, "{asked:?}");
    ground.wait_empty("q").await;
    log_line(&daemon, &["message failed", "429"]);
    assert_eq!(endpoint.seen().len(), 3);
    drop(daemon);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_judges_no_message() {
    let ground = embedded();
    ground.queue("q", &[]).await;
    ground.send("q", "x").await;
    let port = crate::support::free_port();
    let daemon = ground.run(&format!(
        "[queue.q]\nqueue = \"q\"\nwait_time = 1\n[queue.q.handler.http]\n\
         url = \"http://127.0.0.1:{port}/\"\n"
    ));
    log_line(&daemon, &["ERROR", "handler cannot be started", "refused"]);
    assert_eq!(stop(daemon), 0);
    assert_eq!(ground.counts("q").await, (1, 0));
}
