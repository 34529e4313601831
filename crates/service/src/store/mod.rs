//! Keys and the change feed in one SQLite file. All SQL of the service is in this module.
//!
//! One connection writes, a few read (WAL: neither waits for the other). A change is a
//! command for the writer; it and its entry in the feed are one transaction, on disk before
//! the answer leaves (`synchronous=FULL`). Lists have readers of their own, so that a lookup never
//! waits for one.

mod apply;
mod audit;
mod cells;
mod change;
mod changes;
mod command;
mod feed;
mod file;
mod keys;
mod limits;
mod links;
mod migrations;
mod once;
mod outbox;
mod readers;
mod rejection;
mod retention;
mod room;
mod row;
mod sealed;
mod tokens;
mod unused;
mod uses;
mod whose;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use keygate_core::UnixMillis;
use keygate_core::keys::wire::Incarnation;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{oneshot, watch};

pub use self::command::{
    Candidate, Created, Import, Imported, KeyState, Revoke, Revoked, Rotated, Successor,
    SuccessorSealed,
};
use self::command::{Command, Outcome};
use self::file::DatabaseFile;
use self::readers::{Readers, Size};
pub use self::rejection::Rejection;
use self::writer::{Job, Queue};
use crate::events::Outbox;
use crate::limits::{Limiter, SpaceLimits};
use crate::request_id;
use crate::rights::Caller;
use crate::tokens::CreatedTokens;
pub use audit::{AuditFilter, AuditPage};
pub use keys::{Filter, Page, SecretOf};

/// Connections for lookups, the feed and single keys.
const READERS: Size = Size {
    here: 4,
    threads: 2,
    // More than polls are held: a change wakes all of them.
    waiting: 4096,
    gives_way: false,
};

/// Connections for lists.
const LIST_READERS: Size = Size {
    here: 0,
    threads: 2,
    waiting: 256,
    gives_way: true,
};

/// How long to wait for another process that writes to the file, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The database. All calls may run at once.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    readers: Readers,
    list_readers: Readers,
    queue: Arc<Queue>,
    /// Ends when the queue is closed.
    writer: Option<JoinHandle<()>>,
    /// The life of the database that began when it was opened.
    incarnation: Incarnation,
    /// The number of the newest change, for those who wait for the next.
    newest: Arc<watch::Sender<u64>>,
    /// Kept by the writer.
    tokens: Arc<CreatedTokens>,
    limiter: Arc<Limiter>,
    outbox: Arc<Outbox>,
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
    /// Another process uses the file.
    #[error("the database {} is in use by the process {process}", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Its id.
        process: String,
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
    /// A change was not made, though it could have been written.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too many requests wait for the database, and this one was not done.
    #[error("too many requests wait for the database")]
    Overloaded,
    /// The file was removed or replaced while it was open: only a restart helps.
    #[error("the database file was removed or replaced; restart the service")]
    Gone,
    /// A statement failed.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Of something that was given up halfway.
    fn panicked() -> Self {
        Self::Failed("it ended unexpectedly".to_owned())
    }
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
        Self::open_with(path, BUSY_TIMEOUT)
    }

    /// Opens the file with another patience for other processes that write to it. Blocks.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_with(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let named = |error: &dyn std::fmt::Display| StoreError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let file = DatabaseFile::take(path)?;
        let mut writer =
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| named(&error))?;
        writer
            .busy_timeout(busy_timeout)
            .map_err(|error| named(&error))?;
        migrations::run(&mut writer).map_err(|error| match error {
            migrations::Error::Newer { found, known } => StoreError::Newer {
                path: path.to_owned(),
                found,
                known,
            },
            migrations::Error::Sql(error) => named(&error),
        })?;
        let begun = feed::begin_incarnation(&mut writer);
        let (incarnation, newest) = begun.map_err(|error| named(&error))?;
        let tokens = Arc::new(CreatedTokens::default());
        tokens.set(tokens::not_revoked(&writer).map_err(|error| named(&error))?);
        let readers = Readers::start(path, READERS).map_err(|error| named(&error))?;
        let list_readers = Readers::start(path, LIST_READERS).map_err(|error| named(&error))?;
        let newest = Arc::new(watch::Sender::new(newest));
        let queue = Arc::new(Queue::default());
        let writer = {
            let (queue, newest) = (Arc::clone(&queue), Arc::clone(&newest));
            let tokens = Arc::clone(&tokens);
            let work = move || writer::run(&queue, writer, &file, &newest, &tokens);
            let thread = thread::Builder::new().name("keygate-writer".to_owned());
            thread.spawn(work).map_err(|error| named(&error))?
        };
        Ok(Self {
            path: path.to_owned(),
            readers,
            list_readers,
            queue,
            writer: Some(writer),
            incarnation,
            newest,
            tokens,
            limiter: Arc::default(),
            outbox: Arc::default(),
        })
    }

    /// The same with limits for keys; without this there are none.
    #[must_use]
    pub(crate) fn limited(mut self, limits: SpaceLimits) -> Self {
        self.limiter = Arc::new(Limiter {
            limits,
            ..Limiter::default()
        });
        self
    }

    /// Writes events for the targets of this outbox; without it there are none.
    #[must_use]
    pub(crate) fn publishing(mut self, outbox: Outbox) -> Self {
        self.outbox = Arc::new(outbox);
        self
    }

    /// Moves the write-ahead log into the main file, so that a copy of that file is whole.
    /// Closing does the same, unless a request that ran out of time still holds a connection.
    ///
    /// # Errors
    /// [`StoreError::Failed`]; nothing is lost then, the next start reads the log.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let path = self.path.clone();
        let checkpoint = move || {
            let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.pragma_update(None, "wal_checkpoint", "TRUNCATE")
        };
        tokio::task::spawn_blocking(checkpoint)
            .await
            .map_err(|_| StoreError::panicked())?
            .map_err(StoreError::from)
    }

    /// Writes, to see whether that is possible.
    ///
    /// # Errors
    /// [`StoreError::Gone`] and [`StoreError::Failed`].
    pub async fn beat(&self, now: UnixMillis) -> Result<(), StoreError> {
        match self.write(Command::Beat, Caller::Service, now).await? {
            Outcome::Done => Ok(()),
            other => Err(other.unexpected()),
        }
    }

    /// How many changes wait for the disk.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Has a command done. It is on disk when this returns.
    async fn write(
        &self,
        command: Command,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Outcome, StoreError> {
        let (answer, outcome) = oneshot::channel();
        self.queue.push(Job {
            command,
            caller,
            limiter: Arc::clone(&self.limiter),
            outbox: Arc::clone(&self.outbox),
            now,
            request_id: request_id::current(),
            answer,
        })?;
        match outcome.await {
            Ok(Ok(Outcome::Rejected(rejection))) => Err(rejection.into()),
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::panicked()),
        }
    }
}

impl Drop for SqliteStore {
    /// Waits for the changes under way. The connection that writes is the last to close, since
    /// only it can remove the write-ahead log.
    fn drop(&mut self) {
        self.readers.close();
        self.list_readers.close();
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // It has nothing to tell.
            let _ = writer.join();
        }
    }
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
