//! The changes that can be asked for, each a command for the writer.
//!
//! All of them fail with [`StoreError::Rejected`], [`StoreError::Overloaded`] and what a database
//! fails with; then nothing was changed.

use keygate_core::keys::KeyHash;
use keygate_core::{Millis, UnixMillis};

use super::command::{
    Command, Import, Imported, KeyState, Outcome, Revoke, Revoked, Rotated, Successor,
};
use super::{Store, StoreError};
use crate::events::Leak;
use crate::key::{IfMatch, Key, NewKey};
use crate::patch::Patch;
use crate::rights::Caller;

impl Store {
    /// Stores keys, all or none; `None` when an id or a hash exists already.
    pub(crate) async fn create(
        &self,
        new: Vec<NewKey>,
        is_batch: bool,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Option<Vec<Key>>, StoreError> {
        let command = Command::Create { is_batch, new };
        match self.write(command, caller, now).await? {
            Outcome::Created(keys) => Ok(keys),
            other => Err(other.unexpected()),
        }
    }

    /// Stores those of some keys that are not there yet, all or none.
    pub(crate) async fn import(
        &self,
        keys: Vec<Import>,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Vec<Imported>, StoreError> {
        match self.write(Command::Import { keys }, caller, now).await? {
            Outcome::Imported(outcomes) => Ok(outcomes),
            other => Err(other.unexpected()),
        }
    }

    /// Changes a key.
    pub(crate) async fn patch(
        &self,
        id: String,
        if_match: IfMatch,
        patch: Patch,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Key, StoreError> {
        let command = Command::Patch {
            id,
            if_match,
            patch: Box::new(patch),
        };
        match self.write(command, caller, now).await? {
            Outcome::Patched(key) => Ok(key),
            other => Err(other.unexpected()),
        }
    }

    /// Replaces a key, which ends after `grace`; `None` when the id or the hash of the successor
    /// exists already.
    pub(crate) async fn rotate(
        &self,
        id: String,
        if_match: IfMatch,
        new: Successor,
        grace: Millis,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Option<Rotated>, StoreError> {
        let command = Command::Rotate {
            id,
            if_match,
            new: Box::new(new),
            grace,
        };
        match self.write(command, caller, now).await? {
            Outcome::Rotated(rotated) => Ok(rotated.map(|it| *it)),
            other => Err(other.unexpected()),
        }
    }

    /// Revokes a key for good, those that it replaces, and unless told otherwise the keys that
    /// they created, and those that these created. The first revocation of a key stays as it is.
    pub(crate) async fn revoke(
        &self,
        id: String,
        revoke: Revoke,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<Revoked, StoreError> {
        let command = Command::Revoke { id, revoke };
        match self.write(command, caller, now).await? {
            Outcome::Revoked(revoked) => Ok(revoked),
            other => Err(other.unexpected()),
        }
    }

    /// Revokes the key that has one of these hashes, if there is one; how many were revoked.
    pub(crate) async fn revoke_hash(
        &self,
        candidates: Vec<KeyHash>,
        revoke: Revoke,
        now: UnixMillis,
    ) -> Result<usize, StoreError> {
        let command = Command::RevokeHash { candidates, revoke };
        match self.write(command, Caller::Holder, now).await? {
            Outcome::RevokedMany(count) => Ok(count),
            other => Err(other.unexpected()),
        }
    }

    /// Revokes a key that was reported as leaked; how many were revoked.
    pub(crate) async fn revoke_leaked(
        &self,
        id: String,
        revoke: Revoke,
        leak: Leak,
        now: UnixMillis,
    ) -> Result<usize, StoreError> {
        let leak = Box::new(leak);
        let command = Command::RevokeLeaked { id, revoke, leak };
        match self.write(command, Caller::Reporter, now).await? {
            Outcome::RevokedMany(count) => Ok(count),
            other => Err(other.unexpected()),
        }
    }

    /// Revokes these keys, unless one of them was changed in the meantime; how many were revoked.
    pub(crate) async fn revoke_many(
        &self,
        keys: Vec<KeyState>,
        revoke: Revoke,
        caller: Caller,
        now: UnixMillis,
    ) -> Result<usize, StoreError> {
        let command = Command::RevokeMany { keys, revoke };
        match self.write(command, caller, now).await? {
            Outcome::RevokedMany(count) => Ok(count),
            other => Err(other.unexpected()),
        }
    }

    /// Writes into the audit log that calls were rejected.
    pub(crate) async fn note_rejections(
        &self,
        of: &'static str,
        count: u64,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let command = Command::NoteRejections { of, count };
        match self.write(command, Caller::Unknown, now).await? {
            Outcome::Done => Ok(()),
            other => Err(other.unexpected()),
        }
    }
}
