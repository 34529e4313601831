//! `"format": "thumbor"` from its written form.

use super::imgproxy::WrittenForward;
use crate::config::Compiler;
use crate::config::form::form;
use crate::config::tree::Elsewhere;
use crate::signed_url::images::thumbor::Thumbor;
use crate::signed_url::parts::hmac_key::HmacHash;

form! {
    /// A signed path of thumbor. It never ends.
    pub(in crate::config) struct Written {
        #[serde(rename = "type")]
        #[schemars(with = "String", extend("const" = "signed_url"))]
        _kind: Elsewhere,
        #[serde(rename = "format")]
        #[schemars(with = "String", extend("const" = "thumbor"))]
        _format: Elsewhere,
        /// The ring of SECURITY_KEYs.
        secrets: String,
        /// The path in front of the signature. Default: /.
        #[schemars(extend("pattern" = "^/"))]
        prefix: Option<String>,
        /// What thumbor sees in place of the signature. Default: keep.
        #[serde(default)]
        forward: WrittenForward,
    }
}

impl Compiler<'_> {
    pub(super) fn thumbor(&mut self, path: &str, written: &Written) -> Option<Thumbor> {
        let ring = self.hmac_keys(path, &written.secrets, HmacHash::Sha1);
        let prefix = self.prefix(path, &written.prefix);
        Some(Thumbor {
            ring: ring?,
            prefix,
            forward: written.forward.used(),
        })
    }
}
