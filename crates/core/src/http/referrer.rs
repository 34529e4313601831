//! From which pages a request may come: patterns for `referer` and `origin`.
//!
//! A browser sets both and a page cannot forge them; any other client can. So this
//! ties a key to a site for browsers, and proves nothing about a program.

use std::net::Ipv6Addr;

use crate::http::glob::PathGlob;
use crate::http::path::{Target, readable};
use crate::http::request::Request;
use crate::reason::Reason;

/// Longest pattern.
pub(crate) const MAX_REFERRER: usize = 256;

/// An origin and a path glob, such as `https://*.example.com/app/**`.
#[derive(Clone, Debug)]
pub struct ReferrerPattern {
    text: String,
    scheme: Scheme,
    /// For a wildcard the suffix with its dot.
    host: Host,
    is_wildcard: bool,
    port: u16,
    path: Option<PathGlob>,
}

/// Two patterns are one when they are written alike.
impl PartialEq for ReferrerPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ReferrerPattern {}

/// What is wrong with a pattern.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferrerError {
    /// Not of the form at all.
    #[error(
        "must be an origin such as \"https://app.example.com\" or \"https://*.example.com\", \
         optionally followed by a path glob"
    )]
    Origin,
    /// A host of one label without a scheme, such as `localhost` or `x`.
    #[error("must start with http:// or https://, because the host has no dot")]
    Scheme,
    /// The path behind the origin is no glob.
    #[error("the path {0}")]
    Path(#[from] crate::http::glob::PatternError),
    /// Longer than 256 bytes.
    #[error("must be at most 256 characters")]
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// In lower case.
    Name(String),
    Ipv6(Ipv6Addr),
}

/// A page as `referer` or `origin` names it.
struct Page {
    scheme: Scheme,
    host: Host,
    port: u16,
    /// In canonical form; `None` for one that means more than one thing.
    path: Option<String>,
}

/// Whether the request comes from one of these pages: by `referer`, or by `origin` where
/// there is no `referer`. A request that says neither comes from nowhere.
///
/// # Errors
/// [`Reason::ReferrerNotAllowed`].
pub(crate) fn check(patterns: &[ReferrerPattern], request: &Request<'_>) -> Result<(), Reason> {
    let page = match one(request, "referer") {
        Ok(Some(referer)) => Page::parse(referer, true),
        Ok(None) => match one(request, "origin") {
            Ok(Some(origin)) => Page::parse(origin, false),
            Ok(None) | Err(()) => None,
        },
        Err(()) => None,
    };
    match page {
        Some(page) if patterns.iter().any(|pattern| pattern.matches(&page)) => Ok(()),
        Some(_) | None => Err(Reason::ReferrerNotAllowed),
    }
}

/// The one value of a header. `Err` for two, or for bytes that are no text.
fn one<'a>(request: &Request<'a>, name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = request.values(name);
    let first = values.next();
    if values.next().is_some() {
        return Err(());
    }
    first
        .map(|it| std::str::from_utf8(it).map_err(|_| ()))
        .transpose()
}

impl ReferrerPattern {
    /// An upper bound of the memory that it takes, in bytes: of each two characters a
    /// segment can be made, which is a block of its own.
    pub fn bytes(&self) -> usize {
        const SEGMENTS: usize = 2 * size_of::<String>();
        const SELF: usize = 2 * size_of::<ReferrerPattern>();
        self.text
            .len()
            .saturating_mul(SEGMENTS)
            .saturating_add(SELF)
    }

