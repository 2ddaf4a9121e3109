//! Keys and indexes of a table.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::KeyType as Role;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, GlobalSecondaryIndex, KeySchemaElement, Projection,
    ProjectionType, ScalarAttributeType, TableDescription,
};

use super::fault::bug;
use super::item::{Item, form};
use crate::error::{Error, Kind, Result};

/// What a key attribute may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// Text.
    String,
    /// A number.
    Number,
    /// Bytes.
    Binary,
}

/// An attribute that is a key, or part of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyAttribute {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: KeyType,
}

/// A global secondary index; it holds all attributes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// The attribute that is asked for by equality.
    pub partition: KeyAttribute,
    /// The attribute by which items of one partition are ordered.
    pub sort: Option<KeyAttribute>,
}

/// Keys and indexes of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The key, or its first part.
    pub partition: KeyAttribute,
    /// The second part of the key, by which items of one partition are ordered.
    pub sort: Option<KeyAttribute>,
    /// The global secondary indexes.
    pub indexes: Vec<Index>,
}

impl KeyType {
    /// `S`, `N` or `B`, as DynamoDB names it.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::String => "S",
            Self::Number => "N",
            Self::Binary => "B",
        }
    }

    const fn for_sdk(self) -> ScalarAttributeType {
        match self {
            Self::String => ScalarAttributeType::S,
            Self::Number => ScalarAttributeType::N,
            Self::Binary => ScalarAttributeType::B,
        }
    }

    const fn fits(self, value: &AttributeValue) -> bool {
        matches!(
            (self, value),
            (Self::String, AttributeValue::S(_))
                | (Self::Number, AttributeValue::N(_))
                | (Self::Binary, AttributeValue::B(_))
        )
    }
}

impl KeyAttribute {
    /// A key of text.
    pub fn string(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: KeyType::String }
    }

    /// A key of numbers.
    pub fn number(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: KeyType::Number }
    }

    /// A key of bytes.
    pub fn binary(name: impl Into<String>) -> Self {
        Self { name: name.into(), kind: KeyType::Binary }
    }

    /// The item's value of it; or, in words, why DynamoDB would not take it.
    fn of<'i>(&self, item: &'i Item) -> std::result::Result<&'i AttributeValue, String> {
        let Self { name, kind } = self;
        match item.get(name) {
            None => Err(format!("the key {name:?} is missing")),
            Some(value) if !kind.fits(value) => {
                Err(format!("the key {name:?} is not of the type {}", kind.letter()))
            }
            Some(AttributeValue::S(text)) if text.is_empty() => {
                Err(format!("the key {name:?} is empty"))
            }
            Some(AttributeValue::B(bytes)) if bytes.as_ref().is_empty() => {
                Err(format!("the key {name:?} is empty"))
            }
            Some(value) => Ok(value),
        }
    }
}

impl Index {
    /// The index that AWSimple makes over one attribute: its name is `<attribute>-index`.
    pub fn of(partition: KeyAttribute) -> Self {
        Self { name: format!("{}-index", partition.name), partition, sort: None }
    }

    /// Orders the items of a partition by this attribute.
    #[must_use]
    pub fn sort(self, sort: KeyAttribute) -> Self {
        Self { sort: Some(sort), ..self }
    }

    /// Gives it another name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    pub(super) fn for_sdk(&self) -> Result<GlobalSecondaryIndex> {
        let all = Projection::builder().projection_type(ProjectionType::All).build();
        let index = GlobalSecondaryIndex::builder().index_name(&self.name).projection(all);
        let keys = keys_for_sdk(&self.partition, self.sort.as_ref())?;
        index.set_key_schema(Some(keys)).build().map_err(bug)
    }
}

impl Schema {
    /// With this key alone.
    pub const fn new(partition: KeyAttribute) -> Self {
        Self { partition, sort: None, indexes: Vec::new() }
    }

