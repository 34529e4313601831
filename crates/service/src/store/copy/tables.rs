//! What of a database is copied. The columns and their types come from the schema itself.

use rusqlite::Connection;

use crate::store::sql::Type;
use crate::store::sqlite;

/// The tables whose rows are copied, those that others refer to first. The changes of the feed are
/// among them: its numbers go on, so the clock and the epoch of the target never go back.
const COPIED: &[&str] = &[
    "keys",
    "tokens",
    "audit",
    "audit_start",
    "changes",
    "link_uses",
    "idempotency",
    "events",
    "deliveries",
    "announced",
    "retention",
    "unused",
    "key_uses",
    "key_days",
];

/// Those that each database has for itself: the target begins a history of its own, and a heartbeat is
/// never read. In PostgreSQL, `writers` and `edges` tell of processes that run.
#[cfg(test)]
const LEFT: &[&str] = &["incarnations", "heartbeat"];

/// What background rounds write in a database without any key.
const KEPT_BY_ROUNDS: &[&str] = &["announced", "retention", "unused"];

/// The tables that tell whose database it is.
const TELLING: &[&str] = &["keys", "tokens", "audit"];

/// The tables whose numbers are never given twice, with what remembers the last one in PostgreSQL.
pub(super) const COUNTERS: &[(&str, Counter)] = &[
    ("keys", Counter::Sequence("number")),
    ("tokens", Counter::Sequence("number")),
    ("events", Counter::Sequence("seq")),
    ("changes", Counter::Head("epoch")),
    ("audit", Counter::Head("audited")),
];

/// Where PostgreSQL keeps the last number of a table.
#[derive(Clone, Copy)]
pub(super) enum Counter {
    /// In the sequence of this column.
    Sequence(&'static str),
    /// In this column of `head`.
    Head(&'static str),
}

/// A table.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Those of the primary key first.
    pub(super) columns: Vec<Column>,
    /// How many columns the primary key has.
    pub(super) keys: usize,
}

pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Type,
    place_in_key: u32,
}

impl Table {
    /// All that are copied, in the order in which they are.
    pub(super) fn all() -> rusqlite::Result<Vec<Self>> {
        let connection = sqlite::in_memory()?;
        let read = |name: &&'static str| Self::read(&connection, name);
        COPIED.iter().map(read).collect()
    }

    fn read(connection: &Connection, name: &'static str) -> rusqlite::Result<Self> {
        let text = "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY pk = 0, pk, cid";
        let mut statement = connection.prepare(text)?;
        let columns = statement.query_map([name], |row| {
            Ok(Column {
                name: row.get(0)?,
                kind: match row.get::<_, String>(1)?.as_str() {
                    "INTEGER" => Type::Integer,
                    "BLOB" => Type::Blob,
                    _ => Type::Text,
                },
                place_in_key: row.get(2)?,
            })
        })?;
        let columns: Vec<Column> = columns.collect::<rusqlite::Result<_>>()?;
        let keys = columns.iter().take_while(|it| it.place_in_key > 0).count();
        Ok(Self {
            name,
            columns,
            keys,
        })
    }

    /// Whether rows of a target that the source does not have mean that it is another database, even
    /// if it was never served.
    pub(super) fn is_telling(&self) -> bool {
        TELLING.contains(&self.name)
    }

    /// Whether a service that has no key writes to it.
    pub(super) fn is_kept_by_rounds(&self) -> bool {
        KEPT_BY_ROUNDS.contains(&self.name)
    }

    /// The statement that reads a page in the order of the primary key, with its values numbered from
    /// 1: the key after which it begins, and the key with which it ends.
    pub(super) fn page(&self, has_start: bool, has_end: bool, limit: Option<usize>) -> String {
        let mut conditions = Vec::new();
        let mut marks = 1..;
        for (is_there, sign) in [(has_start, ">"), (has_end, "<=")] {
            if is_there {
                let marks: Vec<String> = marks
                    .by_ref()
                    .take(self.keys)
                    .map(|number| format!("?{number}"))
                    .collect();
                conditions.push(format!("({}) {sign} ({})", self.key(), marks.join(", ")));
            }
        }
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let limit = limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"));
        format!(
            "SELECT {} FROM {}{condition} ORDER BY {}{limit}",
            self.list(),
            self.name,
            self.key()
        )
    }

    /// All columns.
    pub(super) fn list(&self) -> String {
        quoted(&self.columns)
    }

    /// The columns of the primary key.
    fn key(&self) -> String {
        quoted(self.columns.get(..self.keys).unwrap_or_default())
    }

    /// The statement that deletes the row with a key.
    pub(super) fn delete(&self) -> String {
        let marks: Vec<String> = (1..=self.keys).map(|number| format!("?{number}")).collect();
        format!(
            "DELETE FROM {} WHERE ({}) = ({})",
            self.name,
            self.key(),
            marks.join(", ")
        )
    }

    /// The statement that adds a row to a file.
    pub(super) fn insert(&self) -> String {
        let marks = vec!["?"; self.columns.len()].join(", ");
        format!(
            "INSERT INTO {} ({}) VALUES ({marks})",
            self.name,
            self.list()
        )
    }
}

/// Quoted, since `only` is a word of SQL.
fn quoted(columns: &[Column]) -> String {
    let names: Vec<String> = columns
        .iter()
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_copied_or_left_on_purpose() {
        let connection = sqlite::in_memory().unwrap();
        let text = "SELECT name FROM sqlite_master WHERE type = 'table' \
                    AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let mut statement = connection.prepare(text).unwrap();
        let found = statement.query_map([], |row| row.get(0)).unwrap();
        let found: Vec<String> = found.map(Result::unwrap).collect();
        let mut known: Vec<&str> = COPIED.iter().chain(LEFT).copied().collect();
        known.sort_unstable();
        assert_eq!(found, known);
    }

    #[test]
    fn every_number_that_is_never_given_twice_is_copied() {
        let connection = sqlite::in_memory().unwrap();
        let text = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' \
                    AND name <> 'incarnations' ORDER BY name";
        let mut statement = connection.prepare(text).unwrap();
        let found = statement.query_map([], |row| row.get(0)).unwrap();
        let found: Vec<String> = found.map(Result::unwrap).collect();
        let mut known: Vec<&str> = COUNTERS.iter().map(|(name, _)| *name).collect();
        known.sort_unstable();
        assert_eq!(found, known);
    }

    #[test]
    fn every_column_of_a_copied_table_is_in_both_schemas() {
        let postgres = include_str!("../../../migrations/postgres/0001_schema.sql");
        for table in Table::all().unwrap() {
            let start = format!("CREATE TABLE {} (", table.name);
            let (_, rest) = postgres.split_once(&start).unwrap();
            let (body, _) = rest.split_once("\n);").unwrap();
            for column in &table.columns {
                let is_there = body.lines().any(|line| {
                    let word = line.split_whitespace().next().unwrap_or_default();
                    word.trim_matches('"') == column.name
                });
                assert!(is_there, "{}.{}", table.name, column.name);
            }
            assert!(table.keys > 0, "{} has no primary key", table.name);
        }
    }
}
