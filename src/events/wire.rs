//! iniesta's forms on the wire: its JSON, and the whole of a message as it shows it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::message::{Attribute, Outgoing};

/// Compact JSON as iniesta writes it: `/` as `\/`, everything beyond ASCII as `\uXXXX`. Takes JSON
/// without white space between its tokens, as `serde_json` writes it.
pub(super) fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + json.len() / 8);
    for character in json.chars() {
        match character {
            // Between the tokens of JSON there is neither.
            '/' => text.push_str("\\/"),
            '\0'..='\u{7f}' => text.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _written = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Whole<'a> {
    message: &'a str,
    message_structure: &'static str,
    message_attributes: BTreeMap<&'a str, Typed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Typed<'a> {
    data_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
}

/// The message as iniesta shows and measures it: the arguments of `Publish` in compact JSON.
pub(super) fn whole(message: &Outgoing) -> String {
    let mut attributes = BTreeMap::new();
    for (name, value) in &message.attributes {
        let binary_value = match value {
            Attribute::Binary(bytes) => Some(BASE64_STANDARD.encode(bytes)),
            Attribute::String(_) | Attribute::Number(_) => None,
        };
        let data_type = message.data_type(name, value);
        let typed = Typed { data_type, string_value: value.as_text(), binary_value };
        attributes.insert(name.as_str(), typed);
    }
    let whole = Whole {
        message: &message.body,
        message_structure: if message.is_per_protocol { "json" } else { "string" },
        message_attributes: attributes,
        subject: message.subject.as_deref(),
    };
    // Texts and maps of texts always have a form in JSON.
    compact(&serde_json::to_string(&whole).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_json_is_ascii_and_its_slashes_are_escaped() {
        let json = serde_json::to_string(&["a/b", "é", "😀", "\"\\\n\u{1}\u{7f}"]).unwrap();
        assert_eq!(
            compact(&json),
            "[\"a\\/b\",\"\\u00e9\",\"\\ud83d\\ude00\",\"\\\"\\\\\\n\\u0001\u{7f}\"]"
        );
    }
}
