//! The house rules that no lint knows: the order of modules, the size of files, what may not be in
//! a committed file.

use crate::support::repository;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Both pipelines and their neighbours: none knows another.
const BLIND: [&str; 5] = ["queue", "spool", "events", "handlers", "schedule"];

#[test]
fn a_module_uses_only_those_above_it_in_the_tour() {
    let order = tour(&read(&repository().join("src/lib.rs")));
    assert!(order.contains(&"error".to_owned()), "the tour was not understood: {order:?}");
    let complaints: Vec<String> =
        library_files().iter().flat_map(|file| complaints(&order, file, &code(file))).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_order_is_held_in_every_form_of_use() {
    let order = ["error", "aws", "queue", "spool", "worker"].map(str::to_owned);
    let wrong = [
        ("src/aws.rs", "use crate::queue;"),
        ("src/aws/fault.rs", "use crate::{\n    error::{Error, Kind},\n    worker::Worker,\n};"),
        ("src/queue/poll.rs", "fn f() -> crate::worker::Worker {}"),
        ("src/spool.rs", "use crate::queue::Poll;"),
        ("src/queue/poll/wait.rs", "use super::super::super::worker::X;"),
        ("src/error.rs", "use super::aws;"),
        ("src/queue.rs", "use crate::Error;"),
    ];
    for (file, text) in wrong {
        assert_eq!(complaints(&order, Path::new(file), text).len(), 1, "{file}: {text}");
    }
    let right = [
        ("src/queue/poll.rs", "use crate::{aws::{a, worker::b}, error::Error, queue::Queue};"),
        ("src/queue/poll.rs", "use super::settle; use super::super::aws; pub(crate) fn f() {}"),
        ("src/worker.rs", "use crate::{queue, spool}; // never crate::nothing"),
    ];
    for (file, text) in right {
        let text = without_comments(text);
        assert_eq!(complaints(&order, Path::new(file), &text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn files_read_in_one_sitting() {
    let files = files_below(&repository().join("src"));
    let lines = |file: &PathBuf| read(file).lines().count();
    let long: Vec<_> = files.iter().filter(|file| lines(file) > 300).collect();
    let endless: Vec<_> = files.iter().filter(|file| lines(file) > 400).collect();
    assert!(endless.is_empty(), "over 400 lines: {endless:?}");
    assert!(
        long.len() * 20 <= files.len(),
        "more than one file in twenty over 300 lines: {long:?}"
    );
}

#[test]
fn no_mod_rs_and_unsafe_only_in_sys() {
    for file in files_below(&repository().join("src")) {
        assert!(!file.ends_with("mod.rs"), "{}: name.rs beside name/ instead", file.display());
        let bare = code(&file).split(|c: char| !is_word(c)).any(|word| word == "unsafe");
        assert!(!bare || file.ends_with("src/sys.rs"), "{}: unsafe", file.display());
    }
}

#[test]
fn committed_files_name_no_machine_and_no_test_is_switched_off() {
    // Put together, so that this file may be looked at too.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("/tm", "p/lh"),
        concat!("fa", "rm-"),
        concat!("suba", "gent"),
        concat!("#[ig", "nore"),
    ];
    for file in committed_files() {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for word in words {
            assert!(!text.contains(word), "{}: contains {word:?}", file.display());
        }
    }
}

/// The modules in the order in which `lib.rs` declares them.
fn tour(lib: &str) -> Vec<String> {
    let modules = lib.lines().filter_map(|line| {
        let line = line.strip_prefix("pub ").or(line.strip_prefix("pub(crate) ")).unwrap_or(line);
        // A word on the module may follow.
        line.strip_prefix("mod ")?.split_once(';').map(|(module, _)| module)
    });
    modules.map(str::to_owned).collect()
}

fn complaints(order: &[String], file: &Path, code: &str) -> Vec<String> {
    let module = module_path(file);
    let Some(own) = place(order, &module[0]) else {
        return vec![format!("{}: {} is not in the tour", file.display(), module[0])];
    };
    // `super::` as often as the module is deep is the crate's root by another name.
    let root = "super::".repeat(module.len());
    let mut used = paths_after(code, "crate::");
    used.extend(paths_after(code, &root));
    used.retain(|name| {
        place(order, name).is_none_or(|place| place > own)
            || (*name != module[0]
                && [name, &module[0]].iter().all(|m| BLIND.contains(&m.as_str())))
    });
    used.iter().map(|name| format!("{}: may not use crate::{name}", file.display())).collect()
}

fn place(order: &[String], module: &str) -> Option<usize> {
    order.iter().position(|name| name == module)
}

/// `src/queue/poll.rs` is `[queue, poll]`.
fn module_path(file: &Path) -> Vec<String> {
    let path = file.strip_prefix(repository()).unwrap_or(file).strip_prefix("src").unwrap();
    path.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect()
}

/// The first names of all paths that begin with `prefix`, groups opened.
fn paths_after(code: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| is_word(c) || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        if rest.starts_with("super::") {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(group) => names.extend(names_of_group(group)),
            None => names.push(first_word(rest)),
        }
    }
    names
}

fn names_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(first_word(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| is_word(*c)).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A file's code without comments and without its tests, which may use everything.
fn code(file: &Path) -> String {
    let text = without_comments(&read(file));
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| match line.find("//") {
        // The two slashes of a URL stand behind a colon.
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The library's modules: not `lib.rs`, which names them all, not the binary, which sees only the
/// public API, not files of unit tests.
fn library_files() -> Vec<PathBuf> {
    let source = repository().join("src");
    let mut files = files_below(&source);
    files.retain(|file| {
        !file.starts_with(source.join("bin")) && !file.ends_with("lib.rs") && !in_tests(file)
    });
    files
}

fn in_tests(file: &Path) -> bool {
    module_path(file).iter().any(|name| name == "tests")
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn committed_files() -> Vec<PathBuf> {
    // The checkout may belong to somebody else than the one who tests it.
    let git = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(repository())
        .output()
        .expect("git is there: run `make setup`");
    assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
    let listed = String::from_utf8(git.stdout).unwrap();
    listed.split_terminator('\0').map(|path| repository().join(path)).collect()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
