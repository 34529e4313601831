//! Public-key checks that clients can ask for: what is decided without one, and how many fail.

mod budget;

use std::cell::Cell;
use std::net::IpAddr;

use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Budget, Checks, Order, PrivateKey};
use keygate_core::{Denial, Facts, Header, Policy, PublicReason, Reason, UnixMillis, Verdict};
use keygate_testkit::judge::{facts, format_of, get, order, policy, policy_with_ring};
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000;
const END: u64 = NOW + 200;

/// Every format with public keys: its provider, and the keys.
const FORMATS: [(&str, &str, &str); 7] = [
    (
        r#"{ "format": "cloudfront", "max_lifetime": "1h" }"#,
        RSA,
        RSA_PRIVATE,
    ),
    (
        r#"{ "format": "cloudfront", "max_lifetime": "1h" }"#,
        P256,
        P256_PRIVATE,
    ),
    (
        r#"{ "format": "http-signature", "algorithm": "ed25519", "max_age": "1h" }"#,
        ED25519,
        ED25519_PRIVATE,
    ),
    (
        r#"{ "format": "uri-signing", "algorithm": "ES256", "max_lifetime": "1h" }"#,
        P256,
        P256_PRIVATE,
    ),
    (
        r#"{ "format": "google-media-cdn", "max_lifetime": "1h" }"#,
        ED25519,
        ED25519_PRIVATE,
    ),
    (
        r#"{ "format": "google-media-cdn", "mode": "signatures", "max_lifetime": "1h" }"#,
        ED25519,
        ED25519_PRIVATE,
    ),
    (
        r#"{ "format": "keygate", "algorithm": "EdDSA", "max_lifetime": "1h" }"#,
        ED25519,
        ED25519_PRIVATE,
    ),
];
const RSA: &str = include_str!("keys/rsa2048.pub");
const RSA_PRIVATE: &str = include_str!("keys/rsa2048.pem");
const OTHER_RSA: &str = include_str!("keys/rsa4096.pub");
const P256: &str = include_str!("keys/p256.pub");
const P256_PRIVATE: &str = include_str!("keys/p256.pem");
const ED25519: &str = include_str!("keys/ed25519.pub");
const ED25519_PRIVATE: &str = include_str!("keys/ed25519.pem");

/// Counts what is reported to it.
#[derive(Default)]
struct Tally {
    admitted: Cell<u32>,
    failed: Cell<u32>,
    succeeded: Cell<u32>,
    is_empty: Cell<bool>,
}

impl Budget for Tally {
    fn admit(&self, _: Option<IpAddr>, _: UnixMillis) -> bool {
        self.admitted.set(self.admitted.get() + 1);
        !self.is_empty.get()
    }

    fn failed(&self, _: Option<IpAddr>, _: UnixMillis) {
        self.failed.set(self.failed.get() + 1);
    }

    fn succeeded(&self, _: Option<IpAddr>, _: UnixMillis) {
        self.succeeded.set(self.succeeded.get() + 1);
    }
}

impl Tally {
    fn counts(&self) -> [u32; 3] {
        [&self.admitted, &self.failed, &self.succeeded].map(Cell::get)
    }
}

fn ring_policy(provider: &str, id: &str, key: &str) -> Policy {
    let provider: Value = serde_json::from_str(provider).unwrap();
    policy_with_ring(&provider, &json!([{ "id": id, "public_key": key }]))
}

/// The headers of a link that the provider's own signer makes.
fn link(policy: &Policy, target: &str, private: &str) -> Vec<Header> {
    let key = PrivateKey::parse(private).unwrap();
    let order = Order {
        origin: "https://example.com",
        expires: Some(UnixMillis::from_secs(END)),
        private_key: Some(&key),
        ..order(target, UnixMillis::from_secs(NOW))
    };
    let signed = format_of(policy, 0).sign(&order).unwrap();
    let target = signed.url.strip_prefix("https://example.com").unwrap();
    let mut headers = get(target, &[]);
    for (name, value) in &signed.headers {
        headers.push((name.clone().into(), value.clone().into()));
    }
    headers
}

/// Decides within these bounds.
fn decide(
    policy: &Policy,
    headers: &[Header],
    now: u64,
    budget: &dyn Budget,
    client: &str,
) -> Result<(), Denial> {
    let failed = Cell::new(0);
    let facts = Facts {
        checks: Checks::new(&failed, budget),
        ..facts(
            &NothingKnown,
            client.parse().ok(),
            UnixMillis::from_secs(now),
        )
    };
    match policy.decide(headers, &facts) {
        Verdict::Allow(_) => Ok(()),
        Verdict::Deny(denial) => Err(denial),
        other => panic!("{other:?}"),
    }
}

