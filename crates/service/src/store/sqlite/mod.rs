//! SQLite: one file, of which one connection writes and a few read (WAL: neither waits for the
//! other). A change is on disk before its answer leaves (`synchronous=FULL`).

mod file;
mod migrations;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

pub(super) use self::file::{DatabaseFile, open_private};
use super::StoreError;
use super::feed;
use super::head::Head;
use super::sql::{self, Sql};

/// How long to wait for another process that writes to the file, such as a backup.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What writes to a file that this process holds.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    file: DatabaseFile,
}

impl Writer {
    /// Opens or makes the file, brings its schema up to date, and begins a life of the database.
    ///
    /// # Errors
    /// [`StoreError::Open`], [`StoreError::InUse`] and [`StoreError::Newer`], which name the file.
    pub(super) fn open(path: &Path, busy_timeout: Duration) -> Result<(Self, Head), StoreError> {
        let file = DatabaseFile::take(path)?;
        let connection = writer(path)?;
        connection
            .busy_timeout(busy_timeout)
            .map_err(|error| unusable(path, &error))?;
        let mut writer = Self { connection, file };
        let head = writer.transact(feed::begin_incarnation);
        let head = head.map_err(|error| unusable(path, &error))?;
        Ok((writer, head))
    }

    /// Runs `work` in a transaction that is on disk when this returns.
    pub(super) fn transact<T>(
        &mut self,
        work: impl FnOnce(&Sql<'_>) -> sql::Result<T>,
    ) -> sql::Result<T> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let answer = work(&Sql::Sqlite(&transaction))?;
        transaction.commit()?;
        Ok(answer)
    }

    /// Runs `work` outside of a transaction.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Sql<'_>) -> T) -> T {
        work(&Sql::Sqlite(&self.connection))
    }

    /// Whether the path still leads to the file that was opened.
    pub(super) fn is_there(&self) -> bool {
        self.file.is_there()
    }
}

/// Opens the file, which must exist.
pub(super) fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if mode.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
    }
    Ok(connection)
}

/// Opens the file, which must exist, and brings its schema up to date.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    let named = |error: rusqlite::Error| unusable(path, &error);
    // Before the first write: even the journal mode is kept in the file.
    if let Version::Foreign = reader(path).and_then(|it| version(&it)).map_err(named)? {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(named)?;
    migrations::run(&mut connection).map_err(|error| match error {
        migrations::Error::Newer { found, known } => StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        },
        migrations::Error::Sql(error) => named(error),
    })?;
    Ok(connection)
}

/// Opens the file, which must exist, to read it.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// What a file is to this release.
pub(super) enum Version {
    /// Of this release.
    Known,
    /// There is nothing in it.
    Empty,
    /// Of another program.
    Foreign,
    /// Of an earlier or a later release.
    Other { found: i64, known: i64 },
}

/// Reads which release has written a file.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<Version> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let text = "SELECT count(*), count(*) FILTER (WHERE name IN ('keys', 'changes')) \
                FROM sqlite_master WHERE type = 'table'";
    let (tables, ours): (i64, i64) =
        connection.query_row(text, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let known = i64::from(migrations::known());
    Ok(match (found, tables, ours) {
        (0, 0, _) => Version::Empty,
        (1.., _, 2) if found == known => Version::Known,
        (1.., _, 2) => Version::Other { found, known },
        _ => Version::Foreign,
    })
}

/// An empty database with the schema of this release.
pub(super) fn in_memory() -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    match migrations::run(&mut connection) {
        Err(migrations::Error::Sql(error)) => Err(error),
        // It is not newer than this release.
        Err(migrations::Error::Newer { .. }) | Ok(()) => Ok(connection),
    }
}

/// Moves the write-ahead log into the main file.
pub(super) fn checkpoint(path: &Path) -> rusqlite::Result<()> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "wal_checkpoint", "TRUNCATE")
}

/// The error of a file that cannot be opened.
pub(super) fn unusable(path: &Path, error: &dyn Display) -> StoreError {
    StoreError::Open {
        path: PathBuf::from(path),
        reason: error.to_string(),
    }
}
