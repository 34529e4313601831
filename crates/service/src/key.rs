//! A stored key: what is known of it, and how the API shows it.

use ipnet::IpNet;
use keygate_core::time::UnixMillis;
use serde::Serialize;
use serde_json::value::RawValue;

/// A key as the store knows it. Its hash and its secret are no part of it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The public id: 10 letters or digits.
    pub id: String,
    /// The public part of the text, such as `kg_01<id>`.
    pub start: String,
    /// Whose it is.
    pub account: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// A JSON object, exactly as it was sent.
    pub metadata: Box<RawValue>,
    /// From where it may be used; empty means from anywhere.
    pub allowed_ips: Vec<IpNet>,
    /// From which pages it may be used; empty means from any, and from none.
    pub allowed_referrers: Vec<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// First instant at which it may not be used.
    pub expires_at: Option<UnixMillis>,
    /// Its end, if that has come.
    pub revoked: Option<Revocation>,
}

/// The end of a key: final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: UnixMillis,
    /// Why, in the words of whoever did it.
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
        } else if self.expires_at.is_some_and(|at| at <= now) {
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
    account: String,
    name: Option<String>,
    status: Standing,
    scopes: Vec<String>,
    metadata: Box<RawValue>,
    allowed_ips: Vec<IpNet>,
    allowed_referrers: Vec<String>,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    revoked_reason: Option<String>,
}

impl KeyObject {
    /// Shows a key as it stands at `now`.
    pub fn new(key: Key, now: UnixMillis) -> Self {
        let status = key.standing(now);
        let (revoked_at, revoked_reason) = match key.revoked {
            Some(revocation) => (Some(revocation.at.to_string()), revocation.reason),
            None => (None, None),
        };
        Self {
            id: key.id,
            start: key.start,
            account: key.account,
            name: key.name,
            status,
            scopes: key.scopes,
            metadata: key.metadata,
            allowed_ips: key.allowed_ips,
            allowed_referrers: key.allowed_referrers,
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            revoked_at,
            revoked_reason,
        }
    }
}
