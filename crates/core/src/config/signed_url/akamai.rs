//! `"format": "akamai"` from its written form.

use super::Place;
use crate::config::form::form;
use crate::config::tree::Elsewhere;
use crate::config::{Compiler, member};
use crate::signed_url::carrier::Carrier;
use crate::signed_url::cdn::akamai::Akamai;
use crate::signed_url::parts::hmac_key::HmacHash;

form! {
    /// A token of Akamai's EdgeAuth 2.0.
    pub(in crate::config) struct Written {
        #[serde(rename = "type")]
        #[schemars(with = "String", extend("const" = "signed_url"))]
        _kind: Elsewhere,
        #[serde(rename = "format")]
        #[schemars(with = "String", extend("const" = "akamai"))]
        _format: Elsewhere,
        /// The ring that signs the tokens. Akamai's keys are written in hexadecimal digits:
        /// give its entries "encoding": "hex".
        secrets: String,
        /// Where a token may stand. Default: the parameter __token__.
        from: Option<Vec<Place>>,
        /// The hash of the HMAC. Default: sha256.
        #[serde(default)]
        algorithm: Algorithm,
        /// Must be true for sha1 and md5.
        #[serde(default)]
        allow_weak: bool,
        /// The environment variable with the salt, if one is signed.
        salt_env: Option<String>,
        /// The query is not signed, as with "Ignore query string" of the original.
        #[serde(default)]
        ignore_query_string: bool,
        /// How far ahead a token may end, such as 7d.
        #[schemars(extend("pattern" = "^\\s*[0-9]"))]
        max_lifetime: String,
        /// How far the signer's clock may be ahead. Default: 30s.
        #[schemars(extend("pattern" = "^\\s*[0-9]"))]
        skew: Option<String>,
    }
}

form! {
    /// The hash of an HMAC.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Algorithm {
        /// The default of the original.
        #[default]
        Sha256 = "sha256",
        /// Weak.
        Sha1 = "sha1",
        /// Weaker.
        Md5 = "md5",
    }
}

impl Compiler<'_> {
    pub(super) fn akamai(&mut self, path: &str, written: &Written) -> Option<Akamai> {
        let at = |field: &str| member(path, field);
        let hash = match written.algorithm {
            Algorithm::Sha256 => HmacHash::Sha256,
            Algorithm::Sha1 => HmacHash::Sha1,
            Algorithm::Md5 => HmacHash::Md5,
        };
        if hash != HmacHash::Sha256 && !written.allow_weak {
            let message = "is weak: use sha256, or say \"allow_weak\": true";
            self.wrong_in(path, "algorithm", message);
        }
        let ring = self.hmac_keys(path, &written.secrets, hash);
        let default = Carrier::Query("__token__".to_owned());
        let carriers = self.places(path, &written.from, default);
        for (index, carrier) in carriers.iter().enumerate() {
            if let Carrier::Path(_) = carrier {
                let message = "no token of this format stands there: it has slashes of its own";
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
