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
pub mod facts;
#[cfg(feature = "formats-cdn")]
pub mod fastly;
#[cfg(any(feature = "formats-cdn", feature = "formats-images"))]
pub mod first_segment;
pub mod format;
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
pub mod once_link;
pub mod parameter;
pub mod path_token;
#[cfg(feature = "tools")]
pub mod private_key;
pub mod public_key;
#[cfg(any(feature = "formats-cdn", feature = "formats-google"))]
mod readings;
#[cfg(any(feature = "tools", feature = "formats-standards"))]
mod rings;
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

pub use facts::LinkFacts;
pub use format::{Covers, Format, Link, Strips};
pub use once_link::OnceLink;
pub use parameter::{TokenParameter, find_parameter, find_token};

use crate::secret::KeyRing;

/// A provider of signed URLs, configured.
pub struct SignedUrl {
    /// How its links are made.
    pub format: Box<dyn Format>,
    /// When the secrets of its ring count.
    pub ring: KeyRing<()>,
    /// Whether a link is exchanged for a cookie, and for which.
    pub exchange: Option<exchange::Exchange>,
}

/// Without the format: what it holds says nothing that an operator looks for.
impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedUrl").finish_non_exhaustive()
    }
}
