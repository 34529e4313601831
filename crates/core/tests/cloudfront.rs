//! Links and cookies in CloudFront's format: what its tools make, and every way to be wrong.

mod cookies;
mod tools;

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Covers, Format, Order, PrivateKey, Scheme, Scope, Signed};
use keygate_core::{Header, Policy, Provider, Reason, UnixMillis, Verdict};
use keygate_testkit::judge::{facts, get, policy};
use serde_json::{Value, json};

const PRIVATE: &str = include_str!("keys/rsa2048.pem");
const PUBLIC: &str = include_str!("keys/rsa2048.pub");
const OTHER_PUBLIC: &str = include_str!("keys/rsa4096.pub");
const EC_PRIVATE: &str = include_str!("keys/p256.pem");
const EC_PUBLIC: &str = include_str!("keys/p256.pub");
const NOW: u64 = 1_700_000_000;
const END: u64 = NOW + 3600;

fn provider(more: Value) -> Value {
    let mut provider = json!({
        "type": "signed_url", "format": "cloudfront", "secrets": "ring", "max_lifetime": "7d"
    });
    provider
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    provider
}

fn document(provider: &Value) -> Value {
    json!({
        "version": 1,
        "secrets": { "ring": [
            { "id": "K1", "public_key": PUBLIC },
            { "id": "K2", "public_key": OTHER_PUBLIC },
            { "id": "KE", "public_key": EC_PUBLIC },
            { "id": "OLD", "public_key": PUBLIC, "not_after": "2020-01-01T00:00:00Z" }
        ] },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    })
}

fn ours(more: Value) -> Policy {
    policy(&document(&provider(more)), "")
}

fn plain() -> Policy {
    ours(json!({}))
}

fn judge_from(
    policy: &Policy,
    headers: &[Header],
    now: u64,
    client: &str,
) -> Result<Vec<String>, Reason> {
    let client: Option<IpAddr> = client.parse().ok();
    let unknown = NothingKnown;
    match policy.decide(
        headers,
        &facts(&unknown, client, UnixMillis::from_secs(now)),
    ) {
        Verdict::Allow(grant) => Ok([":path", "cookie"]
            .iter()
            .map(|name| {
                keygate_testkit::judge::after(headers, &grant.edits, name).unwrap_or_default()
            })
            .collect()),
        Verdict::Deny(denial) => Err(denial.reason),
        other => panic!("{other:?}"),
    }
}

fn judge(policy: &Policy, target: &str, now: u64) -> Result<String, Reason> {
    let all = judge_from(policy, &get(target, &[]), now, "192.0.2.1")?;
    Ok(all[0].clone())
}

fn with_cookies(target: &str, cookies: &str) -> Vec<Header> {
    get(target, &[("cookie", cookies)])
}

fn format(policy: &Policy) -> &dyn Format {
    let Provider::SignedUrl(links) = policy.rules.all()[0].require.providers()[0] else {
        panic!("a signed URL");
    };
    links.format.as_ref()
}

fn order<'a>(target: &'a str, key: &'a PrivateKey) -> Order<'a> {
    Order {
        origin: "https://example.com",
        expires: Some(UnixMillis::from_secs(END)),
        private_key: Some(key),
        ..keygate_testkit::judge::order(target, UnixMillis::from_secs(NOW))
    }
}

fn target_of(signed: &Signed) -> &str {
    signed.url.strip_prefix("https://example.com").unwrap()
}

/// A link signed as the format does it.
fn link(policy: &Policy, target: &str) -> String {
    let key = PrivateKey::parse(PRIVATE).unwrap();
    let signed = format(policy).sign(&order(target, &key)).unwrap();
    target_of(&signed).to_owned()
}

fn encode(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    text.replace('+', "-").replace('=', "_").replace('/', "~")
}

/// A link with this text as its policy, rightly signed.
fn custom(target: &str, text: &str) -> String {
    let key = PrivateKey::parse(PRIVATE).unwrap();
    let signature = key.sign_as(Scheme::RsaSha256, text.as_bytes()).unwrap();
    let (document, signature) = (encode(text.as_bytes()), encode(&signature));
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}Policy={document}&Signature={signature}&Key-Pair-Id=K1")
}

fn statement(resource: &str, more: &str) -> String {
    format!(
        r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{END}}}{more}}}}}]}}"#
    )
}

#[test]
fn a_canned_link_opens_its_url_until_the_second_that_it_names() {
    let policy = plain();
    let link = link(&policy, "/a/b.mp4?q=1");
    assert!(link.starts_with("/a/b.mp4?q=1&Expires="), "{link}");
    assert_eq!(judge(&policy, &link, NOW).as_deref(), Ok("/a/b.mp4?q=1"));
    assert!(judge(&policy, &link, END - 1).is_ok());
    assert_eq!(judge(&policy, &link, END), Err(Reason::Expired));
    assert_eq!(
        judge(&policy, &link, END - 8 * 86400),
        Err(Reason::LifetimeTooLong)
    );
}

