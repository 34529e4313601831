//! The configuration as written: the shape of the JSON, and nothing else.
//!
//! The comments on types and fields are documentation for authors of policies: they become the
//! descriptions in docs/policy.schema.json, which editors show.

mod challenge;
mod provider;
mod rule;

pub(crate) use provider::{AppKeyProvider, Carrier, KeyForm, Outage, ProviderType};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::read::{Quiet, UniqueMap, object};
use crate::secret::Encoding;
use crate::text::names::names;
pub(crate) use challenge::Challenge;
pub(crate) use rule::{Group, HeaderMatch, Mode, NeededScopes, Preflight, Requirement, Rule};

/// Which requests Keygate allows, and with which credentials.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Policy<'a> {
    /// Version of this configuration format: 1.
    #[cfg_attr(feature = "schema", schemars(extend("const" = 1)))]
    pub version: u64,
    /// Rings of secrets by name. The first secret of a ring signs, all of them verify.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "UniqueMap<Vec<RingSecret>>"))]
    pub secrets: Quiet<UniqueMap<Quiet<Vec<Quiet<RingSecret>>>>>,
    /// How to reach the key service. Required by providers of app keys.
    pub key_service: Option<KeyService>,
    /// Kinds of credential by name. The `type` of a provider decides which other fields it
    /// has.
    // Read by their type in a second step.
    #[serde(borrow, default)]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "UniqueMap<super::schema::Provider>")
    )]
    pub providers: UniqueMap<&'a RawValue>,
    /// The rules, in order. The first one that matches a request decides.
    pub rules: Vec<Rule>,
    /// What happens to a request that no rule matches. There is no default.
    pub unmatched: Unmatched,
    /// Appearance of the pages that Keygate itself serves. Default: without a name and a logo.
    pub brand: Option<super::brand::Written>,
    /// Answers to rejected requests by name. A rule selects one with `deny`.
    #[serde(borrow, default)]
    pub responses: UniqueMap<Response<'a>>,
    /// How the upstream receives the identity of the client.
    #[serde(default)]
    pub identity: super::identity::Identity,
    /// The identity as a signed JWT, for upstreams that must not trust headers.
    pub assertion: Option<super::assertion::Assertion>,
    /// Realm in the `www-authenticate` header of a 401: 1 to 128 characters. Default: keygate.
    pub realm: Option<String>,
    /// Whether `%2F` is allowed in paths. A rule can override this. Default: false.
    #[serde(default)]
    pub allow_encoded_slash: bool,
    /// Whether parameters after `;` are allowed in paths. A rule can override this. Default:
    /// false.
    #[serde(default)]
    pub allow_path_parameters: bool,
    /// Most requests of an account in a span of time, at each worker of Envoy: over all its API
    /// keys, links and sessions, such as `1000/1m`. Default: no limit.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[1-9][0-9]{0,6}/.+$")))]
    pub account_rate_limit: Option<String>,
    /// Whether Envoy also counts decisions for each rule, as `keygate_rule_decision`. Allowed with
    /// up to 1,000 rules. Default: false.
    #[serde(default)]
    pub metrics_by_rule: bool,
    /// Limit on invalid public-key signatures of links and requests.
    #[serde(default)]
    pub signature_limit: FailureLimit,
}

object!(Policy<'a>);

/// One secret of a ring. The policy names it; its value is in the environment.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RingSecret {
    /// Public id of the secret, unique in its ring: 1 to 64 letters, digits, `.`, `_` or `-`.
    /// For app keys: 2 letters or digits.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,64}$")))]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: Quiet<String>,
    /// Environment variable of Envoy that contains the secret.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub env: Option<Quiet<String>>,
    /// A public key, instead of `env`: PEM (BEGIN PUBLIC KEY), or base64 for Ed25519.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub public_key: Option<Quiet<String>>,
    /// Encoding of the secret in the variable. Default: utf8.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Encoding"))]
    pub encoding: Quiet<Encoding>,
    /// Time from which the secret is valid, in RFC 3339. Default: no limit.
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Quiet<String>>,
    /// Time from which the secret is invalid, in RFC 3339. Default: no limit.
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_after: Option<Quiet<String>>,
}

object!(RingSecret);

