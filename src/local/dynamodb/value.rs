//! The values of attributes: read from JSON with DynamoDB's rules, and given back.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use super::number::Number;
use super::refusal::Refusal;

/// The attributes of an item by their names.
pub(super) type Item = BTreeMap<String, Value>;

/// One value. Values of different types are never equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Map(Item),
    Texts(BTreeSet<String>),
    Numbers(BTreeSet<Number>),
    Blobs(BTreeSet<Vec<u8>>),
}

/// Lists and maps in lists and maps.
const MOST_LEVELS: usize = 32;

impl Value {
    /// As the types are called on the wire.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "BOOL",
            Self::Number(_) => "N",
            Self::Text(_) => "S",
            Self::Bytes(_) => "B",
            Self::List(_) => "L",
            Self::Map(_) => "M",
            Self::Texts(_) => "SS",
            Self::Numbers(_) => "NS",
            Self::Blobs(_) => "BS",
        }
    }

    /// True for what can be smaller or larger than another of its type.
    pub(super) const fn is_ordered(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Text(_) | Self::Bytes(_))
    }

    pub(super) fn read(json: &Json) -> Result<Self, Refusal> {
        Self::read_at(json, 0)
    }

    fn read_at(json: &Json, level: usize) -> Result<Self, Refusal> {
        if level > MOST_LEVELS {
            let text = "Nesting Levels have exceeded supported limits";
            return Err(Refusal::validation(text));
        }
        let mut fields = json.as_object().into_iter().flatten();
        let Some((kind, inside)) = fields.next() else {
            return Err(Refusal::validation(
                "Supplied AttributeValue is empty, must contain exactly one of the supported \
                 datatypes",
            ));
        };
        if fields.next().is_some() {
            return Err(Refusal::validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly \
                 one of the supported datatypes",
            ));
        }
        let wrong =
            || Refusal::new("SerializationException", format!("not a value of the type {kind}"));
        let text = |json: &Json| json.as_str().map(str::to_owned).ok_or_else(wrong);
        let bytes =
            |json: &Json| STANDARD.decode(json.as_str().ok_or_else(wrong)?).map_err(|_| wrong());
        let number = |json: &Json| Number::parse(json.as_str().ok_or_else(wrong)?);
        Ok(match kind.as_str() {
            "S" => Self::Text(text(inside)?),
            "N" => Self::Number(number(inside)?),
            "B" => Self::Bytes(bytes(inside)?),
            "BOOL" => Self::Bool(inside.as_bool().ok_or_else(wrong)?),
            "NULL" if inside.as_bool() == Some(true) => Self::Null,
            "NULL" => {
                return Err(Refusal::validation(
                    "One or more parameter values were invalid: Null attribute value types must \
                     have the value of true",
                ));
            }
            "L" => {
                let list = inside.as_array().ok_or_else(wrong)?;
                let list: Result<_, _> =
                    list.iter().map(|value| Self::read_at(value, level + 1)).collect();
                Self::List(list?)
            }
            "M" => Self::Map(read_item_at(inside, level + 1)?),
            "SS" => Self::Texts(set(inside, kind, text)?),
            "NS" => Self::Numbers(set(inside, kind, number)?),
            "BS" => Self::Blobs(set(inside, kind, bytes)?),
            _ => return Err(wrong()),
        })
    }

    pub(super) fn json(&self) -> Json {
        let inside = match self {
            Self::Null => json!(true),
            Self::Bool(value) => json!(value),
            Self::Number(number) => json!(number.to_string()),
            Self::Text(text) => json!(text),
            Self::Bytes(bytes) => json!(STANDARD.encode(bytes)),
            Self::List(list) => list.iter().map(Self::json).collect(),
            Self::Map(map) => item_json(map),
            Self::Texts(set) => json!(set),
            Self::Numbers(set) => set.iter().map(|number| json!(number.to_string())).collect(),
            Self::Blobs(set) => set.iter().map(|bytes| json!(STANDARD.encode(bytes))).collect(),
        };
        let mut value = Map::new();
        value.insert(self.kind().to_owned(), inside);
        Json::Object(value)
    }

    /// Its part of the 400 KB that an item may have.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 1,
            Self::Number(number) => number.size(),
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(list) => 3 + list.iter().map(|value| value.size() + 1).sum::<usize>(),
            Self::Map(map) => 3 + size(map) + map.len(),
            Self::Texts(set) => set.iter().map(String::len).sum(),
            Self::Numbers(set) => set.iter().map(Number::size).sum(),
            Self::Blobs(set) => set.iter().map(Vec::len).sum(),
        }
    }
}

fn set<T: Ord>(
    json: &Json,
    kind: &str,
    read: impl Fn(&Json) -> Result<T, Refusal>,
) -> Result<BTreeSet<T>, Refusal> {
    let list = json.as_array().map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        return Err(Refusal::validation(format!(
            "One or more parameter values were invalid: An {kind} set may not be empty"
        )));
    }
    let set = list.iter().map(read).collect::<Result<BTreeSet<T>, _>>()?;
    if set.len() < list.len() {
        return Err(Refusal::validation(format!(
            "One or more parameter values were invalid: Input collection of the type {kind} \
             contains duplicates"
        )));
    }
    Ok(set)
}

pub(super) fn read_item(json: &Json) -> Result<Item, Refusal> {
    read_item_at(json, 0)
}

fn read_item_at(json: &Json, level: usize) -> Result<Item, Refusal> {
    let wrong = || Refusal::new("SerializationException", "not a map of attributes");
    let fields = json.as_object().ok_or_else(wrong)?.iter();
    fields.map(|(name, value)| Ok((name.clone(), Value::read_at(value, level)?))).collect()
}

pub(super) fn item_json(item: &Item) -> Json {
    item.iter().map(|(name, value)| (name.clone(), value.json())).collect::<Map<_, _>>().into()
}

/// Names count as well as values.
pub(super) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.size()).sum()
}
