//! Links that work once: what uses one up, and what does not.

use keygate_core::decision::Redemption;
use keygate_core::keys::{
    Answer, KeyRingId, Knowledge, KnownKey, MasterSecret, NewAppKey, NothingKnown, Prefix,
};
use keygate_core::signed_url::Order;
use keygate_core::{Header, Millis, Reason, Secret, UnixMillis, Verdict};
use keygate_testkit::judge::{after, facts, get, policy, signed_as};
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

fn with_rule(rule: Value) -> Value {
    let mut whole = json!({ "name": "it", "match": { "path": "/**" } });
    whole
        .as_object_mut()
        .unwrap()
        .extend(rule.as_object().unwrap().clone());
    json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "k1", "env": "SECRET" }], "keys": [{ "id": "01", "env": "SECRET" }] },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN" },
        "providers": {
            "link": { "type": "signed_url", "format": "keygate", "secrets": "ring", "max_lifetime": "1h" },
            "second": { "type": "signed_url", "format": "keygate", "secrets": "ring",
                        "max_lifetime": "1h", "from": [{ "header": "x-link" }] },
            "third": { "type": "signed_url", "format": "keygate", "secrets": "ring",
                       "max_lifetime": "1h", "from": [{ "header": "y-link" }] },
            "key": { "type": "app_key", "secrets": "keys" }
        },
        "rules": [whole],
        "unmatched": "deny"
    })
}

/// A link for `/a` that works once.
fn link() -> String {
    link_of(None)
}

fn link_of(account: Option<&'static str>) -> String {
    let policy = policy(&with_rule(json!({ "require": "link" })), SECRET);
    signed_as(&policy, 0, "/a", &|order: &mut Order<'_>| {
        order.now = NOW;
        order.account = account;
        order.expires = Some(NOW.plus(Millis::from_secs(600)));
        order.once = Some(ID);
    })
}

fn decide(rule: Value, headers: &[Header]) -> Verdict {
    policy(&with_rule(rule), SECRET).decide(headers, &facts(&NothingKnown, None, NOW))
}

fn redemption(verdict: Verdict) -> Redemption {
    match verdict {
        Verdict::Redeem(redemption) => *redemption,
        other => panic!("the key service must be told first: {other:?}"),
    }
}

#[test]
fn a_get_uses_the_link_up_and_a_head_only_asks() {
    let headers = get(&link(), &[]);
    let found = redemption(decide(json!({ "require": "link" }), &headers));
    assert!(found.link.id.ends_with(&format!(".{ID}")));
    assert!(!found.link.id.starts_with("k1."), "that is but a name");
    assert_eq!(found.link.expires, NOW.plus(Millis::from_secs(600)));
    assert!(found.uses);
    assert_eq!(
        after(&headers, &found.grant.edits, ":path").as_deref(),
        Some("/a")
    );
    assert_eq!(
        (found.used.status, found.used.reason),
        (403, Reason::LinkUsed)
    );
    assert_eq!(found.unavailable.status, 503);
    let mut head = headers;
    head[0].1 = b"HEAD".into();
    assert!(!redemption(decide(json!({ "require": "link" }), &head)).uses);
}

/// The id under which the key service keeps a link whose ring has this one secret.
fn kept_id(key_id: &str, secret: &str) -> String {
    let mut json = with_rule(json!({ "require": "link" }));
    json["secrets"]["ring"][0]["id"] = json!(key_id);
    let policy = policy(&json, secret);
    let link = signed_as(&policy, 0, "/a", &|order: &mut Order<'_>| {
        order.now = NOW;
        order.expires = Some(NOW.plus(Millis::from_secs(600)));
        order.once = Some(ID);
    });
    let verdict = policy.decide(&get(&link, &[]), &facts(&NothingKnown, None, NOW));
    redemption(verdict).link.id
}

#[test]
fn rings_with_the_same_key_id_and_link_id_share_no_use() {
    let other = "another secret of at least 16 bytes";
    assert_ne!(kept_id("k1", SECRET), kept_id("k1", other));
}

#[test]
fn a_use_stays_known_when_the_same_secret_gets_another_id() {
    assert_eq!(kept_id("k1", SECRET), kept_id("2027-01", SECRET));
    assert!(!kept_id("k1", SECRET).contains(SECRET));
}

#[test]
fn a_prefetch_is_rejected_and_uses_nothing_up() {
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "Prefetch"),
        ("x-moz", "prefetch"),
    ] {
        let verdict = decide(
            json!({ "require": "link" }),
            &get(&link(), &[(name, value)]),
        );
        let Verdict::Deny(denial) = verdict else {
            panic!("{name}: {value}");
        };
        assert_eq!((denial.status, denial.reason), (403, Reason::Prefetch));
    }
}

#[test]
fn nothing_is_used_up_for_a_request_that_is_rejected_anyway() {
    let both = json!({ "require": { "all": ["link", "key"] } });
    let Verdict::Deny(denial) = decide(both, &get(&link(), &[])) else {
        panic!("the key is missing");
    };
    assert_eq!(denial.reason, Reason::MissingCredential);
    let scopes = json!({ "require": "link", "scopes": [{ "need": "read" }] });
    let Verdict::Deny(denial) = decide(scopes, &get(&link(), &[])) else {
        panic!("a link has no scopes");
    };
    assert_eq!(denial.reason, Reason::InsufficientScope);
    let pages = json!({ "require": "link", "allowed_referrers": ["https://app.example/"] });
    let more = [("referer", "https://evil.example/")];
    assert!(matches!(
        decide(pages, &get(&link(), &more)),
        Verdict::Deny(_)
    ));
}

