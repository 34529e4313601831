//! What a command does to keys, in its transaction and by the rights of its caller. Nothing is
//! written before the last reason to reject it was looked for.

use keygate_core::keys::KeyHash;
use keygate_core::{Millis, UnixMillis};

use super::command::{
    Import, Imported, KeyState, Outcome, Revoke, Revoked, Rotated, Successor, SuccessorSealed,
};
use super::keys::{self, by_id, existing, insert};
use super::memo::Memo;
use super::rejection::Rejection;
use super::row::{self, signed};
use super::sql::{self, Each, Sql, SqlError, ToValue, Value, params};
use super::whose::Of;
use crate::attributes::Attributes;
use crate::events::{EventType, Leak, More, Outbox};
use crate::key::{Disabler, IfMatch, Key, KeyObject, NewKey, Reason, Standing};
use crate::limits::Limiter;
use crate::patch::Patch;
use crate::rights::{Rights, narrows};
use crate::space::Space;
use crate::wrong::Errors;

/// A command under way.
pub(super) struct Act<'a> {
    pub(super) transaction: &'a Sql<'a>,
    pub(super) memo: &'a Memo,
    pub(super) rights: Rights<'a>,
    pub(super) limiter: &'a Limiter,
    pub(super) outbox: &'a Outbox,
    pub(super) now: UnixMillis,
    /// What the audit log calls the caller.
    pub(super) actor: String,
    pub(super) request_id: Option<&'a str>,
}

