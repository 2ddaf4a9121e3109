use serde_json::{Value, json};

use super::{Policy, Request, Verdict};

const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:orders";
const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:shop";

fn judge(statements: &Value) -> Verdict {
    let request = Request {
        service: "sns.amazonaws.com",
        action: "sqs:SendMessage",
        resource: QUEUE,
        source_arn: TOPIC,
        source_account: "111122223333",
    };
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    Policy::read(&document.to_string()).unwrap().judge(&request)
}

/// The statement of iniesta's reference policy, with these members in place of its own; a null
/// takes one out.
fn with(members: &Value) -> Value {
    let mut statement = json!({
        "Effect": "Allow", "Principal": "*", "Action": "SQS:SendMessage", "Resource": QUEUE,
        "Condition": { "ArnEquals": { "aws:SourceArn": TOPIC } },
    });
    let object = statement.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        object.insert(name.clone(), value.clone());
        if value.is_null() {
            object.remove(name);
        }
    }
    statement
}

fn verdict(members: &Value) -> &'static str {
    word(&judge(&json!([with(members)])))
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed => "allowed",
        Verdict::Undecided(_) => "undecided",
        Verdict::Denied(_) => "denied",
        Verdict::NotAllowed => "not allowed",
    }
}

fn table(cases: &[(&str, Value)]) {
    for (expected, members) in cases {
        assert_eq!(verdict(members), *expected, "{members}");
    }
}

#[test]
fn actions_in_any_case_and_with_wildcards() {
    table(&[
        ("allowed", json!({})),
        ("allowed", json!({ "Action": "sqs:sendmessage" })),
        ("allowed", json!({ "Action": ["sqs:GetQueueUrl", "SQS:SendMessage"] })),
        ("allowed", json!({ "Action": "SQS:*" })),
        ("allowed", json!({ "Action": "*" })),
        ("allowed", json!({ "Action": "sqs:Send*" })),
        ("allowed", json!({ "Action": "sqs:?endMessage" })),
        ("not allowed", json!({ "Action": "sqs:ReceiveMessage" })),
        ("not allowed", json!({ "Action": "sqs:SendMessageBatchX" })),
        ("not allowed", json!({ "Action": "SendMessage" })),
        ("not allowed", json!({ "Action": "sns:*" })),
        ("not allowed", json!({ "Action": [] })),
        ("undecided", json!({ "Action": null })),
        ("allowed", json!({ "Action": null, "NotAction": "sqs:DeleteMessage" })),
        ("not allowed", json!({ "Action": null, "NotAction": ["sqs:Send*"] })),
        ("not allowed", json!({ "Action": null, "NotAction": "SQS:*" })),
    ]);
}

#[test]
fn principals_in_every_form() {
    table(&[
        ("allowed", json!({ "Principal": { "AWS": "*" } })),
        ("allowed", json!({ "Principal": { "AWS": ["111122223333", "*"] } })),
        ("allowed", json!({ "Principal": { "Service": "sns.amazonaws.com" } })),
        (
            "allowed",
            json!({ "Principal": { "Service": ["s3.amazonaws.com", "sns.amazonaws.com"] } }),
        ),
        ("allowed", json!({ "Principal": { "AWS": "1", "Service": "sns.amazonaws.com" } })),
        ("not allowed", json!({ "Principal": { "Service": "s3.amazonaws.com" } })),
        ("not allowed", json!({ "Principal": { "AWS": "arn:aws:iam::111122223333:root" } })),
        ("not allowed", json!({ "Principal": { "AWS": "111122223333" } })),
        ("not allowed", json!({ "Principal": { "Federated": "cognito-identity.amazonaws.com" } })),
        ("undecided", json!({ "Principal": { "Service": "sns.us-east-1.amazonaws.com" } })),
        ("undecided", json!({ "Principal": { "Service": "*" } })),
        ("undecided", json!({ "Principal": { "Other": "x" } })),
        ("undecided", json!({ "Principal": null })),
        ("allowed", json!({ "Principal": null, "NotPrincipal": { "AWS": "111122223333" } })),
        ("not allowed", json!({ "Principal": null, "NotPrincipal": "*" })),
        (
            "not allowed",
            json!({ "Principal": null, "NotPrincipal": { "Service": "sns.amazonaws.com" } }),
        ),
    ]);
}

#[test]
fn resources_with_wildcards() {
    table(&[
        ("allowed", json!({ "Resource": "*" })),
        ("allowed", json!({ "Resource": ["arn:aws:sqs:eu-west-1:1:x", QUEUE] })),
        ("allowed", json!({ "Resource": "arn:aws:sqs:*:111122223333:ord*" })),
        ("not allowed", json!({ "Resource": "arn:aws:sqs:us-east-1:111122223333:other" })),
        ("not allowed", json!({ "Resource": "arn:aws:sqs:us-east-1:111122223333:Orders" })),
        ("undecided", json!({ "Resource": "arn:aws:sqs:*" })),
        (
            "undecided",
            json!({ "Resource": "arn:aws:sqs:us-east-1:${aws:PrincipalAccount}:orders" }),
        ),
        ("undecided", json!({ "Resource": null })),
        ("allowed", json!({ "Resource": null, "NotResource": "arn:aws:sqs:us-east-1:1:x" })),
        ("not allowed", json!({ "Resource": null, "NotResource": QUEUE })),
    ]);
}

