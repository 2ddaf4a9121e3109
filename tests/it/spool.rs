//! Spools from outside: files dropped as programs drop them, the real binary, real ports.
//!
//! A `Place` outlives the daemons on it, so that a test may end one and start the next.

mod crowd;
mod destination;
mod directory;
mod entries;
mod killed;
mod large;
mod poison;
mod put;
mod replaced;
mod stop;
mod writers;
mod zc;

use crate::support::{
    PATIENCE, aws,
    daemon::{Daemon, Launch, longshore, program},
    dwindles,
    exchange::Exchange,
    free_port,
    proxy::{Fault, Proxy},
    venv,
};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;

/// Our own directory inside a spool.
const OWN: &str = ".longshore";
const BUCKET: &str = "landing";

/// A spool directory, and settings for it.
struct Place {
    root: TempDir,
}

impl Place {
    fn new() -> Place {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("spool")).unwrap();
        fs::create_dir(root.path().join("drafts")).unwrap();
        Place { root }
    }

    fn spool(&self) -> PathBuf {
        self.root.path().join("spool")
    }

    /// A path of this name in the spool.
    fn at(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.spool().join(name.as_ref())
    }

    fn quarantine(&self) -> PathBuf {
        self.spool().join(OWN).join("quarantine")
    }

    /// Prepares a daemon on it; `more` are further lines of its `[spool.reports]`.
    fn launch(&self, endpoint: &str, more: &str) -> Launch {
        let settings = self.root.path().join("longshore.toml");
        let text = format!(
            "[aws]\npath_style = true\n\n\
             [spool.reports]\ndirectory = \"{}\"\nbucket = \"{BUCKET}\"\n{more}\n",
            self.spool().display()
        );
        fs::write(&settings, text).unwrap();
        longshore(["run", "--config", settings.to_str().unwrap()]).endpoint(endpoint)
    }

    fn start(&self, endpoint: &str, more: &str) -> Daemon {
        self.launch(endpoint, more).start()
    }

    /// Drops a file as programs should: written elsewhere, and renamed into the spool.
    fn drop(&self, name: impl AsRef<OsStr>, contents: impl AsRef<[u8]>) {
        let draft = self.root.path().join("drafts/draft");
        fs::write(&draft, contents).unwrap();
        fs::rename(draft, self.at(name)).unwrap();
    }

    /// What lies in the spool, except what is ours.
    fn left(&self) -> Vec<OsString> {
        let entries = fs::read_dir(self.spool()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.retain(|name| !name.as_bytes().starts_with(OWN.as_bytes()));
        names.sort();
        names
    }

    /// Waits until nothing is left: in the spool, and half-way out of it.
    fn wait_until_empty(&self, daemon: &Daemon) {
        let what = || format!("{:?} are left:\n{}", self.left(), daemon.output());
        dwindles(what, PATIENCE, || {
            // Looked at twice: a file may come back from half-way out.
            let looks: [&dyn Fn() -> usize; 3] =
                [&|| self.left().len(), &|| self.unsettled(), &|| self.left().len()];
            looks.iter().map(|look| look()).find(|left| *left > 0).unwrap_or_default()
        });
    }

    /// How many files are half-way out of the spool.
    fn unsettled(&self) -> usize {
        let settling = self.spool().join(OWN).join("settling");
        let places = fs::read_dir(settling).into_iter().flatten().flatten();
        places.map(|place| fs::read_dir(place.path()).map_or(0, Iterator::count)).sum()
    }
}

/// The embedded AWS as a process of its own.
struct Embedded {
    server: Daemon,
    endpoint: String,
}

impl Embedded {
    /// Starts one without any bucket.
    fn start() -> Embedded {
        let server = longshore(["local", "aws"]).start();
        let line = server.wait_for_line(|line| line.contains("http://"), PATIENCE);
        let endpoint = line[line.find("http://").unwrap()..].trim().to_owned();
        Embedded { server, endpoint }
    }

    /// Where it keeps the objects of the bucket, as plain files.
    fn objects(&self) -> PathBuf {
        self.server.directory().join("aws/s3").join(BUCKET)
    }
}

/// Makes a bucket.
fn make_bucket(endpoint: &str, bucket: &str) {
    block_on(async {
        aws::s3(endpoint).create_bucket().bucket(bucket).send().await.unwrap();
    });
}

/// The bytes of an object; nothing where there is none.
fn object(endpoint: &str, bucket: &str, key: &str) -> Option<Vec<u8>> {
    block_on(async {
        let got = aws::s3(endpoint).get_object().bucket(bucket).key(key).send().await.ok()?;
        Some(got.body.collect().await.unwrap().to_vec())
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A fault of the proxy that lasts until it is switched off.
#[derive(Clone)]
struct Lasting(Arc<AtomicBool>);

impl Lasting {
    fn on(proxy: &Proxy, names: impl Fn(&Exchange) -> bool + Send + 'static, fault: Fault) -> Self {
        let lasting = Lasting(Arc::new(AtomicBool::new(true)));
        let on = lasting.clone();
        proxy.on(usize::MAX, move |seen| on.0.load(Ordering::SeqCst) && names(seen), fault);
        lasting
    }

    fn over(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// An answer of S3 that refuses.
fn refusal(status: u16, code: &str) -> Fault {
    let body = format!("<Error><Code>{code}</Code><Message>as scripted</Message></Error>");
    Fault::Answer(status, body)
}

fn is_put(seen: &Exchange) -> bool {
    seen.operation() == "PutObject"
}

/// How often each object was sent, by its path as sent.
fn puts_by_path(seen: &[Exchange]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for put in seen.iter().filter(|seen| is_put(seen)) {
        *counts.entry(put.path().to_owned()).or_default() += 1;
    }
    counts
}

/// The lines of a daemon's log that hold this.
fn lines(daemon: &Daemon, text: &str) -> Vec<String> {
    daemon.stderr.all().into_iter().filter(|line| line.contains(text)).collect()
}

/// A daemon's status page.
struct Page(u16);

impl Page {
    fn free() -> Page {
        Page(free_port())
    }

    /// The settings for it, to stand behind those of a spool.
    fn settings(&self) -> String {
        format!("\n[status]\nlisten = \"127.0.0.1:{}\"", self.0)
    }

    /// A page, empty as long as nobody answers.
    fn get(&self, path: &str) -> String {
        let read = || {
            let mut connection = TcpStream::connect(("127.0.0.1", self.0))?;
            write!(connection, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
            let mut text = String::new();
            connection.read_to_string(&mut text).map(|_| text)
        };
        read().unwrap_or_default()
    }

    /// The value of the first metric whose line begins so.
    fn metric(&self, begins: &str) -> Option<f64> {
        let page = self.get("/metrics");
        let line = page.lines().find(|line| line.starts_with(begins))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

/// Runs a script of Python with boto3 to its end, and returns what it printed.
fn boto(endpoint: &str, script: &str, argument: &Path) -> String {
    let mut python = program(&venv("python"), ["-c", script, argument.to_str().unwrap()])
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .endpoint(endpoint)
        .start();
    // It may have a thousand objects to fetch.
    let code = python.wait(PATIENCE * 4);
    assert_eq!(code, 0, "{}", python.output());
    python.output()
}