/// Why a command was not done.
#[derive(Debug)]
pub(super) enum Stop {
    Rejected(Rejection),
    Sql(SqlError),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Errors> for Stop {
    fn from(beyond: Errors) -> Self {
        Self::Rejected(beyond.into())
    }
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl Act<'_> {
    /// Stores keys, all or none.
    pub(super) fn create(&self, new: &[NewKey], is_batch: bool) -> Result<Outcome, Stop> {
        let limited = |(place, new): (usize, &NewKey)| {
            self.limited(new, |errors| match is_batch {
                true => errors.inside_item("keys", place),
                false => errors,
            })
        };
        let new = new.iter().enumerate().map(limited);
        let new: Vec<NewKey> = new.collect::<Result<_, Stop>>()?;
        self.admit(&new)?;
        let mut keys = Vec::new();
        for new in new {
            match insert(self.transaction, self.memo, &new, self.now)? {
                Some(key) => {
                    self.say("key.create", &key.id, &key.attributes, None)?;
                    self.publish(EventType::Created, &key, None)?;
                    keys.push(key);
                }
                // Nothing is written yet.
                None if keys.is_empty() => return Ok(Outcome::Created(None)),
                None => return Err(SqlError::other("an id exists already").into()),
            }
        }
        Ok(Outcome::Created(Some(keys)))
    }

    /// Stores those of some keys that are not there yet.
    pub(super) fn import(&self, keys: &[Import]) -> Result<Outcome, Stop> {
        for import in keys {
            self.in_reach(&import.new.attributes.space)?;
        }
        let outcomes = keys::import(
            self.transaction,
            self.memo,
            keys,
            &self.limiter.limits,
            self.now,
        )?;
        for (import, outcome) in keys.iter().zip(&outcomes) {
            match outcome {
                Imported::New(id) => {
                    self.say("key.import", id, &import.new.attributes, None)?;
                    self.publish_by_id(EventType::Created, id)?;
                }
                // Only now that its text is here can this be known.
                Imported::Exists(key)
                    if key.secret_id.is_none()
                        && self.rights.spaces().has(&key.attributes.space) =>
                {
                    keys::note_secret(self.transaction, import)?;
                }
                Imported::Exists(_) | Imported::Absent | Imported::Full => {}
            }
        }
        Ok(Outcome::Imported(outcomes))
    }

    /// Changes a key.
    pub(super) fn patch(
        &self,
        id: &str,
        if_match: &IfMatch,
        patch: &Patch,
    ) -> Result<Outcome, Stop> {
        let key = self.current(id, if_match)?;
        let enables = patch.disabled == Some(false) && key.disabled_by.is_some();
        let by_admin = key.disabled_by == Some(Disabler::Admin);
        if enables && by_admin && self.rights.disabler() != Disabler::Admin {
            return Err(Rejection::DisabledByAdmin.into());
        }
        let disabled_by = match patch.disabled {
            None => key.disabled_by,
            Some(false) => None,
            Some(true) if by_admin => key.disabled_by,
            Some(true) => Some(self.rights.disabler()),
        };
        let becomes = patch.of(&key.attributes);
        if let Some(by) = &key.replaced_by
            && (enables || !narrows(&key.attributes, &becomes))
        {
            return Err(Rejection::Replaced(by.clone()).into());
        }
        let attributes = self.rights.change(&key.attributes, becomes, enables)?;
        self.admit_change(&key, &attributes)?;
        let mut changed = attributes.differences(&key.attributes);
        if disabled_by != key.disabled_by {
            changed.push(match disabled_by {
                Some(_) => "disabled",
                None => "enabled",
            });
        }
        if changed.is_empty() {
            return Ok(Outcome::Patched(key));
        }
        self.say("key.change", id, &key.attributes, Some(&changed.join(", ")))?;
        let key = self.update(&Key {
            attributes,
            disabled_by,
            ..key
        })?;
        self.publish(EventType::Changed, &key, Some(More::Changed(&changed)))?;
        Ok(Outcome::Patched(key))
    }

    /// Replaces a key by one with the same attributes.
    pub(super) fn rotate(
        &self,
        id: &str,
        if_match: &IfMatch,
        new: &Successor,
        grace: Millis,
    ) -> Result<Outcome, Stop> {
        let old = self.current(id, if_match)?;
        if let Some(by) = old.replaced_by {
            return Err(Rejection::Replaced(by).into());
        }
        if old.standing(self.now) != Standing::Active {
            return Err(Rejection::Inactive.into());
        }
        let sealed = match &new.sealed {
            SuccessorSealed::With(sealed) => Some(sealed.clone()),
            SuccessorSealed::Nothing => None,
            SuccessorSealed::AsBefore if old.is_sealed => return Err(Rejection::Sealed.into()),
            SuccessorSealed::AsBefore => None,
        };
        let expires_at = match new.expires_at {
            Some(asked) => asked,
            None => {
                let limits = self.limiter.limits.of(&old.attributes.space);
                let end = limits.cap(old.end_of_successor(self.now), self.now);
                self.rights.end_of_successor(end)
            }
        };
        let becomes = Attributes {
            expires_at,
            ..old.attributes.clone()
        };
        let attributes = self.rights.pass_on(&old.attributes, becomes)?;
        self.admit_successor(&old, &attributes)?;
        let stored = NewKey {
            id: new.id.clone(),
            hash: new.hash,
            start: new.start.clone(),
            secret_id: new.secret_id,
            created_by: self.rights.key_id().or_else(|| old.created_by.clone()),
            replaces: Some(old.id.clone()),
            sealed,
            attributes,
        };
        if insert(self.transaction, self.memo, &stored, self.now)?.is_none() {
            return Ok(Outcome::Rotated(None));
        }
        let replaces = format!("replaces {}", old.id);
        self.say("key.rotate", &new.id, &old.attributes, Some(&replaces))?;
        let over = self.now.plus(grace);
        let ends = old.attributes.expires_at.map_or(over, |end| end.min(over));
        let old = self.update(&Key {
            replaced_by: Some(new.id.clone()),
            attributes: Attributes {
                expires_at: Some(ends),
                ..old.attributes
            },
            ..old
        })?;
        let old = match grace.0 {
            0 => self.revoke_alone(&old)?,
            _ => old,
        };
        let new = self.own(&new.id)?;
        let replaced = Box::new(KeyObject::new(old.clone(), self.now));
        self.publish(EventType::Rotated, &new, Some(More::Replaced(replaced)))?;
        Ok(Outcome::Rotated(Some(Box::new(Rotated { new, old }))))
    }

    /// Revokes a key for good, with its descendants unless they are kept.
    pub(super) fn revoke(&self, id: &str, revoke: &Revoke) -> Result<Outcome, Stop> {
        let key = self.own(id)?;
        let revoked = self.revoke_family(&key.id, revoke)?;
        let newly = revoked.iter().any(|it| it == id);
        Ok(Outcome::Revoked(Revoked {
            key: self.own(id)?,
            newly,
            descendants: revoked.len().saturating_sub(usize::from(newly)),
        }))
    }

    /// Revokes the key that has one of these hashes, if there is one.
    pub(super) fn revoke_hash(
        &self,
        candidates: &[KeyHash],
        revoke: &Revoke,
    ) -> Result<Outcome, Stop> {
        let count = match existing(self.transaction, candidates)? {
            Some(key) => self.revoke_family(&key.id, revoke)?.len(),
            None => 0,
        };
        Ok(Outcome::RevokedMany(count))
    }

    /// Revokes a key that was found in a public place. One that was revoked meanwhile is no news.
    pub(super) fn revoke_leaked(
        &self,
        id: &str,
        revoke: &Revoke,
        leak: &Leak,
    ) -> Result<Outcome, Stop> {
        let revoked = self.revoke_family(id, revoke)?;
        if revoked.iter().any(|it| it == id)
            && let Some(key) = by_id(self.transaction, id)?
        {
            self.say("key.leak", id, &key.attributes, revoke.note.as_deref())?;
            self.publish(EventType::Leaked, &key, Some(More::Leak(leak)))?;
        }
        Ok(Outcome::RevokedMany(revoked.len()))
    }

    /// Revokes these keys, all or none.
    pub(super) fn revoke_many(&self, keys: &[KeyState], revoke: &Revoke) -> Result<Outcome, Stop> {
        // All of them first: the revocation of one may change another, which it had created.
        for KeyState { id, version } in keys {
            if self.own(id)?.version != *version {
                return Err(Rejection::OneStale(id.clone()).into());
            }
        }
        let mut count = 0_usize;
        for KeyState { id, .. } in keys {
            let revoked = self.revoke_family(id, revoke)?;
            count = count.saturating_add(revoked.len());
        }
        Ok(Outcome::RevokedMany(count))
    }

    /// The key with this id, if the caller may see it.
    pub(super) fn own(&self, id: &str) -> Result<Key, Stop> {
        let key = self.rights.own(by_id(self.transaction, id)?);
        key.ok_or_else(|| Rejection::NoSuchKey.into())
    }

    /// Rejects what is to be stored in a space that the caller does not see.
    pub(super) fn in_reach(&self, space: &Space) -> Result<(), Stop> {
        match self.rights.spaces().has(space) {
            true => Ok(()),
            false => Err(Rejection::WrongSpace.into()),
        }
    }

    /// The key with this id that the caller may see, if it can still be changed, and is what the
    /// caller takes it for.
    pub(super) fn current(&self, id: &str, if_match: &IfMatch) -> Result<Key, Stop> {
        let key = self.own(id)?;
        if !if_match.fits(key.version) {
            return Err(Rejection::Stale(key.version).into());
        }
        match key.revoked {
            Some(_) => Err(Rejection::Revoked.into()),
            None => Ok(key),
        }
    }

    /// Writes what can change of a key. It has another version then.
    fn update(&self, key: &Key) -> Result<Key, Stop> {
        let names = row::ATTRIBUTES.join(", ");
        let marks = vec!["?"; row::ATTRIBUTES.len()].join(", ");
        let text = format!(
            "UPDATE keys SET ({names}) = ({marks}), updated_at = ?, disabled_by = ?, \
             replaced_by = ?, version = version + 1 WHERE id = ? RETURNING hash"
        );
        let cells = row::attributes(&key.attributes);
        let (now, disabled_by) = (signed(self.now), key.disabled_by.map(Disabler::word));
        let mut values: Vec<Value<'_>> = cells.iter().map(ToValue::to_value).collect();
        values.extend(params![now, disabled_by, key.replaced_by, key.id]);
        let hash = self.transaction.one(&text, &values, |row| row.get(0))?;
        self.tell(hash, key.attributes.space.as_str())?;
        self.own(&key.id)
    }

    /// Revokes a key that another replaces, and none of its descendants: they go on.
    fn revoke_alone(&self, key: &Key) -> Result<Key, Stop> {
        self.transaction.execute(
            "UPDATE keys SET revoked_at = ?2, revoked_reason = ?3, sealed = NULL \
                 WHERE id = ?1 AND revoked_at IS NULL",
            params![key.id, signed(self.now), Reason::Superseded.word()],
        )?;
        let reason = Reason::Superseded.word();
        self.say("key.revoke", &key.id, &key.attributes, Some(reason))?;
        self.publish_by_id(EventType::Revoked, &key.id)?;
        self.own(&key.id)
    }

    /// Revokes a key, those that it replaces, and the descendants of all of them unless they are
    /// kept. Returns the ids of those that were not revoked before.
    fn revoke_family(&self, id: &str, revoke: &Revoke) -> sql::Result<Vec<String>> {
        let update = "UPDATE keys SET revoked_at = ?2, updated_at = ?2, revoked_reason = ?3, \
                      revoked_note = ?4, sealed = NULL, version = version + 1 \
                      WHERE id IN (SELECT id FROM family) AND revoked_at IS NULL \
                      RETURNING id, account, space, hash";
        let text = Each {
            sqlite: &format!(
                "WITH RECURSIVE family (id) AS \
                 (SELECT ?1 \
                  UNION SELECT keys.id FROM family JOIN keys ON replaced_by = family.id \
                  UNION SELECT keys.id FROM family JOIN keys ON created_by = family.id \
                  WHERE NOT ?5) {update}"
            ),
            // Its recursion has one part.
            postgres: &format!(
                "WITH RECURSIVE family (id) AS \
                 (SELECT ?1 COLLATE \"C\" UNION SELECT next.id FROM family CROSS JOIN LATERAL \
                  (SELECT id FROM keys WHERE replaced_by = family.id UNION ALL \
                   SELECT id FROM keys WHERE created_by = family.id AND NOT ?5) AS next) {update}"
            ),
        };
        let reason = revoke.reason.map(Reason::word);
        let revoked: Vec<(String, String, String, KeyHash)> = self.transaction.all(
            text,
            params![
                id,
                signed(self.now),
                reason,
                revoke.note,
                revoke.keeps_descendants,
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        for (id, account, space, hash) in &revoked {
            self.tell(*hash, space)?;
            let of = Of {
                account: Some(account),
                space: Some(space),
            };
            self.say("key.revoke", id, of, reason)?;
            self.publish_by_id(EventType::Revoked, id)?;
        }
        Ok(revoked.into_iter().map(|(id, ..)| id).collect())
    }
}
