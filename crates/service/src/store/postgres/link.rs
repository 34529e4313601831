//! The connection of one thread, made again when it is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::{Database, PostgresUrl, history};
use crate::store::sql::{self, Class, Session, Sql, SqlError, params};

/// After a connection could not be made, how long nothing else is tried: what waits fails at once.
const PAUSE: Duration = Duration::from_millis(200);

/// What each connection sets: what may take how long, and what is on disk after a commit.
const SETTINGS: &str = "\
    SET search_path = keygate; \
    SET idle_in_transaction_session_timeout = '5s'; \
    SET default_transaction_isolation = 'read committed'; \
    SET client_min_messages = warning";

/// How long a statement may take beyond its wait for locks.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);

/// How much longer an answer may take than a statement.
const GRACE: Duration = Duration::from_secs(1);

/// A commit that is acknowledged is on disk. A server that waits for its standbys as well still does.
pub(super) const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/// The connection of one thread.
#[derive(Debug)]
pub(in crate::store) struct Link {
    database: Arc<Database>,
    session: Option<Box<Session>>,
    /// When the last attempt to connect failed, and how.
    failed: Option<(Instant, SqlError)>,
}

impl Link {
    pub(in crate::store) fn new(database: Arc<Database>) -> Self {
        Self {
            database,
            session: None,
            failed: None,
        }
    }

    /// What the threads of this replica share.
    pub(super) fn shared(&self) -> &Arc<Database> {
        &self.database
    }

    /// Runs `work`, on a new connection if the present one turns out to be lost.
    pub(in crate::store) fn read<T>(
        &mut self,
        work: impl Fn(&Sql<'_>) -> sql::Result<T>,
    ) -> sql::Result<T> {
        let is_new = self.session.is_none();
        let answer = work(&Sql::Postgres(self.session()?));
        match answer {
            Err(error) if error.class == Class::Lost => {
                self.drop_session();
                // The end of a connection is often noticed only when it is used.
                match is_new {
                    true => Err(error),
                    false => self.read(work),
                }
            }
            Err(error) if error.class == Class::Standby => {
                self.drop_session();
                Err(error)
            }
            answer => answer,
        }
    }

    /// The connection, which is made if there is none. Its history is checked before its first use.
    pub(super) fn session(&mut self) -> sql::Result<&Session> {
        if self.session.is_none() {
            if let Some((at, error)) = &self.failed
                && at.elapsed() < PAUSE
            {
                return Err(error.clone());
            }
            match self.open() {
                Ok(session) => {
                    self.failed = None;
                    self.session = Some(Box::new(session));
                }
                Err(error) => {
                    self.failed = Some((Instant::now(), error.clone()));
                    return Err(error);
                }
            }
        }
        let lost = || SqlError::new(Class::Lost, "there is no connection");
        self.session.as_deref().ok_or_else(lost)
    }

    /// Gives the connection up.
    pub(in crate::store) fn drop_session(&mut self) {
        self.session = None;
    }

    fn open(&self) -> sql::Result<Session> {
        let session = connect(&self.database.url, self.database.lock_timeout)?;
        history::check(&session)?.note(&self.database.heads);
        Ok(session)
    }
}

/// Connects to a server that can be written.
pub(super) fn connect(url: &PostgresUrl, lock_timeout: Duration) -> sql::Result<Session> {
    // Whatever it was, there is no connection.
    let session = url
        .connect()
        .map_err(|error| SqlError::new(Class::Lost, error.to_string()))?;
    let statement_timeout = lock_timeout.saturating_add(STATEMENT_TIMEOUT);
    session.batch(&format!(
        "{SETTINGS}; SET lock_timeout = {}; SET statement_timeout = {}",
        lock_timeout.as_millis(),
        statement_timeout.as_millis(),
    ))?;
    // The server gives up first, unless it is the one that is silent.
    session.bound(Some(statement_timeout.saturating_add(GRACE)));
    let sql = Sql::Postgres(&session);
    sql.exists(DURABLE, params![])?;
    let is_standby = sql.one("SELECT pg_is_in_recovery()", params![], |row| row.get(0));
    match is_standby {
        Ok(true) => {
            let reason = "the server is a standby, which cannot be written";
            Err(SqlError::new(Class::Standby, reason))
        }
        Ok(false) => Ok(session),
        // Another engine with the protocol of PostgreSQL.
        Err(error) if error.is(&SqlState::UNDEFINED_FUNCTION) => Ok(session),
        Err(error) => Err(error),
    }
}
