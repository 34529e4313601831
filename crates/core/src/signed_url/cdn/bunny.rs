//! Bunny's token authentication, version 2: `HS256-<mac>`.
//!
//! Source: Bunny's repository BunnyCDN.TokenAuthentication and its vectors; its README
//! gives another order than its code. The MAC is over path or `token_path`, end, address
//! and parameters, in a row without delimiters. What the token says of itself beside the
//! MAC, that it is bound to an address, is not signed: here the configuration says it.

#[cfg(feature = "tools")]
mod explain;
mod parameters;
#[cfg(feature = "tools")]
mod sign;

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::http::client::Client;
use crate::http::edit::Strip;
use crate::http::path::{canonical, readable};
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::signed_url::carrier::only;
use crate::signed_url::facts::LinkFacts;
#[cfg(feature = "tools")]
use crate::signed_url::format::FieldRemark;
use crate::signed_url::format::{Covers, Format, Link};
use crate::signed_url::parts::hmac_key::HmacKey;
use crate::signed_url::parts::lifetime::Lifetime;
use crate::signed_url::parts::ten_digits;
#[cfg(feature = "tools")]
use crate::signed_url::sign::{Order, SignError, Signed};
use crate::time::UnixMillis;
use parameters::Parameters;

/// The name of the segment that carries a token in the path.
const SEGMENT: &str = "bcdn_token";

/// What Bunny's parameters are called; `limit` is not among them, see [`Bunny`].
const OWN: [&str; 6] = [
    "token",
    "expires",
    "token_path",
    "token_countries",
    "token_countries_blocked",
    "token_ignore_params",
];

/// How links of one provider are checked and made.
///
/// `limit`, a speed, is signed like any other parameter, and is for whatever comes behind:
/// nothing is slowed down here.
#[derive(Clone, Debug)]
pub(crate) struct Bunny {
    /// The secrets; the first signs.
    pub ring: KeyRing<HmacKey>,
    /// How far ahead a link may end.
    pub lifetime: Lifetime,
    /// Links are bound to the client's address, all or none of them.
    pub bind_address: bool,
    /// The header in which the proxy says the client's country.
    pub country_header: Option<String>,
}

struct Token<'a> {
    /// The expiry as sent, and its time.
    digits: String,
    end: UnixMillis,
    mac: Vec<u8>,
    parameters: Parameters<'a>,
}

impl Format for Bunny {
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason> {
        let token = self.find(request)?;
        let address = self.address(facts.client)?;
        let path = request.target.path;
        let token_path = token.parameters.value("token_path");
        let covers = match token_path {
            Some(signed) => Some(covers(path, signed).ok_or(Reason::WrongSignature)?),
            None => None,
        };
        let signs = |path: &str| {
            let message = token.message(path, &address);
            let mut keys = self.ring.current(facts.now);
            keys.any(|it| it.key.verify(&message, &token.mac))
        };
        let is_signed = match token_path {
            Some(signed) => signs(signed),
            None => spellings(path).iter().any(|it| signs(it)),
        };
        if !is_signed {
            return Err(Reason::WrongSignature);
        }
        self.lifetime.check(None, token.end, facts.now)?;
        self.is_country_allowed(request, &token)?;
        let mut link = Link::new(OWN.map(Strip::Parameter), Some(token.end));
        link.covers = covers.unwrap_or(Covers::Path);
        Ok(link)
    }

    fn parameters(&self) -> Vec<&str> {
        OWN.to_vec()
    }

    fn path_token(&self) -> Option<&str> {
        Some(SEGMENT)
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

impl Bunny {
    fn find<'a>(&self, request: &Request<'a>) -> Result<Token<'a>, Reason> {
        let segment = request
            .path_token
            .filter(|it| it.name == SEGMENT && !it.value.is_empty());
        let parameters = Parameters::read(segment.map(|it| it.value), request.target.query)?;
        let text = parameters
            .value("token")
            .ok_or(Reason::MissingCredential)?
            .strip_prefix("HS256-")
            .ok_or(Reason::MalformedCredential)?;
        // Whether the token is bound is not signed, so an attacker could remove the flag.
        let mac = match self.bind_address {
            true => text.strip_prefix("1-"),
            false => Some(text),
        };
        let mac = mac.and_then(|it| URL_SAFE_NO_PAD.decode(it).ok());
        let mac = mac.filter(|it| it.len() == 32);
        let digits = parameters.value("expires");
        let digits = digits.ok_or(Reason::MalformedCredential)?.to_owned();
        Ok(Token {
            end: ten_digits::parse(&digits)?,
            digits,
            mac: mac.ok_or(Reason::MalformedCredential)?,
            parameters,
        })
    }

