//! Akamai's EdgeAuth 2.0, strictly: `__token__=exp=<end>~acl=/video/*~hmac=<hex>`.
//!
//! Source: Akamai's documents on "Auth Token 2.0 Verification" and its libraries
//! `akamai-edgeauth`. The MAC is over the fields of the token as they were transmitted, then
//! `url=` and `salt=`, which are not. What the original leaves open is closed here: each field
//! is unique and in order, and a token must have an expiry.

#[cfg(feature = "tools")]
mod explain;
#[cfg(feature = "tools")]
mod sign;
mod token;
mod url;

use std::net::IpAddr;

use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::{KeyRing, RingEntry, Secret};
use crate::signed_url::carrier::{self, Carried, Carrier};
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Covers, Format, Link};
use crate::signed_url::parts::hmac_key::{HmacHash, HmacKey};
use crate::signed_url::parts::lifetime::Lifetime;
use crate::signed_url::parts::readings::readings;
#[cfg(feature = "tools")]
use crate::signed_url::parts::told;
use crate::signed_url::parts::wildcard;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};

use token::Token;

/// How tokens of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct Akamai {
    /// The keys; the first signs.
    pub ring: KeyRing<HmacKey>,
    /// The hash of those keys.
    pub hash: HmacHash,
    /// The carriers of a token; at least one, none of them a path segment.
    pub carriers: Vec<Carrier>,
    /// Signed behind all else, and never transmitted.
    pub salt: Option<Secret>,
    /// The query is not signed: Akamai's "Ignore query string".
    pub ignore_query_string: bool,
    /// What a token may say of its time.
    pub lifetime: Lifetime,
}

impl Format for Akamai {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let carried = carrier::find(&self.carriers, request)?;
        let mut rejected = Reason::MalformedCredential;
        for reading in readings(carried.text) {
            // What was signed is what is read, whichever reading that is.
            match Token::parse(&reading, self.hash) {
                Ok(token) if self.signer(&token, &carried, request, facts).is_some() => {
                    return self.judge(&token, &carried, request, facts);
                }
                Ok(_) => rejected = Reason::WrongSignature,
                Err(_) => {}
            }
        }
        Err(rejected)
    }

    fn carriers(&self) -> Vec<Carrier> {
        carrier::all(self.parameters(), &self.carriers)
    }

    fn parameters(&self) -> Vec<&str> {
        carrier::parameters(&self.carriers)
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        match self.hash {
            HmacHash::Sha256 => Vec::new(),
            HmacHash::Sha1 | HmacHash::Md5 => vec![told::weak()],
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

impl Akamai {
    /// The secret that signed this token for this request, if one that counts did.
    fn signer(
        &self,
        token: &Token<'_>,
        carried: &Carried<'_>,
        request: &Request<'_>,
        facts: &LinkFacts<'_>,
    ) -> Option<&RingEntry<HmacKey>> {
        let urls = match token.acl {
            Some(_) => Vec::new(),
            None => url::spellings(&self.url(carried, request)),
        };
        let messages = match token.acl {
            Some(_) => vec![self.message(token, None)],
            None => urls
                .iter()
                .map(|it| self.message(token, Some(it)))
                .collect(),
        };
        let mut entries = self.ring.current(facts.now);
        entries.find(|entry| {
            let mut messages = messages.iter();
            messages.any(|it| entry.key.verify(it, &token.hmac))
        })
    }

    /// What the MAC of a token is over.
    fn message(&self, token: &Token<'_>, url: Option<&str>) -> Vec<u8> {
        let mut message = token.signed.as_bytes().to_vec();
        if let Some(url) = url {
            message.extend_from_slice(b"~url=");
            message.extend_from_slice(url.as_bytes());
        }
        if let Some(salt) = &self.salt {
            message.extend_from_slice(b"~salt=");
            message.extend_from_slice(salt.expose());
        }
        message
    }

    /// The URL that a token without an access list is for.
    fn url(&self, carried: &Carried<'_>, request: &Request<'_>) -> String {
        match carried.carrier {
            _ if self.ignore_query_string => request.target.path.to_owned(),
            Carrier::Query(name) => crate::http::query::without(&request.target, &[name]),
            Carrier::Header(_)
            | Carrier::Cookie(_)
            | Carrier::Path(_)
            | Carrier::PathParameter(_) => request.target.whole.to_owned(),
        }
    }

    /// Whether a genuine token counts here and now.
    fn judge<'a>(
        &'a self,
        token: &Token<'_>,
        carried: &Carried<'a>,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        self.lifetime
            .check(token.not_before, token.expires, facts.now)?;
        let is_elsewhere = |ip| {
            let client = facts.client.address();
            client.is_none_or(|it| it.to_canonical() != ip)
        };
        if token.ip.is_some_and(is_elsewhere) {
            return Err(Reason::AddressNotAllowed);
        }
        let covers = match token.acl {
            None => Covers::Path,
            Some(acl) => {
                let patterns: Vec<&str> = acl.split('!').collect();
                let covers = wildcard::covers(&patterns, request.target.path);
                covers.ok_or(Reason::WrongSignature)?
            }
        };
        Ok(Link {
            covers,
            ..Link::new(carried.strip(), Some(token.expires))
        })
    }
}

/// An address, also where it was percent-encoded for the token.
fn address(text: &str) -> Option<IpAddr> {
    let decoded = crate::http::path::decode(text).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    text.parse::<IpAddr>().ok().map(|it| it.to_canonical())
}
