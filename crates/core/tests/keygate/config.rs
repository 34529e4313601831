//! Wrong configurations are named.

use keygate_core::Policy;
use serde_json::{Value, json};

use crate::keygate::kit::*;

fn problems(provider: &Value, secret: &str) -> String {
    let policy = json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "01", "env": "SECRET" }] },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    let environment = |_: &str| Some(secret.as_bytes().to_vec());
    let problems = Policy::parse(policy.to_string().as_bytes(), &environment).unwrap_err();
    let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
    all.join("\n")
}

#[test]
fn an_invalid_field_is_named() {
    for (more, expected) in [
        (
            json!({ "max_lifetime": "8000d" }),
            "providers.it.max_lifetime: must be at most",
        ),
        (
            json!({ "max_lifetime": "week" }),
            "providers.it.max_lifetime: ",
        ),
        (
            json!({ "skew": "1h" }),
            "providers.it.skew: must be at most",
        ),
        (
            json!({ "from": [] }),
            "providers.it.from: must not be empty",
        ),
        (
            json!({ "from": [{ "query": "a b" }] }),
            "providers.it.from[0].query: ",
        ),
        (
            json!({ "from": [{ "path": "a" }, { "path": "b" }] }),
            "providers.it.from: must not name more than one",
        ),
        (
            json!({ "query_ignore": ["*"] }),
            "providers.it.query_ignore[0]: ",
        ),
        (
            json!({ "query_ignore": ["a*b"] }),
            "providers.it.query_ignore[0]: ",
        ),
        (
            json!({ "query_allow": ["a", ""] }),
            "providers.it.query_allow[1]: ",
        ),
        (
            json!({ "algorithm": "none" }),
            "providers.it.algorithm: unknown variant",
        ),
        (
            json!({ "algorithm": "EdDSA" }),
            "must be a public key: Ed25519",
        ),
        (json!({ "secrets": "other" }), "there is no ring \"other\""),
        (json!({ "ttl": "1h" }), "unknown field `ttl`"),
    ] {
        let found = problems(&provider_with(more.clone()), SECRET);
        assert!(found.contains(expected), "{more}: {found}");
    }
}

#[test]
fn a_provider_without_max_lifetime_is_rejected() {
    let mut provider = provider();
    provider.as_object_mut().unwrap().remove("max_lifetime");
    assert!(problems(&provider, SECRET).contains("missing field `max_lifetime`"));
}

#[test]
fn a_secret_that_can_be_guessed_is_rejected() {
    let found = problems(&provider(), "fifteen bytes..");
    assert!(
        found.contains(
            "secrets.ring: \"01\" must have at least 16 bytes: make one with `openssl rand -hex 32`"
        ),
        "{found}"
    );
}
