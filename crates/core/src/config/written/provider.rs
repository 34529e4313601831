//! Providers as they are written.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::config::read::{Elsewhere, choice, object};
use crate::text::names::names;

/// What says by which type the rest of a provider is read, and what all links have.
#[derive(Debug)]
pub(crate) struct ProviderType<'a> {
    pub kind: String,
    pub format: Option<String>,
    /// The ring; of another type if it is wrong, which its own type tells.
    pub secrets: Option<&'a RawValue>,
    /// Each that is given.
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

/// A personal key that the key service issued.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct AppKeyProvider {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = "app_key")))]
    _kind: Elsewhere,
    /// The ring of master secrets that make the keys, 32 bytes at least each.
    pub secrets: String,
    /// The word in front of each key. Default: kg.
    #[serde(default = "default_prefix")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[a-z0-9]{1,16}$")))]
    pub prefix: String,
    /// Which keys are taken: those that the key service made, and those that were imported
    /// into it. Default: native.
    #[serde(default = "default_accept")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub accept: Vec<KeyForm>,
    /// Where a key may stand. Default: bearer.
    #[serde(default = "default_from")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub from: Vec<Carrier>,
    /// Whether a 401 asks browsers for user name and password too. Default: false.
    #[serde(default)]
    pub challenge_basic: bool,
    /// With a key in the query: the pages from which it may come.
    pub query_referrers: Option<Vec<String>>,
    /// What becomes of a genuine key while the key service is away. Default: deny.
    #[serde(default)]
    pub outage: Outage,
}

object!(AppKeyProvider);

names! {
    /// What becomes of a genuine key while the key service is away.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Outage {
        /// It is refused.
        #[default]
        Deny = "deny",
        /// It passes, also one that was revoked if the proxy does not remember it.
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
    /// Where a key comes from.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum KeyForm {
        /// The key service made it: a forged one is recognised at once.
        Native = "native",
        /// It was imported, and may be any text: an unknown one has to be asked about.
        Opaque = "opaque",
    }
}

/// A place in which a key may stand.
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
    /// A header of this name with nothing but the key.
    #[serde(rename = "header")]
    Header(String),
    /// A cookie of this name.
    #[serde(rename = "cookie")]
    Cookie(String),
    /// A parameter of the query; needs `query_referrers`.
    #[serde(rename = "query")]
    Query(String),
}

choice!(Carrier);