fn judge(policy: &Policy, headers: &[Header], now: u64, tally: &Tally) -> Result<(), Reason> {
    decide(policy, headers, now, tally, "192.0.2.1").map_err(|it| it.reason)
}

/// The same link with another signature of the same form: the request is another one.
fn forged(headers: &[Header]) -> Vec<Header> {
    let mut headers = headers.to_vec();
    for (name, value) in &mut headers {
        if name == b":authority" {
            *value = "other.example".into();
        }
    }
    headers
}

#[test]
fn an_expired_link_costs_no_public_key_check_in_any_format() {
    for (provider, public, private) in FORMATS {
        let policy = ring_policy(provider, "k", public);
        // Another policy signs: a signer may check what it signed, and what was checked is
        // remembered.
        let link = link(&ring_policy(provider, "k", public), "/a", private);
        let tally = Tally::default();
        assert_eq!(
            judge(&policy, &link, END, &tally),
            Err(Reason::Expired),
            "{provider}"
        );
        assert_eq!(tally.counts(), [0, 0, 0], "{provider}");
        assert_eq!(judge(&policy, &link, NOW, &tally), Ok(()), "{provider}");
        assert_eq!(tally.counts(), [1, 0, 1], "{provider}");
    }
}

#[test]
fn a_link_from_too_far_ahead_costs_no_public_key_check() {
    for (provider, public, private) in FORMATS {
        let policy = ring_policy(provider, "k", public);
        let link = link(&ring_policy(provider, "k", public), "/a", private);
        let tally = Tally::default();
        let reason = judge(&policy, &link, NOW - 8 * 3600, &tally).unwrap_err();
        let is_known = [Reason::LifetimeTooLong, Reason::NotYetValid].contains(&reason);
        assert!(is_known, "{provider} {reason:?}");
        assert_eq!(
            reason.public(),
            Reason::WrongSignature.public(),
            "{provider}"
        );
        assert_eq!(tally.counts(), [0, 0, 0], "{provider}");
    }
}

#[test]
fn an_unknown_key_id_costs_no_public_key_check() {
    for (provider, public, private) in FORMATS {
        let link = link(&ring_policy(provider, "k", public), "/a", private);
        let policy = ring_policy(provider, "another", public);
        let tally = Tally::default();
        let judged = judge(&policy, &link, NOW, &tally);
        let names_none = provider.contains("media") && !provider.contains("mode");
        if names_none {
            assert_eq!(judged, Ok(()), "a token of Media CDN names no key");
        } else {
            assert_eq!(judged, Err(Reason::WrongSignature), "{provider}");
            assert_eq!(tally.counts(), [0, 0, 0], "{provider}");
        }
    }
}

#[test]
fn checks_without_a_signature_come_before_decoding() {
    let [(provider, public, _), ..] = FORMATS;
    let policy = ring_policy(provider, "k", public);
    for (expires, key, reason) in [
        (NOW - 1, "k", Reason::Expired),
        (NOW + 7200, "k", Reason::LifetimeTooLong),
        (END, "another", Reason::WrongSignature),
        (END, "k", Reason::MalformedCredential),
    ] {
        let target = format!("/a?Expires={expires}&Signature=++++&Key-Pair-Id={key}");
        let judged = judge(&policy, &get(&target, &[]), NOW, &Tally::default());
        assert_eq!(judged, Err(reason), "{target}");
    }
}

#[test]
fn a_forged_link_costs_one_check_and_a_repeated_link_none() {
    for (provider, public, private) in FORMATS {
        let policy = ring_policy(provider, "k", public);
        let link = link(&ring_policy(provider, "k", public), "/a", private);
        let tally = Tally::default();
        for _ in 0..3 {
            assert_eq!(judge(&policy, &link, NOW, &tally), Ok(()), "{provider}");
        }
        assert_eq!(tally.counts(), [1, 0, 1], "{provider}");
        // Only these sign the host.
        if ["cloudfront", "http", "signatures", "keygate"]
            .iter()
            .any(|it| provider.contains(it))
        {
            let tally = Tally::default();
            let rejected = judge(&policy, &forged(&link), NOW, &tally);
            assert_eq!(rejected, Err(Reason::WrongSignature), "{provider}");
            assert_eq!(tally.counts(), [1, 1, 0], "{provider}");
        }
    }
}

