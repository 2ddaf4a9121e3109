//! A table: its items, its indexes, and what is known of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::ask::table_name;
use super::key::{Key, Schema};
use super::refusal::Refusal;
use super::value::{Item, size};
use crate::local::{ACCOUNT, digest};

#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) arn: String,
    id: String,
    /// Seconds since 1970.
    created: f64,
    /// The types of all attributes that are keys.
    pub(super) definitions: BTreeMap<String, String>,
    pub(super) schema: Schema,
    pub(super) indexes: Vec<Index>,
    pub(super) items: BTreeMap<Key, Item>,
    pub(super) settings: Settings,
    /// The attribute by whose time AWS would remove items.
    pub(super) expiry: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
}

/// What is kept and given back without effect, deletion protection aside.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) billing: String,
    pub(super) throughput: Json,
    pub(super) is_protected: bool,
}

/// An index holds nothing itself: whoever asks it is answered from the items.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) schema: Schema,
    pub(super) shown: Shown,
    pub(super) is_local: bool,
}

/// Which attributes an index gives back besides the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    All,
    Keys,
    Also(Vec<String>),
}

/// The largest item.
pub(super) const MOST_BYTES: usize = 400 * 1_024;

impl Table {
    /// From the input of `CreateTable`.
    pub(super) fn create(input: &Json, region: &str, created: f64) -> Result<Self, Refusal> {
        let name = table_name(input.get("TableName").and_then(Json::as_str))?;
        let definitions = definitions(input)?;
        let schema = Schema::read(input.get("KeySchema"), &definitions)?;
        let arn = format!("arn:aws:dynamodb:{region}:{ACCOUNT}:table/{name}");
        let settings = Settings {
            billing: text(input, "BillingMode").unwrap_or("PROVISIONED").to_owned(),
            throughput: input.get("ProvisionedThroughput").cloned().unwrap_or(Json::Null),
            is_protected: input.get("DeletionProtectionEnabled") == Some(&json!(true)),
        };
        settings.check()?;
        let (id, items) = (digest::uuid(), BTreeMap::new());
        let (expiry, tags) = (None, tags(input.get("Tags")));
        let mut table = Self {
            name,
            arn,
            id,
            created,
            definitions,
            schema,
            indexes: Vec::new(),
            items,
            settings,
            expiry,
            tags,
        };
        for (field, is_local) in
            [("GlobalSecondaryIndexes", false), ("LocalSecondaryIndexes", true)]
        {
            for index in input.get(field).and_then(Json::as_array).into_iter().flatten() {
                table.add_index(index, is_local)?;
            }
        }
        table.check_definitions()?;
        Ok(table)
    }

    pub(super) fn add_index(&mut self, json: &Json, is_local: bool) -> Result<(), Refusal> {
        let name = table_name(text(json, "IndexName"))?;
        if self.indexes.iter().any(|index| index.name == name) {
            return Err(Refusal::validation(format!(
                "One or more parameter values were invalid: Duplicate index name: {name}"
            )));
        }
        let schema = Schema::read(json.get("KeySchema"), &self.definitions)?;
        if is_local && schema.hash != self.schema.hash {
            return Err(Refusal::validation(format!(
                "One or more parameter values were invalid: Index KeySchema does not have the \
                 same leading hash key as table KeySchema for index: {name}"
            )));
        }
        let projection = json.get("Projection").unwrap_or(&Json::Null);
        let shown = match text(projection, "ProjectionType") {
            Some("ALL") => Shown::All,
            Some("KEYS_ONLY") => Shown::Keys,
            Some("INCLUDE") => {
                let names = projection.get("NonKeyAttributes").and_then(Json::as_array);
                let names = names.into_iter().flatten().filter_map(Json::as_str);
                Shown::Also(names.map(str::to_owned).collect())
            }
            _ => {
                return Err(Refusal::validation(
                    "One or more parameter values were invalid: Unknown ProjectionType",
                ));
            }
        };
        let arn = format!("{}/index/{name}", self.arn);
        self.indexes.push(Index { name, arn, schema, shown, is_local });
        Ok(())
    }

    /// A definition that no key needs is refused by AWS.
    pub(super) fn check_definitions(&self) -> Result<(), Refusal> {
        let is_key = |name: &String| {
            self.schema.has(name) || self.indexes.iter().any(|index| index.schema.has(name))
        };
        if self.definitions.keys().all(is_key) {
            return Ok(());
        }
        Err(Refusal::validation(
            "One or more parameter values were invalid: Number of attributes in KeySchema does \
             not exactly match number of attributes defined in AttributeDefinitions",
        ))
    }

    pub(super) fn index(&self, name: &str) -> Result<&Index, Refusal> {
        self.indexes.iter().find(|index| index.name == name).ok_or_else(|| {
            Refusal::validation(format!("The table does not have the specified index: {name}"))
        })
    }

