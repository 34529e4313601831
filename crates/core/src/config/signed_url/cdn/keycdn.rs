//! `"format": "keycdn"` from its written form.

use crate::config::Compiler;
use crate::config::signed_url::parts::written;
use crate::signed_url::cdn::keycdn::{Keycdn, Kind};
use crate::text::names::names;

written! {
    /// A link of KeyCDN's secure token: a plain MD5.
    struct {
        /// The ring that signs the links.
        secrets: String,
        /// Must be true, because the format is weak: a plain MD5 of link and secret.
        #[serde(default)]
        allow_weak: bool,
        /// What kind of link it is. Default: access.
        #[serde(default)]
        mode: Mode,
        /// With `mode: access`: how far in the future a link may expire, such as 7d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: Option<String>,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
        /// With `mode: access`: whether other query parameters are allowed. They are not signed.
        /// Default: false.
        #[serde(default)]
        allow_unsigned_query: bool,
    }
}

names! {
    /// KeyCDN's two kinds of secure token.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Mode {
        /// Access control: signs the path and an expiry.
        #[default]
        Access = "access",
        /// Image processing: signs path and query. Links never expire.
        Image = "image",
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn keycdn(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<Keycdn> {
        self.is_weak(path, written.allow_weak);
        let ring = self.plain_ring(path, &written.secrets);
        let kind = match written.mode {
            Mode::Access => Kind::Access {
                lifetime: self.lifetime(path, written.max_lifetime.as_deref(), &written.skew),
                allow_unsigned_query: written.allow_unsigned_query,
            },
            Mode::Image => {
                for (field, is_given) in [
                    ("max_lifetime", written.max_lifetime.is_some()),
                    ("skew", written.skew.is_some()),
                    ("allow_unsigned_query", written.allow_unsigned_query),
                ] {
                    if is_given {
                        let message = "cannot be combined with \"mode\": \"image\": such links \
                                       sign the query and never expire";
                        self.wrong_in(path, field, message);
                    }
                }
                Kind::Image
            }
        };
        Some(Keycdn { ring: ring?, kind })
    }
}
