//! Amazon CloudFront's signed URLs and signed cookies, strictly: canned and custom policies.
//!
//! Source: the Amazon CloudFront Developer Guide, "Use signed URLs" and "Use signed
//! cookies". A policy is JSON; RSA or ECDSA signs its bytes. With a canned policy the link
//! holds only the time, and the policy is put together from that and the URL.

#[cfg(feature = "tools")]
mod explain;
mod policy;
#[cfg(feature = "tools")]
mod sign;
mod token;

use std::borrow::Cow;

use self::policy::{Document, canned};
use self::token::{Says, Token};
use crate::http::authority::Authority;
use crate::http::cookie::cookie_values;
use crate::http::edit::Strip;
use crate::http::path::canonical;
use crate::http::query;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
#[cfg(feature = "tools")]
use crate::secret::RingEntry;
use crate::signed_url::carrier as places;
use crate::signed_url::crypto::public_key::{KeyKind, PublicKey, Scheme};
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Covers, Format, Link, Strips};
use crate::signed_url::parts::spelling;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::time::{Millis, UnixMillis};

/// The parameters of a link; those of a cookie have `CloudFront-` in front.
pub(crate) const PARAMETERS: [&str; 5] = [
    "Expires",
    "Policy",
    "Signature",
    "Key-Pair-Id",
    "Hash-Algorithm",
];

/// The cookies, in the order of [`PARAMETERS`].
pub(crate) const COOKIES: [&str; 5] = [
    "CloudFront-Expires",
    "CloudFront-Policy",
    "CloudFront-Signature",
    "CloudFront-Key-Pair-Id",
    "CloudFront-Hash-Algorithm",
];

/// How links of one provider are checked and made.
#[derive(Clone, Debug)]
pub(crate) struct CloudFront {
    /// RSA or P-256 keys. The id of an entry is its Key-Pair-Id.
    pub ring: KeyRing<PublicKey>,
    /// What is signed: the hash of the policy.
    pub hash: Hash,
    /// The carriers of a token; at least one.
    pub carriers: Vec<Carrier>,
    /// Of the URLs that are signed: `https` or `http`.
    pub scheme: &'static str,
    /// How far ahead a link may end.
    pub max_lifetime: Millis,
    /// How far the signer's clock may be ahead.
    pub skew: Millis,
    /// Whether a policy without `Resource` counts. It covers everything that the rule matches.
    pub allow_any_resource: bool,
}

/// The hash that is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    /// CloudFront's default. Who may choose part of a policy may make two with one hash.
    Sha1,
    /// `Hash-Algorithm=SHA256`.
    Sha256,
}

/// The carriers of the parts of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// In parameters of the query, anywhere.
    Query,
    /// In cookies.
    Cookies,
}

