//! What changes the database, as data: the [`writer`](super::writer) applies several in one
//! transaction, and each again alone if one of them fails.

use keygate_core::UnixMillis;
use keygate_core::keys::KeyHash;
use rusqlite::Transaction;

use super::{StoreError, feed, keys, links};
use crate::key::{Key, NewKey};

/// A key from elsewhere.
#[derive(Clone, Debug)]
pub struct Import {
    /// The hashes under which it may be stored already.
    pub candidates: Vec<KeyHash>,
    /// As what it is stored otherwise.
    pub new: NewKey,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum Imported {
    /// It is stored, under this id.
    New(String),
    /// It is not there, and was not to be stored.
    Absent,
    /// It was there.
    Exists(Box<Key>),
}

/// A key that is revoked now.
#[derive(Clone, Debug)]
pub struct Revoked {
    /// The key.
    pub key: Key,
    /// Whether this call did it; otherwise an earlier one had.
    pub newly: bool,
    /// How many of its descendants this call revoked.
    pub descendants: usize,
}

/// A change.
#[derive(Debug)]
pub(super) enum Command {
    /// Stores a key. The key that asks for it, if one does, must be active.
    Create(Box<NewKey>),
    /// Stores those of some keys that are not there yet, all or none.
    Import(Vec<Import>),
    /// Revokes the key with this id for good.
    Revoke {
        id: String,
        reason: Option<String>,
        /// Whether the keys that it created, and those that they created, are to stay.
        keeps_descendants: bool,
        /// The id of the key that asks, if one does.
        caller: Option<String>,
    },
    /// Uses up a link that works once.
    UseLink { id: String, expires_at: UnixMillis },
    /// Writes that the database can be written.
    Beat,
}

/// What a [`Command`] did.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The key; `None` when its id or its hash exists already.
    Created(Option<Key>),
    /// One for each key that was given.
    Imported(Vec<Imported>),
    /// `None` when no key has the id.
    Revoked(Option<Revoked>),
    /// Whether this was the first use.
    Used(bool),
    /// It was written.
    Beaten,
    /// Nothing, for this reason.
    Rejected(StoreError),
}

impl Command {
    /// Whether it is done before others that came earlier. What ends access does not wait for
    /// what grants it, and a request waits for the use of its link.
    pub(super) fn overtakes(&self) -> bool {
        match self {
            Self::Revoke { .. } | Self::UseLink { .. } | Self::Beat => true,
            Self::Create(_) | Self::Import(_) => false,
        }
    }

    /// Whether it is done even if its caller has gone.
    pub(super) fn outlives_its_caller(&self) -> bool {
        match self {
            Self::Revoke { .. } => true,
            Self::Create(_) | Self::Import(_) | Self::UseLink { .. } | Self::Beat => false,
        }
    }

    /// Does it in this transaction. What entitles the caller is read here as well: a command
    /// waits for those before it, and one of them may revoke the key that asks.
    ///
    /// # Errors
    /// A statement failed, and may have done a part.
    pub(super) fn apply(
        &self,
        transaction: &Transaction<'_>,
        now: UnixMillis,
    ) -> rusqlite::Result<Outcome> {
        if let Some(id) = self.caller()
            && !keys::is_active(transaction, id, now)?
        {
            return Ok(Outcome::Rejected(StoreError::InactiveCaller));
        }
        if self.makes_keys() && !feed::is_credible(transaction, now)? {
            return Ok(Outcome::Rejected(StoreError::Clock));
        }
        match self {
            Self::Create(new) => keys::create(transaction, new, now).map(Outcome::Created),
            Self::Import(keys) => keys::import(transaction, keys, now).map(Outcome::Imported),
            Self::Revoke {
                id,
                reason,
                keeps_descendants,
                ..
            } => keys::revoke(transaction, id, reason.as_deref(), *keeps_descendants, now)
                .map(Outcome::Revoked),
            Self::UseLink { id, expires_at } => {
                links::use_up(transaction, id, *expires_at, now).map(Outcome::Used)
            }
            Self::Beat => feed::beat(transaction, now).map(|()| Outcome::Beaten),
        }
    }

    /// Whether it stores the time as the age of a key, from which its end may follow.
    fn makes_keys(&self) -> bool {
        match self {
            Self::Create(_) | Self::Import(_) => true,
            Self::Revoke { .. } | Self::UseLink { .. } | Self::Beat => false,
        }
    }

    /// The key that asks, which must be active.
    fn caller(&self) -> Option<&str> {
        match self {
            Self::Create(new) => new.created_by.as_deref(),
            Self::Revoke { caller, .. } => caller.as_deref(),
            Self::Import(_) | Self::UseLink { .. } | Self::Beat => None,
        }
    }
}

impl Outcome {
    /// The error of a caller that asked for something else: a bug.
    pub(super) fn unexpected(self) -> StoreError {
        StoreError::Failed(format!("it answered {self:?}"))
    }
}
