//! Google's Media CDN: tokens and signed requests, forgeries, and every way to be wrong.

mod requests;
mod tools;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Covers, Order, PrivateKey, Scope};
use keygate_core::{Policy, Reason, Request, UnixMillis, Verdict};
use keygate_testkit::judge::{self, after, facts, format_of, get, judge_from};
use serde_json::{Value, json};
use sha2::Sha256;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
const END: u64 = 1_663_070_400;
const NOW: u64 = END - 60;

fn seed(byte: u8) -> PrivateKey {
    PrivateKey::parse(&STANDARD.encode([byte; 32])).unwrap()
}

fn policy_with(more: Value) -> Policy {
    parse(more).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn parse(more: Value) -> Result<Policy, Vec<String>> {
    let mut provider = json!({ "type": "signed_url", "format": "google-media-cdn",
        "secrets": "secrets", "algorithm": "hmac-sha256", "max_lifetime": "1h" });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let policy = json!({
        "version": 1,
        "secrets": {
            "secrets": [{ "id": "new", "env": "NEW" }, { "id": "old", "env": "KEY" }],
            "endless": (1..4).map(|it| json!({
                "id": it.to_string(), "public_key": seed(it).public_key()
            })).collect::<Vec<_>>(),
            "public": [
                { "id": "new", "public_key": seed(2).public_key() },
                { "id": "my-key", "public_key": seed(1).public_key() },
                { "id": "gone", "public_key": seed(3).public_key(), "not_after": "2020-01-01T00:00:00Z" }
            ]
        },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    let environment = |name: &str| match name {
        "KEY" => Some(KEY.to_vec()),
        _ => Some(b"another secret of the same length".to_vec()),
    };
    let parsed = Policy::parse(policy.to_string().as_bytes(), &environment);
    parsed.map_err(|all| all.iter().map(ToString::to_string).collect())
}

fn hmac(message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(message.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token whose fields are signed as they stand.
fn token(fields: &str) -> String {
    format!("{fields}~hmac={}", hmac(fields))
}

fn with_token(target: &str, token: &str) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}edge-cache-token={token}")
}

fn judge(policy: &Policy, target: &str, now: u64) -> Result<String, Reason> {
    judge::judge(policy, &get(target, &[]), now)
}

fn requests() -> Policy {
    policy_with(json!({ "mode": "signatures", "algorithm": "ed25519", "secrets": "public" }))
}

#[test]
fn a_full_path_is_signed_and_not_transmitted() {
    let policy = policy_with(json!({}));
    let signed = |path: &str| {
        let mac = hmac(&format!("FullPath={path}~Expires={END}"));
        format!("FullPath~Expires={END}~hmac={mac}")
    };
    let good = with_token("/caf%C3%A9?x=1", &signed("/caf%C3%A9"));
    let allowed = Ok("/caf%C3%A9?x=1".to_owned());
    assert_eq!(judge(&policy, &good, END - 1), allowed);
    assert_eq!(judge(&policy, &good, END), Err(Reason::Expired));
    let early = judge(&policy, &good, END - 3600 - 31);
    assert_eq!(early, Err(Reason::LifetimeTooLong));
    for (path, signed_path, holds) in [
        ("/caf%c3%a9", "/caf%C3%A9", true),
        ("/caf%C3%A9", "/caf\u{e9}", true),
        ("/a%20b", "/a b", true),
        ("/a/", "/a", false),
        ("/A", "/a", false),
        ("/a?x=1", "/a?x=1", false),
    ] {
        let judged = judge(&policy, &with_token(path, &signed(signed_path)), NOW);
        assert_eq!(judged.is_ok(), holds, "{path} {judged:?}");
    }
}

#[test]
fn nothing_of_the_request_reads_as_a_field() {
    let policy = policy_with(json!({}));
    // The signed text of a token for /a that is bound to an address.
    let ranges = URL_SAFE_NO_PAD.encode("192.0.2.0/24");
    let rest = format!("Expires={END}~IPRanges={ranges}");
    let mac = hmac(&format!("FullPath=/a~Starts=1~{rest}"));
    let shifted = with_token("/a~Starts=1", &format!("FullPath~{rest}~hmac={mac}"));
    let rejected = judge_from(&policy, &get(&shifted, &[]), "192.0.2.1", NOW);
    assert_eq!(rejected, Err(Reason::WrongSignature));

    let bound = format!("PathGlobs=/*~Expires={END}~Headers=Foo=bar~IPRanges={ranges}");
    let mac = hmac(&bound);
    let good = format!("PathGlobs=/*~Expires={END}~Headers=Foo~IPRanges={ranges}~hmac={mac}");
    let freed = format!("PathGlobs=/*~Expires={END}~Headers=Foo~hmac={mac}");
    let value = format!("bar~IPRanges={ranges}");
    let good = get(&with_token("/a", &good), &[("foo", "bar")]);
    let freed = get(&with_token("/a", &freed), &[("foo", &value)]);
    let inside = judge_from(&policy, &good, "192.0.2.1", NOW);
    assert!(inside.is_ok());
    let outside = judge_from(&policy, &freed, "198.51.100.1", NOW);
    assert_eq!(outside, Err(Reason::WrongSignature));

    let two = hmac(&format!(
        "PathGlobs=/*~Expires={END}~Headers=Foo=bar,Baz=quux"
    ));
    let one = format!("PathGlobs=/*~Expires={END}~Headers=Foo~hmac={two}");
    let moved = get(&with_token("/a", &one), &[("foo", "bar,Baz=quux")]);
    let rejected = judge_from(&policy, &moved, "", NOW);
    assert_eq!(rejected, Err(Reason::WrongSignature));
}

#[test]
fn a_named_header_is_there_once_with_its_value() {
    let policy = policy_with(json!({}));
    let mac = |pairs: &str| hmac(&format!("PathGlobs=/*~Expires={END}~Headers={pairs}"));
    let text = |names: &str, mac: &str| {
        with_token(
            "/a",
            &format!("PathGlobs=/*~Expires={END}~Headers={names}~hmac={mac}"),
        )
    };
    let good = text("Foo,BAZ", &mac("Foo=bar,BAZ=en,de;q=0.9"));
    let (foo, baz) = (("foo", "bar"), ("baz", "en,de;q=0.9"));
    for (headers, expected) in [
        (vec![foo, baz], Ok(())),
        (vec![baz, foo], Ok(())),
        (vec![foo], Err(Reason::WrongSignature)),
        (vec![foo, baz, baz], Err(Reason::WrongSignature)),
        (vec![foo, ("baz", "en")], Err(Reason::WrongSignature)),
    ] {
        let judged = judge_from(&policy, &get(&good, &headers), "", NOW).map(drop);
        assert_eq!(judged, expected, "{headers:?}");
    }
    // To Google a header that is missing has an empty value.
    let empty = text("Foo", &mac("Foo="));
    let rejected = judge(&policy, &empty, NOW);
    assert_eq!(rejected, Err(Reason::WrongSignature));
    for names in ["Foo,foo", "Foo,", "", "Foo Bar", "Foo:"] {
        let rejected = judge_from(&policy, &get(&text(names, &mac("")), &[foo]), "", NOW);
        let rejected = rejected.unwrap_err();
        let is_rejected = [Reason::MalformedCredential, Reason::AmbiguousPath].contains(&rejected);
        assert!(is_rejected, "{names}: {rejected:?}");
    }
}

#[test]
fn every_scope_covers_what_it_names_and_reports_prefixes() {
    let policy = policy_with(json!({}));
    let url = |it: &str| format!("URLPrefix={}", URL_SAFE_NO_PAD.encode(it));
    let globs = |it: &str| format!("PathGlobs={it}");
    for (scope, path, covers) in [
        (globs("/*"), "/a/b", Some(Covers::Prefix("/"))),
        (globs("/tv/*"), "/tv/b/c", Some(Covers::Prefix("/tv/"))),
        (globs("/tv/*!/film/?.ts"), "/film/1.ts", Some(Covers::Path)),
        (globs("/tv/*,/film/*"), "/film/1.ts", Some(Covers::Path)),
        (globs("/tv/*"), "/tvx/b", None),
        (globs("/tv/*!/film/?.ts"), "/film/12.ts", None),
        (globs("/tv/*"), "/a?x=/tv/b", None),
        (
            url("https://example.com/tv/"),
            "/tv/b",
            Some(Covers::Prefix("/tv/")),
        ),
        (url("https://example.com/tv"), "/tvx/b", None),
        (url("https://example.org/tv/"), "/tv/b", None),
        (url("http://example.com/tv/"), "/tv/b", None),
    ] {
        let target = with_token(path, &token(&format!("{scope}~Expires={END}")));
        let headers = get(&target, &[]);
        let request = Request::read(&headers).unwrap();
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let link = format_of(&policy, 0).verify(&request, &facts.of_link());
        let expected = covers.ok_or(Reason::WrongSignature);
        assert_eq!(link.map(|it| it.covers), expected, "{scope} {path}");
    }
}

#[test]
fn a_token_is_for_its_ranges_and_from_its_start_on() {
    let policy = policy_with(json!({}));
    let start = END - 600;
    let target = |ranges: &str| {
        let ranges = URL_SAFE_NO_PAD.encode(ranges);
        let fields = format!("PathGlobs=/*~Starts={start}~Expires={END}~IPRanges={ranges}");
        with_token("/a", &token(&fields))
    };
    let both = "203.0.113.0/24,2001:db8::/64";
    for (ranges, client, now, expected) in [
        (both, Some("203.0.113.9"), NOW, Ok(())),
        (both, Some("::ffff:203.0.113.9"), NOW, Ok(())),
        (both, Some("2001:db8::7"), NOW, Ok(())),
        ("203.0.113.9", Some("203.0.113.9"), NOW, Ok(())),
        (
            both,
            Some("203.0.114.1"),
            NOW,
            Err(Reason::AddressNotAllowed),
        ),
        (both, None, NOW, Err(Reason::AddressNotAllowed)),
        // Google's own sample has an invalid range, which matches no client.
        (
            "2001:db8:4a7f:a732/64",
            Some("2001:db8:4a7f:a732::1"),
            NOW,
            Err(Reason::AddressNotAllowed),
        ),
        (both, Some("203.0.113.9"), start - 30, Ok(())),
        (
            both,
            Some("203.0.113.9"),
            start - 31,
            Err(Reason::NotYetValid),
        ),
        (
            "1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4,5.5.5.5,6.6.6.6",
            Some("1.1.1.1"),
            NOW,
            Err(Reason::MalformedCredential),
        ),
    ] {
        let headers = get(&target(ranges), &[]);
        let judged = judge_from(&policy, &headers, client.unwrap_or_default(), now).map(drop);
        assert_eq!(judged, expected, "{ranges} {client:?} {now}");
    }
    let forged = target(both).replace("PathGlobs=/*", "PathGlobs=/?");
    let rejected = judge(&policy, &forged, start - 31);
    assert_eq!(rejected, Err(Reason::WrongSignature));
}

#[test]
fn unknown_and_duplicate_fields_are_rejected() {
    let policy = policy_with(json!({}));
    let prefix = URL_SAFE.encode("https://example.com/ab");
    for fields in [
        format!("PathGlobs=/a~Expires={END}~Data=x~PathGlobs=/*"),
        format!("PathGlobs=/a~Expires={END}~SessionID=x~Expires=9999999999"),
        format!("PathGlobs=/a~Expires={END}~FullPath"),
        format!("PathGlobs=/a~FullPath=/a~Expires={END}"),
        format!("Expires={END}"),
        "PathGlobs=/*".to_owned(),
        format!("PathGlobs=/*~Expires={END}~Admin=1"),
        format!("PathGlobs=/*~expires={END}"),
        format!("PathGlobs=/*~Expires={END}~Data="),
        format!("PathGlobs=/*~Expires={END}~Data"),
        format!("PathGlobs=/*~Expires=0{END}"),
        "PathGlobs=/*~Expires=99999999999".to_owned(),
        format!("PathGlobs=*~Expires={END}"),
        format!("PathGlobs=/a!/b,/c~Expires={END}"),
        format!("URLPrefix={prefix}~Expires={END}"),
        format!("PathGlobs=/*~Expires={END}~IPRanges=!"),
        format!("PathGlobs=/*~Expires={END}~"),
    ] {
        let rejected = judge(&policy, &with_token("/a", &token(&fields)), NOW);
        assert_eq!(rejected, Err(Reason::MalformedCredential), "{fields}");
    }
    let fields = format!("PathGlobs=/*~Expires={END}");
    let good = token(&fields);
    for wrong in [
        fields.clone(),
        format!("{good}~Data=x"),
        format!("{good}~{}", good.rsplit_once('~').unwrap().1),
        good.replace("hmac", "Signature"),
        good.replace("hmac=", "hmac=0x"),
        good.get(..good.len() - 24).unwrap().to_owned(),
        format!("{fields}~hmac={}", hmac(&fields).to_uppercase()),
        format!("{fields}~hmac="),
    ] {
        let rejected = judge(&policy, &with_token("/a", &wrong), NOW);
        assert_eq!(rejected, Err(Reason::MalformedCredential), "{wrong}");
    }
    assert!(judge(&policy, &with_token("/a", &good), NOW).is_ok());
}

#[test]
fn every_carrier_is_found_stripped_and_alone() {
    let policy = policy_with(json!({ "from": [
        { "query": "edge-cache-token" }, { "header": "X-Token" },
        { "cookie": "Edge-Cache-Cookie" }, { "path": "edge-cache-token" }
    ] }));
    let token = token(&format!("PathGlobs=/*~Expires={END}"));
    let cookie = format!("a=1; Edge-Cache-Cookie={token}");
    let (header, jar) = (("x-token", token.as_str()), ("cookie", cookie.as_str()));
    let encoded = token.replace('/', "%2F").replace('*', "%2a");
    let segment = format!("/v/edge-cache-token={encoded}/a?b=1");
    for (target, more) in [
        (format!("/v/a?edge-cache-token={token}&b=1"), vec![]),
        (format!("/v/a?b=1&edge-cache-token={encoded}"), vec![]),
        ("/v/a?b=1".to_owned(), vec![header]),
        ("/v/a?b=1".to_owned(), vec![jar]),
        (segment.clone(), vec![]),
    ] {
        let headers = get(&target, &more);
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let Verdict::Allow(grant) = policy.decide(&headers, &facts) else {
            panic!("{target} is rejected");
        };
        let is = |name| after(&headers, &grant.edits, name);
        assert_eq!(is(":path").as_deref(), Some("/v/a?b=1"));
        assert_eq!(is("x-token"), None);
        assert!(is("cookie").is_none_or(|it| it == "a=1"));
    }
    for (target, more) in [
        (segment, vec![header]),
        (with_token("/a", &token), vec![jar]),
        ("/a".to_owned(), vec![header, header]),
        (with_token(&with_token("/a", &token), &token), vec![]),
    ] {
        let rejected = judge_from(&policy, &get(&target, &more), "", NOW);
        assert_eq!(rejected, Err(Reason::DuplicateCredential), "{target}");
    }
    assert_eq!(judge(&policy, "/a", NOW), Err(Reason::MissingCredential));
}

fn order(target: &str) -> Order<'_> {
    Order {
        origin: "https://example.com",
        expires: Some(UnixMillis::from_secs(END)),
        ..keygate_testkit::judge::order(target, UnixMillis::from_secs(NOW))
    }
}
