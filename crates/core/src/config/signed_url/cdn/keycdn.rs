//! `"format": "keycdn"` from its written form.

use serde::Deserialize;

use crate::config::Compiler;
use crate::config::read::{Elsewhere, object};
use crate::signed_url::cdn::keycdn::{Keycdn, Kind};
use crate::text::names::names;

/// A link of KeyCDN's secure token: a plain MD5.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(in crate::config) struct Written {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "signed_url")))]
    _kind: Elsewhere,
    #[serde(rename = "format")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "keycdn")))]
    _format: Elsewhere,
    /// A cookie in exchange for a valid link. Default: none.
    #[serde(default, rename = "exchange")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "crate::config::signed_url::Exchange")
    )]
    _exchange: Elsewhere,
    /// The ring that signs the links.
    secrets: String,
    /// Must be true: the format is a plain MD5 of link and secret.
    #[serde(default)]
    allow_weak: bool,
    /// What kind of link it is. Default: access.
    #[serde(default)]
    mode: Mode,
    /// With `mode: access`: how far ahead a link may end, such as 7d.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    max_lifetime: Option<String>,
    /// How far the signer's clock may be ahead. Default: 30s.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    skew: Option<String>,
    /// With `mode: access`: let pass other parameters, which nothing signs. Default: false.
    #[serde(default)]
    allow_unsigned_query: bool,
}

object!(Written);

names! {
    /// KeyCDN's two kinds of secure token.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Mode {
        /// Access control: the path, until an end.
        #[default]
        Access = "access",
        /// Image processing: path and query, for ever.
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
                        let message = "does not go with \"mode\": \"image\", whose links sign \
                                       their query and never end";
                        self.wrong_in(path, field, message);
                    }
                }
                Kind::Image
            }
        };
        Some(Keycdn { ring: ring?, kind })
    }
}
