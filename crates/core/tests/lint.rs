//! What is remarked on a policy that holds, and what is not.

mod rules;

use keygate_core::lint::{Level, lint};
use keygate_core::{Policy, UnixMillis};
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn good() -> Value {
    json!({
        "version": 1,
        "secrets": { "media": [{ "id": "a", "env": "MEDIA" }], "keys": [{ "id": "01", "env": "KEYS" }] },
        "key_service": { "cluster": "keys", "poll_cluster": "polls", "authority": "keys", "token_env": "TOKEN" },
        "providers": {
            "link": { "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "7d" },
            "key": { "type": "app_key", "secrets": "keys" }
        },
        "rules": [
            { "name": "media", "match": { "path": "/media/**", "methods": ["GET", "HEAD"] }, "require": "link", "deny": "page" },
            { "name": "api", "match": { "path": "/api/**", "hosts": ["*.example"] }, "require": { "any": ["key"] } }
        ],
        "unmatched": "deny",
        "responses": { "page": { "html": "no" } }
    })
}

fn remarks(policy: &Value) -> Vec<String> {
    remarks_at(policy, UnixMillis::from_secs(1_700_000_000))
}

fn remarks_at(policy: &Value, now: UnixMillis) -> Vec<String> {
    let environment = |name: &str| match name {
        "PADDED" => Some(format!("{SECRET}\n").into_bytes()),
        "QUOTED" => Some(format!("\"{SECRET}\"").into_bytes()),
        "SHORT" => Some(b"hunter2".to_vec()),
        _ => Some(SECRET.into()),
    };
    let text = policy.to_string();
    let parsed = Policy::parse(text.as_bytes(), &environment).unwrap();
    let remarks = lint(&parsed, text.as_bytes(), &environment, now);
    let line = |it: &keygate_core::lint::Remark| {
        let level = if it.level == Level::Note {
            "note: "
        } else {
            ""
        };
        format!("{level}{}: {}", it.path, it.message)
    };
    remarks.iter().map(line).collect()
}

#[test]
fn a_good_policy_gets_no_remark() {
    assert_eq!(remarks(&good()), Vec::<String>::new());
}

#[test]
fn a_session_that_reaches_the_upstream_is_remarked_unless_it_is_meant() {
    let mut policy = good();
    policy["providers"]["login"] = json!({ "type": "jwt" });
    policy["rules"][1]["require"] = json!({ "any": ["key", "login"] });
    let found = remarks(&policy);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("providers.login.strip: is not set: the token of the login reaches"),
        "{found:?}"
    );
    for strip in [json!([]), json!(["authorization"])] {
        policy["providers"]["login"]["strip"] = strip;
        assert_eq!(remarks(&policy), Vec::<String>::new());
    }
}

#[test]
fn polls_that_share_a_cluster_are_noted() {
    let mut policy = good();
    let service = policy["key_service"].as_object_mut().unwrap();
    service.insert("poll_cluster".into(), json!("keys"));
    let same = remarks(&policy);
    assert_eq!(same.len(), 1, "{same:#?}");
    assert!(same[0].starts_with("note: key_service.cluster: polls share this cluster"));
    policy["key_service"]
        .as_object_mut()
        .unwrap()
        .remove("poll_cluster");
    assert_eq!(remarks(&policy), same);
}

