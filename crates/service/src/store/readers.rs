//! Connections that read: some where the question is asked, and some in threads of their own.
//!
//! A lookup takes SQLite as long as it takes to hand it to another thread and back. So what is
//! that short is read at once, on the thread that asks ([`Readers::read`]). What reads many rows is
//! for threads that take from one queue ([`Readers::read_long`]), and those that list leave the
//! processor to others.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};
use tokio::sync::oneshot;

use super::{StoreError, connect};

/// How little a thread that lists takes of a processor that others need: 1/68 of their share.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

/// The name of each thread.
const NAME: &str = "keygate-reader";

/// Some connections for one kind of question.
#[derive(Debug)]
pub(super) struct Readers {
    /// Those that read on the thread that asks.
    idle: Mutex<Vec<Connection>>,
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// How many connections there are, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// On the threads that ask.
    pub(super) here: usize,
    /// In threads of their own.
    pub(super) threads: usize,
    /// Whether these threads run only while no other needs their processor.
    pub(super) gives_way: bool,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// What waits for a thread.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

impl Readers {
    /// Opens the connections and starts the threads.
    ///
    /// # Errors
    /// The file cannot be opened, or the system has no more threads.
    pub(super) fn start(path: &Path, size: Size) -> Result<Self, Box<dyn std::error::Error>> {
        let open = || connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let mut readers = Self {
            idle: Mutex::default(),
            queue: Arc::default(),
            threads: Vec::new(),
        };
        for _ in 0..size.here {
            let connection = open()?;
            // The thread that asks has other things to do: what has to wait does so in a thread.
            connection.busy_timeout(Duration::ZERO)?;
            lock(&readers.idle).push(connection);
        }
        for _ in 0..size.threads {
            let connection = open()?;
            let queue = Arc::clone(&readers.queue);
            let thread = thread::Builder::new().name(NAME.to_owned());
            readers.threads.push(thread.spawn(move || {
                if size.gives_way {
                    give_way();
                }
                run(&queue, connection);
            })?);
        }
        Ok(readers)
    }

    /// Runs `work`, which takes microseconds, in a transaction that sees one state of the database.
    /// It runs at once, unless it would have to wait for a connection or for another process.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let here = Taken::of(&self.idle).map(|mut taken| taken.within(&work));
        match here {
            Some(Err(error)) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
            Some(answer) => return Ok(answer?),
            None => {}
        }
        self.read_long(work).await
    }

    /// Runs `work` in a thread, in a transaction that sees one state of the database.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(super) async fn read_long<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        self.queue.push(Box::new(move |connection| {
            // Its caller may have gone while it waited.
            if !answer.is_closed() {
                let _ = answer.send(within(connection, work));
            }
        }));
        let result = result.await.map_err(|_| StoreError::panicked())?;
        Ok(result?)
    }

    /// Closes all connections, after what is being read. What waits is dropped.
    pub(super) fn close(&mut self) {
        lock(&self.idle).clear();
        self.queue.close();
        for thread in self.threads.drain(..) {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

/// A connection that goes back whatever happens.
struct Taken<'a> {
    connection: Option<Connection>,
    idle: &'a Mutex<Vec<Connection>>,
}

impl<'a> Taken<'a> {
    fn of(idle: &'a Mutex<Vec<Connection>>) -> Option<Self> {
        let connection = lock(idle).pop()?;
        Some(Self {
            connection: Some(connection),
            idle,
        })
    }

    fn within<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        match &mut self.connection {
            Some(connection) => within(connection, work),
            None => Err(rusqlite::Error::InvalidQuery),
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        lock(self.idle).extend(self.connection.take());
    }
}

fn lock(idle: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn within<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction()?;
    let answer = work(&transaction)?;
    transaction.commit()?;
    Ok(answer)
}

/// Reads what is asked for until the queue is closed.
fn run(queue: &Queue, mut connection: Connection) {
    while let Some(job) = queue.next() {
        // The transaction of a job that panics is rolled back, and its caller sees that no answer comes.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut connection)));
    }
}

/// Lets this thread run only while no other needs its processor.
fn give_way() {
    // A thread has a priority of its own on Linux alone: elsewhere that would be all of the process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!("lists run with the priority of lookups: {error}");
    }
}

impl Queue {
    /// Adds a job. It is dropped once the queue is closed.
    fn push(&self, job: Job) {
        let mut waiting = self.lock();
        if !waiting.is_closed {
            waiting.jobs.push_back(job);
            self.changed.notify_one();
        }
    }

    /// Blocks until there is a job; `None` when there never will be.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.is_closed {
                return None;
            }
            let woken = self.changed.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.jobs.clear();
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn readers(size: Size) -> (Readers, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keygate.db");
        Connection::open(&path).unwrap();
        (Readers::start(&path, size).unwrap(), dir)
    }

    const THREAD: Size = Size {
        here: 0,
        threads: 1,
        gives_way: false,
    };

    fn thread_name(_: &Transaction<'_>) -> rusqlite::Result<Option<String>> {
        Ok(thread::current().name().map(str::to_owned))
    }

    #[tokio::test]
    async fn a_short_question_is_answered_while_every_thread_is_busy() {
        let (readers, _dir) = readers(Size { here: 1, ..THREAD });
        let (release, released) = mpsc::channel::<()>();
        let busy = readers.read_long(move |_| Ok(released.recv().is_ok()));
        let asked = async {
            let here = readers.read(thread_name).await.unwrap();
            release.send(()).unwrap();
            here
        };
        let (busy, here) = tokio::join!(busy, asked);
        assert!(busy.unwrap());
        assert_eq!(here.as_deref(), thread::current().name());
    }

    #[tokio::test]
    async fn a_short_question_without_an_idle_connection_is_answered_by_a_thread() {
        let (readers, _dir) = readers(THREAD);
        let name = readers.read(thread_name).await.unwrap();
        assert_eq!(name.as_deref(), Some(NAME));
    }

    #[tokio::test]
    async fn a_question_that_panics_fails_alone() {
        let (readers, _dir) = readers(THREAD);
        let answer = readers.read_long(|_| -> rusqlite::Result<()> { panic!("a bug") });
        assert!(answer.await.is_err());
        let name = readers.read_long(thread_name).await.unwrap();
        assert_eq!(name.as_deref(), Some(NAME));
    }

    #[tokio::test]
    async fn a_question_of_a_client_that_has_gone_is_not_read() {
        let (readers, _dir) = readers(THREAD);
        let (asked, read) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let busy = readers.read_long(move |_| Ok(released.recv().is_ok()));
        let gone = async {
            let question = readers.read_long(move |_| Ok(asked.send(())));
            let question = tokio::time::timeout(Duration::from_millis(1), question);
            assert!(question.await.is_err(), "the thread is busy");
            release.send(()).unwrap();
        };
        assert!(tokio::join!(busy, gone).0.unwrap());
        readers.read_long(thread_name).await.unwrap();
        assert!(read.try_recv().is_err());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn only_threads_that_list_give_way() {
        let usual = rustix::process::getpriority_process(None);
        for (gives_way, nice) in [(false, usual), (true, Ok(NICE))] {
            let (readers, _dir) = readers(Size {
                gives_way,
                ..THREAD
            });
            let of_thread = |_: &Transaction<'_>| Ok(rustix::process::getpriority_process(None));
            let answer = readers.read_long(of_thread).await.unwrap();
            assert_eq!(answer, nice);
        }
        assert_eq!(rustix::process::getpriority_process(None), usual);
    }
}
