//! `longshore sql` on the real binary.

use crate::support::{
    daemon::{Finished, longshore, program},
    database::{Database as Server, PASSWORD, USER, mariadb, postgres},
    free_port,
};
use serde_json::{Value, json};
use std::{io::Write, path::Path, slice};

fn run<const N: usize>(server: &Server, args: [&str; N]) -> Finished {
    longshore(args).env("LONGSHORE_SQL_URL", &server.url()).finish()
}

/// With these lines as its standard input.
fn fed<const N: usize>(server: &Server, args: [&str; N], input: &str) -> (i32, String) {
    let mut child = longshore(args).env("LONGSHORE_SQL_URL", &server.url()).piped().start();
    child.input().write_all(input.as_bytes()).unwrap();
    let code = child.wait(crate::support::PATIENCE);
    (code, child.output())
}

/// Somebody left before the first record was printed.
fn unread(server: &Server) {
    let fetch = "{ until [ -e gone ]; do :; done; $0 sql fetch shop t; echo ended with $? >&2; } \
                 | { exec <&-; touch gone; }";
    let shell = program(Path::new("/bin/sh"), ["-c", fetch, env!("CARGO_BIN_EXE_longshore")]);
    let left = shell.env("LONGSHORE_SQL_URL", &server.url()).finish();
    assert_eq!(left.stderr, "ended with 0\n");
}

