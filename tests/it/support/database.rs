//! MariaDB and PostgreSQL by their own servers, each test its own, on its own port and in its own
//! directory; asked and told by their own clients.

mod mariadb;
mod postgres;

use super::{
    PATIENCE,
    daemon::{Daemon, Finished, Launch, program},
    eventually, free_port, repository,
};
use rustix::process::Signal;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{ChildStdin, Command},
};
use tempfile::TempDir;

pub(crate) const USER: &str = "longshore";
pub(crate) const PASSWORD: &str = "hu$h @ 1";
/// The database that is there; in PostgreSQL its schema `shop` is meant by [`SCHEMA`].
pub(crate) const SCHEMA: &str = "shop";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Mariadb,
    Postgres,
}

/// A running server; dropping it ends it.
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    directory: TempDir,
    certificates: Option<Certificates>,
    server: Option<Daemon>,
}

/// Starts MariaDB and waits until it answers.
pub(crate) fn mariadb() -> Database {
    Database::new(Kind::Mariadb, None)
}

/// Starts PostgreSQL and waits until it answers.
pub(crate) fn postgres() -> Database {
    Database::new(Kind::Postgres, None)
}

impl Database {
    fn new(kind: Kind, certificates: Option<Certificates>) -> Self {
        let directory = TempDir::new().unwrap();
        let template = match kind {
            Kind::Mariadb => template("mariadb", mariadb::install),
            Kind::Postgres => template("postgres", postgres::install),
        };
        succeed(Command::new("cp").arg("-a").arg(&template).arg(directory.path().join("data")));
        let mut new = Self { kind, port: free_port(), directory, certificates, server: None };
        new.start();
        new
    }

    /// With a certificate for 127.0.0.1 of an authority of its own.
    pub(crate) fn with_tls(kind: Kind) -> Self {
        Self::new(kind, Some(Certificates::make()))
    }

    /// The file with the authority's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.certificates.as_ref().expect("with_tls").file("ca.pem")
    }

    /// Starts it, or starts it again with what it kept.
    pub(crate) fn start(&mut self) {
        let data = self.directory.path().join("data");
        let launch = match self.kind {
            Kind::Mariadb => mariadb::launch(&data, self.port),
            Kind::Postgres => postgres::launch(&data, self.port),
        };
        let launch = match (&self.certificates, self.kind) {
            (None, _) => launch,
            (Some(made), Kind::Mariadb) => mariadb::with_tls(launch, made),
            (Some(made), Kind::Postgres) => postgres::with_tls(launch, made, &data),
        };
        self.server = Some(launch.start());
        eventually("the database answers", PATIENCE, || {
            if let Some(code) = self.server.as_mut().unwrap().ended() {
                panic!("ended with {code}: {}", self.server.as_ref().unwrap().output());
            }
            self.ask("SELECT 1").code == 0
        });
    }

    /// Ends it at once, without telling its clients why: what was not committed is gone.
    pub(crate) fn kill(&mut self) {
        let mut server = self.server.take().expect("a running database");
        match self.kind {
            Kind::Mariadb => server.kill9(),
            // Its children hold on to what the next start needs; this ends them too.
            Kind::Postgres => {
                server.signal(Signal::QUIT);
                server.wait(PATIENCE);
            }
        }
    }

    /// What its own client says.
    fn ask(&self, sql: &str) -> Finished {
        match self.kind {
            Kind::Mariadb => mariadb::ask(self.port, sql),
            Kind::Postgres => postgres::ask(self.port, sql),
        }
    }

    /// Runs statements by its own client; the answer is tab-separated, a line each row.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.ask(sql).expect(0, &[]).stdout
    }

    /// A client of its own that has run these statements in a transaction, which stays open until it
    /// is dropped.
    pub(crate) fn holding(&self, sql: &str) -> (Daemon, ChildStdin) {
        let client = match self.kind {
            Kind::Mariadb => mariadb::reading(self.port),
            Kind::Postgres => postgres::reading(self.port),
        };
        let mut client = client.piped().start();
        let mut input = client.input();
        writeln!(input, "BEGIN; {sql}; SELECT 'it holds';").unwrap();
        client.wait_for_line(|line| line.contains("it holds"), PATIENCE);
        (client, input)
    }

    /// A URL as SQLAlchemy writes it.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::Mariadb => "mysql+pymysql",
            Kind::Postgres => "postgresql+psycopg2",
        };
        let password = "hu%24h%20%40%201";
        format!("{scheme}://{USER}:{password}@127.0.0.1:{}/{SCHEMA}", self.port)
    }

    pub(crate) fn protocol(&self) -> &'static str {
        match self.kind {
            Kind::Mariadb => "mariadb",
            Kind::Postgres => "postgresql",
        }
    }
}

/// A data directory to copy from, made once.
fn template(name: &str, install: fn(&Path)) -> PathBuf {
    let all = repository().join("target/databases");
    let ready = all.join(name);
    if !ready.exists() {
        let made = TempDir::new().unwrap();
        install(made.path());
        std::fs::create_dir_all(&all).unwrap();
        let staged = all.join(format!("{name}.{}", std::process::id()));
        succeed(Command::new("cp").arg("-a").arg(made.path().join("data")).arg(&staged));
        // Another test may have been faster.
        if Command::new("mv").arg("-nT").arg(&staged).arg(&ready).status().is_err()
            || staged.exists()
        {
            std::fs::remove_dir_all(&staged).unwrap();
        }
    }
    ready
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the program starts: run `make setup`");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A client that must find neither settings nor passwords of whoever runs the tests.
fn client(path: &str, password: &str) -> Launch {
    program(Path::new(path), []).env(password, PASSWORD)
}

/// An authority, and a server's certificate that it vouches for.
struct Certificates(TempDir);

impl Certificates {
    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn make() -> Self {
        let made = Self(TempDir::new().unwrap());
        std::fs::write(made.file("names"), "subjectAltName = IP:127.0.0.1\n").unwrap();
        let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                      -subj /CN=authority -keyout ca.key -out ca.pem && \
                      openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                      -subj /CN=server -keyout server.key -out server.csr && \
                      openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                      -days 2 -extfile names -out server.pem";
        succeed(Command::new("sh").arg("-c").arg(script).current_dir(made.0.path()));
        made
    }
}
