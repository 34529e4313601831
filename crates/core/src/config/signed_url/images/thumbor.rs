//! `"format": "thumbor"` from its written form.

use serde::Deserialize;

use super::imgproxy::WrittenForward;
use crate::config::Compiler;
use crate::config::read::{Elsewhere, object};
use crate::signed_url::images::thumbor::Thumbor;
use crate::signed_url::parts::hmac_key::HmacHash;

/// A signed path of thumbor. It never expires.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(in crate::config) struct Written {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "signed_url")))]
    _kind: Elsewhere,
    #[serde(rename = "format")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "thumbor")))]
    _format: Elsewhere,
    /// Cookie to set for a valid link. Default: none.
    #[serde(default, rename = "exchange")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "crate::config::signed_url::Exchange")
    )]
    _exchange: Elsewhere,
    /// The ring of SECURITY_KEYs.
    secrets: String,
    /// Path in front of the signature. Default: /.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^/")))]
    prefix: Option<String>,
    /// What thumbor receives in place of the signature. Default: keep.
    #[serde(default)]
    forward: WrittenForward,
}

object!(Written);

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn thumbor(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<Thumbor> {
        let ring = self.hmac_keys(path, &written.secrets, HmacHash::Sha1);
        let prefix = self.prefix(path, &written.prefix);
        Some(Thumbor {
            ring: ring?,
            prefix,
            forward: written.forward.used(),
        })
    }
}
