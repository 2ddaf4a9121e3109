//! What the errors of databases mean.
//!
//! By SQLSTATE for `PostgreSQL` (appendix A of its manual) and by number for `MySQL` and `MariaDB`
//! (their server error references), whose SQLSTATE is HY000 for most of what matters here.

#![expect(clippy::wildcard_enum_match_arm, reason = "the errors of sqlx keep growing")]

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

use crate::config::DatabaseServer;
use crate::error::{Error, Kind};

/// More of what a server says is not repeated: it may quote what it was sent.
const MOST_TOLD: usize = 300;

/// How `MySQL` and `MariaDB` refuse a subquery with several rows, where one is wanted.
const OTHER_KEY: u16 = 1242;

/// An error of the database at this place, while doing `what`.
pub(super) fn fault(server: &DatabaseServer, what: &str, error: &sqlx::Error) -> Error {
    if let sqlx::Error::Database(refused) = error {
        return of_server(server, what, &**refused);
    }
    let (kind, hint) = match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => {
            (Kind::Unreachable, unreachable_hint(server, &error.to_string()))
        }
        sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) => {
            (Kind::Settings, String::new())
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => {
            (Kind::Corrupt, String::new())
        }
        _ => (Kind::Transient, String::new()),
    };
    let told = Error::new(kind, format!("{what}, {server}")).because(error.to_string());
    if hint.is_empty() { told } else { told.hint(hint) }
}

/// Somebody else, at whose work a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Somebody {
    /// The server ended the wait for a lock: lock not available, lock wait timeout.
    HasLocked,
    /// A unique key is taken in `PostgreSQL`, perhaps at this very moment.
    HasTakenAKey,
}

pub(super) fn met(error: &sqlx::Error) -> Option<Somebody> {
    let sqlx::Error::Database(refused) = error else { return None };
    if let Some(refused) = refused.try_downcast_ref::<MySqlDatabaseError>() {
        return (refused.number() == 1205).then_some(Somebody::HasLocked);
    }
    match &*refused.code()? {
        "55P03" => Some(Somebody::HasLocked),
        "23505" => Some(Somebody::HasTakenAKey),
        _ => None,
    }
}

/// A database that did not answer in time.
pub(super) fn no_answer(server: &DatabaseServer, what: &str) -> Error {
    let hint = unreachable_hint(server, "");
    Error::new(Kind::Unreachable, format!("{what}, {server}: no answer in time")).hint(hint)
}

fn unreachable_hint(server: &DatabaseServer, told: &str) -> String {
    let address = server.address();
    if told.contains("certificate") {
        return format!(
            "{address} shows a certificate that is not trusted here; name its authority with ca_file"
        );
    }
    if told.contains("does not support TLS") {
        return format!("{address} offers no TLS; turn it on there, or set tls = \"disable\"");
    }
    format!(
        "is a database running there that speaks {}? Check host and port, and what lies between",
        server.protocol.name()
    )
}

fn of_server(server: &DatabaseServer, what: &str, refused: &dyn DatabaseError) -> Error {
    let number = refused.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
    let state = refused.code().unwrap_or_default();
    let kind = number.map_or_else(|| by_state(&state), |number| by_number(number, &state));
    let message = match number {
        None if state.starts_with("22") => without_value(refused.message(), '"', "\""),
        Some(1062 | 1292 | 1366 | 1411) => without_value(refused.message(), '\'', "' for "),
        // The statement has been made such that it fails in this way.
        Some(OTHER_KEY) => {
            "another record has its value of a unique key that is not the primary one".to_owned()
        }
        Some(1267 | 1270 | 1271) => {
            "a text has a letter that the character set of its column has not".to_owned()
        }
        _ => refused.message().to_owned(),
    };
    let message: String = message.chars().take(MOST_TOLD).collect();
    let code = number.map_or_else(|| state.to_string(), |number| number.to_string());
    let place = if kind == Kind::Invalid { String::new() } else { format!(", {server}") };
    let told = Error::new(kind, format!("{what}{place}")).because(format!("{message} ({code})"));
    let told = told.answered();
    let user = &server.user;
    match kind {
        Kind::Credentials => told.hint(format!("check user and password; the user is {user}")),
        // MySQL and MariaDB want the right to UPDATE even where nothing is changed.
        Kind::Denied => told.hint(format!(
            "let {user} do it (GRANT SELECT, INSERT{} ON the table TO the user), on a server that \
             takes writes",
            if number.is_some() { ", UPDATE" } else { "" }
        )),
        Kind::Missing => told.hint("check the names of database, schema and table"),
        _ => told,
    }
}

