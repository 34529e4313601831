//! Tokens of RFC 9246: every carrier, every claim, and every way to be wrong.

mod tools;

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Format, Order, PrivateKey, Scope};
use keygate_core::{Header, Policy, Provider, Reason, UnixMillis, Verdict};
use keygate_testkit::judge::{facts, get, policy};
use serde_json::{Value, json};
use sha2::Sha256;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: u64 = 1_700_000_000;
const END: u64 = NOW + 3600;

fn document(more: &Value) -> Value {
    let mut provider = json!({
        "type": "signed_url", "format": "uri-signing", "secrets": "ring",
        "algorithm": "HS256", "max_lifetime": "7d"
    });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    json!({
        "version": 1,
        "secrets": {
            "ring": [
                { "id": "new", "env": "SECRET" },
                { "id": "old", "env": "OLD" }
            ],
            "p256": [{ "id": "e", "public_key": include_str!("keys/p256.pub") }],
            "ed25519": [{ "id": "d", "public_key": include_str!("keys/ed25519.pub") }]
        },
        "providers": { "it": provider },
        "rules": [
            { "name": "open", "match": { "path": "/open/**" }, "require": "nothing" },
            { "name": "all", "match": { "path": "/**" }, "require": "it" }
        ],
        "unmatched": "deny"
    })
}

fn ours(more: &Value) -> Policy {
    policy(&document(more), SECRET)
}

fn judge_headers(
    policy: &Policy,
    headers: &[Header],
    now: u64,
    client: &str,
) -> Result<Vec<String>, Reason> {
    let client: Option<IpAddr> = client.parse().ok();
    match policy.decide(
        headers,
        &facts(&NothingKnown, client, UnixMillis::from_secs(now)),
    ) {
        Verdict::Allow(grant) => Ok([":path", "cookie", "x-keygate-account"]
            .iter()
            .map(|name| {
                keygate_testkit::judge::after(headers, &grant.edits, name).unwrap_or_default()
            })
            .collect()),
        Verdict::Deny(denial) => Err(denial.reason),
        other => panic!("{other:?}"),
    }
}

fn judge(policy: &Policy, target: &str) -> Result<String, Reason> {
    judge_headers(policy, &get(target, &[]), NOW, "192.0.2.1").map(|all| all[0].clone())
}

