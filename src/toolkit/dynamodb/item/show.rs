//! Writing JSON, each number with the digits that DynamoDB gave.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

type Attributes = BTreeMap<String, AttributeValue>;

pub(super) fn plain(item: &Attributes) -> String {
    let shown: BTreeMap<&String, Plain<'_>> =
        item.iter().map(|(name, value)| (name, Plain(value))).collect();
    text(&shown)
}

pub(super) fn typed(item: &Attributes) -> String {
    let shown: BTreeMap<&String, Typed<'_>> =
        item.iter().map(|(name, value)| (name, Typed(value))).collect();
    text(&shown)
}

fn text(shown: &impl Serialize) -> String {
    // Maps with texts for names cannot fail.
    serde_json::to_string(shown).unwrap_or_default()
}

/// In the order of the names: the SDK's map has none.
fn in_order<'v, T>(
    map: &'v HashMap<String, AttributeValue>,
    show: impl Fn(&'v AttributeValue) -> T,
) -> BTreeMap<&'v String, T> {
    map.iter().map(|(name, value)| (name, show(value))).collect()
}

fn base64(bytes: &Blob) -> String {
    STANDARD.encode(bytes.as_ref())
}

struct Plain<'v>(&'v AttributeValue);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AttributeValue::S(text) => to.serialize_str(text),
            AttributeValue::N(text) => Digits(text).serialize(to),
            AttributeValue::B(bytes) => to.serialize_str(&base64(bytes)),
            AttributeValue::Bool(value) => to.serialize_bool(*value),
            AttributeValue::Ss(set) => to.collect_seq(set),
            AttributeValue::Ns(set) => to.collect_seq(set.iter().map(|text| Digits(text))),
            AttributeValue::Bs(set) => to.collect_seq(set.iter().map(base64)),
            AttributeValue::L(list) => to.collect_seq(list.iter().map(Plain)),
            AttributeValue::M(map) => in_order(map, Plain).serialize(to),
            _ => to.serialize_unit(),
        }
    }
}

/// A number as it stands; as text where JSON has no such number.
struct Digits<'v>(&'v str);

impl Serialize for Digits<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match RawValue::from_string(self.0.to_owned()) {
            Ok(number) if self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                number.serialize(to)
            }
            _ => to.serialize_str(self.0),
        }
    }
}

struct Typed<'v>(&'v AttributeValue);

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1))?;
        match self.0 {
            AttributeValue::S(text) => map.serialize_entry("S", text)?,
            AttributeValue::N(text) => map.serialize_entry("N", text)?,
            AttributeValue::B(bytes) => map.serialize_entry("B", &base64(bytes))?,
            AttributeValue::Bool(value) => map.serialize_entry("BOOL", value)?,
            AttributeValue::Ss(set) => map.serialize_entry("SS", set)?,
            AttributeValue::Ns(set) => map.serialize_entry("NS", set)?,
            AttributeValue::Bs(set) => {
                map.serialize_entry("BS", &set.iter().map(base64).collect::<Vec<_>>())?;
            }
            AttributeValue::L(list) => {
                map.serialize_entry("L", &list.iter().map(Typed).collect::<Vec<_>>())?;
            }
            AttributeValue::M(inside) => map.serialize_entry("M", &in_order(inside, Typed))?,
            _ => map.serialize_entry("NULL", &true)?,
        }
        map.end()
    }
}
