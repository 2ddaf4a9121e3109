//! A queue's policy with one more sender let in: merged, never replaced.

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use crate::error::{Error, Kind, Result};
use crate::toolkit::permission::{Policy, Request, Verdict};

/// What it takes to bring a message to a queue, or to a topic.
fn send(target_arn: &str) -> &'static str {
    let is_topic = target_arn.split(':').nth(2) == Some("sns");
    if is_topic { "sns:Publish" } else { "sqs:SendMessage" }
}

/// A service that is to send to a queue on behalf of one of its resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The service, such as `sns.amazonaws.com` or `s3.amazonaws.com`.
    pub service: &'a str,
    /// The topic, bucket or rule on whose behalf it sends.
    pub arn: &'a str,
    /// The account that must own the resource. Needed for buckets alone, whose ARNs name none: a
    /// bucket that is deleted may come back as somebody else's.
    pub account: Option<&'a str>,
}

/// The policy that lets this topic send to this queue, [merged](allow).
///
/// # Errors
/// As [`allow`].
pub fn allow_topic(
    existing: Option<&str>,
    queue_arn: &str,
    topic_arn: &str,
) -> Result<Option<String>> {
    let topic = Source { service: "sns.amazonaws.com", arn: topic_arn, account: None };
    allow(existing, queue_arn, &topic)
}

/// The policy that the queue must be given so that this source may send; nothing where it may
/// already. A topic's policy is merged in the same way.
///
/// Every statement of the existing policy stays as it is, except an older one of ours for the same
/// source. A denial is none of our business: it stays and goes on denying.
///
/// # Errors
/// [`Kind::Invalid`] where the existing policy is none: it is not replaced.
pub fn allow(
    existing: Option<&str>,
    queue_arn: &str,
    source: &Source<'_>,
) -> Result<Option<String>> {
    let existing = existing.map(str::trim).filter(|text| !text.is_empty());
    if existing.is_some_and(|text| is_allowed(text, queue_arn, source)) {
        return Ok(None);
    }
    let mut policy = existing.map_or_else(|| Ok(fresh()), |text| read(text, queue_arn))?;
    let mut statements = match policy.remove("Statement") {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let ours = statement(queue_arn, source);
    if statements.contains(&ours) {
        return Ok(None);
    }
    statements.retain(|statement| statement.get("Sid") != ours.get("Sid"));
    statements.push(ours);
    policy.insert("Statement".to_owned(), Value::Array(statements));
    Ok(Some(Value::Object(policy).to_string()))
}

fn fresh() -> Map<String, Value> {
    Map::from_iter([("Version".to_owned(), json!("2012-10-17"))])
}

fn read(text: &str, queue_arn: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).map_err(|error| {
        Error::new(Kind::Invalid, format!("reading the policy of {queue_arn}"))
            .answered()
            .because(error)
            .hint("it is left as it is; put it right, or remove it, by hand")
    })
}

fn statement(queue_arn: &str, source: &Source<'_>) -> Value {
    let mut condition = Map::new();
    condition.insert("ArnEquals".to_owned(), json!({ "aws:SourceArn": source.arn }));
    if let Some(account) = source.account {
        condition.insert("StringEquals".to_owned(), json!({ "aws:SourceAccount": account }));
    }
    json!({
        "Sid": sid(source),
        "Effect": "Allow",
        "Principal": { "Service": source.service },
        "Action": send(queue_arn),
        "Resource": queue_arn,
        "Condition": condition,
    })
}

/// The same for the same source, since the names of statements may not repeat.
fn sid(source: &Source<'_>) -> String {
    let digest = Md5::digest(format!("{} {}", source.service, source.arn));
    format!("Longshore{:032x}", u128::from_be_bytes(digest.into()))
}

