//! Keys from elsewhere: which texts are asked about, and under which hashes.

use keygate_core::keys::{KeyDigest, KeyLookup, NoAnswer, OpaqueKey};

use super::*;

const IMPORTED: &str = "legacy:alice:0123456789abcdef";

/// The demo policy with these secrets in the ring of app keys, and `accept`.
fn with(ids: &[&str], accept: &Value) -> Policy {
    let mut json = demo();
    let entry = |id: &&str| json!({ "id": id, "env": format!("SECRET_{id}") });
    json["secrets"]["app_keys"] = ids.iter().map(entry).collect();
    json["providers"]["key"]["accept"] = accept.clone();
    let environment = |name: &str| Some(format!("{SECRET}{name}").into_bytes());
    Policy::parse(json.to_string().as_bytes(), &environment).unwrap()
}

/// The hashes of a key under one secret, as a digest and as a text.
fn hashes_under(id: &str, key: &str) -> [KeyHash; 2] {
    let secret = Secret::new(format!("{SECRET}SECRET_{id}").into_bytes());
    let master = MasterSecret::derive(&secret).unwrap();
    let key = OpaqueKey::parse(key.as_bytes()).unwrap();
    let digest = KeyDigest::of(&key);
    [master.hash_digest(&digest), master.hash_text(&key)]
}

fn ask(policy: &Policy, key: &str, keys: &dyn KeyLookup) -> Verdict {
    let authorization = format!("Bearer {key}");
    let headers = get("/api/x", &[("authorization", &authorization)]);
    policy.decide(&headers, &facts(keys, None, NOW))
}