#[test]
fn each_likely_mistake_gets_one_remark() {
    let table = [
        (
            "/unmatched",
            json!("allow"),
            "unmatched: requests that no rule matches",
        ),
        (
            "/providers/link",
            json!({ "type": "signed_url", "format": "akamai", "secrets": "media",
                "max_lifetime": "1d", "algorithm": "md5", "allow_weak": true }),
            "providers.link.allow_weak: this format is weak",
        ),
        (
            "/secrets/media/0/env",
            json!("SHORT"),
            "secrets.media[0].env: the value of SHORT is shorter",
        ),
        (
            "/providers/link/ttl",
            json!("8d"),
            "providers.link.ttl: is longer than 7 days",
        ),
        (
            "/providers/key/outage",
            json!("allow"),
            "providers.key.outage: during an outage of the key service every genuine key passes",
        ),
        (
            "/rules/1/outage",
            json!("allow"),
            "rules[1].outage: during an outage of the key service every genuine key passes",
        ),
        (
            "/key_service/lease",
            json!("11m"),
            "key_service.lease: is longer than 10 minutes",
        ),
        (
            "/rules/0/match/methods",
            Value::Null,
            "rules[0].match: a link permits every method",
        ),
        (
            "/rules/0/mode",
            json!("off"),
            "note: rules[0].mode: mode off is still set",
        ),
        (
            "/rules/0/mode",
            json!("simulate"),
            "note: rules[0].mode: mode simulate is still set",
        ),
        (
            "/rules/0/deny",
            Value::Null,
            "responses.page: this response is never used",
        ),
        (
            "/secrets/old",
            json!([{ "id": "old", "env": "MEDIA" }]),
            "secrets.old: this ring is never used",
        ),
        (
            "/providers/link2",
            json!({ "type": "app_key", "secrets": "keys" }),
            "providers.link2: this provider is never used",
        ),
        ("/rules/1/match/path", json!("/media/a"), ""),
        (
            "/rules/1/match",
            json!({ "path": "/media/a", "methods": ["HEAD"] }),
            "rules[1].match: can never match: rules[0] (\"media\")",
        ),
    ];
    for (pointer, value, expected) in table {
        let mut policy = good();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = policy.pointer_mut(parent).unwrap();
        parent
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value);
        let found = remarks(&policy);
        match expected {
            "" => assert_eq!(found, Vec::<String>::new(), "{pointer}"),
            _ => assert!(
                found.len() == 1 && found[0].starts_with(expected),
                "{pointer}: {found:?}"
            ),
        }
    }
}

#[test]
fn a_rule_is_covered_only_by_one_that_is_as_wide_in_everything() {
    let table = [
        (json!({ "path": "/**" }), json!({ "path": "/a" }), true),
        (
            json!({ "path": "/**" }),
            json!({ "path": "/a", "hosts": ["a.example"], "methods": ["GET"] }),
            true,
        ),
        (
            json!({ "path": "/**", "methods": ["GET"] }),
            json!({ "path": "/a" }),
            false,
        ),
        (
            json!({ "path": "/**", "methods": ["GET"] }),
            json!({ "path": "/a", "methods": ["GET", "PUT"] }),
            false,
        ),
        (
            json!({ "path": "/**", "methods": ["PUT", "GET"] }),
            json!({ "path": "/a", "methods": ["GET"] }),
            true,
        ),
        (
            json!({ "path": "/**", "hosts": ["*.example"] }),
            json!({ "path": "/a" }),
            false,
        ),
        (
            json!({ "path": "/**", "hosts": ["*.example"] }),
            json!({ "path": "/a", "hosts": ["a.example", "b.a.example"] }),
            true,
        ),
        (
            json!({ "path": "/**", "hosts": ["*.example"] }),
            json!({ "path": "/a", "hosts": ["a.example", "example"] }),
            false,
        ),
        (
            json!({ "path": "/**", "hosts": ["*.example"] }),
            json!({ "path": "/a", "hosts": ["a.long.name.test"] }),
            false,
        ),
        (
            json!({ "path": "/**", "headers": [{ "name": "x" }] }),
            json!({ "path": "/a", "headers": [{ "name": "x" }] }),
            true,
        ),
        (
            json!({ "path": "/**", "headers": [{ "name": "x" }] }),
            json!({ "path": "/a", "headers": [{ "name": "y" }] }),
            false,
        ),
        (json!({ "path": "/a/*" }), json!({ "path": "/a/**" }), false),
        (json!({ "path": "/a/*" }), json!({ "path": "/a/b*c" }), true),
    ];
    for (wide, narrow, expected) in table {
        let mut policy = good();
        let rules = policy["rules"].as_array_mut().unwrap();
        rules.push(json!({ "name": "wide", "match": wide, "require": "nothing" }));
        rules.push(json!({ "name": "narrow", "match": narrow, "require": "nothing" }));
        let found = remarks(&policy);
        let told = found
            .iter()
            .any(|it| it.starts_with("rules[3].match: can never match: rules[2] (\"wide\")"));
        assert_eq!(told, expected, "{wide} {narrow}: {found:?}");
    }
}

