//! The README and the binary know the same commands.

use std::collections::BTreeSet;

use crate::support::{daemon::longshore, repository};

fn commands_below(args: &[&str]) -> BTreeSet<String> {
    let help = longshore([]).args(args).args(&["--help"]).finish().expect(0, &["Usage: "]).stdout;
    let listed = help.split_once("Commands:\n").map_or("", |(_, listed)| listed);
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // A description that goes on is indented further.
    let names = lines.filter_map(|line| {
        line.strip_prefix("  ")?.split_whitespace().next().filter(|_| !line.starts_with("   "))
    });
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The command lines of the README, in their words; a line that a text broke is whole again.
fn told() -> Vec<Vec<String>> {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let words: Vec<&str> = readme.split_whitespace().collect();
    let begins = |word: &str| ["longshore", "`longshore"].contains(&word);
    let lines = words.iter().enumerate().filter(|(_, word)| begins(word));
    lines
        .map(|(at, _)| {
            let mut line = Vec::new();
            for word in words[at + 1..].iter().take(2) {
                let bare = word.trim_end_matches(|c: char| "`,.;:)".contains(c));
                line.push(bare.to_owned());
                if bare.len() < word.len() {
                    break;
                }
            }
            line
        })
        .collect()
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || "-|\u{2026}".contains(c))
}

#[test]
fn every_command_is_told_and_every_told_command_is_there() {
    let (commands, told) = (commands_below(&[]), told());
    assert!(commands.contains("run") && commands.len() > 10, "{commands:?}");
    let is_told = |command: &&String| told.iter().any(|line| line.first() == Some(*command));
    let untold: Vec<_> = commands.iter().filter(|command| !is_told(command)).collect();
    assert!(untold.is_empty(), "the README tells nothing of longshore {untold:?}");
    for line in &told {
        let Some(command) = line.first().filter(|word| is_name(word)) else { continue };
        assert!(commands.contains(command), "the README tells of longshore {command}");
        let verbs = commands_below(&[command]);
        let Some(named) = line.get(1).filter(|word| is_name(word) && !verbs.is_empty()) else {
            continue;
        };
        for verb in named.split('|').filter(|verb| *verb != "\u{2026}") {
            assert!(verbs.contains(verb), "the README tells of longshore {command} {verb}");
        }
    }
}