fn token_of(header: &Value, claims: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(&header.to_string()), encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

fn token(claims: &Value) -> String {
    token_of(
        &json!({ "alg": "HS256", "typ": "JWT" }),
        &claims.to_string(),
    )
}

fn claims(more: &Value) -> Value {
    let mut claims = json!({ "exp": END, "cdniuc": "regex:https://example\\.com/v/[^/?]*" });
    let members = claims.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    claims
}

fn link(claims: &Value) -> String {
    format!("/v/a.ts?URISigningPackage={}", token(claims))
}

fn format(policy: &Policy) -> &dyn Format {
    let Provider::SignedUrl(links) = policy.rules.all()[1].require.providers()[0] else {
        panic!("a signed URL");
    };
    links.format.as_ref()
}

fn order<'a>(target: &'a str, key: Option<&'a PrivateKey>) -> Order<'a> {
    Order {
        origin: "https://example.com",
        expires: Some(UnixMillis::from_secs(END)),
        private_key: key,
        ..keygate_testkit::judge::order(target, UnixMillis::from_secs(NOW))
    }
}

#[test]
fn a_token_covers_what_its_expression_matches_until_it_expires() {
    let policy = ours(&json!({}));
    let link = link(&claims(&json!({})));
    assert_eq!(judge(&policy, &link).as_deref(), Ok("/v/a.ts"));
    let at = |now| judge_headers(&policy, &get(&link, &[]), now, "").map(|_| ());
    assert_eq!(at(END - 1), Ok(()));
    assert_eq!(at(END), Err(Reason::Expired));
    assert_eq!(at(END - 8 * 86400), Err(Reason::LifetimeTooLong));
    let other = |from: &str, to: &str| judge(&policy, &link.replacen(from, to, 1));
    assert_eq!(other("/v/a", "/v/b").as_deref(), Ok("/v/b.ts"));
    assert_eq!(other("/v/a", "/v/b/a"), Err(Reason::WrongSignature));
    assert_eq!(other("/v/a", "/w/a"), Err(Reason::WrongSignature));
    assert_eq!(other("?", "?x=1&"), Err(Reason::WrongSignature));
    let mut headers = get(&link, &[]);
    headers[2].1 = b"example.org".into();
    let rejected = judge_headers(&policy, &headers, NOW, "");
    assert_eq!(rejected, Err(Reason::WrongSignature));
    headers[2].1 = b"EXAMPLE.com:443".into();
    assert!(judge_headers(&policy, &headers, NOW, "").is_ok());
}

#[test]
fn only_the_token_is_removed_from_each_carrier() {
    let from = json!(["query", "cookie", "path", "path_parameter"]);
    let policy = ours(&json!({ "from": from }));
    let claims = claims(&json!({ "cdniuc": "regex:https://example\\.com/v/a\\.ts(\\?.*)?" }));
    let token = token(&claims);
    for (target, rest) in [
        (format!("/v/a.ts?URISigningPackage={token}"), "/v/a.ts"),
        (
            format!("/v/a.ts?b=%20&URISigningPackage={token}"),
            "/v/a.ts?b=%20",
        ),
        (
            format!("/v/a.ts?URISigningPackage={token}&b="),
            "/v/a.ts?b=",
        ),
        (format!("/v/a.ts;URISigningPackage={token}"), "/v/a.ts"),
        (
            format!("/v/a.ts;URISigningPackage={token}?b=1"),
            "/v/a.ts?b=1",
        ),
        (format!("/URISigningPackage={token}/v/a.ts"), "/v/a.ts"),
        (format!("/v/URISigningPackage={token}/a.ts?b"), "/v/a.ts?b"),
    ] {
        assert_eq!(judge(&policy, &target).as_deref(), Ok(rest), "{target}");
    }
    let cookie = format!("a=b; URISigningPackage={token}; c=d");
    let headers = get("/v/a.ts", &[("cookie", &cookie)]);
    let after = judge_headers(&policy, &headers, NOW, "").unwrap();
    assert_eq!(after[..2], ["/v/a.ts", "a=b; c=d"]);
    // Two at once, in whatever two places.
    for target in [
        format!("/v/a.ts;URISigningPackage={token}?URISigningPackage={token}"),
        format!("/URISigningPackage={token}/v/a.ts;URISigningPackage={token}"),
        format!("/v/a.ts?URISigningPackage={token}&URISigningPackage={token}"),
    ] {
        assert_eq!(judge(&policy, &target), Err(Reason::DuplicateCredential));
    }
    let both = get(
        &format!("/v/a.ts;URISigningPackage={token}"),
        &[("cookie", &cookie)],
    );
    let rejected = judge_headers(&policy, &both, NOW, "");
    assert_eq!(rejected, Err(Reason::DuplicateCredential));
    // Only what is configured.
    let query = ours(&json!({}));
    let rejected = judge_headers(&query, &headers, NOW, "");
    assert_eq!(rejected, Err(Reason::MissingCredential));
}

#[test]
fn a_parameter_of_a_segment_hides_no_rule() {
    let policy = ours(&json!({ "from": ["path_parameter"] }));
    let any = claims(&json!({ "cdniuc": "regex:.*" }));
    let token = token(&any);
    // What the rules see is what the upstream gets: /v/open/x, not /open/x.
    let target = format!("/v;URISigningPackage={token}/open/x");
    assert_eq!(judge(&policy, &target).as_deref(), Ok("/v/open/x"));
    // In front of an open rule it goes, too.
    let target = format!("/open;URISigningPackage={token}/x");
    assert_eq!(judge(&policy, &target).as_deref(), Ok("/open/x"));
    for target in [
        format!("/v/%3BURISigningPackage={token}"),
        format!("/v/a%3bURISigningPackage={token}"),
        format!("/v/a;%55RISigningPackage={token}"),
    ] {
        assert!(judge(&policy, &target).is_err(), "{target}");
    }
}

#[test]
fn the_algorithm_is_the_configurations() {
    let policy = ours(&json!({}));
    let text = claims(&json!({})).to_string();
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "HS384" }),
        json!({ "alg": "ES256" }),
        json!({ "alg": "HS256", "jku": "https://x" }),
        json!({ "alg": "HS256", "crit": ["exp"] }),
        json!({ "alg": "HS256", "typ": "at+jwt" }),
    ] {
        let target = format!("/v/a.ts?URISigningPackage={}", token_of(&header, &text));
        assert_eq!(
            judge(&policy, &target),
            Err(Reason::MalformedCredential),
            "{header}"
        );
    }
    // A public key is no secret: a token that takes it for one is no ES256 token.
    let p256 = ours(&json!({ "secrets": "p256", "algorithm": "ES256" }));
    let link = link(&claims(&json!({})));
    assert_eq!(judge(&p256, &link), Err(Reason::MalformedCredential));
}

