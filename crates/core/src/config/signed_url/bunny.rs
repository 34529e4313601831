//! `"format": "bunny"` from its written form.

use crate::config::form::form;
use crate::config::tree::Elsewhere;
use crate::config::{Compiler, member};
use crate::signed_url::cdn::bunny::Bunny;
use crate::signed_url::parts::hmac_key::HmacHash;

form! {
    /// A link of Bunny's token authentication, version 2.
    pub(in crate::config) struct Written {
        #[serde(rename = "type")]
        #[schemars(with = "String", extend("const" = "signed_url"))]
        _kind: Elsewhere,
        #[serde(rename = "format")]
        #[schemars(with = "String", extend("const" = "bunny"))]
        _format: Elsewhere,
        /// The ring that signs the links.
        secrets: String,
        /// Whether links are bound to the client's address: all of them, or none. Default: none.
        #[serde(default)]
        bind_address: bool,
        /// The header in which the proxy says the client's country, two letters. Without it
        /// links that name countries are refused.
        country_header: Option<String>,
        /// How far ahead a link may end, such as 7d.
        #[schemars(required, extend("pattern" = "^\\s*[0-9]"))]
        max_lifetime: Option<String>,
        /// How far the signer's clock may be ahead. Default: 30s.
        #[schemars(extend("pattern" = "^\\s*[0-9]"))]
        skew: Option<String>,
    }
}

impl Compiler<'_> {
    pub(super) fn bunny(&mut self, path: &str, written: &Written) -> Option<Bunny> {
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
