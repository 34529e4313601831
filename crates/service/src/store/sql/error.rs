//! Why a statement failed, in one vocabulary for every database.

use std::error::Error as _;
use std::io;

use rusqlite::ErrorCode;
use tokio_postgres::error::SqlState;

/// A statement failed. Carries no key and no hash.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub(in crate::store) struct SqlError {
    pub(in crate::store) class: Class,
    /// In the words of the database.
    reason: String,
    /// The SQLSTATE, where the database has one.
    state: Option<String>,
}

/// What can be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Class {
    /// Another process has held a lock for too long.
    Busy,
    /// There is no room left to write to.
    Full,
    /// The database is damaged.
    Corrupt,
    /// The connection was lost, or could not be made. What was under way has not happened, unless it
    /// was a commit.
    Lost,
    /// The connection was lost during a commit, and nothing tells whether it happened.
    Unknown,
    /// Another transaction was in the way: the same may succeed now.
    Conflict,
    /// The same statement cannot succeed here: the server is a standby.
    Standby,
    /// Anything else.
    Other,
}

impl SqlError {
    pub(in crate::store) fn new(class: Class, reason: impl Into<String>) -> Self {
        Self {
            class,
            reason: reason.into(),
            state: None,
        }
    }

    /// Whether it has this SQLSTATE.
    pub(in crate::store) fn is(&self, state: &SqlState) -> bool {
        self.state.as_deref() == Some(state.code())
    }

    pub(in crate::store) fn other(reason: impl Into<String>) -> Self {
        Self::new(Class::Other, reason)
    }
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        let class = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Class::Busy,
            Some(ErrorCode::DiskFull) => Class::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Class::Corrupt,
            _ => Class::Other,
        };
        Self::new(class, error.to_string())
    }
}

/// Tells what a server says in its one line. Its details may have the values of a row.
impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(told) = error.as_db_error() else {
            let is_lost =
                error.is_closed() || error.source().is_some_and(|it| it.is::<io::Error>());
            let class = if is_lost { Class::Lost } else { Class::Other };
            return Self::new(class, chain(&error));
        };
        Self {
            class: class(told.code()),
            reason: told.message().to_owned(),
            state: Some(told.code().code().to_owned()),
        }
    }
}

fn class(state: &SqlState) -> Class {
    match *state {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Class::Conflict,
        // The limits that each connection sets itself.
        SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED => Class::Busy,
        SqlState::DISK_FULL => Class::Full,
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Class::Corrupt,
        SqlState::READ_ONLY_SQL_TRANSACTION => Class::Standby,
        _ => match state.code().get(..2) {
            // Connection exceptions, too few resources, and an operator's intervention.
            Some("08" | "53" | "57") => Class::Lost,
            _ if *state == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Class::Lost,
            _ => Class::Other,
        },
    }
}

/// What an error says, and what caused it. None of these has a value of a row.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}
