//! What changes the database, as data, and what came of it.

use std::sync::Arc;

use keygate_core::keys::{KeyHash, KeyRingId, Sealed};
use keygate_core::{Millis, UnixMillis};

use super::StoreError;
use super::rejection::Rejection;
use crate::events::{Attempt, Leak, TargetId};
use crate::idempotency::Once;
use crate::key::{IfMatch, Key, NewKey, Reason};
use crate::patch::Patch;
use crate::roles::Action;
use crate::tokens::{NewToken, Token};
use crate::uses::Sums;

/// A hash of a key from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The hash.
    pub hash: KeyHash,
    /// The id of the master secret that it is under.
    pub secret_id: KeyRingId,
}

/// A key from elsewhere.
#[derive(Clone, Debug)]
pub struct Import {
    /// The hashes under which it may be stored already.
    pub candidates: Vec<Candidate>,
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
    /// It was not stored: its account has as many keys as it may.
    Full,
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
    /// How many others this call revoked: its descendants, and keys that it replaces.
    pub descendants: usize,
}

/// A key that was replaced.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The key that replaces it.
    pub new: Key,
    /// The one that is replaced.
    pub old: Key,
}

/// How keys are revoked.
#[derive(Clone, Debug)]
pub struct Revoke {
    /// Why.
    pub reason: Option<Reason>,
    /// More about it.
    pub note: Option<String>,
    /// Whether the keys that they created, and those that these created, are to stay.
    pub keeps_descendants: bool,
}

/// A key in one of its states.
#[derive(Clone, Debug)]
pub struct KeyState {
    /// Its public id.
    pub id: String,
    /// The version that it had.
    pub version: u64,
}

/// What replaces a key. Its attributes are those of the key that it replaces.
#[derive(Clone, Debug)]
pub struct Successor {
    /// Its public id.
    pub id: String,
    /// Under which the edge looks it up.
    pub hash: KeyHash,
    /// The public part of its text.
    pub start: String,
    /// The id of the master secret of its hash.
    pub secret_id: KeyRingId,
    /// When it ends: the outer `None` for as long a life as the other was given.
    pub expires_at: Option<Option<UnixMillis>>,
    /// What is sealed with it.
    pub sealed: SuccessorSealed,
}

/// What is sealed with a key that replaces another.
#[derive(Clone, Debug)]
pub enum SuccessorSealed {
    /// This.
    With(Sealed),
    /// Nothing, whatever the other has.
    Nothing,
    /// What the other has. It cannot be carried over, so the other must have nothing.
    AsBefore,
}

/// A key that this request or an earlier one created.
#[derive(Clone, Debug)]
pub struct Created {
    /// The key as it is now.
    pub key: Key,
    /// Whether this request did it.
    pub newly: bool,
}

/// A change.
#[derive(Debug)]
pub(super) enum Command {
    /// Stores keys, all or none.
    Create {
        /// Whether a wrong field is one of a list of keys.
        is_batch: bool,
        new: Vec<NewKey>,
    },
    /// Stores a key unless an earlier request did.
    CreateOnce { new: Box<NewKey>, once: Once },
    /// Stores those of some keys that are not there yet, all or none.
    Import { keys: Vec<Import> },
    /// Changes the key with this id.
    Patch {
        id: String,
        if_match: IfMatch,
        patch: Box<Patch>,
    },
    /// Sets what is sealed with the key with this id, or removes it.
    Seal {
        id: String,
        if_match: IfMatch,
        sealed: Option<Sealed>,
    },
    /// Replaces the key with this id, which ends after `grace`.
    Rotate {
        id: String,
        if_match: IfMatch,
        new: Box<Successor>,
        grace: Millis,
    },
    /// Revokes the key with this id for good.
    Revoke { id: String, revoke: Revoke },
    /// Revokes the key that has one of these hashes, if there is one.
    RevokeHash {
        candidates: Vec<KeyHash>,
        revoke: Revoke,
    },
    /// Revokes the key with this id, which was found in a public place.
    RevokeLeaked {
        id: String,
        revoke: Revoke,
        leak: Box<Leak>,
    },
    /// Revokes these keys, all or none: none if one of them is in another state.
    RevokeMany { keys: Vec<KeyState>, revoke: Revoke },
    /// Stores a token.
    CreateToken { new: Box<NewToken> },
    /// Revokes the token with this id.
    RevokeToken { id: String },
    /// Writes into the audit log that calls were rejected.
    NoteRejections { of: &'static str, count: u64 },
    /// Adds uses of keys.
    AddUses { sums: Arc<Sums> },
    /// Uses up a link that works once.
    UseLink { id: String, expires_at: UnixMillis },
    /// Writes that the database can be written.
    Beat,
    /// Writes what came of an attempt to deliver an event.
    Attempted(Attempt),
    /// Gives up events on their way to other targets than these.
    KeepDeliveries(Vec<TargetId>),
    /// Writes events about keys that come closer to their end.
    Announce,
    /// Writes events about keys that were not used for so long.
    AnnounceUnused { after: Millis },
    /// Deletes keys that ended more than so long ago.
    DeleteEnded { kept: Millis },
}

/// How a [`Command`] is handled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// What a token must entitle to, still when the command is done.
    pub(super) action: Action,
    /// Whether it is done before others that came earlier. What ends access does not wait for
    /// what grants it, and a request waits for the use of its link.
    pub(super) overtakes: bool,
    /// Whether it is done even if its caller has gone.
    pub(super) outlives_its_caller: bool,
    /// Whether it stores the time as the age of a key, from which its end may follow.
    pub(super) makes_keys: bool,
}