    /// What is signed of an address: four bytes, or sixteen of which eight count.
    fn address(&self, client: Client<'_>) -> Result<Vec<u8>, Reason> {
        if !self.bind_address {
            return Ok(Vec::new());
        }
        match client.address().map(|it| it.to_canonical()) {
            Some(IpAddr::V4(it)) => Ok(it.octets().to_vec()),
            Some(IpAddr::V6(it)) => {
                let network = it.octets().into_iter().take(8);
                Ok(network.chain([0; 8]).collect())
            }
            None => Err(Reason::AddressNotAllowed),
        }
    }

    /// Told only of a link that holds.
    fn is_country_allowed(&self, request: &Request<'_>, token: &Token<'_>) -> Result<(), Reason> {
        let allowed = token.parameters.value("token_countries");
        let blocked = token.parameters.value("token_countries_blocked");
        if allowed.is_none() && blocked.is_none() {
            return Ok(());
        }
        let header = self.country_header.as_ref();
        let country = match header {
            Some(name) => only(request.values(name)).ok().flatten(),
            None => None,
        };
        let is_code = |it: &&str| it.len() == 2 && it.bytes().all(|it| it.is_ascii_alphabetic());
        let country = country.filter(is_code).ok_or(Reason::AddressNotAllowed)?;
        let names = |list: &str| {
            let mut all = list.split(',');
            all.any(|it| it.trim_ascii().eq_ignore_ascii_case(country))
        };
        if allowed.is_some_and(|it| !names(it)) || blocked.is_some_and(names) {
            return Err(Reason::AddressNotAllowed);
        }
        Ok(())
    }
}

impl Token<'_> {
    fn message(&self, path: &str, address: &[u8]) -> Vec<u8> {
        let data = self.parameters.signed();
        [
            path.as_bytes(),
            self.digits.as_bytes(),
            address,
            data.as_bytes(),
        ]
        .concat()
    }
}

/// A path as it arrived, in its canonical spelling and decoded: signers take each of them.
fn spellings(path: &str) -> Vec<String> {
    let mut all = vec![
        path.to_owned(),
        canonical(path).into_owned(),
        readable(path).into_owned(),
    ];
    all.dedup();
    all
}

/// What a `token_path` opens, if this path is among it: itself, and what lies below.
fn covers<'a>(path: &'a str, token_path: &str) -> Option<Covers<'a>> {
    if !token_path.starts_with('/') {
        return None;
    }
    let signed = readable(token_path);
    if readable(path) == signed && !path.ends_with('/') {
        return Some(Covers::Path);
    }
    let directory = match signed.ends_with('/') {
        true => signed.into_owned(),
        false => format!("{signed}/"),
    };
    let mut slashes = path.match_indices('/');
    let prefixes = slashes.find_map(|(at, _)| {
        let prefix = path.get(..=at)?;
        (readable(prefix) == directory).then_some(prefix)
    });
    prefixes.map(Covers::Prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_path_covers_itself_and_everything_below() {
        for (path, token_path, expected) in [
            ("/abc/300kb.jpg", "/abc", Some(Covers::Prefix("/abc/"))),
            ("/abc/300kb.jpg", "/abc/", Some(Covers::Prefix("/abc/"))),
            ("/abc/", "/abc", Some(Covers::Prefix("/abc/"))),
            ("/abc", "/abc", Some(Covers::Path)),
            ("/abc", "/abc/", None),
            ("/abcd", "/abc", None),
            ("/abcd/x", "/abc", None),
            ("/x/abc/", "/abc", None),
            ("/a%62c/x", "/abc", Some(Covers::Prefix("/a%62c/"))),
            ("/a b/x", "/a%20b/", Some(Covers::Prefix("/a b/"))),
            ("/abc%2Fd/x", "/abc/d", None),
            ("/abc/x", "abc", None),
            ("/abc/x", "", None),
            ("/abc/x", "/", Some(Covers::Prefix("/"))),
        ] {
            assert_eq!(covers(path, token_path), expected, "{path} {token_path}");
        }
    }
}
