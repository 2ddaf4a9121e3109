//! Bytes in, bytes out: what is right, what is foreign, what is damaged.

use std::fmt::Write as _;
use std::io::Write as _;

use ::base64::Engine;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio_util::sync::CancellationToken;

use super::*;

fn bounds(limit: u64) -> Bounds {
    Bounds::new(limit, CancellationToken::new())
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The same bytes in memory and in a file.
fn both(bytes: &[u8]) -> [Body; 2] {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    [Body::of_bytes(bytes.to_vec()), Body::of_file(file, u64::try_from(bytes.len()).unwrap())]
}

fn contents(body: &Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    body.reader().read_to_end(&mut bytes).unwrap();
    bytes
}

fn is_foreign<T>(result: Result<T, Stop>) -> bool {
    matches!(result, Err(Stop::Foreign(_)))
}

fn is_broken<T>(result: Result<T, Stop>) -> bool {
    matches!(result, Err(Stop::Broken(_)))
}

#[test]
fn base64_is_read_whatever_its_length() {
    for length in (0..64).chain([1000, 65_535, 65_536, 65_537, 200_000]).skip(1) {
        let bytes: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
        for body in both(BASE64_STANDARD.encode(&bytes).as_bytes()) {
            assert!(contents(&base64(&body, &bounds(1 << 20)).unwrap()) == bytes, "{length}");
        }
    }
}

#[test]
fn base64_is_strict() {
    let long = BASE64_STANDARD.encode(vec![7; 9_000]);
    let wrong = [
        "",
        "Q",
        "QQ",
        "QQ=",
        "QQ===",
        "Q===",
        "====",
        "QR==",
        "QUJ=",
        " QQ==",
        "QQ==\n",
        "QQ\n==",
        "QQ==QQ==",
        "-_8=",
        "hello",
        "aGVsbG8",
        "\u{e9}A==",
    ];
    let damaged = [
        format!("{long}QQ==QUJD"),
        format!("{long}\n"),
        long.replacen('H', "\n", 1),
        format!("QQ=={long}"),
        format!("{long}A"),
    ];
    for text in wrong.into_iter().map(str::to_owned).chain(damaged) {
        for body in both(text.as_bytes()) {
            assert!(is_foreign(base64(&body, &bounds(1 << 20))), "{} {text}", text.len());
        }
    }
}

#[test]
fn gzip_of_several_members_is_one_body() {
    let mut twice = gzipped(b"one ");
    twice.extend(gzipped(b"two"));
    for body in both(&twice) {
        assert_eq!(contents(&gzip(&body, &bounds(100)).unwrap()), b"one two");
    }
}

#[test]
fn gzip_that_is_none_is_foreign_and_damaged_gzip_is_not() {
    for other in [&b""[..], b"\x1f", b"\x1f\x8b", b"hello", b"\x1f\x8b\x07abc", b"PK\x03\x04"] {
        assert!(is_foreign(gzip(&Body::of_bytes(other.to_vec()), &bounds(100))), "{other:?}");
    }
    let whole = gzipped(&b"some text that is long enough".repeat(10));
    for cut in 3..whole.len() {
        let body = Body::of_bytes(whole[..cut].to_vec());
        assert!(is_broken(gzip(&body, &bounds(1000))), "cut to {cut}");
    }
    for place in whole.len() - 8..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        assert!(is_broken(gzip(&Body::of_bytes(damaged), &bounds(1000))), "sum or size at {place}");
    }
    let mut trailing = whole;
    trailing.extend(b"trailing");
    assert!(is_broken(gzip(&Body::of_bytes(trailing), &bounds(1000))));
}

#[test]
fn a_gzip_bomb_is_counted_while_it_unpacks() {
    let layer = gzipped(&vec![0; 8 << 20]);
    assert!(layer.len() < 64 << 10);
    let Err(Stop::Broken(why)) = gzip(&Body::of_bytes(layer.clone()), &bounds(1 << 20)) else {
        panic!("a bomb went off");
    };
    assert!(why.contains("1048576 bytes"), "{why}");
    // What fits is not refused: within the limit it may be as dense as it likes.
    assert_eq!(gzip(&Body::of_bytes(layer), &bounds(8 << 20)).unwrap().len(), 8 << 20);
}

#[test]
fn json_is_looked_at_to_its_end() {
    let right: [&[u8]; 8] = [
        b"0",
        b" null ",
        b"[]",
        b"{\"a\":[1,-2,3.5,true,\"\\u00e9\"]}",
        "\"\u{e9}\"".as_bytes(),
        b"\"\"",
        b"1e5",
        b"18446744073709551616",
    ];
    for text in right {
        for body in both(text) {
            assert!(json(&body, &bounds(100)).is_ok(), "{text:?}");
        }
    }
    let wrong: [&[u8]; 10] = [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"nul",
        b"{} {}",
        b"{'a':1}",
        b"\"\xff\"",
        b"\"\\ud83d\"",
        b"\xef\xbb\xbf{}",
    ];
    for text in wrong {
        for body in both(text) {
            assert!(is_foreign(json(&body, &bounds(100))), "{text:?}");
        }
    }
    let deep = both("[".repeat(100_000).as_bytes());
    assert!(deep.iter().all(|body| is_foreign(json(body, &bounds(100)))), "and no stack ends");
}

#[test]
fn relengapi_is_base64_with_json_inside() {
    let wire = BASE64_STANDARD.encode("{\"a\": \"b\"}");
    assert_eq!(wire, "eyJhIjogImIifQ==");
    let read = relengapi(&Body::from(wire), &bounds(100)).unwrap();
    assert_eq!(read.as_text(), Some("{\"a\": \"b\"}"));
    for other in ["QQ==", "{\"a\": \"b\"}", "", "eyJhIjogImIifQ", "eyJhIjogImIifQ==\n"] {
        assert!(is_foreign(relengapi(&Body::from(other), &bounds(100))), "{other}");
    }
    assert!(is_broken(relengapi(&Body::from("eyJhIjogImIifQ=="), &bounds(9))));
}

#[test]
fn no_reason_quotes_the_body() {
    let mut told = String::new();
    let body = Body::from("sesame");
    let all = [
        base64(&body, &bounds(9)).map(|_| ()),
        gzip(&body, &bounds(9)).map(|_| ()),
        json(&body, &bounds(9)),
        relengapi(&body, &bounds(9)).map(|_| ()),
    ];
    for stop in all {
        write!(told, "{:?}", stop.unwrap_err()).unwrap();
    }
    assert!(!told.contains("sesame"), "{told}");
}
