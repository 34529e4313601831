//! `"format": "azure-sas"` from its written form.

use crate::config::signed_url::parts::written;
use crate::config::{Compiler, member};
use crate::signed_url::storage::azure_sas::AzureSas;

written! {
    /// A service SAS of Azure Blob Storage that allows reading.
    struct {
        /// The ring of account keys. Azure's are base64: set "encoding": "base64" in the ring.
        secrets: String,
        /// Name of the storage account: lower-case letters and digits.
        account: String,
        /// The only container for which links are accepted. Default: any.
        container: Option<String>,
        /// How far in the future a link may expire, such as 7d. At most 367d.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        max_lifetime: String,
        /// How far the signer's clock may be ahead, at most 10m. Default: 30s.
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
        skew: Option<String>,
    }
}

impl Compiler<'_> {
    pub(in crate::config::signed_url) fn azure_sas(
        &mut self,
        path: &str,
        written: &Written,
    ) -> Option<AzureSas> {
        let _at = |field: &str| member(path, field);
        let ring = self.mac_ring(path, &written.secrets);
        let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
        if written.account.is_empty() || !written.account.bytes().all(fits) {
            self.wrong_in(path, "account", "must be lower-case letters and digits");
        }
        let fits = |it: u8| fits(it) || b"-$".contains(&it);
        if let Some(container) = &written.container
            && (container.is_empty() || !container.bytes().all(fits))
        {
            self.wrong_in(path, "container", "must be the name of a container");
        }
        let lifetime = self.lifetime(path, Some(&written.max_lifetime), &written.skew);
        Some(AzureSas {
            ring: ring?,
            account: written.account.clone(),
            container: written.container.clone(),
            max_lifetime: lifetime.max_lifetime,
            skew: lifetime.skew,
        })
    }
}
