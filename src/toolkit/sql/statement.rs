//! Statements as they are put together: names quoted, values bound.

use sqlx::mysql::MySqlArguments;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, MySql, Postgres};

use super::table::{Column, Table};
use crate::config::SqlProtocol;

/// What dialect a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `MySQL` and `MariaDB`.
    Mysql,
    Postgresql,
}

impl Dialect {
    pub(super) const fn of(protocol: SqlProtocol) -> Self {
        match protocol {
            SqlProtocol::Mysql | SqlProtocol::Mariadb => Self::Mysql,
            SqlProtocol::Postgresql => Self::Postgresql,
        }
    }

    /// A name in the quotes of the dialect, with those inside it doubled.
    fn quoted(self, name: &str) -> String {
        match self {
            Self::Mysql => format!("`{}`", name.replace('`', "``")),
            Self::Postgresql => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }
}

/// A value on its way to the server. `PostgreSQL` gets texts, which it converts itself to what the
/// column is; `MySQL` would compare a text with a number as floats, and gets numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bound {
    Null,
    Text(String),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Bytes(Vec<u8>),
}

impl Bound {
    /// About how many bytes it takes on its way.
    pub(super) const fn size(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Signed(_) | Self::Unsigned(_) | Self::Float(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// A statement with its values.
#[derive(Debug)]
pub(super) struct Statement {
    dialect: Dialect,
    sql: String,
    values: Vec<Bound>,
}

impl Statement {
    pub(super) fn new(dialect: Dialect, sql: &str) -> Self {
        Self { dialect, sql: sql.to_owned(), values: Vec::new() }
    }

    /// Adds words of the language; never what somebody else wrote.
    pub(super) fn words(&mut self, words: &'static str) -> &mut Self {
        self.sql.push_str(words);
        self
    }

    /// Adds a comma in front of every item of a list but the first.
    pub(super) fn between(&mut self, position: usize, words: &'static str) -> &mut Self {
        if position > 0 { self.words(words) } else { self }
    }

    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        let name = self.dialect.quoted(name);
        self.sql.push_str(&name);
        self
    }

    pub(super) fn table(&mut self, table: &Table) -> &mut Self {
        self.name(&table.schema).words(".").name(&table.name)
    }

    /// Adds a value for a column, and of its type.
    pub(super) fn value(&mut self, column: &Column, value: Bound) -> &mut Self {
        self.values.push(value);
        match self.dialect {
            Dialect::Mysql => self.sql.push('?'),
            Dialect::Postgresql => {
                let place = self.values.len().to_string();
                self.sql.extend(["$", &place, "::", &column.cast]);
            }
        }
        self
    }

    /// Adds a value as the column would hold it: rounded and padded in the same way.
    pub(super) fn key(&mut self, column: &Column, value: Bound) -> &mut Self {
        if self.dialect == Dialect::Postgresql || column.cast.is_empty() {
            return self.value(column, value);
        }
        self.values.push(value);
        self.sql.extend(["CAST(? AS ", &column.cast, ")"]);
        self
    }

    /// Adds a value to compare a column with, exactly as it is.
    pub(super) fn compared(&mut self, column: &Column, value: Bound) -> &mut Self {
        if self.dialect == Dialect::Mysql && column.is_decimal() {
            self.values.push(value);
            return self.words("CAST(? AS DECIMAL(65, 30))");
        }
        self.value(column, value)
    }

    /// Adds a text that no column is asked about.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.values.push(Bound::Text(text.to_owned()));
        let place = match self.dialect {
            Dialect::Mysql => "?".to_owned(),
            Dialect::Postgresql => format!("${}", self.values.len()),
        };
        self.sql.push_str(&place);
        self
    }

    /// Never prepared for another time: statements differ by their number of rows.
    pub(super) fn mysql(self) -> Query<'static, MySql, MySqlArguments> {
        let query = sqlx::query(AssertSqlSafe(self.sql)).persistent(false);
        self.values.into_iter().fold(query, |query, value| match value {
            Bound::Null => query.bind(None::<String>),
            Bound::Text(text) => query.bind(text),
            Bound::Signed(number) => query.bind(number),
            Bound::Unsigned(number) => query.bind(number),
            Bound::Float(number) => query.bind(number),
            Bound::Bytes(bytes) => query.bind(bytes),
        })
    }

    /// The same for the other driver.
    pub(super) fn postgres(self) -> Query<'static, Postgres, PgArguments> {
        let query = sqlx::query(AssertSqlSafe(self.sql)).persistent(false);
        self.values.into_iter().fold(query, |query, value| match value {
            Bound::Null => query.bind(None::<String>),
            Bound::Text(text) => query.bind(text),
            Bound::Signed(number) => query.bind(number.to_string()),
            Bound::Unsigned(number) => query.bind(number.to_string()),
            Bound::Float(number) => query.bind(number.to_string()),
            Bound::Bytes(bytes) => query.bind(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_inside_names_are_doubled() {
        assert_eq!(Dialect::Mysql.quoted("a`; DROP TABLE b; --"), "`a``; DROP TABLE b; --`");
        assert_eq!(Dialect::Postgresql.quoted("a\"b`c"), "\"a\"\"b`c\"");
    }
}
