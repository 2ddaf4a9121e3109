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
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

/// How long something may take that takes a second at most on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks, and no more than so long where a look takes long itself.
const BETWEEN_LOOKS: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];

/// Waits until `condition` holds, looking every 20 ms; panics with `what` when `timeout` is over.
/// Here and in [`dwindles`] alone tests wait by looking again.
pub(crate) fn eventually(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) {
    look_until(&mut condition, |waited| {
        assert!(waited < timeout, "not within {timeout:?}: {what}");
    });
}

/// Waits until nothing is `left`; panics with `what` when that did not become less for `timeout`.
/// For work whose time is that of the machine: it may be slow, and may not stand still.
pub(crate) fn dwindles(
    what: impl Fn() -> String,
    timeout: Duration,
    mut left: impl FnMut() -> usize,
) {
    let (mut least, mut since) = (usize::MAX, Duration::ZERO);
    let now = std::cell::Cell::new(usize::MAX);
    let done = || {
        now.set(left());
        now.get() == 0
    };
    look_until(done, |waited| {
        if now.get() < least {
            (least, since) = (now.get(), waited);
        }
        assert!(waited.saturating_sub(since) < timeout, "no further for {timeout:?}: {}", what());
    });
}

/// Looks again and again, at most a fifth of the time: what is waited for needs the machine too.
fn look_until(mut done: impl FnMut() -> bool, mut waited: impl FnMut(Duration)) {
    let began = Instant::now();
    loop {
        let look = Instant::now();
        if done() {
            return;
        }
        waited(began.elapsed());
        let [least, most] = BETWEEN_LOOKS;
        std::thread::sleep((look.elapsed() * 4).clamp(least, most));
    }
}

/// A loopback port that is free. For programs that cannot be told "any port"; our own servers bind
/// port 0 instead.
///
/// It lies below the range from which the kernel gives ports away, and no other test process is
/// given it while this one lives: so nobody takes it between here and the program's own bind.
pub(crate) fn free_port() -> u16 {
    /// Names of the kernel's own, gone with this process.
    static OURS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let first = std::process::id() * 8;
    let mut free = (0..12_000).filter_map(|step| {
        let port = u16::try_from(20_000 + (first + step) % 12_000).unwrap();
        let name = SocketAddr::from_abstract_name(format!("longshore/test/port/{port}")).unwrap();
        let ours = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind(("127.0.0.1", port)).ok()?;
        Some((port, ours))
    });
    let (port, ours) = free.next().expect("one of 12,000 ports is free");
    OURS.lock().unwrap().push(ours);
    port
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
