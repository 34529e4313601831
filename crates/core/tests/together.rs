//! What happens where two features meet: each case was a hole once.

use std::rc::Rc;

use keygate_core::identity::Claims;
use keygate_core::keys::{
    Answer, KeyRingId, Knowledge, KnownKey, MasterSecret, NewAppKey, NothingKnown, Prefix,
};
use keygate_core::signed_url::Checks;
use keygate_core::{Facts, Header, Reason, Secret, UnixMillis, Verdict};
use keygate_testkit::judge::{after, facts, get, policy, signed};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: UnixMillis = UnixMillis(1_700_000_001_000);

/// A session of bob with the scope `a`, or none.
struct Session(bool);

impl Claims for Session {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        match path.last() {
            Some(&"sub") if self.0 => Some(b"bob".to_vec()),
            Some(&"scope") if self.0 => Some(b"a".to_vec()),
            _ => None,
        }
    }
}

fn policy_with(rules: Value) -> keygate_core::Policy {
    let json = json!({
        "version": 1, "secrets": { "ring": [{ "id": "01", "env": "SECRET" }] },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
        "providers": {
            "key": { "type": "app_key", "secrets": "ring", "from": ["bearer", { "query": "key" }],
                     "query_referrers": ["https://app.example.com"] },
            "session": { "type": "jwt", "scopes_claim": "scope" },
            "link": { "type": "signed_url", "format": "cloudflare", "secrets": "ring", "ttl": "3h" }
        },
        "rules": rules, "unmatched": "deny"
    });
    policy(&json, SECRET)
}

/// A rule for everything, with more fields.
fn everything(more: Value) -> Value {
    let mut rule = json!({ "name": "all", "match": { "path": "/**" } });
    rule.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!([rule])
}

fn new_key() -> NewAppKey {
    let master = MasterSecret::derive(&Secret::new(SECRET.into())).unwrap();
    let (kid, prefix) = (
        KeyRingId::parse("01").unwrap(),
        Prefix::parse("kg").unwrap(),
    );
    master.generate(&prefix, kid, &mut |bytes| bytes.fill(5))
}

/// Decides with alice's key known, without scopes.
fn decide(rules: Value, headers: &[Header], has_session: bool) -> Verdict {
    let record = json!({ "hash": new_key().hash, "id": "id", "account": "alice",
        "status": "active", "metadata": {} });
    let record = serde_json::from_value(record).unwrap();
    let answer = Answer {
        hashes: &[new_key().hash],
        knowledge: Knowledge::Known(Rc::new(KnownKey::try_from(&record).unwrap())),
        others: &NothingKnown,
    };
    let facts = Facts {
        checks: Checks::default(),
        claims: &Session(has_session),
        ..facts(&answer, Some([10, 0, 0, 1].into()), NOW)
    };
    policy_with(rules).decide(headers, &facts)
}

fn reason(verdict: Verdict) -> Option<Reason> {
    match verdict {
        Verdict::Deny(denial) => Some(denial.reason),
        Verdict::Allow(_) | Verdict::Ask(_) | Verdict::Redeem(_) | Verdict::Reply(_) => None,
    }
}

#[test]
fn parameters_alone_in_a_segment_hide_no_path_from_its_rule() {
    for path in [
        "/;x/admin/a",
        "/%3b/admin/a",
        "/pub/;/admin",
        "/admin;/a",
        "/;/;/admin/a",
    ] {
        let rules = json!([
            { "name": "admin", "match": { "path": "/admin/**" }, "require": "key" },
            { "name": "pub", "match": { "path": "/pub/admin" }, "require": "key" },
            { "name": "rest", "match": { "path": "/**" }, "require": "nothing" }
        ]);
        let rejected = reason(decide(rules, &get(path, &[]), false));
        assert_eq!(rejected, Some(Reason::AmbiguousPath), "{path}");
    }
}

