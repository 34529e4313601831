//! Checking an assertion, strictly: what is unexpected is rejected, and nothing in the
//! token says how to check it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::{Claims, Head, MAX_TTL, TYPE, VerifyingKey};
use crate::identity::limits::MAX_SCOPES;
use crate::identity::token::is_token;
use crate::secret::KeyRing;
use crate::time::{Millis, UnixMillis};

/// Longest token that is looked at: one with the most and longest scopes fits.
const MAX_TOKEN: usize = 16 * 1024;

/// The verifier of assertions.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// All of one algorithm; any that counts may have signed.
    pub ring: KeyRing<VerifyingKey>,
    /// The `iss` that counts.
    pub issuer: String,
    /// Who we are, in `aud`.
    pub audience: String,
    /// How far the clocks of edge and verifier may be apart.
    pub skew: Millis,
}

/// What an assertion vouches for. Every text fits into a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Who calls.
    pub account: String,
    /// By which app key; `None` for a session.
    pub key_id: Option<String>,
    /// What the credential may do.
    pub scopes: Vec<String>,
    /// The id of the request that it was made for.
    pub request_id: Option<String>,
}

/// Why a text is no assertion for us now. For a log; a client learns only that it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Not three parts of base64url, or not the members that an assertion has.
    #[error("the assertion is malformed")]
    Malformed,
    /// Another `alg` than the key's, or another `typ`.
    #[error("the assertion has another type or algorithm")]
    WrongKind,
    /// No key that is valid now has this `kid`.
    #[error("the assertion names an unknown key")]
    UnknownKey,
    /// The key has not signed this.
    #[error("the signature of the assertion is invalid")]
    WrongSignature,
    /// Another `iss` or `aud`.
    #[error("the assertion has another issuer or audience")]
    WrongParty,
    /// It lives longer than an assertion may, or ends before it begins.
    #[error("the lifetime of the assertion is not 1 to 60 s")]
    Lifetime,
    /// It begins in the future.
    #[error("the assertion is not valid yet")]
    NotYetValid,
    /// Its time is over.
    #[error("the assertion has expired")]
    Expired,
}

impl Verifier {
    /// Checks an assertion: form, key, signature, parties, times; in this order, so that
    /// nothing but the name of the key is believed before the signature holds.
    ///
    /// # Errors
    /// [`AssertionError`].
    pub fn verify(&self, token: &[u8], now: UnixMillis) -> Result<Assertion, AssertionError> {
        let parts = split(token).ok_or(AssertionError::Malformed)?;
        let head = decode(parts.head)?;
        let head: Head<'_> = object(&head)?;
        let mut current = self.ring.current(now);
        let entry = current.find(|entry| entry.id == head.kid);
        let key = &entry.ok_or(AssertionError::UnknownKey)?.key;
        if head.alg != key.algorithm().name() || head.typ != TYPE {
            return Err(AssertionError::WrongKind);
        }
        if !key.verifies(parts.signed, &decode(parts.signature)?) {
            return Err(AssertionError::WrongSignature);
        }
        let claims = decode(parts.claims)?;
        let claims: Claims<'_> = object(&claims)?;
        if claims.iss != self.issuer || claims.aud != self.audience {
            return Err(AssertionError::WrongParty);
        }
        self.check_times(&claims, now)?;
        identity(claims).ok_or(AssertionError::Malformed)
    }

    /// RFC 7519 sections 4.1.4 to 4.1.6, with the skew on either side.
    fn check_times(&self, claims: &Claims<'_>, now: UnixMillis) -> Result<(), AssertionError> {
        let life = claims.exp.checked_sub(claims.iat);
        let fits = life.is_some_and(|life| (1..=MAX_TTL.0 / 1000).contains(&life));
        if !fits || claims.nbf >= claims.exp {
            return Err(AssertionError::Lifetime);
        }
        let latest = now.plus(self.skew);
        let begins = UnixMillis::from_secs(claims.nbf.max(claims.iat));
        if begins > latest {
            return Err(AssertionError::NotYetValid);
        }
        if UnixMillis::from_secs(claims.exp).plus(self.skew) <= now {
            return Err(AssertionError::Expired);
        }
        Ok(())
    }
}

struct Parts<'a> {
    /// Header and claims with the dot between: what the signature is over.
    signed: &'a [u8],
    head: &'a [u8],
    claims: &'a [u8],
    signature: &'a [u8],
}

fn split(token: &[u8]) -> Option<Parts<'_>> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let dots = || token.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    let (first, second) = (dots().next()?.0, dots().nth(1)?.0);
    if dots().nth(2).is_some() {
        return None;
    }
    Some(Parts {
        signed: token.get(..second)?,
        head: token.get(..first)?,
        claims: token.get(first.checked_add(1)?..second)?,
        signature: token.get(second.checked_add(1)?..)?,
    })
}

/// Base64url in its one form: no padding, no stray bits (RFC 7515 section 2).
fn decode(part: &[u8]) -> Result<Vec<u8>, AssertionError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| AssertionError::Malformed)
}

/// A JSON object. The type rejects unknown and duplicate members; this rejects an array in
/// place of the object, which serde would accept.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, AssertionError> {
    if json.first() != Some(&b'{') {
        return Err(AssertionError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| AssertionError::Malformed)
}

fn identity(claims: Claims<'_>) -> Option<Assertion> {
    let scopes: Vec<String> = match &*claims.scope {
        "" => Vec::new(),
        scope => scope.split(' ').map(str::to_owned).collect(),
    };
    let all_fit = scopes.len() <= MAX_SCOPES
        && scopes.iter().all(|it| is_token(it))
        && is_token(&claims.sub)
        && claims.key_id.as_deref().is_none_or(is_token);
    all_fit.then_some(Assertion {
        account: claims.sub.into_owned(),
        key_id: claims.key_id.map(Cow::into_owned),
        scopes,
        request_id: claims.jti.map(Cow::into_owned),
    })
}
