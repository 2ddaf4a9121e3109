//! What a command prints: JSON lines, each a message.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::message::Body;
use crate::payload::codec::Pylon;
use crate::payload::codec::pylon::is_key;

/// All of the messages. Lines of white space, and `null`, are none.
///
/// Blocks.
///
/// # Errors
/// [`Kind::Invalid`] for the first line that is no message; its text never quotes the line.
pub(super) fn read(printed: &Body) -> Result<Vec<Pylon>> {
    let mut messages = Vec::new();
    for (number, line) in BufReader::new(printed.reader()).split(b'\n').enumerate() {
        let wrong = |why: String| {
            let what = format!("line {} of what it printed is no message", number + 1);
            Error::new(Kind::Invalid, what).because(why)
        };
        let line = line.map_err(|error| wrong(error.to_string()))?;
        let line = str::from_utf8(&line).map_err(|_| wrong("it is not UTF-8".to_owned()))?.trim();
        if !matches!(line, "" | "null") {
            messages.push(message(line).map_err(wrong)?);
        }
    }
    Ok(messages)
}

fn message(line: &str) -> std::result::Result<Pylon, String> {
    let value: Value = serde_json::from_str(line).map_err(|_| "it is no JSON".to_owned())?;
    let object = value.as_object().ok_or("it is no JSON object")?;
    // Whoever logs JSON to standard output would otherwise send messages of nothing.
    if !object.keys().any(|key| is_key(key)) {
        return Err("it has none of the keys of a message, such as body".to_owned());
    }
    Pylon::of_line(line).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p14_empty_and_null_lines_are_no_messages() {
        let bodies = |text: &str| -> Vec<Option<String>> {
            let messages = read(&Body::from(text)).unwrap();
            messages.into_iter().map(|message| message.body).collect()
        };
        let some = |text: &str| Some(text.to_owned());
        let printed = "{\"body\": \"a\"}\nnull\n\n  \r\n{\"body\": {\"b\": [1]}}\r\nnull";
        assert_eq!(bodies(printed), [some("a"), some("{\"b\": [1]}")]);
        assert_eq!(bodies("null\nnull\n"), []);
        assert_eq!(bodies(""), []);
    }

    #[test]
    fn a_line_that_is_no_message_is_told_by_its_number_and_never_quoted() {
        for line in [
            "sesame",
            "[\"sesame\"]",
            "{\"sesame\": 1}",
            "{\"objectType\": 1}",
            "{\"body\": \"a\"",
            "7",
        ] {
            let printed = format!("{{\"body\": \"good\"}}\n{line}\n");
            let told = read(&Body::from(&*printed)).unwrap_err().to_string();
            assert!(told.contains("line 2") && !told.contains("sesame"), "{told}");
        }
        let told = read(&Body::of_bytes(b"\xff\n".to_vec())).unwrap_err().to_string();
        assert!(told.contains("line 1") && told.contains("UTF-8"), "{told}");
    }
}
