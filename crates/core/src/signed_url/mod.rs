//! Signed URLs: one file or folder for each format, and what all of them share.
//!
//! A format finds its token in a request, checks it, and says what takes it out again.
//! It knows nothing of rules and answers. Signing and explaining are for the command line
//! and for tests: the feature `tools`, which the filter does without.

pub(crate) mod carrier;
#[cfg(feature = "formats-cdn")]
pub(crate) mod cdn;
pub(crate) mod checks;
pub mod cloudflare;
#[cfg(feature = "formats-cloudfront")]
pub(crate) mod cloudfront;
pub(crate) mod crypto;
pub(crate) mod exchange;
pub(crate) mod facts;
pub(crate) mod format;
#[cfg(feature = "formats-google")]
pub(crate) mod google;
#[cfg(feature = "formats-images")]
pub(crate) mod images;
pub mod keygate;
pub(crate) mod once_link;
pub(crate) mod parts;
#[cfg(feature = "tools")]
pub(crate) mod sign;
#[cfg(feature = "formats-standards")]
pub(crate) mod standards;
#[cfg(feature = "formats-storage")]
pub(crate) mod storage;

pub use carrier::Carrier;
pub use checks::{Budget, Checks};
#[cfg(feature = "tools")]
pub use crypto::private_key::{PrivateKey, PrivateKeyError};
pub use crypto::public_key::{KeyKind, PublicKey, PublicKeyError, Scheme, Seen};
pub use exchange::{Exchange, SameSite};
pub use facts::LinkFacts;
#[cfg(feature = "tools")]
pub use format::FieldRemark;
pub use format::{Covers, Format, Link, Strips};
pub use once_link::OnceLink;
pub use parts::mac_key::MacKey;
#[cfg(feature = "tools")]
pub use sign::{Order, Scope, SignError, Signed};

use std::fmt;

use crate::secret::KeyRing;

/// A provider of signed URLs, configured.
pub struct SignedUrl {
    /// The name of the format.
    pub name: &'static str,
    /// How its links are made.
    pub format: Box<dyn Format>,
    /// When the secrets of its ring count.
    pub ring: KeyRing<()>,
    /// Whether a link is exchanged for a cookie, and for which.
    pub exchange: Option<exchange::Exchange>,
}

#[cfg(feature = "tools")]
impl SignedUrl {
    /// Signs a URL as [`Format::sign`] does.
    ///
    /// # Errors
    /// As there; an option that the format does not support is reported with its name.
    pub fn sign(&self, order: &Order<'_>) -> Result<Signed, SignError> {
        self.format.sign(order).map_err(|error| match error {
            SignError::Unsupported(option) => SignError::new(format!(
                "links of the format {} do not support {option}",
                self.name
            )),
            SignError::Sentence(_) => error,
        })
    }
}

/// Without the format: what it holds says nothing that an operator looks for.
impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedUrl").finish_non_exhaustive()
    }
}