fn rejection(verdict: Verdict) -> (Reason, u16) {
    match verdict {
        Verdict::Deny(denial) => (denial.reason, denial.status),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_opaque_key_is_asked_about_under_every_hash_at_once() {
    let policy = with(&["01", "02"], &json!(["opaque"]));
    let verdict = ask(&policy, IMPORTED, &NothingKnown);
    let hashes = ["01", "02"].map(|id| hashes_under(id, IMPORTED)).concat();
    let is_opaque = true;
    assert_eq!(verdict, Verdict::Ask(Lookup { hashes, is_opaque }));
}

#[test]
fn no_hash_of_an_opaque_key_is_that_of_another_text() {
    let [by_digest, by_text] = hashes_under("01", IMPORTED);
    let digest = KeyDigest::of(&OpaqueKey::parse(IMPORTED.as_bytes()).unwrap());
    let hex = "fdfd50d146914da2931c6053c7569b8211ff2883740786de35d9fd3ca9269d48";
    assert_eq!(KeyDigest::parse(hex.as_bytes()), Ok(digest));
    // The digest is not a credential for the key whose digest it is.
    let of_digest = hashes_under("01", hex);
    for hash in [by_digest, by_text] {
        assert!(!of_digest.contains(&hash));
    }
    assert_ne!(by_digest, by_text);
}

#[test]
fn one_answer_about_all_hashes_of_a_key_decides() {
    let policy = with(&["01", "02"], &json!(["opaque"]));
    let hashes = ["01", "02"].map(|id| hashes_under(id, IMPORTED)).concat();
    let on = |knowledge| {
        let answer = Answer {
            hashes: &hashes,
            knowledge,
            others: &NothingKnown,
        };
        ask(&policy, IMPORTED, &answer)
    };
    assert!(matches!(on(known(json!({}))), Verdict::Allow(_)));
    for (knowledge, rejected) in [
        (Knowledge::Unknown, (Reason::UnknownKey, 401)),
        (
            known(json!({ "status": "revoked" })),
            (Reason::RevokedKey, 401),
        ),
        (
            Knowledge::Unavailable(Reason::KeyServiceUnavailable),
            (Reason::KeyServiceUnavailable, 503),
        ),
    ] {
        assert_eq!(rejection(on(knowledge)), rejected);
    }
    let of_half = Answer {
        hashes: &hashes[..2],
        knowledge: Knowledge::Unknown,
        others: &NothingKnown,
    };
    assert!(matches!(ask(&policy, IMPORTED, &of_half), Verdict::Ask(_)));
}

#[test]
fn a_forged_key_of_our_own_form_is_not_asked_about_as_if_it_came_from_elsewhere() {
    let both = with(&["01"], &json!(["native", "opaque"]));
    let forged = new_key().text.replace("kg_01", "kg_02");
    for (key, reason) in [
        (forged.as_str(), Reason::MalformedCredential),
        (new_key().text.as_str(), Reason::ForgedKey),
        ("kg_0123456789abcdef", Reason::MalformedCredential),
    ] {
        assert_eq!(rejection(ask(&both, key, &NothingKnown)).0, reason);
    }
    assert!(matches!(ask(&both, IMPORTED, &NothingKnown), Verdict::Ask(it) if it.is_opaque));
    let native = with(&["01"], &json!(["native"]));
    let rejected = rejection(ask(&native, IMPORTED, &NothingKnown));
    assert_eq!(rejected.0, Reason::MalformedCredential);
}

#[test]
fn a_key_from_elsewhere_has_16_to_512_visible_characters() {
    let policy = with(&["01"], &json!(["opaque"]));
    for (length, is_asked) in [(15, false), (16, true), (512, true), (513, false)] {
        let verdict = ask(&policy, &"k".repeat(length), &NothingKnown);
        assert_eq!(matches!(verdict, Verdict::Ask(_)), is_asked, "{length}");
    }
    for wrong in ["0123456789 abcdef", "0123456789abcd\u{e9}f"] {
        assert_eq!(
            rejection(ask(&policy, wrong, &NothingKnown)).0,
            Reason::MalformedCredential
        );
    }
}

#[test]
fn a_client_with_too_many_unknown_keys_gets_429_with_retry_after() {
    let policy = with(&["01"], &json!(["opaque"]));
    let rejected = NoAnswer(Reason::TooManyMisses);
    let Verdict::Deny(denial) = ask(&policy, IMPORTED, &rejected) else {
        panic!("passes")
    };
    assert_eq!(denial.status, 429);
    let headers: Vec<_> = denial.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert!(headers.contains(&("retry-after", "1")), "{headers:?}");
    assert!(!headers.iter().any(|(name, _)| *name == "www-authenticate"));
    assert!(denial.body.contains("\"rate_limited\""), "{}", denial.body);
    assert!(denial.details.contains("reason=too_many_misses"));
    let authorization = format!("Bearer {IMPORTED}");
    let grpc = get(
        "/api/x",
        &[
            ("authorization", &authorization),
            ("content-type", "application/grpc"),
        ],
    );
    let Verdict::Deny(denial) = policy.decide(&grpc, &facts(&rejected, None, NOW)) else {
        panic!("passes")
    };
    assert_eq!(denial.grpc_status, Some(8));
    let beta = get("/beta/x", &[("authorization", &authorization)]);
    let Verdict::Allow(grant) = policy.decide(&beta, &facts(&rejected, None, NOW)) else {
        panic!("simulate rejects no request")
    };
    assert_eq!(grant.outcome, Outcome::WouldDeny(Reason::TooManyMisses));
}

#[test]
fn in_simulate_an_unknown_key_reaches_the_upstream() {
    let policy = with(&["01"], &json!(["opaque"]));
    let authorization = format!("Bearer {IMPORTED}");
    let headers = get("/beta/x", &[("authorization", &authorization)]);
    let removes = |knowledge| {
        let keys = Answer {
            hashes: &hashes_under("01", IMPORTED),
            knowledge,
            others: &NothingKnown,
        };
        match policy.decide(&headers, &facts(&keys, None, NOW)) {
            Verdict::Allow(grant) => grant.edits.contains(&Edit::Remove("authorization".into())),
            other => panic!("{other:?}"),
        }
    };
    assert!(!removes(Knowledge::Unknown));
    assert!(removes(known(json!({}))));
    assert!(removes(known(json!({ "status": "revoked" }))));
    assert!(removes(Knowledge::Unavailable(
        Reason::KeyServiceUnavailable
    )));
}
