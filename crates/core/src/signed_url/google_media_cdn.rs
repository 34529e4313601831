//! Google's Media CDN, strictly: tokens, and the older signed requests.
//!
//! Source: Google's documents "Generate tokens", "Generate signatures" and "Use dual-token
//! authentication". A token is a list of fields joined by `~`, of which two are signed with
//! what the request holds: its path and its headers. What the original leaves open is closed
//! here: each field stands once, a header that is named must be there once, and no value of
//! the request may read as a field.

#[cfg(feature = "tools")]
mod explain;
#[cfg(feature = "tools")]
mod sign;
mod signed;
mod token;

use crate::policy::Facts;
use crate::reason::Reason;
use crate::request::Request;
use crate::secret::KeyRing;
use crate::signed_url::carrier::{self, Carrier};
use crate::signed_url::google::Scheme;
use crate::signed_url::google::base64url::Padding;
use crate::signed_url::google::request::{Form, SignedRequest};
use crate::signed_url::hmac_key::{HmacHash, HmacKey};
use crate::signed_url::lifetime::Lifetime;
use crate::signed_url::public_key::PublicKey;
use crate::signed_url::readings::readings;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::signed_url::{Covers, Format, Link, wildcard};
use token::{Scope, Token};

/// An Ed25519 signature. Google's own signers write it with padding and without.
const FORM: Form = Form {
    length: 64,
    padding: Padding::Either,
};

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub struct GoogleMediaCdn {
    /// The keys.
    pub keys: Keys,
    /// What is taken: tokens, or signed requests.
    pub mode: Mode,
    /// Where one may stand; at least one.
    pub carriers: Vec<Carrier>,
    /// The scheme of the URLs that are signed.
    pub scheme: Scheme,
    /// What a token may say of its time.
    pub lifetime: Lifetime,
}

/// What a route of Media CDN may require.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Fields joined by `~`: `REQUIRE_TOKENS`.
    Tokens,
    /// `Expires`, `KeyName` and `Signature`: `REQUIRE_SIGNATURES`. Ed25519 only.
    Signatures,
}

/// The keys, of the one algorithm that the configuration names.
#[derive(Clone, Debug)]
pub enum Keys {
    /// Ed25519: `Signature=`.
    Ed25519(KeyRing<PublicKey>),
    /// HMAC: `hmac=`.
    Hmac(HmacHash, KeyRing<HmacKey>),
}

impl Format for GoogleMediaCdn {
    fn verify<'a>(&'a self, request: &Request<'a>, facts: &Facts<'_>) -> Result<Link<'a>, Reason> {
        match self.mode {
            Mode::Tokens => self.verify_token(request, facts),
            Mode::Signatures => self.verify_signature(request, facts),
        }
    }

    fn carriers(&self) -> Vec<Carrier> {
        carrier::all(self.parameters(), &self.carriers)
    }

    fn parameters(&self) -> Vec<&str> {
        let own = carrier::parameters(&self.carriers);
        match self.mode {
            Mode::Signatures if !own.is_empty() => {
                vec!["URLPrefix", "Expires", "KeyName", "Signature"]
            }
            Mode::Tokens | Mode::Signatures => own,
        }
    }

    fn path_token(&self) -> Option<&str> {
        carrier::path_token(&self.carriers)
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        sign::sign(self, order)
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &Facts<'_>) -> Vec<String> {
        explain::lines(self, request, facts)
    }
}

impl GoogleMediaCdn {
    fn verify_token<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &Facts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let carried = carrier::find(&self.carriers, request)?;
        let mut refused = Reason::MalformedCredential;
        for reading in readings(carried.text) {
            let Ok(token) = Token::parse(&reading, &self.keys) else {
                continue;
            };
            refused = Reason::WrongSignature;
            let messages = signed::messages(&token, request);
            if !self.keys.sign_any(&messages, &token.signature, facts) {
                continue;
            }
            let covers = self.covers(&token, request);
            let covers = covers.ok_or(Reason::WrongSignature)?;
            self.lifetime
                .check(token.starts, token.expires, facts.now)?;
            if !token.is_from(facts.client) {
                return Err(Reason::AddressNotAllowed);
            }
            return Ok(Link {
                covers,
                ..Link::new(carried.strip(), Some(token.expires))
            });
        }
        Err(refused)
    }

    /// What a token opens for this request; `None` when it does not open it.
    fn covers<'a>(&self, token: &Token<'_>, request: &Request<'a>) -> Option<Covers<'a>> {
        match &token.scope {
            Scope::FullPath => Some(Covers::Path),
            Scope::PathGlobs(globs) => wildcard::covers(globs, request.target.path),
            Scope::UrlPrefix(prefix) => prefix.covers(
                self.scheme.of(request)?,
                request.authority,
                request.target.path,
            ),
        }
    }

    fn verify_signature<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &Facts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let found = SignedRequest::find(&self.carriers, self.scheme, FORM, request)?;
        if !self.keys.sign_named(&found, facts) {
            return Err(Reason::WrongSignature);
        }
        let covers = found.covers(self.scheme, request);
        let covers = covers.ok_or(Reason::WrongSignature)?;
        self.lifetime.check(None, found.expires, facts.now)?;
        Ok(Link {
            covers,
            ..Link::new(found.strips, Some(found.expires))
        })
    }
}

impl Keys {
    /// Whether a key that counts signed one of the messages. A token names none.
    fn sign_any(&self, messages: &[String], signature: &[u8], facts: &Facts<'_>) -> bool {
        let any = |signs: &dyn Fn(&[u8]) -> bool| messages.iter().any(|it| signs(it.as_bytes()));
        match self {
            Self::Ed25519(ring) => ring
                .current(facts.now)
                .any(|entry| any(&|it| entry.key.verify(&[it], signature))),
            Self::Hmac(_, ring) => ring
                .current(facts.now)
                .any(|entry| any(&|it| entry.key.verify(it, signature))),
        }
    }

    /// Whether the key that a request names signed it.
    fn sign_named(&self, found: &SignedRequest<'_>, facts: &Facts<'_>) -> bool {
        let Self::Ed25519(ring) = self else {
            return false;
        };
        let mut current = ring.current(facts.now);
        let named = current.find(|it| it.id == found.key_name);
        // A key that is not there costs as much as one that is.
        let Some(entry) = named.or_else(|| ring.current(facts.now).next()) else {
            return false;
        };
        let mut messages = found.messages.iter();
        let is_signed = messages.any(|it| entry.key.verify(&[it.as_bytes()], &found.signature));
        is_signed && entry.id == found.key_name
    }
}
