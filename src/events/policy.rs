//! Filter policies: which events a topic hands on to a queue.
//!
//! Source of the limits: the SNS developer guide ("filter policy constraints"): at most five
//! attribute names, 150 combinations of their values, 256 KiB.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value, json};

use crate::error::{Error, Kind, Result};
use crate::event::{self, Pattern};
use crate::payload::codec::python;

/// The most values of one attribute, where it is the only one.
pub const MOST_VALUES: usize = 150;
const MOST_BYTES: usize = 256 << 10;

/// The filter policy of one subscription: every message, or the events that it names.
///
/// `Display` writes it as iniesta's command does: one line of JSON in Python's layout.
/// ```
/// use longshore::event::Pattern;
/// use longshore::events::FilterPolicy;
///
/// # fn main() -> longshore::error::Result<()> {
/// // INIESTA_SQS_CONSUMER_FILTERS = ['some.*']
/// let policy = FilterPolicy::new("iniesta_pass", &[Pattern::of_filter("some.*").unwrap()])?;
/// assert_eq!(policy.to_string(), r#"{"iniesta_pass": [{"prefix": "some."}]}"#);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterPolicy {
    key: String,
    patterns: Vec<Pattern>,
}

impl FilterPolicy {
    /// The policy for these events, told by the message attribute `key`. What another pattern
    /// covers is left out; the order is that of the patterns. Without patterns every message
    /// passes.
    ///
    /// # Errors
    /// [`Kind::Settings`] where SNS would refuse it for its size.
    pub fn new(key: &str, patterns: &[Pattern]) -> Result<Self> {
        let policy = Self { key: key.to_owned(), patterns: event::without_shadowed(patterns) };
        let count = policy.patterns.len();
        let wrong = |why: String| {
            Error::new(Kind::Settings, "making the filter policy")
                .because(why)
                .hint("name several events by one prefix")
        };
        if count > MOST_VALUES {
            return Err(wrong(format!("it has {count} values, SNS takes at most {MOST_VALUES}")));
        }
        let bytes = policy.to_json().to_string().len();
        if bytes > MOST_BYTES {
            return Err(wrong(format!("it has {bytes} bytes, SNS takes at most {MOST_BYTES}")));
        }
        Ok(policy)
    }

    /// The events that pass; empty where every message does.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// As SNS wants it in `FilterPolicy`; an empty object lets every message through.
    pub fn to_json(&self) -> Value {
        if self.patterns.is_empty() {
            return json!({});
        }
        let values = self.patterns.iter().map(|pattern| match pattern {
            Pattern::Exact(name) => json!(name),
            // Every message that names an event at all.
            Pattern::Prefix(prefix) if prefix.is_empty() => json!({ "exists": true }),
            Pattern::Prefix(prefix) => json!({ "prefix": prefix }),
        });
        Value::Object(Map::from_iter([(self.key.clone(), values.collect())]))
    }

    /// True where a subscription's policy says the same, whatever the order of its values. No policy
    /// at all (`None`, or an empty text) is the empty one.
    pub fn is_same(&self, remote: Option<&str>) -> bool {
        let remote = match remote.map(str::trim) {
            None | Some("") => Some(json!({})),
            Some(text) => serde_json::from_str(text).ok(),
        };
        remote.is_some_and(|remote| in_order(remote) == in_order(self.to_json()))
    }
}

impl fmt::Display for FilterPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&python::layout(&self.to_json().to_string()).map_err(|_| fmt::Error)?)
    }
}

/// Lists as sets: each value once, in an order of its own.
fn in_order(policy: Value) -> Value {
    match policy {
        Value::Array(values) => {
            let texts: BTreeSet<String> =
                values.into_iter().map(|value| in_order(value).to_string()).collect();
            json!(texts)
        }
        Value::Object(keys) => {
            keys.into_iter().map(|(key, value)| (key, in_order(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => policy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_filters(filters: &[&str]) -> FilterPolicy {
        let patterns: Vec<Pattern> =
            filters.iter().map(|filter| Pattern::of_filter(filter).unwrap()).collect();
        FilterPolicy::new("iniesta_pass", &patterns).unwrap()
    }

    #[test]
    fn i1_filters_become_a_policy_in_the_order_given() {
        for (filters, policy) in [
            (&["help.me"][..], r#"{"iniesta_pass": ["help.me"]}"#),
            (&["some.*"], r#"{"iniesta_pass": [{"prefix": "some."}]}"#),
            (
                &["hello.iniesta", "Request.*"],
                r#"{"iniesta_pass": ["hello.iniesta", {"prefix": "Request."}]}"#,
            ),
            (&["Request.shop", "Request.*"], r#"{"iniesta_pass": [{"prefix": "Request."}]}"#),
            (&["é.x"], r#"{"iniesta_pass": ["\u00e9.x"]}"#),
            (&[], "{}"),
        ] {
            assert_eq!(of_filters(filters).to_string(), policy);
        }
    }

    #[test]
    fn routes_become_a_policy_by_our_grammar() {
        let routes = ["OrderPlaced.shop", "Audit*"].map(|route| Pattern::of_route(route).unwrap());
        let policy = FilterPolicy::new("event", &routes).unwrap();
        assert_eq!(policy.to_string(), r#"{"event": ["OrderPlaced.shop", {"prefix": "Audit"}]}"#);
        let all = FilterPolicy::new("event", &[Pattern::of_route("*").unwrap()]).unwrap();
        assert_eq!(all.to_string(), r#"{"event": [{"exists": true}]}"#);
    }

    #[test]
    fn a_policy_is_the_same_in_any_order_and_not_with_anything_more() {
        let policy = of_filters(&["hello.iniesta", "Request.*"]);
        for same in [
            r#"{"iniesta_pass":["hello.iniesta",{"prefix":"Request."}]}"#,
            r#"{"iniesta_pass":[{"prefix":"Request."},"hello.iniesta","hello.iniesta"]}"#,
        ] {
            assert!(policy.is_same(Some(same)), "{same}");
        }
        for other in [
            Some(r#"{"iniesta_pass":["hello.iniesta"]}"#),
            Some(r#"{"iniesta_pass":["hello.iniesta",{"suffix":"Request."}]}"#),
            Some(r#"{"other":["hello.iniesta",{"prefix":"Request."}]}"#),
            Some("no json"),
            Some("{}"),
            None,
        ] {
            assert!(!policy.is_same(other), "{other:?}");
        }
        for none in [None, Some(""), Some("{}")] {
            assert!(of_filters(&[]).is_same(none), "{none:?}");
        }
    }

    #[test]
    fn the_limits_of_sns_are_checked() {
        let many = |count: usize| -> Vec<Pattern> {
            (0..count).map(|number| Pattern::Exact(format!("E{number}.shop"))).collect()
        };
        assert!(FilterPolicy::new("e", &many(150)).is_ok());
        let error = FilterPolicy::new("e", &many(151)).unwrap_err();
        assert!(error.to_string().contains("151 values"), "{error}");
        let long = [Pattern::Exact("x".repeat(MOST_BYTES))];
        assert!(FilterPolicy::new("e", &long).unwrap_err().to_string().contains("bytes"));
    }
}
