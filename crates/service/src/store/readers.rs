//! Connections that read: some where the question is asked, and some in threads of their own.
//!
//! A lookup takes SQLite as long as it takes to hand it to another thread and back. So what is
//! that short is read at once, on the thread that asks ([`Readers::read`]), if there is a connection
//! for that. What reads many rows is
//! for threads that take from one queue ([`Readers::read_long`]), and those that list leave the
//! processor to others.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::StoreError;
use super::connection::Connection;
use super::sql::{self, Class, Sql};

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
    /// In threads of their own.
    pub(super) threads: usize,
    /// Most questions that wait for these threads.
    pub(super) waiting: usize,
    /// Whether these threads run only while no other needs their processor.
    pub(super) gives_way: bool,
}

/// What waits for a thread.
struct Queue {
    most: usize,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Box<dyn Job>>,
    is_closed: bool,
}

/// A question that waits for a thread.
trait Job: Send {
    /// Whether its caller still waits for the answer.
    fn is_wanted(&self) -> bool;

    fn run(self: Box<Self>, connection: &mut Connection);
}

struct Question<T, Work> {
    answer: oneshot::Sender<sql::Result<T>>,
    work: Work,
}

impl<T, Work> Job for Question<T, Work>
where
    T: Send,
    Work: Fn(&Sql<'_>) -> sql::Result<T> + Send,
{
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    fn run(self: Box<Self>, connection: &mut Connection) {
        let Self { answer, work } = *self;
        let _ = answer.send(connection.read(work));
    }
}

/// Work that answers by itself.
struct Posted<Work>(Work);

impl<Work: FnOnce(&mut Connection) + Send> Job for Posted<Work> {
    fn is_wanted(&self) -> bool {
        true
    }

    fn run(self: Box<Self>, connection: &mut Connection) {
        self.0(connection);
    }
}

impl Readers {
    /// Starts the threads.
    ///
    /// `here` are the connections that read on the thread that asks, and must not wait for others;
    /// `open` makes that of each thread.
    ///
    /// # Errors
    /// A connection cannot be opened, or the system has no more threads.
    pub(super) fn start(
        size: Size,
        here: Vec<Connection>,
        open: impl Fn() -> sql::Result<Connection>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut readers = Self {
            idle: Mutex::new(here),
            queue: Arc::new(Queue::new(size.waiting)),
            threads: Vec::new(),
        };
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
    /// Those of a statement, and [`StoreError::Overloaded`] when too many wait.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Sql<'_>) -> sql::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read_each(move |sql| sql.within(&work)).await
    }

    /// Runs `work`, as [`read`](Self::read) does, but each of its statements sees the newest state.
    ///
    /// # Errors
    /// Those of a statement, and [`StoreError::Overloaded`] when too many wait.
    pub(super) async fn read_each<T: Send + 'static>(
        &self,
        work: impl Fn(&Sql<'_>) -> sql::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let here = Taken::of(&self.idle).and_then(|mut taken| taken.read(&work));
        match here {
            Some(Err(error)) if error.class == Class::Busy => {}
            Some(answer) => return Ok(answer?),
            None => {}
        }
        self.wait_for(work).await
    }

    /// Runs `work` in a thread, in a transaction that sees one state of the database.
    ///
    /// # Errors
    /// Those of a statement, and [`StoreError::Overloaded`] when too many wait.
    pub(super) async fn read_long<T: Send + 'static>(
        &self,
        work: impl Fn(&Sql<'_>) -> sql::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.wait_for(move |sql| sql.within(&work)).await
    }

    /// Runs `work` in a thread, without waiting for it.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] when too many wait. Then `work` is dropped.
    pub(super) fn post(
        &self,
        work: impl FnOnce(&mut Connection) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.queue.push(Box::new(Posted(work)))
    }

    /// Runs `work` in a thread.
    async fn wait_for<T: Send + 'static>(
        &self,
        work: impl Fn(&Sql<'_>) -> sql::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        self.queue.push(Box::new(Question { answer, work }))?;
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

    fn read<T>(&mut self, work: impl Fn(&Sql<'_>) -> sql::Result<T>) -> Option<sql::Result<T>> {
        Some(self.connection.as_mut()?.read(work))
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

/// Reads what is asked for until the queue is closed.
fn run(queue: &Queue, mut connection: Connection) {
    while let Some(job) = queue.next() {
        // The transaction of a job that panics is rolled back, and its caller sees that no answer comes.
        if catch_unwind(AssertUnwindSafe(|| job.run(&mut connection))).is_err() {
            connection.reset();
        }
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
    fn new(most: usize) -> Self {
        Self {
            most,
            waiting: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Adds a job. Those whose caller has gone make place for it.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] when too many wait, and [`StoreError::Failed`] once it is closed.
    fn push(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(StoreError::Failed("it is closed".to_owned()));
        }
        if waiting.jobs.len() >= self.most {
            waiting.jobs.retain(|job| job.is_wanted());
        }
        if waiting.jobs.len() >= self.most {
            return Err(StoreError::Overloaded);
        }
        waiting.jobs.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Blocks until there is a job that is wanted; `None` when there never will be.
    fn next(&self) -> Option<Box<dyn Job>> {
        let mut waiting = self.lock();
        loop {
            while let Some(job) = waiting.jobs.pop_front() {
                if job.is_wanted() {
                    return Some(job);
                }
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
mod tests;
