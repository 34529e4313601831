//! From the place of a database to a store with its threads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::OpenFlags;
use tokio::sync::watch;

use super::connection::Connection;
use super::head::Head;
use super::postgres::{self, Link, Listener, PostgresUrl};
use super::readers::{Readers, Size};
use super::sql;
use super::writer::{self, Queue, Target};
use super::{Database, Store, StoreError, sqlite, tokens, unfinished};
use crate::tokens::CreatedTokens;

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A file of SQLite, made with mode 0600 if it does not exist.
    File(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(Box<PostgresUrl>),
}

/// Connections to a file for lookups, the feed and single keys, on the threads that ask.
const HERE: usize = 4;

/// Those in threads of their own.
const READERS: Size = Size {
    threads: 2,
    // More than polls are held: a change wakes all of them.
    waiting: 4096,
    gives_way: false,
};

/// Those to a server, where a thread that asks must not wait.
const REMOTE_READERS: Size = Size {
    threads: 4,
    ..READERS
};

/// Connections for lists.
const LIST_READERS: Size = Size {
    threads: 2,
    waiting: 256,
    gives_way: true,
};

impl Store {
    /// Opens or makes a database and brings its schema up to date. Blocks, and must not be called by a
    /// thread that runs async code.
    ///
    /// # Errors
    /// Those that name the place: [`StoreError::Open`], [`StoreError::InUse`], [`StoreError::Newer`] and
    /// [`StoreError::Postgres`].
    pub fn open(place: &Place) -> Result<Self, StoreError> {
        match place {
            Place::File(path) => Self::open_file(path, sqlite::BUSY_TIMEOUT),
            Place::Postgres(url) => Self::open_postgres(url, postgres::LOCK_TIMEOUT),
        }
    }

    /// Opens a database, as [`Self::open`] does, with another patience for others that write to it.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_with(place: &Place, patience: Duration) -> Result<Self, StoreError> {
        match place {
            Place::File(path) => Self::open_file(path, patience),
            Place::Postgres(url) => Self::open_postgres(url, patience),
        }
    }

    fn open_file(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let named = |error: &dyn std::fmt::Display| sqlite::unusable(path, error);
        let (target, head) = sqlite::Writer::open(path, busy_timeout)?;
        let marked = target.read(unfinished::is_marked);
        if marked.map_err(|error| named(&error))? {
            let place = path.display().to_string();
            return Err(StoreError::Unfinished { place });
        }
        let tokens = Arc::new(CreatedTokens::default());
        let (edition, all) = target.read(tokens::all).map_err(|error| named(&error))?;
        tokens.set((head.incarnation, edition), all);
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
        let here = here.collect::<sql::Result<_>>();
        let here = here.map_err(|error| named(&error))?;
        let readers = Readers::start(READERS, here, open).map_err(|error| named(&error))?;
        let list_readers = Readers::start(LIST_READERS, Vec::new(), open);
        let list_readers = list_readers.map_err(|error| named(&error))?;
        let heads = Arc::new(watch::Sender::new(head));
        let queue = Arc::new(Queue::default());
        let writer = write(Target::Sqlite(target), &queue, &heads, &tokens);
        Ok(Self {
            database: Database::Sqlite(path.to_owned()),
            readers,
            list_readers,
            queue,
            writer: Some(writer.map_err(|error| named(&error))?),
            heads,
            tokens,
            recent: Arc::default(),
            gathered: Arc::default(),
            limiter: Arc::default(),
            outbox: Arc::default(),
        })
    }

    fn open_postgres(url: &PostgresUrl, lock_timeout: Duration) -> Result<Self, StoreError> {
        let named = |reason| StoreError::Postgres {
            place: url.to_string(),
            reason,
        };
        let failed =
            |error: &dyn std::fmt::Display| named(postgres::OpenError::Failed(error.to_string()));
        let database = postgres::open(url, lock_timeout).map_err(named)?;
        let mut link = Link::new(Arc::clone(&database));
        let marked = link.read(unfinished::is_marked);
        if marked.map_err(|error| failed(&error))? {
            let place = url.to_string();
            return Err(StoreError::Unfinished { place });
        }
        let head = *database.heads.borrow();
        let tokens = Arc::new(CreatedTokens::default());
        let (edition, all) = link.read(tokens::all).map_err(|error| failed(&error))?;
        tokens.set((head.incarnation, edition), all);
        let open = || Ok(Connection::Postgres(Link::new(Arc::clone(&database))));
        // Before the first lookup, which has 300 ms: to connect takes a while.
        let connected = || {
            let mut link = Link::new(Arc::clone(&database));
            link.read(|_| Ok(()))?;
            Ok(Connection::Postgres(link))
        };
        let readers = Readers::start(REMOTE_READERS, Vec::new(), connected);
        let readers = readers.map_err(|error| failed(&error))?;
        let list_readers = Readers::start(LIST_READERS, Vec::new(), open);
        let list_readers = list_readers.map_err(|error| failed(&error))?;
        let queue = Arc::new(Queue::default());
        let target = postgres::Writer::new(Arc::clone(&database));
        let target = Target::Postgres(target.map_err(|error| failed(&error))?);
        let writer = write(target, &queue, &database.heads, &tokens);
        let listener = Listener::start(Arc::clone(&database), Arc::clone(&tokens));
        Ok(Self {
            readers,
            list_readers,
            queue,
            writer: Some(writer.map_err(|error| failed(&error))?),
            heads: Arc::clone(&database.heads),
            database: Database::Postgres(listener.map_err(|error| failed(&error))?),
            tokens,
            recent: Arc::default(),
            gathered: Arc::default(),
            limiter: Arc::default(),
            outbox: Arc::default(),
        })
    }
}

/// Starts the thread that writes.
fn write(
    target: Target,
    queue: &Arc<Queue>,
    heads: &Arc<watch::Sender<Head>>,
    tokens: &Arc<CreatedTokens>,
) -> io::Result<JoinHandle<()>> {
    let (queue, heads) = (Arc::clone(queue), Arc::clone(heads));
    let tokens = Arc::clone(tokens);
    let work = move || writer::run(&queue, target, &heads, &tokens);
    let thread = thread::Builder::new().name("keygate-writer".to_owned());
    thread.spawn(work)
}
