//! What a policy decides about app keys, rules and modes.

mod answers;
mod authority;
mod carriers;
mod groups;
mod hosts;
mod keys;
mod opaque;
mod outage;
mod pace;
mod rates;
mod readings;
mod rules;
mod sealed;

use std::net::IpAddr;
use std::rc::Rc;

use keygate_core::identity::Claims;
use keygate_core::keys::{
    Answer, KeyHash, KeyRingId, Knowledge, KnownKey, Lookup, MasterSecret, NewAppKey, NothingKnown,
    Prefix,
};
use keygate_core::{
    Denial, Edit, Facts, Grant, Header, Outcome, Policy, Reason, Secret, UnixMillis, Verdict,
};
use keygate_testkit::judge::{after, facts, get, judge, policy};
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
            { "name": "repo", "match": { "path": "/repo/**", "hosts": ["example.com"] },
              "require": "nothing", "allow_encoded_slash": true }
        ],
        "identity": { "filter_state": true },
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
    decide_from(&demo(), headers, knowledge, client)
}

fn decide_on(json: &Value, headers: &[Header], knowledge: Knowledge) -> Verdict {
    decide_from(json, headers, knowledge, None)
}

fn decide_from(
    json: &Value,
    headers: &[Header],
    knowledge: Knowledge,
    client: Option<IpAddr>,
) -> Verdict {
    let answer = Answer {
        hashes: &[new_key().hash],
        knowledge,
        others: &NothingKnown,
    };
    policy(json, SECRET).decide(headers, &facts(&answer, client, NOW))
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
    keygate_testkit::judge::signed(&policy(&demo(), SECRET), 1, target, NOW)
}

proptest::proptest! {
    #[test]
    fn untrusted_requests_never_pass_or_panic(
        target: Vec<u8>,
        headers: Vec<(String, Vec<u8>)>,
        rule in "/(api|media|both|either)/[a-z%2F./?=&;]{0,12}",
        raw: bool,
    ) {
        let mut request = get("/", &[]);
        request[1].1 = if raw { target.into() } else { rule.into() };
        request.extend(headers.into_iter().map(|(name, value)| (name.to_lowercase().into(), value.into())));
        let answer = Answer { hashes: &[KeyHash([0; 32])], knowledge: Knowledge::Unknown, others: &NothingKnown };
        let verdict = policy(&demo(), SECRET).decide(&request, &facts(&answer, None, NOW));
        // Only rules without a requirement let an anonymous request pass.
        if let Verdict::Allow(grant) = verdict {
            proptest::prop_assert_ne!(grant.outcome, Outcome::Verified);
            proptest::prop_assert!(!grant.edits.contains(&Edit::Remove("authorization".into())));
        }
    }
}
