//! Signed URLs: one file or folder for each format, and what all of them share.
//!
//! A format finds its token in a request, checks it, and says what takes it out again.
//! It knows nothing of rules and answers. Signing and explaining are for the command line
//! and for tests: the feature `tools`, which the filter does without.

pub mod carrier;
#[cfg(feature = "formats-cdn")]
pub mod cdn;
pub mod checks;
pub mod cloudflare;
#[cfg(feature = "formats-cloudfront")]
pub mod cloudfront;
pub mod crypto;
pub mod exchange;
pub mod facts;
pub mod format;
#[cfg(feature = "formats-google")]
pub mod google;
#[cfg(feature = "formats-images")]
pub mod images;
pub mod keygate;
pub mod once_link;
pub mod parts;
#[cfg(feature = "tools")]
pub mod sign;
#[cfg(feature = "formats-standards")]
pub mod standards;
#[cfg(feature = "formats-storage")]
pub mod storage;

use std::fmt;

pub use facts::LinkFacts;
pub use format::{Covers, Format, Link, Strips};
pub use once_link::OnceLink;

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