#[test]
fn kid_selects_the_key_and_an_unknown_one_looks_like_a_wrong_signature() {
    let environment = |name: &str| match name {
        "OLD" => Some(b"another secret, also of 32 bytes".to_vec()),
        _ => Some(SECRET.into()),
    };
    let text = document(&json!({})).to_string();
    let policy = Policy::parse(text.as_bytes(), &environment).unwrap();
    let claims = claims(&json!({})).to_string();
    let with = |kid: Value| {
        let token = token_of(&json!({ "alg": "HS256", "kid": kid }), &claims);
        judge(&policy, &format!("/v/a.ts?URISigningPackage={token}"))
    };
    assert!(with(json!("new")).is_ok());
    assert_eq!(with(json!("old")), Err(Reason::WrongSignature));
    assert_eq!(with(json!("nobody")), Err(Reason::WrongSignature));
    assert_eq!(with(json!(1)), Err(Reason::MalformedCredential));
    // Without one, all are tried.
    let swapped = |name: &str| match name {
        "OLD" => Some(SECRET.into()),
        _ => Some(b"another secret, also of 32 bytes".to_vec()),
    };
    let policy = Policy::parse(text.as_bytes(), &swapped).unwrap();
    assert!(judge(&policy, &link(&serde_json::from_str(&claims).unwrap())).is_ok());
}

#[test]
fn each_claim_is_checked_or_rejected() {
    let policy = ours(&json!({ "issuers": ["a", "b"], "audience": ["cdn"] }));
    let with = |more: Value| judge(&policy, &link(&claims(&more))).map(|_| ());
    let good = json!({ "iss": "b", "aud": ["x", "cdn"] });
    assert_eq!(with(good.clone()), Ok(()));
    let changed = |more: Value| {
        let mut all = good.clone();
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        with(all)
    };
    for (more, expected) in [
        (json!({ "iss": "c" }), Err(Reason::WrongSignature)),
        (json!({ "aud": "x" }), Err(Reason::WrongSignature)),
        (json!({ "aud": "cdn" }), Ok(())),
        (json!({ "nbf": NOW + 30, "iat": NOW }), Ok(())),
        (json!({ "nbf": NOW + 31 }), Err(Reason::NotYetValid)),
        (json!({ "iat": NOW + 31 }), Err(Reason::NotYetValid)),
        (json!({ "cdniip": "192.0.2.0/24" }), Ok(())),
        (
            json!({ "cdniip": "192.0.2.2" }),
            Err(Reason::AddressNotAllowed),
        ),
        (json!({ "cdniv": 1 }), Ok(())),
        (json!({ "cdniv": 2 }), Err(Reason::MalformedCredential)),
        (json!({ "cdnistt": 1 }), Err(Reason::MalformedCredential)),
        (json!({ "jti": "x" }), Err(Reason::MalformedCredential)),
        (
            json!({ "cdnicrit": "x", "x": 1 }),
            Err(Reason::MalformedCredential),
        ),
        (json!({ "x": 1 }), Err(Reason::MalformedCredential)),
        (
            json!({ "exp": format!("{END}") }),
            Err(Reason::MalformedCredential),
        ),
        (json!({ "exp": 1.7e9 }), Err(Reason::MalformedCredential)),
        (json!({ "exp": -1 }), Err(Reason::MalformedCredential)),
        (
            json!({ "cdniuc": "regex:(" }),
            Err(Reason::MalformedCredential),
        ),
        (
            json!({ "cdniuc": "https://example.com/v/a.ts" }),
            Err(Reason::MalformedCredential),
        ),
    ] {
        assert_eq!(changed(more.clone()), expected, "{more}");
    }
    assert_eq!(with(json!({ "aud": "cdn" })), Err(Reason::WrongSignature));
    assert_eq!(with(json!({ "iss": "a" })), Err(Reason::WrongSignature));
    let lenient = ours(&json!({
        "ignore_jti": true, "ignore_renewal": true, "ignore_claims": ["x"], "allow_any_uri": true
    }));
    let all = json!({ "exp": END, "jti": "x", "cdnistt": 1, "cdniets": 30, "x": 1 });
    assert!(judge(&lenient, &link(&all)).is_ok());
    let open = json!({ "exp": END });
    assert_eq!(
        judge(&ours(&json!({})), &link(&open)),
        Err(Reason::MalformedCredential)
    );
    let twice = format!(r#"{{"exp":{END},"exp":{END},"cdniuc":"regex:.*"}}"#);
    let target = format!(
        "/v/a.ts?URISigningPackage={}",
        token_of(&json!({ "alg": "HS256" }), &twice)
    );
    assert_eq!(judge(&policy, &target), Err(Reason::MalformedCredential));
}

#[test]
fn the_subject_is_the_account() {
    let policy = ours(&json!({}));
    let link = link(&claims(&json!({ "sub": "alice" })));
    let headers = get(&link, &[("x-keygate-account", "mallory")]);
    let after = judge_headers(&policy, &headers, NOW, "").unwrap();
    assert_eq!(after[2], "alice");
}