#[test]
fn a_genuine_key_in_the_query_never_reaches_the_upstream_nor_a_login_nor_a_log() {
    let key = new_key().text;
    let target = format!("/a?key={}&x=1", key.as_str());
    for require in [
        json!({ "any": ["session", "key"] }),
        json!({ "any": ["key", "session"] }),
    ] {
        let headers = get(&target, &[]);
        let rules = everything(json!({ "require": require }));
        let Verdict::Allow(grant) = decide(rules, &headers, true) else {
            panic!("the session is good");
        };
        assert_eq!(
            after(&headers, &grant.edits, ":path").as_deref(),
            Some("/a?x=1")
        );
    }
    let more = [
        ("accept", "text/html"),
        ("referer", "https://app.example.com/"),
    ];
    let headers = get(&target, &more);
    for challenge in [
        json!({ "redirect": "https://login.example/?r={url}" }),
        json!({ "secrets": "ring" }),
    ] {
        let rules = everything(json!({ "require": { "all": ["session", "key"] },
            "mode": "challenge", "challenge": challenge }));
        let Verdict::Deny(denial) = decide(rules, &headers, false) else {
            panic!("there is no session");
        };
        let told = format!("{:?} {}", denial.headers, denial.body);
        assert!(!told.contains(key.as_str()), "{told}");
        assert_eq!(
            after(&headers, &denial.edits, ":path").as_deref(),
            Some("/a?x=1")
        );
    }
}

#[test]
fn a_clearance_does_not_replace_scopes() {
    let rules = everything(json!({ "require": "key", "mode": "challenge",
        "challenge": { "secrets": "ring", "difficulty": 8 },
        "scopes": [{ "methods": ["GET"], "need": "admin" }] }));
    let Verdict::Deny(page) = decide(rules.clone(), &get("/a", &[("accept", "text/html")]), false)
    else {
        panic!("there is no key");
    };
    let token = page
        .body
        .split("data-token=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let mut tries = (0_u64..).map(|number| format!("{token}:{number}"));
    let solution = tries.find(|it| Sha256::digest(it)[0] == 0).unwrap();
    let solved = get("/a", &[("x-keygate-solution", &solution)]);
    let Verdict::Reply(reply) = decide(rules.clone(), &solved, false) else {
        panic!("the work was done");
    };
    let cookie = reply
        .headers
        .iter()
        .find(|(name, _)| name == "set-cookie")
        .unwrap();
    let cookie = cookie.1.split(';').next().unwrap();
    let cleared = get("/a", &[("cookie", cookie)]);
    assert_eq!(
        reason(decide(rules, &cleared, false)),
        Some(Reason::InsufficientScope)
    );
}

#[test]
fn any_keeps_an_identity_whatever_the_order() {
    let policy = policy_with(everything(json!({ "require": "link" })));
    let target = signed(&policy, 0, "/a", NOW);
    for any in [json!(["link", "session"]), json!(["session", "link"])] {
        let rules = everything(json!({ "require": { "any": any }, "scopes": [{ "need": "a" }] }));
        let Verdict::Allow(grant) = decide(rules, &get(&target, &[]), true) else {
            panic!("both are good: {any}");
        };
        assert_eq!(grant.identity.unwrap().account, "bob");
    }
}

#[test]
fn a_method_override_in_any_spelling_makes_no_preflight() {
    for name in [
        "x-http-method-override",
        "x_http_method_override",
        "X-Method_Override",
    ] {
        let more = [
            ("origin", "https://x"),
            ("access-control-request-method", "PUT"),
            (name, "DELETE"),
        ];
        let mut headers = get("/a", &more);
        headers[0].1 = b"OPTIONS".into();
        let rules = everything(json!({ "require": "key", "preflight": "allow" }));
        assert_eq!(
            reason(decide(rules, &headers, false)),
            Some(Reason::MissingCredential),
            "{name}"
        );
    }
}

#[test]
fn a_preflight_takes_no_genuine_key_to_the_upstream() {
    let bearer = format!("Bearer {}", new_key().text.as_str());
    let more = [
        ("origin", "https://x"),
        ("access-control-request-method", "PUT"),
        ("authorization", bearer.as_str()),
    ];
    let mut headers = get("/a", &more);
    headers[0].1 = b"OPTIONS".into();
    let rules = everything(json!({ "require": "key", "preflight": "allow" }));
    let Verdict::Allow(grant) = decide(rules, &headers, false) else {
        panic!("a true preflight passes");
    };
    assert_eq!(after(&headers, &grant.edits, "authorization"), None);
    assert_eq!(grant.identity, None);
}
