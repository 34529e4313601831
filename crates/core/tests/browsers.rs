//! What a policy decides about pages and browsers: preflights, referrers, keys in a URL.

use std::rc::Rc;

use keygate_core::keys::{
    Answer, KeyRingId, Knowledge, KnownKey, MasterSecret, NewAppKey, NothingKnown, Prefix,
};
use keygate_core::{Grant, Header, Outcome, Policy, Reason, Secret, UnixMillis, Verdict};
use keygate_testkit::judge::{after, facts, get, policy, signed};
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: UnixMillis = UnixMillis(1_700_000_001_000);
const HERE: (&str, &str) = ("referer", "https://app.example.com/map");
const EVIL: (&str, &str) = ("referer", "https://evil.example/");

fn browsers() -> Policy {
    let json = json!({
        "version": 1,
        "secrets": {
            "keys": [{ "id": "01", "env": "KEYS" }], "links": [{ "id": "a", "env": "LINKS" }]
        },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
        "providers": {
            "key": { "type": "app_key", "secrets": "keys", "from": ["bearer", { "query": "key" }],
                "query_referrers": ["https://app.example.com"] },
            "link": { "type": "signed_url", "format": "cloudflare", "secrets": "links", "ttl": "3h" }
        },
        "rules": [
            { "name": "api", "match": { "path": "/api/**", "methods": ["GET", "PUT"], "hosts": ["example.com"] },
              "require": "key", "preflight": "allow" },
            { "name": "plain", "match": { "path": "/plain/**" }, "require": "key" },
            { "name": "hotlink", "match": { "path": "/img/**" }, "require": "nothing",
              "allowed_referrers": ["https://*.example.com"] },
            { "name": "watch", "match": { "path": "/watch/**" }, "require": "nothing",
              "allowed_referrers": ["https://*.example.com"], "mode": "simulate" },
            { "name": "both", "match": { "path": "/both/**" }, "require": { "all": ["link", "key"] } }
        ],
        "unmatched": "deny"
    });
    policy(&json, SECRET)
}

fn new_key() -> NewAppKey {
    let master = MasterSecret::derive(&Secret::new(SECRET.into())).unwrap();
    let kid = KeyRingId::parse("01").unwrap();
    let prefix = Prefix::parse("kg").unwrap();
    master.generate(&prefix, kid, &mut |bytes| bytes.fill(7))
}

/// Decides with a known key that may be used from these pages.
fn decide(headers: &[Header], referrers: &Value) -> Verdict {
    let record = json!({
        "hash": new_key().hash.to_string(), "id": "id", "account": "alice", "status": "active",
        "allowed_referrers": referrers, "metadata": {}
    });
    let record = serde_json::from_value(record).unwrap();
    let answer = Answer {
        hashes: &[new_key().hash],
        knowledge: Knowledge::Known(Rc::new(KnownKey::try_from(&record).unwrap())),
        others: &NothingKnown,
    };
    browsers().decide(headers, &facts(&answer, None, NOW))
}

fn grant(headers: &[Header]) -> Grant {
    match decide(headers, &json!([])) {
        Verdict::Allow(grant) => grant,
        other => panic!("{other:?}"),
    }
}

fn reason(headers: &[Header], referrers: &Value) -> Option<Reason> {
    match decide(headers, referrers) {
        Verdict::Allow(_) => None,
        Verdict::Deny(denial) => {
            let path = after(headers, &denial.edits, ":path").unwrap();
            assert!(
                !path.contains(new_key().text.as_str()),
                "{path} goes to a log"
            );
            Some(denial.reason)
        }
        Verdict::Ask(_) | Verdict::Redeem(_) | Verdict::Reply(_) => panic!("the key is known"),
    }
}

