//! `"format": "akamai"` from its written form.

use crate::config::signed_url::Place;
use crate::config::signed_url::parts::written;
use crate::config::{Compiler, member};
use crate::signed_url::carrier::Carrier;
use crate::signed_url::cdn::akamai::Akamai;
use crate::signed_url::parts::hmac_key::HmacHash;
use crate::text::names::names;

written! {
    /// A token of Akamai's EdgeAuth 2.0.
    struct {
        /// The ring that signs the tokens. Akamai's keys are hexadecimal: set "encoding": "hex" in
        /// the ring.
        secrets: String,
        /// Carriers in which a token is accepted. Default: the parameter __token__.
        from: Option<Vec<Place>>,
        /// Hash of the HMAC. Default: sha256.
        #[serde(default)]
        algorithm: Algorithm,
        /// Must be true with sha1 and md5. Default: false.
        #[serde(default)]
        allow_weak: bool,
        /// Environment variable of Envoy that contains the salt, if tokens have one.
        salt_env: Option<String>,
        /// Whether the query is left unsigned, as with "Ignore query string" of Akamai. Default:
        /// false.
        #[serde(default)]
        ignore_query_string: bool,
        /// How far in the future a token may expire, such as 7d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: String,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
    }
}

names! {
    /// Hash of an HMAC.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Algorithm {
        /// Akamai's default.
        #[default]
        Sha256 = "sha256",
        /// Weak. Requires `allow_weak`.
        Sha1 = "sha1",
        /// Weak. Requires `allow_weak`.
        Md5 = "md5",
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn akamai(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<Akamai> {
        let at = |field: &str| member(path, field);
        let hash = match written.algorithm {
            Algorithm::Sha256 => HmacHash::Sha256,
            Algorithm::Sha1 => HmacHash::Sha1,
            Algorithm::Md5 => HmacHash::Md5,
        };
        if hash != HmacHash::Sha256 && !written.allow_weak {
            let message = "is weak: use sha256, or set \"allow_weak\": true";
            self.wrong_in(path, "algorithm", message);
        }
        let ring = self.hmac_keys(path, &written.secrets, hash);
        let default = Carrier::Query("__token__".to_owned());
        let carriers = self.places(path, &written.from, default);
        for (index, carrier) in carriers.iter().enumerate() {
            if let Carrier::Path(_) = carrier {
                let message = "is not supported: tokens of this format contain slashes";
                self.wrong(&format!("{path}.from[{index}].path"), message);
            }
        }
        let salt = match &written.salt_env {
            None => None,
            Some(name) => Some(self.secret(&at("salt_env"), name, Default::default())?),
        };
        let lifetime = self.lifetime(path, Some(&written.max_lifetime), &written.skew);
        Some(Akamai {
            ring: ring?,
            hash,
            carriers,
            salt,
            ignore_query_string: written.ignore_query_string,
            lifetime,
        })
    }
}
