//! The identity as a signed token (JWT, RFC 7519) that lives a minute at most, for an upstream
//! that must not trust headers. [`Issuer`] signs at the edge, [`Verifier`] checks in the key
//! service; keys, and their public form, are in `key`.
//!
//! The form is one and closed: two algorithms, chosen by the configuration and never by
//! the token, and exactly these members. A token of anyone else is no assertion.

mod key;
mod verify;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

pub use key::{Algorithm, AssertionKeyError, SigningKey, VerifyingKey};
pub use verify::{Assertion, AssertionError, Verifier};

use crate::http::request::Request;
use crate::identity::Identity;
use crate::secret::KeyRing;
use crate::time::{Millis, UnixMillis};

/// Longest life of an assertion.
pub const MAX_TTL: Millis = Millis::from_secs(60);

/// The header by which the key service takes an assertion.
pub const ASSERTION_HEADER: &str = "x-keygate-assertion";

/// Longest id of a request that becomes a `jti`.
const MAX_REQUEST_ID: usize = 128;

/// The `typ` of every assertion.
const TYPE: &str = "JWT";

/// The JOSE header, RFC 7515 section 4.1: these members and no other.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Head<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// The claims, RFC 7519 section 4.1; `scope` is that of RFC 8693 section 4.2. Times are
/// whole seconds.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Claims<'a> {
    iss: Cow<'a, str>,
    aud: Cow<'a, str>,
    sub: Cow<'a, str>,
    scope: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_id: Option<Cow<'a, str>>,
    iat: u64,
    nbf: u64,
    exp: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<Cow<'a, str>>,
}

/// The issuer of assertions.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The first that counts signs.
    pub ring: KeyRing<SigningKey>,
    /// `iss`.
    pub issuer: String,
    /// `aud`: for whom the assertions are.
    pub audience: String,
    /// From `iat` to `exp`: whole seconds, [`MAX_TTL`] at most.
    pub ttl: Millis,
    /// Only requests under these rules get one; `None` means all.
    pub rules: Option<Vec<String>>,
}

impl Issuer {
    /// Whether requests under this rule get an assertion.
    pub fn is_for(&self, rule: &str) -> bool {
        let rules = self.rules.as_ref();
        rules.is_none_or(|rules| rules.iter().any(|name| name == rule))
    }

    /// Vouches for who makes this request; `None` when no secret counts at `now`.
    ///
    /// Each field of the identity is named: one that is added does not compile until it is decided
    /// here.
    pub fn sign(
        &self,
        identity: &Identity,
        request: &Request<'_>,
        now: UnixMillis,
    ) -> Option<String> {
        let signer = self.ring.current(now).next()?;
        let head = Head {
            alg: signer.key.algorithm().name(),
            typ: TYPE,
            kid: &signer.id,
        };
        let Identity {
            account,
            key_id,
            scopes,
            metadata: _,   // up to 4 KiB: the token is a header, and must stay small
            rate_limit: _, // is the edge's business
        } = identity;
        let iat = now.as_secs();
        let claims = Claims {
            iss: self.issuer.as_str().into(),
            aud: self.audience.as_str().into(),
            sub: account.as_str().into(),
            scope: scopes.as_str().into(),
            key_id: key_id.as_deref().map(Cow::Borrowed),
            iat,
            nbf: iat,
            exp: now.plus(self.ttl).as_secs(),
            jti: request_id(request).map(Cow::Owned),
        };
        // Texts and numbers are JSON.
        let claims = serde_json::to_string(&claims).ok()?;
        let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_string(&head).ok()?);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = signer.key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(token)
    }
}

/// The one id of the request, if it can be shown.
fn request_id(request: &Request<'_>) -> Option<String> {
    let mut values = request.values("x-request-id");
    let id = values.next().filter(|_| values.next().is_none())?;
    let fits = (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
    fits.then(|| String::from_utf8_lossy(id).into_owned())
}
