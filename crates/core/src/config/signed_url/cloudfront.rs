//! `"format": "cloudfront"` from its written form.

use serde::Deserialize;

use super::parts::UrlScheme;
use super::{MAX_LIFETIME, MAX_SKEW};
use crate::config::read::{Elsewhere, object};
use crate::config::{Compiler, member};
use crate::signed_url::cloudfront::{Carrier, CloudFront, Hash};
use crate::signed_url::crypto::public_key::KeyKind;
use crate::text::names::names;
use crate::time::Millis;

/// A link or cookies that the application signs for Amazon CloudFront.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(in crate::config) struct Written {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "signed_url")))]
    _kind: Elsewhere,
    #[serde(rename = "format")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "cloudfront")))]
    _format: Elsewhere,
    /// A cookie in exchange for a valid link. Default: none.
    #[serde(default, rename = "exchange")]
    #[cfg_attr(feature = "schema", schemars(with = "super::Exchange"))]
    _exchange: Elsewhere,
    /// The ring of public keys, RSA or P-256. The id of an entry is its Key-Pair-Id.
    secrets: String,
    /// The hash that is signed. Default: sha256.
    #[serde(default)]
    hash: WrittenHash,
    /// Needed with `hash: sha1`, which CloudFront's own tools take when nothing is said.
    #[serde(default)]
    allow_weak: bool,
    /// Where a token may stand. Default: query and cookies.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    from: Option<Vec<WrittenCarrier>>,
    /// The scheme of the URLs that are signed. Default: https.
    #[serde(default)]
    scheme: UrlScheme,
    /// How far ahead a link may end, such as 7d.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    max_lifetime: String,
    /// How far the signer's clock may be ahead. Default: not at all.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    skew: Option<String>,
    /// Whether a policy without Resource counts, which opens all that the rule matches.
    /// Default: false.
    #[serde(default)]
    allow_any_resource: bool,
}

object!(Written);

names! {
    /// The hash that is signed.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum WrittenHash {
        /// Collisions can be made: needs `allow_weak`.
        Sha1 = "sha1",
        /// Links say `Hash-Algorithm=SHA256`.
        #[default]
        Sha256 = "sha256",
    }
}

names! {
    /// Where a token may stand.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum WrittenCarrier {
        /// `Policy` or `Expires`, `Signature` and `Key-Pair-Id` in the query.
        Query = "query",
        /// The same in cookies, with `CloudFront-` in front.
        Cookies = "cookies",
    }
}

impl Compiler<'_> {
    pub(super) fn cloudfront(&mut self, path: &str, written: &Written) -> Option<CloudFront> {
        let at = |field: &str| member(path, field);
        let kinds = [KeyKind::Rsa, KeyKind::P256];
        let ring = self.public_ring_of(path, &written.secrets, &kinds);
        let hash = match written.hash {
            WrittenHash::Sha1 => Hash::Sha1,
            WrittenHash::Sha256 => Hash::Sha256,
        };
        match (hash, written.allow_weak) {
            (Hash::Sha1, false) => {
                let message = "must be true with \"hash\": \"sha1\": two policies with one SHA-1 \
                               can be made";
                self.wrong_in(path, "allow_weak", message);
            }
            (Hash::Sha256, true) => {
                self.wrong_in(path, "allow_weak", "is for \"hash\": \"sha1\" only");
            }
            (Hash::Sha1, true) | (Hash::Sha256, false) => {}
        }
        let default = [WrittenCarrier::Query, WrittenCarrier::Cookies];
        let from = written.from.as_deref().unwrap_or(&default);
        let carriers = self.each_once(path, from, |carrier| match carrier {
            WrittenCarrier::Query => Carrier::Query,
            WrittenCarrier::Cookies => Carrier::Cookies,
        });
        let max_lifetime = self.span(&at("max_lifetime"), &written.max_lifetime);
        self.at_most(&at("max_lifetime"), max_lifetime, MAX_LIFETIME);
        let skew = self.span_or(&at("skew"), &written.skew, Millis(0), MAX_SKEW);
        Some(CloudFront {
            ring: ring?,
            hash,
            carriers,
            scheme: written.scheme.name(),
            max_lifetime: max_lifetime?,
            skew,
            allow_any_resource: written.allow_any_resource,
        })
    }
}
