//! Rules as they are written.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{Challenge, Outage};
use crate::config::read::{object, skip_items, skip_members};
use crate::text::names::names;

/// Whom a rule is for, and what it requires.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Rule {
    /// Its name in logs, metrics and answers.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,64}$")))]
    pub name: String,
    /// Which requests it is for: all that is given must fit.
    #[serde(rename = "match")]
    pub matches: Match,
    /// What a request must bring.
    pub require: Requirement,
    /// What the scopes of the credential must be; the first for the method decides.
    #[serde(default)]
    pub scopes: Vec<NeededScopes>,
    /// How strictly it is kept. Default: block.
    #[serde(default)]
    pub mode: Mode,
    /// With `"mode": "challenge"`: what a browser must do.
    pub challenge: Option<Challenge>,
    /// The response for a refusal. Default: as the client prefers.
    pub deny: Option<String>,
    /// Whether `%2F` may be in the path. Default: as the policy says.
    pub allow_encoded_slash: Option<bool>,
    /// Whether parameters behind `;` may be in the path, such as `;jsessionid=1`. Default: as
    /// the policy says.
    pub allow_path_parameters: Option<bool>,
    /// Whether a CORS preflight passes without a credential. Default: it does not.
    pub preflight: Option<Preflight>,
    /// From which pages a request may come, such as https://app.example.com. Default: any.
    pub allowed_referrers: Option<Vec<String>>,
    /// What becomes of genuine app keys while the key service is away. Default: as the
    /// provider says.
    pub outage: Option<Outage>,
}

object!(Rule);

names! {
    /// What becomes of a CORS preflight.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Preflight {
        /// It passes.
        Allow = "allow",
    }
}

/// Which requests a rule is for.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Match {
    /// A glob: `*` is one segment, `**` any number; a trailing `/**` includes the bare prefix.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^/[^?#]*$")))]
    pub path: String,
    /// Methods in upper case. Default: all.
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1), inner(regex(pattern = "^[A-Z-]{1,24}$")))
    )]
    pub methods: Option<Vec<String>>,
    /// Hosts without port: `a.example`, or `*.example` for all below. Default: all.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub hosts: Option<Vec<String>>,
    /// Headers that a request must have. Default: none.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub headers: Option<Vec<HeaderMatch>>,
}

object!(Match);

/// A header that a request must have.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct HeaderMatch {
    /// Its name.
    pub name: String,
    /// Its value. Default: any.
    pub value: Option<String>,
}

object!(HeaderMatch);

/// What scopes some methods need.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct NeededScopes {
    /// The methods, in upper case. Default: all.
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1), inner(regex(pattern = "^[A-Z-]{1,24}$")))
    )]
    pub methods: Option<Vec<String>>,
    /// Such as `files:read AND (admin OR audit:*)`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub need: String,
}

object!(NeededScopes);

names! {
    /// How strictly a rule is kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Mode {
        /// Who does not meet it is refused.
        #[default]
        Block = "block",
        /// Everybody passes; the upstream learns what would have happened.
        Simulate = "simulate",
        /// Who does not meet it may pass a challenge in a browser.
        Challenge = "challenge",
        /// Everybody passes, unchecked.
        Off = "off",
    }
}

/// A provider's name, `"nothing"`, or a group.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub(crate) enum Requirement {
    /// A provider, or `nothing`.
    Name(String),
    /// Several.
    Group(Group),
}

/// Several providers.
#[derive(Debug)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(inline, rename_all = "lowercase")
)]
pub(crate) enum Group {
    /// One of these is enough.
    Any(Vec<Requirement>),
    /// Each of these is needed.
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

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Requirement, A::Error> {
                skip_items(items)?;
                Err(de::Error::invalid_type(Unexpected::Seq, &self))
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Requirement, M::Error> {
                let group = match map.next_key::<String>()?.as_deref() {
                    Some("any") => Group::Any(map.next_value()?),
                    Some("all") => Group::All(map.next_value()?),
                    Some(other) => {
                        return Err(de::Error::unknown_variant(other, &["any", "all"]));
                    }
                    None => return Err(de::Error::invalid_length(0, &self)),
                };
                match skip_members(map)? {
                    0 => Ok(Requirement::Group(group)),
                    _ => Err(de::Error::invalid_length(2, &self)),
                }
            }
        }

        deserializer.deserialize_any(NameOrGroup)
    }
}
