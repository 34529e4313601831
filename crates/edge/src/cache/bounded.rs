//! The memory of a cache: what was used least recently goes first, by entries and by bytes.

use std::hash::{BuildHasher, Hasher as _};
use std::rc::Rc;

use lru::LruCache;
use siphasher::sip::SipHasher13;

use super::{Change, Epoch};
use keygate_core::identity::limits::BLOCK;
use keygate_core::keys::{KeyHash, KnownKey};

/// An entry's place in the hash table: a key and a pointer, and the free slots next to it.
const SLOT: usize = 5 * size_of::<usize>();

/// A secret of one worker: without it a client cannot make hashes that collide.
#[derive(Clone, Copy)]
pub struct Seed(pub [u64; 2]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// SipHash-1-3, keyed.
impl BuildHasher for Seed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        let Self([first, second]) = *self;
        SipHasher13::new_with_keys(first, second)
    }
}

impl Seed {
    /// Another seed that tells nothing of this one, for another table.
    #[must_use]
    pub fn derive(&self) -> Self {
        let word = |number| {
            let mut hasher = self.build_hasher();
            hasher.write_u8(number);
            hasher.finish()
        };
        Self([word(0), word(1)])
    }
}

/// The bytes that a value takes outside of itself.
pub(super) trait Weight {
    fn bytes_behind(&self) -> usize;
}

impl Weight for Epoch {
    fn bytes_behind(&self) -> usize {
        0
    }
}

impl Weight for Change {
    fn bytes_behind(&self) -> usize {
        0
    }
}

impl Weight for (Rc<KnownKey>, Epoch) {
    fn bytes_behind(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>() + BLOCK;
        self.0.bytes().saturating_add(COUNTS)
    }
}

/// Values by the hash of a key. A value that alone is beyond the bound is not kept.
pub(super) struct Bounded<V> {
    entries: LruCache<KeyHash, V, Seed>,
    max_entries: usize,
    max_bytes: usize,
    bytes: usize,
}

impl<V: Weight> Bounded<V> {
    pub(super) fn new(max_entries: usize, max_bytes: usize, seed: Seed) -> Self {
        Self {
            // It would take the memory of all entries at once if it knew their number.
            entries: LruCache::unbounded_with_hasher(seed),
            max_entries,
            max_bytes,
            bytes: 0,
        }
    }

    /// The value, which counts as used.
    pub(super) fn get(&mut self, hash: &KeyHash) -> Option<&V> {
        self.entries.get(hash)
    }

    /// The value, which does not count as used.
    pub(super) fn peek(&self, hash: &KeyHash) -> Option<&V> {
        self.entries.peek(hash)
    }

    /// The value, to change it in place; it does not count as used, and must not change its
    /// weight.
    pub(super) fn peek_mut(&mut self, hash: &KeyHash) -> Option<&mut V> {
        self.entries.peek_mut(hash)
    }

    pub(super) fn contains(&self, hash: &KeyHash) -> bool {
        self.entries.contains(hash)
    }

