//! Keys of tables and indexes, and what an item must have to be found by them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::refusal::Refusal;
use super::value::{Item, Value};

/// Where an item stands: its partition, and its place therein.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) hash: Value,
    pub(super) range: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    /// `S`, `N` or `B`.
    pub(super) kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schema {
    pub(super) hash: Part,
    pub(super) range: Option<Part>,
}

impl Schema {
    /// From a `KeySchema` and the types of `AttributeDefinitions`.
    pub(super) fn read(
        json: Option<&Json>,
        definitions: &BTreeMap<String, String>,
    ) -> Result<Self, Refusal> {
        let list = json.and_then(Json::as_array).ok_or_else(|| Refusal::missing("keySchema"))?;
        let part = |element: &Json| {
            let text = |field: &str| element.get(field).and_then(Json::as_str);
            let name = text("AttributeName").unwrap_or_default().to_owned();
            let kind = definitions.get(&name).cloned().ok_or_else(|| {
                Refusal::validation(format!(
                    "One or more parameter values were invalid: Some index key attributes are \
                     not defined in AttributeDefinitions. Keys: [{name}]"
                ))
            })?;
            Ok::<_, Refusal>((text("KeyType").unwrap_or_default().to_owned(), Part { name, kind }))
        };
        let parts = list.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some((kind, hash)), None, None) if kind == "HASH" => Ok(Self { hash, range: None }),
            (Some((first, hash)), Some((second, range)), None)
                if first == "HASH" && second == "RANGE" && hash.name != range.name =>
            {
                Ok(Self { hash, range: Some(range) })
            }
            _ => Err(Refusal::validation(
                "Invalid KeySchema: The first KeySchemaElement is a HASH, and a second, if any, a \
                 RANGE of another name",
            )),
        }
    }

    pub(super) fn json(&self) -> Json {
        let mut list = vec![json!({ "AttributeName": self.hash.name, "KeyType": "HASH" })];
        if let Some(range) = &self.range {
            list.push(json!({ "AttributeName": range.name, "KeyType": "RANGE" }));
        }
        Json::Array(list)
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.parts().any(|part| part.name == name)
    }

    /// The key of an item that is to be stored.
    pub(super) fn of_item(&self, item: &Item) -> Result<Key, Refusal> {
        let part = |part: &Part| {
            let value = item.get(&part.name).ok_or_else(|| {
                Refusal::validation(format!(
                    "One or more parameter values were invalid: Missing the key {} in the item",
                    part.name
                ))
            })?;
            part.check(value)?;
            Ok::<_, Refusal>(value.clone())
        };
        Ok(Key { hash: part(&self.hash)?, range: self.range.as_ref().map(part).transpose()? })
    }

    /// The key that a request names: all parts of it and nothing else.
    pub(super) fn of_key(&self, key: &Item) -> Result<Key, Refusal> {
        let wrong = key.len() != self.parts().count()
            || self
                .parts()
                .any(|part| key.get(&part.name).is_none_or(|value| value.kind() != part.kind));
        if wrong {
            let text = "The provided key element does not match the schema";
            return Err(Refusal::validation(text));
        }
        self.of_item(key)
    }

    /// Where an item stands in an index; items without its key are not in it.
    pub(super) fn place<'i>(&self, item: &'i Item) -> Option<(&'i Value, Option<&'i Value>)> {
        let hash = item.get(&self.hash.name)?;
        let Some(range) = &self.range else { return Some((hash, None)) };
        Some((hash, Some(item.get(&range.name)?)))
    }
}

impl Part {
    fn check(&self, value: &Value) -> Result<(), Refusal> {
        let Self { name, kind } = self;
        if value.kind() != kind {
            return Err(Refusal::validation(format!(
                "One or more parameter values were invalid: Type mismatch for key {name} \
                 expected: {kind} actual: {}",
                value.kind()
            )));
        }
        let is_empty = matches!(value, Value::Text(text) if text.is_empty())
            || matches!(value, Value::Bytes(bytes) if bytes.is_empty());
        if is_empty {
            return Err(Refusal::validation(format!(
                "One or more parameter values are not valid. The AttributeValue for a key \
                 attribute cannot contain an empty string value. Key: {name}"
            )));
        }
        Ok(())
    }

    /// An index's key may be missing in an item, but may not be of another type.
    pub(super) fn check_optional(&self, item: &Item) -> Result<(), Refusal> {
        item.get(&self.name).map_or(Ok(()), |value| self.check(value))
    }
}
