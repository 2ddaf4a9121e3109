//! The query protocol of SQS, which clients older than 2023 speak: a form in, XML out.
//!
//! Turned into the JSON protocol's shapes and back, so that there is one SQS behind both.

use serde_json::{Map, Value};

use crate::local::fault::Fault;
use crate::local::form;
use crate::local::xml;

/// Query name, JSON name, and how the entries look.
const LISTS: [(&str, &str, Shape); 16] = [
    ("AttributeName", "AttributeNames", Shape::Plain),
    ("MessageAttributeName", "MessageAttributeNames", Shape::Plain),
    ("MessageSystemAttributeName", "MessageSystemAttributeNames", Shape::Plain),
    ("TagKey", "TagKeys", Shape::Plain),
    ("Attribute", "Attributes", Shape::Pairs("Name", "Value")),
    ("Tag", "Tags", Shape::Pairs("Key", "Value")),
    ("Tags", "Tags", Shape::Pairs("Key", "Value")),
    ("MessageAttribute", "MessageAttributes", Shape::Pairs("Name", "Value")),
    ("MessageAttributes", "MessageAttributes", Shape::Pairs("Name", "Value")),
    ("MessageSystemAttribute", "MessageSystemAttributes", Shape::Pairs("Name", "Value")),
    ("SendMessageBatchRequestEntry", "Entries", Shape::Objects),
    ("DeleteMessageBatchRequestEntry", "Entries", Shape::Objects),
    ("ChangeMessageVisibilityBatchRequestEntry", "Entries", Shape::Objects),
    ("Entries", "Entries", Shape::Objects),
    ("AttributeNames", "AttributeNames", Shape::Plain),
    ("TagKeys", "TagKeys", Shape::Plain),
];

#[derive(Debug, Clone, Copy)]
enum Shape {
    Plain,
    Pairs(&'static str, &'static str),
    Objects,
}

/// The input of an operation from its form fields. `path` is the path that was asked for: old
/// clients name the queue there and nowhere else.
pub(in crate::local) fn input_from_form(fields: &[(String, String)], path: &str) -> Value {
    let mut tree = form::tree(fields);
    if let Value::Object(map) = &mut tree {
        map.remove("Action");
        map.remove("Version");
    }
    let mut input = reshape(tree);
    if let Value::Object(map) = &mut input
        && path.len() > 1
    {
        map.entry("QueueUrl").or_insert_with(|| Value::String(path.to_owned()));
    }
    input
}

fn reshape(tree: Value) -> Value {
    let Value::Object(map) = tree else { return tree };
    let mut shaped = Map::new();
    for (name, value) in map {
        let list = LISTS.iter().find(|(query, ..)| *query == name);
        match (list, value) {
            (Some((_, json, shape)), entries @ Value::Object(_)) => {
                shaped.insert((*json).to_owned(), entries_as(*shape, &entries));
            }
            (_, value) => drop(shaped.insert(name, value)),
        }
    }
    Value::Object(shaped)
}

fn entries_as(shape: Shape, entries: &Value) -> Value {
    let values = form::numbered(entries).into_iter();
    match shape {
        Shape::Plain => values.cloned().collect(),
        Shape::Objects => values.cloned().map(reshape).collect(),
        Shape::Pairs(key, value) => values
            .filter_map(|entry| {
                Some((entry.get(key)?.as_str()?.to_owned(), entry.get(value)?.clone()))
            })
            .collect::<Map<String, Value>>()
            .into(),
    }
}

/// The output of an operation as the query protocol's XML.
pub(in crate::local) fn output_as_xml(action: &str, output: &Value) -> String {
    let mut result = String::new();
    if let Value::Object(map) = output {
        for (name, value) in map {
            write(&mut result, action, name, value);
        }
    }
    xml::answer(action, "http://queue.amazonaws.com/doc/2012-11-05/", &result)
}

fn write(into: &mut String, action: &str, name: &str, value: &Value) {
    let entry = match name {
        "Messages" => "Message",
        "QueueUrls" | "queueUrls" => "QueueUrl",
        "Failed" => "BatchResultErrorEntry",
        "Successful" => return write_successes(into, action, value),
        "Attributes" => return write_pairs(into, action, "Attribute", "Name", value),
        "MessageAttributes" => return write_pairs(into, action, "MessageAttribute", "Name", value),
        "Tags" => return write_pairs(into, action, "Tag", "Key", value),
        other => other,
    };
    match value {
        Value::Array(values) => {
            for value in values {
                write(into, action, entry, value);
            }
        }
        Value::Object(map) => {
            let mut inside = String::new();
            for (name, value) in map {
                write(&mut inside, action, name, value);
            }
            xml::element(into, entry, &inside);
        }
        Value::String(text) => xml::element(into, entry, &xml::escape(text)),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => xml::element(into, entry, &value.to_string()),
    }
}

fn write_successes(into: &mut String, action: &str, value: &Value) {
    let entry = format!("{action}ResultEntry");
    for value in value.as_array().into_iter().flatten() {
        write(into, action, &entry, value);
    }
}

fn write_pairs(into: &mut String, action: &str, entry: &str, key: &str, value: &Value) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let mut inside = String::new();
        xml::element(&mut inside, key, &xml::escape(name));
        write(&mut inside, action, "Value", value);
        xml::element(into, entry, &inside);
    }
}

/// A refusal as the query protocol's XML.
pub(in crate::local) fn fault_as_xml(fault: &Fault) -> String {
    xml::refusal(&fault.query_code(), &fault.message)
}
