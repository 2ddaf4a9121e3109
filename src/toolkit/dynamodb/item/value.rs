//! Values: what they may be, how large they are, and when two are the same.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::number::Number;
use super::{Item, MOST_BYTES, MOST_LEVELS};
use crate::error::{Error, Kind, Result};

/// The value of an attribute, from what Rust has for it: text, a whole number, bytes, a truth value,
/// or what the SDK has.
#[derive(Debug, Clone, PartialEq)]
pub struct Value(pub(super) AttributeValue);

impl Value {
    /// A number with all its digits. Whether it is one shows when it is sent.
    pub fn number(text: impl Into<String>) -> Self {
        Self(AttributeValue::N(text.into()))
    }

    /// As the SDK has it.
    pub fn into_sdk(self) -> AttributeValue {
        self.0
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(AttributeValue::S(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(AttributeValue::S(text))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self(AttributeValue::Bool(value))
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self(AttributeValue::B(Blob::new(bytes)))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self(AttributeValue::B(Blob::new(bytes)))
    }
}

impl From<AttributeValue> for Value {
    fn from(value: AttributeValue) -> Self {
        Self(value)
    }
}

macro_rules! whole {
    ($($of:ty)*) => {$(
        impl From<$of> for Value {
            fn from(number: $of) -> Self {
                Self(AttributeValue::N(number.to_string()))
            }
        }
    )*};
}

whole! { i8 u8 i16 u16 i32 u32 i64 u64 i128 u128 isize usize }

/// Whether DynamoDB could keep it, as far as that shows without the table.
pub(super) fn check(item: &Item) -> Result<()> {
    for (name, value) in &item.0 {
        if name.is_empty() {
            return Err(Error::new(Kind::Invalid, "an attribute without a name"));
        }
        let wrong = check_value(value, 0).err();
        if let Some(wrong) = wrong {
            return Err(Error::new(Kind::Invalid, format!("the attribute {name:?}")).because(wrong));
        }
    }
    let size = item.size();
    if size > MOST_BYTES {
        let what = format!("an item of {size} bytes: DynamoDB takes at most {MOST_BYTES}");
        return Err(
            Error::new(Kind::Invalid, what).hint("keep what is large in S3, and its key here")
        );
    }
    Ok(())
}

fn check_value(value: &AttributeValue, level: usize) -> std::result::Result<(), String> {
    if level > MOST_LEVELS {
        return Err("lists and maps lie in each other more than 32 deep".to_owned());
    }
    let inside = |value| check_value(value, level + 1);
    match value {
        AttributeValue::N(text) => Number::read(text).map(drop),
        AttributeValue::L(list) => list.iter().try_for_each(inside),
        AttributeValue::M(map) => map.values().try_for_each(inside),
        AttributeValue::Ns(set) => {
            let numbers = set.iter().map(|text| Number::read(text));
            is_set(&numbers.collect::<std::result::Result<Vec<_>, _>>()?)
        }
        AttributeValue::Ss(set) => is_set(set),
        AttributeValue::Bs(set) => is_set(&set.iter().map(Blob::as_ref).collect::<Vec<_>>()),
        _ => Ok(()),
    }
}

fn is_set<T: Eq + std::hash::Hash>(of: &[T]) -> std::result::Result<(), String> {
    if of.is_empty() {
        return Err("a set must not be empty".to_owned());
    }
    let distinct: HashSet<&T> = of.iter().collect();
    if distinct.len() < of.len() {
        return Err("a set holds something twice".to_owned());
    }
    Ok(())
}

/// "DynamoDB item sizes and formats" of the developer guide.
pub(super) fn size(item: &BTreeMap<String, AttributeValue>) -> usize {
    item.iter().map(|(name, value)| name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(text) => size_of_number(text),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Ss(set) => set.iter().map(String::len).sum(),
        AttributeValue::Ns(set) => set.iter().map(|text| size_of_number(text)).sum(),
        AttributeValue::Bs(set) => set.iter().map(|bytes| bytes.as_ref().len()).sum(),
        AttributeValue::L(list) => {
            3 + list.iter().map(|value| 1 + size_of_value(value)).sum::<usize>()
        }
        AttributeValue::M(map) => {
            let inside = map.iter().map(|(name, value)| 1 + name.len() + size_of_value(value));
            3 + inside.sum::<usize>()
        }
        _ => 1,
    }
}

fn size_of_number(text: &str) -> usize {
    Number::read(text).map_or(text.len(), |number| number.size())
}

pub(super) fn are_equal(
    left: &BTreeMap<String, AttributeValue>,
    right: &BTreeMap<String, AttributeValue>,
) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|((name, value), (other, another))| name == other && form(value) == form(another))
}

/// A text that is equal for equal values and only for them.
pub(in crate::toolkit::dynamodb) fn form(value: &AttributeValue) -> String {
    let number =
        |text: &String| Number::read(text).map_or_else(|_| text.clone(), |n| format!("{n:?}"));
    let sorted = |mut set: Vec<String>| {
        set.sort_unstable();
        set
    };
    match value {
        AttributeValue::N(text) => format!("N {}", number(text)),
        AttributeValue::Ns(set) => format!("NS {:?}", sorted(set.iter().map(number).collect())),
        AttributeValue::Ss(set) => format!("SS {:?}", sorted(set.clone())),
        AttributeValue::Bs(set) => {
            let set = set.iter().map(|bytes| format!("{:?}", bytes.as_ref())).collect();
            format!("BS {:?}", sorted(set))
        }
        AttributeValue::L(list) => format!("L {:?}", list.iter().map(form).collect::<Vec<_>>()),
        AttributeValue::M(map) => format!("M {:?}", forms(map)),
        other => format!("{other:?}"),
    }
}

fn forms(map: &HashMap<String, AttributeValue>) -> BTreeMap<&String, String> {
    map.iter().map(|(name, value)| (name, form(value))).collect()
}
