//! How to reach the key service, and what to ask it.

use crate::keys::app_key::KeyHash;
use crate::keys::failure_limit::FailureLimit;
use crate::keys::wire::{MAX_WAIT, Want};
use crate::secret::Secret;
use crate::time::Millis;

/// How to reach the key service.
#[derive(Clone, Debug)]
pub struct KeyService {
    /// Name of the Envoy cluster for lookups and uses of links.
    pub cluster: String,
    /// Name of the Envoy cluster for polls of the change feed.
    pub poll_cluster: String,
    /// `:authority` of the calls.
    pub authority: String,
    /// The edge token.
    pub token: Secret,
    /// How long a call may take.
    pub timeout: Millis,
    /// Minimum interval between polls of the change feed.
    pub poll: Millis,
    /// How long cached keys count without news from the feed.
    pub lease: Millis,
    /// How many keys a worker remembers.
    pub cache: CacheBounds,
    /// How many unknown keys clients may present to a worker.
    pub miss_limit: FailureLimit,
    /// Whether a rule lets keys pass that cannot be looked up, such as revoked ones.
    pub allows_outage: bool,
    /// What else to ask for with a key, because a rule needs it.
    pub want: Vec<Want>,
}

/// A question to the key service: which key is this?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The hash under which the key is stored, or every hash under which it may be.
    pub hashes: Vec<KeyHash>,
    /// Every client can make up such a key, so the lookup counts against the client's
    /// [`KeyService::miss_limit`].
    pub is_opaque: bool,
}

impl Lookup {
    /// The question about a key that one of our secrets has made.
    pub fn of(hash: KeyHash) -> Self {
        Self {
            hashes: vec![hash],
            is_opaque: false,
        }
    }
}

impl KeyService {
    /// How long the service may hold a poll while nothing changes.
    ///
    /// Longer than [`Self::poll`], so that the next poll follows at once. Not much longer,
    /// since a connection that died without a word is noticed only after it: with the usual
    /// values a revocation is in time (2 s) even if one poll is lost. It is also short
    /// compared with the lease, which an answer renews only from the time of the poll.
    pub fn wait(&self) -> Millis {
        let wait = Millis(self.poll.0.saturating_mul(5) / 4);
        wait.min(Millis(self.lease.0 / 4)).min(MAX_WAIT)
    }

    /// Two calls and a second: what has not come by then, the host has lost.
    pub fn patience(&self) -> Millis {
        Millis(self.timeout.0.saturating_mul(2).saturating_add(1000))
    }
}

/// How much a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheBounds {
    /// Most keys that the key service knows.
    pub max_known: usize,
    /// Most hashes that it does not know.
    pub max_unknown: usize,
    /// Most bytes of all together, an eighth of them for what is not known.
    pub max_bytes: usize,
}

impl CacheBounds {
    /// Least `max_bytes`: a record of the largest kind fits several times.
    pub const MIN_BYTES: usize = 1 << 20;
}

impl Default for CacheBounds {
    fn default() -> Self {
        Self {
            max_known: 50_000,
            max_unknown: 10_000,
            max_bytes: 32 << 20,
        }
    }
}