#[test]
fn conditions_on_the_source() {
    let arn = |operator: &str, value: Value| json!({ "Condition": { operator: { "aws:SourceArn": value } } });
    let other = "arn:aws:sns:us-east-1:111122223333:other";
    table(&[
        ("allowed", json!({ "Condition": null })),
        ("allowed", arn("ArnLike", json!(TOPIC))),
        ("allowed", arn("ArnLike", json!("arn:aws:sns:*:*:sh?p"))),
        ("allowed", arn("ArnEquals", json!("arn:aws:sns:*:111122223333:*"))),
        ("allowed", arn("ArnEqualsIfExists", json!(TOPIC))),
        ("allowed", arn("ForAnyValue:ArnLike", json!([other, TOPIC]))),
        ("allowed", arn("ForAllValues:StringLike", json!(TOPIC))),
        ("allowed", arn("StringEquals", json!([other, TOPIC]))),
        ("allowed", arn("StringLike", json!("arn:aws:sns:*:shop"))),
        ("allowed", arn("StringNotEquals", json!(other))),
        ("allowed", arn("Null", json!("false"))),
        ("not allowed", arn("ArnEquals", json!(other))),
        ("not allowed", arn("StringEquals", json!("arn:aws:sns:*"))),
        ("not allowed", arn("StringNotEquals", json!([other, TOPIC]))),
        ("not allowed", arn("ArnNotLike", json!("arn:aws:sns:us-east-1:*:*"))),
        ("not allowed", arn("Null", json!(true))),
        ("undecided", arn("ArnLike", json!("arn:aws:sns:*"))),
        ("undecided", arn("ArnLike", json!("arn:aws:sns:us-east-1:${aws:PrincipalAccount}:shop"))),
        ("undecided", arn("NumericEquals", json!("1"))),
        (
            "allowed",
            json!({ "Condition": { "StringEquals": { "AWS:SourceAccount": "111122223333" } } }),
        ),
        ("not allowed", json!({ "Condition": { "StringEquals": { "aws:SourceAccount": "9" } } })),
        ("allowed", json!({ "Condition": { "Bool": { "aws:SecureTransport": true } } })),
        ("undecided", json!({ "Condition": { "StringEquals": { "aws:SourceOrgID": "o-1" } } })),
        ("undecided", json!({ "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } })),
        ("undecided", json!({ "Condition": "x" })),
        // What certainly does not hold outweighs what is not known.
        (
            "not allowed",
            json!({ "Condition": {
            "ArnEquals": { "aws:SourceArn": other }, "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } }),
        ),
    ]);
}

#[test]
fn every_statement_counts_and_a_denial_most() {
    let deny = |members: Value| {
        let mut members = members;
        members["Effect"] = json!("Deny");
        with(&members)
    };
    let unrelated = with(&json!({ "Action": "sqs:ReceiveMessage" }));
    let unsure = json!({ "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } });
    let cases = [
        ("allowed", json!([unrelated, with(&json!({}))])),
        ("allowed", with(&json!({}))),
        ("not allowed", json!([])),
        ("denied", json!([with(&json!({})), deny(json!({}))])),
        (
            "denied",
            json!([deny(json!({ "Action": "SQS:*", "Condition": null })), with(&json!({}))]),
        ),
        ("allowed", json!([with(&json!({})), deny(json!({ "Action": "sqs:DeleteQueue" }))])),
        ("undecided", json!([with(&json!({})), deny(unsure.clone())])),
        ("allowed", json!([with(&json!({})), with(&unsure)])),
        ("undecided", json!([with(&unsure)])),
        // As AWS recommends it for every queue.
        (
            "allowed",
            json!([
                with(&json!({})),
                deny(json!({
            "Action": "sqs:*", "Condition": { "Bool": { "aws:SecureTransport": "false" } } }))
            ]),
        ),
        (
            "denied",
            json!([
                with(&json!({})),
                deny(json!({
            "Condition": { "ArnNotEquals": { "aws:SourceArn": "arn:aws:sns:us-east-1:1:x" } } }))
            ]),
        ),
        (
            "undecided",
            json!([
                with(&json!({})),
                deny(json!({
            "Condition": { "StringNotEquals": { "aws:PrincipalOrgID": "o-1" } } }))
            ]),
        ),
        (
            "allowed",
            json!([
                with(&json!({})),
                deny(json!({ "Condition": {
            "StringNotEquals": { "aws:PrincipalOrgID": "o-1" },
            "Bool": { "aws:PrincipalIsAWSService": "false" } } }))
            ]),
        ),
    ];
    for (expected, statements) in cases {
        assert_eq!(word(&judge(&statements)), expected, "{statements}");
    }
}

#[test]
fn the_statement_in_question_is_named() {
    let named = with(&json!({ "Sid": "KeepOut", "Effect": "Deny" }));
    assert_eq!(judge(&named), Verdict::Denied("statement \"KeepOut\"".to_owned()));
    let unsure = with(&json!({ "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } }));
    let told = "statement 1: IpAddress on aws:SourceIp cannot be judged beforehand";
    assert_eq!(judge(&unsure), Verdict::Undecided(told.to_owned()));
}

#[test]
fn awsimples_policy_is_understood() {
    let statement = with(&json!({
        "Condition": { "StringEquals": { "aws:SourceArn": TOPIC } }, "Action": "SQS:SendMessage",
    }));
    assert_eq!(judge(&json!([statement])), Verdict::Allowed);
}

#[test]
fn what_is_no_policy_is_said() {
    for (text, told) in [
        ("", "not JSON"),
        ("{}", "no statements"),
        ("{\"Statement\":\"x\"}", "no statements"),
        ("{\"Statement\":[{\"Effect\":\"allow\"}]}", "statement 1 has neither"),
        ("{\"Statement\":{\"Effect\":\"Allow\",\"Action\":7}}", "neither text nor list"),
        ("{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"a\",\"NotAction\":\"b\"}}", "both"),
    ] {
        let wrong = Policy::read(text).unwrap_err();
        assert!(wrong.contains(told), "{text}: {wrong}");
    }
}
