//! The two databases of a copy, each with one connection.

use std::path::Path;
use std::time::{Duration, Instant};

use super::error::CopyError;
use super::rows::Line;
use super::tables::{COUNTERS, Counter, Table};
use crate::store::open::Place;
use crate::store::postgres::{self as server, PostgresUrl, Purpose};
use crate::store::sql::{Session, Sql, Type, params};
use crate::store::sqlite::{self, DatabaseFile, Version};
use crate::store::{StoreError, feed, unfinished};

/// How long a replica that was just stopped may still have connections.
const PATIENCE: Duration = Duration::from_secs(3);

/// Time between two looks.
const STEP: Duration = Duration::from_millis(50);

/// A database.
pub(super) struct Side {
    place: String,
    database: Database,
}

enum Database {
    Sqlite {
        connection: rusqlite::Connection,
        /// Keeps services away from it.
        _file: Option<DatabaseFile>,
    },
    Postgres(Box<Session>),
}

impl Side {
    /// Opens what is copied, and begins a transaction that sees one state of it. For a copy, no service
    /// may use it meanwhile; for a backup, services go on.
    pub(super) fn source(place: &Place, purpose: Purpose) -> Result<Self, CopyError> {
        let side = match place {
            Place::File(path) => Self::source_file(path, purpose)?,
            Place::Postgres(url) => Self::source_server(url, purpose)?,
        };
        match unfinished::is_marked(&side.sql())? {
            true => Err(CopyError::Unfinished(side.place)),
            false => Ok(side),
        }
    }

    fn source_file(path: &Path, purpose: Purpose) -> Result<Self, CopyError> {
        let place = path.display().to_string();
        if !path.is_file() {
            return Err(CopyError::Missing(place));
        }
        let file = match purpose {
            Purpose::Copy => Some(take(path)?),
            Purpose::Backup => None,
        };
        let named = |error: rusqlite::Error| sqlite::unusable(path, &error);
        let connection = sqlite::reader(path).map_err(named)?;
        let version = sqlite::version(&connection).map_err(named)?;
        match version {
            Version::Known => {}
            Version::Empty | Version::Foreign => return Err(CopyError::Missing(place)),
            Version::Other { found, known } => return Err(other(place, found, known)),
        }
        connection.execute_batch("BEGIN").map_err(named)?;
        Ok(Self {
            place,
            database: Database::Sqlite {
                connection,
                _file: file,
            },
        })
    }

    fn source_server(url: &PostgresUrl, purpose: Purpose) -> Result<Self, CopyError> {
        let side = Self::connected(url, purpose)?;
        let Some(version) = server::version(&side.sql())? else {
            return Err(CopyError::Missing(side.place));
        };
        side.check(version)?;
        if purpose == Purpose::Copy {
            side.await_alone()?;
        }
        side.batch("BEGIN ISOLATION LEVEL REPEATABLE READ")?;
        if purpose == Purpose::Copy {
            // Each transaction of a service changes this row first. Locked before the first read, which
            // decides what this transaction sees.
            side.batch("LOCK TABLE head IN SHARE MODE")?;
        }
        Ok(side)
    }

    /// Opens or makes what is written, brings the schema of a new one up to date, and keeps services
    /// away from it. Changes nothing else.
    pub(super) fn target(place: &Place) -> Result<Self, CopyError> {
        match place {
            Place::File(path) => Self::target_file(path),
            Place::Postgres(url) => Self::target_server(url),
        }
    }

    fn target_file(path: &Path) -> Result<Self, CopyError> {
        let place = path.display().to_string();
        let file = take(path)?;
        let named = |error: rusqlite::Error| sqlite::unusable(path, &error);
        let connection = sqlite::reader(path).map_err(named)?;
        match sqlite::version(&connection).map_err(named)? {
            Version::Known | Version::Empty | Version::Foreign => {}
            Version::Other { found, known } => return Err(other(place, found, known)),
        }
        drop(connection);
        let connection = sqlite::writer(path)?;
        // Its indexes are written in no order, so they have to fit: 256 MiB at most. What is lost in a
        // power failure is what the next run finds missing.
        connection
            .execute_batch("PRAGMA cache_size = -262144; PRAGMA synchronous = NORMAL")
            .map_err(named)?;
        Ok(Self {
            place,
            database: Database::Sqlite {
                connection,
                _file: Some(file),
            },
        })
    }

    fn target_server(url: &PostgresUrl) -> Result<Self, CopyError> {
        let named = |reason| StoreError::Postgres {
            place: url.to_string(),
            reason,
        };
        server::migrate(url).map_err(named)?;
        let side = Self::connected(url, Purpose::Copy)?;
        if let Some(version) = server::version(&side.sql())? {
            side.check(version)?;
        }
        side.await_alone()?;
        Ok(side)
    }

    fn connected(url: &PostgresUrl, purpose: Purpose) -> Result<Self, CopyError> {
        let place = url.to_string();
        let session = server::connect_for(url, purpose).map_err(|reason| StoreError::Postgres {
            place: place.clone(),
            reason,
        })?;
        Ok(Self {
            place,
            database: Database::Postgres(Box::new(session)),
        })
    }

