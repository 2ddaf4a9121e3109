//! Update expressions: `SET … REMOVE … ADD … DELETE …`.

use super::super::number::Number;
use super::super::refusal::Refusal;
use super::super::value::{Item, Value};
use super::parse::Parser;
use super::path::Path;
use super::token::Token;

/// Every place is named once, so the order of the actions does not matter.
#[derive(Debug, Clone)]
pub(in super::super) struct Update(Vec<(Path, Action)>);

#[derive(Debug, Clone)]
enum Action {
    Set(Term),
    Remove,
    Add(Value),
    Delete(Value),
}

#[derive(Debug, Clone)]
enum Term {
    Path(Path),
    Value(Value),
    Plus(Box<Term>, Box<Term>),
    Minus(Box<Term>, Box<Term>),
    IfNotExists(Path, Box<Term>),
    ListAppend(Box<Term>, Box<Term>),
}

impl Update {
    pub(in super::super) fn grammar(parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        const CLAUSES: [&str; 4] = ["SET", "REMOVE", "ADD", "DELETE"];
        let (mut actions, mut seen) = (Vec::new(), Vec::new());
        while parser.peek().is_some() {
            let Some(clause) = CLAUSES.into_iter().find(|clause| parser.keyword(clause)) else {
                return Err(parser.unexpected(parser.peek()));
            };
            if seen.contains(&clause) {
                return Err(parser.refuse(format!(
                    "The \"{clause}\" section can only be used once in an update expression;"
                )));
            }
            seen.push(clause);
            actions.extend(parser.list(|parser| action(clause, parser))?);
        }
        for (at, (path, _)) in actions.iter().enumerate() {
            if actions.iter().skip(at + 1).any(|(other, _)| path.overlaps(other)) {
                return Err(parser.refuse(
                    "Two document paths overlap with each other; must remove or rewrite one of \
                     these paths",
                ));
            }
        }
        Ok(Self(actions))
    }

    /// The attributes that it changes.
    pub(in super::super) fn attributes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(path, _)| path.top())
    }

    /// The item after it; every term sees the item as it was.
    pub(in super::super) fn apply(&self, old: &Item) -> Result<Item, Refusal> {
        let mut new = old.clone();
        let mut removals: Vec<&Path> = Vec::new();
        for (path, action) in &self.0 {
            match action {
                Action::Set(term) => path.set(&mut new, term.of(old)?)?,
                Action::Remove => removals.push(path),
                Action::Add(value) => path.set(&mut new, added(path.get(old), value)?)?,
                Action::Delete(value) => match path.get(old) {
                    None => {}
                    Some(there) => match without(there, value)? {
                        Some(left) => path.set(&mut new, left)?,
                        None => removals.push(path),
                    },
                },
            }
        }
        removals.sort_by_key(|path| std::cmp::Reverse(path.last_index()));
        for path in removals {
            path.remove(&mut new)?;
        }
        Ok(new)
    }
}

fn action(clause: &str, parser: &mut Parser<'_>) -> Result<(Path, Action), Refusal> {
    let path = parser.path()?;
    let action = match clause {
        "SET" => {
            parser.expect_sign("=")?;
            Action::Set(Term::grammar(parser)?)
        }
        "REMOVE" => Action::Remove,
        _ => {
            let value = parser.value()?;
            let is_set = matches!(value, Value::Texts(_) | Value::Numbers(_) | Value::Blobs(_));
            let is_add = clause == "ADD";
            if !(is_set || is_add && matches!(value, Value::Number(_))) {
                return Err(parser.refuse(format!(
                    "Incorrect operand type for operator or function; operator: {clause}, operand \
                     type: {}",
                    value.kind()
                )));
            }
            if is_add { Action::Add(value) } else { Action::Delete(value) }
        }
    };
    Ok((path, action))
}

