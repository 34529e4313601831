//! Keys and the change feed in a database. All SQL of the service is in this module.
//!
//! A change is a command for the one thread that writes; it and its entry in the feed are one
//! transaction, on disk before the answer leaves. A few connections read, and lists have readers of
//! their own, so that a lookup never waits for one. The rules call statements of `sql`, which knows
//! the databases and no table; `sqlite` and `postgres` open them.

mod apply;
mod audit;
mod cells;
mod change;
mod changes;
mod command;
mod connection;
mod copy;
mod edges;
mod error;
mod feed;
mod gather;
mod head;
mod keys;
mod limits;
mod links;
mod lookup;
mod memo;
mod once;
mod open;
mod outbox;
mod postgres;
mod random;
mod ranking;
mod readers;
mod recent;
mod rejection;
mod retention;
mod room;
mod row;
mod sealed;
mod sql;
mod sqlite;
mod tokens;
mod unfinished;
mod unused;
mod uses;
mod whose;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use keygate_core::UnixMillis;
use tokio::sync::{oneshot, watch};

pub use self::command::{
    Candidate, Created, Import, Imported, KeyState, Revoke, Revoked, Rotated, Successor,
    SuccessorSealed,
};
use self::command::{Command, Outcome};
pub use self::copy::{Copied, CopyError, TableDigest, backup, copy};
pub use self::error::StoreError;
use self::gather::Gathered;
use self::head::Head;
pub use self::open::Place;
use self::postgres::Listener;
pub use self::postgres::{OpenError, PostgresUrl, UrlError};
use self::readers::Readers;
use self::recent::Recent;
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

/// The database. All calls may run at once.
#[derive(Debug)]
pub struct Store {
    database: Database,
    readers: Readers,
    list_readers: Readers,
    queue: Arc<Queue>,
    /// Ends when the queue is closed.
    writer: Option<JoinHandle<()>>,
    /// How far the feed has come, for polls that wait for the next change.
    heads: Arc<watch::Sender<Head>>,
    /// Kept by the writer.
    tokens: Arc<CreatedTokens>,
    /// The last answer of the feed that was read from a server.
    recent: Arc<Recent>,
    /// Lookups that wait for a server.
    gathered: Arc<Gathered>,
    limiter: Arc<Limiter>,
    outbox: Arc<Outbox>,
}

/// What else there is to a database.
#[derive(Debug)]
enum Database {
    /// The path of the file.
    Sqlite(PathBuf),
    /// What hears of other replicas, for as long as it is kept.
    Postgres(Listener),
}

impl Store {
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

    /// Moves the write-ahead log of a file into it, so that a copy of that file is whole.
    /// Closing does the same, unless a request that ran out of time still holds a connection.
    ///
    /// # Errors
    /// [`StoreError::Failed`]; nothing is lost then, the next start reads the log.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let Database::Sqlite(path) = &self.database else {
            return Ok(());
        };
        let path = path.clone();
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
