//! `longshore put`: files into a spool, whole, under the names of their keys.

use super::{BUCKET, Place};
use crate::support::{
    PATIENCE,
    daemon::{Daemon, program},
    eventually,
    scripted::ScriptedS3,
};
use std::{collections::BTreeSet, fs, path::Path};

/// A shell in a directory of its own; `$LONGSHORE` is the binary, `$SPOOL` the spool, `$CONFIG`
/// its settings.
fn shell(place: &Place, script: &str) -> (i32, Daemon) {
    let mut shell = program(Path::new("/bin/sh"), ["-c", script])
        .env("LONGSHORE", env!("CARGO_BIN_EXE_longshore"))
        .env("SPOOL", place.spool().to_str().unwrap())
        .env("CONFIG", place.root.path().join("longshore.toml").to_str().unwrap())
        .start();
    (shell.wait(PATIENCE), shell)
}

fn done(place: &Place, script: &str) {
    let (code, shell) = shell(place, script);
    assert_eq!(code, 0, "{}", shell.output());
}

/// It must be refused with this code and a line that holds all of this.
fn refused(place: &Place, script: &str, code: i32, words: &[&str]) {
    let (ended, shell) = shell(place, script);
    assert_eq!(ended, code, "{}", shell.output());
    for word in words {
        assert!(shell.output().contains(word), "{word} is missing in: {}", shell.output());
    }
}

#[test]
fn what_is_put_lands_under_its_key() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    let daemon = place.start(&s3.endpoint(), "poll_interval = \"1h\"");
    done(&place, "printf one > a.txt && $LONGSHORE put a.txt --config $CONFIG");
    done(&place, "printf two | $LONGSHORE put - --key 2012-06-14/01.txt --directory $SPOOL");
    done(&place, "printf 3 > b; printf 4 > c; $LONGSHORE put b c --prefix x/y/ --config $CONFIG");
    done(&place, "printf 5 > 'ü + %~.csv' && $LONGSHORE put 'ü + %~.csv' --directory $SPOOL");
    done(&place, "printf 6 > d && $LONGSHORE put d --spool reports --config $CONFIG");
    done(&place, "printf 7 > d && LONGSHORE_CONFIG=$CONFIG $LONGSHORE put d --key ../e");
    place.wait_until_empty(&daemon);
    let keys = ["a.txt", "2012-06-14/01.txt", "x/y/b", "x/y/c", "d", "../e"];
    let objects = s3.objects();
    for (key, contents) in keys.into_iter().zip(["one", "two", "3", "4", "6", "7"]) {
        assert_eq!(objects[&format!("{BUCKET}/{key}")], contents, "{key}");
    }
    let odd: Vec<_> = objects.iter().filter(|(_, body)| *body == "5").collect();
    assert_eq!(odd[0].0, &format!("{BUCKET}/%C3%BC%20%2B%20%25~.csv"), "as the path was sent");
    assert_eq!(objects.len(), 7);
}

/// Names that a spool leaves alone as unfinished: what is put under them lands all the same.
#[test]
fn what_is_put_under_a_name_for_temporary_files_lands_too() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    let _daemon = place.start(&s3.endpoint(), "poll_interval = \"1h\"\nignore = [\"*.lock\"]");
    let keys = ["notes.tmp", "a~", ".longshore-x", ".DS_Store", "x.lock", "dir/y.part"];
    for key in keys {
        done(&place, &format!("printf x | $LONGSHORE put - --key {key} --config $CONFIG"));
    }
    let wanted: BTreeSet<_> = keys.iter().map(|key| format!("{BUCKET}/{key}")).collect();
    eventually("all landed", PATIENCE, || {
        s3.objects().into_keys().collect::<BTreeSet<_>>() == wanted
    });
    assert!(place.left().is_empty());
}

#[test]
fn names_are_encoded_with_no_safe_characters() {
    let place = Place::new();
    let script = "printf x > a; $LONGSHORE put a --key '2012-06-14/~ü b+c' --directory $SPOOL";
    let (code, shell) = shell(&place, script);
    assert_eq!(code, 0);
    assert_eq!(place.left(), ["2012-06-14%2F%7E%C3%BC%20b%2Bc"]);
    // It says where it dropped it.
    assert_eq!(shell.stdout.all(), [place.at(&place.left()[0]).to_str().unwrap()]);
}

#[test]
fn a_put_that_cannot_be_is_refused_with_a_reason_and_leaves_nothing() {
    let place = Place::new();
    let long = "k".repeat(256);
    let run = |arguments: &str| format!("printf x > a; mkdir d; $LONGSHORE put {arguments}");
    let here = "--directory $SPOOL";
    refused(&place, &run(&format!("a --key {long} {here}")), 64, &["256 bytes", "255"]);
    refused(&place, &run(&format!("a --key '' {here}")), 64, &["empty"]);
    refused(&place, &run(&format!("d {here}")), 64, &["d is not a regular file"]);
    refused(&place, &run(&format!("absent {here}")), 64, &["absent", "No such file"]);
    refused(&place, &run(&format!("- {here}")), 64, &["--key"]);
    refused(&place, &run(&format!("a a --key k {here}")), 64, &["--prefix"]);
    refused(&place, &run("a"), 78, &["/etc/longshore/longshore.toml"]);
    refused(&place, &run("a --directory nowhere"), 78, &["nowhere is no directory", "mkdir -p"]);
    assert!(place.left().is_empty());
}

#[test]
fn a_put_whose_input_breaks_off_leaves_nothing_half() {
    let place = Place::new();
    // Killed in the middle of its input: only a temporary name is left, which no spool takes.
    let script = "mkfifo in; (exec $LONGSHORE put - --key k --directory $SPOOL < in) & put=$!; \
                  exec 3> in; printf half >&3; \
                  until ls -a $SPOOL | grep -q longshore-; do :; done; \
                  kill -9 $put; wait $put; [ $? = 137 ]";
    done(&place, script);
    assert!(place.left().is_empty());
    let s3 = ScriptedS3::start();
    let daemon = place.start(&s3.endpoint(), "");
    place.drop("other", "x");
    place.wait_until_empty(&daemon);
    assert_eq!(s3.objects().len(), 1);
}

#[test]
fn the_empty_and_the_large_are_put_whole() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    done(&place, "$LONGSHORE put - --key empty --directory $SPOOL < /dev/null");
    done(&place, "head -c 20000000 /dev/zero | $LONGSHORE put - --key large --directory $SPOOL");
    assert_eq!(fs::metadata(place.at("large")).unwrap().len(), 20_000_000);
    let daemon = place.start(&s3.endpoint(), "");
    place.wait_until_empty(&daemon);
    assert_eq!(s3.objects()[&format!("{BUCKET}/empty")].len(), 0);
    assert_eq!(s3.objects()[&format!("{BUCKET}/large")].len(), 20_000_000);
}
