//! `"format": "google-maps"` from its written form.

use serde::Deserialize;

use crate::config::Compiler;
use crate::config::read::{Elsewhere, object};
use crate::signed_url::images::google_maps::GoogleMaps;
use crate::signed_url::parts::hmac_key::HmacHash;

/// A signed URL of the Google Maps Platform. It never expires.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(in crate::config) struct Written {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "signed_url")))]
    _kind: Elsewhere,
    #[serde(rename = "format")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "google-maps")))]
    _format: Elsewhere,
    /// Cookie to set for a valid link. Default: none.
    #[serde(default, rename = "exchange")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "crate::config::signed_url::Exchange")
    )]
    _exchange: Elsewhere,
    /// The ring of signing secrets. Google's are base64url: set "encoding": "base64url" in the
    /// ring.
    secrets: String,
}

object!(Written);

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
