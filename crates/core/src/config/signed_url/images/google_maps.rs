//! `"format": "google-maps"` from its written form.

use crate::config::Compiler;
use crate::config::signed_url::parts::written;
use crate::signed_url::images::google_maps::GoogleMaps;
use crate::signed_url::parts::hmac_key::HmacHash;

written! {
    /// A signed URL of the Google Maps Platform. It never expires.
    struct {
        /// The ring of signing secrets. Google's are base64url: set "encoding": "base64url" in the
        /// ring.
        secrets: String,
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn google_maps(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<GoogleMaps> {
        let ring = self.hmac_keys(path, &written.secrets, HmacHash::Sha1);
        Some(GoogleMaps { ring: ring? })
    }
}
