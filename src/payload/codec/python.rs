//! JSON in the layout of Python's `json.dumps`: `", "` and `": "` between, everything beyond ASCII
//! as `\uXXXX`, numbers with a fraction as Python writes them.

use std::fmt::Write as _;

use serde::de::IgnoredAny;

/// The same JSON in Python's layout; the order of keys stays.
///
/// # Errors
/// Where the text is no JSON, or a text in it has half of a surrogate pair.
pub(crate) fn layout(json: &str) -> serde_json::Result<String> {
    serde_json::from_str::<IgnoredAny>(json)?;
    let mut text = String::with_capacity(json.len() + json.len() / 4);
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => length_of_text(rest),
            '-' | '0'..='9' => length_of_number(rest),
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        match first {
            '"' => push_text(&mut text, &serde_json::from_str::<String>(token)?),
            '-' | '0'..='9' => text.push_str(&number(token)),
            ',' => text.push_str(", "),
            ':' => text.push_str(": "),
            ' ' | '\t' | '\n' | '\r' => {}
            other => text.push(other),
        }
    }
    Ok(text)
}

/// Up to the closing quote.
fn length_of_text(json: &str) -> usize {
    let mut escaped = false;
    let closing = json.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map_or(json.len(), |place| place + 2)
}

fn length_of_number(json: &str) -> usize {
    let inside = |byte: &u8| !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    json.as_bytes().iter().position(inside).unwrap_or(json.len())
}

/// Whole numbers of any length stay as they are.
fn number(token: &str) -> String {
    let has_fraction = token.contains(['.', 'e', 'E']);
    match token.parse::<f64>() {
        Ok(value) if has_fraction && value.is_finite() => fraction(value),
        _ if token == "-0" => "0".to_owned(),
        _ => token.to_owned(),
    }
}

/// The shortest digits that read back the same, as here; the exponent has a sign and two digits.
fn fraction(value: f64) -> String {
    let text = format!("{value:?}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            ' '..='\u{7f}' => json.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _written = write!(json, "\\u{unit:04x}");
                }
            }
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_writes_it() {
        let vectors = [
            (r#"{ "a":"b" }"#, r#"{"a": "b"}"#),
            (r#"[1,"x/y"]"#, r#"[1, "x/y"]"#),
            ("{\"\u{e9}\":1.5,\"n\":null}", r#"{"\u00e9": 1.5, "n": null}"#),
            (r#"{"z":[],"a":{},"z":true}"#, r#"{"z": [], "a": {}, "z": true}"#),
            (
                r#""\u0000\u001f\u007f\/\"\\\b\f\n\r\t""#,
                "\"\\u0000\\u001f\u{7f}/\\\"\\\\\\b\\f\\n\\r\\t\"",
            ),
            ("\"\u{1f600}, : \"", r#""\ud83d\ude00, : ""#),
            (
                "[1e16,1e-5,1.5e-7,0.0001,1e15,1.0,-0.0]",
                "[1e+16, 1e-05, 1.5e-07, 0.0001, 1000000000000000.0, 1.0, -0.0]",
            ),
            (
                "[1.2345678901234567e+300,-0,123456789012345678901234567890]",
                "[1.2345678901234567e+300, 0, 123456789012345678901234567890]",
            ),
        ];
        for (json, python) in vectors {
            assert_eq!(layout(json).unwrap(), python);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "nul", "{'a': 1}", "1 2", "\"a\nb\"", r#""\ud83d""#] {
            assert!(layout(text).is_err(), "{text}");
        }
    }
}
