//! A memo of earlier results: a repeated credential costs no SHA-256.
//!
//! It remembers a pure function, so that a decision with it is the one without it. The caller
//! checks what depends on the time or the client, each time.
//!
//! The crate `lru` was considered: it asks for memory with each entry, this with the first alone.
//! It adds 7 kB to a module.

use std::cell::RefCell;
use std::fmt;
use std::hash::Hasher as _;
use std::num::NonZeroU128;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// Values that share a bucket: what is new takes the place of the one of them that was not
/// asked for longest.
const WAYS: usize = 4;

/// A power of two, so that some bits of a digest are a place.
const SETS: usize = 4096;

/// A secret key for digests that distinguish texts: SipHash-2-4 with 128 bits (Aumasson and
/// Bernstein, 2012), a MAC. Without the key, no two texts with the same digest can be found.
#[derive(Clone)]
pub struct DigestKey([u8; 16]);

/// A digest that represents a text: another text with the same digest cannot be found.
pub trait Digest: Copy + Eq {
    /// Some of its bits, which are spread as they are: no other hash is needed to find it in
    /// a table.
    fn spread(self) -> usize;
}

/// The digest of a text under a [`DigestKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyed(NonZeroU128);

/// The results of one function, by the digests of what they are of: at most 16,384, the
/// longest unused of four goes first. It takes all of its memory with the first of them.
pub struct Memo<V, D = Keyed>(RefCell<Vec<Set<V, D>>>);

type Set<V, D> = [Option<(D, V)>; WAYS];

impl DigestKey {
    /// From 16 secret bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Each part with its length, so that bytes which move to another part are another text.
    #[inline]
    pub fn digest<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> Keyed {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        for part in parts {
            hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.write(part);
        }
        Keyed(NonZeroU128::new(hasher.finish128().as_u128()).unwrap_or(NonZeroU128::MIN))
    }
}

impl Digest for Keyed {
    #[inline]
    fn spread(self) -> usize {
        self.0.get() as usize
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

impl<V: Copy, D: Digest> Memo<V, D> {
    /// What was kept for this digest, if it is there still.
    #[inline]
    pub fn get(&self, digest: D) -> Option<V> {
        let mut sets = self.0.try_borrow_mut().ok()?;
        let set = sets.get_mut(digest.spread() % SETS)?;
        let is_it = |held: &Option<(D, V)>| held.is_some_and(|(it, _)| it == digest);
        let at = set.iter().position(is_it)?;
        set.get_mut(..=at)?.rotate_right(1);
        set.first()?.map(|(_, value)| value)
    }

    /// Keeps a value. Values that untrusted clients can make up must not be kept, because they
    /// would use up the space.
    pub fn put(&self, digest: D, value: V) {
        let Ok(mut sets) = self.0.try_borrow_mut() else {
            return;
        };
        if sets.is_empty() {
            *sets = vec![[None; WAYS]; SETS];
        }
        if let Some(set) = sets.get_mut(digest.spread() % SETS) {
            let [a, b, c, _] = *set;
            *set = [Some((digest, value)), a, b, c];
        }
    }
}

impl<V, D> Default for Memo<V, D> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<V, D> fmt::Debug for Memo<V, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn digest(parts: &[&[u8]]) -> Keyed {
        DigestKey::new([7; 16]).digest(parts.iter().copied())
    }

    /// Some that have one place.
    fn neighbours() -> impl Iterator<Item = Keyed> {
        (1..).map(|number: u128| Keyed(NonZeroU128::new(number << 64).unwrap()))
    }

    #[test]
    fn a_kept_value_is_found() {
        let memo = Memo::default();
        assert_eq!(memo.get(digest(&[b"a"])), None);
        memo.put(digest(&[b"a"]), 1_u8);
        assert_eq!(memo.get(digest(&[b"a"])), Some(1));
        assert_eq!(memo.get(digest(&[b"b"])), None);
        memo.put(digest(&[b"a"]), 2);
        assert_eq!(memo.get(digest(&[b"a"])), Some(2));
    }

    #[test]
    fn texts_that_differ_in_any_part_are_distinct() {
        let all: [&[&[u8]]; 6] = [
            &[b"ab", b"c"],
            &[b"abc"],
            &[b"a", b"bc"],
            &[b"ab", b"d"],
            &[b"abc", b""],
            &[b"", b"ab", b"c"],
        ];
        for (index, one) in all.iter().enumerate() {
            for other in all.iter().skip(index.saturating_add(1)) {
                assert_ne!(digest(one), digest(other), "{one:?} {other:?}");
            }
            let under_another = DigestKey::new([8; 16]).digest(one.iter().copied());
            assert_ne!(digest(one), under_another);
        }
    }

    #[test]
    fn the_least_recently_used_entry_of_a_bucket_is_evicted() {
        let memo = Memo::default();
        let all: Vec<_> = neighbours().take(WAYS.saturating_add(1)).collect();
        let [first, second, rest @ .., last] = all.as_slice() else {
            panic!("there are five");
        };
        for one in all.iter().take(WAYS) {
            memo.put(*one, ());
        }
        assert_eq!(memo.get(*first), Some(()));
        memo.put(*last, ());
        assert_eq!(memo.get(*second), None);
        for one in rest.iter().chain([first, last]) {
            assert_eq!(memo.get(*one), Some(()), "{one:?}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let memo = Memo::default();
        for number in 0..100_000_u32 {
            memo.put(digest(&[&number.to_le_bytes()]), number);
        }
        let is_there = |number: &u32| memo.get(digest(&[&number.to_le_bytes()])).is_some();
        assert!((90_000..100_000).rev().take(1000).all(|it| is_there(&it)));
        assert!((0..100_000).filter(is_there).count() <= WAYS.saturating_mul(SETS));
    }

    #[test]
    fn digests_are_spread_over_the_table() {
        let places = (0..=u8::MAX).map(|it| digest(&[&[it]]).spread() % SETS);
        assert!(places.collect::<HashSet<_>>().len() > 230);
    }

    #[test]
    fn neither_key_nor_results_are_printed() {
        assert_eq!(format!("{:?}", DigestKey::new([7; 16])), "DigestKey(..)");
        assert_eq!(format!("{:?}", Memo::<u8>::default()), "Memo(..)");
    }
}
