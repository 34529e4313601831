//! Signed URLs: one file or folder for each format, and what all of them share.
//!
//! A format finds its token in a request, checks it, and says what takes it out again.
//! It knows nothing of rules and answers. Signing and explaining are for the command line
//! and for tests: the feature `tools`, which the filter does without.

#[cfg(feature = "formats-cdn")]
pub mod akamai;
#[cfg(feature = "formats-storage")]
pub mod azure_sas;
#[cfg(feature = "formats-cdn")]
pub mod bunny;
pub mod carrier;
pub mod cloudflare;
#[cfg(feature = "formats-cloudfront")]
pub mod cloudfront;
#[cfg(feature = "tools")]
mod deliver;
pub mod exchange;
#[cfg(feature = "formats-cdn")]
pub mod fastly;
#[cfg(any(feature = "formats-cdn", feature = "formats-images"))]
pub mod first_segment;
#[cfg(feature = "formats-google")]
pub mod google;
#[cfg(feature = "formats-google")]
pub mod google_cdn;
#[cfg(feature = "formats-images")]
pub mod google_maps;
#[cfg(feature = "formats-google")]
pub mod google_media_cdn;
#[cfg(any(
    feature = "formats-cdn",
    feature = "formats-google",
    feature = "formats-images"
))]
pub mod hmac_key;
#[cfg(feature = "formats-standards")]
pub mod http_signature;
#[cfg(feature = "formats-images")]
pub mod imgproxy;
#[cfg(feature = "formats-cdn")]
pub mod keycdn;
pub mod keygate;
#[cfg(any(
    feature = "formats-cdn",
    feature = "formats-google",
    feature = "formats-images"
))]
pub mod lifetime;
pub mod mac_key;
#[cfg(feature = "formats-cdn")]
pub mod md5_sum;
#[cfg(feature = "tools")]
#[cfg_attr(
    not(feature = "all-formats"),
    allow(
        dead_code,
        reason = "a build with fewer formats explains with less of it"
    )
)]
mod near;
#[cfg(feature = "formats-cdn")]
pub mod nginx;
pub mod parameter;
pub mod path_token;
#[cfg(feature = "tools")]
pub mod private_key;
pub mod public_key;
#[cfg(any(feature = "formats-cdn", feature = "formats-google"))]
mod readings;
#[cfg(feature = "formats-storage")]
pub mod s3;
#[cfg(feature = "tools")]
pub mod sign;
pub mod spelling;
#[cfg(any(feature = "formats-cdn", feature = "formats-images"))]
pub mod ten_digits;
#[cfg(feature = "formats-images")]
pub mod thumbor;
#[cfg(feature = "tools")]
#[cfg_attr(
    not(feature = "all-formats"),
    allow(
        dead_code,
        reason = "a build with fewer formats explains with less of it"
    )
)]
mod told;
#[cfg(feature = "formats-standards")]
pub mod uri_signing;
#[cfg(any(feature = "formats-cdn", feature = "formats-google"))]
pub mod wildcard;

use std::fmt;

use arrayvec::ArrayVec;

pub use parameter::{TokenParameter, find_parameter, find_token};

use self::carrier::Carrier;
use crate::grant::Strip;
use crate::identity::Identity;
use crate::once::OnceLink;
use crate::policy::Facts;
use crate::reason::Reason;
use crate::request::Request;
use crate::secret::KeyRing;
use crate::time::UnixMillis;

/// A provider of signed URLs, configured.
#[derive(Debug)]
pub struct SignedUrl {
    /// How its links are made.
    pub format: AnyFormat,
    /// When the secrets of its ring count.
    pub ring: KeyRing<()>,
    /// Whether a link is exchanged for a cookie, and for which.
    pub exchange: Option<exchange::Exchange>,
}

/// A format, whichever it is. The two that every build has are called by name, so that a
/// check of their links is compiled where it is called.
pub enum AnyFormat {
    /// Our own.
    Keygate(keygate::Keygate),
    /// Cloudflare's.
    Cloudflare(cloudflare::Cloudflare),
    /// Any other.
    Other(Box<dyn Format>),
}

/// The same of whichever it is.
macro_rules! each {
    ($any:expr, $it:ident => $value:expr) => {
        match $any {
            AnyFormat::Keygate($it) => $value,
            AnyFormat::Cloudflare($it) => $value,
            AnyFormat::Other($it) => $value,
        }
    };
}

impl Format for AnyFormat {
    fn into_any(self) -> Self {
        self
    }

