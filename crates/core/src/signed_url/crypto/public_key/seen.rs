//! A memo of verified signatures: a repeated link costs no second check.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::secret::memo::{Digest, Memo};

/// Digests of claims that were true, over all providers of a policy, by the end of their
/// signatures.
///
/// It remembers a pure function, so that a decision with it is the one without it. A forged
/// signature costs no digest unless it ends as one that a genuine signer made.
#[derive(Default)]
pub struct Seen {
    held: Memo<[u8; 32], Ending>,
    /// How many checks were made.
    #[cfg(test)]
    pub(super) checks: std::cell::Cell<usize>,
    /// How many digests were computed.
    #[cfg(test)]
    digests: std::cell::Cell<usize>,
}

/// The last bytes of a signature. Of RSA, ECDSA and Ed25519 these differ from one signature to
/// the next, and only a signer chooses the places that they take in the table. They say where
/// to look and nothing more: the digest of the whole claim decides.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ending([u8; 8]);

impl Ending {
    fn of(signature: &[u8]) -> Self {
        Self(signature.last_chunk().copied().unwrap_or_default())
    }
}

impl Digest for Ending {
    fn spread(self) -> usize {
        let [a, b, c, d, ..] = self.0;
        usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(0)
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
    /// Whether this claim was found true before.
    pub(super) fn recalls(&self, claim: &Claim<'_>) -> bool {
        let held = self.held.get(Ending::of(claim.signature));
        held.is_some_and(|held| held == self.digest(claim))
    }

    /// Returns what `check` says of this claim, and remembers a yes.
    pub(super) fn check(&self, claim: &Claim<'_>, check: impl FnOnce() -> bool) -> bool {
        #[cfg(test)]
        self.checks.set(self.checks.get().saturating_add(1));
        let holds = check();
        if holds {
            let digest = self.digest(claim);
            self.held.put(Ending::of(claim.signature), digest);
        }
        holds
    }

    /// Returns what `check` says of a claim, unless it was found true before.
    #[cfg(any(test, feature = "tools"))]
    pub(super) fn or_check(&self, claim: &Claim<'_>, check: impl FnOnce(&[u8]) -> bool) -> bool {
        self.recalls(claim) || self.check(claim, || check(&claim.message.concat()))
    }

    /// SHA-256: there may be no secret to key another with.
    fn digest(&self, claim: &Claim<'_>) -> [u8; 32] {
        #[cfg(test)]
        self.digests.set(self.digests.get().saturating_add(1));
        claim.digest()
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
    fn a_verified_signature_is_not_checked_again() {
        let seen = Seen::default();
        for _ in 0..3 {
            assert!(seen.or_check(&claim(&[b"/a"], b"s"), |_| true));
        }
        assert_eq!(seen.checks.get(), 1);
        // Bytes that are split into other parts are still one message.
        assert!(seen.or_check(&claim(&[b"/", b"a"], b"s"), |_| false));
        assert_eq!(seen.checks.get(), 1);
    }

    #[test]
    fn an_invalid_signature_is_checked_every_time() {
        let seen = Seen::default();
        for _ in 0..3 {
            assert!(!seen.or_check(&claim(&[b"/a"], b"s"), |_| false));
        }
        assert_eq!(seen.checks.get(), 3);
    }

    #[test]
    fn a_forged_signature_costs_no_digest() {
        let seen = Seen::default();
        assert!(seen.or_check(&claim(&[b"/a"], b"a genuine signature"), |_| true));
        let before = seen.digests.get();
        assert!(!seen.or_check(&claim(&[b"/a"], b"a forged one"), |_| false));
        assert_eq!(seen.digests.get(), before);
        // One with the same end costs a digest, which distinguishes them.
        assert!(!seen.or_check(&claim(&[b"/b"], b"a genuine signature"), |_| false));
        assert!(!seen.or_check(&claim(&[b"/a"], b"another signature"), |_| false));
        assert_eq!(seen.digests.get(), before.saturating_add(2));
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