impl Format for CloudFront {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let token = self.find(request)?;
        let document = match &token.says {
            Says::Canned { .. } => None,
            Says::Custom { policy } => {
                let document = Document::parse(policy)?;
                if document.resource.is_none() && !self.allow_any_resource {
                    return Err(Reason::MalformedCredential);
                }
                Some(document)
            }
        };
        let end = match &document {
            Some(document) => document.expires,
            None => token.says.expires(),
        };
        let end = UnixMillis::from_secs(end.ok_or(Reason::MalformedCredential)?);
        // Before the signature is decoded and checked, which costs as much as thirty other
        // requests.
        if facts.now >= end {
            return Err(Reason::Expired);
        }
        if end > facts.now.plus(self.max_lifetime).plus(self.skew) {
            return Err(Reason::LifetimeTooLong);
        }
        if let Some(document) = &document {
            document.check_begin(facts.now, self.skew)?;
        }
        self.check_signature(&token, request, facts)?;
        if let Some(document) = &document {
            let url = self.url(request, &token.strips);
            let fits = |it: &String| policy::matches(&canonical(it), &canonical(&url));
            // Signed for another URL: a link that was never made for this one.
            if !document.resource.as_ref().is_none_or(fits) {
                return Err(Reason::WrongSignature);
            }
            document.check_address(facts.client)?;
        }
        let covers = document.and_then(|it| self.prefix(request, &it));
        Ok(Link {
            covers: covers.map_or(Covers::Path, Covers::Prefix),
            ..Link::new(token.strips, Some(end))
        })
    }

    fn carriers(&self) -> Vec<places::Carrier> {
        let carriers = self.carriers.iter().flat_map(|carrier| match carrier {
            Carrier::Query => PARAMETERS.map(|it| places::Carrier::Query(it.to_owned())),
            Carrier::Cookies => COOKIES.map(|it| places::Carrier::Cookie(it.to_owned())),
        });
        carriers.collect()
    }

    fn parameters(&self) -> Vec<&str> {
        match self.carriers.contains(&Carrier::Query) {
            true => PARAMETERS.to_vec(),
            false => Vec::new(),
        }
    }

    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark> {
        let message = "SHA-1 is weak: let the signer use SHA-256, then remove hash and allow_weak";
        match self.hash {
            Hash::Sha256 => Vec::new(),
            Hash::Sha1 => vec![("allow_weak", message.into())],
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

impl CloudFront {
    fn find<'a>(&self, request: &Request<'a>) -> Result<Token<'a>, Reason> {
        let takes = |carrier| self.carriers.contains(&carrier);
        let find = |carrier| match takes(carrier) {
            true => Token::find(carrier, request, self.hash),
            false => Ok(None),
        };
        // A link decides alone, even if there are cookies, as in CloudFront.
        let Some(mut link) = find(Carrier::Query)? else {
            return find(Carrier::Cookies)?.ok_or(Reason::MissingCredential);
        };
        if takes(Carrier::Cookies) {
            let is_there = |name: &&str| cookie_values(request, name).next().is_some();
            let cookies = COOKIES.into_iter().filter(is_there).map(Strip::Cookie);
            let room = link.strips.remaining_capacity();
            link.strips.extend(cookies.take(room));
        }
        Ok(link)
    }

    fn check_signature(
        &self,
        token: &Token<'_>,
        request: &Request<'_>,
        facts: &LinkFacts<'_>,
    ) -> Result<(), Reason> {
        let key = &self.ring.meant(Some(&token.key_id), facts.now)?.key;
        let signature = token.signature()?;
        let scheme = self.hash.scheme(key.kind());
        let canned = match &token.says {
            Says::Canned { expires } => self.canned_texts(request, token, expires)?,
            Says::Custom { policy } => {
                return key.check(scheme, &[policy], &signature, facts);
            }
        };
        let texts: Vec<&[u8]> = canned.iter().map(Vec::as_slice).collect();
        key.check(scheme, &texts, &signature, facts)
    }

    #[cfg(feature = "tools")]
    fn holds(
        &self,
        entry: &RingEntry<PublicKey>,
        hash: Hash,
        token: &Token<'_>,
        text: &[u8],
    ) -> bool {
        let scheme = hash.scheme(entry.key.kind());
        let signature = token.signature();
        signature.is_ok_and(|it| entry.key.verify_as(scheme, &[text], &it))
    }

    /// The canned policies that a signer may have signed for this URL: with the URL as it
    /// arrived, and with its next spelling.
    fn canned_texts(
        &self,
        request: &Request<'_>,
        token: &Token<'_>,
        expires: &str,
    ) -> Result<Vec<Vec<u8>>, Reason> {
        let url = self.url(request, &token.strips);
        // A quote would need an escape in JSON, and no signer of CloudFront's writes one.
        let is_plain = |it: &Cow<'_, str>| !it.contains(['"', '\\']);
        // Each costs a check with a public key.
        let spellings = spelling::each(&url).filter(is_plain).take(2);
        let texts: Vec<_> = spellings.map(|it| canned(&it, expires)).collect();
        match texts.is_empty() {
            true => Err(Reason::MalformedCredential),
            false => Ok(texts),
        }
    }

    /// The URL of a request without the token, as a signer had it. Every parameter that is not
    /// removed from the request is signed.
    fn url(&self, request: &Request<'_>, strips: &Strips<'_>) -> String {
        let names = strips.iter().filter_map(|it| match it {
            Strip::Parameter(name) => Some(*name),
            _ => None,
        });
        let target = query::without(&request.target, &names.collect::<Vec<_>>());
        format!("{}{target}", self.origin(request.authority))
    }

    /// Scheme and host in lower case, without the port that goes without saying (RFC 3986
    /// sections 6.2.2.1 and 6.2.3).
    fn origin(&self, authority: Authority<'_>) -> String {
        let host = authority.without_default_port(self.scheme);
        format!("{}://{}", self.scheme, host.to_ascii_lowercase())
    }

    /// The beginning of the path that a policy opens, if it is one and ends with `/`.
    fn prefix<'a>(&self, request: &Request<'a>, document: &Document) -> Option<&'a str> {
        let resource = document.resource.as_deref()?;
        let path = resource.strip_prefix(&self.origin(request.authority))?;
        let path = path.strip_suffix('*')?;
        if path.contains(['*', '?']) || !path.ends_with('/') {
            return None;
        }
        request
            .target
            .path
            .get(..path.len())
            .filter(|it| *it == path)
    }
}

impl Hash {
    /// The one that the configuration does not have.
    #[cfg(feature = "tools")]
    fn other(self) -> Self {
        match self {
            Self::Sha1 => Self::Sha256,
            Self::Sha256 => Self::Sha1,
        }
    }

    /// As the link says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// How a key of this kind signs with it.
    fn scheme(self, kind: KeyKind) -> Scheme {
        match (self, kind) {
            (Self::Sha1, KeyKind::P256) => Scheme::EcdsaSha1,
            (Self::Sha256, KeyKind::P256) => Scheme::EcdsaSha256,
            (Self::Sha1, KeyKind::Rsa | KeyKind::Ed25519) => Scheme::RsaSha1,
            (Self::Sha256, KeyKind::Rsa | KeyKind::Ed25519) => Scheme::RsaSha256,
        }
    }
}