impl Term {
    fn grammar(parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        let left = Self::single(parser)?;
        if parser.sign("+") {
            return Ok(Self::Plus(Box::new(left), Box::new(Self::single(parser)?)));
        }
        if parser.sign("-") {
            return Ok(Self::Minus(Box::new(left), Box::new(Self::single(parser)?)));
        }
        Ok(left)
    }

    fn single(parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        if parser.sign("(") {
            let inside = parser.deeper(Self::grammar)?;
            parser.expect_sign(")")?;
            return Ok(inside);
        }
        let function = match (parser.peek(), parser.peek_second()) {
            (Some(Token::Value(_)), _) => return Ok(Self::Value(parser.value()?)),
            (Some(Token::Word(word)), Some(Token::Sign("("))) => word.clone(),
            _ => return Ok(Self::Path(parser.path()?)),
        };
        parser.next();
        parser.next();
        let term = match function.as_str() {
            "if_not_exists" => {
                let path = parser.path()?;
                parser.expect_sign(",")?;
                Self::IfNotExists(path, Box::new(parser.deeper(Self::single)?))
            }
            "list_append" => {
                let left = parser.deeper(Self::single)?;
                parser.expect_sign(",")?;
                Self::ListAppend(Box::new(left), Box::new(parser.deeper(Self::single)?))
            }
            name => {
                return Err(parser.refuse(format!("Invalid function name; function: {name}")));
            }
        };
        parser.expect_sign(")")?;
        Ok(term)
    }

    fn of(&self, item: &Item) -> Result<Value, Refusal> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Path(path) => path.get(item).cloned().ok_or_else(|| {
                Refusal::validation(
                    "The provided expression refers to an attribute that does not exist in the \
                     item",
                )
            }),
            Self::IfNotExists(path, otherwise) => match path.get(item) {
                Some(value) => Ok(value.clone()),
                None => otherwise.of(item),
            },
            Self::Plus(left, right) => calculate(left.of(item)?, right.of(item)?, Number::plus),
            Self::Minus(left, right) => calculate(left.of(item)?, right.of(item)?, Number::minus),
            Self::ListAppend(left, right) => match (left.of(item)?, right.of(item)?) {
                (Value::List(mut left), Value::List(right)) => {
                    left.extend(right);
                    Ok(Value::List(left))
                }
                _ => Err(incorrect()),
            },
        }
    }
}

fn calculate(
    left: Value,
    right: Value,
    operation: impl Fn(&Number, &Number) -> Result<Number, Refusal>,
) -> Result<Value, Refusal> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Ok(Value::Number(operation(&left, &right)?)),
        _ => Err(incorrect()),
    }
}

fn added(there: Option<&Value>, value: &Value) -> Result<Value, Refusal> {
    Ok(match (there, value) {
        (None, value) => value.clone(),
        (Some(Value::Number(left)), Value::Number(right)) => Value::Number(left.plus(right)?),
        (Some(Value::Texts(left)), Value::Texts(right)) => Value::Texts(left | right),
        (Some(Value::Numbers(left)), Value::Numbers(right)) => Value::Numbers(left | right),
        (Some(Value::Blobs(left)), Value::Blobs(right)) => Value::Blobs(left | right),
        _ => return Err(incorrect()),
    })
}

/// What is left of a set; none where nothing is, since no set is empty.
fn without(there: &Value, value: &Value) -> Result<Option<Value>, Refusal> {
    Ok(match (there, value) {
        (Value::Texts(left), Value::Texts(right)) => {
            Some(left - right).filter(|set| !set.is_empty()).map(Value::Texts)
        }
        (Value::Numbers(left), Value::Numbers(right)) => {
            Some(left - right).filter(|set| !set.is_empty()).map(Value::Numbers)
        }
        (Value::Blobs(left), Value::Blobs(right)) => {
            Some(left - right).filter(|set| !set.is_empty()).map(Value::Blobs)
        }
        _ => return Err(incorrect()),
    })
}

fn incorrect() -> Refusal {
    Refusal::validation("An operand in the update expression has an incorrect data type")
}
