use super::*;

fn read(text: &str) -> DatabaseServer {
    DatabaseServer::from_url(text).unwrap()
}

#[test]
fn the_form_of_sqlalchemy_is_read_and_its_driver_ignored() {
    let server = read("mysql+pymysql://us%40er:p%2Fw%3A%C3%A9@db.example.org/shop?charset=utf8mb4");
    assert_eq!(server.protocol, SqlProtocol::Mysql);
    assert_eq!((&*server.user, server.password.unwrap().reveal()), ("us@er", "p/w:é"));
    assert_eq!((&*server.host, server.port), ("db.example.org", 3306));
    assert_eq!((server.database.as_deref(), server.tls), (Some("shop"), SqlTls::Prefer));

    // SQLAlchemy lets a password hold what would end it in other URLs.
    let raw = read("postgresql+psycopg2://u:a/b?c#d:e@[::1]:5433");
    assert_eq!(raw.password.as_ref().unwrap().reveal(), "a/b?c#d:e");
    assert_eq!((raw.address(), raw.database), ("[::1]:5433".to_owned(), None));
    assert_eq!(read("postgres://u@h").port, 5432);
    assert_eq!(read("mariadb+mariadbconnector://u@h").protocol, SqlProtocol::Mariadb);
}

#[test]
fn a_url_says_how_to_encrypt() {
    assert_eq!(read("postgres://u@h/d?sslmode=require").tls, SqlTls::Require);
    let verified = read("mysql://u@h/d?ssl_ca=/etc/ca.pem");
    assert_eq!((verified.tls, verified.ca_file), (SqlTls::VerifyFull, Some("/etc/ca.pem".into())));
}

#[test]
fn what_is_refused_is_named_and_no_password_is_told() {
    for (text, told) in [
        ("oracle+cx://u:hush@h/d", "\"oracle+cx\" is no protocol of Longshore"),
        ("sqlite:///file", "there are mysql, mariadb and postgresql"),
        ("u:hush@h", "has no ://"),
        ("mysql://u:hush@/d", "names no host"),
        ("mysql://u:hush@h:x/d", "has something else than a port"),
        ("mysql://u:hush@h/d?local_infile=1", "has the option \"local_infile\""),
        ("mysql://u:%ff@h/d", "is not UTF-8"),
        ("mysql://u:hush@h/d?sslmode=maybe", "\"maybe\" is no way to use TLS"),
    ] {
        let wrong = DatabaseServer::from_url(text).unwrap_err();
        assert!(wrong.contains(told) && !wrong.contains("hush"), "{wrong}");
    }
    let server = read("mysql://u:hush@h/d");
    assert!(!format!("{server:?} {server}").contains("hush"));
}

#[test]
fn parts_amount_to_a_server() {
    let parts = || DatabaseParts {
        host: Some("h".to_owned()),
        user: Some("u".to_owned()),
        ..DatabaseParts::default()
    };
    let server = parts().resolve().unwrap();
    let default = (SqlProtocol::Mysql, 3306, SqlTls::Prefer);
    assert_eq!((server.protocol, server.port, server.tls), default);
    let checked = DatabaseParts { ca_file: Some("ca.pem".into()), ..parts() }.resolve().unwrap();
    assert_eq!(checked.tls, SqlTls::VerifyFull);

    let wrong = |parts: DatabaseParts| parts.resolve().unwrap_err().0;
    assert_eq!(wrong(DatabaseParts { host: None, ..parts() }), "host");
    assert_eq!(wrong(DatabaseParts { user: None, ..parts() }), "user");
    assert_eq!(wrong(DatabaseParts { host: Some("a b".to_owned()), ..parts() }), "host");
    let url = Some(Secret::new("mysql://u@h"));
    assert_eq!(wrong(DatabaseParts { url: url.clone(), ..parts() }), "host");
    let tls = Some(SqlTls::Require);
    assert_eq!(wrong(DatabaseParts { tls, ca_file: Some("ca".into()), ..parts() }), "ca_file");
    let over = DatabaseParts { url, password: Some(Secret::new("x")), ..DatabaseParts::default() };
    assert_eq!(over.resolve().unwrap().password.unwrap().reveal(), "x");
}
