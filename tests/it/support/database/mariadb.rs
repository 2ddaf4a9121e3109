use super::{Certificates, Finished, Launch, PASSWORD, SCHEMA, USER, client, program, succeed};
use std::{path::Path, process::Command};

/// As root it wants to be told that this is meant.
fn user() -> &'static str {
    if rustix::process::geteuid().is_root() { "--user=root" } else { "--skip-name-resolve" }
}

pub(super) fn install(directory: &Path) {
    let data = directory.join("data");
    let options = ["--no-defaults", "--auth-root-authentication-method=normal", user()];
    succeed(
        Command::new("mariadb-install-db")
            .args(options)
            .args(["--innodb-log-file-size=8M", "--skip-test-db"])
            .arg(format!("--datadir={}", data.display())),
    );
}

pub(super) fn launch(data: &Path, port: u16) -> Launch {
    let grants = format!(
        "CREATE DATABASE IF NOT EXISTS {SCHEMA};\n\
         CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
         GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
    );
    let launch = program(Path::new("/usr/sbin/mariadbd"), ["--no-defaults", user()]);
    let launch = launch.file("grants.sql", &grants);
    let own = launch.directory().to_owned();
    // A server that starts deletes whatever temporary tables lie in its directory for them, those of
    // another server too, which does not survive it.
    let temporary = own.join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    launch.args(&[
        &format!("--tmpdir={}", temporary.display()),
        &format!("--datadir={}", data.display()),
        &format!("--port={port}"),
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--innodb-log-file-size=8M",
        "--character-set-server=utf8mb4",
        "--innodb-buffer-pool-size=16M",
        "--innodb-flush-log-at-trx-commit=2",
        // What is lax here must be strict by what each connection says.
        "--innodb-lock-wait-timeout=300",
        "--sql-mode=",
        &format!("--socket={}", own.join("socket").display()),
        &format!("--init-file={}", own.join("grants.sql").display()),
    ])
}

pub(super) fn with_tls(launch: Launch, made: &Certificates) -> Launch {
    let file = |option, name| format!("--{option}={}", made.file(name).display());
    launch.args(&[&file("ssl-cert", "server.pem"), &file("ssl-key", "server.key")])
}

pub(super) fn ask(port: u16, sql: &str) -> Finished {
    reading(port).args(&["-e", sql]).finish()
}

/// Does what stands in its standard input, unless it is told more.
pub(super) fn reading(port: u16) -> Launch {
    let launch = client("mariadb", "MYSQL_PWD").args(&["--no-defaults", "--batch", "--unbuffered"]);
    let launch = launch.args(&["--skip-column-names", "--default-character-set=utf8mb4"]);
    let (port, user) = (format!("--port={port}"), format!("--user={USER}"));
    launch.args(&["--host=127.0.0.1", &port, &user, SCHEMA])
}
