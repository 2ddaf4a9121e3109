//! TLS, as the other side of the line sees it.

use crate::support::database::{Database as Server, Kind};
use longshore::{
    config::{DatabaseServer, SqlTls},
    error::Kind as Fault,
    toolkit::sql::Database,
};

async fn encrypts(kind: Kind) {
    let server = Server::with_tls(kind);
    let with = |tls, trusted: bool, host: &str| {
        let mut place = DatabaseServer::from_url(&server.url()).unwrap();
        place.tls = tls;
        place.ca_file = trusted.then(|| server.authority());
        host.clone_into(&mut place.host);
        Database::new(place)
    };
    let cipher = async |tls, trusted| with(tls, trusted, "127.0.0.1").ping().await.unwrap().cipher;
    // Without being asked for, since the server offers it.
    assert!(cipher(SqlTls::Prefer, false).await.unwrap().contains("AES"));
    assert!(cipher(SqlTls::Require, false).await.is_some());
    assert!(cipher(SqlTls::VerifyFull, true).await.is_some());
    assert_eq!(cipher(SqlTls::Disable, false).await, None);

    let refused = |tls, trusted, host| {
        let database = with(tls, trusted, host);
        async move { database.ping().await.unwrap_err() }
    };
    // Nobody here knows its authority; and it is not for that name.
    let stranger = refused(SqlTls::VerifyFull, false, "127.0.0.1").await;
    assert_eq!(stranger.kind(), Fault::Unreachable, "{stranger}");
    assert!(stranger.to_string().contains("name its authority with ca_file"), "{stranger}");
    let other = refused(SqlTls::VerifyFull, true, "localhost").await;
    assert!(other.to_string().contains("certificate"), "{other}");
    assert!(with(SqlTls::VerifyCa, true, "localhost").ping().await.unwrap().cipher.is_some());

    // A file of authorities that is none trusts nobody, and is named.
    for (file, why) in [("/no/such/ca.pem", "No such file"), ("/dev/null", "no certificate")] {
        let mut place = DatabaseServer::from_url(&server.url()).unwrap();
        (place.tls, place.ca_file) = (SqlTls::VerifyFull, Some(file.into()));
        let error = Database::new(place).ping().await.unwrap_err();
        assert_eq!(error.kind(), Fault::Settings, "{error}");
        let told = error.to_string();
        assert!(told.contains(&format!("ca_file {file}: ")) && told.contains(why), "{told}");
    }
}

#[tokio::test]
async fn the_line_to_mariadb_is_encrypted() {
    encrypts(Kind::Mariadb).await;
}

#[tokio::test]
async fn the_line_to_postgresql_is_encrypted() {
    encrypts(Kind::Postgres).await;
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    for server in [crate::support::database::mariadb(), crate::support::database::postgres()] {
        let mut place = DatabaseServer::from_url(&server.url()).unwrap();
        assert_eq!(Database::new(place.clone()).ping().await.unwrap().cipher, None);
        place.tls = SqlTls::Require;
        let error = Database::new(place).ping().await.unwrap_err();
        assert!(error.to_string().contains("offers no TLS"), "{error}");
    }
}
