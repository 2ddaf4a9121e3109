//! `longshore completions`: the scripts are whole, and bash completes with its own.

use std::path::Path;

use crate::support::daemon::{longshore, program};

#[test]
fn bash_takes_the_script_and_completes_commands_and_their_verbs() {
    let script = longshore(["completions", "bash"]).finish().expect(0, &[]).stdout;
    let bash = |args: [&str; 2]| program(Path::new("/bin/bash"), args).file("script", &script);
    bash(["-n", "script"]).finish().expect(0, &[]);
    for (words, offered) in [("longshore se", "setup send"), ("longshore sqs pu", "purge")] {
        let ask = format!(
            "source ./script; words=({words}); COMP_WORDS=({words}); \
             COMP_CWORD=$((${{#words[@]}} - 1)); \
             _longshore longshore \"${{words[-1]}}\" \"${{words[-2]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        let answer = bash(["-c", &ask]).finish().expect(0, &[]);
        assert_eq!(answer.stdout.trim(), offered, "{}", answer.said());
    }
}

#[test]
fn every_shell_has_its_script_and_an_unknown_one_is_told_which_there_are() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = longshore(["completions", shell]).finish();
        assert_eq!((script.code, &*script.stderr), (0, ""), "{shell}");
        for command in ["run", "redrive", "completions"] {
            assert!(script.stdout.contains(command), "{shell}: {command}");
        }
    }
    longshore(["completions", "tcsh"]).finish().expect(64, &["tcsh", "bash", "fish"]);
}

#[test]
fn a_script_that_cannot_be_written_is_an_error_and_a_reader_who_left_is_none() {
    let path = env!("CARGO_BIN_EXE_longshore");
    let shell = |command: String| program(Path::new("/bin/sh"), ["-c", &command]).finish();
    shell(format!("{path} completions bash > /dev/full"))
        .expect(78, &["writing to standard output"]);
    let left = shell(format!("{path} completions bash | true")).expect(0, &[]);
    assert_eq!(left.stderr, "");
}
