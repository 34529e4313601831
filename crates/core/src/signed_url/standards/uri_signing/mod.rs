//! URI signing of RFC 9246: a JWT that says which URIs it opens.
//!
//! The algorithm is the configuration's. An unknown claim may be a condition that would not be
//! checked, so a token with one is rejected.

mod claims;
#[cfg(feature = "tools")]
mod explain;
mod jwt;
#[cfg(feature = "tools")]
mod sign;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use self::claims::Claims;
use self::jwt::Jwt;
use crate::http::authority::Authority;
use crate::http::parameter::decode_token;
use crate::http::path::{canonical, canonical_before_envoy};
use crate::http::query;
use crate::http::request::Request;
use crate::identity::Identity;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier::{self, Carrier};
use crate::signed_url::crypto::public_key::{PublicKey, Scheme};
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link};
use crate::signed_url::parts::rings::signer;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::time::Millis;

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct UriSigning {
    /// What verifies, and with it the algorithm.
    pub keys: Keys,
    /// The carriers of a token; at least one.
    pub carriers: Vec<Carrier>,
    /// Of the URIs that are signed: `https` or `http`.
    pub scheme: &'static str,
    /// Accepted issuers. Empty: only tokens without an issuer.
    pub issuers: Vec<String>,
    /// Accepted audiences. Empty: only tokens without an audience.
    pub audience: Vec<String>,
    /// How far ahead a token may end.
    pub max_lifetime: Millis,
    /// How far the signer's clock may be ahead.
    pub skew: Millis,
    /// What is let pass unchecked.
    pub ignores: Ignores,
}

/// Claims that are let pass without being checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ignores {
    /// A token without `cdniuc` covers everything that the rule matches.
    pub missing_uri: bool,
    /// `jti`: a token that asks to be used once is used as often as it comes.
    pub jti: bool,
    /// `cdnistt` and its like: a token that asks to be renewed is not.
    pub renewal: bool,
    /// Claims of these names.
    pub others: Vec<String>,
}

/// What verifies, for each algorithm.
#[derive(Clone)]
pub(crate) enum Keys {
    /// `HS256` of RFC 7518.
    Hs256(KeyRing<Hmac<Sha256>>),
    /// `ES256` of RFC 7518.
    Es256(KeyRing<PublicKey>),
    /// `EdDSA` of RFC 8037, with Ed25519.
    EdDsa(KeyRing<PublicKey>),
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.algorithm())
    }
}

impl Keys {
    /// `alg`, as a token must have it.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// Checks that a key that counts signed a token: the one that it names, and with public
    /// keys of several no other.
    fn check(&self, jwt: &Jwt<'_>, facts: &LinkFacts<'_>) -> Result<(), Reason> {
        let (named, text) = (jwt.kid.as_deref(), jwt.signed.as_bytes());
        let (ring, scheme) = match self {
            Self::Hs256(ring) => {
                let signed = |key: &Hmac<Sha256>| {
                    let mac = key.clone().chain_update(text);
                    mac.verify_slice(&jwt.signature).is_ok()
                };
                let signer = signer(ring, named, facts.now, signed);
                return signer.map(|_| ()).ok_or(Reason::WrongSignature);
            }
            Self::Es256(ring) => (ring, Scheme::Es256),
            Self::EdDsa(ring) => (ring, Scheme::Ed25519),
        };
        let key = &ring.meant(named, facts.now)?.key;
        key.check(scheme, &[text], &jwt.signature, facts)
    }

    /// The ring, if its keys are public.
    fn public(&self) -> Option<&KeyRing<PublicKey>> {
        match self {
            Self::Hs256(_) => None,
            Self::Es256(ring) | Self::EdDsa(ring) => Some(ring),
        }
    }
}

impl Format for UriSigning {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let carried = carrier::find(&self.carriers, request)?;
        let text = decode_token(carried.text)?;
        let text = std::str::from_utf8(&text).map_err(|_| Reason::MalformedCredential)?;
        let jwt = Jwt::parse(text, self.keys.algorithm())?;
        let read = || Claims::parse(&jwt.payload, &self.ignores);
        let times = |claims: &Claims| claims.check_times(facts.now, self.skew, self.max_lifetime);
        // Before a signature that costs a public-key operation; a MAC costs little.
        if let Some(ring) = self.keys.public() {
            times(&read()?)?;
            ring.meant(jwt.kid.as_deref(), facts.now)?;
        }
        self.keys.check(&jwt, facts)?;
        let claims = read()?;
        let is_ours = claims.is_from(&self.issuers) && claims.is_for(&self.audience);
        // Signed for another URI: a link that was never made for this one.
        let uri = self.uri(request);
        let sent = canonical_before_envoy(&uri);
        let opens = claims.opens(&uri)? || sent != uri && claims.opens(&sent)?;
        if !is_ours || !opens {
            return Err(Reason::WrongSignature);
        }
        let end = times(&claims)?;
        claims.check_address(facts.client)?;
        Ok(Link {
            identity: claims.subject.map(|account| Identity {
                account,
                ..Identity::default()
            }),
            ..Link::new(carried.strip(), Some(end))
        })
    }

    fn carriers(&self) -> Vec<Carrier> {
        carrier::all(self.parameters(), &self.carriers)
    }

    fn parameters(&self) -> Vec<&str> {
        carrier::parameters(&self.carriers)
    }

    fn path_token(&self) -> Option<&str> {
        carrier::path_token(&self.carriers)
    }

    fn path_parameter(&self) -> Option<&str> {
        carrier::path_parameter(&self.carriers)
    }

    fn has_identity(&self) -> bool {
        true
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        Vec::new()
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

impl UriSigning {
    /// The URI of a request without the token, after RFC 3986 sections 6.2.2 and 6.2.3.
    fn uri(&self, request: &Request<'_>) -> String {
        let target = query::without(&request.target, &self.parameters());
        let origin = self.origin(request.authority);
        format!("{origin}{}", canonical(&target))
    }

    fn origin(&self, authority: Authority<'_>) -> String {
        let host = authority.without_default_port(self.scheme);
        format!("{}://{}", self.scheme, host.to_ascii_lowercase())
    }
}
