//! What was checked already: a link that comes again costs no second check.

use std::cell::RefCell;
use std::fmt;

use lru::LruCache;
use sha2::{Digest, Sha256};

/// How many signatures are remembered, over all providers of a policy.
const REMEMBERED: usize = 4096;

/// Digests of signatures that held: at most 4096, the longest unused goes first.
///
/// It remembers a pure function, so that a decision with it is the one without it.
pub struct Seen {
    held: RefCell<LruCache<[u8; 32], ()>>,
    /// How many checks were made.
    #[cfg(test)]
    pub(super) checks: std::cell::Cell<usize>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            held: RefCell::new(LruCache::unbounded()),
            #[cfg(test)]
            checks: std::cell::Cell::default(),
        }
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen(..)")
    }
}

/// All that a check depends on.
pub(super) struct Claim<'a> {
    /// Tells the key from every other.
    pub key: [u8; 32],
    /// Tells how it signs.
    pub scheme: u8,
    /// What it is said to have signed, in parts.
    pub message: &'a [&'a [u8]],
    /// What it is said to have made of it.
    pub signature: &'a [u8],
}

impl Claim<'_> {
    /// The digest of all of it. Only the message is of a length that nothing tells, and it
    /// comes last: two claims with the same input are the same claim.
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(self.key);
        digest.update([self.scheme]);
        let length = u64::try_from(self.signature.len()).unwrap_or(u64::MAX);
        digest.update(length.to_be_bytes());
        digest.update(self.signature);
        for part in self.message {
            digest.update(part);
        }
        digest.finalize().into()
    }
}

impl Seen {
    /// What `check` says of the whole message, without asking it when it said yes before.
    pub(super) fn or_check(&self, claim: &Claim<'_>, check: impl FnOnce(&[u8]) -> bool) -> bool {
        let digest = claim.digest();
        if self.knows(&digest) {
            return true;
        }
        #[cfg(test)]
        self.checks.set(self.checks.get().saturating_add(1));
        let holds = check(&claim.message.concat());
        if holds {
            self.remember(digest);
        }
        holds
    }

    fn knows(&self, digest: &[u8; 32]) -> bool {
        let mut all = self.held.try_borrow_mut();
        all.as_mut().is_ok_and(|all| all.get(digest).is_some())
    }

    fn remember(&self, digest: [u8; 32]) {
        if let Ok(mut all) = self.held.try_borrow_mut() {
            all.put(digest, ());
            while all.len() > REMEMBERED {
                all.pop_lru();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim<'a>(message: &'a [&'a [u8]], signature: &'a [u8]) -> Claim<'a> {
        Claim {
            key: [7; 32],
            scheme: 1,
            message,
            signature,
        }
    }

    #[test]
    fn what_held_once_is_not_checked_again() {
        let seen = Seen::default();
        for _ in 0..3 {
            assert!(seen.or_check(&claim(&[b"/a"], b"s"), |_| true));
        }
        assert_eq!(seen.checks.get(), 1);
        // The same bytes in other parts are the same message.
        assert!(seen.or_check(&claim(&[b"/", b"a"], b"s"), |_| false));
        assert_eq!(seen.checks.get(), 1);
    }

    #[test]
    fn what_did_not_hold_is_checked_every_time_and_takes_no_room() {
        let seen = Seen::default();
        for _ in 0..3 {
            assert!(!seen.or_check(&claim(&[b"/a"], b"s"), |_| false));
        }
        assert_eq!(seen.checks.get(), 3);
        assert_eq!(seen.held.borrow().len(), 0);
    }

    #[test]
    fn a_claim_that_differs_anywhere_is_another() {
        let seen = Seen::default();
        assert!(seen.or_check(&claim(&[b"/ab"], b"sig"), |_| true));
        let other = |claim: &Claim<'_>| !seen.or_check(claim, |_| false);
        assert!(other(&claim(&[b"/ac"], b"sig")));
        assert!(other(&claim(&[b"/ab"], b"sih")));
        // Bytes that move between signature and message.
        assert!(other(&claim(&[b"b"], b"sig/a")));
        assert!(other(&claim(&[b"g/ab"], b"si")));
        assert!(other(&Claim {
            key: [8; 32],
            ..claim(&[b"/ab"], b"sig")
        }));
        assert!(other(&Claim {
            scheme: 2,
            ..claim(&[b"/ab"], b"sig")
        }));
    }

    #[test]
    fn it_is_bounded_and_forgets_what_was_not_used_longest() {
        let seen = Seen::default();
        let check = |number: usize, is_asked: bool| {
            let message = number.to_string();
            let before = seen.checks.get();
            assert!(seen.or_check(&claim(&[message.as_bytes()], b"s"), |_| true));
            assert_eq!(seen.checks.get() > before, is_asked, "{number}");
        };
        for number in 0..REMEMBERED {
            check(number, true);
        }
        check(0, false);
        check(REMEMBERED, true);
        assert_eq!(seen.held.borrow().len(), REMEMBERED);
        check(0, false);
        check(1, true);
    }
}
