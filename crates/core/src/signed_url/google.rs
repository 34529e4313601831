//! What both content delivery networks of Google share: requests that are signed by
//! `Expires`, `KeyName` and `Signature`, for one URL or for a prefix.
//!
//! Source: Google's documents "Use signed URLs", "Use signed cookies" (Cloud CDN) and
//! "Generate signatures" (Media CDN), and the samples in `python-docs-samples`.

pub(crate) mod base64url;
#[cfg(feature = "tools")]
pub(crate) mod explain;
pub(crate) mod google_cdn;
pub(crate) mod google_media_cdn;
pub(crate) mod prefix;
pub(crate) mod request;
#[cfg(feature = "tools")]
pub(crate) mod sign;

use crate::http::request::Request;
use crate::signed_url::carrier::only;

/// The scheme of the URLs that are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `https`, independent of the scheme that reaches this proxy.
    Https,
    /// `http`.
    Http,
    /// The value of `:scheme`. A wrong value gains nothing, because the scheme is signed.
    Request,
}

impl Scheme {
    /// Its name in a URL; `None` when the request has none, or another.
    pub(crate) fn of(self, request: &Request<'_>) -> Option<&'static str> {
        match self {
            Self::Https => Some("https"),
            Self::Http => Some("http"),
            Self::Request => match only(request.values(":scheme")).ok()?? {
                "https" => Some("https"),
                "http" => Some("http"),
                _ => None,
            },
        }
    }
}
