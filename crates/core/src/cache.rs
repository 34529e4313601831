//! The bounded cache of one worker, and how it follows the change feed.

mod bounded;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bounded::Bounded;
pub use bounded::Seed;

use crate::app_key::KeyHash;
use crate::feed::Position;
use crate::reason::Reason;
use crate::record::{KeyLookup, Knowledge, KnownKey};
use crate::time::{Millis, UnixMillis};

/// The cache of one worker. Known and unknown keys have bounds of their own, so
/// that a flood of unknown ones pushes out no known one.
///
/// What was used least recently goes first. A flood of keys that are known, each used
/// once, displaces a key only when more of them than fit come between two of its uses,
/// and then costs it one lookup: strangers have no such keys.
pub struct KeyCache {
    known: RefCell<Bounded<(Rc<KnownKey>, Epoch)>>,
    unknown: RefCell<Bounded<Epoch>>,
    /// What has changed, and was not asked about since: it may have been revoked.
    changed: RefCell<Bounded<Epoch>>,
    lease: Millis,
    state: RefCell<Feed>,
    generation: Cell<u64>,
}

/// Sequence number of the newest change that an answer of the key service contains.
type Epoch = u64;

/// How far this worker has followed the change feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Feed {
    position: Option<Position>,
    renewed: Option<UnixMillis>,
    /// When the lease was last looked at.
    seen: UnixMillis,
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

impl KeyCache {
    /// An empty cache, which counts for `lease` after each successful poll of the change
    /// feed.
    pub fn new(bounds: CacheBounds, seed: Seed, lease: Millis) -> Self {
        let CacheBounds {
            max_known,
            max_unknown,
            max_bytes,
        } = bounds;
        let for_unknown = max_bytes / 16;
        let for_known = max_bytes.saturating_sub(max_bytes / 8);
        let of_unknown = seed.derive();
        Self {
            known: RefCell::new(Bounded::new(max_known, for_known, seed)),
            unknown: RefCell::new(Bounded::new(max_unknown, for_unknown, of_unknown)),
            changed: RefCell::new(Bounded::new(max_unknown, for_unknown, of_unknown.derive())),
            lease,
            state: RefCell::default(),
            generation: Cell::new(0),
        }
    }

    /// How far the feed was followed; `None` before its first answer.
    pub fn position(&self) -> Option<Position> {
        self.state.borrow().position
    }

