//! Compared with Python itself wherever Python 2 and 3 agree; the rest is written out.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

type Parsed = BTreeMap<String, BTreeMap<String, String>>;

/// As Python's parser would hold it: merged, the last one counts, names in lower case.
fn parsed(text: &str) -> Result<Parsed, Vec<String>> {
    let mut wrong = Vec::new();
    let mut merged = Parsed::new();
    for section in sections(text, |_, message| wrong.push(message)) {
        let options = merged.entry(section.name).or_default();
        for setting in section.settings {
            options.insert(setting.name.to_lowercase(), setting.value);
        }
    }
    if wrong.is_empty() { Ok(merged) } else { Err(wrong) }
}

/// Nothing where Python refuses the text.
fn python(texts: &[&str]) -> Vec<Option<Parsed>> {
    const READ: &str = "\
import configparser, json, sys
results = []
for text in json.load(sys.stdin):
    parser = configparser.RawConfigParser(strict=False, default_section='no default section')
    try:
        parser.read_string(text)
        results.append({name: dict(parser.items(name)) for name in parser.sections()})
    except configparser.Error:
        results.append(None)
json.dump(results, sys.stdout)
";
    let mut child = Command::new("python3")
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed to compare with");
    let input = serde_json::to_vec(texts).unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn compare(texts: &[&str]) {
    for (text, python) in texts.iter().zip(python(texts)) {
        assert_eq!(parsed(text).ok(), python, "{text:?}");
    }
}

#[test]
fn tricky_files_are_read_as_python_reads_them() {
    compare(&[
        "",
        "\n# only a comment\n; and another\n",
        "[a]",
        "[a]\nx=1",
        "[a]\nX-Y_z : 1\n",
        "[a]\nx = 1 = 2 : 3\ny : 1 = 2\n",
        "[a]\r\nx = 1\r\n\r\n[b]\r\ny: 2 \r\n",
        "[A]\nx = 1\n[a]\nx = 2\n",
        "[a b.c ]\nx = 1\n",
        "[a] trailing\nx = 1\n",
        "[]\n",
        "[a\nx = 1\n",
        "[a]\nx = 1\nx = 2\nX = 3\n[b]\ny=1\n[a]\nz=1\n",
        "x = 1\n[a]\n",
        "[a]\nx\n",
        "[a]\n= 1\n",
        "[a]\nx =\ny:\n",
        "[a]\nx = \"quoted\"\ny = 'single'\nz = back\\slash \\n\n",
        "[a]\nx = %(y)s %% %\n",
        "[a]\nx = one\n  two\n\tthree\ny = 1\n",
        "[a]\nx = one\n\n  two\n\n\ny = 1\n",
        "[a]\nx = one\n  two = 2\n",
        "[a]\nx = one\n  [b]\n",
        "[a]\n  x = 1\n  y = 2\n    more\n z = 3\n",
        "  [a]\nx = 1\n",
        "[a]\n  more\nx = 1\n",
        "[a]\nx = 1\n# comment\n  two\n   # indented\n  ; other\n  three\n",
        "[a]\nx = 1 # kept\ny = a#b\nz = a;b\n",
        "[a]\nx y z = 1\n",
        "[a]\nx = ;b\n",
        "[a]\nx = 1\n\n\n",
        "[a]\nclé = wért\nx\u{a0}= 1\n",
        "[a]\nx = 1",
        "[a]\nx\t=\t1\t\n",
    ]);
}

/// Files made of random pieces, without what Python's versions read differently: ` ;`, `rem`, and
/// a second `]` in a line.
#[test]
fn random_files_are_read_as_python_reads_them() {
    let pieces = [
        "[a]", "[b]", "x", "y", "X", "=", ":", " ", "  ", "\n", "\n", "\n  ", "\n\t", "#", "1",
        "v w", "\"", "'", "\\", "%", "]", "[", "\r\n", "é", "x = 1\n", "[a]\n",
    ];
    let mut dice = fastrand::Rng::with_seed(2_012);
    let texts: Vec<String> = (0..2_000)
        .map(|_| (0..dice.usize(0..40)).map(|_| pieces[dice.usize(0..pieces.len())]).collect())
        .filter(|text: &String| text.lines().all(|line| line.matches(']').count() < 2))
        .collect();
    compare(&texts.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Python 2 read these so, and what zc.s3uploadqueue accepted must mean the same.
#[test]
fn where_python_2_and_3_differ_the_older_counts() {
    let one = |text: &str| parsed(text).unwrap()["a"].clone().into_iter().next();
    let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
    assert_eq!(one("[a]\nx = 1 ; comment\n"), pair("x", "1"));
    assert_eq!(one("[a]\nx = a;b ;c\n"), pair("x", "a;b ;c"), "only the first semicolon counts");
    assert_eq!(one("[a]\nx = 1\n  2 ; kept\n"), pair("x", "1\n2 ; kept"));
    assert_eq!(one("[a]\nrem x = 1\nREM\ny = 2\n"), pair("y", "2"));
    assert_eq!(one("[a] ; [b]\nx = 1\n"), pair("x", "1"));
    assert_eq!(one("\u{feff}[a]\nx = 1\n"), pair("x", "1"), "a byte order mark is no text");
}

#[test]
fn every_bad_line_is_told() {
    let text = "stray\n[a]\nx\ny = 1\n= 2\n";
    let mut places = Vec::new();
    sections(text, |at, _| places.push(at));
    assert_eq!(places, [0, 10, 18]);
}

#[test]
fn lists_are_json_or_words() {
    assert_eq!(list("a  b\n c"), Ok(vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(list("[\"a b\",\n\"c\\\"\"]"), Ok(vec!["a b".into(), "c\"".into()]));
    assert_eq!(list(""), Ok(vec![]));
    assert!(list("sh -c 'a b'").is_err());
    assert!(list("[1]").is_err());
}
