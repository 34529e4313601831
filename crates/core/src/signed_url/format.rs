//! What every format of signed URLs does.

#[cfg(feature = "tools")]
use std::borrow::Cow;

use arrayvec::ArrayVec;

use super::carrier::Carrier;
use super::facts::LinkFacts;
use super::once_link::OnceLink;
#[cfg(feature = "tools")]
use super::sign;
use crate::http::edit::Strip;
use crate::http::request::Request;
use crate::identity::Identity;
use crate::reason::Reason;
use crate::time::UnixMillis;

/// A format of signed URLs, configured.
pub trait Format {
    /// Checks the link of a request.
    ///
    /// # Errors
    /// The reason why the link is invalid. Expiry and client restrictions are
    /// reported only for a link that one of our secrets signed.
    fn verify<'a>(
        &'a self,
        request: &Request<'a>,
        facts: &LinkFacts<'_>,
    ) -> Result<Link<'a>, Reason>;

    /// The query parameters that carry its tokens.
    fn parameters(&self) -> Vec<&str>;

    /// Every query parameter, header and cookie that carries its tokens. What is in a path
    /// segment, is taken out before: see [`PathToken`](crate::http::PathToken).
    fn carriers(&self) -> Vec<Carrier> {
        let names = self.parameters().into_iter();
        names.map(|it| Carrier::Query(it.to_owned())).collect()
    }

    /// The name of the path segments that carry its tokens: see
    /// [`PathToken`](crate::http::PathToken).
    fn path_token(&self) -> Option<&str> {
        None
    }

    /// The name of the parameters of path segments that carry its tokens.
    fn path_parameter(&self) -> Option<&str> {
        None
    }

    /// Whether the policy permits the query of a request, independent of the signature: it
    /// holds for a request that comes by a cookie, too.
    fn permits_query(&self, request: &Request<'_>) -> bool {
        let _ = request;
        true
    }

    /// Whether a token has a form that nothing else has, so that it may be removed from a
    /// request wherever it is found.
    fn has_unmistakable_tokens(&self) -> bool {
        false
    }

    /// Whether its links say whose they are.
    fn has_identity(&self) -> bool {
        false
    }

    /// Whether a link may be valid for one method and not for another.
    fn reads_method(&self) -> bool {
        false
    }

    /// What an operator should think about, as configured: links that never expire, a weak hash,
    /// a query that is not signed.
    #[cfg(feature = "tools")]
    fn remarks(&self) -> Vec<FieldRemark>;

    /// Signs a URL that has no token yet, with the first secret that counts.
    ///
    /// # Errors
    /// What the order asks for and the format or its configuration cannot give.
    #[cfg(feature = "tools")]
    fn sign(&self, order: &sign::Order<'_>) -> Result<sign::Signed, sign::SignError>;

    /// What was found of the link of a request and, if possible, which field differs from the
    /// signed one: a line each. No secret, and no MAC that would be right.
    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Vec<String>;
}

/// A field of a provider, and what is remarkable about it.
#[cfg(feature = "tools")]
pub type FieldRemark = (&'static str, Cow<'static, str>);

/// A link that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// What takes its token out of the request. A token in a path segment is out already.
    pub strips: Strips<'a>,
    /// Whose it is, if it says so.
    pub identity: Option<Identity>,
    /// The first instant at which it holds no more, if there is one.
    pub expires: Option<UnixMillis>,
    /// What else it opens.
    pub covers: Covers<'a>,
    /// If it works once.
    pub once: Option<OnceLink>,
}

/// The parts of a token; no format has more.
pub type Strips<'a> = ArrayVec<Strip<'a>, 8>;

/// Which paths a link opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covers<'a> {
    /// The one of the request, or a set that is no prefix.
    Path,
    /// All that begin so; it ends with `/`.
    Prefix(&'a str),
}

impl<'a> Link<'a> {
    /// A link for the path of the request, until an instant.
    #[inline]
    pub fn new(strips: impl IntoIterator<Item = Strip<'a>>, expires: Option<UnixMillis>) -> Self {
        Self {
            strips: strips.into_iter().take(8).collect(),
            identity: None,
            expires,
            covers: Covers::Path,
            once: None,
        }
    }
}