    /// Raised by each reset and with each incarnation: what was asked for in an older one
    /// says nothing in this.
    pub fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Keeps what the key service said of a hash as of `at`. `false` when the feed has
    /// passed that epoch: the answer may be older than a revocation.
    #[must_use]
    pub fn insert(&self, hash: KeyHash, key: Option<Rc<KnownKey>>, at: Position) -> bool {
        let epoch = at.epoch;
        // Before the feed of this incarnation is followed nothing would revoke it: it counts
        // for who waits, and is not kept.
        let Some(seen) = self
            .position()
            .filter(|it| it.incarnation == at.incarnation)
        else {
            return true;
        };
        let held = self.known.borrow().peek(&hash).map(|(_, asked)| *asked);
        if epoch < seen.epoch || held.is_some_and(|held| epoch < held) {
            return false;
        }
        self.changed.borrow_mut().pop(&hash);
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
    pub fn follow(&self, changed: &[KeyHash], to: Position, is_whole: bool, asked_at: UnixMillis) {
        let before = self.position();
        if let Some(before) = before.filter(|it| it.incarnation != to.incarnation) {
            self.forget_ahead_of(before.epoch);
            self.begin_generation();
        }
        // What was asked for after these changes contains them: a key that is used as
        // soon as it was made is not asked for twice.
        let is_older = |asked: Option<Epoch>| asked.is_some_and(|asked| asked < to.epoch);
        let (mut known, mut unknown) = (self.known.borrow_mut(), self.unknown.borrow_mut());
        for hash in changed {
            if is_older(known.peek(hash).map(|(_, asked)| *asked)) {
                known.pop(hash);
            }
            if is_older(unknown.peek(hash).copied()) {
                unknown.pop(hash);
            }
            if !known.contains(hash) && !unknown.contains(hash) {
                self.changed.borrow_mut().put(*hash, to.epoch);
            }
        }
        let mut state = self.state.borrow_mut();
        state.position = Some(to);
        if is_whole {
            state.renewed = Some(asked_at);
        }
    }

    /// Forgets everything: the feed cannot say what has changed. The lease goes on
    /// from `asked_at`, with nothing in the cache.
    pub fn reset(&self, to: Position, asked_at: UnixMillis) {
        self.known.borrow_mut().clear();
        self.unknown.borrow_mut().clear();
        self.begin_generation();
        let mut state = self.state.borrow_mut();
        state.position = Some(to);
        state.renewed = Some(asked_at);
    }

    /// Looks at the clock, so that the lease ends in time even if it is set back. To be
    /// called often: between two calls the lease may be longer by their distance.
    pub fn observe(&self, now: UnixMillis) {
        let mut state = self.state.borrow_mut();
        let back = state.seen.0.saturating_sub(now.0);
        state.seen = now;
        // A beginning that lies ahead is from before the clock was set back by so much.
        let renewed = state
            .renewed
            .map(|at| UnixMillis(at.0.saturating_sub(back)));
        state.renewed = renewed.filter(|at| *at <= now);
    }

    /// Of what lookups said ahead of the feed nothing may be left when the database begins
    /// another life: it may have been lost with the old one, and the numbers be given again.
    fn forget_ahead_of(&self, epoch: Epoch) {
        let (mut known, mut unknown) = (self.known.borrow_mut(), self.unknown.borrow_mut());
        known.retain(|(_, asked)| *asked <= epoch);
        unknown.retain(|asked| *asked <= epoch);
    }

    fn begin_generation(&self) {
        self.generation.set(self.generation.get().wrapping_add(1));
    }

    fn is_fresh(&self, now: UnixMillis) -> bool {
        self.observe(now);
        let renewed = self.state.borrow().renewed;
        renewed.is_some_and(|at| now < at.plus(self.lease))
    }
}

impl KeyLookup for KeyCache {
    #[inline]
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

/// What is known while the key service is away: what the cache holds, and beyond its lease
/// what was last known. Never [`Knowledge::NotAsked`].
pub struct LastKnown<'a>(pub &'a KeyCache);

impl KeyLookup for LastKnown<'_> {
    #[inline]
    fn find(&self, hash: &KeyHash, now: UnixMillis) -> Knowledge {
        let Self(cache) = self;
        let found = cache.find(hash, now);
        if found != Knowledge::NotAsked {
            return found;
        }
        if let Some((key, _)) = cache.known.borrow().peek(hash) {
            return Knowledge::Outdated(Some(Rc::clone(key)));
        }
        let is_doubtful =
            cache.unknown.borrow().contains(hash) || cache.changed.borrow().contains(hash);
        match is_doubtful {
            true => Knowledge::Unavailable(Reason::KeyServiceUnavailable),
            false => Knowledge::Outdated(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Incarnation;

    fn hash(byte: u8) -> KeyHash {
        KeyHash([byte; 32])
    }

    fn at(epoch: u64) -> Position {
        Position {
            incarnation: Incarnation([1; 16]),
            epoch,
        }
    }

    /// A place in the life that follows that of [`at`].
    fn later(epoch: u64) -> Position {
        Position {
            incarnation: Incarnation([2; 16]),
            epoch,
        }
    }

    fn known() -> Rc<KnownKey> {
        let record = serde_json::json!({
            "hash": hash(1), "id": "AbCdEfGhIj", "account": "alice", "status": "active",
            "metadata": {}
        });
        let record = serde_json::from_value(record).unwrap();
        Rc::new(KnownKey::try_from(&record).unwrap())
    }

    fn empty() -> KeyCache {
        let bounds = CacheBounds {
            max_known: 2,
            max_unknown: 2,
            ..CacheBounds::default()
        };
        KeyCache::new(bounds, Seed([1, 2]), Millis(60))
    }

    fn cache() -> KeyCache {
        let cache = empty();
        cache.follow(&[], at(5), true, UnixMillis(100));
        cache
    }

    #[test]
    fn a_cached_key_counts_only_while_the_lease_is_fresh() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), at(5)));
        let found = |now| cache.find(&hash(1), UnixMillis(now));
        assert_eq!(found(159), Knowledge::Known(known()));
        assert_eq!(found(160), Knowledge::NotAsked);
        cache.follow(&[], at(5), false, UnixMillis(150));
        assert_eq!(
            found(160),
            Knowledge::NotAsked,
            "a partial answer renews nothing"
        );
        cache.follow(&[], at(5), true, UnixMillis(150));
        assert_eq!(found(160), Knowledge::Known(known()));
    }

    #[test]
    fn an_answer_older_than_the_feed_cannot_resurrect_a_key() {
        let cache = cache();
        cache.follow(&[hash(1)], at(6), true, UnixMillis(100));
        assert!(!cache.insert(hash(1), Some(known()), at(5)));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn what_changed_is_dropped_whether_known_or_unknown() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), at(5)));
        assert!(cache.insert(hash(2), None, at(5)));
        assert_eq!(cache.find(&hash(2), UnixMillis(100)), Knowledge::Unknown);
        cache.follow(&[hash(1), hash(2)], at(7), true, UnixMillis(100));
        for byte in [1, 2] {
            assert_eq!(
                cache.find(&hash(byte), UnixMillis(100)),
                Knowledge::NotAsked
            );
        }
        assert!(cache.insert(hash(1), Some(known()), at(7)));
        cache.reset(at(3), UnixMillis(100));
        assert_eq!(cache.position(), Some(at(3)));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn what_was_asked_for_after_a_change_survives_the_news_of_it() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), at(7)));
        cache.follow(&[hash(1)], at(7), true, UnixMillis(100));
        assert_eq!(
            cache.find(&hash(1), UnixMillis(100)),
            Knowledge::Known(known())
        );
        cache.follow(&[hash(1)], at(8), true, UnixMillis(100));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn before_the_feed_is_followed_nothing_is_kept() {
        let cache = empty();
        assert!(cache.insert(hash(1), Some(known()), at(5)));
        cache.follow(&[], at(6), true, UnixMillis(100));
        assert_eq!(cache.find(&hash(1), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn a_clock_that_is_set_back_neither_stretches_the_lease_nor_ends_it() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), at(5)));
        let is_known = |now| cache.find(&hash(1), UnixMillis(now)) == Knowledge::Known(known());
        // Fifty of the sixty have gone, then the clock is set back by seventy-five.
        assert!(is_known(150));
        assert!(is_known(75));
        assert!(is_known(84));
        assert!(!is_known(85));
        assert!(!is_known(155), "what has ended does not begin again");
        cache.follow(&[], at(5), true, UnixMillis(155));
        assert!(is_known(156));
    }

    #[test]
    fn a_poll_from_before_the_clock_was_set_back_renews_nothing_for_good() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), at(5)));
        let is_known = |now| cache.find(&hash(1), UnixMillis(now)) == Knowledge::Known(known());
        assert!(!is_known(99));
        assert!(!is_known(100), "the clock is back where it was");
        cache.follow(&[], at(5), true, UnixMillis(101));
        assert!(is_known(102));
    }

    #[test]
    fn a_clock_that_is_set_forward_ends_the_lease_until_the_next_poll() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), at(5)));
        let is_known = |now| cache.find(&hash(1), UnixMillis(now)) == Knowledge::Known(known());
        assert!(!is_known(9_000));
        cache.follow(&[], at(5), true, UnixMillis(9_000));
        assert!(is_known(9_001));
    }

    #[test]
    fn an_answer_of_another_incarnation_counts_for_who_waits_and_is_not_kept() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), later(9)));
        assert!(cache.insert(hash(2), None, later(9)));
        for byte in [1, 2] {
            let found = cache.find(&hash(byte), UnixMillis(100));
            assert_eq!(found, Knowledge::NotAsked);
        }
    }

    #[test]
    fn an_incarnation_that_goes_on_keeps_what_the_feed_had_confirmed_and_no_more() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), at(5)));
        // Ahead of the feed: the old life may have ended before, and took this with it.
        assert!(cache.insert(hash(2), Some(known()), at(9)));
        assert!(cache.insert(hash(3), None, at(9)));
        let before = cache.generation();
        cache.follow(&[], later(7), true, UnixMillis(100));
        let find = |byte| cache.find(&hash(byte), UnixMillis(100));
        assert_eq!(find(1), Knowledge::Known(known()));
        assert_eq!(
            (find(2), find(3)),
            (Knowledge::NotAsked, Knowledge::NotAsked)
        );
        assert_ne!(
            cache.generation(),
            before,
            "what was asked for before is old"
        );
        assert!(cache.insert(hash(2), Some(known()), later(7)));
        cache.follow(&[hash(1), hash(2)], later(8), true, UnixMillis(100));
        assert_eq!(
            (find(1), find(2)),
            (Knowledge::NotAsked, Knowledge::NotAsked)
        );
    }

    #[test]
    fn a_reset_begins_a_generation() {
        let cache = cache();
        let before = cache.generation();
        assert!(cache.insert(hash(2), None, at(5)));
        cache.reset(at(3), UnixMillis(100));
        assert_ne!(cache.generation(), before);
        assert_eq!(cache.find(&hash(2), UnixMillis(100)), Knowledge::NotAsked);
    }

    #[test]
    fn a_late_answer_does_not_replace_a_newer_one() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), at(7)));
        assert!(!cache.insert(hash(1), None, at(6)));
        assert_eq!(
            cache.find(&hash(1), UnixMillis(100)),
            Knowledge::Known(known())
        );
    }

    #[test]
    fn in_an_outage_the_last_that_was_known_speaks() {
        let cache = cache();
        let away = LastKnown(&cache);
        let doubt = Knowledge::Unavailable(Reason::KeyServiceUnavailable);
        assert!(cache.insert(hash(1), Some(known()), at(5)));
        assert!(cache.insert(hash(2), None, at(5)));
        let find = |byte, now| away.find(&hash(byte), UnixMillis(now));
        assert_eq!(find(1, 159), Knowledge::Known(known()));
        assert_eq!(find(2, 159), Knowledge::Unknown);
        assert_eq!(find(3, 159), Knowledge::Outdated(None));
        assert_eq!(find(1, 160), Knowledge::Outdated(Some(known())));
        assert_eq!(find(2, 160), doubt, "unknown when it was last asked about");
        cache.follow(&[hash(1), hash(4)], at(6), true, UnixMillis(100));
        assert_eq!(find(1, 100), doubt, "it may have been revoked");
        assert_eq!(find(4, 100), doubt);
        assert!(cache.insert(hash(1), Some(known()), at(6)));
        assert_eq!(find(1, 160), Knowledge::Outdated(Some(known())));
    }

    #[test]
    fn a_flood_of_unknown_keys_pushes_out_no_known_one() {
        let cache = cache();
        assert!(cache.insert(hash(1), Some(known()), at(5)));
        for byte in 2..200 {
            assert!(cache.insert(hash(byte), None, at(5)));
        }
        assert_eq!(
            cache.find(&hash(1), UnixMillis(100)),
            Knowledge::Known(known())
        );
        assert_eq!(cache.find(&hash(2), UnixMillis(100)), Knowledge::NotAsked);
        assert_eq!(cache.find(&hash(199), UnixMillis(100)), Knowledge::Unknown);
    }
}
