//! From JSON to what a column takes, and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value};

use super::moment;
use super::statement::{Bound, Dialect};
use super::table::{Column, Form};

/// What a column is sent for a value; or why it does not take it, without repeating it.
pub(super) fn bound(dialect: Dialect, column: &Column, value: &Value) -> Result<Bound, String> {
    let Column { name, shown, .. } = column;
    let wrong = |wanted: &str| format!("column {name:?} ({shown}) takes {wanted}");
    if value.is_null() {
        return Ok(Bound::Null);
    }
    if column.form == Form::Json {
        return Ok(Bound::Text(value.to_string()));
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(yes) if matches!(column.form, Form::Integer | Form::Bits) => {
            u8::from(*yes).to_string()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) => return Err(wrong("no list")),
        Value::Object(_) => return Err(wrong("no object")),
    };
    match column.form {
        Form::Binary => match (value, STANDARD.decode(&text)) {
            (Value::String(_), Ok(bytes)) => Ok(Bound::Bytes(bytes)),
            _ => Err(wrong("base64")),
        },
        Form::Integer | Form::Bits => whole(&text).ok_or_else(|| wrong("whole numbers")),
        Form::Date | Form::Moment | Form::Instant if !value.is_string() => {
            Err(wrong("texts like \"2026-01-31\" or \"2026-01-31T12:00:00Z\""))
        }
        // From here on PostgreSQL reads and checks texts itself, and is strict about it.
        _ if dialect == Dialect::Postgresql => Ok(Bound::Text(text)),
        Form::Date | Form::Moment | Form::Instant => moment::in_utc(&text)
            .map(Bound::Text)
            .ok_or_else(|| wrong("texts like \"2026-01-31\" or \"2026-01-31T12:00:00Z\"")),
        Form::Float { .. } => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Bound::Float(number)),
            _ => Err(wrong("numbers")),
        },
        Form::Decimal => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Bound::Text(text)),
            _ => Err(wrong("numbers")),
        },
        Form::Bool | Form::Text | Form::Json | Form::Other => Ok(Bound::Text(text)),
    }
}

fn whole(text: &str) -> Option<Bound> {
    let text = text.trim();
    // A float without fraction, as programs write whole numbers that have gone through one.
    let text = text.strip_suffix(".0").unwrap_or(text);
    let signed = text.parse().ok().map(Bound::Signed);
    signed.or_else(|| text.parse().ok().map(Bound::Unsigned))
}

/// What a cell is in JSON; or why it is nothing that JSON holds.
pub(super) fn json(dialect: Dialect, column: &Column, cell: Cell) -> Result<Value, String> {
    let Column { name, shown, .. } = column;
    let bytes = match cell {
        Cell::Null => return Ok(Value::Null),
        Cell::Float(number) => return Ok(float(number)),
        Cell::Bytes(bytes) if column.form == Form::Binary => {
            return Ok(Value::String(STANDARD.encode(bytes)));
        }
        Cell::Bytes(bytes) => bytes,
    };
    let wrong = |what: &str| format!("column {name:?} ({shown}) {what}");
    let text = String::from_utf8(bytes).map_err(|_| wrong("holds what is not UTF-8"))?;
    Ok(match column.form {
        Form::Integer | Form::Bits => {
            let signed = text.parse::<i64>().ok().map(Number::from);
            let number = signed.or_else(|| text.parse::<u64>().ok().map(Number::from));
            Value::Number(number.ok_or_else(|| wrong("holds no whole number"))?)
        }
        Form::Float { .. } => text.parse().map_or(Value::String(text), float),
        Form::Bool => Value::Bool(text == "true"),
        Form::Json => serde_json::from_str(&text)
            .map_err(|error| wrong(&format!("holds JSON that cannot be read: {error}")))?,
        Form::Moment if dialect == Dialect::Mysql => Value::String(text.replacen(' ', "T", 1)),
        Form::Instant if dialect == Dialect::Mysql => {
            Value::String(text.replacen(' ', "T", 1) + "+00:00")
        }
        Form::Decimal
        | Form::Text
        | Form::Binary
        | Form::Date
        | Form::Moment
        | Form::Instant
        | Form::Other => Value::String(text),
    })
}

fn float(number: f64) -> Value {
    // NaN and the infinities, as PostgreSQL writes them.
    let text = || match number {
        _ if number.is_nan() => "NaN",
        _ if number > 0.0 => "Infinity",
        _ => "-Infinity",
    };
    Number::from_f64(number).map_or_else(|| Value::String(text().to_owned()), Value::Number)
}

/// A cell of an answer.
#[derive(Debug)]
pub(super) enum Cell {
    Null,
    Float(f64),
    Bytes(Vec<u8>),
}

#[cfg(test)]
mod tests;
