//! Checks of signatures on behalf of clients, within the bounds of [`Checks`]: all that can
//! be told without a public-key operation comes first.
//!
//! [`Checks`]: crate::signed_url::checks::Checks

use super::{PublicKey, Scheme};
use crate::reason::Reason;
use crate::secret::{KeyRing, RingEntry};
use crate::signed_url::facts::LinkFacts;
use crate::time::UnixMillis;

/// A signature that a key is said to have made of a message.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// The key.
    pub key: &'a PublicKey,
    /// How it signs.
    pub scheme: Scheme,
    /// What it signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

/// The index of the first claim that is true.
///
/// Claims that were true before cost no operation, in whatever order they are. Failed checks
/// before a true claim count for the request, and not against the client.
///
/// # Errors
/// [`Reason::WrongSignature`] if none is true, or none within the bounds of one request;
/// [`Reason::TooManyFailures`] if the client must not cause another check now.
pub fn first_true(claims: &[Claim<'_>], facts: &LinkFacts<'_>) -> Result<usize, Reason> {
    let digests: Vec<_> = claims.iter().map(Claim::digest).collect();
    let mut each = claims.iter().zip(&digests);
    if let Some(at) = each.position(|(claim, digest)| claim.key.seen.recalls(*digest)) {
        return Ok(at);
    }
    let mut client = None;
    let mut begun = 0_u8;
    let mut found = Err(Reason::WrongSignature);
    for (at, (claim, digest)) in claims.iter().zip(&digests).enumerate() {
        let is_repeated = digests.iter().take(at).any(|before| before == digest);
        if is_repeated || !claim.is_possible() {
            continue;
        }
        if !facts.checks.are_left() {
            break;
        }
        if let Some(budget) = facts.checks.budget() {
            let client = *client.get_or_insert_with(|| facts.client.address());
            if !budget.admit(client, facts.now) {
                found = Err(Reason::TooManyFailures);
                break;
            }
            begun = begun.saturating_add(1);
        }
        if claim.check(*digest) {
            found = Ok(at);
            break;
        }
        facts.checks.spend();
    }
    if let Some(budget) = facts.checks.budget() {
        for _ in 0..begun {
            match found {
                Ok(_) => budget.succeeded(client.flatten(), facts.now),
                Err(_) => budget.failed(client.flatten(), facts.now),
            }
        }
    }
    found
}

impl PublicKey {
    /// Checks that this key made the signature of one of these messages.
    ///
    /// # Errors
    /// As [`first_true`].
    pub fn check(
        &self,
        scheme: Scheme,
        messages: &[&[u8]],
        signature: &[u8],
        facts: &LinkFacts<'_>,
    ) -> Result<(), Reason> {
        let each = messages.iter().map(|message| Claim {
            key: self,
            scheme,
            message,
            signature,
        });
        let claims: Vec<_> = each.collect();
        first_true(&claims, facts).map(|_| ())
    }
}

impl KeyRing<PublicKey> {
    /// The key that a credential names; in a ring with one key it need not name it.
    ///
    /// # Errors
    /// [`Reason::WrongSignature`] for a key that is unknown or does not count now,
    /// [`Reason::MalformedCredential`] if there are several and none is named: to try each
    /// would multiply the work of a forged one.
    pub fn meant(
        &self,
        named: Option<&str>,
        now: UnixMillis,
    ) -> Result<&RingEntry<PublicKey>, Reason> {
        let mut current = self.current(now);
        let entry = match named {
            Some(id) => current.find(|it| it.id == id),
            None if self.0.len() > 1 => return Err(Reason::MalformedCredential),
            None => current.next(),
        };
        entry.ok_or(Reason::WrongSignature)
    }
}

impl Claim<'_> {
    fn digest(&self) -> [u8; 32] {
        self.key
            .digest(self.scheme, &[self.message], self.signature)
    }

    fn is_possible(&self) -> bool {
        self.key.key.fits(self.scheme, self.signature)
    }

    fn check(&self, digest: [u8; 32]) -> bool {
        let Self {
            key,
            scheme,
            message,
            signature,
        } = *self;
        let seen = &key.seen;
        seen.check(digest, || key.key.is_signed(scheme, message, signature))
    }
}