fn lines(finished: &Finished) -> Vec<Value> {
    assert_eq!(finished.code, 0, "{}", finished.said());
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn by_its_verbs(server: &Server) {
    server.sql("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20), price DECIMAL(10,2))");
    run(server, ["sql", "ping"]).expect(0, &["answers: version", "not encrypted"]);
    run(server, ["sql", "exists", "shop", "t"]).expect(0, &["table shop.t exists"]);
    let missing = run(server, ["sql", "exists", "shop", "u", "--json"]);
    assert_eq!((missing.code, lines_of(&missing)[0]["exists"].clone()), (69, json!(false)));
    run(server, ["sql", "exists", "nowhere", "t"]).expect(69, &["does not exist"]);

    let records = "{\"id\": 1, \"name\": \"one\", \"price\": \"1.50\"}\n{\"id\": 2, \"name\": null}\n\
                   {\"id\": 1, \"name\": \"again\"}\n";
    let (code, said) = fed(server, ["sql", "insert", "shop", "t"], records);
    assert_eq!((code, said.trim()), (0, "inserted 2, skipped 1 that were there"));
    let (code, said) = fed(server, ["sql", "insert", "shop", "t", "-", "--json"], records);
    assert_eq!((code, said.trim()), (0, "{\"inserted\":0,\"skipped\":3}"));
    let file = longshore(["sql", "insert", "shop", "t", "r.jsonl"]).file("r.jsonl", "{\"id\":3}\n");
    file.env("LONGSHORE_SQL_URL", &server.url()).finish().expect(0, &["inserted 1"]);

    unread(server);
    let all = lines(&run(server, ["sql", "fetch", "shop", "t"]));
    assert_eq!(all.len(), 3);
    let one = json!({"id": 1, "name": "one", "price": "1.50"});
    let fetch = |clause| lines(&run(server, ["sql", "fetch", "shop", "t", "--where", clause]));
    assert_eq!(fetch("id=eq:1"), slice::from_ref(&one));
    assert_eq!(fetch("price=le:1.5"), slice::from_ref(&one));
    assert_eq!(fetch("name=ne:null"), slice::from_ref(&one));
    assert_eq!(fetch("name=eq:null").len(), 2);
    assert_eq!(fetch(r#"{"key": "id", "op": "lt", "value": 2}"#), [one]);
    assert_eq!(fetch("name=eq:' OR 1=1 --").len(), 0);
    let both = ["sql", "fetch", "shop", "t", "--where", "id=ge:2", "--where", "id=ne:3"];
    assert_eq!(lines(&run(server, both)).len(), 1);
    // To the aws CLI's own taste: settings go before or behind the verb.
    let bad = |clause| run(server, ["sql", "fetch", "shop", "t", "--where", clause]);
    bad("id=like:1").expect(64, &["\"like\" is no operator; there are eq, ne, lt, le, gt and ge"]);
    bad("id").expect(64, &["KEY=OP:VALUE"]);
    bad("id=lt:null").expect(64, &["compared with null, which only eq and ne do"]);
    bad("idd=eq:1").expect(64, &["shop.t has no column \"idd\"", "it has id, name, price"]);
    bad("id=eq:x").expect(64, &["column \"id\" (int", "takes whole numbers"]);
    run(server, ["sql", "fetch", "shop", "u"]).expect(69, &["there is no table shop.u"]);

    let wrong = |input: &str, told: &str| {
        let (code, said) = fed(server, ["sql", "insert", "shop", "t"], input);
        assert!(code == 69 && said.contains(told), "{code} {said}");
    };
    wrong("{\"id\": 10}\n[1]\n", "line 2 is no record: it is JSON, but no object");
    wrong("{\"id\": 10}\n{\"id\"\n", "line 2 is no record: ");
    wrong(
        "{\"id\": 10}\n{\"id\": 11, \"price\": \"much\"}\n",
        "record 2 does not go into table shop.t",
    );
    wrong("{\"id\": 10, \"name\": \"much longer than that column\"}\n", "record 1 does not go");
    assert_eq!(server.sql("SELECT COUNT(*) FROM t").trim(), "3");
    run(server, ["sql", "exists", "shop", "t", "--help"]).expect(0, &["--password-file"]);
}

fn lines_of(finished: &Finished) -> Vec<Value> {
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn tables_by_their_verbs_on_mariadb() {
    by_its_verbs(&mariadb());
}

#[test]
fn tables_by_their_verbs_on_postgresql() {
    by_its_verbs(&postgres());
}

#[test]
fn a_database_is_reached_in_each_way_that_there_is() {
    for server in [mariadb(), postgres()] {
        let port = server.port.to_string();
        let parts = ["--protocol", server.protocol(), "--host", "127.0.0.1", "--port", &port];
        let named = || {
            longshore(["sql", "ping"]).args(&parts).args(&["--user", USER, "--database", "shop"])
        };
        named().env("LONGSHORE_SQL_PASSWORD", PASSWORD).finish().expect(0, &["answers"]);
        let file = named().file("pw", &format!("{PASSWORD}\n")).args(&["--password-file", "pw"]);
        file.finish().expect(0, &["answers"]);
        let file = longshore(["sql", "ping", "--url-file", "url"]).file("url", &server.url());
        file.finish().expect(0, &["answers"]);

        let wrong = named().env("LONGSHORE_SQL_PASSWORD", "wr0ng").finish();
        let wrong = wrong.expect(69, &["check user and password; the user is longshore"]);
        assert!(!wrong.said().contains("wr0ng"));
        let shown = longshore(["sql", "ping", "--url", &server.url()]).finish();
        let shown = shown.expect(64, &["--url-file"]);
        assert!(!shown.said().contains("hu%24h"), "{}", shown.said());
    }
    longshore(["sql", "ping"]).finish().expect(64, &["no host, and no URL", "--url-file"]);
    longshore(["sql", "ping", "--url", "oracle://u@h"])
        .finish()
        .expect(64, &["\"oracle\" is no protocol of Longshore", "mysql, mariadb and postgresql"]);
    let nobody = format!("mysql://u@127.0.0.1:{}", free_port());
    let told = ["connecting, mysql at 127.0.0.1:", "Connection refused", "Check host and port"];
    longshore(["sql", "ping", "--url", &nobody]).finish().expect(69, &told);
    longshore(["sql", "ping", "--url", "postgres://u@no-such-host.invalid"])
        .finish()
        .expect(69, &["postgresql at no-such-host.invalid:5432"]);
}

#[test]
fn who_may_not_is_told_so() {
    for server in [mariadb(), postgres()] {
        server.sql("CREATE TABLE t (id INT PRIMARY KEY)");
        let grants = match server.protocol() {
            "mariadb" => "CREATE USER guest IDENTIFIED BY 'g'; GRANT SELECT ON shop.t TO guest",
            _ => {
                "CREATE ROLE guest LOGIN PASSWORD 'g'; GRANT USAGE ON SCHEMA shop TO guest; \
                  GRANT SELECT ON t TO guest"
            }
        };
        server.sql(grants);
        let url = server.url().replace("longshore:hu%24h%20%40%201", "guest:g");
        let as_guest = |verb: &[&str]| {
            let launch = longshore(["sql"]).args(verb).env("LONGSHORE_SQL_URL", &url);
            launch.file("r", "{\"id\": 1}\n").finish()
        };
        as_guest(&["fetch", "shop", "t"]).expect(0, &[]);
        let denied = ["inserting into table shop.t", "denied", "GRANT SELECT, INSERT"];
        as_guest(&["insert", "shop", "t", "r"]).expect(69, &denied);
    }
}
