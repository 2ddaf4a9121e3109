//! The catalog of `PostgreSQL`: `pg_catalog`, which shows a table also to those who may not read it,
//! so that they are told so.

use super::{Column, Form, Told, about};
use crate::error::Result;
use crate::toolkit::sql::session::Session;
use crate::toolkit::sql::statement::{Dialect, Statement};

/// Tables, partitioned ones, views of both kinds, foreign tables.
const EXISTS: [&str; 3] = [
    "SELECT c.relname::text FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ",
    " AND c.relname = ",
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
];

/// A domain counts as what it is made of. With -1 the name of a type stands for any length: with
/// one, a cast would cut off silently what an assignment refuses. `ON CONFLICT` takes no key that is
/// deferrable.
const COLUMNS: [&str; 3] = [
    "SELECT a.attname::text, b.typname::text, pg_catalog.format_type(b.oid, -1), \
            pg_catalog.format_type(a.atttypid, a.atttypmod), \
            pg_catalog.array_position(i.indkey::int2[], a.attnum)::text \
     FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
     JOIN pg_catalog.pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END \
     LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary AND i.indimmediate \
     WHERE n.nspname = ",
    " AND c.relname = ",
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY a.attnum",
];

/// What the server holds of one message in its memory: 1 GiB, less what stands around the values.
const MOST_BYTES: usize = (1 << 30) - (1 << 16);

pub(super) fn exists(schema: &str, name: &str) -> Statement {
    about(Dialect::Postgresql, EXISTS, schema, name)
}

pub(super) async fn ask(
    session: &mut Session<'_>,
    what: &str,
    schema: &str,
    name: &str,
) -> Result<Told> {
    let rows = session.rows(what, about(Dialect::Postgresql, COLUMNS, schema, name)).await?;
    let columns = rows.into_iter().filter_map(|row| {
        let [name, kind, cast, shown, at] = <[_; 5]>::try_from(row).ok()?;
        let form = form(kind.as_deref().unwrap_or_default());
        // An offset would be dropped silently; this way the moment is the one in UTC.
        let in_utc = Some("timestamptz::timestamp".to_owned()).filter(|_| form == Form::Moment);
        let cast = in_utc.or(cast)?;
        Some((Column { name: name?, form, cast, shown: shown? }, at))
    });
    Ok(Told {
        columns: columns.collect(),
        // ON CONFLICT names the primary key, so that no other can hide behind it.
        has_other_keys: false,
        is_transactional: true,
        most_bytes: MOST_BYTES,
    })
}

fn form(kind: &str) -> Form {
    match kind {
        "int2" | "int4" | "int8" | "oid" => Form::Integer,
        "numeric" => Form::Decimal,
        "float4" => Form::Float { single: true },
        "float8" => Form::Float { single: false },
        "bool" => Form::Bool,
        "text" | "varchar" | "bpchar" | "name" => Form::Text,
        "bytea" => Form::Binary,
        "json" | "jsonb" => Form::Json,
        "date" => Form::Date,
        "timestamp" => Form::Moment,
        "timestamptz" => Form::Instant,
        _ => Form::Other,
    }
}
