//! Many files: all of them land, each once, in bounded memory; and other people's tools agree.

use super::{BUCKET, Place, boto, make_bucket, puts_by_path};
use crate::support::{PATIENCE, dwindles, emulator::ministack, eventually, scripted::ScriptedS3};
use std::{fs, path::PathBuf};

const MANY: usize = 10_000;

/// The most memory that a process ever had, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn z11_ten_thousand_files_land_once_each_and_a_second_daemon_is_refused() {
    let (s3, place) = (ScriptedS3::start(), Place::new());
    for number in 0..MANY {
        fs::write(place.at(format!("f{number}")), number.to_string()).unwrap();
    }
    let daemon = place.start(&s3.endpoint(), "");
    eventually("it has begun", PATIENCE, || !s3.objects().is_empty());
    let mut second = place.start(&s3.endpoint(), "");
    assert_eq!(second.wait(PATIENCE), 75);
    let (said, pid) = (second.output(), daemon.pid().to_string());
    assert!(said.contains(&pid), "{said}");
    assert!(said.contains(place.spool().to_str().unwrap()), "{said}");
    let left = || place.left().len();
    dwindles(|| format!("{} files left:\n{}", left(), daemon.output()), PATIENCE, left);
    let objects = s3.objects();
    assert_eq!(objects.len(), MANY);
    for number in 0..MANY {
        assert_eq!(objects[&format!("{BUCKET}/f{number}")], number.to_string());
    }
    assert!(puts_by_path(&s3.requests()).values().all(|times| *times == 1));
    let peak = peak_kib(daemon.pid());
    assert!(peak < 150 << 10, "{peak} KiB");
}

/// By other hands: Python decodes the names and boto3 brings the objects.
const COMPARE: &str = "
import boto3, os, sys, urllib.parse
s3 = boto3.client('s3')
directory = os.fsencode(sys.argv[1])
keys = {}
for name in os.listdir(directory):
    key = urllib.parse.unquote_to_bytes(name).decode()
    with open(os.path.join(directory, name), 'rb') as file:
        keys[key] = file.read()
found = set()
for page in s3.get_paginator('list_objects_v2').paginate(Bucket='landing'):
    found.update(entry['Key'] for entry in page.get('Contents', []))
assert found == set(keys), (sorted(set(keys) - found)[:5], sorted(found - set(keys))[:5])
for key, contents in keys.items():
    body = s3.get_object(Bucket='landing', Key=key)['Body'].read()
    assert body == contents, key
print(len(keys), 'compared')
";

/// A name of each kind that producers come up with.
fn name(number: usize) -> String {
    match number % 12 {
        0 => format!("2012-06-14%2F{number}.txt"),
        1 => format!("a+b+{number}"),
        2 => format!("with spaces {number}"),
        3 => format!("a%20b%2Bc-{number}"),
        4 => format!("grüße-日本語-{number}"),
        5 => format!("%E6%97%A5%2F%c3%a9-{number}"),
        6 => format!(".well-known%2Fx-{number}"),
        7 => format!(".hidden-{number}"),
        8 => format!("bad%zz-{number}%"),
        9 => format!("{number:-<255}"),
        10 => format!("%252F-{number}&<>'\"?#;=@,$!()*[]{{}}|^`~x"),
        _ => format!("deep%2F%2Fer%2f..%2F{number}%2F"),
    }
}

#[test]
fn a_thousand_files_of_mixed_names_land_on_ministack_as_boto3_sees_them() {
    let server = ministack();
    make_bucket(&server.endpoint(), BUCKET);
    let place = Place::new();
    let copies: PathBuf = place.root.path().join("copies");
    fs::create_dir(&copies).unwrap();
    let daemon = place.start(&server.endpoint(), "");
    for number in 0..1_000 {
        let contents = format!("contents of {number}\n").repeat(number % 50);
        fs::write(copies.join(name(number)), &contents).unwrap();
        place.drop(name(number), &contents);
    }
    place.wait_until_empty(&daemon);
    assert_eq!(fs::read_dir(place.quarantine()).unwrap().count(), 0, "{}", daemon.output());
    let said = boto(&server.endpoint(), COMPARE, &copies);
    assert!(said.contains("1000 compared"), "{said}");
}
