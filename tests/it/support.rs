//! What the black-box tests stand on.
//!
//! Every server here runs on a thread of its own with its own runtime, so that a test may block on
//! a child process without stalling the proxy that child talks to.

pub(crate) mod aws;
pub(crate) mod daemon;
pub(crate) mod database;
pub(crate) mod emulator;
pub(crate) mod exchange;
pub(crate) mod functions;
pub(crate) mod lines;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod scripted;
pub(crate) mod wire;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// How long something may take that takes a second at most on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds, looking every 20 ms; panics with `what` when `timeout` is over.
/// The one place where tests wait by looking again.
pub(crate) fn eventually(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < timeout, "not within {timeout:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A loopback port that is free. For programs that cannot be told "any port"; our own servers bind
/// port 0 instead.
///
/// It lies below the range from which the kernel gives ports away, and each test process looks in
/// another place: so nobody takes it between here and the program's own bind.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let free = std::iter::repeat_with(|| {
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        u16::try_from(20_000 + (std::process::id() * 8 + taken) % 12_000).unwrap()
    });
    let mut free = free.take(12_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("one of 12,000 ports is free")
}

/// The repository's directory.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program of the Python environment that `make setup` installs.
pub(crate) fn venv(program: &str) -> PathBuf {
    let path = repository().join("target/venv/bin").join(program);
    assert!(path.exists(), "{} is not there: run `make setup`", path.display());
    path
}
