//! No challenge gives a scope: it shows that a client did the work, not what it may do.

use std::rc::Rc;

use keygate_core::keys::{
    Answer, KeyRingId, Knowledge, KnownKey, MasterSecret, NothingKnown, Prefix,
};
use keygate_core::{Outcome, Policy, Reason, Secret, UnixMillis, Verdict};
use serde_json::{Value, json};

use crate::challenge::visit::{CLIENT, NOW, SECRET, Visit, demo};
use keygate_testkit::judge::{facts, policy};

/// The demo, where the last rule asks for a key with these scopes.
fn asking_for(scopes: &Value) -> Policy {
    let mut written = demo();
    written["secrets"]["keys"] = json!([{ "id": "01", "env": "KEYS" }]);
    written["key_service"] = json!({ "cluster": "k", "authority": "k", "token_env": "TOKEN" });
    written["providers"]["key"] =
        json!({ "type": "app_key", "secrets": "keys", "from": ["bearer"] });
    written["rules"][2]["require"] = json!("key");
    written["rules"][2]["scopes"] = scopes.clone();
    policy(&written, SECRET)
}

fn admins() -> Value {
    json!([{ "need": "admin" }])
}

#[test]
fn a_passed_challenge_gives_no_scope() {
    let cleared = Visit::new("/x").cleared_by(&Visit::new("/x").clearance());
    match cleared.verdict_of(&asking_for(&json!([]))) {
        Verdict::Allow(grant) => assert_eq!(grant.outcome, Outcome::Cleared),
        other => panic!("{other:?}"),
    }
    match cleared.verdict_of(&asking_for(&admins())) {
        Verdict::Deny(denial) => assert_eq!(denial.reason, Reason::InsufficientScope),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_passed_challenge_opens_no_sealed_data() {
    let mut written = demo();
    written["secrets"]["keys"] = json!([{ "id": "01", "env": "KEYS" }]);
    written["key_service"] = json!({ "cluster": "k", "authority": "k", "token_env": "TOKEN" });
    written["providers"]["key"] =
        json!({ "type": "app_key", "secrets": "keys", "from": ["bearer"] });
    written["rules"][2]["require"] = json!("key");
    let cleared = Visit::new("/x").cleared_by(&Visit::new("/x").clearance());
    for is_optional in [false, true] {
        written["rules"][2]["sealed"] =
            json!({ "headers": ["authorization"], "optional": is_optional });
        match (cleared.verdict_of(&policy(&written, SECRET)), is_optional) {
            (Verdict::Allow(grant), true) => assert_eq!(grant.outcome, Outcome::Cleared),
            (Verdict::Deny(denial), false) => assert_eq!(denial.reason, Reason::NothingSealed),
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_key_without_the_scope_gets_no_challenge() {
    let master = MasterSecret::derive(&Secret::new(SECRET.into())).unwrap();
    let (prefix, kid) = (
        Prefix::parse("kg").unwrap(),
        KeyRingId::parse("01").unwrap(),
    );
    let key = master.generate(&prefix, kid, &mut |bytes| bytes.fill(7));
    let record = json!({ "hash": key.hash.to_string(), "id": "id", "account": "alice",
        "status": "active", "scopes": ["reader"], "metadata": {} });
    let record = serde_json::from_value(record).unwrap();
    let keys = Answer {
        hashes: &[key.hash],
        knowledge: Knowledge::Known(Rc::new(KnownKey::try_from(&record).unwrap())),
        others: &NothingKnown,
    };
    let bearer = format!("Bearer {}", key.text.as_str());
    let visit = Visit::new("/x").with("authorization", &bearer);
    let facts = facts(
        &keys,
        Some(CLIENT.parse().unwrap()),
        UnixMillis::from_secs(NOW),
    );
    match asking_for(&admins()).decide(&visit.request(), &facts) {
        Verdict::Deny(denial) => {
            assert_eq!(denial.reason, Reason::InsufficientScope);
            assert!(!denial.body.contains("data-token"), "{}", denial.body);
        }
        other => panic!("{other:?}"),
    }
}
