//! `"format": "http-signature"` from its written form.

use crate::config::signed_url::parts::UrlScheme;
use crate::config::signed_url::parts::written;
use crate::config::signed_url::{DEFAULT_SKEW, MAX_SKEW};
use crate::config::{Compiler, member};
use crate::signed_url::crypto::public_key::KeyKind;
use crate::signed_url::standards::http_signature::{HttpSignature, Keys, MAX_MEMBERS};
use crate::text::names::names;
use crate::time::Millis;

/// A signature covers one request, not a link: a day is generous.
const MAX_AGE: Millis = Millis::from_secs(24 * 3600);

written! {
    /// A request that the client signs by RFC 9421.
    struct {
        /// The ring that signs: secrets with hmac-sha256, public keys with ed25519. The id of an
        /// entry is its `keyid`.
        secrets: String,
        /// Signature algorithm.
        algorithm: Algorithm,
        /// Label of the signature to verify. Default: the only one.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[a-z*][a-z0-9_.*-]*$")))]
        label: Option<String>,
        /// Components that must be signed, 1 to 32. Default: @method and @target-uri. Signing
        /// @authority, @path and @query also covers @target-uri.
        components: Option<Vec<String>>,
        /// Whether content-digest must be signed if the request may have a body. Default: true.
        #[serde(default = "yes")]
        content_digest: bool,
        /// The `tag` that a signature must have. Default: none.
        tag: Option<String>,
        /// Scheme of the signed requests. Default: https.
        #[serde(default)]
        scheme: UrlScheme,
        /// How long a signature is valid after `created`, such as 5m. At most 24h.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_age: String,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
    }
}

fn yes() -> bool {
    true
}

names! {
    /// Signature algorithm.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Algorithm {
        /// HMAC-SHA256.
        HmacSha256 = "hmac-sha256",
        /// Ed25519.
        Ed25519 = "ed25519",
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn http_signature(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<HttpSignature> {
        let at = |field: &str| member(path, field);
        let ring = written.secrets.as_str();
        let keys = match written.algorithm {
            Algorithm::HmacSha256 => self.mac_ring(path, ring).map(Keys::HmacSha256),
            Algorithm::Ed25519 => self
                .public_ring_of(path, ring, &[KeyKind::Ed25519])
                .map(Keys::Ed25519),
        };
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"_-.*".contains(&it);
        let is_label = |it: &String| {
            it.bytes().all(fits) && it.starts_with(|it: char| it.is_ascii_lowercase() || it == '*')
        };
        if !written.label.as_ref().is_none_or(is_label) {
            let message = "must be lower-case letters, digits, \"_\", \"-\", \".\" or \"*\"";
            self.wrong_in(path, "label", message);
        }
        let is_text = |it: &String| {
            it.bytes()
                .all(|it| (b' '..=b'~').contains(&it) && !b"\"\\".contains(&it))
        };
        if !written.tag.as_ref().is_none_or(is_text) {
            self.wrong_in(path, "tag", "must be ASCII text without quotes");
        }
        let default = || vec!["@method".to_owned(), "@target-uri".to_owned()];
        let components = written.components.clone().unwrap_or_else(default);
        if components.is_empty() {
            self.wrong_in(
                path,
                "components",
                "must not be empty: nothing would be signed",
            );
        }
        if components.len() > MAX_MEMBERS {
            self.wrong_in(path, "components", "must be at most 32");
        }
        for (index, name) in components.iter().enumerate() {
            self.component(&at(&format!("components[{index}]")), name);
            if components.iter().take(index).any(|it| it == name) {
                self.wrong(
                    &at(&format!("components[{index}]")),
                    "is given more than once",
                );
            }
        }
        let max_age = self.span(&at("max_age"), &written.max_age);
        self.at_most(&at("max_age"), max_age, MAX_AGE);
        let skew = self.span_or(&at("skew"), &written.skew, DEFAULT_SKEW, MAX_SKEW);
        Some(HttpSignature {
            keys: keys?,
            label: written.label.clone(),
            components,
            content_digest: written.content_digest,
            tag: written.tag.clone(),
            scheme: written.scheme.name(),
            max_age: max_age?,
            skew,
        })
    }

    /// The name of a header in lower case, or of what RFC 9421 section 2.2 derives.
    fn component(&mut self, path: &str, name: &str) {
        let derived = [
            "@method",
            "@authority",
            "@scheme",
            "@target-uri",
            "@request-target",
            "@path",
            "@query",
        ];
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-_".contains(&it);
        let is_header =
            !name.is_empty() && name.bytes().all(fits) && !name.starts_with("signature");
        if !is_header && !derived.contains(&name) {
            let message = format!(
                "must be a header in lower case, or one of {}",
                derived.join(", ")
            );
            self.wrong(path, message);
        }
    }
}
