//! Why a statement failed, in one vocabulary for every database.

use rusqlite::ErrorCode;

/// A statement failed. Carries no key and no hash.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub(in crate::store) struct SqlError {
    pub(in crate::store) class: Class,
    /// In the words of the database.
    reason: String,
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
    /// Anything else.
    Other,
}

impl SqlError {
    pub(in crate::store) fn new(class: Class, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { class, reason }
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