fn options(target: &str, host: &str, more: &[(&str, &str)]) -> Vec<Header> {
    let pseudo = [
        (":method", "OPTIONS"),
        (":path", target),
        (":authority", host),
    ];
    let all = pseudo.iter().chain(more);
    all.map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

const ORIGIN: (&str, &str) = ("origin", "https://other.example");
const PUT: (&str, &str) = ("access-control-request-method", "PUT");
const DELETE: (&str, &str) = ("access-control-request-method", "DELETE");

#[test]
fn a_preflight_passes_for_host_path_and_the_method_that_is_asked_for() {
    let claimed = ("x_keygate_account", "root");
    let headers = options(
        "/api/x?a=1&key=SECRET",
        "example.com",
        &[ORIGIN, PUT, claimed],
    );
    let grant = grant(&headers);
    assert_eq!(grant.outcome, Outcome::Anonymous);
    assert_eq!(after(&headers, &grant.edits, "x_keygate_account"), None);
    let path = after(&headers, &grant.edits, ":path");
    assert_eq!(path.as_deref(), Some("/api/x?a=1"), "a key in it goes");
    assert!(grant.response_edits.is_empty());
    for (target, host, more) in [
        ("/api/x", "example.com", vec![ORIGIN]),
        ("/api/x", "example.com", vec![PUT]),
        ("/api/x", "example.com", vec![ORIGIN, DELETE]),
        ("/api/x", "other.example", vec![ORIGIN, PUT]),
        ("/other/x", "example.com", vec![ORIGIN, PUT]),
        ("/api/a%2fb", "example.com", vec![ORIGIN, PUT]),
        (
            "/api/x",
            "example.com",
            vec![ORIGIN, PUT, ("x-http-method-override", "PUT")],
        ),
    ] {
        let headers = options(target, host, &more);
        assert!(
            reason(&headers, &json!([])).is_some(),
            "{target} {host} {more:?}"
        );
    }
    // A rule that says nothing of preflights judges them as any request.
    let headers = options("/plain/x", "example.com", &[ORIGIN, PUT]);
    assert_eq!(
        reason(&headers, &json!([])),
        Some(Reason::MissingCredential)
    );
}

#[test]
fn a_rule_is_for_its_pages_only() {
    let rejected = Some(Reason::ReferrerNotAllowed);
    assert_eq!(reason(&get("/img/a", &[HERE]), &json!([])), None);
    assert_eq!(reason(&get("/img/a", &[EVIL]), &json!([])), rejected);
    assert_eq!(reason(&get("/img/a", &[]), &json!([])), rejected);
    let outcome = grant(&get("/watch/a", &[EVIL])).outcome;
    assert_eq!(outcome, Outcome::WouldDeny(Reason::ReferrerNotAllowed));
}

#[test]
fn a_key_is_for_its_pages_only() {
    let bearer = format!("Bearer {}", new_key().text.as_str());
    let key = ("authorization", bearer.as_str());
    let pages = json!(["https://app.example.com/map/**"]);
    let rejected = Some(Reason::ReferrerNotAllowed);
    assert_eq!(reason(&get("/plain/x", &[key, HERE]), &pages), None);
    assert_eq!(reason(&get("/plain/x", &[key, EVIL]), &pages), rejected);
    assert_eq!(reason(&get("/plain/x", &[key]), &pages), rejected);
    assert_eq!(reason(&get("/plain/x", &[key]), &json!([])), None);
}

#[test]
fn a_key_in_the_query_is_removed_and_stays_out_of_the_answer() {
    let key = new_key().text;
    for (target, expected) in [
        ("/plain/x?key=KEY", "/plain/x"),
        ("/plain/x?key=KEY&b=", "/plain/x?b="),
        ("/plain/x?a=1&key=KEY&b=", "/plain/x?a=1&b="),
        ("/plain/x?a=1&key=KEY", "/plain/x?a=1"),
        ("/plain/x?mykey=1&key=KEY&keys", "/plain/x?mykey=1&keys"),
        ("/plain/x?a=%20+&key=KEY&&c=/?", "/plain/x?a=%20+&&c=/?"),
    ] {
        let target = target.replace("KEY", &key);
        let headers = get(&target, &[HERE]);
        let grant = grant(&headers);
        assert_eq!(
            after(&headers, &grant.edits, ":path").as_deref(),
            Some(expected)
        );
        assert_eq!(grant.outcome, Outcome::Verified);
        for (name, expected) in [
            ("referrer-policy", "no-referrer"),
            ("cache-control", "private, no-store"),
        ] {
            let set = after(&[], &grant.response_edits, name);
            assert_eq!(set.as_deref(), Some(expected));
        }
        assert_eq!(grant.response_edits.len(), 2);
    }
    let bearer = format!("Bearer {}", key.as_str());
    let headers = get("/plain/x?a=1", &[("authorization", &bearer)]);
    assert!(grant(&headers).response_edits.is_empty());
}

#[test]
fn a_key_in_the_query_is_bound_to_its_pages_and_unique() {
    let key = new_key().text;
    let target = format!("/plain/x?key={}", key.as_str());
    let bearer = format!("Bearer {}", key.as_str());
    let twice = Some(Reason::DuplicateCredential);
    for (target, more, expected) in [
        (target.clone(), vec![EVIL], Some(Reason::ReferrerNotAllowed)),
        (target.clone(), vec![], Some(Reason::ReferrerNotAllowed)),
        (format!("{target}&key=x"), vec![HERE], twice),
        (format!("{target}&%6bey=x"), vec![HERE], twice),
        (
            target.clone(),
            vec![HERE, ("authorization", bearer.as_str())],
            twice,
        ),
        (
            target.replace("key=", "%6bey="),
            vec![HERE],
            Some(Reason::MalformedCredential),
        ),
        (
            "/plain/x?key=".to_owned(),
            vec![HERE],
            Some(Reason::MissingCredential),
        ),
        (
            "/plain/x?mykey=x".to_owned(),
            vec![HERE],
            Some(Reason::MissingCredential),
        ),
    ] {
        assert_eq!(
            reason(&get(&target, &more), &json!([])),
            expected,
            "{target}"
        );
    }
}

#[test]
fn a_link_and_a_key_in_one_query_both_go() {
    let policy = browsers();
    let target = format!("/both/x?a=1&key={}", new_key().text.as_str());
    let signed = signed(&policy, 4, &target, NOW);
    let headers = get(&signed, &[HERE]);
    let grant = grant(&headers);
    assert_eq!(
        after(&headers, &grant.edits, ":path").as_deref(),
        Some("/both/x?a=1")
    );
}