/// What a [`Command`] did.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The keys; `None` when an id or a hash exists already.
    Created(Option<Vec<Key>>),
    /// The key; `None` when its id or its hash exists already.
    CreatedOnce(Option<Created>),
    /// One for each key that was given.
    Imported(Vec<Imported>),
    /// The key as it is now.
    Patched(Key),
    /// `None` when the id or the hash of the successor exists already.
    Rotated(Option<Box<Rotated>>),
    /// The key as it is now.
    Revoked(Revoked),
    /// How many.
    RevokedMany(usize),
    /// The token as it is now.
    Token(Token),
    /// Whether this was the first use.
    Used(bool),
    /// There may be more keys to announce.
    Announced { more: bool },
    /// There may be more keys to delete.
    Deleted { more: bool },
    /// It was done, and there is nothing to say.
    Done,
    /// Nothing, for this reason.
    Rejected(Rejection),
}

impl Command {
    /// How it is handled.
    pub(super) fn kind(&self) -> Kind {
        let grants = |action| Kind {
            action,
            overtakes: false,
            outlives_its_caller: false,
            makes_keys: true,
        };
        let ends = |action| Kind {
            action,
            overtakes: true,
            outlives_its_caller: true,
            makes_keys: false,
        };
        let asks = |action| Kind {
            outlives_its_caller: false,
            ..ends(action)
        };
        match self {
            Self::Create { .. } | Self::CreateOnce { .. } => grants(Action::CreateKeys),
            Self::Import { .. } => grants(Action::ImportKeys),
            Self::Rotate { .. } => grants(Action::ChangeKeys),
            Self::CreateToken { .. } => grants(Action::ChangeTokens),
            Self::Patch { patch, .. } if patch.disabled == Some(true) => ends(Action::ChangeKeys),
            Self::Seal { sealed: None, .. } => ends(Action::ChangeKeys),
            Self::Patch { .. } | Self::Seal { .. } => Kind {
                makes_keys: false,
                ..grants(Action::ChangeKeys)
            },
            Self::Revoke { .. } => ends(Action::ChangeKeys),
            Self::RevokeMany { .. } => ends(Action::FindAndRevokeKeys),
            Self::RevokeHash { .. } | Self::RevokeLeaked { .. } => ends(Action::Open),
            Self::RevokeToken { .. } => ends(Action::ChangeTokens),
            Self::UseLink { .. } => asks(Action::Follow),
            Self::Beat => asks(Action::Open),
            // An event that is delivered and not written so is delivered again.
            Self::Attempted(_) => ends(Action::Open),
            Self::NoteRejections { .. }
            | Self::AddUses { .. }
            | Self::KeepDeliveries(_)
            | Self::Announce
            | Self::AnnounceUnused { .. }
            | Self::DeleteEnded { .. } => Kind {
                overtakes: false,
                ..ends(Action::Open)
            },
        }
    }
}

impl Outcome {
    /// The error of a caller that asked for something else: a bug.
    pub(super) fn unexpected(self) -> StoreError {
        StoreError::Failed(format!("it answered {self:?}"))
    }
}
