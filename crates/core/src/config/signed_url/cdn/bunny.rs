//! `"format": "bunny"` from its written form.

use crate::config::signed_url::parts::written;
use crate::config::{Compiler, member};
use crate::signed_url::cdn::bunny::Bunny;
use crate::signed_url::parts::hmac_key::HmacHash;

written! {
    /// A link of Bunny's token authentication, version 2.
    struct {
        /// The ring that signs the links.
        secrets: String,
        /// Whether every link is bound to the client's address. Default: false.
        #[serde(default)]
        bind_address: bool,
        /// Header in which the proxy passes the country of the client, two letters. Without it,
        /// links that name countries are rejected.
        country_header: Option<String>,
        /// How far in the future a link may expire, such as 7d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(required, extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: Option<String>,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn bunny(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<Bunny> {
        let ring = self.hmac_keys(path, &written.secrets, HmacHash::Sha256);
        let at = member(path, "country_header");
        let country_header = written.country_header.as_ref();
        let country_header = country_header.map(|it| self.header(&at, it));
        let lifetime = self.lifetime(path, written.max_lifetime.as_deref(), &written.skew);
        Some(Bunny {
            ring: ring?,
            lifetime,
            bind_address: written.bind_address,
            country_header,
        })
    }
}