    /// Keeps those values alone of which `keep` is true.
    pub(super) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        let rest = self.entries.iter().filter(|(_, value)| !keep(value));
        for hash in rest.map(|(hash, _)| *hash).collect::<Vec<_>>() {
            self.pop(&hash);
        }
    }

    /// Keeps a value. Calls `displaced` with each value that goes for want of room.
    pub(super) fn put_displacing(
        &mut self,
        hash: KeyHash,
        value: V,
        mut displaced: impl FnMut(&V),
    ) {
        self.pop(&hash);
        let cost = cost(&value);
        if cost > self.max_bytes {
            displaced(&value);
            return;
        }
        while self.entries.len() >= self.max_entries
            || self.bytes.saturating_add(cost) > self.max_bytes
        {
            let Some((_, oldest)) = self.entries.pop_lru() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(self::cost(&oldest));
            displaced(&oldest);
        }
        self.bytes = self.bytes.saturating_add(cost);
        self.entries.put(hash, value);
    }

    pub(super) fn put(&mut self, hash: KeyHash, value: V) {
        self.put_displacing(hash, value, |_| ());
    }

    pub(super) fn pop(&mut self, hash: &KeyHash) {
        if let Some(value) = self.entries.pop(hash) {
            self.bytes = self.bytes.saturating_sub(cost(&value));
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

fn cost<V: Weight>(value: &V) -> usize {
    const LINKS: usize = 2 * size_of::<usize>();
    let entry = size_of::<(KeyHash, V)>().saturating_add(LINKS + BLOCK + SLOT);
    value.bytes_behind().saturating_add(entry)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a test may panic"
)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    struct Heavy(usize);

    impl Weight for Heavy {
        fn bytes_behind(&self) -> usize {
            self.0
        }
    }

    fn hash(byte: u8) -> KeyHash {
        KeyHash([byte; 32])
    }

    /// Newest first: the plainest thing that does the same.
    #[derive(Default)]
    struct Model(Vec<(u8, usize)>);

    impl Model {
        fn put(&mut self, key: u8, bytes: usize, max_entries: usize, max_bytes: usize) {
            self.0.retain(|(other, _)| *other != key);
            if cost(&Heavy(bytes)) > max_bytes {
                return;
            }
            self.0.insert(0, (key, bytes));
            while self.0.len() > max_entries || self.bytes() > max_bytes {
                self.0.pop();
            }
        }

        fn get(&mut self, key: u8) -> Option<usize> {
            let at = self.0.iter().position(|(other, _)| *other == key)?;
            let entry = self.0.remove(at);
            self.0.insert(0, entry);
            Some(entry.1)
        }

        fn bytes(&self) -> usize {
            self.0.iter().map(|(_, bytes)| cost(&Heavy(*bytes))).sum()
        }
    }

    proptest! {
        #[test]
        fn entries_and_bytes_stay_within_their_bounds_and_the_least_used_goes_first(
            steps in proptest::collection::vec((0_u8..3, 0_u8..12, 0_usize..3000), 1..200),
            max_entries in 1_usize..8,
            max_bytes in 500_usize..8000,
        ) {
            let mut cache = Bounded::new(max_entries, max_bytes, Seed([1, 2]));
            let mut model = Model::default();
            for (step, key, bytes) in steps {
                match step {
                    0 => {
                        cache.put(hash(key), Heavy(bytes));
                        model.put(key, bytes, max_entries, max_bytes);
                    }
                    1 => {
                        let found = cache.get(&hash(key)).map(|it| it.0);
                        prop_assert_eq!(found, model.get(key));
                    }
                    _ => {
                        cache.pop(&hash(key));
                        model.0.retain(|(other, _)| *other != key);
                    }
                }
                prop_assert_eq!(cache.bytes, model.bytes());
                prop_assert_eq!(cache.entries.len(), model.0.len());
                prop_assert!(cache.bytes <= max_bytes && model.0.len() <= max_entries);
            }
        }
    }

    #[test]
    fn a_value_that_fills_all_the_room_is_kept_and_a_larger_one_is_not() {
        let mut cache = Bounded::new(2, cost(&Heavy(1000)), Seed([1, 2]));
        cache.put(hash(1), Heavy(1000));
        assert!(cache.contains(&hash(1)));
        cache.put(hash(2), Heavy(1001));
        assert!(cache.contains(&hash(1)) && !cache.contains(&hash(2)));
    }

    #[test]
    fn each_seed_hashes_in_its_own_way() {
        let seeds = [
            Seed([0, 0]),
            Seed([0, 1]),
            Seed([1, 0]),
            Seed([0, 0]).derive(),
        ];
        let hashes: HashSet<u64> = seeds.iter().map(|it| it.hash_one(hash(1))).collect();
        assert_eq!(hashes.len(), seeds.len());
        assert_eq!(format!("{:?}", Seed([7, 7])), "Seed(..)");
    }
}