/// A message without the value that it quotes, which may be of a body that nobody is to see.
fn without_value(message: &str, open: char, close: &str) -> String {
    let Some((before, quoted)) = message.split_once(open) else { return message.to_owned() };
    let (end, _) = quoted.rmatch_indices(close).next().unwrap_or((quoted.len(), ""));
    let after = quoted.get(end..).unwrap_or_default();
    format!("{before}{open}…{}", if after.is_empty() { open.to_string() } else { after.to_owned() })
}

fn by_state(state: &str) -> Kind {
    match state {
        "42501" | "25006" => Kind::Denied,
        "3D000" | "3F000" | "42P01" => Kind::Missing,
        // Lock not available, cancelled for its timeout.
        "55P03" | "57014" => Kind::Transient,
        // Syntax: what we wrote is wrong.
        "42601" => Kind::Bug,
        // A value that does not fit its column, an operator that its type has not, a trigger that
        // refuses, an index entry that is too large.
        "42804" | "428C9" | "42883" | "42703" | "42846" | "P0001" | "44000" | "54000" => {
            Kind::Invalid
        }
        _ => match state.get(..2).unwrap_or_default() {
            "22" | "23" => Kind::Invalid,
            "28" => Kind::Credentials,
            "08" | "53" | "57" => Kind::Unreachable,
            _ => Kind::Transient,
        },
    }
}

fn by_number(number: u16, state: &str) -> Kind {
    match number {
        1045 | 1698 | 1820 | 1862 => Kind::Credentials,
        1044 | 1130 | 1142 | 1143 | 1227 | 1290 | 1370 | 1410 | 1792 | 1836 => Kind::Denied,
        1046 | 1049 | 1146 => Kind::Missing,
        // Full, out of memory, too many connections, shutting down, killed, host blocked.
        3 | 1021 | 1037 | 1040 | 1041 | 1053 | 1077 | 1114 | 1129 | 1203 | 1226 | 1927 => {
            Kind::Unreachable
        }
        1064 => Kind::Bug,
        // 1118 and 1153 are rows that are too large.
        1054 | 1118 | 1153 | 1264 | 1265 | 1267 | 1270 | 1271 | 1292 | 1364 | 1366 | 1406
        | 1411 | 1416 | 1690 | 1906 | 3105 | 3140 | 3141 | 3819 | 4025 | OTHER_KEY => Kind::Invalid,
        // Locks: a deadlock is 40001 by its state and 1213 by its number.
        1205 | 1213 => Kind::Transient,
        _ => match state.get(..2).unwrap_or_default() {
            "22" | "23" | "45" => Kind::Invalid,
            "08" => Kind::Unreachable,
            _ => Kind::Transient,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::without_value;

    #[test]
    fn what_was_sent_is_not_repeated() {
        for (told, open, close, shown) in [
            ("syntax for type integer: \"a \"b\"\"", '"', "\"", "syntax for type integer: \"…\""),
            ("value \"7\" is out of range", '"', "\"", "value \"…\" is out of range"),
            ("integer out of range", '"', "\"", "integer out of range"),
            ("value: 'it's' for column 'c' at 1", '\'', "' for ", "value: '…' for column 'c' at 1"),
            ("incorrect DOUBLE value: 'x'", '\'', "' for ", "incorrect DOUBLE value: '…'"),
        ] {
            assert_eq!(without_value(told, open, close), shown);
        }
    }
}
