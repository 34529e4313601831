//! The mark of a database that a copy has not finished: it has some of the keys of another one.

use super::sql::{self, Each, Sql, params};

/// Marks the database.
pub(super) const MARK: &str = "CREATE TABLE IF NOT EXISTS unfinished_copy (began bigint)";

/// Removes the mark.
pub(super) const UNMARK: &str = "DROP TABLE IF EXISTS unfinished_copy";

/// Whether it is there.
pub(super) fn is_marked(sql: &Sql<'_>) -> sql::Result<bool> {
    let text = Each {
        sqlite: "SELECT 1 FROM sqlite_master WHERE name = 'unfinished_copy'",
        postgres: "SELECT 1 WHERE to_regclass('keygate.unfinished_copy') IS NOT NULL",
    };
    sql.exists(text, params![])
}
