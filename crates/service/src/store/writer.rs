//! The one that writes, and the queues in front of it.
//!
//! All commands that wait are one transaction, up to [`BATCH`], since most of what a transaction
//! takes is the wait for the disk. Those that [overtake](Command::overtakes) have a queue of
//! their own, which is emptied first. A command beyond the bound of its queue is rejected at once:
//! a client that waits until its own timeout would not know what became of it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use keygate_core::UnixMillis;
use tokio::sync::{oneshot, watch};

use super::command::{Command, Outcome};
use super::head::Head;
use super::memo::Memo;
use super::sql::{self, Class, Sql, SqlError};
use super::{StoreError, feed, postgres, sqlite, tokens};
use crate::events::Outbox;
use crate::limits::Limiter;
use crate::rights::Caller;
use crate::roles::Action;
use crate::tokens::{CreatedTokens, Entitlements};

/// Most commands in one transaction. A revocation waits for the one that is under way.
const BATCH: usize = 24;

/// How many of a batch are left to commands that do not overtake: they always get their turn.
const SHARE: usize = BATCH / 4;

/// Most commands that wait and do not overtake.
const MAX_WAITING: usize = 256;

/// Most commands that wait and overtake others.
const MAX_OVERTAKING: usize = 4096;

/// A command, and who waits for what it does.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) command: Command,
    /// Who asks. Its rights are read when the command is done.
    pub(super) caller: Caller,
    /// What is allowed of keys.
    pub(super) limiter: Arc<Limiter>,
    /// Where events are written.
    pub(super) outbox: Arc<Outbox>,
    /// When it was asked for.
    pub(super) now: UnixMillis,
    /// The id of the request that asked for it.
    pub(super) request_id: Option<String>,
    pub(super) answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

impl Job {
    fn is_wanted(&self) -> bool {
        self.command.kind().outlives_its_caller || !self.answer.is_closed()
    }
}

/// What waits for the one that writes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    overtaking: VecDeque<Job>,
    others: VecDeque<Job>,
    /// Whether the last transaction was of commands that overtake alone.
    was_alone: bool,
    is_closed: bool,
}

impl Queue {
    /// Adds a command.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] when too many wait, and [`StoreError::Failed`] once it is closed.
    pub(super) fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(StoreError::Failed("it is closed".to_owned()));
        }
        waiting.forget();
        let (queue, most) = match job.command.kind().overtakes {
            true => (&mut waiting.overtaking, MAX_OVERTAKING),
            false => (&mut waiting.others, MAX_WAITING),
        };
        if queue.len() >= most {
            return Err(StoreError::Overloaded);
        }
        queue.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// How many commands wait, without those whose caller has gone.
    pub(super) fn len(&self) -> usize {
        let mut waiting = self.lock();
        waiting.forget();
        waiting
            .overtaking
            .len()
            .saturating_add(waiting.others.len())
    }

    /// Takes no more. What waits already is still done.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Blocks until there is something to do, and no longer than until this instant: then there may be
    /// nothing. `None` when there never will be.
    fn next(&self, until: Option<Instant>) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        loop {
            let batch = waiting.batch();
            let rest = until.map(|it| it.saturating_duration_since(Instant::now()));
            if !batch.is_empty() || rest.is_some_and(|it| it.is_zero()) {
                return Some(batch);
            }
            if waiting.is_closed {
                return None;
            }
            waiting = match rest {
                None => self
                    .changed
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(rest) => {
                    let woken = self.changed.wait_timeout(waiting, rest);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Drops commands whose caller has gone.
    fn forget(&mut self) {
        self.overtaking.retain(Job::is_wanted);
        self.others.retain(Job::is_wanted);
    }

    /// What is done next. Commands that overtake are first done alone, so that they do not wait for
    /// the work of others; if there are more of them at once, the others get their share.
    fn batch(&mut self) -> Vec<Job> {
        self.forget();
        let is_alone = !self.overtaking.is_empty() && !self.was_alone;
        self.was_alone = is_alone;
        if is_alone {
            let first = self.overtaking.len().min(BATCH);
            return self.overtaking.drain(..first).collect();
        }
        let kept = self.others.len().min(SHARE);
        let first = self.overtaking.len().min(BATCH.saturating_sub(kept));
        let mut batch: Vec<Job> = self.overtaking.drain(..first).collect();
        let rest = self.others.len().min(BATCH.saturating_sub(first));
        batch.extend(self.others.drain(..rest));
        batch
    }
}

/// Where is written.
#[derive(Debug)]
pub(super) enum Target {
    Sqlite(sqlite::Writer),
    Postgres(postgres::Writer),
}

/// Does what waits until the queue is closed and empty.
pub(super) fn run(
    queue: &Queue,
    target: Target,
    heads: &watch::Sender<Head>,
    tokens: &CreatedTokens,
) {
    let mut writer = Writer {
        target,
        heads,
        tokens,
    };
    let mut notify_at = None;
    while let Some(batch) = queue.next(notify_at) {
        if !batch.is_empty() {
            writer.answer(batch);
        }
        notify_at = match &mut writer.target {
            Target::Sqlite(_) => None,
            Target::Postgres(target) => target.notify(),
        };
    }
}

struct Writer<'a> {
    target: Target,
    heads: &'a watch::Sender<Head>,
    tokens: &'a CreatedTokens,
}

/// Why a transaction was not made.
#[derive(Clone)]
enum WriteError {
    /// The file is no more, or another one.
    Gone,
    /// A statement or the disk failed.
    Sql(SqlError),
}

impl From<SqlError> for WriteError {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Gone => Self::Gone,
            WriteError::Sql(error) => error.into(),
        }
    }
}

