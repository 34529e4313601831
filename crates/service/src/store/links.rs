//! Links that work once: which were used.

use keygate_core::UnixMillis;
use rusqlite::{Transaction, params};

use super::command::{Command, Outcome};
use super::row::signed;
use super::{SqliteStore, StoreError};
use crate::rights::Caller;

/// How many expired entries are deleted with each use.
const SWEPT: usize = 100;

impl SqliteStore {
    /// Uses up a link; whether this was the first time. On disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(crate) async fn use_link(
        &self,
        id: String,
        expires_at: UnixMillis,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let command = Command::UseLink { id, expires_at };
        match self.write(command, caller, now).await? {
            Outcome::Used(first) => Ok(first),
            other => Err(other.unexpected()),
        }
    }

    /// Whether a link was not used before.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn is_unused(&self, id: String) -> Result<bool, StoreError> {
        self.readers
            .read(move |transaction| {
                transaction
                    .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM link_uses WHERE id = ?1)")?
                    .query_row([&id], |row| row.get(0))
            })
            .await
    }
}

/// Uses up a link; whether this was the first time.
pub(super) fn use_up(
    transaction: &Transaction<'_>,
    id: &str,
    expires_at: UnixMillis,
    now: UnixMillis,
) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached(&format!(
            "DELETE FROM link_uses WHERE id IN \
             (SELECT id FROM link_uses WHERE expires_at < ?1 LIMIT {SWEPT})"
        ))?
        .execute([signed(now)])?;
    let added = transaction
        .prepare_cached("INSERT OR IGNORE INTO link_uses (id, expires_at) VALUES (?1, ?2)")?
        .execute(params![id, signed(expires_at)])?;
    Ok(added == 1)
}
