//! What commands ask of AWS, beside what the policy for their settings grants: action and resource.

use crate::support::{
    daemon::{Finished, longshore},
    emulator::Emulator,
    exchange::Exchange,
    proxy::Proxy,
};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// An action and its resource; in a grant, `*` in the resource stands for anything.
pub(super) type Right = (String, String);

/// Commands with the same settings, all of them recorded.
pub(super) struct Trial {
    proxy: Proxy,
    upstream: String,
    text: String,
}

impl Trial {
    pub(super) fn new(server: &Emulator, text: &str) -> Trial {
        let upstream = server.endpoint();
        Trial { proxy: Proxy::start(&upstream), upstream, text: text.to_owned() }
    }

    /// Runs this command. In its directory lie the spool `spool` with these files, and the same
    /// files in the outbox `outbox`.
    pub(super) fn ask(&self, command: &[&str], files: &[(&str, Vec<u8>)]) -> Finished {
        let launch = longshore([]).args(command).args(&["--config", "c.toml"]);
        let launch = launch.file("c.toml", &self.text);
        for name in ["spool", "outbox"] {
            let place = launch.directory().join(name);
            fs::create_dir(&place).unwrap();
            for (name, bytes) in files {
                fs::write(place.join(name), bytes).unwrap();
            }
        }
        launch.endpoint(&self.proxy.endpoint()).finish()
    }

    pub(super) fn seen(&self) -> BTreeSet<Right> {
        self.proxy.requests().iter().map(right).collect()
    }

    pub(super) fn granted(&self) -> BTreeSet<Right> {
        let policy = longshore(["policy", "--config", "c.toml"]).file("c.toml", &self.text);
        let policy = policy.endpoint(&self.upstream).finish();
        assert_eq!(policy.code, 0, "{}", policy.said());
        let policy: Value = serde_json::from_str(&policy.stdout).unwrap();
        let mut granted = BTreeSet::new();
        for statement in policy["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            let texts = |field: &str| {
                let all = statement[field].as_array().unwrap().clone().into_iter();
                all.map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            for action in texts("Action") {
                granted.extend(texts("Resource").into_iter().map(|one| (action.clone(), one)));
            }
        }
        granted
    }

    /// Asserts that everything that was asked is granted, and nothing else but the actions
    /// `unseen`.
    pub(super) fn grants_just_that(&self, unseen: &[&str]) {
        let (seen, granted) = (self.seen(), self.granted());
        for right in &seen {
            assert!(granted.iter().any(|grant| covers(grant, right)), "{right:?} in {granted:#?}");
        }
        let is_idle = |grant: &&Right| !seen.iter().any(|right| covers(grant, right));
        let idle: BTreeSet<&str> =
            granted.iter().filter(is_idle).map(|(action, _)| action.as_str()).collect();
        assert_eq!(idle, unseen.iter().copied().collect(), "granted {granted:#?}, seen {seen:#?}");
    }
}

fn covers((action, pattern): &Right, (asked, resource): &Right) -> bool {
    action == asked && is_like(pattern, resource)
}

fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|text| {
            let mut rests = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
            rests.any(|rest| is_like(after, rest))
        }),
    }
}

fn right(seen: &Exchange) -> Right {
    let action = action(&seen.operation());
    let resource = match action.split_once(':').unwrap().0 {
        "sts" => "*".to_owned(),
        "s3" => format!("arn:aws:s3:::{}", seen.path().trim_matches('/')),
        "sns" => topic(seen),
        service => named(service, seen),
    };
    (action.to_owned(), resource)
}

/// A queue or a table.
fn named(service: &str, seen: &Exchange) -> String {
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    let name = ["QueueName", "QueueUrl", "TableName"].iter().find_map(|key| body[key].as_str());
    let name = name.unwrap().rsplit('/').next().unwrap();
    let before = if service == "dynamodb" { "table/" } else { "" };
    format!("arn:aws:{service}:us-east-1:000000000000:{before}{name}")
}

fn topic(seen: &Exchange) -> String {
    let body = String::from_utf8(seen.body.to_vec()).unwrap();
    let of = |key: &str| body.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    let arn = of("TopicArn").or_else(|| of("SubscriptionArn")).unwrap();
    percent_encoding::percent_decode_str(arn).decode_utf8().unwrap().into_owned()
}

/// What IAM asks for before an operation.
fn action(operation: &str) -> &'static str {
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
        "GetObject" => "s3:GetObject",
        "DeleteObject" => "s3:DeleteObject",
        "GetTopicAttributes" => "sns:GetTopicAttributes",
        "ListSubscriptionsByTopic" => "sns:ListSubscriptionsByTopic",
        "GetSubscriptionAttributes" => "sns:GetSubscriptionAttributes",
        "Publish" | "PublishBatch" => "sns:Publish",
        "PutItem" => "dynamodb:PutItem",
        "GetItem" => "dynamodb:GetItem",
        "UpdateItem" => "dynamodb:UpdateItem",
        "DeleteItem" => "dynamodb:DeleteItem",
        "DescribeTable" => "dynamodb:DescribeTable",
        "DescribeTimeToLive" => "dynamodb:DescribeTimeToLive",
        other => panic!("nobody knows what {other} needs"),
    }
}
