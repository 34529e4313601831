//! Where a token stands, and which ring signs it.

use super::*;

#[test]
fn a_header_carries_the_token_and_is_stripped() {
    let provider = provider_with(json!({ "header": "X-Link", "parameter": "verify" }));
    let policy = policy_of(&provider, SECRET);
    let token = CAT.split_once("verify=").unwrap().1;
    let one = get("/images/cat.jpg", &[("x-link", token)]);
    assert_eq!(
        judge(&policy, &one, CAT_AT).as_deref(),
        Ok("/images/cat.jpg")
    );
    let twice = get("/images/cat.jpg", &[("x-link", token), ("x-link", token)]);
    assert_eq!(
        judge(&policy, &twice, CAT_AT),
        Err(Reason::DuplicateCredential)
    );
    let both = get(CAT, &[("x-link", token)]);
    assert_eq!(
        judge(&policy, &both, CAT_AT),
        Err(Reason::DuplicateCredential)
    );
    let bytes = get("/images/cat.jpg", &[("x-link", "1484063787-\u{e9}")]);
    assert_eq!(
        judge(&policy, &bytes, CAT_AT),
        Err(Reason::MalformedCredential)
    );
}

#[test]
fn both_halves_of_a_split_token_are_needed() {
    let names = json!({ "headers": { "timestamp": "timestamp", "mac": "mac" } });
    let policy = policy_of(&provider_with(names), "mysecretkey");
    let mac = "wCgNUemEpw86FNNQPht0yAnQjRkAdDKAELXkLDz9VxQ%3D";
    for (headers, expected) in [
        (vec![("timestamp", "1700000000"), ("mac", mac)], Ok(())),
        (
            vec![("timestamp", "1700000000")],
            Err(Reason::MalformedCredential),
        ),
        (vec![("mac", mac)], Err(Reason::MalformedCredential)),
        (vec![], Err(Reason::MissingCredential)),
        (
            vec![("timestamp", "1700000000"), ("mac", mac), ("mac", mac)],
            Err(Reason::DuplicateCredential),
        ),
    ] {
        let verdict = judge(&policy, &get("/api/v1/orders", &headers), 1_700_000_001).map(drop);
        assert_eq!(verdict, expected, "{headers:?}");
    }
}

#[test]
fn every_secret_of_the_ring_verifies_in_its_time() {
    let json = |not_after: &str| {
        json!({
            "version": 1,
            "secrets": { "ring": [
                { "id": "new", "env": "NEW" },
                { "id": "old", "env": "OLD", "not_after": not_after }
            ] },
            "providers": { "it": provider() },
            "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
            "unmatched": "deny"
        })
    };
    let environment = |name: &str| Some(if name == "OLD" { SECRET } else { "other" }.into());
    let judged = |not_after| {
        let text = json(not_after).to_string();
        let policy = keygate_core::Policy::parse(text.as_bytes(), &environment).unwrap();
        judge(&policy, &get(CAT, &[]), CAT_AT).map(drop)
    };
    assert_eq!(judged("2017-01-10T15:56:29Z"), Ok(()));
    assert_eq!(judged("2017-01-10T15:56:28Z"), Err(Reason::WrongSignature));
}

#[test]
fn a_ring_serves_only_one_meaning_of_stamp() {
    let end = CAT_AT;
    let mac = {
        use base64::Engine as _;
        use hmac::Mac as _;
        let mut mac = keygate_core::secret::mac(SECRET.as_bytes());
        mac.update(format!("/a{end}").as_bytes());
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    };
    let ends = json!({ "type": "signed_url", "format": "cloudflare", "secrets": "ring",
        "base64": "url", "stamp": "expires", "max_lifetime": "1h" });
    let begins = provider_with(json!({ "base64": "url" }));
    let policy = |second: &str| {
        let mut begins = begins.clone();
        begins["secrets"] = json!(second);
        let text = json!({
            "version": 1,
            "secrets": {
                "ring": [{ "id": "1", "env": "SECRET" }],
                "other": [{ "id": "1", "env": "OTHER" }]
            },
            "providers": { "ends": ends, "begins": begins },
            "rules": [{ "name": "all", "match": { "path": "/**" },
                "require": { "any": ["ends", "begins"] } }],
            "unmatched": "deny"
        });
        let environment = |name: &str| match name {
            "SECRET" => Some(SECRET.into()),
            _ => Some(b"another".to_vec()),
        };
        keygate_core::Policy::parse(text.to_string().as_bytes(), &environment)
    };
    let target = format!("/a?verify={end}-{mac}");
    // With one ring the link would become valid again at its end.
    let problems = policy("ring").err().unwrap();
    assert!(problems[0].to_string().contains("another stamp"));
    let policy = policy("other").unwrap();
    assert!(judge(&policy, &get(&target, &[]), end - 1).is_ok());
    assert!(judge(&policy, &get(&target, &[]), end).is_err());
}
