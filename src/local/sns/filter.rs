//! Filter policies: does a subscription want this message?

use serde_json::{Map, Value};

use crate::local::fault::Fault;
use crate::local::sqs::Attributes;

const CONDITIONS: [&str; 6] =
    ["anything-but", "equals-ignore-case", "exists", "numeric", "prefix", "suffix"];

/// Refuses a policy that is no policy, or whose conditions are not known here.
pub(super) fn check(policy: &str) -> Result<(), Fault> {
    let wrong = |why: String| {
        Err(Fault::new("InvalidParameter", format!("Invalid parameter: FilterPolicy: {why}")))
    };
    match serde_json::from_str::<Value>(policy) {
        Ok(Value::Object(map)) => match first_unknown(&map) {
            None => Ok(()),
            Some(unknown) => wrong(format!("Unrecognized match type {unknown}")),
        },
        Ok(_) => wrong("Filter policy must be an object".to_owned()),
        Err(error) => wrong(format!("failed to parse JSON. {error}")),
    }
}

fn first_unknown(policy: &Map<String, Value>) -> Option<String> {
    policy.iter().find_map(|(key, value)| match value {
        Value::Object(nested) => first_unknown(nested),
        Value::Array(_) if key.starts_with('$') => Some(key.clone()),
        Value::Array(rules) => rules.iter().filter_map(Value::as_object).find_map(|rule| {
            rule.keys().find(|name| !CONDITIONS.contains(&name.as_str())).cloned()
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(key.clone()),
    })
}

/// The policy against message attributes; a `String.Array` matches by any of its entries.
pub(super) fn matches_attributes(policy: &str, attributes: &Attributes) -> bool {
    let values: Map<String, Value> = attributes
        .iter()
        .filter_map(|(name, attribute)| {
            let text = attribute.string_value.as_ref()?;
            let value = match attribute.data_type.as_str() {
                "Number" | "String.Array" => serde_json::from_str(text).ok()?,
                _ => Value::String(text.clone()),
            };
            Some((name.clone(), value))
        })
        .collect();
    matches(policy, &Value::Object(values))
}

/// The policy against a message that is JSON; any other message does not match.
pub(super) fn matches_body(policy: &str, message: &str) -> bool {
    serde_json::from_str(message).is_ok_and(|body| matches(policy, &body))
}

fn matches(policy: &str, values: &Value) -> bool {
    match serde_json::from_str::<Value>(policy) {
        Ok(Value::Object(policy)) => matches_all(&policy, values),
        _ => false,
    }
}

fn matches_all(policy: &Map<String, Value>, values: &Value) -> bool {
    if let Value::Array(several) = values {
        return several.iter().any(|value| matches_all(policy, value));
    }
    policy.iter().all(|(key, rules)| {
        let value = values.get(key);
        match rules.as_object() {
            Some(nested) => value.is_some_and(|value| matches_all(nested, value)),
            None => rules.as_array().into_iter().flatten().any(|rule| meets(rule, value)),
        }
    })
}

fn meets(rule: &Value, value: Option<&Value>) -> bool {
    let condition = rule.as_object().and_then(|rule| rule.iter().next());
    if let Some((name, expected)) = condition
        && name == "exists"
    {
        return value.is_some() == expected.as_bool().unwrap_or(true);
    }
    match value {
        None => false,
        Some(Value::Array(several)) => several.iter().any(|value| meets(rule, Some(value))),
        Some(value) => match condition {
            None => same(rule, value),
            Some((name, expected)) => meets_condition(name, expected, value),
        },
    }
}

fn same(expected: &Value, value: &Value) -> bool {
    match (expected.as_f64(), value.as_f64()) {
        (Some(expected), Some(value)) => (expected - value).abs() < f64::EPSILON,
        _ => expected == value,
    }
}

fn meets_condition(name: &str, expected: &Value, value: &Value) -> bool {
    let both = value.as_str().zip(expected.as_str());
    match name {
        "prefix" => both.is_some_and(|(text, prefix)| text.starts_with(prefix)),
        "suffix" => both.is_some_and(|(text, suffix)| text.ends_with(suffix)),
        "equals-ignore-case" => {
            both.is_some_and(|(text, other)| text.to_lowercase() == other.to_lowercase())
        }
        "anything-but" => match expected.as_array() {
            Some(refused) => !refused.iter().any(|refused| same(refused, value)),
            None => !meets(expected, Some(value)),
        },
        "numeric" => value.as_f64().is_some_and(|number| in_range(expected, number)),
        _ => false,
    }
}

/// `[">=", 0, "<", 100]`: every pair of operator and bound must hold.
fn in_range(bounds: &Value, number: f64) -> bool {
    let Value::Array(bounds) = bounds else { return false };
    bounds.chunks(2).all(|pair| match pair {
        [operator, bound] => match (operator.as_str(), bound.as_f64()) {
            (Some("="), Some(bound)) => (number - bound).abs() < f64::EPSILON,
            (Some(">"), Some(bound)) => number > bound,
            (Some(">="), Some(bound)) => number >= bound,
            (Some("<"), Some(bound)) => number < bound,
            (Some("<="), Some(bound)) => number <= bound,
            _ => false,
        },
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(policy: &str, message: &str) -> bool {
        check(policy).unwrap();
        matches_body(policy, message)
    }

    #[test]
    fn every_condition_takes_and_refuses() {
        for (policy, taken, refused) in [
            (r#"{"a":["x",1]}"#, r#"{"a":"x"}"#, r#"{"a":"y"}"#),
            (r#"{"a":["x",1]}"#, r#"{"a":1.0}"#, r#"{"b":"x"}"#),
            (r#"{"a":[{"prefix":"Or"}]}"#, r#"{"a":"Order"}"#, r#"{"a":"order"}"#),
            (r#"{"a":[{"suffix":"er"}]}"#, r#"{"a":"Order"}"#, r#"{"a":"Orders"}"#),
            (r#"{"a":[{"equals-ignore-case":"X"}]}"#, r#"{"a":"x"}"#, r#"{"a":"xx"}"#),
            (r#"{"a":[{"anything-but":["x",2]}]}"#, r#"{"a":"y"}"#, r#"{"a":2}"#),
            (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":"y"}"#, r#"{"a":"x"}"#),
            (r#"{"a":[{"anything-but":{"prefix":"x"}}]}"#, r#"{"a":"y"}"#, r#"{"a":"xy"}"#),
            (r#"{"a":[{"exists":true}]}"#, r#"{"a":null}"#, r#"{"b":1}"#),
            (r#"{"a":[{"exists":false}]}"#, r#"{"b":1}"#, r#"{"a":1}"#),
            (r#"{"a":[{"numeric":[">=",0,"<",9]}]}"#, r#"{"a":0}"#, r#"{"a":9}"#),
            (r#"{"a":{"b":["x"]}}"#, r#"{"a":{"b":["y","x"]}}"#, r#"{"a":{"c":"x"}}"#),
            (r#"{"a":["x"],"b":["y"]}"#, r#"{"a":"x","b":"y"}"#, r#"{"a":"x"}"#),
        ] {
            assert!(wants(policy, taken), "{policy} must take {taken}");
            assert!(!wants(policy, refused), "{policy} must refuse {refused}");
        }
        assert!(!wants(r#"{"a":["x"]}"#, "no JSON"));
    }

    #[test]
    fn a_policy_with_unknown_words_is_refused() {
        for policy in ["x", "[]", r#"{"a":"x"}"#, r#"{"a":[{"cidr":"::"}]}"#, r#"{"$or":[]}"#] {
            check(policy).unwrap_err();
        }
    }
}
