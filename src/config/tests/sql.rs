use super::*;
use crate::config::{DatabaseServer, Handler, SqlProtocol, SqlTls};

const PLACE: &str = "schema = \"shop\"\ntable = \"orders\"\n";

fn read(lines: &str) -> DatabaseServer {
    let config = toml_text(&text(lines)).unwrap();
    let Some(Handler::Sql(sql)) = &config.queues["q"].handler else { panic!("{config:?}") };
    assert_eq!((&*sql.schema, &*sql.table), ("shop", "orders"));
    sql.server.clone()
}

fn text(lines: &str) -> String {
    format!("[queue.q]\nqueue = \"q\"\n[queue.q.handler.sql]\n{PLACE}{lines}")
}

#[test]
fn a_database_is_named_by_a_url_or_by_its_parts() {
    let parts = read("protocol = \"postgresql\"\nhost = \"db\"\nuser = \"u\"\nport = 5433\n");
    assert_eq!(parts, read("url = \"postgresql+psycopg2://u@db:5433\"\n"));
    assert_eq!((parts.protocol, parts.tls), (SqlProtocol::Postgresql, SqlTls::Prefer));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "mysql://u:hush@db\n").unwrap();
    let named = read(&format!("url_file = {:?}\n", file.path()));
    assert_eq!(named.password.unwrap().reveal(), "hush");
}

#[test]
fn all_mistakes_are_told_and_no_password() {
    for (lines, told) in [
        ("", "[queue.q.handler.sql] has no host; write host = "),
        ("host = \"db\"\n", "has no user; write user = "),
        ("url = \"oracle://u@h\"\n", "url: \"oracle\" is no protocol of Longshore"),
        ("url = \"mysql://u:hush@h\"\n", "it holds a password"),
        ("url = \"mysql://u@h\"\nhost = \"h\"\n", "host: the URL says host too; keep one"),
        ("host = \"h\"\nuser = \"u\"\nprotocol = \"mssql\"\n", "there are mysql, mariadb and"),
        ("host = \"h\"\nuser = \"u\"\ntls = \"yes\"\n", "tls: \"yes\" is no way to use TLS"),
        ("url_file = \"not-there\"\n", "url_file: not-there"),
    ] {
        let wrong = toml_text(&text(lines)).unwrap_err().to_string();
        assert!(wrong.contains(told) && !wrong.contains("hush"), "{wrong}");
        assert_eq!(
            wrong.lines().filter(|line| line.contains("toml:")).count(),
            {
                // Neither host nor user is there in the first.
                if lines.is_empty() { 2 } else { 1 }
            },
            "{wrong}"
        );
    }
}
