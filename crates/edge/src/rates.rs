//! How many requests the holder of a key and an account may send: token buckets in bounded memory.
//!
//! Each worker counts what it sees: the limit is exact for a client whose requests reach one
//! worker, and N workers let at most N times as much pass. Envoy spreads connections, not requests,
//! over its workers; a share of the limit for each would reject a client that uses one connection
//! long before its limit.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::hash::BuildHasher as _;

use keygate_core::decision::Exceeded;
use keygate_core::identity::{Identity, RateLimit};
use keygate_core::{Edit, Grant, Outcome, Reason, UnixMillis};
use lru::LruCache;

use crate::bucket::{Bucket, Micros, Pace};
use crate::cache::Seed;

/// Most keys and accounts that a worker counts. What has not sent a request for longest is
/// forgotten first, and may begin again.
pub(crate) const MAX_COUNTED: usize = 50_000;

/// The buckets of one worker.
pub(crate) struct Rates {
    /// By the digest of who is counted.
    buckets: RefCell<LruCache<u64, Bucket, Seed>>,
    max: usize,
    seed: Seed,
}

/// What is known of a request that has a limit.
pub(crate) struct Counted {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
    pub(crate) headers: [(&'static str, String); 2],
    /// Which limit does not permit it, if one does not.
    pub(crate) exceeded: Option<Exceeded>,
}

/// A limit that a request counts for.
struct Share {
    name: &'static str,
    reason: Reason,
    limit: RateLimit,
    pace: Pace,
    digest: u64,
}

impl Rates {
    /// Full buckets, and room for at most `max`.
    pub(crate) fn new(max: usize, seed: Seed) -> Self {
        Self {
            buckets: LruCache::unbounded_with_hasher(seed.derive()).into(),
            max,
            seed,
        }
    }

    /// Counts a request that may pass; `None` if it has no limit.
    ///
    /// One that exceeds a limit counts for none.
    pub(crate) fn count(
        &self,
        grant: &Grant,
        of_account: Option<RateLimit>,
        now: UnixMillis,
    ) -> Option<Counted> {
        let identity = grant.identity.as_deref()?;
        if of_account.is_none() && identity.rate_limit.is_none() {
            return None;
        }
        if grant.outcome != Outcome::Verified {
            return None;
        }
        let now = Micros::from(now);
        let shares = self.shares(identity, of_account);
        for share in shares.iter().flatten() {
            self.settle(share, now);
        }
        let exceeded = shares
            .iter()
            .flatten()
            .find_map(|it| self.exceeded(it, now));
        if exceeded.is_none() {
            for share in shares.iter().flatten() {
                self.take(share, now);
            }
        }
        let (mut policy, mut state) = (String::new(), String::new());
        for share in shares.iter().flatten() {
            let comma = if policy.is_empty() { "" } else { ", " };
            let bucket = self.bucket(share);
            let (name, limit) = (share.name, share.limit);
            let (quota, window) = (limit.requests(), limit.seconds());
            let left = bucket.tokens(share.pace, now);
            let reset = seconds(bucket.full_at().since(now));
            // Writing to a text does not fail.
            let _ = write!(policy, "{comma}\"{name}\";q={quota};w={window}");
            let _ = write!(state, "{comma}\"{name}\";r={left};t={reset}");
        }
        Some(Counted {
            headers: [("ratelimit-policy", policy), ("ratelimit", state)],
            exceeded,
        })
    }

    fn shares(&self, identity: &Identity, of_account: Option<RateLimit>) -> [Option<Share>; 2] {
        let share = |name, reason, text: &str, limit| Share {
            name,
            reason,
            limit,
            pace: Pace::of(limit),
            digest: self.seed.hash_one((name, text)),
        };
        let key = identity.key_id.as_deref().zip(identity.rate_limit);
        let key = key.map(|(id, limit)| share("key", Reason::KeyRateLimited, id, limit));
        let account = of_account.map(|limit| {
            share(
                "account",
                Reason::AccountRateLimited,
                &identity.account,
                limit,
            )
        });
        [key, account]
    }

    fn bucket(&self, share: &Share) -> Bucket {
        self.buckets
            .borrow()
            .peek(&share.digest)
            .copied()
            .unwrap_or_default()
    }

    fn settle(&self, share: &Share, now: Micros) {
        if let Some(bucket) = self.buckets.borrow_mut().peek_mut(&share.digest) {
            bucket.settle(share.pace, now);
        }
    }

    fn exceeded(&self, share: &Share, now: Micros) -> Option<Exceeded> {
        let wait = self.bucket(share).wait(share.pace, now);
        (wait > 0).then(|| Exceeded {
            reason: share.reason,
            retry_after: seconds(wait),
        })
    }

    fn take(&self, share: &Share, now: Micros) {
        let mut bucket = self.bucket(share);
        bucket.take(share.pace, now);
        let mut buckets = self.buckets.borrow_mut();
        buckets.put(share.digest, bucket);
        if buckets.len() > self.max {
            buckets.pop_lru();
        }
    }
}

impl Counted {
    /// What the client of a request that passes learns.
    pub(crate) fn edits(self) -> impl Iterator<Item = Edit> {
        // Beside those of an upstream that has limits of its own.
        let edit = |(name, value): (&'static str, String)| {
            Edit::Add(name.into(), value.into_bytes().into())
        };
        self.headers.into_iter().map(edit)
    }
}

/// Whole seconds, rounded up.
fn seconds(micros: u64) -> u64 {
    micros.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_quiet_for_longest_is_forgotten_first() {
        let rates = Rates::new(2, Seed([1, 2]));
        let limit = RateLimit::parse("1/1m").unwrap();
        let now = UnixMillis(1_700_000_000_000);
        let is_exceeded = |id: &str| {
            let identity = Identity {
                key_id: Some(id.to_owned()),
                rate_limit: Some(limit),
                ..Identity::default()
            };
            let grant = Grant {
                edits: Vec::new(),
                state: Vec::new(),
                identity: Some(identity.into()),
                response_edits: Vec::new(),
                outcome: Outcome::Verified,
                rule: None,
            };
            rates.count(&grant, None, now).unwrap().exceeded.is_some()
        };
        assert!(!is_exceeded("a") && !is_exceeded("b"));
        assert!(is_exceeded("a") && is_exceeded("b"));
        assert!(!is_exceeded("c"));
        assert!(!is_exceeded("a"), "it was forgotten");
        assert!(is_exceeded("c"));
        assert_eq!(rates.buckets.borrow().len(), 2);
    }
}
