//! `"format": "google-maps"` from its written form.

use crate::config::Compiler;
use crate::config::form::form;
use crate::config::tree::Elsewhere;
use crate::signed_url::images::google_maps::GoogleMaps;
use crate::signed_url::parts::hmac_key::HmacHash;

form! {
    /// A signed URL of the Google Maps Platform. It never ends.
    pub(in crate::config) struct Written {
        #[serde(rename = "type")]
        #[schemars(with = "String", extend("const" = "signed_url"))]
        _kind: Elsewhere,
        #[serde(rename = "format")]
        #[schemars(with = "String", extend("const" = "google-maps"))]
        _format: Elsewhere,
        /// The ring of signing secrets. Google's are base64url: say so in the ring.
        secrets: String,
    }
}

impl Compiler<'_> {
    pub(super) fn google_maps(&mut self, path: &str, written: &Written) -> Option<GoogleMaps> {
        let ring = self.hmac_keys(path, &written.secrets, HmacHash::Sha1);
        Some(GoogleMaps { ring: ring? })
    }
}
