//! `"format": "fastly"` from its written form.

use crate::config::Compiler;
use crate::config::signed_url::Place;
use crate::config::signed_url::parts::written;
use crate::signed_url::carrier::Carrier;
use crate::signed_url::cdn::fastly::Fastly;
use crate::signed_url::parts::hmac_key::HmacHash;
use crate::text::names::names;

written! {
    /// A link of Fastly's token authentication.
    struct {
        /// The ring that signs the links. Fastly's keys are base64: set "encoding": "base64" in
        /// the ring.
        secrets: String,
        /// Carriers in which a token is accepted. Default: the query parameter token.
        from: Option<Vec<Place>>,
        /// Hash of the HMAC. Default: sha1.
        #[serde(default)]
        hash: Hash,
        /// How far in the future a link may expire, such as 7d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(required, extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: Option<String>,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
    }
}

names! {
    /// Hash of an HMAC.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Hash {
        /// As in Fastly's guide.
        #[default]
        Sha1 = "sha1",
        /// As in later versions of Fastly's token-functions.
        Sha256 = "sha256",
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn fastly(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<Fastly> {
        let hash = match written.hash {
            Hash::Sha1 => HmacHash::Sha1,
            Hash::Sha256 => HmacHash::Sha256,
        };
        let ring = self.hmac_keys(path, &written.secrets, hash);
        let carriers = self.places(path, &written.from, Carrier::Query("token".to_owned()));
        let lifetime = self.lifetime(path, written.max_lifetime.as_deref(), &written.skew);
        Some(Fastly {
            ring: ring?,
            hash,
            carriers,
            lifetime,
        })
    }
}
