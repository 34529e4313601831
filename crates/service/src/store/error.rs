//! Why the database cannot be used.

use std::path::PathBuf;

use super::postgres::OpenError;
use super::rejection::Rejection;
use super::sql::{Class, SqlError};

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
    /// The file is a database of another program.
    #[error("{} is not a database of Keygate, so nothing was changed: choose another file", .0.display())]
    Foreign(PathBuf),
    /// Another process uses the file.
    #[error("the database {} is in use by the process {process}", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Its id.
        process: String,
    },
    /// A database of PostgreSQL cannot be used.
    #[error("cannot use the database {place}: {reason}")]
    Postgres {
        /// Where it is, without a password.
        place: String,
        /// What is wrong and what to do.
        reason: OpenError,
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
    /// It is the target of a copy.
    #[error(
        "the database {place} is the target of a copy that did not finish: run keygate store copy again"
    )]
    Unfinished {
        /// Where it is, without a password.
        place: String,
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
    /// Nothing more can be written until an operator makes room.
    #[error("the database is full: {0}")]
    Full(String),
    /// No connection can be made, or the one in use was lost, and nothing was changed.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A statement failed.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Of something that was given up halfway.
    pub(super) fn panicked() -> Self {
        Self::Failed("it ended unexpectedly".to_owned())
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        match error.class {
            Class::Full => Self::Full(error.to_string()),
            Class::Lost | Class::Standby => Self::Unreachable(error.to_string()),
            Class::Busy | Class::Corrupt | Class::Unknown | Class::Conflict | Class::Other => {
                Self::Failed(error.to_string())
            }
        }
    }
}
