//! Whether a resource's policy lets an AWS service in: pure judging of IAM's policy language.
//!
//! Only what can be known beforehand is judged: who asks (a service), what for, on which resource,
//! on behalf of which ARN and account. A statement whose condition asks for anything else is
//! *undecided*; it is never taken for a permission. The rules are those of the "IAM JSON policy
//! elements reference" and of its "policy evaluation logic" for resource-based policies.

mod condition;
mod pattern;
mod statement;
#[cfg(test)]
mod tests;

use serde_json::Value;

use statement::Statement;

/// What a service will ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The service that asks: `sns.amazonaws.com`.
    pub service: &'a str,
    /// What it asks for: `sqs:SendMessage`.
    pub action: &'a str,
    /// The ARN of the resource whose policy is judged.
    pub resource: &'a str,
    /// The ARN on whose behalf it asks: `aws:SourceArn`.
    pub source_arn: &'a str,
    /// The account that owns the source: `aws:SourceAccount`.
    pub source_account: &'a str,
}

/// What a policy says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows it, and none denies it.
    Allowed,
    /// It hangs on what cannot be known beforehand; in words.
    Undecided(String),
    /// A statement denies it; names the statement.
    Denied(String),
    /// No statement allows it.
    NotAllowed,
}

/// A policy document.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// Whether something applies to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    /// It cannot be known; why.
    Unknown(String),
}

impl Policy {
    /// Reads a policy document; `Statement` may be one statement or a list.
    ///
    /// # Errors
    /// Says what of the document cannot be understood.
    pub fn read(text: &str) -> Result<Self, String> {
        let document: Value =
            serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            Some(_) | None => return Err("it holds no statements".to_owned()),
        };
        let read = |(index, value)| Statement::read(index + 1, value);
        let statements = statements.into_iter().enumerate().map(read);
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }

    /// What this policy says of a request: a denial outweighs every permission.
    pub fn judge(&self, request: &Request<'_>) -> Verdict {
        let mut allowed = false;
        let mut undecided = Vec::new();
        for statement in &self.statements {
            match (statement.applies(request), statement.allows) {
                (Match::Yes, true) => allowed = true,
                (Match::Yes, false) => return Verdict::Denied(statement.name.clone()),
                (Match::No, _) => {}
                (Match::Unknown(why), allows) => {
                    undecided.push((allows, format!("{}: {why}", statement.name)));
                }
            }
        }
        // What is allowed already does not hang on a further permission.
        undecided.retain(|(allows, _)| !(allowed && *allows));
        let reasons: Vec<String> = undecided.into_iter().map(|(_, why)| why).collect();
        match (reasons.is_empty(), allowed) {
            (false, _) => Verdict::Undecided(reasons.join("; ")),
            (true, true) => Verdict::Allowed,
            (true, false) => Verdict::NotAllowed,
        }
    }
}

impl Match {
    fn of(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    /// Holds where both hold.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    /// Holds where either holds.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::No, Self::No) => Self::No,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown(why) => Self::Unknown(why),
        }
    }

    fn any(matches: impl IntoIterator<Item = Self>) -> Self {
        matches.into_iter().fold(Self::No, Self::or)
    }

    fn all(matches: impl IntoIterator<Item = Self>) -> Self {
        matches.into_iter().fold(Self::Yes, Self::and)
    }
}
