//! What a value means where a number, a duration, a size or a list is wanted.
//!
//! Every function says what is wanted instead where the value is of another kind. In an INI all
//! values are text, so there numbers, lists and booleans are read out of it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Dialect;
use super::document::{Node, Value};
use crate::units;

fn wanted<T>(what: &str, value: &Value) -> Result<T, String> {
    Err(format!("{what} is wanted, not {}", value.kind()))
}

/// A byte that is no UTF-8 stands in the text as U+FFFD.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Text(text) if text.contains('\0') => Err("holds a NUL character".to_owned()),
        Value::Text(text) if text.contains('\u{fffd}') => Err("is not UTF-8 text".to_owned()),
        Value::Text(text) => Ok(text.clone()),
        Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Date
        | Value::List(_)
        | Value::Table(_) => wanted("a text in quotes", value),
    }
}

pub(super) fn whole(
    value: &Value,
    dialect: Dialect,
    range: RangeInclusive<usize>,
) -> Result<usize, String> {
    let number = match value {
        Value::Integer(number) => usize::try_from(*number).ok(),
        Value::Float(_) => None,
        Value::Text(text) if dialect == Dialect::Ini => text.trim().parse().ok(),
        Value::Text(_) | Value::Boolean(_) | Value::Date | Value::List(_) | Value::Table(_) => {
            return wanted("a whole number", value);
        }
    };
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
}

pub(super) fn duration(
    value: &Value,
    range: &RangeInclusive<Duration>,
) -> Result<Duration, String> {
    let duration = match value {
        Value::Text(text) => units::duration(text)?,
        Value::Integer(number) => u64::try_from(*number)
            .map(Duration::from_secs)
            .map_err(|_| format!("{number} seconds is not a duration"))?,
        Value::Float(number) => units::seconds(*number)?,
        Value::Boolean(_) | Value::Date | Value::List(_) | Value::Table(_) => {
            return wanted("a duration like \"30s\", or a number of seconds,", value);
        }
    };
    if range.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (units::show(*range.start()), units::show(*range.end()));
    Err(format!("from {least} to {most}, not {}", units::show(duration)))
}

pub(super) fn size(value: &Value, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let size = match value {
        Value::Text(text) => units::size(text)?,
        Value::Integer(number) => {
            u64::try_from(*number).map_err(|_| format!("{number} bytes is not a size"))?
        }
        Value::Float(_) | Value::Boolean(_) | Value::Date | Value::List(_) | Value::Table(_) => {
            return wanted("a size like \"8MiB\", or a number of bytes,", value);
        }
    };
    if range.contains(&size) {
        return Ok(size);
    }
    Err(format!("from {} to {} bytes, not {size}", range.start(), range.end()))
}

/// In an INI, the words of Python's `getboolean`.
pub(super) fn flag(value: &Value, dialect: Dialect) -> Result<bool, String> {
    match value {
        Value::Boolean(yes) => Ok(*yes),
        Value::Text(text) if dialect == Dialect::Ini => match text.to_lowercase().as_str() {
            "1" | "yes" | "true" | "on" => Ok(true),
            "0" | "no" | "false" | "off" => Ok(false),
            _ => wanted("true or false", value),
        },
        Value::Text(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Date
        | Value::List(_)
        | Value::Table(_) => wanted("true or false", value),
    }
}

/// The items of a list with their places; an item that is no text is told where it stands.
pub(super) fn items(node: &Node, dialect: Dialect) -> Result<Vec<Item>, String> {
    match &node.value {
        Value::List(items) => {
            Ok(items.iter().map(|item| Item { at: item.at, text: text(&item.value) }).collect())
        }
        Value::Text(_) if dialect == Dialect::Ini => {
            let items = super::ini::list(&text(&node.value)?)?;
            Ok(items.into_iter().map(|text| Item { at: node.at, text: Ok(text) }).collect())
        }
        Value::Text(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Date
        | Value::Table(_) => wanted("a list of texts like [\"one\", \"two\"]", &node.value),
    }
}

/// An item of a list.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) at: usize,
    pub(super) text: Result<String, String>,
}
