//! Why a database is not copied.

use std::path::PathBuf;

use crate::store::StoreError;
use crate::store::sql::SqlError;

/// Why a database is not copied. Carries no key, no hash and no password.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the two cannot be opened.
    #[error("{0}")]
    Open(#[from] StoreError),
    /// There is nothing to copy.
    #[error("there is no database of Keygate at {0}: check the source")]
    Missing(String),
    /// What would be copied could change meanwhile.
    #[error("the database {place} is in use by {by}: stop it, and run the command again")]
    InUse {
        /// Which.
        place: String,
        /// What uses it.
        by: String,
    },
    /// An earlier release has written it.
    #[error(
        "the database {place} has schema version {found}, and this release copies {known}: start \
         keygate serve of this release with it once, and run the command again"
    )]
    Older {
        /// Which.
        place: String,
        /// Its version.
        found: i64,
        /// The version of this release.
        known: i64,
    },
    /// A later release has written it.
    #[error(
        "the database {place} has schema version {found}, but this release copies {known}: use the \
         newer release"
    )]
    Newer {
        /// Which.
        place: String,
        /// Its version.
        found: i64,
        /// The version of this release.
        known: i64,
    },
    /// Both are one.
    #[error("the source and the target are the same database: {0}")]
    Same(String),
    /// The source is the rest of a copy.
    #[error("the database {0} is the target of a copy that did not finish: finish that copy first")]
    Unfinished(String),
    /// The target has something that would be lost.
    #[error(
        "the database {place} has rows in its table {table} that the source does not have, so nothing \
         was changed: choose an empty target"
    )]
    Occupied {
        /// The target.
        place: String,
        /// Where the first of these rows is.
        table: &'static str,
    },
    /// A backup would overwrite something.
    #[error("{} exists: choose another file, or remove it", .0.display())]
    Exists(PathBuf),
    /// The file of a backup cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// In the words of the system or of SQLite.
        reason: String,
    },
    /// What was written is not what was read.
    #[error(
        "the table {0} of the target differs from the source: run the command again, and report it if \
         the error remains"
    )]
    Differs(&'static str),
    /// A statement failed.
    #[error("the copy stopped: {0}; run the command again to continue")]
    Failed(String),
}

impl From<SqlError> for CopyError {
    fn from(error: SqlError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        SqlError::from(error).into()
    }
}
