//! Google's Media CDN, strictly: tokens, and the older signed requests.
//!
//! Source: Google's documents "Generate tokens", "Generate signatures" and "Use dual-token
//! authentication". A token is a list of fields joined by `~`, of which two are signed with
//! what the request holds: its path and its headers. What the original leaves open is closed
//! here: each field is unique, a named header must be present once, and no value of the
//! request may read as a field.

#[cfg(feature = "tools")]
mod explain;
#[cfg(feature = "tools")]
mod sign;
mod signed;
mod token;

use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier::{self, Carrier};
use crate::signed_url::crypto::public_key::{self, Claim, PublicKey, first_true};
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Covers, Format, Link};
use crate::signed_url::google::Scheme;
use crate::signed_url::google::base64url::Padding;
use crate::signed_url::google::request::{Form, SignedRequest};
use crate::signed_url::parts::hmac_key::{HmacHash, HmacKey};
use crate::signed_url::parts::lifetime::Lifetime;
use crate::signed_url::parts::readings::readings;
#[cfg(feature = "tools")]
use crate::signed_url::parts::told;
use crate::signed_url::parts::wildcard;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::time::UnixMillis;
use token::{Scope, Token};

/// An Ed25519 signature. Google's own signers write it with padding and without.
const FORM: Form = Form {
    length: 64,
    padding: Padding::Either,
};

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct GoogleMediaCdn {
    /// The keys.
    pub keys: Keys,
    /// What is taken: tokens, or signed requests.
    pub mode: Mode,
    /// The carriers of one; at least one.
    pub carriers: Vec<Carrier>,
    /// The scheme of the URLs that are signed.
    pub scheme: Scheme,
    /// What a token may say of its time.
    pub lifetime: Lifetime,
}

/// What a route of Media CDN may require.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Fields joined by `~`: `REQUIRE_TOKENS`.
    Tokens,
    /// `Expires`, `KeyName` and `Signature`: `REQUIRE_SIGNATURES`. Ed25519 only.
    Signatures,
}

/// The keys, of the one algorithm that the configuration names.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    /// Ed25519: `Signature=`.
    Ed25519(KeyRing<PublicKey>),
    /// HMAC: `hmac=`.
    Hmac(HmacHash, KeyRing<HmacKey>),
}

impl Format for GoogleMediaCdn {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
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
    fn remarks(&self) -> Vec<FieldRemark> {
        match self.keys {
            Keys::Hmac(HmacHash::Sha1 | HmacHash::Md5, _) => vec![told::weak()],
            Keys::Hmac(HmacHash::Sha256, _) | Keys::Ed25519(_) => Vec::new(),
        }
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        sign::sign(self, order)
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        explain::lines(self, request, facts)
    }
}

impl GoogleMediaCdn {
    fn verify_token<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let carried = carrier::find(&self.carriers, request)?;
        let mut rejected = Reason::MalformedCredential;
        let readings = readings(carried.text);
        let mut candidates = Vec::new();
        for reading in &readings {
            let Ok(token) = Token::parse(reading, &self.keys) else {
                continue;
            };
            rejected = Reason::WrongSignature;
            // Before a signature that costs a public-key operation; a MAC costs little.
            if matches!(self.keys, Keys::Ed25519(_))
                && let Err(reason) = self.time(&token, facts.now)
            {
                rejected = reason;
                continue;
            }
            let messages = signed::messages(&token, request);
            candidates.push((token, messages));
        }
        if candidates.is_empty() {
            return Err(rejected);
        }
        let signed = self.keys.find_signed(&candidates, facts)?;
        let (token, _) = candidates.get(signed).ok_or(Reason::WrongSignature)?;
        let covers = self.covers(token, request);
        let covers = covers.ok_or(Reason::WrongSignature)?;
        self.time(token, facts.now)?;
        if !token.is_from(facts.client) {
            return Err(Reason::AddressNotAllowed);
        }
        Ok(Link {
            covers,
            ..Link::new(carried.strip(), Some(token.expires))
        })
    }

    fn time(&self, token: &Token<'_>, now: UnixMillis) -> Result<(), Reason> {
        self.lifetime.check(token.starts, token.expires, now)
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
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let found = SignedRequest::find(&self.carriers, self.scheme, FORM, request)?;
        // Before the signature, which costs a public-key operation.
        self.lifetime.check(None, found.expires, facts.now)?;
        self.keys.check_named(&found, facts)?;
        let covers = found.covers(self.scheme, request);
        let covers = covers.ok_or(Reason::WrongSignature)?;
        Ok(Link {
            covers,
            ..Link::new(found.strips, Some(found.expires))
        })
    }
}

/// What a token may be read as, and what may have been signed then.
type Candidate<'t> = (Token<'t>, Vec<String>);

impl Keys {
    /// The index of the candidate that a key that counts signed. A token names no key: with
    /// public keys, the spelling that arrived is tried with each key before another spelling.
    ///
    /// # Errors
    /// [`Reason::WrongSignature`], or [`Reason::TooManyFailures`]: see [`first_true`].
    fn find_signed(
        &self,
        candidates: &[Candidate<'_>],
        facts: &LinkFacts<'_>,
    ) -> Result<usize, Reason> {
        let each = candidates.iter().enumerate();
        let mut each = each.flat_map(|(at, (token, messages))| {
            messages
                .iter()
                .map(move |it| (at, it.as_bytes(), token.signature.as_slice()))
        });
        match self {
            Self::Ed25519(ring) => {
                let claims = each.flat_map(|(at, message, signature)| {
                    ring.current(facts.now).map(move |entry| {
                        let claim = Claim {
                            key: &entry.key,
                            scheme: public_key::Scheme::Ed25519,
                            message,
                            signature,
                        };
                        (at, claim)
                    })
                });
                let (indices, claims): (Vec<usize>, Vec<Claim<'_>>) = claims.unzip();
                let signed = first_true(&claims, facts)?;
                indices.get(signed).copied().ok_or(Reason::WrongSignature)
            }
            Self::Hmac(_, ring) => {
                let signed = each.find(|(_, message, signature)| {
                    let mut keys = ring.current(facts.now);
                    keys.any(|entry| entry.key.verify(message, signature))
                });
                signed.map(|(at, ..)| at).ok_or(Reason::WrongSignature)
            }
        }
    }

    /// Checks that the key that a request names signed it.
    fn check_named(&self, found: &SignedRequest<'_>, facts: &LinkFacts<'_>) -> Result<(), Reason> {
        let Self::Ed25519(ring) = self else {
            return Err(Reason::WrongSignature);
        };
        let key = &ring.meant(Some(found.key_name), facts.now)?.key;
        let messages: Vec<&[u8]> = found.messages.iter().map(String::as_bytes).collect();
        let scheme = public_key::Scheme::Ed25519;
        key.check(scheme, &messages, &found.signature, facts)
    }
}
