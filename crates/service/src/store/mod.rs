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
mod connection;
mod error;
mod feed;
mod keys;
mod limits;
mod links;
mod once;
mod outbox;
mod random;
mod ranking;
mod readers;
mod rejection;
mod retention;
mod room;
mod row;
mod sealed;
mod sql;
mod sqlite;
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
use rusqlite::OpenFlags;
use tokio::sync::{oneshot, watch};

pub use self::command::{
    Candidate, Created, Import, Imported, KeyState, Revoke, Revoked, Rotated, Successor,
    SuccessorSealed,
};
use self::command::{Command, Outcome};
use self::connection::Connection;
pub use self::error::StoreError;
use self::feed::Head;
use self::readers::{Readers, Size};
pub use self::rejection::Rejection;
use self::sql::SqlError;
use self::writer::{Job, Queue};
use crate::events::Outbox;
use crate::limits::{Limiter, SpaceLimits};
use crate::request_id;
use crate::rights::Caller;
use crate::tokens::CreatedTokens;
pub use audit::{AuditFilter, AuditPage};
pub use keys::{Filter, Page, SecretOf};
pub(crate) use ranking::Ranked;

/// Connections for lookups, the feed and single keys, on the threads that ask.
const HERE: usize = 4;

/// Those in threads of their own.
const READERS: Size = Size {
    threads: 2,
    // More than polls are held: a change wakes all of them.
    waiting: 4096,
    gives_way: false,
};

/// Connections for lists.
const LIST_READERS: Size = Size {
    threads: 2,
    waiting: 256,
    gives_way: true,
};

/// The database. All calls may run at once.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    readers: Readers,
    list_readers: Readers,
    queue: Arc<Queue>,
    /// Ends when the queue is closed.
    writer: Option<JoinHandle<()>>,
    /// How far the feed has come, for polls that wait for the next change.
    heads: Arc<watch::Sender<Head>>,
    /// Kept by the writer.
    tokens: Arc<CreatedTokens>,
    limiter: Arc<Limiter>,
    outbox: Arc<Outbox>,
}

impl Store {
    /// Opens or makes the file and brings its schema up to date. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Open`] and [`StoreError::Newer`], which name the file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, sqlite::BUSY_TIMEOUT)
    }

    /// Opens the file with another patience for other processes that write to it. Blocks.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_with(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let named = |error: &dyn std::fmt::Display| sqlite::unusable(path, error);
        let (database, head) = sqlite::Writer::open(path, busy_timeout)?;
        let tokens = Arc::new(CreatedTokens::default());
        let known = database.read(tokens::not_revoked);
        tokens.set(known.map_err(|error| named(&error))?);
        let open = || -> sql::Result<Connection> {
            let connection = sqlite::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            Ok(Connection::Sqlite(connection))
        };
        let here = (0..HERE).map(|_| -> sql::Result<Connection> {
            let connection = sqlite::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            // The thread that asks has other things to do: what has to wait does so in a thread.
            connection.busy_timeout(Duration::ZERO)?;
            Ok(Connection::Sqlite(connection))
        });
        let here: sql::Result<_> = here.collect();
        let here = here.map_err(|error| named(&error))?;
        let readers = Readers::start(READERS, here, open).map_err(|error| named(&error))?;
        let list_readers = Readers::start(LIST_READERS, Vec::new(), open);
        let list_readers = list_readers.map_err(|error| named(&error))?;
        let heads = Arc::new(watch::Sender::new(head));
        let queue = Arc::new(Queue::default());
        let writer = {
            let (queue, heads) = (Arc::clone(&queue), Arc::clone(&heads));
            let tokens = Arc::clone(&tokens);
            let work = move || writer::run(&queue, database, &heads, &tokens);
            let thread = thread::Builder::new().name("keygate-writer".to_owned());
            thread.spawn(work).map_err(|error| named(&error))?
        };
        Ok(Self {
            path: path.to_owned(),
            readers,
            list_readers,
            queue,
            writer: Some(writer),
            heads,
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
        tokio::task::spawn_blocking(move || sqlite::checkpoint(&path))
            .await
            .map_err(|_| StoreError::panicked())?
            .map_err(|error| SqlError::from(error).into())
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

impl Drop for Store {
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