/// How to reach the key service.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct KeyService {
    /// Name of the Envoy cluster of the key service.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub cluster: String,
    /// Name of a second Envoy cluster of the same key service, only for polls of the change
    /// feed. Lookups then cannot use up the connection limits of polls. Default: cluster.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub poll_cluster: Option<String>,
    /// Value of `:authority` in calls to the key service.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub authority: String,
    /// Environment variable of Envoy that contains the edge token.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub token_env: Quiet<String>,
    /// Timeout of a lookup, at most 10s. Default: 300ms.
    #[serde(default = "default_timeout")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    pub timeout: String,
    /// Minimum interval between polls of the change feed, at most 60s. Changes are delivered
    /// immediately. Default: 1s.
    #[serde(default = "default_poll")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    pub poll: String,
    /// How long cached keys stay valid after the last successful poll. Must be longer than
    /// `poll`, and at most 24h. Default: 60s.
    #[serde(default = "default_lease")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    pub lease: String,
    /// Size of the cache of each worker.
    #[serde(default)]
    pub cache: Cache,
    /// Limit on imported keys that the key service does not know.
    #[serde(default)]
    pub miss_limit: FailureLimit,
}

object!(KeyService);

/// Size of the cache of each worker.
#[derive(Default, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Cache {
    /// Maximum number of cached keys that the key service knows, 1 to 10000000. Default:
    /// 50000.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000_000)))]
    pub max_known: Option<u64>,
    /// Maximum number of cached keys that the key service does not know, 1 to 10000000.
    /// Default: 10000.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000_000)))]
    pub max_unknown: Option<u64>,
    /// Maximum size of the cache in bytes, 1048576 to 1073741824. Default: 33554432.
    #[cfg_attr(
        feature = "schema",
        schemars(range(min = 1_048_576, max = 1_073_741_824))
    )]
    pub max_bytes: Option<u64>,
}

object!(Cache);

/// Limit on failed checks in one worker. Clients that exceed it get 429. Each number is 1 to
/// 1000000.
#[derive(Default, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct FailureLimit {
    /// Failures per second from one IPv4 address or IPv6 /64. Default: 5.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub per_second: Option<u64>,
    /// Burst of failures from one IPv4 address or IPv6 /64. Default: 100 for `miss_limit`, 20
    /// for `signature_limit`.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub burst: Option<u64>,
    /// Failures per second from one IPv6 /48. Default: 20, or 4 times `per_second` if that is
    /// more.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub per_second_48: Option<u64>,
    /// Failures per second from all clients. Half of it is reserved for addresses without a
    /// failure in the last minute. Default: 50, or 10 times `per_second` if that is more.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub per_second_worker: Option<u64>,
}

object!(FailureLimit);

fn default_timeout() -> String {
    "300ms".to_owned()
}

fn default_poll() -> String {
    "1s".to_owned()
}

fn default_lease() -> String {
    "60s".to_owned()
}

names! {
    /// What happens to a request that no rule matches.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Unmatched {
        /// The request is rejected.
        Deny = "deny",
        /// The request passes.
        Allow = "allow",
    }
}

/// An answer to a rejected request. Without a body and a redirect it changes the standard
/// answer: problem details, or a page in the `brand`. Answers in `reasons` cannot contain
/// `reasons`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Response<'a> {
    /// JSON body. These placeholders in its strings are replaced: `{reason}`, `{message}`,
    /// `{title}`, `{explanation}`, `{advice}`, `{status}`, `{request_id}`, `{rule}` and
    /// `{url}`.
    #[serde(borrow)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub json: Option<&'a RawValue>,
    /// HTML body with the placeholders of `json`. Their values are escaped.
    pub html: Option<String>,
    /// Plain text body with the placeholders of `json`.
    pub text: Option<String>,
    /// URL to redirect the client to, instead of a body, with the placeholders of `json`.
    /// Their values are percent-encoded.
    pub redirect: Option<String>,
    /// HTTP status: 400 to 599, or 302, 303 or 307 with `redirect`. Default: the status of the
    /// reason.
    pub status: Option<u16>,
    /// Headers to add to the answer.
    #[serde(default)]
    pub headers: UniqueMap<String>,
    /// Answers for single reasons, by public reason.
    #[serde(borrow, default)]
    pub reasons: UniqueMap<Response<'a>>,
}

object!(Response<'a>);
