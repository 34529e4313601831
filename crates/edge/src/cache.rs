//! The bounded cache of one worker, and how it follows the change feed.

mod bounded;

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use bounded::Bounded;
pub use bounded::Seed;

use crate::feed::Position;
use crate::key_uses::{Presented, Use};
use keygate_core::keys::{CacheBounds, Found, KeyHash, KeyLookup, Knowledge, KnownKey};
use keygate_core::{Millis, Reason, UnixMillis};

/// The cache of one worker. Known and unknown keys have bounds of their own, so
/// that a flood of unknown ones pushes out no known one.
///
/// What was used least recently goes first. A flood of known keys, each used once, displaces a
/// key only if more of them than fit arrive between two of its uses, and then costs it one
/// lookup. Attackers have no such keys.
pub struct KeyCache {
    /// By the hash under which the key service stores the key.
    known: RefCell<Bounded<(Rc<KnownKey>, Epoch)>>,
    /// By the [`name`] of all hashes under which the key could be stored.
    unknown: RefCell<Bounded<Epoch>>,
    /// The latest change of each hash.
    changed: RefCell<Bounded<Change>>,
    /// The latest change that went out of `changed` for want of room.
    forgotten: Cell<Epoch>,
    lease: Millis,
    state: RefCell<Feed>,
    generation: Cell<u64>,
    /// The keys of the request that is decided now.
    presented: RefCell<Presented>,
}

/// Sequence number of the newest change that an answer of the key service contains.
type Epoch = u64;

/// A change of the feed.
#[derive(Clone, Copy, Debug)]
struct Change {
    epoch: Epoch,
    /// The key was asked about after it changed. Otherwise it may have been revoked.
    is_asked_since: bool,
}

/// How far this worker has followed the change feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Feed {
    position: Option<Position>,
    renewed: Option<UnixMillis>,
    /// When the lease was last looked at.
    seen: UnixMillis,
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
            forgotten: Cell::new(0),
            lease,
            state: RefCell::default(),
            generation: Cell::new(0),
            presented: RefCell::default(),
        }
    }

    /// How far the feed was followed; `None` before its first answer.
    pub(crate) fn position(&self) -> Option<Position> {
        self.state.borrow().position
    }

    /// The keys that were presented in the last decision.
    pub(crate) fn last_presented(&self) -> Ref<'_, Presented> {
        self.presented.borrow()
    }

    /// Another decision begins.
    pub(crate) fn forget_presented(&self) {
        self.presented.borrow_mut().clear();
    }

    /// A decision that was made earlier, with these keys, is carried out.
    pub(crate) fn present_again(&self, presented: Option<&Presented>) {
        let presented = presented.cloned().unwrap_or_default();
        self.presented.replace(presented);
    }

    /// Raised by each reset and with each incarnation: what was asked for in an older one
    /// says nothing in this.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Keeps what the key service said of a key as of `at`, in one entry, however many hashes
    /// it was asked about. `false` when the feed has passed that epoch: the answer may be older
    /// than a revocation.
    #[must_use]
    pub fn insert(&self, hashes: &[KeyHash], found: Option<Found>, at: Position) -> bool {
        let epoch = at.epoch;
        // Before the feed of this incarnation is followed nothing would revoke the key: the
        // answer counts for the requests that wait, and is not kept.
        let Some(seen) = self
            .position()
            .filter(|it| it.incarnation == at.incarnation)
        else {
            return true;
        };
        let mut known = self.known.borrow_mut();
        let held = |hash| known.peek(hash).map(|(_, asked)| *asked);
        if epoch < seen.epoch || hashes.iter().filter_map(held).any(|held| epoch < held) {
            return false;
        }
        for hash in hashes {
            known.pop(hash);
            self.settle_change(hash, epoch);
        }
        let mut unknown = self.unknown.borrow_mut();
        match found {
            Some((hash, key)) => {
                unknown.pop(&name(hashes));
                known.put(hash, (key, epoch));
            }
            None => unknown.put(name(hashes), epoch),
        }
        true
    }

    /// Notes that a hash was asked about as of `epoch`, which is not before its last change. A
    /// later change is left over from another life of the database, with other numbers.
    fn settle_change(&self, hash: &KeyHash, epoch: Epoch) {
        if let Some(change) = self.changed.borrow_mut().peek_mut(hash) {
            change.epoch = change.epoch.min(epoch);
            change.is_asked_since = true;
        }
    }

    /// Whether no hash of a key has changed since the key was asked about. Entries of a key with
    /// one hash need no such question: the feed drops them by this hash.
    fn is_current(&self, hashes: &[KeyHash], asked: Epoch) -> bool {
        if hashes.len() == 1 {
            return true;
        }
        let changed = self.changed.borrow();
        let has_changed = |hash| changed.peek(hash).is_some_and(|it| asked < it.epoch);
        self.forgotten.get() <= asked && !hashes.iter().any(has_changed)
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
            let change = Change {
                epoch: to.epoch,
                is_asked_since: known.contains(hash) || unknown.contains(hash),
            };
            let forget = |it: &Change| self.forgotten.set(self.forgotten.get().max(it.epoch));
            let mut changed = self.changed.borrow_mut();
            changed.put_displacing(*hash, change, forget);
        }
        let mut state = self.state.borrow_mut();
        state.position = Some(to);
        if is_whole {
            state.renewed = Some(asked_at);
        }
    }

    /// Forgets everything: the feed cannot say what has changed. The lease goes on
    /// from `asked_at`, with nothing in the cache.
    pub(crate) fn reset(&self, to: Position, asked_at: UnixMillis) {
        self.known.borrow_mut().clear();
        self.unknown.borrow_mut().clear();
        // Epochs may restart, and no entry is left that a forgotten change concerns.
        self.forgotten.set(0);
        self.begin_generation();
        let mut state = self.state.borrow_mut();
        state.position = Some(to);
        state.renewed = Some(asked_at);
    }

    /// Looks at the clock, so that the lease ends in time even if it is set back. To be
    /// called often: between two calls the lease may be longer by their distance.
    pub(crate) fn observe(&self, now: UnixMillis) {
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

    /// Whether the lease runs: outside it no cached key counts.
    pub(crate) fn is_fresh(&self, now: UnixMillis) -> bool {
        self.observe(now);
        let renewed = self.state.borrow().renewed;
        renewed.is_some_and(|at| now < at.plus(self.lease))
    }
}

