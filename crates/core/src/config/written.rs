//! The configuration as it is written: the shape of the JSON, and nothing else.
//!
//! The comments on types and fields are for whoever writes a policy: they stand in
//! docs/policy.schema.json, which editors show.

mod challenge;
mod provider;

pub use provider::{AppKeyProvider, Carrier, KeyForm, Outage, ProviderType};

use super::form::form;
use super::tree::{Elsewhere, Error, Read, Start, Tree, UniqueMap};
use crate::answer::Json;
use crate::secret::Encoding;
pub use challenge::Challenge;

form! {
    /// What Keygate is to allow, and by which credentials.
    pub struct Policy {
        /// The version of this form: 1.
        #[schemars(extend("const" = 1))]
        pub version: u64,
        /// Rings of secrets by name. The first of a ring signs, all verify.
        #[serde(default)]
        pub secrets: UniqueMap<Vec<RingSecret>>,
        /// How to reach the key service. Needed by providers of app keys.
        pub key_service: Option<KeyService>,
        /// Kinds of credential by name; the `type` of each says what else it has.
        // Read by their type in a second step, from the tree.
        #[serde(default)]
        #[schemars(with = "UniqueMap<super::schema::Provider>")]
        pub providers: UniqueMap<Elsewhere>,
        /// The first rule that matches decides.
        pub rules: Vec<Rule>,
        /// What holds when no rule matches. There is no default.
        pub unmatched: Unmatched,
        /// How the pages look that Keygate itself serves. Default: without a name and a logo.
        pub brand: Option<super::brand::Written>,
        /// Bodies of refusals by name; a rule takes one by `deny`.
        #[serde(default)]
        pub responses: UniqueMap<Response>,
        /// How the upstream learns who calls.
        #[serde(default)]
        pub identity: Identity,
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
}

form! {
    /// Names of headers, those that are left out keep theirs; and who else is told.
    #[derive(Default)]
    pub struct Identity {
        /// Whose credential it is. Default: x-keygate-account.
        pub account: Option<String>,
        /// The public id of an app key. Default: x-keygate-key-id.
        pub key_id: Option<String>,
        /// Scopes with a space between. Default: x-keygate-scopes.
        pub scopes: Option<String>,
        /// The metadata of an app key, JSON in base64url. Default: x-keygate-metadata.
        pub metadata: Option<String>,
        /// What was decided. Default: x-keygate-result.
        pub result: Option<String>,
        /// Whether other filters find the same as filter state, `wasm.keygate_account` and so
        /// on. Default: false.
        #[serde(default)]
        pub filter_state: bool,
    }
}

form! {
    /// One secret of a ring. It is named here and lives in the environment.
    pub struct RingSecret {
        /// The public name of the secret, once in a ring. For app keys: 2 letters or digits.
        #[schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,64}$"))]
        pub id: String,
        /// The environment variable that holds it, where the filter runs.
        pub env: Option<String>,
        /// In place of `env`: a public key, as PEM (BEGIN PUBLIC KEY) or, of Ed25519, in base64.
        pub public_key: Option<String>,
        /// How the variable holds it. Default: utf8, the bytes of the text.
        #[serde(default)]
        pub encoding: Encoding,
        /// RFC 3339: it does not count before. Default: always.
        #[schemars(extend("format" = "date-time"))]
        pub not_before: Option<String>,
        /// RFC 3339: it counts no more from then on. Default: for ever.
        #[schemars(extend("format" = "date-time"))]
        pub not_after: Option<String>,
    }
}

form! {
    /// How to reach the key service.
    pub struct KeyService {
        /// The name of the cluster in Envoy.
        #[schemars(length(min = 1))]
        pub cluster: String,
        /// The name of another cluster of the same key service, for polls of the change feed: then
        /// no other call can take their place. Default: cluster.
        #[schemars(length(min = 1))]
        pub poll_cluster: Option<String>,
        /// What the calls carry as `:authority`.
        #[schemars(length(min = 1))]
        pub authority: String,
        /// The environment variable that holds the edge token.
        pub token_env: String,
        /// How long a call may take. Default: 300ms.
        #[serde(default = "default_timeout")]
        #[schemars(extend("pattern" = "^\\s*[0-9]"))]
        pub timeout: String = default_timeout(),
        /// The change feed is read no more often than this; news come at once. Default: 1s.
        #[serde(default = "default_poll")]
        #[schemars(extend("pattern" = "^\\s*[0-9]"))]
        pub poll: String = default_poll(),
        /// How long cached keys count while the service is away; longer than poll. Default: 60s.
        #[serde(default = "default_lease")]
        #[schemars(extend("pattern" = "^\\s*[0-9]"))]
        pub lease: String = default_lease(),
        /// How many keys each worker remembers.
        #[serde(default)]
        pub cache: Cache,
        /// How many imported keys that turn out unknown clients may present to a worker.
        #[serde(default)]
        pub miss_limit: FailureLimit,
    }
}

form! {
    /// How many keys each worker remembers.
    #[derive(Default)]
    pub struct Cache {
        /// Most keys that the key service knows. Default: 50000.
        #[schemars(range(min = 1, max = 10_000_000))]
        pub max_known: Option<u64>,
        /// Most keys that it does not know. Default: 10000.
        #[schemars(range(min = 1, max = 10_000_000))]
        pub max_unknown: Option<u64>,
        /// Most bytes of both together. Default: 33554432.
        #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
        pub max_bytes: Option<u64>,
    }
}

form! {
    /// How many checks of clients may fail at one worker: beyond that the answer is 429.
    #[derive(Default)]
    pub struct FailureLimit {
        /// Failures each second of one IPv4 address or IPv6 /64. Default: 5.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub per_second: Option<u64>,
        /// Failures of one IPv4 address or IPv6 /64 at once. Default: 100 for `miss_limit`, 20
        /// for `signature_limit`.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub burst: Option<u64>,
        /// Failures each second of one IPv6 /48. Default: 20, or 4 times `per_second` if that is
        /// more.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub per_second_48: Option<u64>,
        /// Failures each second of all clients. Half of it is kept for addresses without a
        /// failure in the last minute. Default: 50, or 10 times `per_second` if that is more.
        #[schemars(range(min = 1, max = 1_000_000))]
        pub per_second_worker: Option<u64>,
    }
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

form! {
    /// Whom a rule is for, and what it requires.
    pub struct Rule {
        /// Its name in logs, metrics and answers.
        #[schemars(extend("pattern" = "^[A-Za-z0-9._-]{1,64}$"))]
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
}

form! {
    /// What becomes of a CORS preflight.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Preflight {
        /// It passes.
        Allow = "allow",
    }
}

form! {
    /// Which requests a rule is for.
    pub struct Match {
        /// A glob: `*` is one segment, `**` any number; a trailing `/**` includes the bare prefix.
        #[schemars(extend("pattern" = "^/[^?#]*$"))]
        pub path: String,
        /// Methods in upper case. Default: all.
        #[schemars(length(min = 1), inner(regex(pattern = "^[A-Z-]{1,24}$")))]
        pub methods: Option<Vec<String>>,
        /// Hosts without port: `a.example`, or `*.example` for all below. Default: all.
        #[schemars(length(min = 1))]
        pub hosts: Option<Vec<String>>,
        /// Headers that a request must have. Default: none.
        #[schemars(length(min = 1))]
        pub headers: Option<Vec<HeaderMatch>>,
    }
}

form! {
    /// A header that a request must have.
    pub struct HeaderMatch {
        /// Its name.
        pub name: String,
        /// Its value. Default: any.
        pub value: Option<String>,
    }
}

form! {
    /// What scopes some methods need.
    pub struct NeededScopes {
        /// The methods, in upper case. Default: all.
        #[schemars(length(min = 1), inner(regex(pattern = "^[A-Z-]{1,24}$")))]
        pub methods: Option<Vec<String>>,
        /// Such as `files:read AND (admin OR audit:*)`.
        #[schemars(length(min = 1))]
        pub need: String,
    }
}

form! {
    /// How strictly a rule is kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Mode {
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

form! {
    /// What holds when no rule matches.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Unmatched {
        /// The request is refused.
        Deny = "deny",
        /// The request passes.
        Allow = "allow",
    }
}

form! {
    /// An answer; those in `reasons` have no `reasons` of their own. Without a body and a
    /// redirect it changes the standard answer: problem details, or a page in the `brand`.
    pub struct Response {
        /// JSON; `{reason}`, `{message}`, `{title}`, `{explanation}`, `{advice}`, `{status}`,
        /// `{request_id}`, `{rule}` and `{url}` in its texts are filled.
        pub json: Option<Json>,
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
        #[serde(default)]
        pub reasons: UniqueMap<Response>,
    }
}

/// A provider's name, `"nothing"`, or a group.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum Requirement {
    /// A provider, or `nothing`.
    Name(String),
    /// Several.
    Group(Group),
}

/// Several providers.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[cfg_attr(test, derive(serde::Deserialize))]
#[cfg_attr(any(test, feature = "schema"), serde(rename_all = "lowercase"))]
pub enum Group {
    /// One of these is enough.
    Any(Vec<Requirement>),
    /// Each of these is needed.
    All(Vec<Requirement>),
}

impl Read for Requirement {
    fn read(&mut self, tree: &Tree) -> Result<(), Error> {
        if let Some(name) = tree.text() {
            *self = Self::Name(name.to_owned());
            return Ok(());
        }
        let (index, members) = tree.group(NAME_OR_GROUP, &["any", "all"])?;
        *self = Self::Group(match index {
            0 => Group::Any(members),
            _ => Group::All(members),
        });
        Ok(())
    }
}

impl Start for Requirement {
    fn start() -> Self {
        Self::Name(String::new())
    }
}

const NAME_OR_GROUP: &str = "the name of a provider, \"nothing\", {\"any\": […]} or {\"all\": […]}";

form! {
    impl Encoding {
        Utf8 = "utf8",
        Hex = "hex",
        Base64 = "base64",
        Base64Url = "base64url",
    }
}
