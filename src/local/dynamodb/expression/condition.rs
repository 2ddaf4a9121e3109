//! Conditions and filters: read once, then asked of each item.

use super::super::number::Number;
use super::super::refusal::Refusal;
use super::super::value::{Item, Value};
use super::parse::Parser;
use super::path::Path;
use super::token::Token;

#[derive(Debug, Clone)]
pub(in super::super) enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Compare, Operand, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    IsOfType(Path, String),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Compare {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Debug, Clone)]
pub(in super::super) enum Operand {
    Path(Path),
    Value(Value),
    Size(Box<Operand>),
}

const COMPARISONS: [(&str, Compare); 6] = [
    ("=", Compare::Equal),
    ("<>", Compare::Unequal),
    ("<=", Compare::AtMost),
    (">=", Compare::AtLeast),
    ("<", Compare::Less),
    (">", Compare::More),
];
const TYPES: [&str; 10] = ["S", "SS", "N", "NS", "B", "BS", "BOOL", "NULL", "L", "M"];

impl Condition {
    /// OR binds least, then AND, then NOT.
    pub(in super::super) fn grammar(parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        let mut left = Self::conjunction(parser)?;
        while parser.keyword("OR") {
            left = Self::Or(Box::new(left), Box::new(Self::conjunction(parser)?));
        }
        Ok(left)
    }

    fn conjunction(parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        let mut left = Self::negation(parser)?;
        while parser.keyword("AND") {
            left = Self::And(Box::new(left), Box::new(Self::negation(parser)?));
        }
        Ok(left)
    }

    fn negation(parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        if parser.keyword("NOT") {
            return Ok(Self::Not(Box::new(parser.deeper(Self::negation)?)));
        }
        if parser.sign("(") {
            let inside = parser.deeper(Self::grammar)?;
            parser.expect_sign(")")?;
            return Ok(inside);
        }
        let function = match (parser.peek(), parser.peek_second()) {
            (Some(Token::Word(word)), Some(Token::Sign("("))) if word != "size" => word.clone(),
            _ => return Self::comparison(parser),
        };
        parser.next();
        parser.next();
        let condition = Self::function(&function, parser)?;
        parser.expect_sign(")")?;
        Ok(condition)
    }

    fn function(name: &str, parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        Ok(match name {
            "attribute_exists" => Self::Exists(parser.path()?),
            "attribute_not_exists" => Self::Not(Box::new(Self::Exists(parser.path()?))),
            "attribute_type" => {
                let path = parser.path()?;
                parser.expect_sign(",")?;
                if let Value::Text(kind) = parser.value()?
                    && TYPES.contains(&kind.as_str())
                {
                    return Ok(Self::IsOfType(path, kind));
                }
                return Err(parser.refuse("Invalid attribute type name found"));
            }
            "begins_with" | "contains" => {
                let left = Operand::grammar(parser)?;
                parser.expect_sign(",")?;
                let right = Operand::grammar(parser)?;
                if name == "contains" {
                    return Ok(Self::Contains(left, right));
                }
                for operand in [&left, &right] {
                    if let Operand::Value(value) = operand
                        && !matches!(value, Value::Text(_) | Value::Bytes(_))
                    {
                        return Err(wrong_type(parser, name, value));
                    }
                }
                Self::BeginsWith(left, right)
            }
            _ => {
                return Err(parser.refuse(format!("Invalid function name; function: {name}")));
            }
        })
    }

    fn comparison(parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        let left = Operand::grammar(parser)?;
        if parser.keyword("BETWEEN") {
            let low = Operand::grammar(parser)?;
            if !parser.keyword("AND") {
                return Err(parser.unexpected(parser.peek()));
            }
            let high = Operand::grammar(parser)?;
            if let (Operand::Value(low), Operand::Value(high)) = (&low, &high)
                && (low.kind() != high.kind() || low > high)
            {
                return Err(parser.refuse(
                    "The BETWEEN operator requires upper bound to be greater than or equal to \
                     lower bound",
                ));
            }
            return Ok(Self::Between(left, low, high));
        }
        if parser.keyword("IN") {
            parser.expect_sign("(")?;
            let list = parser.list(Operand::grammar)?;
            parser.expect_sign(")")?;
            if list.len() > 100 {
                return Err(parser.refuse("The IN operator is provided with too many operands"));
            }
            return Ok(Self::In(left, list));
        }
        let Some((sign, compare)) = COMPARISONS.into_iter().find(|(sign, _)| parser.sign(sign))
        else {
            return Err(parser.unexpected(parser.peek()));
        };
        let right = Operand::grammar(parser)?;
        if !matches!(compare, Compare::Equal | Compare::Unequal) {
            for operand in [&left, &right] {
                if let Operand::Value(value) = operand
                    && !value.is_ordered()
                {
                    return Err(wrong_type(parser, sign, value));
                }
            }
        }
        Ok(Self::Compare(compare, left, right))
    }

