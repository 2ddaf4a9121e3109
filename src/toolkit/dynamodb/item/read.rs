//! Reading JSON, each number as it is written: a parser that makes floating-point numbers of them
//! would lose digits.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::MOST_LEVELS;
use super::number::Number;

type Attributes = HashMap<String, AttributeValue>;
type Raw<'j> = HashMap<String, &'j RawValue>;

/// Reads an item in either form; errors are in words.
pub(super) fn item(text: &str) -> Result<Attributes, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    // The parser would repeat another value in its words.
    if !text.starts_with('{') {
        return Err("it is no JSON object".to_owned());
    }
    let fields: Raw<'_> =
        of_text(text).map_err(|error| format!("it is no JSON object: {error}"))?;
    if !fields.is_empty() && fields.values().all(|field| typed(field.get(), 0).is_some()) {
        return each(&fields, |field| typed(field, 0).unwrap_or_else(|| Err(String::new())));
    }
    each(&fields, |field| plain(field, 0))
}

fn of_text<'j, T: Deserialize<'j>>(text: &'j str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}

fn each<'j>(
    fields: &Raw<'j>,
    read: impl Fn(&'j str) -> Result<AttributeValue, String>,
) -> Result<Attributes, String> {
    let fields = fields.iter().map(|(name, field)| match read(field.get()) {
        Ok(value) => Ok((name.clone(), value)),
        Err(wrong) => Err(format!("{name:?}: {wrong}")),
    });
    fields.collect()
}

fn plain(text: &str, level: usize) -> Result<AttributeValue, String> {
    if level > MOST_LEVELS {
        return Err("lists and maps lie in each other more than 32 deep".to_owned());
    }
    let broken = |error: serde_json::Error| error.to_string();
    Ok(match text.bytes().next() {
        Some(b'{') => {
            let fields: Raw<'_> = of_text(text).map_err(broken)?;
            AttributeValue::M(each(&fields, |field| plain(field, level + 1))?)
        }
        Some(b'[') => {
            let list: Vec<&RawValue> = of_text(text).map_err(broken)?;
            let list = list.into_iter().map(|value| plain(value.get(), level + 1));
            AttributeValue::L(list.collect::<Result<_, _>>()?)
        }
        Some(b'"') => AttributeValue::S(of_text(text).map_err(broken)?),
        Some(b't') => AttributeValue::Bool(true),
        Some(b'f') => AttributeValue::Bool(false),
        Some(b'n') => AttributeValue::Null(true),
        _ => AttributeValue::N(number(text)?),
    })
}

fn number(text: &str) -> Result<String, String> {
    Number::read(text).map(|_| text.to_owned())
}

/// A value in DynamoDB's own form; nothing for what does not look like one.
fn typed(text: &str, level: usize) -> Option<Result<AttributeValue, String>> {
    let fields: Raw<'_> = of_text(text).ok()?;
    let mut fields = fields.into_iter();
    let (Some((kind, inside)), None) = (fields.next(), fields.next()) else { return None };
    let inside = inside.get();
    if level > MOST_LEVELS {
        return Some(Err("lists and maps lie in each other more than 32 deep".to_owned()));
    }
    Some(match kind.as_str() {
        "S" => Ok(AttributeValue::S(of_text(inside).ok()?)),
        "N" => number(&of_text::<String>(inside).ok()?).map(AttributeValue::N),
        "B" => bytes(&of_text::<String>(inside).ok()?).map(AttributeValue::B),
        "BOOL" => Ok(AttributeValue::Bool(of_text(inside).ok()?)),
        "NULL" => Ok(AttributeValue::Null(of_text(inside).ok()?)),
        "SS" => Ok(AttributeValue::Ss(of_text(inside).ok()?)),
        "NS" => set(inside, number)?.map(AttributeValue::Ns),
        "BS" => set(inside, bytes)?.map(AttributeValue::Bs),
        "L" => {
            let list: Vec<&RawValue> = of_text(inside).ok()?;
            let list = list.into_iter().map(|value| typed(value.get(), level + 1));
            list.collect::<Option<Result<_, _>>>()?.map(AttributeValue::L)
        }
        "M" => {
            let map: Raw<'_> = of_text(inside).ok()?;
            let map = map.into_iter().map(|(name, value)| {
                Some(typed(value.get(), level + 1)?.map(|value| (name, value)))
            });
            map.collect::<Option<Result<_, _>>>()?.map(AttributeValue::M)
        }
        _ => return None,
    })
}

fn set<T>(text: &str, read: fn(&str) -> Result<T, String>) -> Option<Result<Vec<T>, String>> {
    let texts: Vec<String> = of_text(text).ok()?;
    Some(texts.iter().map(|text| read(text)).collect())
}

fn bytes(text: &str) -> Result<Blob, String> {
    STANDARD.decode(text).map(Blob::new).map_err(|_| "its binary value is no base64".to_owned())
}
