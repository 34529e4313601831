//! The bounded cache of one worker, and how it follows the change feed.

use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;

use crate::app_key::KeyHash;
use crate::record::{KeyLookup, Knowledge, KnownKey};
use crate::time::{Millis, UnixMillis};

/// The cache of one worker. Known and unknown keys have bounds of their own, so
/// that a flood of unknown ones pushes out no known one.
pub struct KeyCache {
    known: RefCell<LruCache<KeyHash, (Rc<KnownKey>, Epoch)>>,
    unknown: RefCell<LruCache<KeyHash, Epoch>>,
    lease: Millis,
    state: RefCell<Feed>,
    generation: Cell<u64>,
}

/// Sequence number of the newest change that an answer of the key service contains.
type Epoch = u64;

/// How far this worker has followed the change feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Feed {
    epoch: Option<Epoch>,
    renewed: Option<UnixMillis>,
}

impl KeyCache {
    /// An empty cache for at most `known` and `unknown` entries, which counts for
    /// `lease` after each successful poll of the change feed.
    pub fn new(known: NonZeroUsize, unknown: NonZeroUsize, lease: Millis) -> Self {
        Self {
            known: RefCell::new(LruCache::new(known)),
            unknown: RefCell::new(LruCache::new(unknown)),
            lease,
            state: RefCell::default(),
            generation: Cell::new(0),
        }
    }

    /// The epoch to ask the feed for what comes after; `None` before the first answer.
    pub fn epoch(&self) -> Option<u64> {
        self.state.borrow().epoch
    }

    /// Raised by each reset: what was asked for in an older one says nothing in this.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Keeps what the key service said of a hash as of `epoch`. `false` when the feed
    /// has passed that epoch: the answer may be older than a revocation.
    #[must_use]
    pub fn insert(&self, hash: KeyHash, key: Option<Rc<KnownKey>>, epoch: u64) -> bool {
        // Before the feed is followed nothing would revoke it: it counts for who waits,
        // and is not kept.
        if self.epoch().is_none() {
            return true;
        }
        let held = self.known.borrow().peek(&hash).map(|(_, asked)| *asked);
        if self.epoch().max(held).is_some_and(|seen| epoch < seen) {
            return false;
        }
        match key {
            Some(key) => {
                self.unknown.borrow_mut().pop(&hash);
                self.known.borrow_mut().put(hash, (key, epoch));
            }
            None => {
                self.known.borrow_mut().pop(&hash);
                self.unknown.borrow_mut().put(hash, epoch);
            }
        }
        true
    }

    /// Takes an answer of the feed that was asked for at `asked_at`: drops what changed
    /// and renews the lease from then. A partial answer renews nothing.
    pub fn follow(&self, changed: &[KeyHash], epoch: u64, is_whole: bool, asked_at: UnixMillis) {
        // What was asked for after these changes contains them: a key that is used as
        // soon as it was made is not asked for twice.
        let is_older = |asked: Option<Epoch>| asked.is_some_and(|asked| asked < epoch);
        let (mut known, mut unknown) = (self.known.borrow_mut(), self.unknown.borrow_mut());
        for hash in changed {
            if is_older(known.peek(hash).map(|(_, asked)| *asked)) {
                known.pop(hash);
            }
            if is_older(unknown.peek(hash).copied()) {
                unknown.pop(hash);
            }
        }
        let mut state = self.state.borrow_mut();
        state.epoch = Some(epoch);
        if is_whole {
            state.renewed = Some(asked_at);
        }
    }

    /// Forgets everything: the feed cannot say what has changed. The lease goes on
    /// from `asked_at`, with nothing in the cache.
    pub fn reset(&self, epoch: u64, asked_at: UnixMillis) {
        self.known.borrow_mut().clear();
        self.unknown.borrow_mut().clear();
        self.generation.set(self.generation.get().wrapping_add(1));
        *self.state.borrow_mut() = Feed {
            epoch: Some(epoch),
            renewed: Some(asked_at),
        };
    }

    fn is_fresh(&self, now: UnixMillis) -> bool {
        let renewed = self.state.borrow().renewed;
        // A clock that was set back must not stretch the lease.
        renewed.is_some_and(|at| at <= now && now < at.plus(self.lease))
    }
}

