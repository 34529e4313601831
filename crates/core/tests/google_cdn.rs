//! Google's Cloud CDN: known answers, forgeries, and every way to be wrong.

mod tools;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit, Mac};
use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Covers, Order, Scope};
use keygate_core::{Policy, Reason, Request, UnixMillis, Verdict};
use keygate_testkit::judge::{self, after, facts, format_of, get};
use serde_json::{Value, json};

const KEY: &str = "nZtRohdNF9m3cKM24IcK4w==";
const END: u64 = 1_549_751_401;
const NOW: u64 = END - 60;

fn policy_with(more: Value) -> Policy {
    parse(more).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn parse(more: Value) -> Result<Policy, Vec<String>> {
    let mut provider = json!({ "type": "signed_url", "format": "google-cdn", "secrets": "ring",
        "max_lifetime": "1h" });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let policy = json!({
        "version": 1,
        "secrets": { "ring": [
            { "id": "new-key", "env": "NEW", "encoding": "base64url" },
            { "id": "my-key", "env": "KEY", "encoding": "base64url" },
            { "id": "old-key", "env": "KEY", "encoding": "base64url", "not_after": "2019-01-01T00:00:00Z" }
        ] },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    let environment = |name: &str| match name {
        "KEY" => Some(KEY.into()),
        _ => Some("AAECAwQFBgcICQoLDA0ODw==".into()),
    };
    let parsed = Policy::parse(policy.to_string().as_bytes(), &environment);
    parsed.map_err(|all| all.iter().map(ToString::to_string).collect())
}

fn mac(message: &str) -> String {
    let key = URL_SAFE.decode(KEY).unwrap();
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap();
    mac.update(message.as_bytes());
    URL_SAFE.encode(mac.finalize().into_bytes())
}

/// The target of a signed URL of the host of the tests.
fn exact(target: &str, key: &str) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    let target = format!("{target}{separator}Expires={END}&KeyName={key}");
    let signature = mac(&format!("https://example.com{target}"));
    format!("{target}&Signature={signature}")
}

/// The fields of a signed prefix.
fn prefix(url: &str, separator: char) -> String {
    let prefix = URL_SAFE.encode(url);
    let fields = format!("URLPrefix={prefix}{separator}Expires={END}{separator}KeyName=my-key");
    let signature = mac(&fields);
    format!("{fields}{separator}Signature={signature}")
}

fn judge(policy: &Policy, target: &str, now: u64) -> Result<String, Reason> {
    judge::judge(policy, &get(target, &[]), now)
}

#[test]
fn a_published_url_passes_until_its_second_and_is_forwarded_without_its_fields() {
    let policy = policy_with(json!({ "scheme": "http" }));
    let target = format!(
        "/some/path?some=query&another=param&Expires={END}&KeyName=my-key\
         &Signature=9Q9TCxSju8-W5nUkk5CuTrun2_o="
    );
    let mut headers = get(&target, &[]);
    headers[2].1 = b"www.example.com".into();
    let allowed = Ok("/some/path?some=query&another=param".to_owned());
    assert_eq!(judge::judge(&policy, &headers, END - 1), allowed);
    let expired = Err(Reason::Expired);
    assert_eq!(judge::judge(&policy, &headers, END), expired);
    let early = judge::judge(&policy, &headers, END - 3600 - 31);
    assert_eq!(early, Err(Reason::LifetimeTooLong));
    // A host has no case.
    headers[2].1 = b"WWW.Example.com".into();
    assert_eq!(judge::judge(&policy, &headers, NOW), allowed);
    headers[2].1 = b"other.example.com".into();
    let rejected = judge::judge(&policy, &headers, NOW);
    assert_eq!(rejected, Err(Reason::WrongSignature));
}

#[test]
fn the_scheme_is_that_of_the_policy_or_of_the_request() {
    let target = exact("/a", "my-key");
    let with = |scheme: &str| get(&target, &[(":scheme", scheme)]);
    let wrong = Err(Reason::WrongSignature);
    let allowed = Ok("/a".to_owned());
    let by_policy = policy_with(json!({}));
    assert_eq!(judge::judge(&by_policy, &with("http"), NOW), allowed);
    let by_request = policy_with(json!({ "scheme": "request" }));
    assert_eq!(judge::judge(&by_request, &with("https"), NOW), allowed);
    assert_eq!(judge::judge(&by_request, &with("http"), NOW), wrong);
    assert_eq!(judge::judge(&by_request, &with("ftp"), NOW), wrong);
    assert_eq!(judge(&by_request, &target, NOW), wrong);
}

#[test]
fn every_key_of_the_ring_is_found_by_its_name_and_no_other() {
    let policy = policy_with(json!({}));
    assert!(judge(&policy, &exact("/a", "my-key"), NOW).is_ok());
    for key in ["new-key", "old-key", "none", "", "My-key"] {
        let rejected = judge(&policy, &exact("/a", key), NOW);
        assert_eq!(rejected, Err(Reason::WrongSignature), "{key}");
    }
}

#[test]
fn the_fields_are_adjacent_in_order_and_unique() {
    let policy = policy_with(json!({}));
    let good = exact("/a?b=1", "my-key");
    let signature = good.split_once("&Signature=").unwrap().1;
    let below = |query: &str| format!("/videos/a?{query}");
    let fields = prefix("https://example.com/videos/", '&');
    assert_eq!(
        judge(&policy, &below(&format!("x=1&{fields}&y=2")), NOW).as_deref(),
        Ok("/videos/a?x=1&y=2")
    );
    for (target, reason) in [
        ("/a?b=1".to_owned(), Reason::MissingCredential),
        (
            format!("/a?Expires={END}&KeyName=my-key"),
            Reason::MissingCredential,
        ),
        (format!("{good}&c=2"), Reason::MalformedCredential),
        (format!("{good}&"), Reason::MalformedCredential),
        (
            format!("{good}&Signature={signature}"),
            Reason::DuplicateCredential,
        ),
        (
            format!("{good}&Expires=9999999999"),
            Reason::DuplicateCredential,
        ),
        (
            good.replace("&KeyName", "&c=2&KeyName"),
            Reason::MalformedCredential,
        ),
        (
            format!("/a?b=1&KeyName=my-key&Expires={END}&Signature={signature}"),
            Reason::MalformedCredential,
        ),
        (
            format!("/a?Signature={signature}"),
            Reason::MalformedCredential,
        ),
        (
            good.replace("Signature", "%53ignature"),
            Reason::MalformedCredential,
        ),
        (
            good.replace("Expires=1", "Expires=01"),
            Reason::MalformedCredential,
        ),
        (
            good.replace("Expires=1", "Expires=%31"),
            Reason::MalformedCredential,
        ),
        (
            good.replace("Expires=1", "Expires=+1"),
            Reason::MalformedCredential,
        ),
        (
            good.replace("=1549751401", "=99999999999"),
            Reason::MalformedCredential,
        ),
        (
            good.replace("=1549751401", "=9999999999"),
            Reason::WrongSignature,
        ),
        (good.replace("/a?", "/b?"), Reason::WrongSignature),
        (good.replace("b=1", "b=2"), Reason::WrongSignature),
        (
            good.trim_end_matches('=').to_owned(),
            Reason::MalformedCredential,
        ),
        (format!("{good}="), Reason::MalformedCredential),
        (
            below(&fields.replace("&Expires", "&c=1&Expires")),
            Reason::MalformedCredential,
        ),
        (
            below(&format!("{fields}&URLPrefix=aHR0cHM6Ly9l")),
            Reason::DuplicateCredential,
        ),
    ] {
        assert_eq!(judge(&policy, &target, NOW), Err(reason), "{target}");
    }
    // The padding may arrive percent-encoded.
    let encoded = good.replace(signature, &signature.replace('=', "%3D"));
    assert_eq!(judge(&policy, &encoded, NOW).as_deref(), Ok("/a?b=1"));
}

#[test]
fn equivalent_spellings_are_the_signed_url() {
    let policy = policy_with(json!({}));
    let good = exact("/caf%C3%A9~?x=%2F", "my-key");
    for spelled in [
        good.clone(),
        good.replace("%C3%A9", "%c3%a9"),
        good.replace("%2F", "%2f"),
    ] {
        assert!(judge(&policy, &spelled, NOW).is_ok(), "{spelled}");
    }
}

#[test]
fn a_prefix_opens_whole_segments_by_query_and_by_cookie() {
    let policy = policy_with(json!({}));
    for (url, path, covers) in [
        (
            "https://example.com/videos/",
            "/videos/a/b.ts",
            Some(Covers::Prefix("/videos/")),
        ),
        (
            "https://example.com/videos",
            "/videos/a",
            Some(Covers::Prefix("/videos/")),
        ),
        ("https://example.com/videos", "/videos", Some(Covers::Path)),
        ("https://example.com", "/a/b", Some(Covers::Prefix("/"))),
        ("https://example.com/videos", "/videos-private/a", None),
        ("https://example.com/videos/", "/videos", None),
        ("http://example.com/videos/", "/videos/a", None),
        ("https://example.com.evil/", "/videos/a", None),
        ("https://example.co", "/videos/a", None),
    ] {
        let cookie = format!("x=1; Cloud-CDN-Cookie={}", prefix(url, ':'));
        for headers in [
            get(&format!("{path}?{}", prefix(url, '&')), &[]),
            get(path, &[("cookie", &cookie)]),
        ] {
            let request = Request::read(&headers).unwrap();
            let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
            let link = format_of(&policy, 0).verify(&request, &facts.of_link());
            let expected = covers.ok_or(Reason::WrongSignature);
            assert_eq!(link.map(|it| it.covers), expected, "{url} {path}");
        }
    }
    // The one is not the other: their separators are signed.
    let swapped = prefix("https://example.com/", ':').replace(':', "&");
    let rejected = judge(&policy, &format!("/a?{swapped}"), NOW);
    assert_eq!(rejected, Err(Reason::WrongSignature));
}

#[test]
fn a_cookie_is_strict_stripped_and_alone() {
    let policy = policy_with(json!({}));
    let good = prefix("https://example.com/a/", ':');
    let jar = format!("x=1; Cloud-CDN-Cookie={good}; y=2");
    let headers = get("/a/b", &[("cookie", &jar)]);
    let at = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
    let Verdict::Allow(grant) = policy.decide(&headers, &at) else {
        panic!("it is rejected");
    };
    let cookies = after(&headers, &grant.edits, "cookie");
    assert_eq!(cookies.as_deref(), Some("x=1; y=2"));
    for (cookie, reason) in [
        (format!("{good}:x=1"), Reason::MalformedCredential),
        (
            good.replace(":Expires", ":x=1:Expires"),
            Reason::MalformedCredential,
        ),
        (
            good.replace("URLPrefix=", "urlprefix="),
            Reason::MalformedCredential,
        ),
        (
            good.replace("URLPrefix=aHR0", "URLPrefix=%"),
            Reason::MalformedCredential,
        ),
        (
            good.split_once(':').unwrap().1.to_owned(),
            Reason::MalformedCredential,
        ),
        (String::new(), Reason::MissingCredential),
        (good.replace("my-key", "new-key"), Reason::WrongSignature),
        (
            format!("{good}; Cloud-CDN-Cookie={good}"),
            Reason::DuplicateCredential,
        ),
    ] {
        let jar = format!("Cloud-CDN-Cookie={cookie}");
        let rejected = judge::judge(&policy, &get("/a/b", &[("cookie", &jar)]), NOW);
        assert_eq!(rejected, Err(reason), "{cookie}");
    }
    let both = get(&exact("/a/b", "my-key"), &[("cookie", &jar)]);
    let rejected = judge::judge(&policy, &both, NOW);
    assert_eq!(rejected, Err(Reason::DuplicateCredential));
}

#[test]
fn a_link_is_for_reading() {
    let policy = policy_with(json!({}));
    for (method, expected) in [
        ("GET", Ok(())),
        ("HEAD", Ok(())),
        ("POST", Err(Reason::InsufficientScope)),
        ("DELETE", Err(Reason::InsufficientScope)),
        ("OPTIONS", Err(Reason::InsufficientScope)),
    ] {
        let mut headers = get(&exact("/a", "my-key"), &[]);
        headers[0].1 = method.into();
        let judged = judge::judge(&policy, &headers, NOW).map(drop);
        assert_eq!(judged, expected, "{method}");
    }
}

proptest::proptest! {
    #[test]
    fn untrusted_bytes_never_panic(query in "[ -~]{0,80}", cookie: Vec<u8>, scheme: Vec<u8>) {
        let policy = policy_with(json!({ "scheme": "request" }));
        let query = query.replace(['#', ' '], "&");
        let target = format!("/a?{query}&Signature=AAAA&Expires=1&KeyName={query}");
        let jar = [b"Cloud-CDN-Cookie=".as_slice(), &cookie].concat();
        let mut headers = get(&target, &[]);
        headers.push((b":scheme".into(), scheme.into()));
        let _ = judge::judge(&policy, &headers, NOW);
        headers.push((b"cookie".into(), jar.into()));
        let _ = judge::judge(&policy, &headers, NOW);
    }
}

#[test]
fn the_default_port_of_the_scheme_is_no_part_of_the_host() {
    let links = exact("/a", "my-key");
    let prefixed = format!("/a?{}", prefix("https://example.com/", '&'));
    for (host, holds) in [
        ("example.com:443", true),
        ("EXAMPLE.com:443", true),
        ("example.com:80", false),
        ("example.com:8443", false),
    ] {
        for link in [&links, &prefixed] {
            let mut headers = get(link, &[]);
            headers[2].1 = host.into();
            let found = judge::judge(&policy_with(json!({})), &headers, NOW);
            assert_eq!(found.is_ok(), holds, "{host} {link}");
        }
    }
}