#[test]
fn a_byte_of_another_url_is_a_wrong_signature() {
    let policy = plain();
    let link = link(&policy, "/a/b.mp4?q=1");
    for (from, to) in [
        ("/a/", "/b/"),
        (".mp4?", ".mp3?"),
        ("q=1", "q=2"),
        ("q=1&", ""),
        ("q=1&", "q=1&x&"),
        ("Key-Pair-Id=K1", "Key-Pair-Id=K1&x=1"),
        ("Key-Pair-Id=K1", "Key-Pair-Id=K2"),
        ("Key-Pair-Id=K1", "Key-Pair-Id=KE"),
        ("Key-Pair-Id=K1", "Key-Pair-Id=nobody"),
        ("Key-Pair-Id=K1", "Key-Pair-Id=OLD"),
        ("Expires=1700003600", "Expires=1700003601"),
    ] {
        let forged = link.replacen(from, to, 1);
        assert_ne!(forged, link);
        assert_eq!(
            judge(&policy, &forged, NOW),
            Err(Reason::WrongSignature),
            "{forged}"
        );
    }
    let mut headers = get(&link, &[]);
    headers[2].1 = b"example.org".into();
    assert_eq!(
        judge_from(&policy, &headers, NOW, ""),
        Err(Reason::WrongSignature)
    );
    headers[2].1 = b"EXAMPLE.com:443".into();
    assert!(judge_from(&policy, &headers, NOW, "").is_ok());
    let http = ours(json!({ "scheme": "http" }));
    assert_eq!(judge(&http, &link, NOW), Err(Reason::WrongSignature));
}

#[test]
fn the_token_is_removed_exactly_at_every_position() {
    let policy = plain();
    let link = link(&policy, "/a?b=%20+&&c");
    let (own, token) = link.split_once("&Expires").unwrap();
    let query = own.strip_prefix("/a?").unwrap();
    assert_eq!(judge(&policy, &link, NOW).as_deref(), Ok("/a?b=%20+&&c"));
    let first = format!("/a?Expires{token}&{query}");
    assert_eq!(judge(&policy, &first, NOW).as_deref(), Ok("/a?b=%20+&&c"));
    let (expires, rest) = token.split_once('&').unwrap();
    let torn = format!("/a?{rest}&{query}&Expires{expires}");
    assert_eq!(judge(&policy, &torn, NOW).as_deref(), Ok("/a?b=%20+&&c"));
}

#[test]
fn every_spelling_of_the_signed_url_is_the_signed_url() {
    let policy = plain();
    let link = link(&policy, "/caf%c3%a9/~a");
    assert_eq!(judge(&policy, &link, NOW).as_deref(), Ok("/caf%c3%a9/~a"));
    let other = link.replacen("/caf%c3%a9/~a", "/caf%C3%a9/~a", 1);
    assert_eq!(judge(&policy, &other, NOW).as_deref(), Ok("/caf%C3%a9/~a"));
}

#[test]
fn parts_twice_disguised_or_missing_are_rejected() {
    let policy = plain();
    let link = link(&policy, "/a");
    for name in ["Expires", "Signature", "Key-Pair-Id"] {
        let twice = format!("{link}&{name}=1");
        assert_eq!(
            judge(&policy, &twice, NOW),
            Err(Reason::DuplicateCredential),
            "{name}"
        );
        let without = link.replacen(&format!("{name}="), "x=", 1);
        assert_eq!(
            judge(&policy, &without, NOW),
            Err(Reason::MalformedCredential),
            "{name}"
        );
    }
    for more in ["&Policy=e30_", "&Hash-Algorithm=SHA1", "&%45xpires=1"] {
        assert!(
            judge(&policy, &format!("{link}{more}"), NOW).is_err(),
            "{more}"
        );
    }
    assert_eq!(judge(&policy, "/a", NOW), Err(Reason::MissingCredential));
    assert_eq!(
        judge(&policy, "/a?Expires=1", NOW),
        Err(Reason::MissingCredential)
    );
    for expires in [
        "",
        "0",
        "01",
        "+1",
        "1.0",
        "1e9",
        "99999999999",
        "%20170",
        "x",
    ] {
        let wrong = link.replacen(&END.to_string(), expires, 1);
        assert_eq!(
            judge(&policy, &wrong, NOW),
            Err(Reason::MalformedCredential),
            "{expires}"
        );
    }
    let quote = format!("/a?x=%22\\&{}", link.split_once('?').unwrap().1);
    assert_eq!(
        judge(&policy, &quote, NOW),
        Err(Reason::MalformedCredential)
    );
}

