//! API keys: how one is made and recognised, what is known of it, and what the edge and the
//! key service send each other.

pub(crate) mod app_key;
pub(crate) mod failure_limit;
pub(crate) mod record;
pub(crate) mod sealed;
pub(crate) mod service;
pub mod wire;

pub use app_key::{
    AppKey, AppKeyError, KeyDigest, KeyHash, KeyRingId, MalformedDigest, MalformedKey,
    MalformedOpaqueKey, MasterSecret, NewAppKey, OpaqueKey, Prefix, looks_like_digest,
};
pub use failure_limit::FailureLimit;
pub use record::{
    Answer, CountPlace, Found, KeyLookup, Knowledge, KnownKey, NoAnswer, NothingKnown,
    UnusableRecord,
};
pub use sealed::{
    BrokenSeal, Locked, MalformedSealed, NotSealable, SealKey, Sealed, SealedHeaders,
};
pub use service::{CacheBounds, KeyService, Lookup};
