//! Providers as they are written.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Only the discriminator of a provider; everything else is read by its own type.
#[derive(Debug, Deserialize)]
pub struct ProviderType {
    #[serde(rename = "type")]
    pub kind: String,
    pub format: Option<String>,
}

/// A personal key that the key service issued.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AppKeyProvider {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "app_key")))]
    _kind: IgnoredAny,
    /// The ring of master secrets that make the keys, 32 bytes at least each.
    pub secrets: String,
    /// The word in front of each key. Default: kg.
    #[serde(default = "default_prefix")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[a-z0-9]{1,16}$")))]
    pub prefix: String,
    /// Where a key may stand. Default: bearer.
    #[serde(default = "default_from")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub from: Vec<Carrier>,
    /// Whether a 401 asks browsers for user name and password too. Default: false.
    #[serde(default)]
    pub challenge_basic: bool,
    /// With a key in the query: the pages from which it may come.
    pub query_referrers: Option<Vec<String>>,
}

fn default_prefix() -> String {
    "kg".to_owned()
}

fn default_from() -> Vec<Carrier> {
    vec![Carrier::Bearer]
}

/// A place in which a key may stand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `Authorization: Basic`, with the account as user name and the key as password.
    Basic,
    /// A header of this name with nothing but the key.
    Header(String),
    /// A cookie of this name.
    Cookie(String),
    /// A parameter of the query; needs `query_referrers`.
    Query(String),
}
