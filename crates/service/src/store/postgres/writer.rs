//! The connection that writes.
//!
//! Each transaction first locks the row of the table `head`. So the transactions of all replicas follow
//! one another, and their changes get numbers without a gap, in the order of the commits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keygate_core::text::hex;

use super::Database;
use super::link::Link;
use crate::store::random::random;
use crate::store::sql::{self, Class, Session, Sql, SqlError, params};

/// How long a transaction is tried again, or its outcome is asked for. A request gives up after 10 s.
const PATIENCE: Duration = Duration::from_secs(7);

/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// How long after a notification the next one is sent: all replicas read the feed for each.
const QUIET: Duration = Duration::from_millis(10);

/// What writes.
#[derive(Debug)]
pub(in crate::store) struct Writer {
    link: Link,
    /// Names this process in the table `writers`.
    id: String,
    /// Whether it has committed anything.
    is_known: bool,
    /// When the last notification was sent.
    notified: Option<Instant>,
    /// Whether the other replicas are to be notified of a change.
    has_news: bool,
}

impl Writer {
    /// Connects when it is first used.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(in crate::store) fn new(database: Arc<Database>) -> sql::Result<Self> {
        Ok(Self {
            link: Link::new(database),
            id: hex::encode(&random::<16>()?),
            is_known: false,
            notified: None,
            has_news: false,
        })
    }

    /// Runs `work` in a transaction that is on disk when this returns. It may run several times, each
    /// time after what the time before has done was undone.
    ///
    /// # Errors
    /// Those of `work`, and [`Class::Unknown`] if the connection was lost during the commit and no
    /// other one can be made.
    pub(in crate::store) fn transact<T>(
        &mut self,
        work: impl Fn(&Sql<'_>) -> sql::Result<T>,
    ) -> sql::Result<T> {
        let end = Instant::now() + PATIENCE;
        loop {
            let error = match self.attempt(&work, end) {
                Ok(answer) => {
                    self.is_known = true;
                    self.has_news = true;
                    return Ok(answer);
                }
                Err(error) => error,
            };
            // Neither of these has left anything behind.
            let is_passing = matches!(error.class, Class::Lost | Class::Conflict);
            if !is_passing || Instant::now() >= end {
                return Err(error);
            }
            // A server that is away is asked again by the next transaction: what waits need not.
            if error.class == Class::Lost && self.link.session().is_err() {
                return Err(error);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn attempt<T>(
        &mut self,
        work: &impl Fn(&Sql<'_>) -> sql::Result<T>,
        end: Instant,
    ) -> sql::Result<T> {
        let batch = hex::encode(&random::<16>()?);
        let mut begin = begin(&self.id, &batch);
        if !self.is_known {
            // Of processes that have ended. One that is only idle makes its row again.
            begin += "; DELETE FROM writers WHERE at < now() - interval '1 day'";
        }
        let session = self.link.session()?;
        let answer = session
            .batch(&begin)
            .and_then(|()| work(&Sql::Postgres(session)));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let undone = session.rollback();
                if undone.is_err() || matches!(error.class, Class::Lost | Class::Standby) {
                    self.link.drop_session();
                }
                return Err(error);
            }
        };
        match session.batch("COMMIT") {
            Ok(()) => Ok(answer),
            Err(error) if error.class == Class::Lost => {
                self.link.drop_session();
                match self.is_committed(&batch, end)? {
                    true => Ok(answer),
                    false => Err(error),
                }
            }
            Err(error) => {
                self.link.drop_session();
                Err(error)
            }
        }
    }

    /// Whether a transaction has happened whose commit was not answered.
    fn is_committed(&mut self, batch: &str, end: Instant) -> sql::Result<bool> {
        loop {
            let id = self.id.clone();
            let asked = self
                .link
                .session()
                .and_then(|session| newest_batch(session, &id));
            match asked {
                Ok(newest) => return Ok(newest.as_deref() == Some(batch)),
                Err(error) if Instant::now() >= end => {
                    let reason = format!("no answer tells whether the change was made: {error}");
                    return Err(SqlError::new(Class::Unknown, reason));
                }
                Err(_) => {
                    self.link.drop_session();
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Tells the other replicas that there is a change, unless they were told of another one a moment
    /// ago. Returns when to call it again.
    ///
    /// Not part of the transaction: a transaction that notifies locks all databases of the server.
    pub(in crate::store) fn notify(&mut self) -> Option<Instant> {
        if !self.has_news {
            return None;
        }
        let next = self.notified.and_then(|at| at.checked_add(QUIET));
        if let Some(next) = next
            && Instant::now() < next
        {
            return Some(next);
        }
        self.notified = Some(Instant::now());
        self.has_news = false;
        // Lost ones cost nothing: each replica looks once a second.
        if let Ok(session) = self.link.session()
            && session.batch("NOTIFY keygate_feed").is_err()
        {
            self.link.drop_session();
        }
        None
    }
}

/// Begins a transaction, names it, and waits until no other one writes. Both names are hexadecimal.
fn begin(id: &str, batch: &str) -> String {
    format!(
        "BEGIN; INSERT INTO writers (id, batch, at) VALUES ('{id}', '{batch}', now()) \
         ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, at = excluded.at; \
         UPDATE head SET epoch = epoch"
    )
}

/// The newest transaction of this process. One that is still under way holds the row of `head`, so
/// this waits for its end.
fn newest_batch(session: &Session, id: &str) -> sql::Result<Option<String>> {
    let sql = Sql::Postgres(session);
    session.batch("BEGIN; SELECT 1 FROM head FOR UPDATE")?;
    let text = "SELECT batch FROM writers WHERE id = ?1";
    let batch = sql.optional(text, params![id], |row| row.get(0))?;
    session.batch("COMMIT")?;
    Ok(batch)
}
