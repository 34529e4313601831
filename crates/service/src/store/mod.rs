//! Keys and the change feed in one SQLite file. All SQL of the service is in this module.
//!
//! One connection writes, a few read (WAL: neither waits for the other). A
//! mutation and its entry in the feed are one transaction, on disk before the
//! answer leaves (`synchronous=FULL`).

mod feed;
mod keys;
mod links;
mod migrations;
mod row;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keygate_core::UnixMillis;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{Mutex, watch};

pub use keys::{Filter, Import, Imported, Page, Revoked};

const READERS: usize = 4;

/// How long to wait for another process that writes to the file, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The database. All calls may run at once.
#[derive(Debug)]
pub struct SqliteStore {
    readers: Vec<Arc<Mutex<Connection>>>,
    next_reader: AtomicUsize,
    // The last to close, since only a connection that writes removes the write-ahead log.
    writer: Arc<Mutex<Connection>>,
    /// The number of the newest change, for those who wait for the next.
    newest: Arc<watch::Sender<u64>>,
}

/// Why the database cannot be used. Carries no key and no hash.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be made or opened, or is no database.
    #[error("cannot open the database {}: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// In the words of the system or of SQLite.
        reason: String,
    },
    /// A newer release has changed the file.
    #[error(
        "the database {} has schema version {found}, but this release supports {known}: use a newer release, or restore a backup",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The key by which a change was asked for is no longer active, so that nothing was changed.
    #[error("the key that asks is no longer active")]
    InactiveCaller,
    /// A statement failed.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl SqliteStore {
    /// Opens or makes the file and brings its schema up to date. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Open`] and [`StoreError::Newer`], which name the file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let named = |error: &dyn std::fmt::Display| StoreError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        create_private(path).map_err(|error| named(&error))?;
        let mut writer =
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| named(&error))?;
        migrations::run(&mut writer).map_err(|error| match error {
            migrations::Error::Newer { found, known } => StoreError::Newer {
                path: path.to_owned(),
                found,
                known,
            },
            migrations::Error::Sql(error) => named(&error),
        })?;
        let newest = feed::begin_incarnation(&mut writer).map_err(|error| named(&error))?;
        let reader = || connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let readers: Result<Vec<_>, _> = (0..READERS).map(|_| reader()).collect();
        let readers = readers.map_err(|error| named(&error))?;
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            readers: readers
                .into_iter()
                .map(|one| Arc::new(Mutex::new(one)))
                .collect(),
            next_reader: AtomicUsize::new(0),
            newest: Arc::new(watch::Sender::new(newest)),
        })
    }

    /// Moves the write-ahead log into the main file, so that a copy of that file is whole.
    /// Closing does the same, unless a request that ran out of time still holds a connection.
    ///
    /// # Errors
    /// [`StoreError::Failed`]; nothing is lost then, the next start reads the log.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let writer = Arc::clone(&self.writer).lock_owned().await;
        blocking(move || Ok(writer.pragma_update(None, "wal_checkpoint", "TRUNCATE")?)).await
    }

    /// Runs `work` in a transaction that is on disk when this returns.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Waiting here rather than on a blocked thread keeps the thread pool free for readers.
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let newest = Arc::clone(&self.newest);
        blocking(move || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = work(&transaction)?;
            let epoch = feed::epoch(&transaction)?;
            transaction.commit()?;
            // Here rather than after this call, which may be given up while it runs.
            newest.send_if_modified(|it| std::mem::replace(it, epoch) != epoch);
            Ok(answer)
        })
        .await
    }

    /// The same, for a caller that asks by the key with this id. Whether that key is active is
    /// read in the transaction that writes: a change waits for those before it, and one of them
    /// may revoke the key.
    async fn write_for<T: Send + 'static>(
        &self,
        key: Option<String>,
        now: UnixMillis,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.write(move |transaction| {
            let is_active = key.map(|id| keys::is_active(transaction, &id, now));
            match is_active.transpose()? {
                Some(false) => Ok(None),
                Some(true) | None => work(transaction).map(Some),
            }
        });
        done.await?.ok_or(StoreError::InactiveCaller)
    }

    /// Runs `work` in a transaction that sees one state of the database.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed) % READERS;
        let mut reader = Arc::clone(&self.readers[turn]).lock_owned().await;
        blocking(move || {
            let transaction = reader.transaction()?;
            let answer = work(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        })
        .await
    }
}

/// SQLite would make the file readable for everyone; its companions (`-wal`, `-shm`) copy its mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if mode.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
    }
    Ok(connection)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
}
