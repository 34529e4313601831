//! Keygate's own format: `kg1.<fields>.<signature>`.
//!
//! Source: docs/signed-urls.md of this repository, which specifies it byte for byte. Each
//! field has a letter and a length, so that bytes cannot be shifted from one to another;
//! which algorithm counts, the configuration says and never the token.

mod covers;
#[cfg(feature = "tools")]
mod explain;
pub(crate) mod fields;
#[cfg(feature = "tools")]
mod order;
pub mod sign;
pub(crate) mod text;
mod token;
mod verify;

pub use fields::{FieldError, Fields};
pub use token::VERSION;

use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier::{self, Carrier};
use crate::signed_url::crypto::public_key::PublicKey;
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Format, Link};
use crate::signed_url::parts::mac_key::MacKey;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::time::Millis;

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub struct Keygate {
    /// What verifies.
    pub keys: Keys,
    /// The carriers of a token; at least one.
    pub carriers: Vec<Carrier>,
    /// How far ahead a link may end.
    pub max_lifetime: Millis,
    /// How far the signer's clock may be ahead of ours.
    pub skew: Millis,
    /// The parameters that a token may leave unsigned.
    pub query_ignore: Vec<ParameterName>,
    /// If given: no other query parameter is allowed, except the token and those of
    /// `query_ignore`.
    pub query_allow: Option<Vec<ParameterName>>,
}

/// What verifies, of one algorithm.
#[derive(Clone, Debug)]
pub enum Keys {
    /// Secrets; the first signs.
    Hs256(KeyRing<MacKey>),
    /// Public keys of Ed25519: this provider cannot sign.
    EdDsa(KeyRing<PublicKey>),
}

/// The signature algorithm of a token, by its name in the signed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA256, 32 bytes.
    Hs256,
    /// Ed25519 (RFC 8032), 64 bytes.
    EdDsa,
}

/// A parameter of the query: its name, or the beginning of names and `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterName(pub String);

impl Algorithm {
    /// Its name, as RFC 7518 and RFC 8037 have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The bytes of a signature.
    pub fn signature_length(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::EdDsa => 64,
        }
    }
}

impl Keys {
    /// What they are for.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::Hs256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }
}

impl Format for Keygate {
    #[inline]
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        self.check(request, facts)
    }

    fn has_unmistakable_tokens(&self) -> bool {
        true
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

    fn permits_query(&self, request: &Request<'_>) -> bool {
        self.has_query(request, None, None)
    }

    fn has_identity(&self) -> bool {
        true
    }

    fn reads_method(&self) -> bool {
        true
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        Vec::new()
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        order::sign(self, order)
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String> {
        explain::lines(self, request, facts)
    }
}
