//! Text as bytes in any encoding of the web, and back. What does not fit is an error: nothing is
//! replaced by question marks.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

use crate::error::{Error, Kind, Result};

/// The encoding of this label, as the WHATWG's Encoding Standard lists them.
fn of_label(label: &str) -> Result<&'static Encoding> {
    let found = Encoding::for_label_no_replacement(label.as_bytes());
    found.ok_or_else(|| {
        Error::new(Kind::Invalid, format!("{label:?} is no encoding"))
            .hint("such as utf-8, utf-16le, latin1, windows-1252, shift_jis")
    })
}

/// The text in the encoding of this label.
///
/// # Errors
/// [`Kind::Invalid`] for an unknown label, and for a character that the encoding does not have.
pub(super) fn encode<'a>(text: &'a str, label: &str) -> Result<Cow<'a, [u8]>> {
    let encoding = of_label(label)?;
    // The web never sends UTF-16, and so the library would write UTF-8.
    if encoding == UTF_16LE {
        return Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    }
    if encoding == UTF_16BE {
        return Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    let (bytes, _, unmappable) = encoding.encode(text);
    if !unmappable {
        return Ok(bytes);
    }
    let stranger = text.chars().find(|c| encoding.encode(c.encode_utf8(&mut [0; 4])).2);
    let stranger = stranger.map_or_else(String::new, |c| format!(" {c:?}"));
    Err(Error::new(Kind::Invalid, format!("{} has no character{stranger}", encoding.name()))
        .hint("choose another encoding, such as utf-8"))
}

/// The text that these bytes are in the encoding of this label. A byte order mark is taken off
/// UTF-16 and kept in UTF-8, where it is a character like any other.
///
/// # Errors
/// [`Kind::Invalid`] for an unknown label; [`Kind::Corrupt`] for bytes that are no such text.
pub(super) fn decode(bytes: &[u8], label: &str, what: &str) -> Result<String> {
    let encoding = of_label(label)?;
    let text = if [UTF_16LE, UTF_16BE].contains(&encoding) {
        let (text, damaged) = encoding.decode_with_bom_removal(bytes);
        (!damaged).then_some(text)
    } else {
        encoding.decode_without_bom_handling_and_without_replacement(bytes)
    };
    text.map(Cow::into_owned).ok_or_else(|| {
        Error::new(Kind::Corrupt, format!("{what}: it is no text in {}", encoding.name()))
            .hint("name its encoding, or take it as bytes")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_in_every_encoding_that_has_its_characters() {
        for (label, text, bytes) in [
            ("utf-8", "\u{feff}äö", &b"\xef\xbb\xbf\xc3\xa4\xc3\xb6"[..]),
            ("utf8", "x", b"x"),
            ("latin1", "ä", b"\xe4"),
            ("windows-1252", "€", b"\x80"),
            ("shift_jis", "日", b"\x93\xfa"),
            ("utf-16le", "a€", b"a\0\xac\x20"),
            ("utf-16be", "a€", b"\0a\x20\xac"),
        ] {
            assert_eq!(&*encode(text, label).unwrap(), bytes, "{label}");
            assert_eq!(decode(bytes, label, "reading").unwrap(), text, "{label}");
        }
        assert_eq!(decode(b"\xff\xfea\0", "utf-16", "reading").unwrap(), "a");
    }

    #[test]
    fn what_does_not_fit_is_named_and_never_replaced() {
        let error = encode("a€日", "windows-1252").unwrap_err();
        assert!(error.to_string().contains("windows-1252 has no character '日'"), "{error}");
        let error = decode(b"\xff", "utf-8", "reading s3://b/k").unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.to_string().contains("reading s3://b/k: it is no text in UTF-8"), "{error}");
        assert!(decode(b"\x00\xd8", "utf-16le", "reading").is_err(), "half a surrogate pair");
        for label in ["", "klingon", "replacement"] {
            assert!(encode("", label).unwrap_err().to_string().contains("is no encoding"));
        }
    }
}
