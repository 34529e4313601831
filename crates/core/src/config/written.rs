//! The configuration as it is written: the shape of the JSON, and nothing else.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

pub use super::challenge::Written as Challenge;
use super::unique::UniqueMap;
use crate::secret::Encoding;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub version: u64,
    #[serde(default)]
    pub secrets: UniqueMap<Vec<RingSecret>>,
    pub key_service: Option<KeyService>,
    /// Read by their `type` in a second step, so that an error names its field.
    #[serde(default)]
    pub providers: UniqueMap<Box<RawValue>>,
    pub rules: Vec<Rule>,
    pub unmatched: Unmatched,
    #[serde(default)]
    pub responses: UniqueMap<Response>,
    #[serde(default)]
    pub identity: Identity,
    /// How the identity is vouched for.
    pub assertion: Option<super::assertion::Assertion>,
    pub realm: Option<String>,
}

/// Names of headers; those that are left out keep theirs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    pub account: Option<String>,
    pub key_id: Option<String>,
    pub scopes: Option<String>,
    pub metadata: Option<String>,
    pub result: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingSecret {
    pub id: String,
    pub env: String,
    #[serde(default)]
    pub encoding: Encoding,
    pub not_before: Option<String>,
    pub not_after: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyService {
    pub cluster: String,
    pub authority: String,
    pub token_env: String,
    #[serde(default = "default_timeout")]
    pub timeout: String,
    #[serde(default = "default_poll")]
    pub poll: String,
    #[serde(default = "default_lease")]
    pub lease: String,
}

fn default_timeout() -> String {
    "300ms".to_owned()
}

fn default_poll() -> String {
    "1s".to_owned()
}

fn default_lease() -> String {
    "60s".to_owned()
}

/// Only the discriminator of a provider; everything else is read by its own type.
#[derive(Debug, Deserialize)]
pub struct ProviderType {
    #[serde(rename = "type")]
    pub kind: String,
    pub format: Option<String>,
}

/// `"type": "signed_url", "format": "cloudflare"`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudflareProvider {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(rename = "format")]
    _format: IgnoredAny,
    pub secrets: String,
    pub parameter: Option<String>,
    pub header: Option<String>,
    pub headers: Option<LinkHeaders>,
    #[serde(default)]
    pub base64: Base64,
    #[serde(default)]
    pub stamp: StampMeaning,
    pub ttl: Option<String>,
    pub max_lifetime: Option<String>,
    pub skew: Option<String>,
    pub directory_length: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkHeaders {
    pub timestamp: String,
    pub mac: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Base64 {
    #[default]
    Standard,
    Url,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StampMeaning {
    #[default]
    Issued,
    Expires,
}

/// `"type": "app_key"`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppKeyProvider {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    pub secrets: String,
    #[serde(default = "default_prefix")]
    pub prefix: String,
    #[serde(default = "default_from")]
    pub from: Vec<Carrier>,
    #[serde(default)]
    pub challenge_basic: bool,
    pub query_referrers: Option<Vec<String>>,
}

fn default_prefix() -> String {
    "kg".to_owned()
}

fn default_from() -> Vec<Carrier> {
    vec![Carrier::Bearer]
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    Bearer,
    Basic,
    Header(String),
    Cookie(String),
    Query(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub name: String,
    #[serde(rename = "match")]
    pub matches: Match,
    pub require: Requirement,
    #[serde(default)]
    pub scopes: Vec<NeededScopes>,
    #[serde(default)]
    pub mode: Mode,
    pub challenge: Option<Challenge>,
    pub deny: Option<String>,
    #[serde(default)]
    pub allow_encoded_slash: bool,
    pub preflight: Option<Preflight>,
    pub allowed_referrers: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preflight {
    Allow,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    pub path: String,
    pub methods: Option<Vec<String>>,
    pub hosts: Option<Vec<String>>,
    pub headers: Option<Vec<HeaderMatch>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderMatch {
    pub name: String,
    pub value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeededScopes {
    pub methods: Option<Vec<String>>,
    pub need: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Block,
    Simulate,
    Challenge,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unmatched {
    Deny,
    Allow,
}

/// An answer; those in `reasons` have no `reasons` of their own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    pub json: Option<serde_json::Value>,
    pub html: Option<String>,
    pub text: Option<String>,
    pub redirect: Option<String>,
    pub status: Option<u16>,
    #[serde(default)]
    pub headers: UniqueMap<String>,
    #[serde(default)]
    pub reasons: UniqueMap<Response>,
}

/// A provider's name, `"nothing"`, or a group.
#[derive(Debug)]
pub enum Requirement {
    Name(String),
    Group(Group),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    Any(Vec<Requirement>),
    All(Vec<Requirement>),
}

impl<'de> Deserialize<'de> for Requirement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrGroup;

        impl<'de> Visitor<'de> for NameOrGroup {
            type Value = Requirement;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a provider, \"nothing\", {\"any\": […]} or {\"all\": […]}")
            }

            fn visit_str<E>(self, name: &str) -> Result<Requirement, E> {
                Ok(Requirement::Name(name.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Requirement, M::Error> {
                Group::deserialize(MapAccessDeserializer::new(map)).map(Requirement::Group)
            }
        }

        deserializer.deserialize_any(NameOrGroup)
    }
}
