//! What a policy decides about app keys, rules and modes.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod common;

use std::net::IpAddr;
use std::rc::Rc;

use common::{after, facts, get, judge, policy};
use keygate_core::answer::Denial;
use keygate_core::app_key::{KeyHash, KeyRingId, MasterSecret, NewAppKey, Prefix};
use keygate_core::grant::{Edit, Grant, Outcome};
use keygate_core::policy::{Policy, Verdict};
use keygate_core::reason::Reason;
use keygate_core::record::{Answer, Knowledge, KnownKey, NothingKnown};
use keygate_core::request::Header;
use keygate_core::secret::Secret;
use keygate_core::time::UnixMillis;
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: UnixMillis = UnixMillis(1_700_000_001_000);

fn demo() -> Value {
    json!({
        "version": 1,
        "secrets": {
            "media": [{ "id": "demo", "env": "KEYGATE_MEDIA" }],
            "app_keys": [{ "id": "01", "env": "KEYGATE_APP_KEYS" }]
        },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
        "providers": {
            "link": { "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "3h" },
            "key": { "type": "app_key", "secrets": "app_keys",
                "from": ["bearer", "basic", { "header": "x-api-key" }, { "cookie": "app_key" }] }
        },
        "rules": [
            { "name": "health", "match": { "path": "/healthz" }, "require": "nothing" },
            { "name": "media", "match": { "path": "/media/**", "methods": ["GET", "HEAD"] },
              "require": "link", "deny": "page" },
            { "name": "api", "match": { "path": "/api/**" }, "require": "key", "deny": "api" },
            { "name": "beta", "match": { "path": "/beta/**" }, "require": "key", "mode": "simulate" },
            { "name": "off", "match": { "path": "/off/**" }, "require": "key", "mode": "off" },
            { "name": "either", "match": { "path": "/either/**" }, "require": { "any": ["link", "key"] } },
            { "name": "both", "match": { "path": "/both/**" }, "require": { "all": ["link", "key"] } },
            { "name": "repo", "match": { "path": "/repo/*", "hosts": ["example.com"] },
              "require": "nothing", "allow_encoded_slash": true }
        ],
        "unmatched": "deny",
        "responses": {
            "api": { "json": { "error": { "code": "{reason}", "request": "{request_id}" } } },
            "page": { "html": "<h1>{message}</h1>" }
        }
    })
}

fn new_key() -> NewAppKey {
    let master = MasterSecret::derive(&Secret::new(SECRET.into())).unwrap();
    let mut next = 0_u8;
    let mut fill = |bytes: &mut [u8]| {
        bytes[0] = next;
        next = next.wrapping_add(7) % 248;
    };
    let kid = KeyRingId::parse("01").unwrap();
    master.generate(&Prefix::parse("kg").unwrap(), kid, &mut fill)
}

/// What the key service says of [`new_key`], with changes.
fn known(changes: Value) -> Knowledge {
    let mut record = json!({
        "hash": new_key().hash.to_string(), "id": "id", "account": "alice", "status": "active",
        "scopes": ["a", "b"], "metadata": { "n": 1 }
    });
    let members = record.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    let record = serde_json::from_value(record).unwrap();
    Knowledge::Known(Rc::new(KnownKey::try_from(&record).unwrap()))
}

fn decide(headers: &[Header], knowledge: Knowledge, client: Option<IpAddr>) -> Verdict {
    let answer = Answer {
        hash: new_key().hash,
        knowledge,
        others: &NothingKnown,
    };
    policy(&demo(), SECRET).decide(headers, &facts(&answer, client, NOW))
}

fn allowed(headers: &[Header], knowledge: Knowledge) -> Grant {
    match decide(headers, knowledge, None) {
        Verdict::Allow(grant) => grant,
        other => panic!("{other:?}"),
    }
}

fn denied(headers: &[Header], knowledge: Knowledge) -> Denial {
    match decide(headers, knowledge, None) {
        Verdict::Deny(denial) => denial,
        other => panic!("{other:?}"),
    }
}

fn bearer() -> String {
    format!("Bearer {}", new_key().text.as_str())
}

fn signed(target: &str) -> String {
    let environment = |_: &str| Some(SECRET.as_bytes().to_vec());
    let text = demo().to_string();
    let policy = Policy::parse(text.as_bytes(), &environment).unwrap();
    let keygate_core::rule::Requirement::One(link) = &policy.rules.all()[1].require else {
        panic!("the rule for media requires one provider");
    };
    match link.as_ref() {
        keygate_core::provider::Provider::SignedUrl(link) => {
            link.sign(target, "verify", 1_700_000_000, NOW).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_key_is_asked_for_by_its_hash_alone() {
    let headers = get("/api/x", &[("authorization", &bearer())]);
    let verdict = decide(&headers, Knowledge::NotAsked, None);
    assert_eq!(verdict, Verdict::Ask(new_key().hash));
}

#[test]
fn a_known_key_passes_with_its_identity_and_without_itself() {
    let key = new_key().text;
    let basic = {
        use base64::Engine as _;
        let pair = format!("alice:{}", key.as_str());
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        )
    };
    for (name, value, left) in [
        ("authorization", bearer(), None),
        ("authorization", basic, None),
        ("x-api-key", key.to_string(), None),
        (
            "cookie",
            format!("a=1; app_key={}; b=2", key.as_str()),
            Some("a=1; b=2"),
        ),
    ] {
        let headers = get("/api/x?a=1", &[(name, &value)]);
        let grant = allowed(&headers, known(json!({})));
        assert_eq!(grant.outcome, Outcome::Verified);
        let upstream = |name: &str| after(&headers, &grant.edits, name);
        assert_eq!(upstream(name).as_deref(), left, "{name}");
        assert_eq!(upstream(":path").as_deref(), Some("/api/x?a=1"));
        assert_eq!(upstream("x-keygate-account").as_deref(), Some("alice"));
        assert_eq!(upstream("x-keygate-key-id").as_deref(), Some("id"));
        assert_eq!(upstream("x-keygate-scopes").as_deref(), Some("a b"));
        assert_eq!(
            upstream("x-keygate-metadata").as_deref(),
            Some("eyJuIjoxfQ")
        );
        assert_eq!(upstream("x-keygate-result").as_deref(), Some("allow"));
        let state = |name| {
            grant
                .state
                .iter()
                .find(|(it, _)| *it == name)
                .map(|(_, it)| it.as_str())
        };
        assert_eq!(state("keygate_account"), Some("alice"));
        assert_eq!(state("keygate_key_id"), Some("id"));
        assert_eq!(state("keygate_scopes"), Some(" a b "));
        assert_eq!(state("keygate_result"), Some("allow"));
    }
}

#[test]
fn basic_needs_the_account_of_the_key_as_its_user() {
    use base64::Engine as _;
    let pair = format!("bob:{}", new_key().text.as_str());
    let basic = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    );
    let denial = denied(
        &get("/api/x", &[("authorization", &basic)]),
        known(json!({})),
    );
    assert_eq!((denial.status, denial.reason), (401, Reason::WrongAccount));
}

#[test]
fn each_way_to_be_refused_has_its_status() {
    let key = bearer();
    let forged = format!("{}x", &key[..key.len() - 1]);
    let active = || known(json!({}));
    for (value, knowledge, status, reason) in [
        (
            Some(key.as_str()),
            Knowledge::Unknown,
            401,
            Reason::UnknownKey,
        ),
        (
            Some(&key),
            known(json!({ "status": "revoked" })),
            401,
            Reason::RevokedKey,
        ),
        (
            Some(&key),
            known(json!({ "status": "disabled" })),
            401,
            Reason::DisabledKey,
        ),
        (
            Some(&key),
            known(json!({ "expires_at": NOW.0 })),
            401,
            Reason::Expired,
        ),
        (
            Some(&key),
            known(json!({ "allowed_ips": ["10.0.0.0/8"] })),
            403,
            Reason::AddressNotAllowed,
        ),
        (
            Some(&key),
            Knowledge::Unavailable(Reason::KeyServiceUnavailable),
            503,
            Reason::KeyServiceUnavailable,
        ),
        (
            Some(&key),
            Knowledge::Unavailable(Reason::Overloaded),
            503,
            Reason::Overloaded,
        ),
        (Some(&forged), active(), 401, Reason::MalformedCredential),
        (Some("Bearer"), active(), 401, Reason::MalformedCredential),
        (
            Some("Bearer eyJhbGciOiJub25lIn0.e30."),
            active(),
            401,
            Reason::MalformedCredential,
        ),
        (None, active(), 401, Reason::MissingCredential),
    ] {
        let more: Vec<_> = value
            .iter()
            .map(|value| ("authorization", *value))
            .collect();
        let denial = denied(&get("/api/x", &more), knowledge);
        assert_eq!(
            (denial.status, denial.reason),
            (status, reason),
            "{value:?}"
        );
    }
}

#[test]
fn a_stored_hash_is_no_credential() {
    let hash = new_key().hash.to_string();
    let headers = get("/api/x", &[("x-api-key", &hash)]);
    assert_eq!(
        denied(&headers, known(json!({}))).reason,
        Reason::MalformedCredential
    );
}

#[test]
fn the_address_of_a_cached_key_is_checked_on_every_request() {
    let headers = get("/api/x", &[("authorization", &bearer())]);
    let limited = || known(json!({ "allowed_ips": ["10.0.0.0/8", "2001:db8::1/128"] }));
    for (client, expected) in [
        ("10.9.9.9", true),
        ("2001:db8::1", true),
        ("11.0.0.1", false),
        ("2001:db8::2", false),
    ] {
        let verdict = decide(&headers, limited(), Some(client.parse().unwrap()));
        assert_eq!(matches!(verdict, Verdict::Allow(_)), expected, "{client}");
    }
}

#[test]
fn identity_headers_of_a_client_never_arrive() {
    let forged = [
        ("x-keygate-account", "root"),
        ("x-keygate-account", "root"),
        ("x_keygate_account", "root"),
        ("X-Keygate_Scopes", "admin"),
        ("x-keygate-anything", "1"),
    ];
    let unprotected = "x-keygat";
    for target in ["/healthz", "/beta/x", "/off/x"] {
        let mut more = forged.to_vec();
        more.push((unprotected, "mine"));
        let headers = get(target, &more);
        let grant = allowed(&headers, known(json!({})));
        for (name, _) in forged {
            let left = after(&headers, &grant.edits, name);
            assert_eq!(left, None, "{target} {name}");
        }
        assert_eq!(
            after(&headers, &grant.edits, unprotected).as_deref(),
            Some("mine")
        );
    }
}

#[test]
fn simulate_lets_pass_and_says_what_would_have_been() {
    let headers = get("/beta/x", &[("authorization", "Bearer nonsense")]);
    let grant = allowed(&headers, known(json!({})));
    assert_eq!(
        grant.outcome,
        Outcome::WouldDeny(Reason::MalformedCredential)
    );
    let upstream = |name: &str| after(&headers, &grant.edits, name);
    let result = "would-deny;reason=malformed_credential";
    assert_eq!(upstream("x-keygate-result").as_deref(), Some(result));
    // What is no key of ours may be somebody else's, and stays.
    assert_eq!(
        upstream("authorization").as_deref(),
        Some("Bearer nonsense")
    );
    // With a good key it behaves as in block mode.
    let headers = get("/beta/x", &[("authorization", &bearer())]);
    let grant = allowed(&headers, known(json!({})));
    assert_eq!(
        after(&headers, &grant.edits, "x-keygate-account").as_deref(),
        Some("alice")
    );
}

#[test]
fn simulate_also_passes_while_the_key_service_is_away() {
    let headers = get("/beta/x", &[("authorization", &bearer())]);
    let away = Knowledge::Unavailable(Reason::KeyServiceUnavailable);
    let outcome = Outcome::WouldDeny(Reason::KeyServiceUnavailable);
    assert_eq!(allowed(&headers, away).outcome, outcome);
}

#[test]
fn off_neither_looks_nor_strips() {
    let headers = get("/off/x", &[("authorization", &bearer())]);
    let grant = allowed(&headers, Knowledge::Unknown);
    assert_eq!((grant.outcome, grant.edits), (Outcome::Anonymous, vec![]));
}

#[test]
fn what_no_rule_matches_is_denied_and_allowed_only_on_request() {
    for target in ["/", "/healthz/", "/health", "/apix", "/API/x"] {
        assert_eq!(
            denied(&get(target, &[]), Knowledge::Unknown).reason,
            Reason::NoRule
        );
    }
    let mut open = demo();
    open["unmatched"] = json!("allow");
    let open = policy(&open, SECRET);
    assert_eq!(judge(&open, &get("/x", &[]), 0).as_deref(), Ok("/x"));
    assert_eq!(
        judge(&open, &get("/x/../api/y", &[]), 0),
        Err(Reason::AmbiguousPath)
    );
}

#[test]
fn a_rule_is_for_its_methods_only() {
    let mut headers = get(&signed("/media/a"), &[]);
    assert!(matches!(
        decide(&headers, Knowledge::Unknown, None),
        Verdict::Allow(_)
    ));
    headers[0].1 = b"POST".to_vec();
    assert_eq!(denied(&headers, Knowledge::Unknown).reason, Reason::NoRule);
}

#[test]
fn an_encoded_slash_passes_only_where_a_rule_says_so() {
    let grant = allowed(
        &get("/repo/group%2Fname", &[("x", "y")]),
        Knowledge::Unknown,
    );
    assert_eq!(grant.edits, vec![]);
    let denial = denied(&get("/api/group%2Fname", &[]), Knowledge::Unknown);
    assert_eq!((denial.status, denial.reason), (400, Reason::EncodedSlash));
}

#[test]
fn any_is_met_by_one_and_all_by_every_one() {
    let key = bearer();
    let link = |path: &str| signed(path);
    let with_key = [("authorization", key.as_str())];
    let active = || known(json!({}));
    assert_eq!(
        allowed(&get(&link("/either/x"), &[]), active()).outcome,
        Outcome::Verified
    );
    assert_eq!(
        allowed(&get("/either/x", &with_key), active()).outcome,
        Outcome::Verified
    );
    // A link that holds needs no question about the key beside it.
    let verdict = decide(
        &get(&link("/either/x"), &with_key),
        Knowledge::NotAsked,
        None,
    );
    assert!(matches!(verdict, Verdict::Allow(_)));
    // A key that may be good is asked about, though the link is missing.
    let verdict = decide(&get("/either/x", &with_key), Knowledge::NotAsked, None);
    assert_eq!(verdict, Verdict::Ask(new_key().hash));
    // Of two refusals, the one that saw a credential tells more.
    let denial = denied(&get("/either/x?verify=junk", &[]), active());
    assert_eq!(denial.reason, Reason::MalformedCredential);

    let headers = get(&link("/both/x"), &with_key);
    let grant = allowed(&headers, active());
    assert_eq!(
        after(&headers, &grant.edits, ":path").as_deref(),
        Some("/both/x")
    );
    assert_eq!(after(&headers, &grant.edits, "authorization"), None);
    for half in [get(&link("/both/x"), &[]), get("/both/x", &with_key)] {
        assert_eq!(denied(&half, active()).reason, Reason::MissingCredential);
    }
    // Without the link there is no use in asking about the key.
    assert!(matches!(
        decide(&get("/both/x", &with_key), Knowledge::NotAsked, None),
        Verdict::Deny(_)
    ));
}

#[test]
fn a_refusal_has_the_body_of_its_rule() {
    let api = denied(
        &get("/api/x", &[("x-request-id", "r-1")]),
        Knowledge::Unknown,
    );
    assert_eq!(
        api.body,
        r#"{"error":{"code":"missing_credential","request":"r-1"}}"#
    );
    assert_eq!(
        api.details,
        "keygate_denied{reason=missing_credential,rule=api}"
    );
    let page = denied(&get("/media/x", &[]), Knowledge::Unknown);
    assert_eq!(page.body, "<h1>This link needs a signature.</h1>");
    assert_eq!(page.status, 403);
}

#[test]
fn a_duplicate_is_final_wherever_it_stands() {
    let key = bearer();
    let twice = [("authorization", key.as_str()), ("x-api-key", "x")];
    for target in ["/api/x", "/either/x"] {
        let denial = denied(&get(target, &twice), known(json!({})));
        assert_eq!(
            (denial.status, denial.reason),
            (400, Reason::DuplicateCredential)
        );
    }
}

/// The demo with one more field in its rule for /api.
fn demo_with(field: &str, value: Value) -> Policy {
    let mut json = demo();
    json["rules"][2][field] = value;
    policy(&json, SECRET)
}

fn with_scopes(method: &str, scopes: &[&str], policy: &Policy) -> Verdict {
    let mut headers = get("/api/x", &[("authorization", &bearer())]);
    headers[0].1 = method.as_bytes().to_vec();
    let knowledge = known(json!({ "scopes": scopes }));
    let answer = Answer {
        hash: new_key().hash,
        knowledge,
        others: &NothingKnown,
    };
    policy.decide(&headers, &facts(&answer, None, NOW))
}

#[test]
fn scopes_are_needed_by_method() {
    let policy = demo_with(
        "scopes",
        json!([
            { "methods": ["GET", "HEAD"], "need": "files:read" },
            { "methods": ["DELETE"], "need": "files:write AND (admin OR files:delete)" }
        ]),
    );
    for (method, scopes, expected) in [
        ("GET", vec!["files:read"], true),
        ("HEAD", vec!["other", "files:*"], true),
        ("GET", vec!["files:write"], false),
        ("DELETE", vec!["files:write", "files:delete"], true),
        ("DELETE", vec!["files:*"], true),
        ("DELETE", vec!["files:write"], false),
        // A method that no entry names is refused, whatever the scopes.
        ("PUT", vec!["files:*", "admin"], false),
    ] {
        let verdict = with_scopes(method, &scopes, &policy);
        assert_eq!(
            matches!(verdict, Verdict::Allow(_)),
            expected,
            "{method} {scopes:?}"
        );
    }
    let Verdict::Deny(denial) = with_scopes("DELETE", &["files:write"], &policy) else {
        panic!("it lacks a scope");
    };
    assert_eq!(
        (denial.status, denial.reason),
        (403, Reason::InsufficientScope)
    );
    let challenge = denial
        .headers
        .iter()
        .find(|(name, _)| *name == "www-authenticate")
        .unwrap();
    let expected = "Bearer realm=\"keygate\", error=\"insufficient_scope\", \
                    error_description=\"The credential does not permit this.\", scope=\"files:write admin files:delete\"";
    assert_eq!(challenge.1, expected);
}

#[test]
fn a_rule_may_ask_for_a_header_or_its_value() {
    let mut json = demo();
    json["rules"][0]["match"]["headers"] =
        json!([{ "name": "X-Probe" }, { "name": "x-zone", "value": "a" }]);
    let policy = policy(&json, SECRET);
    for (headers, expected) in [
        (vec![("x-probe", ""), ("x-zone", "a")], true),
        (
            vec![("x-probe", "1"), ("x-zone", "b"), ("x-zone", "a")],
            true,
        ),
        (vec![("x-probe", "1"), ("x-zone", "A")], false),
        (vec![("x-zone", "a")], false),
        (vec![("x-probe", "1")], false),
    ] {
        let passes = judge(&policy, &get("/healthz", &headers), 0).is_ok();
        assert_eq!(passes, expected, "{headers:?}");
    }
}

#[test]
fn identity_headers_may_have_other_names() {
    let mut json = demo();
    json["identity"] = json!({ "account": "X-User", "scopes": "x-user-scopes" });
    let policy = policy(&json, SECRET);
    let more = [
        ("authorization", &*bearer()),
        ("x_user", "root"),
        ("x-keygate-account", "root"),
    ];
    let headers = get("/api/x", &more);
    let answer = Answer {
        hash: new_key().hash,
        knowledge: known(json!({})),
        others: &NothingKnown,
    };
    let Verdict::Allow(grant) = policy.decide(&headers, &facts(&answer, None, NOW)) else {
        panic!("the key is good");
    };
    let upstream = |name: &str| after(&headers, &grant.edits, name);
    assert_eq!(upstream("x-user").as_deref(), Some("alice"));
    assert_eq!(upstream("x-user-scopes").as_deref(), Some("a b"));
    assert_eq!(upstream("x-keygate-key-id").as_deref(), Some("id"));
    for spoofed in ["x_user", "x-keygate-account"] {
        assert_eq!(upstream(spoofed), None, "{spoofed}");
    }
}

#[test]
fn no_spelling_of_a_path_slips_past_the_rule_that_protects_it() {
    for open in [json!("allow"), json!("deny")] {
        let mut json = demo();
        json["rules"][2]["match"]["path"] = json!("/@api/**");
        // The same hole from a rule of its own.
        let behind = json!({ "name": "rest", "match": { "path": "/**" }, "require": "nothing" });
        json["rules"].as_array_mut().unwrap().push(behind);
        json["unmatched"] = open;
        let policy = policy(&json, SECRET);
        for target in [
            "/@api/x",
            "/%40api/x",
            "/%40%61pi/x",
            "/@api%2Fx",
            "/@api;v=1/x",
            "/@api%3Bv/x",
            "/x;y/../@api/x",
            "/@api/%252e%252e/x%25",
            "/;x/@api/y/..",
        ] {
            let verdict = judge(&policy, &get(target, &[]), 0);
            assert!(
                verdict.is_err(),
                "{target} reached the upstream as {verdict:?}"
            );
        }
        for harmless in ["/x", "/x;v=1", "/100%25", "/caf%C3%A9"] {
            assert_eq!(
                judge(&policy, &get(harmless, &[]), 0).as_deref(),
                Ok(harmless)
            );
        }
    }
}

/// A provider for each carrier, so that a request may hold several genuine keys.
fn many_carriers(require: Value, mode: &str) -> Policy {
    let mut json = demo();
    let one = |from: Value| json!({ "type": "app_key", "secrets": "app_keys", "from": [from] });
    json["providers"]["a"] = one(json!("bearer"));
    json["providers"]["b"] = one(json!({ "header": "x-api-key" }));
    json["providers"]["c"] = one(json!({ "cookie": "c" }));
    json["providers"]["d"] = one(json!({ "cookie": "d" }));
    json["rules"][2]["require"] = require;
    json["rules"][2]["mode"] = json!(mode);
    policy(&json, SECRET)
}

#[test]
fn no_genuine_key_reaches_the_upstream_in_any_carrier_group_mode_or_outage() {
    let key = new_key().text;
    let cookie = format!("c={0}; x=y; d={0}", key.as_str());
    let more = [
        ("authorization", &*bearer()),
        ("x-api-key", key.as_str()),
        ("cookie", &cookie),
    ];
    let headers = get("/api/x", &more);
    let states = [
        known(json!({})),
        known(json!({ "status": "revoked" })),
        Knowledge::Unknown,
        Knowledge::Unavailable(Reason::KeyServiceUnavailable),
    ];
    for group in ["any", "all"] {
        for mode in ["block", "simulate"] {
            for knowledge in &states {
                let policy = many_carriers(json!({ group: ["a", "b", "c", "d"] }), mode);
                let answer = Answer {
                    hash: new_key().hash,
                    knowledge: knowledge.clone(),
                    others: &NothingKnown,
                };
                let verdict = policy.decide(&headers, &facts(&answer, None, NOW));
                let Verdict::Allow(grant) = verdict else {
                    assert_eq!(mode, "block");
                    continue;
                };
                for name in ["authorization", "x-api-key", "cookie"] {
                    let left = after(&headers, &grant.edits, name).unwrap_or_default();
                    assert!(
                        !left.contains(key.as_str()),
                        "{group} {mode} {name}: {left}"
                    );
                }
                assert_eq!(
                    after(&headers, &grant.edits, "cookie").as_deref(),
                    Some("x=y")
                );
            }
        }
    }
}

#[test]
fn an_ambiguous_member_of_any_is_final_whatever_the_order() {
    let key = new_key().text;
    let more = [
        ("authorization", &*bearer()),
        ("x-api-key", key.as_str()),
        ("x-api-key", "x"),
    ];
    for order in [json!(["a", "b"]), json!(["b", "a"])] {
        let policy = many_carriers(json!({ "any": order }), "block");
        let answer = Answer {
            hash: new_key().hash,
            knowledge: known(json!({})),
            others: &NothingKnown,
        };
        let verdict = policy.decide(&get("/api/x", &more), &facts(&answer, None, NOW));
        let Verdict::Deny(denial) = verdict else {
            panic!("it is ambiguous");
        };
        assert_eq!(denial.reason, Reason::DuplicateCredential);
    }
}

#[test]
fn a_missing_credential_is_answered_with_a_challenge_if_there_is_one() {
    let denial = denied(&get("/either/x", &[]), Knowledge::Unknown);
    assert_eq!(
        (denial.status, denial.reason),
        (401, Reason::MissingCredential)
    );
}

proptest::proptest! {
    #[test]
    fn no_request_of_a_stranger_passes_or_panics(
        target: Vec<u8>,
        headers: Vec<(String, Vec<u8>)>,
        rule in "/(api|media|both|either)/[a-z%2F./?=&;]{0,12}",
        raw: bool,
    ) {
        let mut request = get("/", &[]);
        request[1].1 = if raw { target } else { rule.into_bytes() };
        request.extend(headers.into_iter().map(|(name, value)| (name.to_lowercase().into_bytes(), value)));
        let answer = Answer { hash: KeyHash([0; 32]), knowledge: Knowledge::Unknown, others: &NothingKnown };
        let verdict = policy(&demo(), SECRET).decide(&request, &facts(&answer, None, NOW));
        // Only the rules without a requirement let a stranger pass.
        if let Verdict::Allow(grant) = verdict {
            proptest::prop_assert_ne!(grant.outcome, Outcome::Verified);
            proptest::prop_assert!(!grant.edits.contains(&Edit::Remove("authorization".into())));
        }
    }
}
