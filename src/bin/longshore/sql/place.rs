//! Which database: by a URL or its parts. A password comes from a file or the environment, never
//! from the command line, which every process of the host can read.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use longshore::config::{DatabaseParts, DatabaseServer, Secret, SqlProtocol, SqlTls, env};
use longshore::error::{Error, Kind, Result};

#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    // No parser of its own: what it refuses would be repeated, password and all.
    #[arg(
        long,
        global = true,
        value_parser = |text: &str| Ok::<_, Infallible>(Secret::new(text)),
        help = "PROTOCOL://USER@HOST[:PORT][/DATABASE], without a password \
                [default: $LONGSHORE_SQL_URL, which may hold one]"
    )]
    url: Option<Secret>,
    /// A file with the URL, password and all
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "url")]
    url_file: Option<PathBuf>,
    /// mysql (unless told otherwise), mariadb or postgresql
    #[arg(long, global = true, value_parser = SqlProtocol::read)]
    protocol: Option<SqlProtocol>,
    /// The server
    #[arg(long, global = true)]
    host: Option<String>,
    /// Its port [default: the protocol's own]
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Who logs in
    #[arg(long, global = true)]
    user: Option<String>,
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "A file with the password [default: $LONGSHORE_SQL_PASSWORD]"
    )]
    password_file: Option<PathBuf>,
    /// The database of the connection; PostgreSQL needs one unless it is named as the user
    #[arg(long, global = true)]
    database: Option<String>,
    /// disable, prefer (unless told otherwise), require, verify-ca or verify-full
    #[arg(long, global = true, value_parser = SqlTls::read)]
    tls: Option<SqlTls>,
    /// Certificates of authorities that may vouch for the server; then --tls is verify-full
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

fn without_password(url: Secret) -> Result<Secret> {
    let server = DatabaseServer::from_url(url.reveal());
    if server.is_ok_and(|server| server.password.is_some()) {
        let what = "every process of this host could read the password in --url";
        let hint = "put the URL into a file, and name it with --url-file";
        return Err(Error::new(Kind::Usage, what).hint(hint));
    }
    Ok(url)
}

impl Place {
    pub(super) fn server(self) -> Result<DatabaseServer> {
        let from_file = |file: Option<PathBuf>| file.as_deref().map(secret).transpose();
        let from_environment = |name| {
            let value = env::value(name).and_then(|value| value.into_string().ok());
            value.map(Secret::new)
        };
        let url = match self.url {
            Some(url) => Some(without_password(url)?),
            None => from_file(self.url_file)?,
        };
        let named = url.is_some() || self.host.is_some();
        let parts = DatabaseParts {
            url: url.or_else(|| from_environment(env::SQL_URL).filter(|_| !named)),
            protocol: self.protocol,
            host: self.host,
            port: self.port,
            user: self.user,
            password: from_file(self.password_file)?
                .or_else(|| from_environment(env::SQL_PASSWORD)),
            database: self.database,
            tls: self.tls,
            ca_file: self.ca_file,
        };
        parts.resolve().map_err(|(_, why)| {
            Error::new(Kind::Usage, "which database?")
                .because(why)
                .hint("name it with --url-file, $LONGSHORE_SQL_URL, or --host and --user")
        })
    }
}

fn secret(file: &Path) -> Result<Secret> {
    env::secret_file(file).map_err(|wrong| {
        let error = Error::new(Kind::Usage, "reading a secret").because(wrong);
        error.hint("name a file that this user can read")
    })
}
