//! The parameters of the operations on items.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::expression::{Condition, Parser, Placeholders, Projection, Update};
use super::refusal::Refusal;
use super::value::{Item, read_item};

/// What came before expressions; nobody needs it any more.
const LEGACY: [&str; 7] = [
    "AttributesToGet",
    "AttributeUpdates",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
];

/// One request; each operation takes what it knows of.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Ask {
    pub(super) table_name: Option<String>,
    pub(super) index_name: Option<String>,
    pub(super) item: Option<Json>,
    pub(super) key: Option<Json>,
    pub(super) condition_expression: Option<String>,
    pub(super) update_expression: Option<String>,
    pub(super) projection_expression: Option<String>,
    pub(super) filter_expression: Option<String>,
    pub(super) key_condition_expression: Option<String>,
    pub(super) expression_attribute_names: BTreeMap<String, String>,
    pub(super) expression_attribute_values: Map<String, Json>,
    pub(super) return_values: Option<String>,
    pub(super) return_values_on_condition_check_failure: Option<String>,
    pub(super) consistent_read: bool,
    pub(super) exclusive_start_key: Option<Json>,
    pub(super) limit: Option<usize>,
    pub(super) scan_index_forward: Option<bool>,
    pub(super) select: Option<String>,
    pub(super) segment: Option<u64>,
    pub(super) total_segments: Option<u64>,
}

pub(super) fn read<T: DeserializeOwned>(input: Json) -> Result<T, Refusal> {
    serde_json::from_value(input)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

/// The name in a table's name or ARN.
pub(super) fn table_name(given: Option<&str>) -> Result<String, Refusal> {
    let given = given.ok_or_else(|| Refusal::missing("tableName"))?;
    let name = given.rsplit_once(":table/").map_or(given, |(_, name)| name);
    let right = (3..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if right {
        return Ok(name.to_owned());
    }
    Err(Refusal::validation(format!(
        "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, \
         and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.': {name:?}"
    )))
}

impl Ask {
    pub(super) fn of(input: Json) -> Result<Self, Refusal> {
        if let Some(old) = LEGACY.iter().find(|name| input.get(**name).is_some()) {
            return Err(Refusal::validation(format!(
                "the embedded DynamoDB of longshore has no {old}; use expressions"
            )));
        }
        read(input)
    }

    pub(super) fn table(&self) -> Result<String, Refusal> {
        table_name(self.table_name.as_deref())
    }

    pub(super) fn key(&self) -> Result<Item, Refusal> {
        read_item(self.key.as_ref().ok_or_else(|| Refusal::missing("key"))?)
    }

    pub(super) fn placeholders(&self) -> Result<Placeholders, Refusal> {
        Placeholders::new(&self.expression_attribute_names, &self.expression_attribute_values)
    }

    pub(super) fn condition(
        &self,
        placeholders: &mut Placeholders,
    ) -> Result<Option<Condition>, Refusal> {
        let text = self.condition_expression.as_deref();
        text.map(|text| Parser::read("ConditionExpression", text, placeholders, Condition::grammar))
            .transpose()
    }

    pub(super) fn filter(
        &self,
        placeholders: &mut Placeholders,
    ) -> Result<Option<Condition>, Refusal> {
        let text = self.filter_expression.as_deref();
        text.map(|text| Parser::read("FilterExpression", text, placeholders, Condition::grammar))
            .transpose()
    }

    pub(super) fn key_condition(
        &self,
        placeholders: &mut Placeholders,
    ) -> Result<Condition, Refusal> {
        let text = self.key_condition_expression.as_deref();
        let text = text.ok_or_else(|| {
            Refusal::validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified \
                 in the request.",
            )
        })?;
        Parser::read("KeyConditionExpression", text, placeholders, Condition::grammar)
    }

    pub(super) fn projection(
        &self,
        placeholders: &mut Placeholders,
    ) -> Result<Option<Projection>, Refusal> {
        let text = self.projection_expression.as_deref();
        text.map(|text| {
            Parser::read("ProjectionExpression", text, placeholders, Projection::grammar)
        })
        .transpose()
    }

    pub(super) fn update(
        &self,
        placeholders: &mut Placeholders,
    ) -> Result<Option<Update>, Refusal> {
        let text = self.update_expression.as_deref();
        text.map(|text| Parser::read("UpdateExpression", text, placeholders, Update::grammar))
            .transpose()
    }
}
