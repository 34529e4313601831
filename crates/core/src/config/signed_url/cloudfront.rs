//! `"format": "cloudfront"` from its written form.

use super::parts::UrlScheme;
use super::{MAX_LIFETIME, MAX_SKEW};
use crate::config::signed_url::parts::written;
use crate::config::{Compiler, member};
use crate::signed_url::cloudfront::{Carrier, CloudFront, Hash};
use crate::signed_url::crypto::public_key::KeyKind;
use crate::text::names::names;
use crate::time::Millis;

written! {
    /// A signed URL or signed cookies of Amazon CloudFront.
    struct {
        /// The ring of public keys, RSA or P-256. The id of an entry is its Key-Pair-Id.
        secrets: String,
        /// Hash under the signature. Default: sha256.
        #[serde(default)]
        hash: WrittenHash,
        /// Must be true with `hash: sha1`, the default of CloudFront's own tools. Default: false.
        #[serde(default)]
        allow_weak: bool,
        /// Carriers in which a token is accepted. Default: query and cookies.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        from: Option<Vec<WrittenCarrier>>,
        /// Scheme of the signed URLs. Default: https.
        #[serde(default)]
        scheme: UrlScheme,
        /// How far in the future a link may expire, such as 7d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: String,
        /// How far the signer's clock may be ahead, at most 10m. Default: 0s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
        /// Whether a policy without Resource is accepted. It is valid for everything that the rule
        /// matches. Default: false.
        #[serde(default)]
        allow_any_resource: bool,
    }
}

names! {
    /// Hash under the signature.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum WrittenHash {
        /// Weak: collisions are feasible. Requires `allow_weak`.
        Sha1 = "sha1",
        /// Links contain `Hash-Algorithm=SHA256`, or were signed with SHA-256 without saying so.
        #[default]
        Sha256 = "sha256",
    }
}

names! {
    /// Carriers in which a token is accepted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum WrittenCarrier {
        /// `Policy` or `Expires`, `Signature` and `Key-Pair-Id` in the query.
        Query = "query",
        /// These fields as cookies, with the prefix `CloudFront-`.
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
                let message = "must be true with \"hash\": \"sha1\": SHA-1 collisions are feasible";
                self.wrong_in(path, "allow_weak", message);
            }
            (Hash::Sha256, true) => {
                self.wrong_in(path, "allow_weak", "requires \"hash\": \"sha1\"");
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
