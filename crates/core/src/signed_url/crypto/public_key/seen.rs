//! What was checked already: a link that comes again costs no second check.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::secret::memo::{Digest, Memo};

/// Digests of signatures that held, over all providers of a policy.
///
/// It remembers a pure function, so that a decision with it is the one without it.
#[derive(Default)]
pub struct Seen {
    held: Memo<(), [u8; 32]>,
    /// How many checks were made.
    #[cfg(test)]
    pub(super) checks: std::cell::Cell<usize>,
}

/// SHA-256: there may be no secret to key another with.
impl Digest for [u8; 32] {
    fn spread(self) -> usize {
        let (bits, _) = self
            .split_first_chunk()
            .unwrap_or((&[0; size_of::<usize>()], &[]));
        usize::from_le_bytes(*bits)
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
    pub(super) fn digest(&self) -> [u8; 32] {
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
    /// Whether the claim of this digest was found true before.
    pub(super) fn recalls(&self, digest: [u8; 32]) -> bool {
        self.held.get(digest).is_some()
    }

    /// Returns what `check` says of the claim of this digest, and remembers a yes.
    pub(super) fn check(&self, digest: [u8; 32], check: impl FnOnce() -> bool) -> bool {
        #[cfg(test)]
        self.checks.set(self.checks.get().saturating_add(1));
        let holds = check();
        if holds {
            self.held.put(digest, ());
        }
        holds
    }

    /// Returns what `check` says of a claim, unless it was found true before.
    #[cfg(any(test, feature = "tools"))]
    pub(super) fn or_check(&self, claim: &Claim<'_>, check: impl FnOnce(&[u8]) -> bool) -> bool {
        let digest = claim.digest();
        self.recalls(digest) || self.check(digest, || check(&claim.message.concat()))
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
    fn what_did_not_hold_is_checked_every_time() {
        let seen = Seen::default();
        for _ in 0..3 {
            assert!(!seen.or_check(&claim(&[b"/a"], b"s"), |_| false));
        }
        assert_eq!(seen.checks.get(), 3);
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
}