#[test]
fn links_that_are_weak_or_never_end_are_remarked() {
    let of = |provider: Value| {
        let mut policy = good();
        policy["secrets"]["salts"] = json!([{ "id": "a", "env": "SALTS" }]);
        policy["providers"]["link"] = provider;
        policy["providers"]["link"]["type"] = json!("signed_url");
        policy["providers"]["link"]["secrets"] = json!("media");
        let found = remarks(&policy).into_iter();
        found
            .filter(|it| !it.starts_with("secrets.salts"))
            .collect::<Vec<_>>()
    };
    let weak = "providers.link.allow_weak: this format is weak";
    let endless = "providers.link.format: such links never expire";
    let of_secret = "providers.link.format: such links never expire: they last until";
    let template = "$secure_link_expires$uri $secret";
    for (provider, expected) in [
        (json!({ "format": "google-maps" }), vec![endless]),
        (json!({ "format": "thumbor" }), vec![endless]),
        (
            json!({ "format": "imgproxy", "salts": "salts" }),
            vec![endless],
        ),
        (
            json!({ "format": "imgproxy", "salts": "salts", "max_lifetime": "1d" }),
            vec![],
        ),
        (json!({ "format": "fastly", "max_lifetime": "1d" }), vec![]),
        (
            json!({ "format": "akamai", "algorithm": "sha1", "allow_weak": true, "max_lifetime": "1d" }),
            vec![weak],
        ),
        // What is allowed and not used is not weak.
        (
            json!({ "format": "akamai", "allow_weak": true, "max_lifetime": "1d" }),
            vec![],
        ),
        (
            json!({ "format": "cloudflare", "ttl": "1d", "message": "path" }),
            vec!["providers.link.message: the query is not signed"],
        ),
        (
            json!({ "format": "keycdn", "allow_weak": true, "max_lifetime": "1d" }),
            vec![weak],
        ),
        (
            json!({ "format": "keycdn", "allow_weak": true, "mode": "image" }),
            vec![weak, endless],
        ),
        (
            json!({ "format": "nginx", "allow_weak": true, "template": template, "max_lifetime": "1d" }),
            vec![weak],
        ),
        (
            json!({ "format": "nginx", "allow_weak": true, "template": "$uri $secret" }),
            vec![weak, endless],
        ),
        (
            json!({ "format": "nginx", "allow_weak": true, "mode": "secure_link_secret", "prefix": "/p/" }),
            vec![weak, of_secret],
        ),
    ] {
        let found = of(provider.clone());
        assert_eq!(found.len(), expected.len(), "{provider}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{provider}: {found}");
        }
    }
}

#[cfg(feature = "formats-cloudfront")]
#[test]
fn a_weak_hash_is_remarked() {
    let mut policy = good();
    let key = include_str!("keys/rsa2048.pub");
    policy["secrets"]["media"] = json!([{ "id": "a", "public_key": key }]);
    policy["providers"]["link"] = json!({
        "type": "signed_url", "format": "cloudfront", "secrets": "media",
        "max_lifetime": "1d", "hash": "sha1", "allow_weak": true
    });
    let found = remarks(&policy);
    assert_eq!(found.len(), 1, "{found:?}");
    let expected = "providers.link.allow_weak: SHA-1 is weak: let the signer use SHA-256, then \
                    remove hash and allow_weak";
    assert!(found[0].contains(expected), "{found:?}");
}

#[test]
fn a_secret_with_white_space_or_quotes_around_it_is_remarked() {
    for (place, path) in [
        ("/secrets/media/0/env", "secrets.media[0].env"),
        ("/secrets/keys/0/env", "secrets.keys[0].env"),
        ("/key_service/token_env", "key_service.token_env"),
    ] {
        for name in ["PADDED", "QUOTED"] {
            if name == "PADDED" && path.ends_with("token_env") {
                continue; // A line break fits into no header: the policy is rejected.
            }
            let mut policy = good();
            *policy.pointer_mut(place).unwrap() = name.into();
            let told = format!(
                "{path}: the value of {name} begins or ends with white space or a quote: \
                 is that part of the secret?"
            );
            assert_eq!(remarks(&policy), [told]);
        }
    }
}

#[test]
fn a_ring_is_remarked_while_no_secret_of_it_counts() {
    let mut policy = good();
    policy["secrets"]["media"][0]["not_after"] = "2026-01-01T00:00:00Z".into();
    policy["secrets"]["keys"][0]["not_before"] = "2027-01-01T00:00:00Z".into();
    let at = |day: &str| remarks_at(&policy, UnixMillis::parse(day).unwrap());
    let told = |ring: &str| {
        format!(
            "secrets.{ring}: no secret of this ring is valid now: every credential made with it \
             is rejected (no_current_secret)"
        )
    };
    assert_eq!(at("2025-12-31T23:59:59Z"), [told("keys")]);
    assert_eq!(at("2026-01-01T00:00:00Z"), [told("keys"), told("media")]);
    assert_eq!(at("2027-01-01T00:00:00Z"), [told("media")]);
}
