//! A stored key: what is known of it, and how the API shows it.

use keygate_core::UnixMillis;
use keygate_core::keys::KeyHash;
use serde::Serialize;

use crate::attributes::Attributes;

/// A key as the store knows it. Its hash and its secret are no part of it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The public id: 10 letters or digits.
    pub id: String,
    /// The public part of the text, such as `kg_01<id>`.
    pub start: String,
    /// What was said of it.
    pub attributes: Attributes,
    /// When it was made.
    pub created_at: UnixMillis,
    /// The id of the key by which it was asked for, if it was one.
    pub created_by: Option<String>,
    /// Its end, if that has come.
    pub revoked: Option<Revocation>,
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
    /// The id of the key by which it is asked for, if it is one.
    pub created_by: Option<String>,
    /// Everything else.
    pub attributes: Attributes,
}

/// The end of a key: final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: UnixMillis,
    /// The reason, in the words of the caller.
    pub reason: Option<String>,
}

/// Whether a key may be used now. A revoked key is revoked, expired or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It may.
    Active,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
}

impl Standing {
    /// Reads the word that the API writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "active" => Some(Self::Active),
            "revoked" => Some(Self::Revoked),
            "expired" => Some(Self::Expired),
            _ => None,
        }
    }
}

impl Key {
    /// Whether it may be used at `now`.
    pub fn standing(&self, now: UnixMillis) -> Standing {
        if self.revoked.is_some() {
            Standing::Revoked
        } else if self.attributes.expires_at.is_some_and(|at| at <= now) {
            Standing::Expired
        } else {
            Standing::Active
        }
    }
}

/// The key object of the API. Times are RFC 3339, absent values are `null`.
#[derive(Debug, Serialize)]
pub struct KeyObject {
    id: String,
    start: String,
    #[serde(flatten)]
    attributes: Attributes,
    status: Standing,
    created_at: String,
    created_by: Option<String>,
    revoked_at: Option<String>,
    revoked_reason: Option<String>,
}

impl KeyObject {
    /// Shows a key with its status at `now`.
    pub fn new(key: Key, now: UnixMillis) -> Self {
        let status = key.standing(now);
        let (revoked_at, revoked_reason) = match key.revoked {
            Some(revocation) => (Some(revocation.at.to_string()), revocation.reason),
            None => (None, None),
        };
        Self {
            id: key.id,
            start: key.start,
            attributes: key.attributes,
            status,
            created_at: key.created_at.to_string(),
            created_by: key.created_by,
            revoked_at,
            revoked_reason,
        }
    }
}