    fn check(&self, found: i64) -> Result<(), CopyError> {
        let known = server::KNOWN;
        match found == known {
            true => Ok(()),
            false => Err(other(self.place.clone(), found, known)),
        }
    }

    /// Waits until no service and no other copy is connected.
    fn await_alone(&self) -> Result<(), CopyError> {
        let text = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name IN ('keygate', 'keygate-copy') AND pid <> pg_backend_pid()";
        let end = Instant::now() + PATIENCE;
        while self.sql().exists(text, params![])? {
            if Instant::now() >= end {
                return Err(CopyError::InUse {
                    place: self.place.clone(),
                    by: "a replica of the service, or by another copy".to_owned(),
                });
            }
            std::thread::sleep(STEP);
        }
        Ok(())
    }

    /// Which it is, without a password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Its connection.
    pub(super) fn sql(&self) -> Sql<'_> {
        match &self.database {
            Database::Sqlite { connection, .. } => Sql::Sqlite(connection),
            Database::Postgres(session) => Sql::Postgres(session),
        }
    }

    /// The file, for SQLite's own backup.
    pub(super) fn connection(&self) -> Option<&rusqlite::Connection> {
        match &self.database {
            Database::Sqlite { connection, .. } => Some(connection),
            Database::Postgres(_) => None,
        }
    }

    /// Runs statements that have no values.
    pub(super) fn batch(&self, text: &str) -> Result<(), CopyError> {
        match &self.database {
            Database::Sqlite { connection, .. } => Ok(connection.execute_batch(text)?),
            Database::Postgres(session) => Ok(session.batch(text)?),
        }
    }

    /// Runs `work` in a transaction that is on disk when this returns.
    pub(super) fn transact<T>(
        &self,
        work: impl FnOnce() -> Result<T, CopyError>,
    ) -> Result<T, CopyError> {
        self.batch("BEGIN")?;
        let done = work();
        match &done {
            Ok(_) => self.batch("COMMIT")?,
            // The connection may be lost, and the transaction with it.
            Err(_) => drop(self.batch("ROLLBACK")),
        }
        done
    }

    /// Adds rows that are not there.
    pub(super) fn insert(&self, table: &Table, lines: &[&Line]) -> Result<(), CopyError> {
        match &self.database {
            Database::Sqlite { connection, .. } => {
                let sql = Sql::Sqlite(connection);
                let text = table.insert();
                for line in lines {
                    sql.execute(&text, &line.values())?;
                }
                Ok(())
            }
            Database::Postgres(session) => {
                let kinds: Vec<Type> = table.columns.iter().map(|it| it.kind).collect();
                let text = format!("COPY {} ({}) FROM STDIN BINARY", table.name, table.list());
                Ok(session.copy_in(&text, &kinds, lines.iter().map(|it| it.values()))?)
            }
        }
    }

    /// The last number that each table has given, which it never gives again.
    pub(super) fn counters(&self) -> Result<Vec<i64>, CopyError> {
        let sql = self.sql();
        let read = |(table, counter): &(&str, Counter)| {
            let text = match (&self.database, counter) {
                (Database::Sqlite { .. }, _) => format!(
                    "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0)"
                ),
                (Database::Postgres(_), Counter::Head(column)) => {
                    format!("SELECT {column} FROM head")
                }
                (Database::Postgres(_), Counter::Sequence(column)) => format!(
                    "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_{column}_seq"
                ),
            };
            Ok(sql.one(&text, params![], |row| row.get(0))?)
        };
        COUNTERS.iter().map(read).collect()
    }

    /// Goes on after these numbers. Belongs into a transaction.
    pub(super) fn count_from(&self, numbers: &[i64]) -> Result<(), CopyError> {
        for ((table, counter), number) in COUNTERS.iter().zip(numbers) {
            self.batch(&match (&self.database, counter) {
                (Database::Sqlite { .. }, _) => format!(
                    "DELETE FROM sqlite_sequence WHERE name = '{table}'; \
                     INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {number})"
                ),
                (Database::Postgres(_), Counter::Head(column)) => {
                    format!("UPDATE head SET {column} = {number}")
                }
                (Database::Postgres(_), Counter::Sequence(column)) => format!(
                    "SELECT setval('{table}_{column}_seq', greatest({number}, 1), {})",
                    *number > 0
                ),
            })?;
        }
        Ok(())
    }

    /// Begins a history that no edge has heard of, so that each forgets what it knows. Belongs into a
    /// transaction.
    pub(super) fn begin_history(&self) -> Result<(), CopyError> {
        let sql = self.sql();
        sql.execute("DELETE FROM incarnations", params![])?;
        feed::begin_incarnation(&sql)?;
        Ok(())
    }
}

/// Keeps other processes away from a file.
fn take(path: &Path) -> Result<DatabaseFile, CopyError> {
    DatabaseFile::take(path).map_err(|error| match error {
        StoreError::InUse { path, process } => CopyError::InUse {
            place: path.display().to_string(),
            by: format!("the process {process}"),
        },
        other => other.into(),
    })
}

fn other(place: String, found: i64, known: i64) -> CopyError {
    match found > known {
        true => CopyError::Newer {
            place,
            found,
            known,
        },
        false => CopyError::Older {
            place,
            found,
            known,
        },
    }
}