impl KeyLookup for KeyCache {
    fn find(&self, hash: &KeyHash, now: UnixMillis) -> Knowledge {
        if !self.is_fresh(now) {
            return Knowledge::NotAsked;
        }
        if let Some((key, _)) = self.known.borrow_mut().get(hash) {
            return Knowledge::Known(Rc::clone(key));
        }
        match self.unknown.borrow_mut().get(hash) {
            Some(_) => Knowledge::Unknown,
            None => Knowledge::NotAsked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> KeyHash {
        KeyHash([byte; 32])
    }

    fn known() -> Rc<KnownKey> {
        let record = serde_json::json!({
            "hash": hash(1), "id": "AbCdEfGhIj", "account": "alice", "status": "active",
            "metadata": {}
        });
        let record = serde_json::from_value(record).unwrap();
        Rc::new(KnownKey::try_from(&record).unwrap())
    }

    fn cache() -> KeyCache {
        let two = NonZeroUsize::new(2).unwrap();
        let cache = KeyCache::new(two, two, Millis(60));
        cache.follow(&[], 5, true, UnixMillis(100));
        cache
    }

    #[test]
    fn a_cached_key_counts_only_while_the_lease_is_fresh() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), 5));
        let found = |now| cache.find(&hash(1), UnixMillis(now));
        assert_eq!(found(159), Knowledge::Known(known()));
        assert_eq!(found(160), Knowledge::NotAsked);
        cache.follow(&[], 5, false, UnixMillis(150));
        assert_eq!(
            found(160),
            Knowledge::NotAsked,
            "a partial answer renews nothing"
        );
        cache.follow(&[], 5, true, UnixMillis(150));
        assert_eq!(found(160), Knowledge::Known(known()));
    }

    #[test]
    fn an_answer_older_than_the_feed_cannot_resurrect_a_key() {
        let cache = cache();
        cache.follow(&[hash(1)], 6, true, UnixMillis(100));
        assert!(!cache.insert(hash(1), Some(known()), 5));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn what_changed_is_dropped_whether_known_or_unknown() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), 5));
        assert!(cache.insert(hash(2), None, 5));
        assert_eq!(cache.find(&hash(2), UnixMillis(100)), Knowledge::Unknown);
        cache.follow(&[hash(1), hash(2)], 7, true, UnixMillis(100));
        for byte in [1, 2] {
            assert_eq!(
                cache.find(&hash(byte), UnixMillis(100)),
                Knowledge::NotAsked
            );
        }
        assert!(cache.insert(hash(1), Some(known()), 7));
        cache.reset(3, UnixMillis(100));
        assert_eq!(cache.epoch(), Some(3));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn what_was_asked_for_after_a_change_survives_the_news_of_it() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), 7));
        cache.follow(&[hash(1)], 7, true, UnixMillis(100));
        assert_eq!(
            cache.find(&hash(1), UnixMillis(100)),
            Knowledge::Known(known())
        );
        cache.follow(&[hash(1)], 8, true, UnixMillis(100));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn before_the_feed_is_followed_nothing_is_kept() {
        let two = NonZeroUsize::new(2).unwrap();
        let cache = KeyCache::new(two, two, Millis(60));
        assert!(cache.insert(hash(1), Some(known()), 5));
        cache.follow(&[], 6, true, UnixMillis(100));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stretch_the_lease() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), 5));
        assert_eq!(cache.find(&hash(1), UnixMillis(99)), Knowledge::NotAsked);
    }

    #[test]
    fn a_reset_begins_a_generation() {
        let cache = cache();
        let before = cache.generation();
        assert!(cache.insert(hash(2), None, 5));
        cache.reset(3, UnixMillis(100));
        assert_ne!(cache.generation(), before);
        assert_eq!(cache.find(&hash(2), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn a_late_answer_does_not_replace_a_newer_one() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), 7));
        assert!(!cache.insert(hash(1), None, 6));
        assert_eq!(
            cache.find(&hash(1), UnixMillis(100)),
            Knowledge::Known(known())
        );
    }

    #[test]
    fn a_flood_of_unknown_keys_pushes_out_no_known_one() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), 5));
        for byte in 2..200 {
            assert!(cache.insert(hash(byte), None, 5));
        }
        assert_eq!(
            cache.find(&hash(1), UnixMillis(100)),
            Knowledge::Known(known())
        );
        assert_eq!(cache.find(&hash(2), UnixMillis(100)), Knowledge::NotAsked);
        assert_eq!(cache.find(&hash(199), UnixMillis(100)), Knowledge::Unknown);
    }
}