    /// True where it holds for this item; nothing there is an item without attributes.
    pub(in super::super) fn holds(&self, item: &Item) -> bool {
        match self {
            Self::And(left, right) => left.holds(item) && right.holds(item),
            Self::Or(left, right) => left.holds(item) || right.holds(item),
            Self::Not(inside) => !inside.holds(item),
            Self::Compare(compare, left, right) => {
                compare.holds(left.of(item).as_ref(), right.of(item).as_ref())
            }
            Self::Between(middle, low, high) => {
                let middle = middle.of(item);
                Compare::AtLeast.holds(middle.as_ref(), low.of(item).as_ref())
                    && Compare::AtMost.holds(middle.as_ref(), high.of(item).as_ref())
            }
            Self::In(one, list) => {
                let one = one.of(item);
                one.is_some() && list.iter().any(|other| other.of(item) == one)
            }
            Self::Exists(path) => path.get(item).is_some(),
            Self::IsOfType(path, kind) => path.get(item).is_some_and(|value| value.kind() == kind),
            Self::BeginsWith(whole, start) => match (whole.of(item), start.of(item)) {
                (Some(Value::Text(whole)), Some(Value::Text(start))) => whole.starts_with(&start),
                (Some(Value::Bytes(whole)), Some(Value::Bytes(start))) => whole.starts_with(&start),
                _ => false,
            },
            Self::Contains(whole, part) => match (whole.of(item), part.of(item)) {
                (Some(whole), Some(part)) => contains(&whole, &part),
                _ => false,
            },
        }
    }

    /// Every attribute of the item that it looks at.
    pub(in super::super) fn attributes(&self) -> Vec<&str> {
        let operands: Vec<&Operand> = match self {
            Self::And(left, right) | Self::Or(left, right) => {
                let mut both = left.attributes();
                both.extend(right.attributes());
                return both;
            }
            Self::Not(inside) => return inside.attributes(),
            Self::Exists(path) | Self::IsOfType(path, _) => return vec![path.top()],
            Self::Compare(_, left, right)
            | Self::BeginsWith(left, right)
            | Self::Contains(left, right) => vec![left, right],
            Self::Between(middle, low, high) => vec![middle, low, high],
            Self::In(one, list) => std::iter::once(one).chain(list).collect(),
        };
        operands.into_iter().filter_map(Operand::attribute).collect()
    }
}

impl Compare {
    /// What is missing is unequal to everything, and neither smaller nor larger.
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let (Some(left), Some(right)) = (left, right) else { return self == Self::Unequal };
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            _ if left.kind() != right.kind() || !left.is_ordered() => false,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl Operand {
    fn grammar(parser: &mut Parser<'_>) -> Result<Self, Refusal> {
        match (parser.peek(), parser.peek_second()) {
            (Some(Token::Value(_)), _) => Ok(Self::Value(parser.value()?)),
            (Some(Token::Word(word)), Some(Token::Sign("("))) if word == "size" => {
                parser.next();
                parser.next();
                let inside = parser.deeper(Self::grammar)?;
                parser.expect_sign(")")?;
                Ok(Self::Size(Box::new(inside)))
            }
            _ => Ok(Self::Path(parser.path()?)),
        }
    }

    fn of(&self, item: &Item) -> Option<Value> {
        match self {
            Self::Path(path) => path.get(item).cloned(),
            Self::Value(value) => Some(value.clone()),
            Self::Size(inside) => {
                let length = match inside.of(item)? {
                    Value::Text(text) => text.len(),
                    Value::Bytes(bytes) => bytes.len(),
                    Value::List(list) => list.len(),
                    Value::Map(map) => map.len(),
                    Value::Texts(set) => set.len(),
                    Value::Numbers(set) => set.len(),
                    Value::Blobs(set) => set.len(),
                    Value::Null | Value::Bool(_) | Value::Number(_) => return None,
                };
                Some(Value::Number(Number::from_len(length)))
            }
        }
    }

    fn attribute(&self) -> Option<&str> {
        match self {
            Self::Path(path) => Some(path.top()),
            Self::Value(_) => None,
            Self::Size(inside) => inside.attribute(),
        }
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Text(whole), Value::Text(part)) => whole.contains(part),
        (Value::Bytes(whole), Value::Bytes(part)) => {
            part.is_empty() || whole.windows(part.len()).any(|window| window == part)
        }
        (Value::List(list), part) => list.contains(part),
        (Value::Texts(set), Value::Text(part)) => set.contains(part),
        (Value::Numbers(set), Value::Number(part)) => set.contains(part),
        (Value::Blobs(set), Value::Bytes(part)) => set.contains(part),
        _ => false,
    }
}

fn wrong_type(parser: &Parser<'_>, operator: &str, value: &Value) -> Refusal {
    parser.refuse(format!(
        "Incorrect operand type for operator or function; operator or function: {operator}, \
         operand type: {}",
        value.kind()
    ))
}
