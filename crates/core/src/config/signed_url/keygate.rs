//! `"format": "keygate"` from its written form.

use super::Place;
use crate::config::signed_url::parts::written;
use crate::config::{Compiler, item, member};
use crate::signed_url::carrier::Carrier;
use crate::signed_url::crypto::public_key::KeyKind;
use crate::signed_url::keygate::{Keygate, Keys, ParameterName};
use crate::signed_url::parts::mac_key::MacKey;
use crate::text::names::names;

written! {
    /// A link in Keygate's own format.
    struct {
        /// The ring that signs the links: secrets of at least 16 bytes with HS256, public keys
        /// with EdDSA.
        secrets: String,
        /// Signature algorithm. Default: HS256.
        #[serde(default)]
        algorithm: Algorithm,
        /// Carriers in which a token is accepted. Default: the query parameter kg.
        #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
        from: Option<Vec<Place>>,
        /// How far in the future a link may expire, such as 7d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: String,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
        /// Query parameters that may be added to a link without a signature: names, or prefixes
        /// with *, such as utm_*.
        #[serde(default)]
        query_ignore: Vec<String>,
        /// The only query parameters that are allowed, apart from the token and query_ignore.
        /// Default: any.
        query_allow: Option<Vec<String>>,
    }
}

names! {
    /// Signature algorithm.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Algorithm {
        /// HMAC-SHA256.
        #[default]
        Hs256 = "HS256",
        /// Ed25519. The ring contains public keys.
        EdDsa = "EdDSA",
    }
}

impl Compiler<'_> {
    pub(super) fn keygate(&mut self, path: &str, written: &Written) -> Option<Keygate> {
        let at = |field: &str| member(path, field);
        let keys = match written.algorithm {
            Algorithm::Hs256 => {
                let name = format!("secrets.{}", written.secrets);
                let ring = self.ring_of(path, &written.secrets, |this, entry| {
                    this.long_enough(&name, entry);
                    Some(MacKey::new(entry.key.expose(), &this.held))
                });
                ring.map(Keys::Hs256)
            }
            Algorithm::EdDsa => self
                .public_ring_of(path, &written.secrets, &[KeyKind::Ed25519])
                .map(Keys::EdDsa),
        };
        let carriers = self.places(path, &written.from, Carrier::Query("kg".to_owned()));
        let lifetime = self.lifetime(path, Some(&written.max_lifetime), &written.skew);
        let query_ignore = self.parameter_names(&at("query_ignore"), &written.query_ignore);
        let query_allow = written
            .query_allow
            .as_ref()
            .map(|names| self.parameter_names(&at("query_allow"), names));
        Some(Keygate {
            keys: keys?,
            carriers,
            max_lifetime: lifetime.max_lifetime,
            skew: lifetime.skew,
            query_ignore,
            query_allow,
        })
    }

    /// Names of parameters, or beginnings of names and `*`.
    fn parameter_names(&mut self, path: &str, written: &[String]) -> Vec<ParameterName> {
        for (index, name) in written.iter().enumerate() {
            let stem = name.strip_suffix('*').unwrap_or(name);
            let fits = |byte: u8| byte.is_ascii_graphic() && !b"*&=#%?".contains(&byte);
            if stem.is_empty() || !stem.bytes().all(fits) {
                let message = "must be the name of a parameter, or a prefix followed by \"*\"";
                self.wrong(&item(path, index), message);
            }
        }
        written.iter().cloned().map(ParameterName).collect()
    }
}
