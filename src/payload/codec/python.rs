//! JSON in the layout of Python's `json.dumps`: `", "` and `": "` between, everything but printable
//! ASCII as `\uXXXX`, numbers with a fraction as Python writes them.

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

/// As Python's `repr`: the shortest digits that read back the same, plain from 0.0001 to below 1e16,
/// else with an exponent of a sign and two digits.
fn fraction(value: f64) -> String {
    let shortest = format!("{value:e}");
    let places = shortest.bytes().filter(u8::is_ascii_digit).count();
    let exponent_places = shortest
        .rsplit('e')
        .next()
        .map_or(0, |exponent| exponent.bytes().filter(u8::is_ascii_digit).count());
    // Of two as short, Python takes the nearer, and the even one of two as near.
    let nearest = format!("{value:.*e}", places.saturating_sub(exponent_places + 1));
    let text = match nearest.parse::<f64>() {
        Ok(same) if same.to_bits() == value.to_bits() => nearest,
        Ok(_) | Err(_) => shortest,
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.replace('.', "");
    if !(-4..16).contains(&exponent) {
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{mark}{:02}", exponent.unsigned_abs());
    }
    match usize::try_from(exponent) {
        Err(_negative) => {
            let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
            format!("{sign}0.{zeros}{digits}")
        }
        Ok(exponent) => match digits.split_at_checked(exponent + 1) {
            Some((whole, rest)) if !rest.is_empty() => format!("{sign}{whole}.{rest}"),
            _ => format!("{sign}{digits:0<width$}.0", width = exponent + 1),
        },
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
            ' '..='~' => json.push(character),
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
                "\"\\u0000\\u001f\\u007f/\\\"\\\\\\b\\f\\n\\r\\t\"",
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
    fn of_two_texts_as_short_the_nearer_is_taken() {
        // Exactly between .2 and .3, and both read back as the same number.
        assert_eq!(layout("-1250201187231379.25").unwrap(), "-1250201187231379.2");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "nul", "{'a': 1}", "1 2", "\"a\nb\"", r#""\ud83d""#] {
            assert!(layout(text).is_err(), "{text}");
        }
    }
}