    #[inline]
    fn verify<'a>(&'a self, request: &Request<'a>, facts: &Facts<'_>) -> Result<Link<'a>, Reason> {
        each!(self, it => it.verify(request, facts))
    }

    fn parameters(&self) -> Vec<&str> {
        each!(self, it => it.parameters())
    }

    fn carriers(&self) -> Vec<Carrier> {
        each!(self, it => it.carriers())
    }

    fn path_token(&self) -> Option<&str> {
        each!(self, it => it.path_token())
    }

    fn path_parameter(&self) -> Option<&str> {
        each!(self, it => it.path_parameter())
    }

    fn permits_query(&self, request: &Request<'_>) -> bool {
        each!(self, it => it.permits_query(request))
    }

    fn has_identity(&self) -> bool {
        each!(self, it => it.has_identity())
    }

    fn reads_method(&self) -> bool {
        each!(self, it => it.reads_method())
    }

    #[cfg(feature = "tools")]
    fn sign(&self, order: &sign::Order<'_>) -> Result<sign::Signed, sign::SignError> {
        each!(self, it => it.sign(order))
    }

    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &Facts<'_>) -> Vec<String> {
        each!(self, it => it.explain(request, facts))
    }
}

/// Without its fields: what shows them would be in the filter, where nobody looks.
impl fmt::Debug for AnyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Format(..)")
    }
}

/// A format of signed URLs, configured.
pub trait Format {
    /// One of them all.
    fn into_any(self) -> AnyFormat
    where
        Self: Sized + 'static,
    {
        AnyFormat::Other(Box::new(self))
    }

    /// Checks the link of a request.
    ///
    /// # Errors
    /// The reason why it does not count. Whether it has expired, or is not for this client,
    /// is told only of a link that one of our secrets signed.
    fn verify<'a>(&'a self, request: &Request<'a>, facts: &Facts<'_>) -> Result<Link<'a>, Reason>;

    /// The parameters of the query in which its tokens stand.
    fn parameters(&self) -> Vec<&str>;

    /// Every parameter of the query, header and cookie in which its tokens stand. What is in
    /// a path segment, is taken out before: see [`path_token`].
    fn carriers(&self) -> Vec<Carrier> {
        let names = self.parameters().into_iter();
        names.map(|it| Carrier::Query(it.to_owned())).collect()
    }

    /// The name of the path segments in which its tokens stand: see [`path_token`].
    fn path_token(&self) -> Option<&str> {
        None
    }

    /// The name of the parameters of path segments in which its tokens stand.
    fn path_parameter(&self) -> Option<&str> {
        None
    }

    /// Whether the policy permits the query of a request, whatever was signed: it holds for
    /// a request that comes by a cookie, too.
    fn permits_query(&self, request: &Request<'_>) -> bool {
        let _ = request;
        true
    }

    /// Whether its links say whose they are.
    fn has_identity(&self) -> bool {
        false
    }

    /// Whether a link may be valid for one method and not for another.
    fn reads_method(&self) -> bool {
        false
    }

    /// Signs a URL that has no token yet, with the first secret that counts.
    ///
    /// # Errors
    /// What the order asks for and the format or its configuration cannot give.
    #[cfg(feature = "tools")]
    fn sign(&self, order: &sign::Order<'_>) -> Result<sign::Signed, sign::SignError>;

    /// What was found of the link of a request and, where it can be told, which field
    /// differs from what was signed: a line each. No secret, and no MAC that would be right.
    #[cfg(feature = "tools")]
    fn explain(&self, request: &Request<'_>, facts: &Facts<'_>) -> Vec<String>;
}

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

/// The secrets of a ring, for [`Format::explain`]: their ids, and which count now.
#[cfg(feature = "tools")]
fn ring<K>(ring: &crate::secret::KeyRing<K>, now: UnixMillis) -> String {
    let ids = ring.0.iter().map(|it| match it.is_current(now) {
        true => format!("\"{}\"", it.id),
        false => format!("\"{}\" (does not count now)", it.id),
    });
    format!("secrets: {}", ids.collect::<Vec<_>>().join(", "))
}

/// The id of the secret that made a MAC, if one did that counts now. A token that names one
/// is tried with that; an unknown name costs a check as a known one does.
#[cfg(feature = "formats-standards")]
fn signer<'r, K>(
    ring: &'r crate::secret::KeyRing<K>,
    named: Option<&str>,
    now: UnixMillis,
    signed: impl Fn(&K) -> bool,
) -> Option<&'r str> {
    let Some(id) = named else {
        let mut all = ring.current(now);
        return all.find(|it| signed(&it.key)).map(|it| it.id.as_str());
    };
    let named = ring.current(now).find(|it| it.id == id);
    let holds = signed(&named.or(ring.0.first())?.key);
    named.filter(|_| holds).map(|it| it.id.as_str())
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
