//! The audit log: what was done, by whom. Each entry has a digest over the one before, so that an
//! entry that is altered, removed or put in later is found.

use keygate_core::text::hex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What happened. The order of the fields is that of the text which the digest covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its number: one more than that of the entry before.
    pub seq: u64,
    /// When, in RFC 3339.
    pub at: String,
    /// Who: `environment` or `token:<id>` for an admin, `account:<account>` for a session,
    /// `key:<id>` for a key, `holder` for who has nothing but the key.
    pub actor: String,
    /// What, such as `key.create`.
    pub action: String,
    /// The id of the key or token that it was done to.
    pub target: Option<String>,
    /// The account of that key.
    pub account: Option<String>,
    /// More about it.
    pub detail: Option<String>,
    /// The id of the request, as in its answer and in the log.
    pub request_id: Option<String>,
    /// The space of that key, or that the token is bound to. Older entries have none, and so has the
    /// text that their digests cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
}

/// An entry with its digest: a line of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct Line {
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
    /// 64 hexadecimal digits.
    pub digest: String,
}

/// A digest of SHA-256.
pub type Digest = [u8; 32];

/// The digest before the first entry.
pub const START: Digest = [0; 32];

impl Entry {
    /// The digest of this entry after one with the digest `before`.
    pub fn digest(&self, before: &Digest) -> Digest {
        let mut digest = Sha256::new();
        digest.update(before);
        // No struct of numbers and texts fails.
        digest.update(serde_json::to_vec(self).unwrap_or_default());
        digest.finalize().into()
    }
}

/// Parses the 64 hexadecimal digits of a digest.
pub fn parse_digest(text: &str) -> Option<Digest> {
    hex::decode(text.as_bytes())?.try_into().ok()
}
