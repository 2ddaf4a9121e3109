//! Conditions: operators on the keys that are known of a service's request.

use serde_json::Value;

use super::pattern::{like, like_arn};
use super::{Match, Request};

/// Whether every operator of a condition block holds.
pub(super) fn holds(condition: &Value, request: &Request<'_>) -> Match {
    let unclear = || Match::Unknown("its Condition cannot be read".to_owned());
    let Some(operators) = condition.as_object() else { return unclear() };
    Match::all(operators.iter().map(|(operator, keys)| {
        let Some(keys) = keys.as_object() else { return unclear() };
        Match::all(keys.iter().map(|(key, values)| holds_for(operator, key, values, request)))
    }))
}

/// One operator on one key: any of the values will do, and of a negated operator none may.
fn holds_for(operator: &str, key: &str, values: &Value, request: &Request<'_>) -> Match {
    let unclear = || Match::Unknown(format!("{operator} on {key} cannot be judged beforehand"));
    let (Some(values), Some(actual)) = (scalars(values), known(key, request)) else {
        return unclear();
    };
    if values.iter().any(|value| value.contains("${")) {
        return unclear();
    }
    if operator == "Null" {
        return Match::any(values.iter().map(|value| Match::of(value == "false")));
    }
    let Some((test, is_negated)) = test(operator) else { return unclear() };
    let any = Match::any(values.iter().map(|value| test(value, &actual)));
    if is_negated { any.not() } else { any }
}

type Test = fn(&str, &str) -> Match;

/// What an operator does with a value and the request's own; true where it is turned round. The
/// keys known here always have one value, to which the forms for many and for none add nothing.
fn test(operator: &str) -> Option<(Test, bool)> {
    let many = ["ForAnyValue:", "ForAllValues:"];
    let base = many.iter().find_map(|prefix| operator.strip_prefix(prefix)).unwrap_or(operator);
    let base = base.strip_suffix("IfExists").unwrap_or(base);
    let equal: Test = |value, actual| Match::of(value == actual);
    let same_letters: Test =
        |value, actual| Match::of(value.to_lowercase() == actual.to_lowercase());
    let alike: Test = |value, actual| Match::of(like(value, actual));
    Some(match base {
        // ArnEquals and ArnLike behave alike: both take wildcards.
        "ArnEquals" | "ArnLike" => (like_arn, false),
        "ArnNotEquals" | "ArnNotLike" => (like_arn, true),
        "StringEquals" => (equal, false),
        "StringNotEquals" => (equal, true),
        "StringEqualsIgnoreCase" | "Bool" => (same_letters, false),
        "StringNotEqualsIgnoreCase" => (same_letters, true),
        "StringLike" => (alike, false),
        "StringNotLike" => (alike, true),
        _ => return None,
    })
}

/// The request's value of a key, where it is known beforehand. Names of keys know no case.
fn known(key: &str, request: &Request<'_>) -> Option<String> {
    Some(match key.to_ascii_lowercase().as_str() {
        "aws:sourcearn" => request.source_arn.to_owned(),
        "aws:sourceaccount" => request.source_account.to_owned(),
        // A service speaks to another over TLS, as itself.
        "aws:securetransport" | "aws:principalisawsservice" => "true".to_owned(),
        "aws:principalservicename" => request.service.to_owned(),
        _ => return None,
    })
}

/// Texts, and the numbers and truth values that stand for texts.
fn scalars(value: &Value) -> Option<Vec<String>> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match value {
        Value::Array(list) => list.iter().map(scalar).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            scalar(value).map(|one| vec![one])
        }
    }
}