impl KeyLookup for KeyCache {
    fn find(&self, hashes: &[KeyHash], now: UnixMillis) -> Knowledge {
        if !self.is_fresh(now) {
            return Knowledge::NotAsked;
        }
        let mut known = self.known.borrow_mut();
        for hash in hashes {
            if let Some((key, asked)) = known.get(hash) {
                return match self.is_current(hashes, *asked) {
                    true => Knowledge::Known(Rc::clone(key)),
                    false => Knowledge::NotAsked,
                };
            }
        }
        match self.unknown.borrow_mut().get(&name(hashes)) {
            Some(asked) if self.is_current(hashes, *asked) => Knowledge::Unknown,
            Some(_) | None => Knowledge::NotAsked,
        }
    }

    fn presented(&self, key: &Rc<KnownKey>, usable: Result<(), Reason>) {
        let how = usable.map_or(Use::Rejected, |()| Use::Allowed);
        self.presented.borrow_mut().add(key, how);
    }
}

/// One name for all hashes of a key: the hash itself if there is only one, else their exclusive
/// or. Hashes are MACs under secrets, so a client cannot find others with the same name.
pub(crate) fn name(hashes: &[KeyHash]) -> KeyHash {
    let mut name = [0; 32];
    for KeyHash(hash) in hashes {
        for (byte, more) in name.iter_mut().zip(hash) {
            *byte ^= more;
        }
    }
    KeyHash(name)
}

/// What is known while the key service is away: what the cache holds, and beyond its lease
/// what was last known. Never [`Knowledge::NotAsked`].
pub struct LastKnown<'a>(pub &'a KeyCache);

impl KeyLookup for LastKnown<'_> {
    fn find(&self, hashes: &[KeyHash], now: UnixMillis) -> Knowledge {
        let Self(cache) = self;
        let found = cache.find(hashes, now);
        if found != Knowledge::NotAsked {
            return found;
        }
        let changed = cache.changed.borrow();
        let may_be_revoked = |hash| changed.peek(hash).is_some_and(|it| !it.is_asked_since);
        if hashes.iter().any(may_be_revoked) || cache.unknown.borrow().contains(&name(hashes)) {
            return Knowledge::Unavailable(Reason::KeyServiceUnavailable);
        }
        let known = cache.known.borrow();
        let last = hashes.iter().find_map(|hash| known.peek(hash));
        Knowledge::Outdated(last.map(|(key, _)| Rc::clone(key)))
    }

    fn presented(&self, key: &Rc<KnownKey>, usable: Result<(), Reason>) {
        self.0.presented(key, usable);
    }
}

#[cfg(test)]
mod tests;
