//! The hand-written parts of `docs/configuration.md`: its head, the order of the objects and
//! where to read more, and its end.

pub const HEAD: &str = "\
# Configuration reference

Every field of the policy, version 1. [policy.md](policy.md) explains the fields by examples.

- **Where it goes.** The policy is JSON in a `google.protobuf.StringValue` inside Envoy's
  configuration: see [envoy/envoy.yaml](../envoy/envoy.yaml). `keygate render` puts a file in JSON or YAML
  [in place](render.md).
- **Errors.** Unknown, contradictory or missing fields are rejected with their path, and Envoy
  keeps the configuration that it has. `keygate check policy.json` lists every error at once.
- **Editors.** `keygate schema` prints the JSON schema, which is also in
  [policy.schema.json](policy.schema.json).
- **Durations** are a number and a unit, such as `300ms`, `60s`, `30m`, `6h` or `7d`. Times are
  RFC 3339, such as `2026-11-28T12:00:00Z`.

`make test` keeps this page: it is written from the schema. To renew it:

    KEYGATE_RENEW=1 cargo test -p keygate-cli --test cli configuration::
";

/// Each object of the schema but the formats of links: its name there, its title, and what a
/// reader should know beyond its fields.
pub const OBJECTS: [(&str, &str, &str); 21] = [
    ("", "Policy", ""),
    (
        "RingSecret",
        "Secret",
        "A ring is a list of secrets: the first one signs, all of them verify. Envoy reads the \
         variables once, when it starts: to rotate a secret, add the new one to its ring and \
         restart. List each variable under `host_env_keys` in Envoy.",
    ),
    (
        "KeyService",
        "Key service",
        "[feed.md](feed.md) explains `poll`, `lease` and `poll_cluster`. \
         [scale.md](scale.md) has sizes for large fleets.",
    ),
    ("Cache", "Cache", "Each worker of Envoy has its own cache."),
    (
        "FailureLimit",
        "Failure limit",
        "`miss_limit` counts imported keys that the key service does not know. `signature_limit` \
         counts invalid public-key signatures. Behind another proxy, set \
         `xff_num_trusted_hops` in Envoy: otherwise all clients share one address.",
    ),
    (
        "Provider",
        "Provider",
        "`type` chooses the kind: a signed URL (`signed_url`), an [API key](#api-keys) \
         (`app_key`) or a [session](#sessions) (`jwt`).",
    ),
    (
        "Exchange",
        "Exchange",
        "Every format of signed URLs can have it. \
         [signed-urls.md](signed-urls.md#carriers-and-exchange) says what the cookie opens.",
    ),
    (
        "LinkHeaders",
        "Link headers",
        "For the format `cloudflare`: see [its page](formats/cloudflare.md).",
    ),
    (
        "AppKeyProvider",
        "API keys",
        "The type is `app_key`. [app-keys.md](app-keys.md) specifies the keys. A key in the query \
         ends up in histories and logs, so it needs `query_referrers`: see \
         [policy.md](policy.md#keys-in-the-query-and-where-requests-come-from).",
    ),
    (
        "JwtProvider",
        "Sessions",
        "The type is `jwt`. [sessions.md](sessions.md) has the whole example.",
    ),
    (
        "Rule",
        "Rule",
        "[policy.md](policy.md#matching) has an example for each field. `allowed_referrers` \
         constrains browsers only: other clients can send any `referer`.",
    ),
    ("Match", "Match", ""),
    ("HeaderMatch", "Header match", ""),
    (
        "Requirement",
        "Requirement",
        "`{\"any\": [\"link\", \"key\"]}` and `{\"all\": [\"link\", \"key\"]}` can be nested: see \
         [policy.md](policy.md#requirements).",
    ),
    (
        "NeededScopes",
        "Needed scopes",
        "A request whose method has no entry is rejected: see [policy.md](policy.md#scopes).",
    ),
    (
        "Sealed",
        "Sealed headers",
        "[policy.md](policy.md#sealed-headers) explains which requests get them.",
    ),
    (
        "Challenge",
        "Challenge",
        "[challenge.md](challenge.md) explains both kinds.",
    ),
    (
        "Response",
        "Response",
        "See [policy.md](policy.md#answers). If you give several bodies, the `Accept` header \
         chooses; ties go to the first listed. `cache-control: no-store` and `nosniff` are \
         always sent.",
    ),
    (
        "Brand",
        "Brand",
        "See [policy.md](policy.md#the-standard-page).",
    ),
    (
        "Identity",
        "Identity",
        "[What the upstream receives](#what-the-upstream-receives) says what becomes of headers \
         that a client sends.",
    ),
    (
        "Assertion",
        "Assertion",
        "See [sessions.md](sessions.md#the-assertion).",
    ),
];

pub const TAIL: &str = "
## What the upstream receives

The headers of [Identity](#identity), each under its default name unless you rename it.

Keygate first removes every header that a client sends under one of these names, or under the
prefix `x-keygate-`, in every mode. Every character that is neither letter nor digit counts as
the same one, so `X.Keygate.Account` and `x_keygate_account` are removed too.

## What the client receives

| status | public reason | gRPC status |
| --- | --- | --- |
| 400 | `ambiguous_request` | 3 |
| 401 or 403 | `missing_credential`, `invalid_credential`, `expired` | 16 |
| 403 | `not_allowed_here`, `insufficient_scope`, `challenge_required` | 7 |
| 429 | `rate_limited`, with `retry-after` | 8 |
| 503 | `unavailable`, with `retry-after` | 14 |

Unknown, forged, revoked and disabled keys look the same. The precise reason is in your access
log and your counters: [reasons.md](reasons.md) lists them.
";
