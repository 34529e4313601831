//! The written form of rules.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{Challenge, Outage};
use crate::config::read::{object, skip_items, skip_members};
use crate::text::names::names;

/// A rule: the requests that it matches, and what it requires of them.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Rule {
    /// Name of the rule in logs, metrics and answers: 1 to 64 letters, digits, `.`, `_` or
    /// `-`, unique in the policy.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,64}$")))]
    pub name: String,
    /// Which requests the rule matches. Every condition that is given must be met.
    #[serde(rename = "match")]
    pub matches: Match,
    /// The credentials that a request must have.
    pub require: Requirement,
    /// Scopes that the credential must have. The first entry for the method of the request
    /// decides.
    #[serde(default)]
    pub scopes: Vec<NeededScopes>,
    /// How strictly the rule is applied. Default: block.
    #[serde(default)]
    pub mode: Mode,
    /// What a browser must do. Required with `"mode": "challenge"`, and not allowed otherwise.
    pub challenge: Option<Challenge>,
    /// Name of the response to rejected requests. Default: the standard answer, as JSON or
    /// HTML as the client prefers.
    pub deny: Option<String>,
    /// Whether `%2F` is allowed in the path. Default: the value of the policy.
    pub allow_encoded_slash: Option<bool>,
    /// Whether parameters after `;` are allowed in the path, such as `;jsessionid=1`. Default:
    /// the value of the policy.
    pub allow_path_parameters: Option<bool>,
    /// Whether CORS preflight requests pass without a credential. Default: not allowed.
    pub preflight: Option<Preflight>,
    /// Pages from which a request may come, such as https://app.example.com. Default: any.
    pub allowed_referrers: Option<Vec<String>>,
    /// What happens to genuine app keys that are not cached during an outage of the key
    /// service. Default: the value of the provider.
    pub outage: Option<Outage>,
    /// Headers for the upstream that are sealed with the app key. Only the text of the key opens
    /// them. Default: none are added.
    pub sealed: Option<Sealed>,
}

object!(Rule);

/// Which sealed headers of a key are added to a request.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Sealed {
    /// Names of the headers that a key may set, such as `authorization`. The creator of a key
    /// chooses their values. Copies of these headers that a client sends are removed.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub headers: Vec<String>,
    /// Whether keys without sealed data pass, without these headers. Default: false.
    #[serde(default)]
    pub optional: bool,
}

object!(Sealed);

names! {
    /// What happens to CORS preflight requests.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Preflight {
        /// They pass.
        Allow = "allow",
    }
}

/// Which requests a rule matches.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Match {
    /// A glob: `*` matches one path segment, `**` any number of them. A trailing `/**` also
    /// matches the path in front of it.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^/[^?#]*$")))]
    pub path: String,
    /// HTTP methods in upper case. Default: all.
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1), inner(regex(pattern = "^[A-Z-]{1,24}$")))
    )]
    pub methods: Option<Vec<String>>,
    /// Hosts without port: `a.example`, or `*.example` for all its subdomains. Default: all.
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
    /// Name of the header.
    pub name: String,
    /// Exact value of the header. Default: any.
    pub value: Option<String>,
}

object!(HeaderMatch);

/// The scopes that requests of some methods need.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct NeededScopes {
    /// HTTP methods in upper case. Default: all.
    #[cfg_attr(
        feature = "schema",
        schemars(length(min = 1), inner(regex(pattern = "^[A-Z-]{1,24}$")))
    )]
    pub methods: Option<Vec<String>>,
    /// A scope expression, such as `files:read AND (admin OR audit:*)`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub need: String,
}

object!(NeededScopes);

names! {
    /// How strictly a rule is applied.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) enum Mode {
        /// Requests that do not meet the rule are rejected.
        #[default]
        Block = "block",
        /// Every request passes. The upstream learns whether `block` would have rejected it.
        Simulate = "simulate",
        /// Browsers whose requests do not meet the rule may pass a challenge instead.
        Challenge = "challenge",
        /// Every request passes unchecked.
        Off = "off",
    }
}

/// The name of a provider, `"nothing"`, or a group of requirements.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub(crate) enum Requirement {
    /// The name of a provider, or `nothing`.
    Name(String),
    /// A group of requirements.
    Group(Group),
}

/// A group of requirements.
#[derive(Debug)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(inline, rename_all = "lowercase")
)]
pub(crate) enum Group {
    /// At least one of these is required.
    Any(Vec<Requirement>),
    /// All of these are required.
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
