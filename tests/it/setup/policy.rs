//! `longshore policy`: every action that is seen stands in it, and nothing else does.

use crate::support::{
    aws,
    daemon::longshore,
    emulator::{embedded, ministack},
    proxy::Proxy,
};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

const BOTH: &str = "drain_timeout = \"5s\"\n[spool.s]\ndirectory = \"spool\"\nbucket = \"reports\"\n\
                    path_style = true\n\
                    [queue.q]\nqueue = \"orders\"\ndead_letter_queue = \"dead\"\nwait_time = 0\n\
                    retry_initial = \"100ms\"\n\
                    handler.exec.command = [\"sh\", \"-c\", \"exit $(cat)\"]\n";

/// What IAM asks for before an operation.
fn actions(operation: &str) -> &'static str {
    match operation {
        "GetCallerIdentity" => "sts:GetCallerIdentity",
        "GetQueueUrl" => "sqs:GetQueueUrl",
        "GetQueueAttributes" => "sqs:GetQueueAttributes",
        "ReceiveMessage" => "sqs:ReceiveMessage",
        "DeleteMessage" | "DeleteMessageBatch" => "sqs:DeleteMessage",
        "ChangeMessageVisibility" | "ChangeMessageVisibilityBatch" => "sqs:ChangeMessageVisibility",
        "SendMessage" | "SendMessageBatch" => "sqs:SendMessage",
        "HeadBucket" => "s3:ListBucket",
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            "s3:PutObject"
        }
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "GetTopicAttributes" => "sns:GetTopicAttributes",
        "ListSubscriptionsByTopic" => "sns:ListSubscriptionsByTopic",
        "GetSubscriptionAttributes" => "sns:GetSubscriptionAttributes",
        "Publish" | "PublishBatch" => "sns:Publish",
        other => panic!("nobody knows what {other} needs"),
    }
}

fn granted(policy: &str) -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|one| one["Action"].as_array().unwrap());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

fn seen(proxy: &Proxy) -> BTreeSet<String> {
    let all = proxy.requests().into_iter().map(|seen| actions(&seen.operation()).to_owned());
    all.collect()
}

#[tokio::test]
async fn every_action_that_is_seen_stands_in_it_and_no_other() {
    let server = embedded();
    let (s3, sqs) = (aws::s3(&server.endpoint()), aws::sqs(&server.endpoint()));
    s3.create_bucket().bucket("reports").send().await.unwrap();
    for name in ["orders", "dead"] {
        sqs.create_queue().queue_name(name).send().await.unwrap();
    }
    let url = sqs.get_queue_url().queue_name("orders").send().await.unwrap().queue_url.unwrap();
    // Done, retried, rejected.
    for code in ["0", "75", "65"] {
        sqs.send_message().queue_url(&url).message_body(code).send().await.unwrap();
    }
    let proxy = Proxy::start(&server.endpoint());
    let run = longshore(["run", "--once", "--config", "c.toml"]).file("c.toml", BOTH);
    let spool = run.directory().join("spool");
    fs::create_dir(&spool).unwrap();
    fs::write(spool.join("small"), "x").unwrap();
    fs::write(spool.join("large"), vec![7; 20 << 20]).unwrap();
    run.endpoint(&proxy.endpoint()).finish().expect(0, &["stopped"]);
    let check = longshore(["check", "--config", "c.toml"]).file("c.toml", BOTH);
    fs::create_dir(check.directory().join("spool")).unwrap();
    check.endpoint(&proxy.endpoint()).finish().expect(0, &["ok"]);

    let policy = longshore(["policy", "--config", "c.toml"]).file("c.toml", BOTH);
    let policy = policy.endpoint(&server.endpoint()).finish();
    assert_eq!(policy.code, 0, "{}", policy.said());
    let granted = granted(&policy.stdout);
    let mut seen = seen(&proxy);
    assert!(seen.is_subset(&granted), "{seen:?} in {granted:?}");
    // An upload that has to be given up; its own tests show it.
    seen.insert("s3:AbortMultipartUpload".to_owned());
    assert_eq!(seen, granted);
}

#[test]
fn resources_are_named_and_the_account_is_asked_for_unless_it_is_given() {
    let server = ministack();
    let proxy = Proxy::start(&server.endpoint());
    let asked = longshore(["policy", "--config", "c.toml"]).file("c.toml", BOTH);
    let asked = asked.endpoint(&proxy.endpoint()).finish();
    assert!(
        asked.stdout.contains("\"arn:aws:sqs:us-east-1:000000000000:orders\""),
        "{}",
        asked.stdout
    );
    assert_eq!(proxy.requests().len(), proxy.of("GetCallerIdentity").len());

    let nowhere = "http://127.0.0.1:9";
    let given = ["policy", "--config", "c.toml", "--account", "111122223333"];
    let given = longshore(given).file("c.toml", BOTH).endpoint(nowhere).finish();
    let text = given.stdout;
    for arn in [
        "arn:aws:sqs:us-east-1:111122223333:orders",
        "arn:aws:sqs:us-east-1:111122223333:dead",
        "arn:aws:s3:::reports",
        "arn:aws:s3:::reports/*",
    ] {
        assert!(text.contains(&format!("\"{arn}\"")), "{arn} is not in {text}");
    }
    let china = longshore(["policy", "--config", "c.toml", "--account", "111122223333"]);
    let china =
        china.file("c.toml", BOTH).env("AWS_REGION", "cn-north-1").endpoint(nowhere).finish();
    assert!(china.stdout.contains("arn:aws-cn:sqs:cn-north-1:111122223333:orders"));
    assert!(china.stdout.contains("arn:aws-cn:s3:::reports"));

    let wrong = longshore(["policy", "--config", "c.toml", "--account", "12"]).file("c.toml", BOTH);
    wrong.finish().expect(64, &["an account has twelve digits"]);
}

#[test]
fn what_checks_ask_of_a_topic_stands_in_it() {
    let server = ministack();
    let text = format!(
        "{}[events]\ntopic = \"arn:aws:sns:us-east-1:000000000000:events\"\n",
        BOTH.replace("[queue.q]", "[queue.q.route.\"A.shop\".handler.print]\n[queue.q]")
            .replace("handler.exec.command = [\"sh\", \"-c\", \"exit $(cat)\"]\n", "")
    );
    super::setup(&text, &["--yes"], &server.endpoint()).expect(0, &["done  subscribe"]);
    let proxy = Proxy::start(&server.endpoint());
    let check = longshore(["check", "--config", "c.toml"]).file("c.toml", &text);
    fs::create_dir(check.directory().join("spool")).unwrap();
    check.endpoint(&proxy.endpoint()).finish().expect(69, &["asking for bucket"]);
    let policy = longshore(["policy", "--config", "c.toml"]).file("c.toml", &text);
    let granted = granted(&policy.endpoint(&server.endpoint()).finish().stdout);
    let seen = seen(&proxy);
    assert!(seen.is_subset(&granted), "{seen:?} in {granted:?}");
    let of_topic = |all: &BTreeSet<String>| -> Vec<String> {
        all.iter().filter(|action| action.starts_with("sns:")).cloned().collect()
    };
    let mut of_seen = of_topic(&seen);
    // Publishing is the topic's use, which a check never tries.
    of_seen.push("sns:Publish".to_owned());
    of_seen.sort();
    assert_eq!(of_seen, of_topic(&granted));
}
