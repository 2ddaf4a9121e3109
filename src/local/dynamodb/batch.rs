//! Many items in one request: each by itself, or all or none.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::ask::{Ask, read, table_name};
use super::read::{get, shown};
use super::refusal::Refusal;
use super::tables::{Tables, find, find_mut};
use super::value::{read_item, size};
use super::write::{Write, reason};

/// As much as one `BatchGetItem` gives back.
const MOST_BYTES: usize = 16 * 1_024 * 1_024;

fn too_many(most: usize) -> Refusal {
    Refusal::validation(format!("Too many items requested; at least 1 and at most {most}"))
}

fn twice() -> Refusal {
    Refusal::validation("Provided list of item keys contains duplicates")
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Gets {
    request_items: BTreeMap<String, Wanted>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wanted {
    keys: Vec<Json>,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

/// `BatchGetItem`. What would be more than 16 MB comes back as unprocessed keys.
pub(super) fn gets(tables: &Tables, input: Json) -> Result<Json, Refusal> {
    let input: Gets = read(input)?;
    if !(1..=100).contains(&input.request_items.values().map(|of| of.keys.len()).sum::<usize>()) {
        return Err(too_many(100));
    }
    let (mut responses, mut unprocessed, mut bytes) = (Map::new(), Map::new(), 0);
    for (given, wanted) in input.request_items {
        let table = find(tables, &table_name(Some(&given))?)?;
        let ask = Ask::of(Json::Object(wanted.rest.clone()))?;
        let mut placeholders = ask.placeholders()?;
        let projection = ask.projection(&mut placeholders)?;
        placeholders.all_used()?;
        let (mut found, mut left, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for json in wanted.keys {
            let key = table.schema.of_key(&read_item(&json)?)?;
            if let Some(item) = table.items.get(&key) {
                if bytes > MOST_BYTES {
                    left.push(json);
                } else {
                    bytes += size(item);
                    found.push(shown(item, projection.as_ref()));
                }
            }
            if !seen.insert(key) {
                return Err(twice());
            }
        }
        if !left.is_empty() {
            let mut rest = wanted.rest;
            rest.insert("Keys".to_owned(), Json::Array(left));
            unprocessed.insert(given.clone(), Json::Object(rest));
        }
        responses.insert(given, Json::Array(found));
    }
    Ok(json!({ "Responses": responses, "UnprocessedKeys": unprocessed }))
}

/// `BatchWriteItem`. Nothing is ever left unprocessed.
pub(super) fn writes(tables: &mut Tables, input: &Json) -> Result<Json, Refusal> {
    let requests = input.get("RequestItems").and_then(Json::as_object);
    let requests = requests.ok_or_else(|| Refusal::missing("requestItems"))?;
    let mut writes = Vec::new();
    for (table, list) in requests {
        for request in list.as_array().into_iter().flatten() {
            let (action, inside) = match (request.get("PutRequest"), request.get("DeleteRequest")) {
                (Some(put), None) => ("PutItem", put),
                (None, Some(delete)) => ("DeleteItem", delete),
                _ => return Err(Refusal::validation("Supplied write request is empty")),
            };
            let mut ask = Ask::of(inside.clone())?;
            ask.table_name = Some(table.clone());
            writes.push(Write::read(tables, action, &ask)?);
        }
    }
    if !(1..=25).contains(&writes.len()) {
        return Err(too_many(25));
    }
    check_distinct(&writes)?;
    for write in writes {
        let table = find_mut(tables, &write.table)?;
        let judged = write.judge(table)?;
        write.apply(table, &judged);
    }
    Ok(json!({ "UnprocessedItems": {} }))
}

fn check_distinct(writes: &[Write]) -> Result<(), Refusal> {
    let places: BTreeSet<_> = writes.iter().map(|write| (&write.table, &write.key)).collect();
    if places.len() == writes.len() { Ok(()) } else { Err(twice()) }
}

fn parts(input: &Json) -> Result<&Vec<Json>, Refusal> {
    let parts = input.get("TransactItems").and_then(Json::as_array);
    let parts = parts.ok_or_else(|| Refusal::missing("transactItems"))?;
    if (1..=100).contains(&parts.len()) { Ok(parts) } else { Err(too_many(100)) }
}

/// `TransactWriteItems`: all of it, or nothing and the reasons.
pub(super) fn transact(tables: &mut Tables, input: &Json) -> Result<Json, Refusal> {
    const ACTIONS: [(&str, &str); 4] = [
        ("Put", "PutItem"),
        ("Update", "UpdateItem"),
        ("Delete", "DeleteItem"),
        ("ConditionCheck", "ConditionCheck"),
    ];
    let mut writes = Vec::new();
    for part in parts(input)? {
        let known = ACTIONS.iter().find_map(|(name, action)| Some((*action, part.get(name)?)));
        let Some((action, inside)) = known else {
            return Err(Refusal::validation("A transaction has an empty part"));
        };
        writes.push(Write::read(tables, action, &Ask::of(inside.clone())?)?);
    }
    check_distinct(&writes).map_err(|_| {
        Refusal::validation("Transaction request cannot include multiple operations on one item")
    })?;
    let judged = writes.iter().map(|write| Ok(write.judge(find(tables, &write.table)?)));
    let judged = judged.collect::<Result<Vec<_>, Refusal>>()?;
    if judged.iter().any(Result::is_err) {
        let reasons: Vec<Json> = judged.iter().map(reason).collect();
        let codes = reasons.iter().filter_map(|reason| reason.get("Code").and_then(Json::as_str));
        let codes = codes.collect::<Vec<_>>().join(", ");
        let text = format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons \
             [{codes}]"
        );
        return Err(Refusal::new("TransactionCanceledException", text)
            .with("CancellationReasons", Json::Array(reasons)));
    }
    for (write, judged) in writes.iter().zip(judged.iter().flatten()) {
        write.apply(find_mut(tables, &write.table)?, judged);
    }
    Ok(json!({}))
}

/// `TransactGetItems`.
pub(super) fn transact_gets(tables: &Tables, input: &Json) -> Result<Json, Refusal> {
    let one = |part: &Json| {
        let inside = part.get("Get").ok_or_else(|| Refusal::missing("get"))?;
        get(tables, &Ask::of(inside.clone())?)
    };
    let responses = parts(input)?.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "Responses": responses }))
}
