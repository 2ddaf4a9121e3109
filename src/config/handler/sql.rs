use crate::config::aws::secret;
use crate::config::database::{DatabaseParts, DatabaseServer, SqlProtocol, SqlTls};
use crate::config::section::Section;

/// `[….handler.sql]`: insert the body into a table, unless its primary key is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    /// Where the database is.
    pub server: DatabaseServer,
    /// A schema of `PostgreSQL`, a database of `MySQL` and `MariaDB`.
    pub schema: String,
    /// The table.
    pub table: String,
}

pub(super) fn read(section: &mut Section<'_>) -> Sql {
    let url = secret(section, "url", "url_file");
    let has_url = section.has("url") || section.has("url_file");
    let parts = DatabaseParts {
        url: url.clone(),
        protocol: section.formed("protocol", SqlProtocol::read),
        host: section.text("host"),
        port: section.whole("port", 1..=65_535).and_then(|port| port.try_into().ok()),
        user: section.text("user"),
        password: secret(section, "password", "password_file"),
        database: section.formed("database", name),
        tls: section.formed("tls", SqlTls::read),
        ca_file: section.path_of("ca_file"),
    };
    for (key, example) in [("host", "\"db.example.org\", or a url"), ("user", "\"longshore\"")] {
        if !has_url && !section.has(key) {
            section.missing(key, example);
        }
    }
    // What is wrong with a part has been told where the part was read.
    let is_sound =
        if has_url { url.is_some() } else { parts.host.is_some() && parts.user.is_some() };
    let server = parts.resolve().map_err(|(key, wrong)| {
        let key = if key == "url" && section.has("url_file") { "url_file" } else { key };
        if is_sound {
            section.blame(key, format!("{key}: {wrong}"));
        }
    });
    let server = server.unwrap_or_else(|()| DatabaseServer::of(SqlProtocol::Mysql));
    let in_url = url.and_then(|url| DatabaseServer::from_url(url.reveal()).ok()?.password);
    if in_url.is_some() && section.has("url") {
        section.blame(
            "url",
            "url: it holds a password, which is seen wherever the settings are; put it into a \
             password_file, or the URL into a url_file",
        );
    }
    let mut named = |key, example| {
        let text = section.formed(key, name);
        if !section.has(key) {
            section.missing(key, example);
        }
        text.unwrap_or_default()
    };
    let (schema, table) = (named("schema", "\"shop\""), named("table", "\"orders\""));
    Sql { server, schema, table }
}

/// What databases allow as a name, quoted, is nearly anything.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err(format!("{text:?} is no name"));
    }
    Ok(text.to_owned())
}