#[test]
fn a_signature_of_impossible_length_costs_no_public_key_check() {
    let policy = ring_policy(FORMATS[0].0, "k", RSA);
    let tally = Tally::default();
    for signature in ["AAAA", &"AAAA".repeat(100)] {
        let target = format!("/a?Expires={END}&Signature={signature}&Key-Pair-Id=k");
        let rejected = judge(&policy, &get(&target, &[]), NOW, &tally);
        assert_eq!(rejected, Err(Reason::WrongSignature), "{signature}");
    }
    assert_eq!(tally.counts(), [0, 0, 0]);
}

#[test]
fn a_ring_of_several_public_keys_needs_a_key_id() {
    let seed = |byte: u8| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode([byte; 32]);
        PrivateKey::parse(&text).unwrap().public_key()
    };
    let mut ring = vec![json!({ "id": "k", "public_key": ED25519 })];
    ring.extend((1..8).map(|it| json!({ "id": format!("o{it}"), "public_key": seed(it) })));
    let provider: Value = serde_json::from_str(FORMATS[2].0).unwrap();
    let several = policy_with_ring(&provider, &json!(ring));
    let link = link(&several, "/a", ED25519_PRIVATE);
    let tally = Tally::default();
    assert_eq!(judge(&several, &link, NOW, &tally), Ok(()));
    let anonymous: Vec<Header> = link
        .iter()
        .map(|(name, value)| {
            let text = String::from_utf8(value.to_vec()).unwrap();
            (name.clone(), text.replace(";keyid=\"k\"", "").into())
        })
        .collect();
    assert_ne!(anonymous, link);
    let tally = Tally::default();
    let rejected = judge(&several, &anonymous, NOW, &tally);
    assert_eq!(rejected, Err(Reason::MalformedCredential));
    assert_eq!(tally.counts(), [0, 0, 0]);
}

/// A policy that requires these providers of CloudFront, all with a key "k".
fn group(word: &str, keys: &[&str]) -> Policy {
    let (mut secrets, mut providers, mut names) = (json!({}), json!({}), Vec::new());
    for (at, key) in keys.iter().enumerate() {
        let name = format!("p{at}");
        secrets[&name] = json!([{ "id": "k", "public_key": key }]);
        providers[&name] = json!({
            "type": "signed_url", "format": "cloudfront", "secrets": name, "max_lifetime": "1h"
        });
        names.push(name);
    }
    let json = json!({
        "version": 1, "secrets": secrets, "providers": providers, "unmatched": "deny",
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": { word: names } }]
    });
    policy(&json, "")
}

#[test]
fn at_most_two_public_key_checks_of_a_request_fail() {
    let link = link(&ring_policy(FORMATS[1].0, "k", P256), "/a", P256_PRIVATE);
    let policy = group("any", &[P256, P256, P256, P256]);
    // Four rings with the same key are one claim; other paths are spelled in two ways.
    let spelled: Vec<Header> = link
        .iter()
        .map(|(name, value)| {
            let text = String::from_utf8(value.to_vec()).unwrap();
            (name.clone(), text.replacen("/a?", "/b%c3%a9?", 1).into())
        })
        .collect();
    let tally = Tally::default();
    let rejected = judge(&policy, &spelled, NOW, &tally);
    assert_eq!(rejected, Err(Reason::WrongSignature));
    assert_eq!(tally.counts(), [2, 2, 0]);
}

#[test]
fn a_link_in_a_second_spelling_counts_no_failure_and_is_free_from_then_on() {
    let policy = ring_policy(FORMATS[0].0, "k", RSA);
    let link = link(&policy, "/a%C3%A9", RSA_PRIVATE);
    let spelled: Vec<Header> = link
        .iter()
        .map(|(name, value)| {
            let text = String::from_utf8(value.to_vec()).unwrap();
            (
                name.clone(),
                text.replacen("/a%C3%A9?", "/a%c3%a9?", 1).into(),
            )
        })
        .collect();
    let tally = Tally::default();
    assert_eq!(judge(&policy, &spelled, NOW, &tally), Ok(()));
    assert_eq!(tally.counts(), [2, 0, 2]);
    tally.is_empty.set(true);
    assert_eq!(judge(&policy, &spelled, NOW, &tally), Ok(()));
    assert_eq!(judge(&policy, &link, NOW, &tally), Ok(()));
    assert_eq!(tally.counts(), [2, 0, 2]);
}