    /// With a second part of the key.
    #[must_use]
    pub fn sort(self, sort: KeyAttribute) -> Self {
        Self { sort: Some(sort), ..self }
    }

    /// With an index.
    #[must_use]
    pub fn index(mut self, index: Index) -> Self {
        self.indexes.push(index);
        self
    }

    /// The parts of the key.
    pub fn key(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }

    /// The key of an item, nothing else.
    pub(super) fn key_of(&self, item: &Item) -> Item {
        item.only(self.key().map(|part| part.name.as_str()))
    }

    /// A text that is the same for items of the same key and only for them.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where a part of the key is missing, empty or of another type.
    pub(super) fn identity(&self, item: &Item) -> Result<String> {
        let mut identity = String::new();
        for part in self.key() {
            let value = part.of(item).map_err(|wrong| Error::new(Kind::Invalid, wrong))?;
            identity.push_str(&form(value));
            identity.push('\n');
        }
        Ok(identity)
    }

    pub(super) fn keys_for_sdk(&self) -> Result<Vec<KeySchemaElement>> {
        keys_for_sdk(&self.partition, self.sort.as_ref())
    }

    /// Every attribute that is part of any key, once.
    pub(super) fn definitions(&self) -> Result<Vec<AttributeDefinition>> {
        let of_indexes = self
            .indexes
            .iter()
            .flat_map(|index| std::iter::once(&index.partition).chain(&index.sort));
        let mut kinds = BTreeMap::new();
        for part in self.key().chain(of_indexes) {
            if *kinds.entry(part.name.as_str()).or_insert(part.kind) != part.kind {
                let what = format!("the attribute {:?} is a key of two types", part.name);
                return Err(Error::new(Kind::Usage, what).hint("give it one type everywhere"));
            }
        }
        let definitions = kinds.into_iter().map(|(name, kind)| {
            let definition = AttributeDefinition::builder().attribute_name(name);
            definition.attribute_type(kind.for_sdk()).build().map_err(bug)
        });
        definitions.collect()
    }

    /// As DynamoDB describes the table; nothing for types of keys that nobody knows yet.
    pub(super) fn of_table(table: &TableDescription) -> Option<Self> {
        let kinds: BTreeMap<&str, KeyType> = table
            .attribute_definitions()
            .iter()
            .filter_map(|definition| {
                let known = [KeyType::String, KeyType::Number, KeyType::Binary];
                let is = |kind: &KeyType| kind.for_sdk() == *definition.attribute_type();
                let kind = known.into_iter().find(is)?;
                Some((definition.attribute_name(), kind))
            })
            .collect();
        let part = |elements: &[KeySchemaElement], role: &Role| {
            let element = elements.iter().find(|element| element.key_type() == role)?;
            let name = element.attribute_name();
            Some(KeyAttribute { name: name.to_owned(), kind: *kinds.get(name)? })
        };
        let index = |index: &aws_sdk_dynamodb::types::GlobalSecondaryIndexDescription| {
            Some(Index {
                name: index.index_name()?.to_owned(),
                partition: part(index.key_schema(), &Role::Hash)?,
                sort: part(index.key_schema(), &Role::Range),
            })
        };
        let mut indexes: Vec<Index> =
            table.global_secondary_indexes().iter().filter_map(index).collect();
        indexes.sort_by(|one, other| one.name.cmp(&other.name));
        Some(Self {
            partition: part(table.key_schema(), &Role::Hash)?,
            sort: part(table.key_schema(), &Role::Range),
            indexes,
        })
    }
}

fn keys_for_sdk(
    partition: &KeyAttribute,
    sort: Option<&KeyAttribute>,
) -> Result<Vec<KeySchemaElement>> {
    let parts =
        std::iter::once((partition, Role::Hash)).chain(sort.map(|sort| (sort, Role::Range)));
    let elements = parts.map(|(part, role)| {
        let element = KeySchemaElement::builder().attribute_name(&part.name);
        element.key_type(role).build().map_err(bug)
    });
    elements.collect()
}
