//! A stored key: what is known of it, and how the API shows it.

use keygate_core::keys::{KeyHash, KeyRingId, Sealed};
use keygate_core::{Millis, UnixMillis};
use schemars::JsonSchema;
use serde::Serialize;

use crate::attributes::Attributes;
use crate::shapes;
use crate::words::words;

/// A key as the store knows it. Its hash and its secret are no part of it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The public id: 10 letters or digits.
    pub id: String,
    /// The public part of the text, such as `kg_01<id>`.
    pub start: String,
    /// What was said of it.
    pub attributes: Attributes,
    /// The id of the master secret under which it is hashed; unknown of keys that were imported
    /// before this was noted.
    pub secret_id: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// The id of the key by which it was asked for, if it was one.
    pub created_by: Option<String>,
    /// The id of the key that it replaces.
    pub replaces: Option<String>,
    /// Which of its states this is, from 1.
    pub version: u64,
    /// When it was changed last.
    pub updated_at: Option<UnixMillis>,
    /// Who disabled it, if it is disabled.
    pub disabled_by: Option<Disabler>,
    /// The id of the key that replaces it.
    pub replaced_by: Option<String>,
    /// Its end, if that has come.
    pub revoked: Option<Revocation>,
    /// When a request with it was last allowed, as far as edges have reported it.
    pub last_used_at: Option<UnixMillis>,
    /// Whether there is data that only its text opens.
    pub is_sealed: bool,
}

/// A key to store: its attributes, with what was generated for it.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The public id.
    pub id: String,
    /// Under which the edge looks it up.
    pub hash: KeyHash,
    /// The public part of its text.
    pub start: String,
    /// The id of the master secret of its hash.
    pub secret_id: KeyRingId,
    /// The id of the key by which it is asked for, if it is one.
    pub created_by: Option<String>,
    /// The id of the key that it replaces.
    pub replaces: Option<String>,
    /// Data that only its text opens.
    pub sealed: Option<Sealed>,
    /// Everything else.
    pub attributes: Attributes,
}

/// The end of a key: final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: UnixMillis,
    /// Why.
    pub reason: Option<Reason>,
    /// More about it, in the words of the caller.
    pub note: Option<String>,
}

words! {
    /// Why a key was revoked: those reasons of RFC 5280 section 5.3.1 that fit a key.
    Reason {
        /// No reason of these.
        Unspecified = "unspecified",
        /// Others have the key, or may have it.
        KeyCompromise = "key_compromise",
        /// Its holder has another role now.
        AffiliationChanged = "affiliation_changed",
        /// Another key replaces it.
        Superseded = "superseded",
        /// What it was for has ended.
        CessationOfOperation = "cessation_of_operation",
        /// Its holder may not use it any more.
        PrivilegeWithdrawn = "privilege_withdrawn",
    }
}

words! {
    /// Who disabled a key.
    Disabler {
        /// An admin: the account cannot enable it again.
        Admin = "admin",
        /// Its account.
        Account = "account",
    }
}

/// Which states of a key a change is meant for (RFC 9110 section 13.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Whichever it is in.
    Any,
    /// One with these versions.
    Versions(Vec<u64>),
}

impl IfMatch {
    /// Whether a change is meant for a key with this version.
    pub fn fits(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

words! {
    /// Whether a key may be used now. The first of these that holds: revoked, expired, disabled.
    Standing {
        /// The key may be used.
        Active = "active",
        /// The key is disabled until it is enabled again.
        Disabled = "disabled",
        /// The key was revoked, which is final.
        Revoked = "revoked",
        /// The key has expired.
        Expired = "expired",
    }
}

impl Key {
    /// When a key ends that takes the place of this one `now`, and is given as long a life.
    pub(crate) fn end_of_successor(&self, now: UnixMillis) -> Option<UnixMillis> {
        let life = |end: UnixMillis| Millis(end.0.saturating_sub(self.created_at.0));
        self.attributes.expires_at.map(|end| now.plus(life(end)))
    }

    /// Whether it may be used at `now`.
    pub fn standing(&self, now: UnixMillis) -> Standing {
        if self.revoked.is_some() {
            Standing::Revoked
        } else if self.attributes.expires_at.is_some_and(|at| at <= now) {
            Standing::Expired
        } else if self.disabled_by.is_some() {
            Standing::Disabled
        } else {
            Standing::Active
        }
    }
}

/// The key object of the API. Times are RFC 3339, absent values are `null`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub struct KeyObject {
    /// The public id: 10 letters or digits, also in the key itself.
    #[schemars(with = "shapes::Id")]
    id: String,
    /// The public part of the key; empty for an imported key.
    start: String,
    #[serde(flatten)]
    attributes: Attributes,
    /// Whether it may be used now.
    status: Standing,
    /// Whether it is disabled.
    disabled: bool,
    /// Who disabled it.
    disabled_by: Option<Disabler>,
    /// Whether headers are sealed with it, which only the key itself opens.
    sealed: bool,
    /// The id of the master secret that it depends on; `null` for a key that was imported before
    /// this was noted.
    #[schemars(with = "Option<shapes::SecretId>")]
    secret_id: Option<String>,
    /// When it was created.
    #[schemars(with = "shapes::Instant")]
    created_at: String,
    /// The id of the key that created it.
    #[schemars(with = "Option<shapes::Id>")]
    created_by: Option<String>,
    /// When it was last changed.
    #[schemars(with = "Option<shapes::Instant>")]
    updated_at: Option<String>,
    /// The id of the key that it replaces.
    #[schemars(with = "Option<shapes::Id>")]
    replaces: Option<String>,
    /// The id of the key that replaces it.
    #[schemars(with = "Option<shapes::Id>")]
    replaced_by: Option<String>,
    /// When it was revoked.
    #[schemars(with = "Option<shapes::Instant>")]
    revoked_at: Option<String>,
    /// Why it was revoked.
    revoked_reason: Option<Reason>,
    /// The note of the caller that revoked it.
    revoked_note: Option<String>,
    /// The minute in which a request with it was last allowed, as far as edges have reported it.
    #[schemars(with = "Option<shapes::Instant>")]
    last_used_at: Option<String>,
}

impl KeyObject {
    /// Shows a key with its status at `now`.
    pub fn new(key: Key, now: UnixMillis) -> Self {
        let status = key.standing(now);
        let (revoked_at, revoked_reason, revoked_note) = match key.revoked {
            Some(it) => (Some(it.at.to_string()), it.reason, it.note),
            None => (None, None, None),
        };
        Self {
            id: key.id,
            start: key.start,
            attributes: key.attributes,
            status,
            disabled: key.disabled_by.is_some(),
            disabled_by: key.disabled_by,
            sealed: key.is_sealed,
            secret_id: key.secret_id,
            created_at: key.created_at.to_string(),
            created_by: key.created_by,
            updated_at: key.updated_at.map(|at| at.to_string()),
            replaces: key.replaces,
            replaced_by: key.replaced_by,
            revoked_at,
            revoked_reason,
            revoked_note,
            last_used_at: key.last_used_at.map(|at| at.to_string()),
        }
    }
}
