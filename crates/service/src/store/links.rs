//! Links that work once: which were used.

use keygate_core::UnixMillis;

use super::command::{Command, Outcome};
use super::row::signed;
use super::sql::{self, Sql, params};
use super::{Store, StoreError};
use crate::rights::Caller;

/// How many expired entries are deleted with each use.
const SWEPT: usize = 100;

impl Store {
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
                transaction.one(
                    "SELECT NOT EXISTS (SELECT 1 FROM link_uses WHERE id = ?1)",
                    params![&id],
                    |row| row.get(0),
                )
            })
            .await
    }
}

/// Uses up a link; whether this was the first time.
pub(super) fn use_up(
    transaction: &Sql<'_>,
    id: &str,
    expires_at: UnixMillis,
    now: UnixMillis,
) -> sql::Result<bool> {
    transaction.execute(
        &format!(
            "DELETE FROM link_uses WHERE id IN \
             (SELECT id FROM link_uses WHERE expires_at < ?1 LIMIT {SWEPT})"
        ),
        params![signed(now)],
    )?;
    let added = transaction.execute(
        "INSERT INTO link_uses (id, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![id, signed(expires_at)],
    )?;
    Ok(added == 1)
}
