//! `"format": "thumbor"` from its written form.

use super::imgproxy::WrittenForward;
use crate::config::Compiler;
use crate::config::signed_url::parts::written;
use crate::signed_url::images::thumbor::Thumbor;
use crate::signed_url::parts::hmac_key::HmacHash;

written! {
    /// A signed path of thumbor. It never expires.
    struct {
        /// The ring of SECURITY_KEYs.
        secrets: String,
        /// Path in front of the signature. Default: /.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^/")))]
        prefix: Option<String>,
        /// What thumbor receives in place of the signature. Default: keep.
        #[serde(default)]
        forward: WrittenForward,
    }
}

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
