//! The catalog of `MySQL` and `MariaDB`: `information_schema`, which shows what the user has any
//! right to.

use super::{Column, Form, Told, about};
use crate::error::Result;
use crate::toolkit::sql::session::Session;
use crate::toolkit::sql::statement::{Dialect, Statement};

const EXISTS: [&str; 3] = [
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ",
    " AND TABLE_NAME = ",
    "",
];

const COLUMNS: [&str; 3] = [
    "SELECT c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, CAST(s.SEQ_IN_INDEX AS CHAR) \
     FROM information_schema.COLUMNS c LEFT JOIN information_schema.STATISTICS s \
     ON s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME \
     AND s.COLUMN_NAME = c.COLUMN_NAME AND s.INDEX_NAME = 'PRIMARY' WHERE c.TABLE_SCHEMA = ",
    " AND c.TABLE_NAME = ",
    " ORDER BY c.ORDINAL_POSITION",
];

/// What a packet holds besides the values of its row.
const AROUND_ROW: usize = 64;

/// Views have no engine.
const ENGINE: [&str; 3] = [
    "SELECT VERSION(), e.TRANSACTIONS, CAST(@@max_allowed_packet AS CHAR) \
     FROM information_schema.TABLES t \
     LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = ",
    " AND t.TABLE_NAME = ",
    "",
];

const OTHER_KEYS: [&str; 3] = [
    "SELECT INDEX_NAME FROM information_schema.STATISTICS \
     WHERE NON_UNIQUE = 0 AND INDEX_NAME <> 'PRIMARY' AND TABLE_SCHEMA = ",
    " AND TABLE_NAME = ",
    " LIMIT 1",
];

/// JSON is a text to `MariaDB`, with this check beside it.
const JSON_COLUMNS: [&str; 3] = [
    "SELECT CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS \
     WHERE CHECK_CLAUSE = CONCAT('json_valid(`', CONSTRAINT_NAME, '`)') AND CONSTRAINT_SCHEMA = ",
    " AND TABLE_NAME = ",
    "",
];

pub(super) fn exists(schema: &str, name: &str) -> Statement {
    about(Dialect::Mysql, EXISTS, schema, name)
}

pub(super) async fn ask(
    session: &mut Session<'_>,
    what: &str,
    schema: &str,
    name: &str,
) -> Result<Told> {
    let dialect = Dialect::Mysql;
    let mut told = Vec::new();
    for question in [COLUMNS, ENGINE, OTHER_KEYS] {
        told.push(session.rows(what, about(dialect, question, schema, name)).await?);
    }
    let (others, engine) = (told.pop().unwrap_or_default(), told.pop().unwrap_or_default());
    let engine = engine.into_iter().next().unwrap_or_default();
    let is_mariadb = engine
        .first()
        .is_some_and(|version| version.as_ref().is_some_and(|version| version.contains("MariaDB")));
    let is_transactional = engine.get(1).is_none_or(|yes| yes.as_deref() != Some("NO"));
    let packet = engine.get(2).and_then(|bytes| bytes.as_ref()?.parse::<usize>().ok());
    let mut json = Vec::new();
    if is_mariadb {
        let rows = session.rows(what, about(dialect, JSON_COLUMNS, schema, name)).await?;
        json.extend(rows.into_iter().flatten().flatten());
    }
    let columns = told.pop().unwrap_or_default().into_iter().filter_map(|row| {
        let [name, kind, shown, at] = <[_; 4]>::try_from(row).ok()?;
        let (name, kind, shown) = (name?, kind?.to_lowercase(), shown?);
        let form = if json.contains(&name) { Form::Json } else { form(&kind) };
        let cast = key_cast(form, &kind, &shown);
        Some((Column { name, form, cast, shown }, at))
    });
    Ok(Told {
        columns: columns.collect(),
        has_other_keys: !others.is_empty(),
        is_transactional,
        most_bytes: packet.unwrap_or(usize::MAX).saturating_sub(AROUND_ROW),
    })
}

fn form(kind: &str) -> Form {
    match kind {
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "year" => {
            Form::Integer
        }
        "decimal" | "numeric" => Form::Decimal,
        "float" => Form::Float { single: true },
        "double" => Form::Float { single: false },
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => {
            Form::Text
        }
        "json" => Form::Json,
        "date" => Form::Date,
        "datetime" => Form::Moment,
        "timestamp" => Form::Instant,
        "bit" => Form::Bits,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "vector"
        | "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => Form::Binary,
        _ => Form::Other,
    }
}

/// `decimal(10,2) unsigned` rounds to `decimal(10,2)`, `timestamp(3)` to `datetime(3)`, and
/// `binary(16)` pads.
fn key_cast(form: Form, kind: &str, shown: &str) -> String {
    let size = shown.find('(').and_then(|at| shown.get(at..=shown.find(')')?)).unwrap_or("");
    match form {
        Form::Decimal => format!("decimal{size}"),
        Form::Date => "date".to_owned(),
        Form::Moment | Form::Instant => format!("datetime{size}"),
        Form::Binary if kind == "binary" => shown.to_owned(),
        Form::Integer
        | Form::Float { .. }
        | Form::Bool
        | Form::Text
        | Form::Binary
        | Form::Json
        | Form::Bits
        | Form::Other => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_compared_as_it_is_stored() {
        let cast = |shown: &str| {
            let kind = shown.split(['(', ' ']).next().unwrap();
            key_cast(form(kind), kind, shown)
        };
        assert_eq!(cast("decimal(10,2) unsigned"), "decimal(10,2)");
        assert_eq!(cast("timestamp(3)"), "datetime(3)");
        assert_eq!(cast("datetime"), "datetime");
        assert_eq!(cast("binary(16)"), "binary(16)");
        assert_eq!(cast("bigint(20) unsigned"), "");
        assert_eq!(cast("varchar(40)"), "");
    }
}
