//! Checks of signatures on behalf of clients, within the bounds of [`Checks`]: every check
//! without a public-key operation comes first.
//!
//! [`Checks`]: crate::signed_url::checks::Checks

use super::{PublicKey, Scheme, seen};
use crate::reason::Reason;
use crate::secret::{KeyRing, RingEntry};
use crate::signed_url::facts::LinkFacts;
use crate::time::UnixMillis;

/// A signature that a key is said to have made of a message.
#[derive(Clone, Copy)]
pub(crate) struct Claim<'a> {
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
/// Claims that were true before cost no operation, in any order. Failed checks before a true
/// claim count for the request, and not against the client.
///
/// # Errors
/// [`Reason::WrongSignature`] if none is true, or none within the bounds of one request;
/// [`Reason::TooManyFailures`] if the client must not cause another check now.
pub(crate) fn first_true(claims: &[Claim<'_>], facts: &LinkFacts<'_>) -> Result<usize, Reason> {
    if let Some(at) = claims.iter().position(Claim::is_recalled) {
        return Ok(at);
    }
    let mut client = None;
    let mut begun = 0_u8;
    let mut found = Err(Reason::WrongSignature);
    for (at, claim) in claims.iter().enumerate() {
        let is_repeated = claims.iter().take(at).any(|before| before.is(claim));
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
        if claim.check() {
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
    /// [`Reason::WrongSignature`]; [`Reason::TooManyFailures`] if the client must not cause another
    /// check now.
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
    /// # Errors [`Reason::WrongSignature`] for a key that is unknown or is not valid now,
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
    /// Whether it was found true before.
    fn is_recalled(&self) -> bool {
        self.key.seen.recalls(&self.written(&[self.message]))
    }

    /// Whether both say the same.
    fn is(&self, other: &Self) -> bool {
        self.signature == other.signature
            && self.message == other.message
            && self.scheme == other.scheme
            && self.key.is(other.key)
    }

    fn is_possible(&self) -> bool {
        self.key.key.fits(self.scheme, self.signature)
    }

    fn check(&self) -> bool {
        let Self {
            key,
            scheme,
            message,
            signature,
        } = *self;
        let parts = [message];
        let claim = self.written(&parts);
        key.seen
            .check(&claim, || key.key.is_signed(scheme, message, signature))
    }

    /// As it is remembered. The message is given in parts.
    fn written<'p>(&'p self, message: &'p [&'p [u8]]) -> seen::Claim<'p> {
        seen::Claim {
            key: self.key.id,
            scheme: self.scheme.code(),
            message,
            signature: self.signature,
        }
    }
}
