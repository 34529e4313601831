//! `"format": "azure-sas"` from its written form.

use serde::Deserialize;

use crate::config::read::{Elsewhere, object};
use crate::config::{Compiler, member};
use crate::signed_url::storage::azure_sas::AzureSas;

/// A service SAS of Azure Blob Storage that allows reading.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(in crate::config) struct Written {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "signed_url")))]
    _kind: Elsewhere,
    #[serde(rename = "format")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "azure-sas")))]
    _format: Elsewhere,
    /// Cookie to set for a valid link. Default: none.
    #[serde(default, rename = "exchange")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "crate::config::signed_url::Exchange")
    )]
    _exchange: Elsewhere,
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

object!(Written);

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
