//! What a signer is asked for, and what it gives.

use ipnet::IpNet;

use crate::http::authority::Authority;
use crate::http::path::Target;
use crate::signed_url::crypto::private_key::PrivateKey;
use crate::time::UnixMillis;

/// A URL that is to be signed, and for whom, where and how long.
///
/// A format takes what it knows and rejects the rest with a [`SignError`]: nothing that
/// was asked for is left out silently.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Scheme and authority, such as `https://example.com`, or nothing.
    pub origin: &'a str,
    /// Path and query, without a token.
    pub target: Target<'a>,
    /// The method that the link is for.
    pub method: &'a str,
    /// The time of signing.
    pub now: UnixMillis,
    /// The first instant at which it holds; without it, at once.
    pub not_before: Option<UnixMillis>,
    /// The first instant at which it holds no more. Formats that say when a link was made
    /// have none, and some never end.
    pub expires: Option<UnixMillis>,
    /// Which paths it opens.
    pub scope: Scope<'a>,
    /// From which addresses.
    pub addresses: &'a [IpNet],
    /// Headers that a request must have as here, name in lower case and value.
    pub headers: &'a [(&'a str, &'a str)],
    /// Cookies that a request must have as here.
    pub cookies: &'a [(&'a str, &'a str)],
    /// Whose it is.
    pub account: Option<&'a str>,
    /// The id of a link that works once.
    pub once: Option<&'a str>,
    /// What signs, where the provider holds public keys only.
    pub private_key: Option<&'a PrivateKey>,
    /// Options that only this format has, name and value.
    pub options: &'a [(&'a str, &'a str)],
}

/// Which paths a link opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The one of the URL.
    Path,
    /// All that begin so; it ends with `/`.
    Prefix(&'a str),
    /// All that one of these globs matches, in the spelling of the format.
    Globs(&'a [&'a str]),
}

/// A signed URL. What is not in the URL is returned separately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// The URL, with the token if it is in the URL.
    pub url: String,
    /// Headers to send with it.
    pub headers: Vec<(String, String)>,
    /// Cookies to send with it.
    pub cookies: Vec<(String, String)>,
}

/// Why nothing was signed. Never carries a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// An option that links of the format do not have, as it is given on the command line. A
    /// format does not know its name: see [`SignedUrl::sign`](super::SignedUrl::sign).
    #[error("links of this format do not support {0}")]
    Unsupported(String),
    /// Anything else, as a sentence.
    #[error("{0}")]
    Sentence(String),
}

impl SignError {
    /// From a sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Self::Sentence(text.into())
    }
}

impl<'a> Order<'a> {
    /// Rejects what a format does not know, by the names of the fields of this order that
    /// it does: `not_before`, `expires`, `prefix`, `globs`, `addresses`, `headers`,
    /// `cookies`, `account`, `once`, and the names of options.
    ///
    /// # Errors
    /// [`SignError::Unsupported`] with the option of the first field that was given and is not in
    /// `known`.
    pub fn only(&self, known: &[&str]) -> Result<(), SignError> {
        let is_prefix = matches!(self.scope, Scope::Prefix(_));
        let is_glob = matches!(self.scope, Scope::Globs(_));
        let given = [
            ("not_before", "--not-before", self.not_before.is_some()),
            ("expires", "an expiry", self.expires.is_some()),
            ("prefix", "--prefix", is_prefix),
            ("globs", "--glob", is_glob),
            ("addresses", "--address", !self.addresses.is_empty()),
            ("headers", "--header", !self.headers.is_empty()),
            ("cookies", "--cookie", !self.cookies.is_empty()),
            ("account", "--account", self.account.is_some()),
            ("once", "--once", self.once.is_some()),
        ];
        let mut given = given.iter().filter(|(.., is_given)| *is_given);
        let unknown = given.find(|(name, ..)| !known.contains(name));
        let mut options = self.options.iter();
        let option = options.find(|(name, _)| !known.contains(name));
        let told = match (unknown, option) {
            (Some((_, told, _)), _) => (*told).to_owned(),
            (None, Some((name, _))) => format!("--option {name}"),
            (None, None) => return Ok(()),
        };
        Err(SignError::Unsupported(told))
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        let mut all = self.options.iter();
        all.find(|(it, _)| *it == name).map(|(_, value)| *value)
    }

    /// The authority of the origin, such as `example.com`, as clients send it: without the
    /// default port of its scheme. Empty without an origin.
    pub fn authority(&self) -> &'a str {
        let (scheme, authority) = self.origin.split_once("://").unwrap_or(("", self.origin));
        let parsed = Authority::parse(authority);
        parsed.map_or(authority, |it| it.without_default_port(scheme))
    }

    /// The authority of the origin, where a format cannot do without it.
    ///
    /// # Errors
    /// An origin that no request can have.
    pub fn parsed_authority(&self) -> Result<Authority<'a>, SignError> {
        let (_, authority) = self.origin.split_once("://").unwrap_or(("", self.origin));
        let parsed = Authority::parse(authority);
        parsed.map_err(|error| SignError::new(format!("the host of the URL {error}")))
    }

    /// The URL with `name=value&…` behind its query.
    pub fn with_query(&self, more: &str) -> String {
        let separator = if self.target.query.is_some() {
            '&'
        } else {
            '?'
        };
        format!("{}{}{separator}{more}", self.origin, self.target.whole)
    }
}
