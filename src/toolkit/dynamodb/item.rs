//! Items as DynamoDB keeps them: exact numbers, bytes, sets.

#![expect(clippy::wildcard_enum_match_arm, reason = "the SDK's types of values keep growing")]

mod number;
mod read;
mod show;
mod value;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Result};

pub use value::Value;
pub(super) use value::form;

/// The most bytes of an item, names included ("Service, account, and table quotas" of the
/// developer guide of DynamoDB).
pub const MOST_BYTES: usize = 400 * 1_024;
/// Lists and maps in lists and maps (same place).
const MOST_LEVELS: usize = 32;

/// An item, or the key of one: values by the names of their attributes.
///
/// Two are equal where DynamoDB would hold them equal: `1.0` and `1` are one number.
#[derive(Debug, Clone, Default)]
pub struct Item(BTreeMap<String, AttributeValue>);

/// What an item can be made of: anything that serde serialises as a map, and an item itself.
///
/// Where serde says bytes they become binary; a list of numbers stays a list. A floating-point
/// number is written with the fewest digits that lead back to it.
pub trait IntoItem {
    /// The item.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for what is no map, or holds what no item can.
    fn to_item(&self) -> Result<Item>;
}

impl<T: Serialize> IntoItem for T {
    fn to_item(&self) -> Result<Item> {
        let item: HashMap<String, AttributeValue> =
            serde_dynamo::to_item(self).map_err(|error| unfit("serialising an item", error))?;
        Item::checked(item)
    }
}

impl IntoItem for Item {
    fn to_item(&self) -> Result<Item> {
        value::check(self)?;
        Ok(self.clone())
    }
}

impl Item {
    /// One without attributes.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets an attribute.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets an attribute.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into().0);
    }

    /// The value of an attribute, as the SDK has it.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0.get(name)
    }

    /// All attributes by their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// True without any attribute.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads JSON: an object with plain values, or DynamoDB's own form, in which each value names its
    /// type (`{"id": {"N": "50"}}`). An object in which every value looks like the latter is taken
    /// for that; no item can be mistaken, since its key is never an object.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for what is no such object, and for a number of more than 38 digits or out
    /// of DynamoDB's range: none is ever rounded.
    pub fn from_json(text: &str) -> Result<Self> {
        let item = read::item(text).map_err(|wrong| unfit("reading an item", wrong))?;
        Self::checked(item)
    }

    /// Plain JSON on one line, every number with all its digits. Sets become lists, and binary
    /// values base64: [`typed_json`](Self::typed_json) keeps what they are.
    pub fn json(&self) -> String {
        show::plain(&self.0)
    }

    /// JSON in DynamoDB's own form on one line, in which each value names its type, as the aws CLI
    /// writes it.
    pub fn typed_json(&self) -> String {
        show::typed(&self.0)
    }

    /// Makes anything of it that serde can. A number that the wanted type cannot hold exactly is
    /// rounded where it is a floating-point number, and refused where it is a whole one.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for what it does not fit.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T> {
        serde_dynamo::from_item(self.for_sdk()).map_err(|error| unfit("reading an item", error))
    }

    /// How many bytes DynamoDB counts, names included.
    pub fn size(&self) -> usize {
        value::size(&self.0)
    }

    /// The attributes that these names have, all others left out.
    pub(super) fn only<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let known = names.into_iter().filter_map(|name| self.0.get_key_value(name));
        Self(known.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    pub(super) fn for_sdk(&self) -> HashMap<String, AttributeValue> {
        self.0.clone().into_iter().collect()
    }

    /// What came from DynamoDB needs no check.
    pub(super) fn of_sdk(item: HashMap<String, AttributeValue>) -> Self {
        Self(item.into_iter().collect())
    }

    fn checked(item: HashMap<String, AttributeValue>) -> Result<Self> {
        let item = Self::of_sdk(item);
        value::check(&item)?;
        Ok(item)
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        value::are_equal(&self.0, &other.0)
    }
}

fn unfit(what: &str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Invalid, what).because(why)
}

#[cfg(test)]
mod tests;
