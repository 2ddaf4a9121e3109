//! What a query asks of the keys.

use super::expression::{Compare, Condition, Operand, Path};
use super::key::Schema;
use super::refusal::Refusal;
use super::value::Value;

/// The partition that a key condition asks for: `hash = :value`, and perhaps one condition on the
/// range, which must be a form that keeps one stretch of it.
pub(super) fn partition(condition: &Condition, schema: &Schema) -> Result<Value, Refusal> {
    let parts = if let Condition::And(left, right) = condition {
        vec![left.as_ref(), right.as_ref()]
    } else {
        vec![condition]
    };
    let missed = || {
        let name = &schema.hash.name;
        Refusal::validation(format!("Query condition missed key schema element: {name}"))
    };
    let (mut hash, mut ranges) = (None, 0);
    for part in parts {
        let asked = Asked::of(part)?;
        let known = schema.parts().find(|part| part.name == asked.path.top()).ok_or_else(missed)?;
        if asked.values.iter().any(|value| value.kind() != known.kind) {
            return Err(Refusal::validation(
                "One or more parameter values were invalid: Condition parameter type does not \
                 match schema type",
            ));
        }
        if *known != schema.hash {
            ranges += 1;
        } else if !asked.is_equal || hash.is_some() {
            return Err(Refusal::validation("Query key condition not supported"));
        } else {
            hash = asked.values.first().map(|value| (*value).clone());
        }
    }
    let hash = hash.ok_or_else(missed)?;
    if ranges > 1 {
        return Err(Refusal::validation(
            "KeyConditionExpressions must only contain one condition per key",
        ));
    }
    Ok(hash)
}

/// A condition on one attribute.
struct Asked<'c> {
    path: &'c Path,
    values: Vec<&'c Value>,
    is_equal: bool,
}

impl<'c> Asked<'c> {
    fn of(condition: &'c Condition) -> Result<Self, Refusal> {
        let (path, values, is_equal) = match condition {
            Condition::Compare(compare, Operand::Path(path), Operand::Value(value))
                if *compare != Compare::Unequal =>
            {
                (path, vec![value], *compare == Compare::Equal)
            }
            Condition::Between(Operand::Path(path), Operand::Value(low), Operand::Value(high)) => {
                (path, vec![low, high], false)
            }
            Condition::BeginsWith(Operand::Path(path), Operand::Value(start)) => {
                (path, vec![start], false)
            }
            Condition::And(..)
            | Condition::Or(..)
            | Condition::Not(_)
            | Condition::Compare(..)
            | Condition::Between(..)
            | Condition::In(..)
            | Condition::Exists(_)
            | Condition::IsOfType(..)
            | Condition::BeginsWith(..)
            | Condition::Contains(..) => {
                return Err(Refusal::validation("Invalid operator used in KeyConditionExpression"));
            }
        };
        Ok(Self { path, values, is_equal })
    }
}
