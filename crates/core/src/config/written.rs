//! The configuration as it is written: the shape of the JSON, and nothing else.
//!
//! The comments on types and fields are for whoever writes a policy: they stand in
//! docs/policy.schema.json, which editors show.

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

/// What Keygate is to allow, and by which credentials.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Policy<'a> {
    /// The version of this form: 1.
    #[cfg_attr(feature = "schema", schemars(extend("const" = 1)))]
    pub version: u64,
    /// Rings of secrets by name. The first of a ring signs, all verify.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "UniqueMap<Vec<RingSecret>>"))]
    pub secrets: Quiet<UniqueMap<Quiet<Vec<Quiet<RingSecret>>>>>,
    /// How to reach the key service. Needed by providers of app keys.
    pub key_service: Option<KeyService>,
    /// Kinds of credential by name; the `type` of each says what else it has.
    // Read by their type in a second step.
    #[serde(borrow, default)]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "UniqueMap<super::schema::Provider>")
    )]
    pub providers: UniqueMap<&'a RawValue>,
    /// The first rule that matches decides.
    pub rules: Vec<Rule>,
    /// What holds when no rule matches. There is no default.
    pub unmatched: Unmatched,
    /// How the pages look that Keygate itself serves. Default: without a name and a logo.
    pub brand: Option<super::brand::Written>,
    /// Bodies of refusals by name; a rule takes one by `deny`.
    #[serde(borrow, default)]
    pub responses: UniqueMap<Response<'a>>,
    /// How the upstream learns who calls.
    #[serde(default)]
    pub identity: super::identity::Identity,
    /// Who vouches for the identity, for upstreams that must not trust headers.
    pub assertion: Option<super::assertion::Assertion>,
    /// What a 401 says is protected. Default: keygate.
    pub realm: Option<String>,
    /// Whether `%2F` may be in a path, unless a rule says otherwise. Default: false.
    #[serde(default)]
    pub allow_encoded_slash: bool,
    /// Whether parameters behind `;` may be in a path, unless a rule says otherwise.
    /// Default: false.
    #[serde(default)]
    pub allow_path_parameters: bool,
    /// How many public-key signatures of links and requests may turn out wrong.
    #[serde(default)]
    pub signature_limit: FailureLimit,
}

object!(Policy<'a>);

/// One secret of a ring. It is named here and lives in the environment.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct RingSecret {
    /// The public name of the secret, once in a ring. For app keys: 2 letters or digits.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,64}$")))]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub id: Quiet<String>,
    /// The environment variable that holds it, where the filter runs.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub env: Option<Quiet<String>>,
    /// In place of `env`: a public key, as PEM (BEGIN PUBLIC KEY) or, of Ed25519, in base64.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub public_key: Option<Quiet<String>>,
    /// How the variable holds it. Default: utf8, the bytes of the text.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Encoding"))]
    pub encoding: Quiet<Encoding>,
    /// RFC 3339: it does not count before. Default: always.
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Quiet<String>>,
    /// RFC 3339: it counts no more from then on. Default: for ever.
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
    /// The name of the cluster in Envoy.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub cluster: String,
    /// The name of another cluster of the same key service, for polls of the change feed: then
    /// no other call can take their place. Default: cluster.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub poll_cluster: Option<String>,
    /// What the calls carry as `:authority`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub authority: String,
    /// The environment variable that holds the edge token.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub token_env: Quiet<String>,
    /// How long a call may take. Default: 300ms.
    #[serde(default = "default_timeout")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    pub timeout: String,
    /// The change feed is read no more often than this; news come at once. Default: 1s.
    #[serde(default = "default_poll")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    pub poll: String,
    /// How long cached keys count while the service is away; longer than poll. Default: 60s.
    #[serde(default = "default_lease")]
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^\\s*[0-9]")))]
    pub lease: String,
    /// How many keys each worker remembers.
    #[serde(default)]
    pub cache: Cache,
    /// How many imported keys that turn out unknown clients may present to a worker.
    #[serde(default)]
    pub miss_limit: FailureLimit,
}

object!(KeyService);

/// How many keys each worker remembers.
#[derive(Default, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Cache {
    /// Most keys that the key service knows. Default: 50000.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000_000)))]
    pub max_known: Option<u64>,
    /// Most keys that it does not know. Default: 10000.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10_000_000)))]
    pub max_unknown: Option<u64>,
    /// Most bytes of both together. Default: 33554432.
    #[cfg_attr(
        feature = "schema",
        schemars(range(min = 1_048_576, max = 1_073_741_824))
    )]
    pub max_bytes: Option<u64>,
}

object!(Cache);

/// How many checks of clients may fail at one worker: beyond that the answer is 429.
#[derive(Default, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct FailureLimit {
    /// Failures each second of one IPv4 address or IPv6 /64. Default: 5.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub per_second: Option<u64>,
    /// Failures of one IPv4 address or IPv6 /64 at once. Default: 100 for `miss_limit`, 20
    /// for `signature_limit`.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub burst: Option<u64>,
    /// Failures each second of one IPv6 /48. Default: 20, or 4 times `per_second` if that is
    /// more.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_000_000)))]
    pub per_second_48: Option<u64>,
    /// Failures each second of all clients. Half of it is kept for addresses without a
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
    /// What holds when no rule matches.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Unmatched {
        /// The request is refused.
        Deny = "deny",
        /// The request passes.
        Allow = "allow",
    }
}

/// An answer; those in `reasons` have no `reasons` of their own. Without a body and a
/// redirect it changes the standard answer: problem details, or a page in the `brand`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Response<'a> {
    /// JSON; `{reason}`, `{message}`, `{title}`, `{explanation}`, `{advice}`, `{status}`,
    /// `{request_id}`, `{rule}` and `{url}` in its texts are filled.
    #[serde(borrow)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub json: Option<&'a RawValue>,
    /// A page; the same words are filled, escaped.
    pub html: Option<String>,
    /// Plain text; the same words are filled.
    pub text: Option<String>,
    /// Where to send the client instead; `{url}` is where it wanted to go.
    pub redirect: Option<String>,
    /// The HTTP status. Default: as the reason wants.
    pub status: Option<u16>,
    /// Headers to add.
    #[serde(default)]
    pub headers: UniqueMap<String>,
    /// Another answer for a reason, by its public name.
    #[serde(borrow, default)]
    pub reasons: UniqueMap<Response<'a>>,
}

object!(Response<'a>);
