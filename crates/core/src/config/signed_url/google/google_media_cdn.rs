//! `"format": "google-media-cdn"` from its written form.

use super::google_cdn::WrittenScheme;
use crate::config::Compiler;
use crate::config::signed_url::Place;
use crate::config::signed_url::parts::written;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::crypto::public_key::KeyKind;
use crate::signed_url::google::google_media_cdn::{GoogleMediaCdn, Keys, Mode};
use crate::signed_url::parts::hmac_key::HmacHash;
use crate::text::names::names;

written! {
    /// A token, or a signed request, of Google's Media CDN.
    struct {
        /// The ring that signs: public keys with ed25519, secrets with HMAC.
        secrets: String,
        /// Kind of credential that a request must have. Default: tokens.
        #[serde(default)]
        mode: WrittenMode,
        /// Signature algorithm. Default: ed25519.
        #[serde(default)]
        algorithm: Algorithm,
        /// Must be true with hmac-sha1. Default: false.
        #[serde(default)]
        allow_weak: bool,
        /// Carriers in which a token or signature is accepted. Default: the query parameter
        /// edge-cache-token for tokens; for signatures the query parameter Signature, the cookie
        /// Edge-Cache-Cookie and the path segment edge-cache-token.
        from: Option<Vec<Place>>,
        /// Scheme of the signed URLs. Default: https.
        #[serde(default)]
        scheme: WrittenScheme,
        /// How far in the future a token may expire, such as 1d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: String,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
    }
}

names! {
    /// Kind of credential that a request must have.
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
    /// Signature algorithm of a token.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Algorithm {
        /// Ed25519 (RFC 8032). Envoy has no secret.
        #[default]
        Ed25519 = "ed25519",
        /// HMAC-SHA256.
        HmacSha256 = "hmac-sha256",
        /// Weak. Requires `allow_weak`.
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
            let message = "is weak: use ed25519 or hmac-sha256, or set \"allow_weak\": true";
            self.wrong_in(path, "algorithm", message);
        }
        let mode = match written.mode {
            WrittenMode::Tokens => Mode::Tokens,
            WrittenMode::Signatures => Mode::Signatures,
        };
        if mode == Mode::Signatures && written.algorithm != Algorithm::Ed25519 {
            let message = "must be ed25519: Media CDN signs requests only with it";
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
                    let message = "has more than two keys without `not_after`, and tokens name \
                                   no key: set it for the old keys, or use a provider for each";
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
