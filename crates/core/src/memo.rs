//! What was computed before: a genuine key that comes again costs no SHA-256.
//!
//! It remembers a pure function, so that a decision with it is the one without it. What
//! depends on the time or the client is checked by whoever asks, each time.

use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use lru::LruCache;
use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// A secret under which texts are told apart: SipHash-2-4 with 128 bits (Aumasson and
/// Bernstein, 2012), a MAC. Who does not know the key finds no two texts of one digest.
#[derive(Clone)]
pub struct DigestKey([u8; 16]);

/// The results of one function: at most as many as it was made for, the longest unused
/// goes first. Of a text it keeps the digest alone.
pub struct Memo<V> {
    key: DigestKey,
    most: usize,
    held: RefCell<LruCache<u128, V, BuildHasherDefault<Low>>>,
}

impl DigestKey {
    /// From 16 bytes that no stranger knows.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

impl<V: Copy> Memo<V> {
    /// Nothing yet, and never more than `most` results.
    pub fn new(key: DigestKey, most: usize) -> Self {
        // It would take the memory of all results at once if it knew their number.
        let held = LruCache::unbounded_with_hasher(BuildHasherDefault::default());
        Self {
            key,
            most,
            held: RefCell::new(held),
        }
    }

    /// What a function gives for these parts, from memory where `still` says that it
    /// holds, else from `compute`. `None` is never kept: what strangers send takes no room.
    #[inline]
    pub fn or_compute(
        &self,
        parts: &[&[u8]],
        still: impl FnOnce(V) -> bool,
        compute: impl FnOnce() -> Option<V>,
    ) -> Option<V> {
        let digest = self.digest(parts);
        if let Ok(mut held) = self.held.try_borrow_mut()
            && let Some(known) = held.get(&digest).copied()
            && still(known)
        {
            return Some(known);
        }
        let value = compute()?;
        if let Ok(mut held) = self.held.try_borrow_mut() {
            held.put(digest, value);
            while held.len() > self.most {
                held.pop_lru();
            }
        }
        Some(value)
    }

    /// Each part with its length, so that bytes which move to another part are another text.
    #[inline]
    fn digest(&self, parts: &[&[u8]]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.key.0);
        for part in parts {
            hasher.write(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

impl<V> fmt::Debug for Memo<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo(..)")
    }
}

/// The digest is spread as it is: no other hash is needed to find it in a table.
#[derive(Default)]
pub struct Low(u64);

impl Hasher for Low {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, digest: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "half of a digest is one")]
        {
            self.0 = digest as u64;
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashSet;
    use std::hash::BuildHasher as _;

    use super::*;

    fn memo(most: usize) -> Memo<u8> {
        Memo::new(DigestKey::new([7; 16]), most)
    }

    #[test]
    fn what_was_computed_once_is_not_computed_again() {
        let (memo, computed) = (memo(2), Cell::new(0_u8));
        let compute = || {
            computed.set(computed.get().saturating_add(1));
            Some(computed.get())
        };
        for _ in 0..3 {
            assert_eq!(memo.or_compute(&[b"a"], |_| true, compute), Some(1));
        }
        assert_eq!(memo.or_compute(&[b"a"], |_| false, compute), Some(2));
        assert_eq!(memo.or_compute(&[b"a"], |_| true, compute), Some(2));
    }

    #[test]
    fn what_differs_in_any_part_is_another_text() {
        let memo = memo(2);
        assert_eq!(
            memo.or_compute(&[b"ab", b"c"], |_| true, || Some(1)),
            Some(1)
        );
        for other in [
            &[&b"abc"[..]][..],
            &[b"a", b"bc"],
            &[b"ab", b"d"],
            &[b"abc", b""],
            &[b"", b"ab", b"c"],
        ] {
            assert_eq!(memo.or_compute(other, |_| true, || None), None, "{other:?}");
        }
        let under_another = Memo::new(DigestKey::new([8; 16]), 1);
        let asked = Cell::new(false);
        under_another.or_compute(
            &[b"ab", b"c"],
            |_| true,
            || {
                asked.set(true);
                Some(1_u8)
            },
        );
        assert!(asked.get());
    }

    #[test]
    fn it_is_bounded_and_what_does_not_hold_takes_no_room() {
        let memo = memo(2);
        assert_eq!(memo.or_compute(&[b"a"], |_| true, || Some(1)), Some(1));
        for number in 100..200_u8 {
            assert_eq!(memo.or_compute(&[&[number]], |_| true, || None), None);
        }
        assert_eq!(memo.or_compute(&[b"a"], |_| true, || None), Some(1));
        for text in [b"b", b"c"] {
            assert_eq!(memo.or_compute(&[text], |_| true, || Some(2)), Some(2));
        }
        assert_eq!(memo.or_compute(&[b"a"], |_| true, || None), None);
        assert_eq!(memo.held.borrow().len(), 2);
    }

    #[test]
    fn digests_are_spread_over_the_table() {
        let memo = memo(1);
        let hasher = BuildHasherDefault::<Low>::default();
        let hashes = (0..=u8::MAX).map(|it| hasher.hash_one(memo.digest(&[&[it]])));
        assert_eq!(hashes.collect::<HashSet<_>>().len(), 256);
    }

    #[test]
    fn neither_key_nor_results_are_printed() {
        assert_eq!(format!("{:?}", DigestKey::new([7; 16])), "DigestKey(..)");
        assert_eq!(format!("{:?}", memo(1)), "Memo(..)");
    }
}
