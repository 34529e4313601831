//! Creations that are not repeated.

use keygate_core::UnixMillis;

use super::change::{Act, Stop};
use super::command::{Command, Created, Outcome};
use super::keys::by_id;
use super::rejection::Rejection;
use super::row::signed;
use super::sql::{Sql, params};
use super::{Store, StoreError};
use crate::idempotency::{Once, REMEMBERED};
use crate::key::{Key, NewKey};
use crate::rights::Caller;

/// Most rows that a creation sweeps. Each adds one, so that they do not grow in number.
const SWEPT: u32 = 100;

impl Store {
    /// The key that an earlier request with the same idempotency key created.
    ///
    /// # Errors
    /// [`Rejection::OtherBody`] if that request had another body.
    pub(crate) async fn earlier(
        &self,
        once: Once,
        now: UnixMillis,
    ) -> Result<Option<Key>, StoreError> {
        let found = self
            .readers
            .read(move |transaction| match earlier(transaction, once, now) {
                Ok(key) => Ok(Ok(key)),
                Err(Stop::Rejected(rejection)) => Ok(Err(rejection)),
                Err(Stop::Sql(error)) => Err(error),
            });
        found.await?.map_err(StoreError::Rejected)
    }

    /// Stores a key unless an earlier request did; `None` when its id or hash exists already.
    pub(crate) async fn create_once(
        &self,
        new: NewKey,
        once: Once,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Option<Created>, StoreError> {
        let new = Box::new(new);
        let command = Command::CreateOnce { new, once };
        match self.write(command, caller, now).await? {
            Outcome::CreatedOnce(created) => Ok(created),
            other => Err(other.unexpected()),
        }
    }
}

impl Act<'_> {
    /// Stores a key unless an earlier request did.
    pub(super) fn create_once(&self, new: &NewKey, once: Once) -> Result<Outcome, Stop> {
        if let Some(key) = earlier(self.transaction, once, self.now)? {
            let created = Created { key, newly: false };
            return Ok(Outcome::CreatedOnce(Some(created)));
        }
        let created = match self.create(std::slice::from_ref(new), false)? {
            Outcome::Created(keys) => keys.and_then(|mut keys| keys.pop()),
            other => return Ok(other),
        };
        let Some(key) = created else {
            return Ok(Outcome::CreatedOnce(None));
        };
        let forgotten = signed(UnixMillis(self.now.0.saturating_sub(REMEMBERED.0)));
        self.transaction.execute(
            "DELETE FROM idempotency WHERE slot IN \
                 (SELECT slot FROM idempotency WHERE at <= ?1 ORDER BY at LIMIT ?2)",
            params![forgotten, SWEPT],
        )?;
        self.transaction.execute(
            "INSERT INTO idempotency (slot, body, key_id, at) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (slot) DO UPDATE SET body = excluded.body, \
                 key_id = excluded.key_id, at = excluded.at",
            params![once.slot, once.body, key.id, signed(self.now)],
        )?;
        let created = Created { key, newly: true };
        Ok(Outcome::CreatedOnce(Some(created)))
    }
}

fn earlier(transaction: &Sql<'_>, once: Once, now: UnixMillis) -> Result<Option<Key>, Stop> {
    let forgotten = signed(UnixMillis(now.0.saturating_sub(REMEMBERED.0)));
    let row = transaction.optional(
        "SELECT body, key_id FROM idempotency WHERE slot = ?1 AND at > ?2",
        params![once.slot, forgotten],
        |row| Ok((row.get::<[u8; 32]>(0)?, row.get::<String>(1)?)),
    )?;
    match row {
        None => Ok(None),
        Some((body, _)) if body != once.body => Err(Rejection::OtherBody.into()),
        Some((_, id)) => Ok(by_id(transaction, &id)?),
    }
}