    /// Parses a pattern: `[https://|http://]HOST[:PORT][/GLOB]`. Without a scheme, the host must
    /// contain a dot or be an IPv6 address, and the scheme is `https`. `*.` may precede the host
    /// for any number of labels, and is not allowed elsewhere. Without a path, every page of the
    /// origin matches.
    ///
    /// # Errors
    /// [`ReferrerError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, ReferrerError> {
        let pattern = Self::parse_stored(text)?;
        match &pattern.host {
            Host::Name(name) if !name.contains('.') && split_scheme(text).is_none() => {
                Err(ReferrerError::Scheme)
            }
            Host::Name(_) | Host::Ipv6(_) => Ok(pattern),
        }
    }

    /// Parses a pattern of a stored key. Earlier versions stored `localhost` without a scheme,
    /// and such a key must stay readable.
    ///
    /// # Errors
    /// [`ReferrerError`] says what is wrong.
    pub(crate) fn parse_stored(text: &str) -> Result<Self, ReferrerError> {
        if text.len() > MAX_REFERRER {
            return Err(ReferrerError::TooLong);
        }
        let (scheme, rest) = match split_scheme(text) {
            Some((scheme, rest)) => (scheme.ok_or(ReferrerError::Origin)?, rest),
            None => (Scheme::Https, text),
        };
        let (authority, path) = match rest.find('/').and_then(|at| rest.split_at_checked(at)) {
            Some((authority, path)) => (authority, Some(PathGlob::parse(path)?)),
            None => (rest, None),
        };
        let (authority, is_wildcard) = match authority.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (authority, false),
        };
        let (host, port) = parse_authority(authority, scheme).ok_or(ReferrerError::Origin)?;
        let host = match host {
            // `*.com` would be half of the world.
            Host::Name(name) if is_wildcard && name.contains('.') => Host::Name(format!(".{name}")),
            host if !is_wildcard => host,
            Host::Name(_) | Host::Ipv6(_) => return Err(ReferrerError::Origin),
        };
        Ok(Self {
            text: text.to_owned(),
            scheme,
            host,
            is_wildcard,
            port,
            path,
        })
    }

    fn matches(&self, page: &Page) -> bool {
        let is_host = match (&self.host, &page.host) {
            (Host::Name(suffix), Host::Name(name)) if self.is_wildcard => {
                name.len() > suffix.len() && name.ends_with(suffix)
            }
            (own, theirs) => own == theirs,
        };
        is_host
            && self.scheme == page.scheme
            && self.port == page.port
            && match (&self.path, &page.path) {
                (None, _) => true,
                (Some(glob), Some(path)) => glob.matches(path),
                (Some(_), None) => false,
            }
    }
}

impl Page {
    /// Reads an absolute URL without user information. `None` for everything else.
    fn parse(text: &str, has_path: bool) -> Option<Self> {
        let (scheme, rest) = split_scheme(text)?;
        let scheme = scheme?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at_checked(end)?;
        let (host, port) = parse_authority(authority, scheme)?;
        // An origin ends here. A referrer may leave out the slash.
        let path = match after {
            "" => "/",
            path if has_path && path.starts_with('/') => path,
            _ => return None,
        };
        let path = Target::parse(path.as_bytes()).ok();
        Some(Self {
            scheme,
            host,
            port,
            path: path.map(|it| readable(it.path).into_owned()),
        })
    }
}

/// What follows `://`, and the scheme before it if it is one of ours.
fn split_scheme(text: &str) -> Option<(Option<Scheme>, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" => Some(Scheme::Https),
        "http" => Some(Scheme::Http),
        _ => None,
    };
    Some((scheme, rest))
}

/// Host and port: nothing else is allowed there, in particular no user information.
fn parse_authority(text: &str, scheme: Scheme) -> Option<(Host, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (Host::Ipv6(address.parse().ok()?), port)
        }
        None => {
            let at = text.find(':').unwrap_or(text.len());
            let (name, port) = text.split_at_checked(at)?;
            (Host::Name(parse_name(name)?), port)
        }
    };
    let port = match port {
        "" => match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        },
        port => parse_port(port.strip_prefix(':')?)?,
    };
    Some((host, port))
}

fn parse_name(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(fits);
    text.split('.')
        .all(is_label)
        .then(|| text.to_ascii_lowercase())
}

fn parse_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|it| it.is_ascii_digit()) && !text.starts_with('0');
    is_plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
