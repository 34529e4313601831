//! A connection to a database, for a thread that reads.

use super::postgres::Link;
use super::sql::{self, Sql};

/// A connection that belongs to one thread.
#[derive(Debug)]
pub(super) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Link),
}

impl Connection {
    /// Runs `work`, in which each statement sees the newest state.
    pub(super) fn read<T>(&mut self, work: impl Fn(&Sql<'_>) -> sql::Result<T>) -> sql::Result<T> {
        match self {
            Self::Sqlite(connection) => work(&Sql::Sqlite(connection)),
            Self::Postgres(link) => link.read(work),
        }
    }

    /// Ends what was under way.
    pub(super) fn reset(&mut self) {
        match self {
            // Its transaction has ended already.
            Self::Sqlite(_) => {}
            Self::Postgres(link) => link.drop_session(),
        }
    }
}
