//! Data that is sealed with a key: set, removed and read. Only the text of the key opens it.

use keygate_core::UnixMillis;
use keygate_core::keys::Sealed;

use super::change::{Act, Stop};
use super::command::{Command, Outcome};
use super::rejection::Rejection;
use super::row::signed;
use super::sql::{Sql, params};
use super::{Store, StoreError};
use crate::events::{EventType, More};
use crate::key::{IfMatch, Key};
use crate::rights::Caller;

impl Store {
    /// What is sealed with the key with this id, as it is stored.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub async fn sealed(&self, id: String) -> Result<Option<String>, StoreError> {
        self.readers
            .read(move |transaction: &Sql<'_>| {
                transaction
                    .optional(
                        "SELECT sealed FROM keys WHERE id = ?1",
                        params![&id],
                        |row| row.get(0),
                    )
                    .map(Option::flatten)
            })
            .await
    }

    /// Sets what is sealed with a key, or removes it.
    pub(crate) async fn seal(
        &self,
        id: String,
        if_match: IfMatch,
        sealed: Option<Sealed>,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Key, StoreError> {
        let command = Command::Seal {
            id,
            if_match,
            sealed,
        };
        match self.write(command, caller, now).await? {
            Outcome::Patched(key) => Ok(key),
            other => Err(other.unexpected()),
        }
    }
}

impl Act<'_> {
    /// Sets what is sealed with a key, or removes it. Of a key that is replaced it can only be
    /// removed. There is no right to ask for: the caller may revoke the key as well, and without
    /// its text can seal nothing that opens.
    pub(super) fn seal(
        &self,
        id: &str,
        if_match: &IfMatch,
        sealed: Option<&Sealed>,
    ) -> Result<Outcome, Stop> {
        let key = self.current(id, if_match)?;
        match (sealed, &key.replaced_by) {
            // Nothing in the text of an imported key is known to be public.
            (Some(_), _) if key.start.is_empty() => return Err(Rejection::Imported.into()),
            (Some(_), Some(by)) => return Err(Rejection::Replaced(by.clone()).into()),
            (None, _) if !key.is_sealed => return Ok(Outcome::Patched(key)),
            (Some(_) | None, _) => {}
        }
        let action = match sealed {
            Some(_) => "key.seal",
            None => "key.unseal",
        };
        self.say(action, id, &key.attributes, None)?;
        let hash = self.transaction.one(
            "UPDATE keys SET sealed = ?2, updated_at = ?3, version = version + 1 \
             WHERE id = ?1 RETURNING hash",
            params![id, sealed.map(Sealed::to_string), signed(self.now)],
            |row| row.get(0),
        )?;
        self.tell(hash, key.attributes.space.as_str())?;
        let key = self.own(id)?;
        self.publish(EventType::Changed, &key, Some(More::Changed(&["sealed"])))?;
        Ok(Outcome::Patched(key))
    }
}
