//! The written form of providers.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::config::read::{Elsewhere, choice, object};
use crate::text::names::names;

/// The fields that select the type of a provider, and those that all formats of links share.
#[derive(Debug)]
pub(crate) struct ProviderType<'a> {
    pub kind: String,
    pub format: Option<String>,
    /// Name of the ring. Not parsed yet: the type of the format reports a wrong type.
    pub secrets: Option<&'a RawValue>,
    /// Every `exchange` member, duplicates included.
    pub exchanges: Vec<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for ProviderType<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Head;

        impl<'de> Visitor<'de> for Head {
            type Value = ProviderType<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let (mut kind, mut format) = (None, None);
                let (mut secrets, mut exchanges) = (None, Vec::new());
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "type" if kind.is_some() => return Err(de::Error::duplicate_field("type")),
                        "type" => kind = Some(map.next_value()?),
                        "format" if format.is_some() => {
                            return Err(de::Error::duplicate_field("format"));
                        }
                        "format" => format = Some(map.next_value()?),
                        "secrets" => secrets = Some(map.next_value()?),
                        "exchange" => exchanges.push(map.next_value()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(ProviderType {
                    kind: kind.ok_or_else(|| de::Error::missing_field("type"))?,
                    format: format.flatten(),
                    secrets,
                    exchanges,
                })
            }
        }

        deserializer.deserialize_map(Head)
    }
}

/// An API key that the key service issued or imported.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct AppKeyProvider {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "app_key")))]
    _kind: Elsewhere,
    /// The ring of master secrets from which keys are made. Each secret has at least 32 bytes.
    pub secrets: String,
    /// Prefix of every key: 1 to 16 lower-case letters or digits. Default: kg.
    #[serde(default = "default_prefix")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[a-z0-9]{1,16}$")))]
    pub prefix: String,
    /// Which keys are accepted. Default: native.
    #[serde(default = "default_accept")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub accept: Vec<KeyForm>,
    /// Carriers in which a key is accepted. Default: bearer.
    #[serde(default = "default_from")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub from: Vec<Carrier>,
    /// Whether a 401 also asks browsers for a user name and password. Default: false.
    #[serde(default)]
    pub challenge_basic: bool,
    /// Pages from which a key in the query is accepted, such as https://app.example.com.
    /// Required with a query carrier.
    pub query_referrers: Option<Vec<String>>,
    /// What happens to a genuine key that is not cached during an outage of the key service.
    /// Default: deny.
    #[serde(default)]
    pub outage: Outage,
}

object!(AppKeyProvider);

names! {
    /// What happens to a genuine key that is not cached during an outage of the key service.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Outage {
        /// The key is rejected.
        #[default]
        Deny = "deny",
        /// The key is accepted, even a revoked one that the worker has not cached.
        Allow = "allow",
    }
}

impl From<Outage> for crate::decision::provider::Outage {
    fn from(written: Outage) -> Self {
        match written {
            Outage::Deny => Self::Deny,
            Outage::Allow => Self::Allow,
        }
    }
}

fn default_prefix() -> String {
    "kg".to_owned()
}

fn default_accept() -> Vec<KeyForm> {
    vec![KeyForm::Native]
}

fn default_from() -> Vec<Carrier> {
    vec![Carrier::Bearer]
}

names! {
    /// How a key was made.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum KeyForm {
        /// Made by the key service. A forged key is rejected without a lookup.
        Native = "native",
        /// Imported: any text. Each unknown key needs a lookup.
        Opaque = "opaque",
    }
}

/// A carrier of a key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(inline)
)]
#[serde(remote = "Self")]
pub(crate) enum Carrier {
    /// `Authorization: Bearer KEY`.
    #[serde(rename = "bearer")]
    Bearer,
    /// `Authorization: Basic`, with the account as user name and the key as password.
    #[serde(rename = "basic")]
    Basic,
    /// A header of this name that contains only the key.
    #[serde(rename = "header")]
    Header(String),
    /// A cookie of this name.
    #[serde(rename = "cookie")]
    Cookie(String),
    /// A query parameter of this name. Requires `query_referrers`.
    #[serde(rename = "query")]
    Query(String),
}

choice!(Carrier);