#[test]
fn a_simulated_rule_uses_nothing_up() {
    let rule = json!({ "require": "link", "mode": "simulate" });
    assert!(matches!(
        decide(rule, &get(&link(), &[])),
        Verdict::Allow(_)
    ));
}

#[test]
fn another_credential_does_not_use_up_the_link() {
    let master = MasterSecret::derive(&Secret::new(SECRET.into())).unwrap();
    let kid = KeyRingId::parse("01").unwrap();
    let key: NewAppKey = master.generate(&Prefix::parse("kg").unwrap(), kid, &mut |bytes| {
        bytes.fill(5)
    });
    let record = json!({ "hash": key.hash, "id": key.id, "account": "alice", "status": "active",
                         "metadata": {} });
    let known = KnownKey::try_from(&serde_json::from_value(record).unwrap()).unwrap();
    let answer = Answer {
        hashes: &[key.hash],
        knowledge: Knowledge::Known(known.into()),
        others: &NothingKnown,
    };
    let bearer = format!("Bearer {}", key.text.as_str());
    let headers = get(&link(), &[("authorization", &bearer)]);
    let decide = |require: Value| {
        let rule = json!({ "require": require });
        policy(&with_rule(rule), SECRET).decide(&headers, &facts(&answer, None, NOW))
    };
    // A link that is not used up, and may have been, says nothing of who calls.
    let of_bob = get(&link_of(Some("bob")), &[("authorization", &bearer)]);
    let rule = json!({ "require": { "any": ["link", "key"] } });
    let verdict = policy(&with_rule(rule), SECRET).decide(&of_bob, &facts(&answer, None, NOW));
    let Verdict::Allow(grant) = verdict else {
        panic!("the key alone is enough");
    };
    assert_eq!(grant.identity.unwrap().account, "alice");
    for any in [json!(["link", "key"]), json!(["key", "link"])] {
        let Verdict::Allow(grant) = decide(json!({ "any": any })) else {
            panic!("the key alone is enough");
        };
        assert_eq!(
            after(&headers, &grant.edits, ":path").as_deref(),
            Some("/a")
        );
    }
    let found = redemption(decide(json!({ "all": ["link", "key"] })));
    assert_eq!(found.grant.identity.unwrap().account, "alice");
}

#[test]
fn of_two_single_use_links_the_used_one_is_the_identity() {
    let token = |link: String| link.split_once("kg=").unwrap().1.to_owned();
    let (nobodys, bobs) = (token(link()), token(link_of(Some("bob"))));
    let headers = get("/a", &[("x-link", &nobodys), ("y-link", &bobs)]);
    let rule = json!({ "require": { "any": ["second", "third"] } });
    assert_eq!(redemption(decide(rule, &headers)).grant.identity, None);
}

#[test]
fn no_outage_lets_a_link_pass_that_works_once() {
    let master = MasterSecret::derive(&Secret::new(SECRET.into())).unwrap();
    let kid = KeyRingId::parse("01").unwrap();
    let key = master.generate(&Prefix::parse("kg").unwrap(), kid, &mut |bytes| {
        bytes.fill(5)
    });
    let away = Answer {
        hashes: &[key.hash],
        knowledge: Knowledge::Outdated(None),
        others: &NothingKnown,
    };
    let bearer = format!("Bearer {}", key.text.as_str());
    let headers = get(&link(), &[("authorization", &bearer)]);
    let both = json!({ "all": ["link", "key"] });
    for require in [
        both.clone(),
        json!({ "any": [both.clone()] }),
        json!({ "any": ["key", both] }),
        json!({ "any": ["link", "key"] }),
        json!({ "any": ["key", "link"] }),
    ] {
        let mut json = with_rule(json!({ "require": require, "outage": "allow" }));
        json["providers"]["key"]["outage"] = json!("allow");
        let verdict = policy(&json, SECRET).decide(&headers, &facts(&away, None, NOW));
        let found = redemption(verdict);
        assert_eq!(found.unavailable.status, 503);
        assert_eq!(found.grant.identity, None);
    }
}

#[test]
fn a_link_for_head_is_used_up_by_it() {
    let rule = json!({ "require": "link" });
    let policy = policy(&with_rule(rule.clone()), SECRET);
    let link = signed_as(&policy, 0, "/a", &|order: &mut Order<'_>| {
        order.now = NOW;
        order.method = "HEAD";
        order.expires = Some(NOW.plus(Millis::from_secs(600)));
        order.once = Some(ID);
    });
    let mut head = get(&link, &[]);
    head[0].1 = b"HEAD".into();
    assert!(redemption(decide(rule, &head)).uses);
}

#[test]
fn two_links_that_work_once_are_too_many() {
    let token = link().split_once("kg=").unwrap().1.to_owned();
    let headers = get("/a", &[("x-link", &token), ("y-link", &token)]);
    let rule = json!({ "require": { "all": ["second", "third"] } });
    let Verdict::Deny(denial) = decide(rule, &headers) else {
        panic!("only one could be used up");
    };
    assert_eq!(denial.reason, Reason::DuplicateCredential);
}
