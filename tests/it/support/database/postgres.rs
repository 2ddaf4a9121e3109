use super::{Certificates, Finished, Launch, PASSWORD, SCHEMA, USER, client, program};
use std::{
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

/// The newest of the versions that Debian keeps side by side; elsewhere it lies in PATH.
fn own_program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.unwrap().path().join("bin").join(name)).collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}

pub(super) fn install(directory: &Path) {
    let launch =
        program(&own_program("initdb"), ["--no-sync", "--auth=scram-sha-256", "-E", "UTF8"]);
    let launch = launch.file("password", &format!("{PASSWORD}\n"));
    let own = launch.directory().to_owned();
    let made = own.join("data");
    let finished = launch
        .args(&["-U", USER, "--pwfile", &own.join("password").display().to_string(), "-D"])
        .args(&[&made.display().to_string()])
        .nobody()
        .finish()
        .expect(0, &[]);
    std::fs::rename(finished.directory().join("data"), directory.join("data")).unwrap();
}

pub(super) fn launch(data: &Path, port: u16) -> Launch {
    if rustix::process::geteuid().is_root() {
        // The server runs as nobody, and must come through to its directory.
        let nobody = Some(super::super::daemon::NOBODY);
        chown(data.parent().unwrap(), nobody, nobody).unwrap();
    }
    let launch = program(&own_program("postgres"), ["-c", "fsync=off"]).nobody();
    let own = launch.directory().display().to_string();
    let data = data.display().to_string();
    let launch = launch.args(&["-D", &data, "-p", &port.to_string(), "-k", &own]);
    launch.args(&["-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB"])
}

/// The key must belong to the server, and to nobody else.
pub(super) fn with_tls(launch: Launch, made: &Certificates, data: &Path) -> Launch {
    let mut options = vec!["-c".to_owned(), "ssl=on".to_owned()];
    for (option, name) in [("ssl_cert_file", "server.pem"), ("ssl_key_file", "server.key")] {
        let file = data.join(name);
        std::fs::copy(made.file(name), &file).unwrap();
        if rustix::process::geteuid().is_root() {
            let nobody = Some(super::super::daemon::NOBODY);
            chown(&file, nobody, nobody).unwrap();
        }
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        options.extend(["-c".to_owned(), format!("{option}={name}")]);
    }
    options.iter().fold(launch, |launch, option| launch.args(&[option]))
}

/// In the database and schema of the tests, which the first question makes.
pub(super) fn ask(port: u16, sql: &str) -> Finished {
    let finished = in_database(port, SCHEMA, sql);
    if !finished.stderr.contains("does not exist") || !finished.stderr.contains("database") {
        return finished;
    }
    in_database(port, "postgres", &format!("CREATE DATABASE {SCHEMA}"));
    in_database(
        port,
        SCHEMA,
        &format!("CREATE SCHEMA {SCHEMA}; ALTER ROLE {USER} SET search_path = {SCHEMA}"),
    );
    in_database(port, SCHEMA, sql)
}

fn in_database(port: u16, database: &str, sql: &str) -> Finished {
    reading_in(port, database).args(&["-c", sql]).finish()
}

/// Does what stands in its standard input, unless it is told more.
pub(super) fn reading(port: u16) -> Launch {
    reading_in(port, SCHEMA)
}

fn reading_in(port: u16, database: &str) -> Launch {
    let launch = client("psql", "PGPASSWORD").args(&["-X", "-q", "-A", "-t", "-F", "\t"]);
    let launch = launch.args(&["-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER]);
    launch.args(&["-p", &port.to_string(), "-d", database])
}