/// What a transaction did.
struct Applied {
    /// One for each command.
    outcomes: Vec<Outcome>,
    head: Head,
    /// The tokens that count and their edition, if they have changed.
    tokens: Option<(i64, Entitlements)>,
}

impl Writer<'_> {
    /// Does some commands and answers them.
    fn answer(&mut self, batch: Vec<Job>) {
        match self.write(&batch) {
            Ok(outcomes) => {
                for (job, outcome) in batch.into_iter().zip(outcomes) {
                    // A caller that has gone needs no answer.
                    let _ = job.answer.send(Ok(outcome));
                }
            }
            Err(WriteError::Sql(error)) if error.class == Class::Other => {
                for job in batch {
                    let done = self.write(std::slice::from_ref(&job));
                    let outcome = done
                        .map_err(StoreError::from)
                        .and_then(|mut it| it.pop().ok_or_else(StoreError::panicked));
                    let _ = job.answer.send(outcome);
                }
            }
            // None of them was the cause, and each would fail again.
            Err(error) => {
                for job in batch {
                    let _ = job.answer.send(Err(error.clone().into()));
                }
            }
        }
    }

    /// One transaction, on disk when this returns.
    fn write(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, WriteError> {
        let work = |sql: &Sql<'_>| {
            // The thread is the only one that writes, so it must outlive a bug in one command.
            catch_unwind(AssertUnwindSafe(|| apply(sql, jobs)))
                .unwrap_or_else(|_| Err(SqlError::other("it ended unexpectedly")))
        };
        let applied = match &mut self.target {
            Target::Sqlite(target) => target.transact(work)?,
            Target::Postgres(target) => target.transact(work)?,
        };
        let head = applied.head;
        // Before any answer, and whether or not its caller is still there.
        if let Some((edition, tokens)) = applied.tokens {
            self.tokens.set((head.incarnation, edition), tokens);
        }
        head.note(self.heads);
        // All jobs have the same.
        if let Some(job) = jobs.first() {
            job.outbox.committed();
        }
        // After the commit: what went into a file that is gone is not acknowledged.
        match &self.target {
            Target::Sqlite(target) if !target.is_there() => Err(WriteError::Gone),
            Target::Sqlite(_) | Target::Postgres(_) => Ok(applied.outcomes),
        }
    }
}

/// Does these commands in one transaction.
fn apply(sql: &Sql<'_>, jobs: &[Job]) -> sql::Result<Applied> {
    let memo = Memo::default();
    let outcomes = jobs.iter().map(|job| job.apply(sql, &memo));
    let outcomes = outcomes.collect::<sql::Result<_>>()?;
    let of_tokens = |job: &Job| job.command.kind().action == Action::ChangeTokens;
    let tokens = match jobs.iter().any(of_tokens) {
        true => {
            tokens::count_change(sql)?;
            Some(tokens::all(sql)?)
        }
        false => None,
    };
    memo.end(sql)?;
    let head = feed::head(sql)?;
    feed::forget(sql, head.epoch)?;
    Ok(Applied {
        outcomes,
        head,
        tokens,
    })
}
