//! What the edge and the key service say to each other, as JSON over HTTP.
//!
//! Every answer carries the marker header [`SERVICE_MARKER`]; an answer without
//! it was made by something in between and counts as no answer at all.

mod edge;
mod incarnation;
mod report;
#[cfg(feature = "schema")]
mod schema;
mod uses;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

pub use self::incarnation::Incarnation;
pub use self::report::{EDGE_HEADER, EdgeName, EdgeReport, MAX_LEASE};
pub use self::uses::{KeyUse, MAX_USES, USES_PATH, UsesRequest};
use crate::identity::RateLimit;
use crate::keys::app_key::KeyHash;
use crate::text::names;
use crate::time::{Millis, UnixMillis};

/// Header name and value that only the key service sends.
pub const SERVICE_MARKER: (&str, &str) = ("x-keygate-service", "1");

/// Path of the lookup call.
pub const LOOKUPS_PATH: &str = "/v1/lookups";

/// Path of the change feed.
pub const CHANGES_PATH: &str = "/v1/changes";

/// Path of the call that uses up a link that works once.
pub const LINK_USES_PATH: &str = "/v1/links/uses";

/// Most hashes in one lookup.
pub const MAX_LOOKUP: usize = 100;

/// Most changes in one answer of the feed.
pub const MAX_CHANGES: usize = 1000;

/// How long the key service holds a poll of the feed at most.
pub const MAX_WAIT: Millis = Millis::from_secs(5);

/// Most bytes of an answer that the edge reads: 100 records of the largest kind.
pub const MAX_ANSWER: usize = 3 * 1024 * 1024;

/// `POST /v1/lookups`: which keys are these?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LookupRequest {
    /// 1 to 100 hashes.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_LOOKUP)))]
    pub hashes: Vec<KeyHash>,
    /// What the records are to have beside what every edge needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub want: Vec<Want>,
}

/// A part of a record that comes only if it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Want {
    /// The sealed data of the key.
    Sealed,
}

/// From a string and no other form of an enum.
impl<'de> Deserialize<'de> for Want {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        names::read(deserializer, &["sealed"]).map(|_| Self::Sealed)
    }
}

/// The answer to a lookup.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LookupResponse {
    /// The incarnation to which that epoch belongs; a constant for a service that names none.
    #[serde(default)]
    pub incarnation: Incarnation,
    /// Sequence number of the newest change that the records already contain.
    pub epoch: u64,
    /// One entry for each known hash; a hash without an entry is unknown.
    pub records: Vec<Record>,
}

/// What the edge must know of one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "KeyRecord"))]
pub struct Record {
    /// Which key.
    pub hash: KeyHash,
    /// Its public id.
    pub id: String,
    /// The owner of the key.
    pub account: String,
    /// Whether it may be used.
    pub status: Status,
    /// When the key expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixMillis>,
    /// The scopes of the key.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Addresses from which the key may be used; empty means anywhere.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub allowed_ips: Vec<IpNet>,
    /// Pages from which the key may be used; empty means any page, or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_referrers: Vec<String>,
    /// How many requests its holder may send; without one, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub rate_limit: Option<RateLimit>,
    /// A JSON object for the upstream.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "serde_json::Map<String, serde_json::Value>")
    )]
    pub metadata: Box<RawValue>,
    /// What is sealed under the text of the key, if it was asked for and there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
}

/// Whether a key may be used, apart from its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "KeyStatus"))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The key may be used.
    Active,
    /// The key is switched off, and can become active again. Keygate's key service never sends
    /// this status: it has no call that disables a key. Another service may.
    Disabled,
    /// The key is revoked permanently.
    Revoked,
}

/// `POST /v1/links/uses`: was this link used before? If not, it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkUseRequest {
    /// 1 to 160 visible ASCII characters.
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1, max = 160), regex(pattern = r"^[!-~]+$"))
    )]
    pub id: String,
    /// Until when it must be remembered.
    pub expires_at: UnixMillis,
    /// Whether to ask only, without using the link up.
    #[serde(default)]
    pub peek: bool,
}

/// Whether a link had been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkUseResponse {
    /// Whether the link had not been used before.
    pub first: bool,
}

/// `GET /v1/changes?after=N&incarnation=I&wait=1250ms`: what has changed since epoch N of that
/// incarnation. While nothing has, the answer waits so long, [`MAX_WAIT`] at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangesResponse {
    /// The incarnation to which the epoch belongs; a constant for a service that names none.
    #[serde(default)]
    pub incarnation: Incarnation,
    /// The epoch after these changes: ask for what comes `after` it next.
    pub epoch: u64,
    /// The service cannot say what has changed, so the edge must empty its caches.
    pub reset: bool,
    /// There is more to fetch at once.
    pub more: bool,
    /// Hashes of the keys that changed, oldest first.
    pub changed: Vec<KeyHash>,
}
