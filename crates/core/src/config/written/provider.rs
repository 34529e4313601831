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

/// A link that the application signs, in Cloudflare's format.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CloudflareProvider {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "signed_url")))]
    _kind: IgnoredAny,
    #[serde(rename = "format")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "cloudflare")))]
    _format: IgnoredAny,
    /// The ring that signs the links.
    pub secrets: String,
    /// The query parameter with the token, the last of the query. Default: verify.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9._~-]+$")))]
    pub parameter: Option<String>,
    /// A header with the token.
    pub header: Option<String>,
    /// Two headers with the two parts of the token.
    pub headers: Option<LinkHeaders>,
    /// How the MAC is written. Default: standard.
    #[serde(default)]
    pub base64: Base64,
    /// What the time in the link means. Default: issued.
    #[serde(default)]
    pub stamp: StampMeaning,
    /// With `stamp: issued`: how long a link lives, such as 3h.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    pub ttl: Option<String>,
    /// With `stamp: expires`: how far ahead a link may end, such as 7d.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    pub max_lifetime: Option<String>,
    /// How far the signer's clock may be ahead. Default: 30s.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    pub skew: Option<String>,
    /// The link covers the directory of so many bytes, its last slash included.
    #[cfg_attr(feature = "schema", schemars(range(min = 2)))]
    pub directory_length: Option<usize>,
}

/// The headers of a link whose token comes in two parts.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkHeaders {
    /// The header with the ten digits of the time.
    pub timestamp: String,
    /// The header with the MAC.
    pub mac: String,
}

/// How a MAC is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum Base64 {
    /// RFC 4648 section 4, with padding.
    #[default]
    Standard,
    /// RFC 4648 section 5, without padding.
    Url,
}

/// What the time in a link means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(rename_all = "lowercase")]
pub enum StampMeaning {
    /// When the link was made.
    #[default]
    Issued,
    /// When the link ends.
    Expires,
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
