//! `"format": "uri-signing"` from its written form.

use crate::config::signed_url::parts::UrlScheme;
use crate::config::signed_url::parts::written;
use crate::config::{Compiler, member};
use crate::signed_url::carrier::Carrier;
use crate::signed_url::crypto::public_key::KeyKind;
use crate::signed_url::standards::uri_signing::{Ignores, Keys, UriSigning};
use crate::text::names::names;

written! {
    /// A link that contains a signed JWT by RFC 9246.
    struct {
        /// The ring that signs: secrets with HS256, public keys otherwise. The id of an entry is
        /// its `kid`.
        secrets: String,
        /// Signature algorithm.
        algorithm: Algorithm,
        /// Carriers in which a token is accepted. Default: query.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        from: Option<Vec<WrittenCarrier>>,
        /// Name of the token in its carrier. Default: URISigningPackage.
        #[serde(default = "package")]
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9._~-]+$")))]
        name: String,
        /// Scheme of the signed URIs. Default: https.
        #[serde(default)]
        scheme: UrlScheme,
        /// Accepted issuers (iss). Default: only tokens without an issuer.
        #[serde(default)]
        issuers: Vec<String>,
        /// Accepted audiences (aud). Default: only tokens without an audience.
        #[serde(default)]
        audience: Vec<String>,
        /// How far in the future a token may expire, such as 7d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: String,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
        /// Whether a token without cdniuc is accepted. It is valid for everything that the rule
        /// matches. Default: false.
        #[serde(default)]
        allow_any_uri: bool,
        /// Whether a single-use token (jti) is accepted, without a limit on its use. Default:
        /// false.
        #[serde(default)]
        ignore_jti: bool,
        /// Whether a token that asks for renewal (cdnistt, cdniets, cdnistd) is accepted, without
        /// renewing it. Default: false.
        #[serde(default)]
        ignore_renewal: bool,
        /// Names of other claims to ignore.
        #[serde(default)]
        ignore_claims: Vec<String>,
    }
}

fn package() -> String {
    "URISigningPackage".to_owned()
}

names! {
    /// Signature algorithm.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Algorithm {
        /// HMAC-SHA256.
        Hs256 = "HS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

names! {
    /// Carriers in which a token is accepted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum WrittenCarrier {
        /// A query parameter at any position.
        Query = "query",
        /// A cookie.
        Cookie = "cookie",
        /// A path segment /NAME=TOKEN/, which relative links keep.
        Path = "path",
        /// A parameter of a path segment, /a.ts;NAME=TOKEN.
        PathParameter = "path_parameter",
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn uri_signing(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<UriSigning> {
        let at = |field: &str| member(path, field);
        let ring = written.secrets.as_str();
        let keys = match written.algorithm {
            Algorithm::Hs256 => self.mac_ring(path, ring).map(Keys::Hs256),
            Algorithm::Es256 => self
                .public_ring_of(path, ring, &[KeyKind::P256])
                .map(Keys::Es256),
            Algorithm::EdDsa => self
                .public_ring_of(path, ring, &[KeyKind::Ed25519])
                .map(Keys::EdDsa),
        };
        let name = &written.name;
        self.parameter(&at("name"), name);
        let from = written.from.as_deref().unwrap_or(&[WrittenCarrier::Query]);
        let carriers = self.each_once(path, from, |carrier| match carrier {
            WrittenCarrier::Query => Carrier::Query(name.clone()),
            WrittenCarrier::Cookie => Carrier::Cookie(name.clone()),
            WrittenCarrier::Path => Carrier::Path(name.clone()),
            WrittenCarrier::PathParameter => Carrier::PathParameter(name.clone()),
        });
        if written.ignore_claims.iter().any(|it| it == "cdnicrit") {
            let message = "must not contain cdnicrit: it lists claims that must not be ignored";
            self.wrong_in(path, "ignore_claims", message);
        }
        let lifetime = self.lifetime(path, Some(&written.max_lifetime), &written.skew);
        Some(UriSigning {
            keys: keys?,
            carriers,
            scheme: written.scheme.name(),
            issuers: written.issuers.clone(),
            audience: written.audience.clone(),
            max_lifetime: lifetime.max_lifetime,
            skew: lifetime.skew,
            ignores: Ignores {
                missing_uri: written.allow_any_uri,
                jti: written.ignore_jti,
                renewal: written.ignore_renewal,
                others: written.ignore_claims.clone(),
            },
        })
    }
}
