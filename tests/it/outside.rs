//! What surrounds the code: the unit file, the other ways to run it, the gate itself.

use crate::support::{
    PATIENCE,
    daemon::{longshore, program},
    repository,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// The defaults of `drain` and of the abort after it.
const STOPPING_SECONDS: u32 = 25 + 3;

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The value of the only line `key=…`.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("{key} is missing"));
    assert_eq!(values.next(), None, "{key} stands twice");
    value
}

#[test]
fn the_unit_keeps_what_the_daemon_relies_on() {
    let unit = read("systemd/longshore.service");
    for (key, wanted) in [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("KillMode", "mixed"),
        ("OOMPolicy", "continue"),
        ("Delegate", "yes"),
        ("AmbientCapabilities", "CAP_LEASE"),
        ("CapabilityBoundingSet", "CAP_LEASE"),
        ("Restart", "on-failure"),
        ("RestartSec", "5"),
        ("RestartPreventExitStatus", "64 78"),
        ("StateDirectory", "longshore"),
        ("ReadWritePaths", "-/var/spool/longshore"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("User", "longshore"),
    ] {
        assert_eq!(value(&unit, key), wanted, "{key}");
    }
    assert!(value(&unit, "WatchdogSec").parse::<u32>().unwrap() > 0);
    assert!(value(&unit, "TimeoutStopSec").parse::<u32>().unwrap() > STOPPING_SECONDS);
    for absent in ["ExecStartPre=", "MemoryDenyWriteExecute=", "ProtectControlGroups="] {
        assert!(!unit.lines().any(|line| line.starts_with(absent)), "{absent} breaks a promise");
    }
}

#[test]
fn every_hardening_line_says_why() {
    let unit = read("systemd/longshore.service");
    let (_, hardening) = unit.split_once("# --- hardening").unwrap();
    let lines: Vec<_> = hardening.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    assert!(lines.len() > 20);
    for pair in lines.windows(2) {
        let follows_its_reason = pair[0].starts_with('#') || pair[1].starts_with('#');
        assert!(follows_its_reason || pair[1].starts_with("SystemCallErrorNumber="), "{}", pair[1]);
    }
}

#[test]
fn systemd_understands_the_unit() {
    let unit = read("systemd/longshore.service");
    let command = value(&unit, "ExecStart");
    let directory = tempfile::tempdir().unwrap();
    // Only the program is not where the unit will find it.
    let there = unit.replace(command, "/bin/true");
    let path = directory.path().join("longshore.service");
    fs::write(&path, there).unwrap();
    let verify = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .output()
        .expect("systemd-analyze is there: run `make setup`");
    let said = String::from_utf8_lossy(&verify.stderr);
    assert!(verify.status.success(), "{said}");
    // An unknown key is only a warning to systemd.
    assert!(!said.contains("longshore.service"), "{said}");
}

#[test]
fn spools_and_their_group_fit_the_unit() {
    let (users, spools) = (read("systemd/longshore.sysusers"), read("systemd/longshore.tmpfiles"));
    assert!(users.contains("\ng longshore-producers -\n"));
    assert!(users.contains("\nm longshore longshore-producers\n"));
    let made: Vec<_> = spools.lines().filter(|line| line.starts_with("d ")).collect();
    assert!(!made.is_empty());
    for line in made {
        let words: Vec<_> = line.split_whitespace().collect();
        assert!(words[1].starts_with("/var/spool/longshore"), "{line}");
        assert_eq!(&words[2..], ["2770", "longshore", "longshore-producers", "-"], "{line}");
    }
}

#[test]
fn supervisor_waits_longer_than_the_drain() {
    let program = read("systemd/supervisor.conf");
    assert_eq!(value(&program, "stopsignal"), "TERM");
    assert_eq!(value(&program, "stopasgroup"), "false");
    assert_eq!(value(&program, "killasgroup"), "true");
    assert_eq!(value(&program, "autorestart"), "unexpected");
    assert_eq!(value(&program, "exitcodes"), "0,64,78");
    assert!(value(&program, "stopwaitsecs").parse::<u32>().unwrap() > STOPPING_SECONDS);
}

#[test]
fn the_image_runs_nobody_as_root() {
    let image = read("Dockerfile");
    let (build, run) = image.split_once("\nFROM debian:").expect("two stages");
    assert!(build.contains("cargo build --release --locked"));
    assert!(run.contains("\nUSER longshore\n"));
    assert!(run.contains("\nENTRYPOINT [\"longshore\"]\n"));
    assert!(read(".dockerignore").lines().any(|line| line == "target"));
}

#[test]
fn continuous_integration_runs_the_gate_and_the_gate_everything() {
    let run = repository().join(".ci/run");
    assert_ne!(fs::metadata(&run).unwrap().permissions().mode() & 0o111, 0, "not executable");
    assert!(read(".ci/run").contains("\nmake test && exit 0\n"));
    let plan = Command::new("make").args(["-n", "test"]).current_dir(repository()).output();
    let plan = String::from_utf8(plan.unwrap().stdout).unwrap();
    let steps = [
        "tests/setup.sh",
        "fmt --check",
        "clippy --locked --all-targets -- -D warnings",
        "check --locked --no-default-features",
        "doc --locked --no-deps",
        "build --locked",
        "check --offline",
        "tests/run.sh",
    ];
    let mut rest = plan.as_str();
    for step in steps {
        let at = rest.find(step).unwrap_or_else(|| panic!("{step} is missing or late in:\n{plan}"));
        rest = &rest[at..];
    }
}

#[test]
fn python_packages_are_pinned_by_hash_and_name_no_index() {
    let lock = read("tests/requirements.lock");
    let pinned = lock.lines().filter(|line| line.contains("==")).count();
    assert!(pinned > 20);
    for package in ["awscli==", "boto3==", "ministack==", "moto=="] {
        assert!(lock.lines().any(|line| line.starts_with(package)), "{package}");
    }
    for line in lock.lines().filter(|line| !line.starts_with("    --hash=sha256:")) {
        assert!(line.contains("==") && line.ends_with('\\'), "not pinned by a hash: {line}");
    }
    assert!(!lock.contains("://") && !lock.contains("index"));
}

#[test]
fn tests_do_not_see_the_account_of_whoever_runs_them() {
    let mut env = program(&repository().join("tests/apart.sh"), ["env"])
        .env("AWS_PROFILE", "production")
        .env("AWS_ENDPOINT_URL_S3", "https://s3.example")
        .env("LONGSHORE_CONFIG", "/etc/longshore/longshore.toml")
        .env("https_proxy", "http://proxy.example")
        .env("KEPT", "yes")
        .start();
    assert_eq!(env.wait(PATIENCE), 0);
    env.wait_for_line(|line| line == "KEPT=yes", PATIENCE);
    env.wait_for_line(|line| line == "NO_PROXY=127.0.0.1,localhost", PATIENCE);
    let seen = env.output();
    for gone in ["production", "example", "AWS_ACCESS_KEY_ID", "LONGSHORE_CONFIG"] {
        assert!(!seen.contains(gone), "{gone} in:\n{seen}");
    }
}

#[test]
fn setup_says_what_it_cannot_install() {
    // A machine with a shell and coreutils, and nothing else.
    let empty = tempfile::tempdir().unwrap();
    for tool in ["bash", "dirname", "tr", "id", "env"] {
        let there = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(tool));
        let there = there.iter().find(|path| path.exists()).unwrap();
        std::os::unix::fs::symlink(there, empty.path().join(tool)).unwrap();
    }
    let mut setup = program(&repository().join("tests/setup.sh"), [])
        .env("PATH", empty.path().to_str().unwrap())
        .start();
    assert_eq!(setup.wait(PATIENCE), 1);
    let said =
        setup.wait_for_line(|line| line.contains("gcc") && line.contains("python3-venv"), PATIENCE);
    assert!(said.starts_with("setup: there is no apt-get here"), "{said}");
}

#[test]
fn the_binary_starts_and_explains_itself() {
    let mut help = longshore(["--help"]).start();
    assert_eq!(help.wait(PATIENCE), 0, "{}", help.output());
}