    /// What an item must be to be stored here; gives its key.
    pub(super) fn check(&self, item: &Item) -> Result<Key, Refusal> {
        let key = self.schema.of_item(item)?;
        for part in self.indexes.iter().flat_map(|index| index.schema.parts()) {
            part.check_optional(item)?;
        }
        if size(item) > MOST_BYTES {
            return Err(Refusal::validation("Item size has exceeded the maximum allowed size"));
        }
        Ok(key)
    }

    pub(super) fn describe(&self, status: &str) -> Json {
        let bytes: usize = self.items.values().map(size).sum();
        let definitions: Vec<Json> = self
            .definitions
            .iter()
            .map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind }))
            .collect();
        let mut told = json!({
            "TableName": self.name,
            "TableArn": self.arn,
            "TableId": self.id,
            "TableStatus": status,
            "CreationDateTime": self.created,
            "AttributeDefinitions": definitions,
            "KeySchema": self.schema.json(),
            "ItemCount": self.items.len(),
            "TableSizeBytes": bytes,
            "DeletionProtectionEnabled": self.settings.is_protected,
            "ProvisionedThroughput": self.settings.throughput(),
        });
        if let Json::Object(told) = &mut told {
            if self.settings.is_on_demand() {
                let summary = json!({
                    "BillingMode": "PAY_PER_REQUEST",
                    "LastUpdateToPayPerRequestDateTime": self.created,
                });
                told.insert("BillingModeSummary".to_owned(), summary);
            }
            self.describe_indexes(told);
        }
        told
    }

    fn describe_indexes(&self, into: &mut Map<String, Json>) {
        for (field, is_local) in
            [("GlobalSecondaryIndexes", false), ("LocalSecondaryIndexes", true)]
        {
            let of_kind = self.indexes.iter().filter(|index| index.is_local == is_local);
            let list: Vec<Json> = of_kind.map(|index| self.describe_index(index)).collect();
            if !list.is_empty() {
                into.insert(field.to_owned(), Json::Array(list));
            }
        }
    }

    fn describe_index(&self, index: &Index) -> Json {
        let places = self.items.values().filter(|item| index.schema.place(item).is_some());
        let mut told = json!({
            "IndexName": index.name,
            "IndexArn": index.arn,
            "KeySchema": index.schema.json(),
            "Projection": index.shown.json(),
            "ItemCount": places.clone().count(),
            "IndexSizeBytes": places.map(size).sum::<usize>(),
        });
        if let (false, Json::Object(told)) = (index.is_local, &mut told) {
            told.insert("IndexStatus".to_owned(), json!("ACTIVE"));
            told.insert("ProvisionedThroughput".to_owned(), self.settings.throughput());
        }
        told
    }
}

impl Settings {
    pub(super) fn is_on_demand(&self) -> bool {
        self.billing == "PAY_PER_REQUEST"
    }

    pub(super) fn check(&self) -> Result<(), Refusal> {
        let has_throughput = self.throughput.is_object();
        match self.billing.as_str() {
            "PAY_PER_REQUEST" if !has_throughput => Ok(()),
            "PROVISIONED" if has_throughput => Ok(()),
            "PAY_PER_REQUEST" => Err(Refusal::validation(
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor \
                 WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
            )),
            "PROVISIONED" => Err(Refusal::validation(
                "One or more parameter values were invalid: ReadCapacityUnits and \
                 WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            )),
            _ => Err(Refusal::validation(
                "1 validation error detected: Value at 'billingMode' failed to satisfy \
                 constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]",
            )),
        }
    }

    fn throughput(&self) -> Json {
        let units = |name: &str| self.throughput.get(name).and_then(Json::as_u64).unwrap_or(0);
        json!({
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": units("ReadCapacityUnits"),
            "WriteCapacityUnits": units("WriteCapacityUnits"),
        })
    }
}

impl Shown {
    fn json(&self) -> Json {
        match self {
            Self::All => json!({ "ProjectionType": "ALL" }),
            Self::Keys => json!({ "ProjectionType": "KEYS_ONLY" }),
            Self::Also(names) => {
                json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": names })
            }
        }
    }
}

pub(super) fn text<'j>(json: &'j Json, field: &str) -> Option<&'j str> {
    json.get(field).and_then(Json::as_str)
}

/// The types of `AttributeDefinitions`.
pub(super) fn definitions(input: &Json) -> Result<BTreeMap<String, String>, Refusal> {
    let list = input.get("AttributeDefinitions").and_then(Json::as_array);
    let one = |definition: &Json| match (
        text(definition, "AttributeName"),
        text(definition, "AttributeType"),
    ) {
        (Some(name), Some(kind @ ("S" | "N" | "B"))) => Ok((name.to_owned(), kind.to_owned())),
        _ => Err(Refusal::validation(
            "1 validation error detected: Value at 'attributeDefinitions' failed to satisfy \
             constraint: Member must satisfy enum value set: [B, N, S]",
        )),
    };
    list.into_iter().flatten().map(one).collect()
}

pub(super) fn tags(list: Option<&Json>) -> BTreeMap<String, String> {
    let list = list.and_then(Json::as_array).into_iter().flatten();
    list.filter_map(|tag| Some((text(tag, "Key")?.to_owned(), text(tag, "Value")?.to_owned())))
        .collect()
}