/// What cannot be judged is not taken for a permission: then ours is added.
fn is_allowed(policy: &str, queue_arn: &str, source: &Source<'_>) -> bool {
    let in_arn = source.arn.split(':').nth(4).unwrap_or_default();
    let request = Request {
        service: source.service,
        action: send(queue_arn),
        resource: queue_arn,
        source_arn: source.arn,
        source_account: source.account.unwrap_or(in_arn),
    };
    Policy::read(policy).is_ok_and(|policy| policy.judge(&request) == Verdict::Allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders";

    fn topic(name: &str) -> String {
        format!("arn:aws:sns:us-east-1:123456789012:{name}")
    }

    fn statements(policy: &str) -> Vec<Value> {
        let policy: Value = serde_json::from_str(policy).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    }

    #[test]
    fn a18_two_topics_keep_two_statements_and_again_changes_nothing() {
        let one = allow_topic(None, QUEUE, &topic("a")).unwrap().unwrap();
        let two = allow_topic(Some(&one), QUEUE, &topic("b")).unwrap().unwrap();
        assert_eq!(statements(&two).len(), 2);
        assert_eq!(statements(&two)[0], statements(&one)[0]);
        for name in ["a", "b"] {
            assert_eq!(allow_topic(Some(&two), QUEUE, &topic(name)).unwrap(), None);
        }
        assert!(allow_topic(Some(&two), QUEUE, &topic("c")).unwrap().is_some());
    }

    #[test]
    fn what_others_wrote_stays() {
        let own = r#"{"Id":"mine","Version":"2008-10-17","Statement":
            {"Sid":"x","Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*",
             "Condition":{"Bool":{"aws:SecureTransport":"false"}}}}"#;
        let merged = allow_topic(Some(own), QUEUE, &topic("a")).unwrap().unwrap();
        let (before, after): (Value, Value) =
            (serde_json::from_str(own).unwrap(), serde_json::from_str(&merged).unwrap());
        assert_eq!((&after["Id"], &after["Version"]), (&before["Id"], &before["Version"]));
        assert_eq!(statements(&merged)[0], before["Statement"]);
        assert_eq!(statements(&merged).len(), 2);
        assert_eq!(allow_topic(Some(&merged), QUEUE, &topic("a")).unwrap(), None);
    }

    #[test]
    fn whoever_may_send_already_needs_nothing() {
        let open = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"SQS:*",
            "Resource":"arn:aws:sqs:*:*:orders"}]}"#;
        assert_eq!(allow_topic(Some(open), QUEUE, &topic("a")).unwrap(), None);
    }

    #[test]
    fn an_older_statement_of_ours_is_brought_up_to_date() {
        let one = allow_topic(None, QUEUE, &topic("a")).unwrap().unwrap();
        let spoiled = one.replace(send(QUEUE), "sqs:ReceiveMessage");
        assert_eq!(allow_topic(Some(&spoiled), QUEUE, &topic("a")).unwrap().unwrap(), one);
    }

    #[test]
    fn a_bucket_is_let_in_for_its_owner_alone() {
        let bucket = Source {
            service: "s3.amazonaws.com",
            arn: "arn:aws:s3:::reports",
            account: Some("123456789012"),
        };
        let policy = allow(None, QUEUE, &bucket).unwrap().unwrap();
        let condition = &statements(&policy)[0]["Condition"];
        assert_eq!(condition["StringEquals"]["aws:SourceAccount"], "123456789012");
        assert_eq!(allow(Some(&policy), QUEUE, &bucket).unwrap(), None);
        let foreign = Source { account: Some("999999999999"), ..bucket };
        assert!(allow(Some(&policy), QUEUE, &foreign).unwrap().is_some());
    }

    #[test]
    fn a_policy_that_is_none_is_not_replaced() {
        for text in ["not json", "[1]"] {
            let error = allow_topic(Some(text), QUEUE, &topic("a")).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{text}");
        }
        assert!(allow_topic(Some("{}"), QUEUE, &topic("a")).unwrap().is_some());
        assert!(allow_topic(Some(" "), QUEUE, &topic("a")).unwrap().is_some());
    }
}
