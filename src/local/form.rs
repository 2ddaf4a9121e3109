//! Form bodies of the query protocols: `Action=Publish&Attributes.entry.1.key=…`.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// The fields of a form or of a query string, in order.
pub(crate) fn fields(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

pub(crate) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The fields as a tree: the dots in their names become levels. Never deeper than 16 levels.
pub(crate) fn tree(fields: &[(String, String)]) -> Value {
    let mut tree = Value::Object(Map::new());
    for (name, value) in fields {
        let parts: Vec<&str> = name.splitn(16, '.').collect();
        plant(&mut tree, &parts, value);
    }
    tree
}

fn plant(tree: &mut Value, parts: &[&str], value: &str) {
    let Some((first, rest)) = parts.split_first() else {
        *tree = Value::String(value.to_owned());
        return;
    };
    if !tree.is_object() {
        *tree = Value::Object(Map::new());
    }
    if let Value::Object(map) = tree {
        plant(map.entry(*first).or_insert(Value::Null), rest, value);
    }
}

/// The values of `{"1": …, "2": …}` by their number.
pub(crate) fn numbered(entries: &Value) -> Vec<&Value> {
    let mut all: Vec<(u64, &Value)> = entries
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(index, value)| Some((index.parse().ok()?, value)))
        .collect();
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, value)| value).collect()
}
