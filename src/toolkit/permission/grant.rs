//! A policy with one more statement: merged, never replaced.

use serde_json::{Map, Value, json};

use super::{Policy, Request, Verdict};

/// The policy with a statement that allows this request, behind all that stand in it. Nothing where
/// the policy allows it already, or holds that very statement: then what keeps the request out is
/// another one, which is left to its author.
///
/// The statement lets in the service for this source only. `account` adds a condition on the
/// account, for sources whose ARN names none, such as buckets.
///
/// # Errors
/// Where the existing policy cannot be read: it is never thrown away.
pub fn grant(
    existing: Option<&str>,
    request: &Request<'_>,
    account: bool,
) -> Result<Option<String>, String> {
    let statement = statement(request, account);
    let Some(text) = existing.filter(|text| !text.is_empty()) else {
        return Ok(Some(document(vec![statement]).to_string()));
    };
    if Policy::read(text)?.judge(request) == Verdict::Allowed {
        return Ok(None);
    }
    let mut policy: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(members) = policy.as_object_mut() else {
        return Err("it is no JSON object".to_owned());
    };
    let mut statements = match members.remove("Statement") {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    if statements.contains(&statement) {
        return Ok(None);
    }
    // A statement of this name is ours, of an earlier time.
    statements.retain(|other| other.get("Sid") != statement.get("Sid"));
    statements.push(statement);
    members.insert("Statement".to_owned(), Value::Array(statements));
    Ok(Some(policy.to_string()))
}

fn document(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn statement(request: &Request<'_>, account: bool) -> Value {
    let mut condition = Map::new();
    condition.insert("ArnEquals".to_owned(), json!({ "aws:SourceArn": request.source_arn }));
    if account {
        let owner = json!({ "aws:SourceAccount": request.source_account });
        condition.insert("StringEquals".to_owned(), owner);
    }
    json!({
        "Sid": sid(request.source_arn),
        "Effect": "Allow",
        "Principal": { "Service": request.service },
        "Action": request.action,
        "Resource": request.resource,
        "Condition": condition,
    })
}

/// A name for the statement that is the same each time: letters and digits only, as IAM wants it.
/// Two sources that differ in nothing else would share it; then their ARNs decide by a checksum.
fn sid(source: &str) -> String {
    let readable: String = source
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    let check = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, source.as_bytes());
    format!("longshore{readable}{check:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(source: &'static str) -> Request<'static> {
        Request {
            service: "sns.amazonaws.com",
            action: "sqs:SendMessage",
            resource: "arn:aws:sqs:us-east-1:111122223333:orders",
            source_arn: source,
            source_account: "111122223333",
        }
    }

    const SHOP: &str = "arn:aws:sns:us-east-1:111122223333:shop";
    const NEWS: &str = "arn:aws:sns:us-east-1:111122223333:news";

    fn statements(policy: &str) -> Vec<Value> {
        let policy: Value = serde_json::from_str(policy).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    }

    #[test]
    fn what_it_writes_allows_exactly_its_source_and_nothing_twice() {
        let policy = grant(None, &request(SHOP), false).unwrap().unwrap();
        let read = Policy::read(&policy).unwrap();
        assert_eq!(read.judge(&request(SHOP)), Verdict::Allowed);
        assert_eq!(read.judge(&request(NEWS)), Verdict::NotAllowed);
        assert_eq!(grant(Some(&policy), &request(SHOP), false), Ok(None));
    }

    #[test]
    fn every_other_statement_stays() {
        let foreign = json!({ "Sid": "theirs", "Effect": "Deny", "Principal": "*",
            "Action": "sqs:DeleteQueue", "Resource": "*" });
        let one = json!({ "Version": "2008-10-17", "Id": "x", "Statement": foreign }).to_string();
        let two = grant(Some(&one), &request(SHOP), false).unwrap().unwrap();
        let three = grant(Some(&two), &request(NEWS), false).unwrap().unwrap();
        assert_eq!(statements(&three).len(), 3);
        assert_eq!(statements(&three)[0], foreign);
        let policy: Value = serde_json::from_str(&three).unwrap();
        assert_eq!((&policy["Version"], &policy["Id"]), (&json!("2008-10-17"), &json!("x")));
        for source in [SHOP, NEWS] {
            assert_eq!(grant(Some(&three), &request(source), false), Ok(None), "{source}");
        }
    }

    #[test]
    fn a_denial_is_not_answered_with_the_same_statement_again() {
        let policy = grant(None, &request(SHOP), false).unwrap().unwrap();
        let mut policy: Value = serde_json::from_str(&policy).unwrap();
        let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*" });
        policy["Statement"].as_array_mut().unwrap().push(deny);
        assert_eq!(grant(Some(&policy.to_string()), &request(SHOP), false), Ok(None));
    }

    #[test]
    fn a_bucket_is_known_by_its_account_too() {
        let bucket = "arn:aws:s3:::uploads";
        let request = Request { service: "s3.amazonaws.com", ..request(bucket) };
        let policy = grant(None, &request, true).unwrap().unwrap();
        let condition = statements(&policy)[0]["Condition"].clone();
        assert_eq!(condition["StringEquals"]["aws:SourceAccount"], "111122223333");
        let other = Request { source_account: "9", ..request };
        assert_eq!(Policy::read(&policy).unwrap().judge(&other), Verdict::NotAllowed);
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_not_thrown_away() {
        for text in ["x", "[]", "{}"] {
            assert!(grant(Some(text), &request(SHOP), false).is_err(), "{text}");
        }
    }
}
