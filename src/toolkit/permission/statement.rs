//! One statement: whom it is about, for what, on what, and under which conditions.

use serde_json::Value;

use super::pattern::{like, like_arn};
use super::{Match, Request, condition};

/// One statement of a policy.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    /// By which a person finds it: its Sid, else its place.
    pub(super) name: String,
    pub(super) allows: bool,
    principal: Said<Value>,
    action: Said<Vec<String>>,
    resource: Said<Vec<String>>,
    condition: Option<Value>,
}

/// An element or its negation: `Action` or `NotAction`.
#[derive(Debug, Clone, PartialEq)]
enum Said<T> {
    These(T),
    AllBut(T),
    Nothing,
}

impl Statement {
    pub(super) fn read(number: usize, value: &Value) -> Result<Self, String> {
        let name = match value.get("Sid").and_then(Value::as_str) {
            Some(sid) if !sid.is_empty() => format!("statement {sid:?}"),
            Some(_) | None => format!("statement {number}"),
        };
        let allows = match value.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            Some(_) | None => return Err(format!("{name} has neither Effect Allow nor Deny")),
        };
        let list = |value: &Value| {
            texts(value).ok_or_else(|| format!("{name} holds what is neither text nor list"))
        };
        Ok(Self {
            allows,
            principal: Said::read(value, "Principal", "NotPrincipal", |value| Ok(value.clone()))?,
            action: Said::read(value, "Action", "NotAction", list)?,
            resource: Said::read(value, "Resource", "NotResource", list)?,
            condition: value.get("Condition").cloned(),
            name,
        })
    }

    /// Whether it is about this request.
    pub(super) fn applies(&self, request: &Request<'_>) -> Match {
        let action = self.action.holds(|patterns| {
            let (action, mut patterns) = (request.action.to_lowercase(), patterns.iter());
            Match::of(patterns.any(|pattern| like(&pattern.to_lowercase(), &action)))
        });
        let resource = self.resource.holds(|patterns| {
            Match::any(patterns.iter().map(|pattern| {
                if pattern.contains("${") {
                    return Match::Unknown(format!("the resource {pattern:?} holds a variable"));
                }
                like_arn(pattern, request.resource)
            }))
        });
        let principal = self.principal.holds(|principal| is_principal(principal, request));
        let condition = match &self.condition {
            Some(condition) => condition::holds(condition, request),
            None => Match::Yes,
        };
        Match::all([principal, action, resource, condition])
    }
}

impl<T> Said<T> {
    fn read(
        statement: &Value,
        these: &str,
        all_but: &str,
        read: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<Self, String> {
        match (statement.get(these), statement.get(all_but)) {
            (Some(value), None) => read(value).map(Self::These),
            (None, Some(value)) => read(value).map(Self::AllBut),
            (None, None) => Ok(Self::Nothing),
            (Some(_), Some(_)) => Err(format!("a statement has both {these} and {all_but}")),
        }
    }

    fn holds(&self, is_among: impl Fn(&T) -> Match) -> Match {
        match self {
            Self::These(these) => is_among(these),
            Self::AllBut(others) => is_among(others).not(),
            Self::Nothing => Match::Unknown("it lacks an element".to_owned()),
        }
    }
}

/// A text, or a list of texts.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// Whether the service is among them. `"*"` and `{"AWS": "*"}` are everybody, services too.
fn is_principal(principal: &Value, request: &Request<'_>) -> Match {
    let unclear = || Match::Unknown(format!("its principal {principal} cannot be judged"));
    match principal {
        Value::String(text) => Match::of(text == "*"),
        Value::Object(kinds) => Match::any(kinds.iter().map(|(kind, named)| {
            let Some(named) = texts(named) else { return unclear() };
            match kind.as_str() {
                "AWS" => Match::of(named.iter().any(|name| name == "*")),
                "Service" => Match::any(named.iter().map(|name| is_service(name, request.service))),
                "Federated" | "CanonicalUser" => Match::No,
                _ => unclear(),
            }
        })),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => unclear(),
    }
}

/// `sns.amazonaws.com`; a region's own name, `sns.eu-south-1.amazonaws.com`, stands for deliveries
/// out of some regions only.
fn is_service(named: &str, service: &str) -> Match {
    if named == service {
        return Match::Yes;
    }
    let label = |name: &str| name.split('.').next().map(str::to_owned);
    let is_regional = named.ends_with(".amazonaws.com") || named.ends_with(".amazonaws.com.cn");
    if named.contains('*') || (is_regional && label(named) == label(service)) {
        return Match::Unknown(format!("its principal {named:?} is not {service:?} itself"));
    }
    Match::No
}
