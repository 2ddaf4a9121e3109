//! The operations on tables.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::ask::table_name;
use super::refusal::Refusal;
use super::table::{Table, definitions, tags, text};

/// All tables by name.
pub(super) type Tables = BTreeMap<String, Table>;

/// The most tables that one account may have here.
const MOST: usize = 2_500;

pub(super) fn find<'t>(tables: &'t Tables, name: &str) -> Result<&'t Table, Refusal> {
    tables.get(name).ok_or_else(|| Refusal::no_table(name))
}

pub(super) fn find_mut<'t>(tables: &'t mut Tables, name: &str) -> Result<&'t mut Table, Refusal> {
    tables.get_mut(name).ok_or_else(|| Refusal::no_table(name))
}

/// Answers one operation; `now` in seconds since 1970.
pub(super) fn call(
    tables: &mut Tables,
    action: &str,
    input: &Json,
    region: &str,
    now: f64,
) -> Result<Json, Refusal> {
    let name = || table_name(text(input, "TableName"));
    Ok(match action {
        "CreateTable" => {
            let table = Table::create(input, region, now)?;
            if tables.contains_key(&table.name) {
                let text = format!("Table already exists: {}", table.name);
                return Err(Refusal::new("ResourceInUseException", text));
            }
            if tables.len() >= MOST {
                let text = "Too many tables";
                return Err(Refusal::new("LimitExceededException", text));
            }
            let told = table.describe("ACTIVE");
            tables.insert(table.name.clone(), table);
            json!({ "TableDescription": told })
        }
        "DescribeTable" => {
            json!({ "Table": find(tables, &name()?)?.describe("ACTIVE") })
        }
        "DeleteTable" => {
            let name = name()?;
            let table = find(tables, &name)?;
            if table.settings.is_protected {
                return Err(Refusal::validation(format!(
                    "Resource cannot be deleted as it is currently protected against deletion. \
                     Disable deletion protection first: {name}"
                )));
            }
            let told = table.describe("DELETING");
            tables.remove(&name);
            json!({ "TableDescription": told })
        }
        "ListTables" => list(tables, input),
        "UpdateTable" => update(find_mut(tables, &name()?)?, input)?,
        "UpdateTimeToLive" => expire(find_mut(tables, &name()?)?, input)?,
        "DescribeTimeToLive" => {
            let told = match &find(tables, &name()?)?.expiry {
                Some(attribute) => {
                    json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": attribute })
                }
                None => json!({ "TimeToLiveStatus": "DISABLED" }),
            };
            json!({ "TimeToLiveDescription": told })
        }
        _ => tag(tables, action, input)?,
    })
}

fn list(tables: &Tables, input: &Json) -> Json {
    let limit = input.get("Limit").and_then(Json::as_u64);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(100).clamp(1, 100);
    let after = text(input, "ExclusiveStartTableName").unwrap_or_default();
    let mut names = tables.keys().filter(|name| name.as_str() > after);
    let page: Vec<&String> = names.by_ref().take(limit).collect();
    let mut told = Map::new();
    if let (Some(_), Some(last)) = (names.next(), page.last()) {
        told.insert("LastEvaluatedTableName".to_owned(), json!(last));
    }
    told.insert("TableNames".to_owned(), json!(page));
    Json::Object(told)
}

fn update(table: &mut Table, input: &Json) -> Result<Json, Refusal> {
    let mut settings = table.settings.clone();
    if let Some(billing) = text(input, "BillingMode") {
        billing.clone_into(&mut settings.billing);
        settings.throughput = Json::Null;
    }
    if let Some(throughput) = input.get("ProvisionedThroughput") {
        settings.throughput = throughput.clone();
    }
    if let Some(is_protected) = input.get("DeletionProtectionEnabled").and_then(Json::as_bool) {
        settings.is_protected = is_protected;
    }
    settings.check()?;
    table.definitions.extend(definitions(input)?);
    for change in
        input.get("GlobalSecondaryIndexUpdates").and_then(Json::as_array).into_iter().flatten()
    {
        if let Some(index) = change.get("Create") {
            table.add_index(index, false)?;
        }
        if let Some(index) = change.get("Delete") {
            let name = text(index, "IndexName").unwrap_or_default();
            table.index(name).map_err(|_| {
                Refusal::new("ResourceNotFoundException", "Requested resource not found")
            })?;
            table.indexes.retain(|index| index.name != name);
        }
    }
    let (schema, indexes) = (&table.schema, &table.indexes);
    table
        .definitions
        .retain(|name, _| schema.has(name) || indexes.iter().any(|index| index.schema.has(name)));
    table.settings = settings;
    Ok(json!({ "TableDescription": table.describe("ACTIVE") }))
}

fn expire(table: &mut Table, input: &Json) -> Result<Json, Refusal> {
    let wanted = input.get("TimeToLiveSpecification").unwrap_or(&Json::Null);
    let attribute = text(wanted, "AttributeName")
        .ok_or_else(|| Refusal::missing("timeToLiveSpecification.attributeName"))?;
    let on = wanted.get("Enabled").and_then(Json::as_bool).unwrap_or(false);
    let complain = |text: &str| Err(Refusal::validation(text));
    match (on, &table.expiry) {
        (true, Some(_)) => return complain("TimeToLive is already enabled"),
        (false, None) => return complain("TimeToLive is already disabled"),
        (true, None) => table.expiry = Some(attribute.to_owned()),
        (false, Some(_)) => table.expiry = None,
    }
    Ok(json!({ "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": on } }))
}

fn tag(tables: &mut Tables, action: &str, input: &Json) -> Result<Json, Refusal> {
    let arn = text(input, "ResourceArn").ok_or_else(|| Refusal::missing("resourceArn"))?;
    let name = table_name(Some(arn))?;
    let table = tables.get_mut(&name).ok_or_else(|| {
        let text = format!("Requested resource not found: ResourcArn: {arn} not found");
        Refusal::new("ResourceNotFoundException", text)
    })?;
    Ok(match action {
        "TagResource" => {
            table.tags.extend(tags(input.get("Tags")));
            json!({})
        }
        "UntagResource" => {
            let keys = input.get("TagKeys").and_then(Json::as_array).into_iter().flatten();
            for key in keys.filter_map(Json::as_str) {
                table.tags.remove(key);
            }
            json!({})
        }
        "ListTagsOfResource" => {
            let tags = table.tags.iter();
            let tags = tags.map(|(key, value)| json!({ "Key": key, "Value": value }));
            json!({ "Tags": tags.collect::<Vec<_>>() })
        }
        _ => {
            return Err(Refusal::new(
                "UnknownOperationException",
                format!("the embedded DynamoDB of longshore has no operation {action}"),
            ));
        }
    })
}