#[test]
fn a_custom_policy_bounds_time_address_and_resource() {
    let policy = plain();
    let more = format!(
        r#","DateGreaterThan":{{"AWS:EpochTime":{NOW}}},"IpAddress":{{"AWS:SourceIp":"192.0.2.0/24"}}"#
    );
    let link = custom(
        "/images/a.jpg",
        &statement("https://example.com/images/*", &more),
    );
    assert_eq!(
        judge(&policy, &link, NOW + 1).as_deref(),
        Ok("/images/a.jpg")
    );
    assert_eq!(judge(&policy, &link, NOW), Err(Reason::NotYetValid));
    assert_eq!(judge(&policy, &link, END), Err(Reason::Expired));
    for client in ["192.0.3.1", "2001:db8::1", ""] {
        let rejected = judge_from(&policy, &get(&link, &[]), NOW + 1, client);
        assert_eq!(rejected, Err(Reason::AddressNotAllowed), "{client}");
    }
    let other = link.replacen("/images/a.jpg", "/images/b/c.jpg", 1);
    assert!(judge(&policy, &other, NOW + 1).is_ok());
    let other = link.replacen("/images/", "/imagesx/", 1);
    assert_eq!(judge(&policy, &other, NOW + 1), Err(Reason::WrongSignature));
}

#[test]
fn a_policy_that_is_not_of_the_form_is_rejected_although_it_is_signed() {
    let policy = plain();
    let good = statement("https://example.com/a", "");
    assert!(judge(&policy, &custom("/a", &good), NOW).is_ok());
    for (from, to) in [
        ("\"Resource\":\"https://example.com/a\",", ""),
        ("\"Resource\":", "\"Resource\":\"https://x\",\"Resource\":"),
        ("\"Statement\"", "\"Version\":1,\"Statement\""),
        ("]}", ",{}]}"),
        ("DateLessThan", "DateGreaterThan"),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert_ne!(wrong, good);
        let rejected = judge(&policy, &custom("/a", &wrong), NOW);
        assert_eq!(rejected, Err(Reason::MalformedCredential), "{wrong}");
    }
    let any = ours(json!({ "allow_any_resource": true }));
    let open = good.replacen("\"Resource\":\"https://example.com/a\",", "", 1);
    assert!(judge(&any, &custom("/b/c", &open), NOW).is_ok());
}

#[test]
fn base64_is_strict() {
    let policy = plain();
    let link = custom("/a", &statement("https://example.com/a", ""));
    assert!(judge(&policy, &link, NOW).is_ok());
    let (head, rest) = link.split_once("&Signature=").unwrap();
    let (signature, tail) = rest.split_once('&').unwrap();
    for wrong in [
        signature.replace('_', "="),
        signature.trim_end_matches('_').to_owned(),
        format!("{signature}_"),
        format!("%20{signature}"),
        signature.replacen(['-', '~'], "+", 1),
        signature.replacen(['-', '~'], "%2B", 1),
        String::new(),
    ] {
        let rejected = judge(&policy, &format!("{head}&Signature={wrong}&{tail}"), NOW);
        assert!(rejected.is_err(), "{wrong}");
    }
    // An unreserved character may be percent-encoded.
    let equal = format!("{head}&Signature={}&{tail}", signature.replace('~', "%7E"));
    assert!(judge(&policy, &equal, NOW).is_ok());
}

#[test]
fn the_hash_is_the_configurations_and_sha1_asks_for_it() {
    let strong = plain();
    let weak = ours(json!({ "hash": "sha1", "allow_weak": true }));
    let (of_strong, of_weak) = (link(&strong, "/a"), link(&weak, "/a"));
    assert!(of_strong.contains("&Hash-Algorithm=SHA256"));
    assert!(!of_weak.contains("Hash-Algorithm"));
    assert!(judge(&weak, &of_weak, NOW).is_ok());
    assert!(judge(&weak, &format!("{of_weak}&Hash-Algorithm=SHA1"), NOW).is_ok());
    assert_eq!(judge(&strong, &of_weak, NOW), Err(Reason::WrongSignature));
    assert_eq!(
        judge(&weak, &of_strong, NOW),
        Err(Reason::MalformedCredential)
    );
    let silent = of_strong.replace("&Hash-Algorithm=SHA256", "");
    assert!(judge(&strong, &silent, NOW).is_ok());
    assert_eq!(judge(&weak, &silent, NOW), Err(Reason::WrongSignature));
}

#[test]
fn ecdsa_signs_as_rsa_does() {
    for hash in [json!({}), json!({ "hash": "sha1", "allow_weak": true })] {
        let policy = ours(hash);
        let key = PrivateKey::parse(EC_PRIVATE).unwrap();
        let signed = format(&policy).sign(&order("/a", &key)).unwrap();
        let link = target_of(&signed);
        assert!(link.contains("Key-Pair-Id=KE"), "{link}");
        assert_eq!(judge(&policy, link, NOW).as_deref(), Ok("/a"));
        let forged = link.replacen("/a?", "/b?", 1);
        assert_eq!(judge(&policy, &forged, NOW), Err(Reason::WrongSignature));
    }
}

#[test]
fn a_key_removed_from_the_ring_verifies_no_remembered_link() {
    let mut rotating = document(&provider(json!({})));
    rotating["secrets"]["ring"] = json!([{
        "id": "K1", "public_key": PUBLIC, "not_after": "2023-11-14T22:30:00Z"
    }]);
    let policy = policy(&rotating, "");
    let link = link(&policy, "/a");
    let leaves = 1_700_001_000;
    assert!(judge(&policy, &link, leaves - 1).is_ok());
    assert_eq!(judge(&policy, &link, leaves), Err(Reason::NoCurrentSecret));
}
