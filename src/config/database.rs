//! Where a database is and how to log in: for the handler kind `sql` and the SQL toolkit.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::aws::Secret;

/// A database server, and how to log in to it. Shown without its password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatabaseServer {
    /// What it speaks.
    pub protocol: SqlProtocol,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// The password, where the user needs one.
    pub password: Option<Secret>,
    /// The database of the connection. `PostgreSQL` takes the one named as the user where this names
    /// none; `MySQL` and `MariaDB` need none, since their schemas are the databases.
    pub database: Option<String>,
    /// How the connection is encrypted.
    pub tls: SqlTls,
    /// Certificates of authorities (PEM) that may vouch for the server, besides those that browsers
    /// trust. Amazon RDS needs its own bundle here.
    pub ca_file: Option<PathBuf>,
}

/// What a database server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SqlProtocol {
    /// `MySQL`; `MariaDB` speaks it too.
    Mysql,
    /// `MariaDB`.
    Mariadb,
    /// `PostgreSQL`.
    Postgresql,
}

/// How a connection to a database is encrypted, in the words of `PostgreSQL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SqlTls {
    /// Never.
    Disable,
    /// Where the server offers it. Its certificate is not looked at, so that this guards against
    /// those who listen and not against one who stands in between.
    Prefer,
    /// Always; the certificate is not looked at.
    Require,
    /// Always, with a certificate that a known authority vouches for.
    VerifyCa,
    /// Always, with a certificate for this very host that a known authority vouches for.
    VerifyFull,
}

impl SqlProtocol {
    /// Reads `mysql`, `mariadb`, `postgresql` or `postgres`; a driver behind a plus is ignored,
    /// as in `mysql+pymysql`.
    ///
    /// # Errors
    /// Names what there is.
    pub fn read(text: &str) -> Result<Self, String> {
        match text.split('+').next().unwrap_or_default() {
            "mysql" => Ok(Self::Mysql),
            "mariadb" => Ok(Self::Mariadb),
            "postgresql" | "postgres" => Ok(Self::Postgresql),
            _ => Err(format!(
                "{text:?} is no protocol of Longshore; there are mysql, mariadb and postgresql"
            )),
        }
    }

    /// The port that servers listen on unless told otherwise.
    pub const fn port(self) -> u16 {
        match self {
            Self::Mysql | Self::Mariadb => 3306,
            Self::Postgresql => 5432,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Postgresql => "postgresql",
        }
    }
}

impl SqlTls {
    /// Reads `disable`, `prefer`, `require`, `verify-ca` or `verify-full`.
    ///
    /// # Errors
    /// Names what there is.
    pub fn read(text: &str) -> Result<Self, String> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(format!(
                "{text:?} is no way to use TLS; there are disable, prefer, require, verify-ca and \
                 verify-full"
            )),
        }
    }
}

impl fmt::Display for DatabaseServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.protocol.name(), self.address())
    }
}

impl DatabaseServer {
    /// `MySQL` on its own port, as the seed's `DatabaseConnection(host, user, password)`; every
    /// field may be changed.
    pub fn new(host: impl Into<String>, user: impl Into<String>, password: Secret) -> Self {
        Self {
            host: host.into(),
            user: user.into(),
            password: Some(password),
            ..Self::of(SqlProtocol::Mysql)
        }
    }

    pub(super) fn of(protocol: SqlProtocol) -> Self {
        Self {
            protocol,
            host: String::new(),
            port: protocol.port(),
            user: String::new(),
            password: None,
            database: None,
            tls: SqlTls::Prefer,
            ca_file: None,
        }
    }

    /// `HOST:PORT`, as messages name it.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }

