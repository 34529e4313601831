//! A connection to a database, for a thread that reads.

use super::sql::{self, Sql};

/// A connection that belongs to one thread.
#[derive(Debug)]
pub(super) enum Connection {
    Sqlite(rusqlite::Connection),
}

impl Connection {
    /// Runs `work`, in which each statement sees the newest state.
    pub(super) fn read<T>(&mut self, work: impl Fn(&Sql<'_>) -> sql::Result<T>) -> sql::Result<T> {
        match self {
            Self::Sqlite(connection) => work(&Sql::Sqlite(connection)),
        }
    }
}
