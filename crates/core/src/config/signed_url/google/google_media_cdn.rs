//! `"format": "google-media-cdn"` from its written form.

use serde::Deserialize;

use super::google_cdn::WrittenScheme;
use crate::config::Compiler;
use crate::config::read::{Elsewhere, object};
use crate::config::signed_url::Place;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::crypto::public_key::KeyKind;
use crate::signed_url::google::google_media_cdn::{GoogleMediaCdn, Keys, Mode};
use crate::signed_url::parts::hmac_key::HmacHash;
use crate::text::names::names;

/// A token, or a signed request, of Google's Media CDN.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(in crate::config) struct Written {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "signed_url")))]
    _kind: Elsewhere,
    #[serde(rename = "format")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "google-media-cdn")))]
    _format: Elsewhere,
    /// A cookie in exchange for a valid link. Default: none.
    #[serde(default, rename = "exchange")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "crate::config::signed_url::Exchange")
    )]
    _exchange: Elsewhere,
    /// The ring that signs: public keys with ed25519, secrets with an HMAC.
    secrets: String,
    /// What a request must have. Default: tokens.
    #[serde(default)]
    mode: WrittenMode,
    /// The signature. Default: ed25519.
    #[serde(default)]
    algorithm: Algorithm,
    /// Must be true for hmac-sha1.
    #[serde(default)]
    allow_weak: bool,
    /// Where it may stand. Default for tokens: the parameter edge-cache-token; for signatures:
    /// the parameter Signature, with its others, the cookie Edge-Cache-Cookie and the segment
    /// edge-cache-token of the path.
    from: Option<Vec<Place>>,
    /// The scheme of the URLs that are signed. Default: https.
    #[serde(default)]
    scheme: WrittenScheme,
    /// How far ahead a token may end, such as 1d.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    max_lifetime: String,
    /// How far the signer's clock may be ahead. Default: 30s.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    skew: Option<String>,
}

object!(Written);

names! {
    /// What a request must have.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum WrittenMode {
        /// Fields joined by ~, as with REQUIRE_TOKENS.
        #[default]
        Tokens = "tokens",
        /// Expires, KeyName and Signature, as with REQUIRE_SIGNATURES. ed25519 only.
        Signatures = "signatures",
    }
}

names! {
    /// The signature of a token.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Algorithm {
        /// RFC 8032. The edge holds no secret.
        #[default]
        Ed25519 = "ed25519",
        /// HMAC-SHA256.
        HmacSha256 = "hmac-sha256",
        /// Weak.
        HmacSha1 = "hmac-sha1",
    }
}

/// Most public keys with which one token is tried: see [`crate::signed_url::checks::MAX_FAILED`].
const MAX_TRIED: usize = crate::signed_url::checks::MAX_FAILED as usize;

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn google_media_cdn(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<GoogleMediaCdn> {
        if written.algorithm == Algorithm::HmacSha1 && !written.allow_weak {
            let message = "is weak: use ed25519 or hmac-sha256, or say \"allow_weak\": true";
            self.wrong_in(path, "algorithm", message);
        }
        let mode = match written.mode {
            WrittenMode::Tokens => Mode::Tokens,
            WrittenMode::Signatures => Mode::Signatures,
        };
        if mode == Mode::Signatures && written.algorithm != Algorithm::Ed25519 {
            let message = "must be ed25519: Media CDN signs requests with nothing else";
            self.wrong_in(path, "algorithm", message);
        }
        let keys = self.media_keys(path, written);
        let segment = "edge-cache-token".to_owned();
        let carriers = match mode {
            Mode::Tokens => self.places(path, &written.from, Carrier::Query(segment)),
            Mode::Signatures => {
                let cookie = Carrier::Cookie("Edge-Cache-Cookie".to_owned());
                self.signature_places(path, &written.from, &[cookie, Carrier::Path(segment)])
            }
        };
        let lifetime = self.lifetime(path, Some(&written.max_lifetime), &written.skew);
        Some(GoogleMediaCdn {
            keys: keys?,
            mode,
            carriers,
            scheme: written.scheme.used(),
            lifetime,
        })
    }

    fn media_keys(&mut self, path: &str, written: &Written) -> Option<Keys> {
        let hash = match written.algorithm {
            Algorithm::Ed25519 => {
                let ring = self.public_ring_of(path, &written.secrets, &[KeyKind::Ed25519])?;
                let endless = ring.0.iter().filter(|it| it.not_after.is_none()).count();
                if written.mode == WrittenMode::Tokens && endless > MAX_TRIED {
                    let message = "has more than two keys without `not_after`, and a token names \
                                   none: give the old keys one, or use a provider for each";
                    self.wrong_in(path, "secrets", message);
                }
                return Some(Keys::Ed25519(ring));
            }
            Algorithm::HmacSha256 => HmacHash::Sha256,
            Algorithm::HmacSha1 => HmacHash::Sha1,
        };
        let ring = self.hmac_keys(path, &written.secrets, hash);
        ring.map(|it| Keys::Hmac(hash, it))
    }
}