    /// Reads `PROTOCOL[+DRIVER]://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE][?OPTIONS]`, which is
    /// the form of `SQLAlchemy` too: the driver is ignored, user and password are percent-encoded.
    ///
    /// Of the options, `charset` is ignored; `sslmode`, `sslrootcert` and `ssl_ca` say how the
    /// connection is encrypted.
    ///
    /// # Errors
    /// Says what is wrong, never repeating the text, which may hold a password.
    pub fn from_url(text: &str) -> Result<Self, String> {
        let form = "it looks like mysql://USER@HOST:3306/DATABASE";
        let wrong = |what: &str| format!("the URL of a database {what}; {form}");
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("has no ://"))?;
        let mut server = Self::of(SqlProtocol::read(scheme)?);
        // A password may hold anything but an @, as in SQLAlchemy.
        let (login, rest) = match rest.split_once('@') {
            Some((login, rest)) => (login, rest),
            None => ("", rest),
        };
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded.map(std::borrow::Cow::into_owned).map_err(|_| wrong("is not UTF-8"))
        };
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        server.user = decoded(user)?;
        server.password = password.map(decoded).transpose()?.map(Secret::new);
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        server.database = Some(decoded(database)?).filter(|name| !name.is_empty());
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        server.host = host_name(host).map_err(|_| wrong("names no host"))?;
        if let Some(port) = port {
            let port = port.parse().ok().filter(|&port| port > 0);
            server.port = port.ok_or_else(|| wrong("has something else than a port"))?;
        }
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "charset" => {}
                "sslmode" => server.tls = SqlTls::read(&decoded(value)?)?,
                "sslrootcert" | "ssl_ca" => server.ca_file = Some(decoded(value)?.into()),
                _ => {
                    return Err(format!(
                        "the URL of a database has the option {name:?}; there are charset, \
                         sslmode, sslrootcert and ssl_ca"
                    ));
                }
            }
        }
        if server.ca_file.is_some() && !options.contains("sslmode") {
            server.tls = SqlTls::VerifyFull;
        }
        Ok(server)
    }
}

/// What a person writes of a database: a URL, or its parts.
#[derive(Debug, Clone, Default)]
pub struct DatabaseParts {
    /// A URL, as [`DatabaseServer::from_url`] reads it.
    pub url: Option<Secret>,
    /// [`DatabaseServer::protocol`]; `MySQL` unless it is written.
    pub protocol: Option<SqlProtocol>,
    /// [`DatabaseServer::host`].
    pub host: Option<String>,
    /// [`DatabaseServer::port`]; the protocol's own unless it is written.
    pub port: Option<u16>,
    /// [`DatabaseServer::user`].
    pub user: Option<String>,
    /// [`DatabaseServer::password`]; over that of the URL.
    pub password: Option<Secret>,
    /// [`DatabaseServer::database`].
    pub database: Option<String>,
    /// [`DatabaseServer::tls`]; [`SqlTls::Prefer`] unless it is written, and
    /// [`SqlTls::VerifyFull`] with a `ca_file`.
    pub tls: Option<SqlTls>,
    /// [`DatabaseServer::ca_file`].
    pub ca_file: Option<PathBuf>,
}

impl DatabaseParts {
    /// The server that they amount to.
    ///
    /// # Errors
    /// The part that is wrong (`url`, `host`…) and why; nothing of it is secret.
    pub fn resolve(self) -> Result<DatabaseServer, (&'static str, String)> {
        let mut server = if let Some(url) = &self.url {
            let twice = [
                ("protocol", self.protocol.is_some()),
                ("host", self.host.is_some()),
                ("port", self.port.is_some()),
                ("user", self.user.is_some()),
                ("database", self.database.is_some()),
            ];
            if let Some((key, _)) = twice.iter().find(|(_, written)| *written) {
                return Err((key, format!("the URL says {key} too; keep one")));
            }
            DatabaseServer::from_url(url.reveal()).map_err(|wrong| ("url", wrong))?
        } else {
            let protocol = self.protocol.unwrap_or(SqlProtocol::Mysql);
            let host = self.host.ok_or(("host", "no host, and no URL".to_owned()))?;
            let user = self.user.ok_or(("user", "no user, and no URL".to_owned()))?;
            let host = host_name(&host).map_err(|wrong| ("host", wrong))?;
            let port = self.port.unwrap_or(protocol.port());
            let database = self.database;
            DatabaseServer { host, port, user, database, ..DatabaseServer::of(protocol) }
        };
        if server.user.is_empty() {
            return Err(("user", "the URL names no user; write USER@ before its host".to_owned()));
        }
        server.password = self.password.or(server.password);
        if let Some(file) = self.ca_file {
            server.ca_file = Some(file);
            server.tls = SqlTls::VerifyFull;
        }
        server.tls = self.tls.unwrap_or(server.tls);
        if server.ca_file.is_some() && !matches!(server.tls, SqlTls::VerifyCa | SqlTls::VerifyFull)
        {
            let why = "a ca_file is of use with tls = \"verify-full\" or \"verify-ca\" only";
            return Err(("ca_file", why.to_owned()));
        }
        Ok(server)
    }
}

fn host_name(text: &str) -> Result<String, String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '?' | '#');
    if text.is_empty() || text.contains(odd) {
        return Err(format!("{text:?} is no host; name the server, such as db.example.org"));
    }
    Ok(text.trim_matches(['[', ']']).to_owned())
}

#[cfg(test)]
mod tests;
