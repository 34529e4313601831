//! Akamai's EdgeAuth 2.0: known answers, forgeries, and every way to be wrong.

mod tools;

use hmac::{Hmac, KeyInit, Mac};
use keygate_core::keys::NothingKnown;
use keygate_core::signed_url::{Covers, Order, Scope, Signed};
use keygate_core::{Policy, Reason, Request, UnixMillis, Verdict};
use keygate_testkit::judge::{self, after, facts, format_of, get, judge_from};
use serde_json::{Value, json};
use sha2::Sha256;

const KEY: &str = "52a152a152a152a152a152a152a1";
const EXP: u64 = 1_893_456_000;
const NOW: u64 = EXP - 60;

fn policy_with(more: Value) -> Policy {
    parse(more).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn parse(more: Value) -> Result<Policy, Vec<String>> {
    let mut provider = json!({ "type": "signed_url", "format": "akamai", "secrets": "ring",
        "max_lifetime": "1h" });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let ring = json!([
        { "id": "new", "env": "NEW", "encoding": "hex" },
        { "id": "old", "env": "KEY", "encoding": "hex", "not_after": "2030-01-01T00:00:02Z" }
    ]);
    let policy = json!({
        "version": 1,
        "secrets": { "ring": ring },
        "providers": { "it": provider },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    let environment = |name: &str| match name {
        "KEY" => Some(KEY.into()),
        "NEW" => Some("00112233445566778899aabbccddeeff".into()),
        "SALT" => Some("NaCl".into()),
        _ => None,
    };
    let parsed = Policy::parse(policy.to_string().as_bytes(), &environment);
    parsed.map_err(|all| all.iter().map(ToString::to_string).collect())
}

/// Fields and what is signed behind them, with the MAC of the old key.
fn token(fields: &str, hidden: &str) -> String {
    let key: Vec<u8> = (0..KEY.len() / 2)
        .map(|at| u8::from_str_radix(&KEY[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{fields}{hidden}").as_bytes());
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{fields}~hmac={hex}")
}

fn judge(policy: &Policy, target: &str, now: u64) -> Result<String, Reason> {
    judge::judge(policy, &get(target, &[]), now)
}

#[test]
fn the_first_answer_of_the_libraries_passes_until_its_last_second() {
    let policy = policy_with(json!({}));
    let mac = "ea75ca10354de06adfee02b02d0268489af6df2077411221e5f122a8e46215be";
    let fields = format!("exp={EXP}");
    assert_eq!(
        token(&fields, "~url=/akamai/edgeauth"),
        format!("{fields}~hmac={mac}")
    );
    let target = format!("/akamai/edgeauth?__token__={fields}~hmac={mac}");
    let allowed = Ok("/akamai/edgeauth".to_owned());
    assert_eq!(judge(&policy, &target, EXP - 1), allowed);
    assert_eq!(judge(&policy, &target, EXP), Err(Reason::Expired));
    let early = judge(&policy, &target, EXP - 3600 - 31);
    assert_eq!(early, Err(Reason::LifetimeTooLong));
    assert_eq!(judge(&policy, &target, EXP - 3600 - 30), allowed);
    // The ring's old key is invalid two seconds later.
    let late = judge(&policy, &target, EXP + 2);
    assert_eq!(late, Err(Reason::WrongSignature));
}

#[test]
fn a_field_that_a_user_injects_is_rejected_and_never_the_last_to_win() {
    let policy = policy_with(json!({}));
    for fields in [
        format!("exp={EXP}~acl=/video/*~id=x~acl=/*~exp=9999999999"),
        format!("exp={EXP}~acl=/video/*~id=x~acl=/*"),
        format!("exp={EXP}~acl=/video/*~id=x~exp=9999999999"),
        format!("exp={EXP}~acl=/video/*~data=x~id=y"),
        format!("exp={EXP}~acl=/video/*~id=x~admin=1"),
    ] {
        let target = format!("/video/a?__token__={}", token(&fields, ""));
        let rejected = judge(&policy, &target, NOW);
        assert_eq!(rejected, Err(Reason::MalformedCredential), "{fields}");
    }
}

#[test]
fn a_path_that_reads_as_a_field_takes_no_part_of_another_token() {
    let policy = policy_with(json!({}));
    // A signer let a user choose `data`, which ends in a URL of the user's own.
    let signed = token(&format!("exp={EXP}~data=x~url=/secret"), "~url=/mine");
    let mac = signed.rsplit_once("~hmac=").unwrap().1;
    let target = format!("/secret~url=/mine?__token__=exp={EXP}~data=x~hmac={mac}");
    let rejected = judge(&policy, &target, NOW);
    assert_eq!(rejected, Err(Reason::WrongSignature));
}

#[test]
fn an_access_list_opens_its_paths_and_never_by_the_query() {
    let policy = policy_with(json!({}));
    for (acl, path, opens) in [
        ("/*", "/a/b", true),
        ("/video/*", "/video/a/b.ts", true),
        ("/video/*", "/video-private/a", false),
        ("/video/*", "/video", false),
        ("/video/*", "/a?x=/video/a", false),
        ("/a!/b/?.ts", "/b/1.ts", true),
        ("/a!/b/?.ts", "/a", true),
        ("/a!/b/?.ts", "/b/12.ts", false),
        ("/a!/b/?.ts", "/ab", false),
        ("/a%20b/*", "/a%20b/c", true),
        ("/a%2ab", "/axb", false),
        ("/caf\u{e9}/*", "/caf%C3%A9/x", true),
    ] {
        let token = token(&format!("exp={EXP}~acl={acl}"), "");
        let token = token.replace('\u{e9}', "%C3%A9");
        let separator = if path.contains('?') { '&' } else { '?' };
        let target = format!("{path}{separator}__token__={token}");
        let expected = match opens {
            true => Ok(path.to_owned()),
            false => Err(Reason::WrongSignature),
        };
        assert_eq!(judge(&policy, &target, NOW), expected, "{acl} {path}");
    }
}

#[test]
fn a_list_of_one_directory_covers_a_prefix_and_nothing_else_does() {
    let policy = policy_with(json!({}));
    for (acl, target, covers) in [
        ("/a/*", "/a/b/c", Covers::Prefix("/a/")),
        ("/*", "/a/b", Covers::Prefix("/")),
        ("/a/*!/b/*", "/a/b", Covers::Path),
        ("/a/*.ts", "/a/b.ts", Covers::Path),
        ("/a*", "/a/b", Covers::Path),
    ] {
        let token = token(&format!("exp={EXP}~acl={acl}"), "");
        let headers = get(&format!("{target}?__token__={token}"), &[]);
        let request = Request::read(&headers).unwrap();
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let link = format_of(&policy, 0)
            .verify(&request, &facts.of_link())
            .unwrap();
        assert_eq!(link.covers, covers, "{acl}");
        assert_eq!(link.expires, Some(UnixMillis::from_secs(EXP)));
    }
}

#[test]
fn a_url_is_taken_in_both_escapings_of_the_libraries_and_in_none() {
    let policy = policy_with(json!({}));
    for (hidden, target, holds) in [
        ("/a b~c", "/a%20b~c", true),
        ("/a%20b~c", "/a%20b~c", true),
        ("%2fa+b~c", "/a%20b~c", true),
        ("%2fa%20b%7ec", "/a%20b~c", true),
        ("%2fa%2520b~c", "/a%20b~c", true),
        ("%2Fa+b~c", "/a%20b~c", false),
        ("/a+b~c", "/a%20b~c", false),
        ("/a/b", "/a%2Fb", false),
        ("/A", "/a", false),
    ] {
        let token = token(&format!("exp={EXP}"), &format!("~url={hidden}"));
        let judged = judge(&policy, &format!("{target}?__token__={token}"), NOW);
        assert_eq!(judged.is_ok(), holds, "{hidden} {judged:?}");
    }
}

#[test]
fn the_query_is_signed_unless_the_policy_says_otherwise() {
    let (strict, lax) = (
        policy_with(json!({})),
        policy_with(json!({ "ignore_query_string": true })),
    );
    let with_query = token(&format!("exp={EXP}"), "~url=/a?x=1&y=");
    let path_only = token(&format!("exp={EXP}"), "~url=/a");
    let between = |token: &str| format!("/a?x=1&__token__={token}&y=");
    let kept = Ok("/a?x=1&y=".to_owned());
    let wrong = Err(Reason::WrongSignature);
    assert_eq!(judge(&strict, &between(&with_query), NOW), kept);
    assert_eq!(judge(&strict, &between(&path_only), NOW), wrong);
    assert_eq!(judge(&lax, &between(&path_only), NOW), kept);
    assert_eq!(judge(&lax, &between(&with_query), NOW), wrong);
}

#[test]
fn a_token_is_for_its_address_and_from_its_start_on() {
    let policy = policy_with(json!({}));
    let start = EXP - 100;
    let fields = |ip: &str| format!("ip={ip}~st={start}~exp={EXP}~acl=/*");
    for (ip, client, now, expected) in [
        ("192.0.2.1", Some("192.0.2.1"), NOW, Ok(())),
        ("192.0.2.1", Some("::ffff:192.0.2.1"), NOW, Ok(())),
        ("%3a%3a1", Some("::1"), NOW, Ok(())),
        ("2001:db8::1", Some("2001:DB8:0::1"), NOW, Ok(())),
        (
            "192.0.2.1",
            Some("192.0.2.2"),
            NOW,
            Err(Reason::AddressNotAllowed),
        ),
        ("192.0.2.1", None, NOW, Err(Reason::AddressNotAllowed)),
        ("192.0.2.1", Some("192.0.2.1"), start - 30, Ok(())),
        (
            "192.0.2.1",
            Some("192.0.2.1"),
            start - 31,
            Err(Reason::NotYetValid),
        ),
    ] {
        let target = format!("/a?__token__={}", token(&fields(ip), ""));
        let judged =
            judge_from(&policy, &get(&target, &[]), client.unwrap_or_default(), now).map(drop);
        assert_eq!(judged, expected, "{ip} {client:?} {now}");
        // Problems other than the signature are reported for genuine tokens only.
        let forged = target.replace("acl=/*", "acl=/?");
        let rejected = judge_from(&policy, &get(&forged, &[]), client.unwrap_or_default(), now);
        assert_eq!(rejected, Err(Reason::WrongSignature));
    }
}

#[test]
fn every_carrier_is_found_stripped_and_alone() {
    let policy = policy_with(json!({ "from": [
        { "query": "hdnts" }, { "header": "X-Edge" }, { "cookie": "hdntl" }
    ] }));
    let token = token(&format!("exp={EXP}~acl=/*"), "");
    let cookie = format!("a=1; hdntl={token}; b=2");
    let (edge, jar) = (("x-edge", token.as_str()), ("cookie", cookie.as_str()));
    let in_query = format!("/a?b=1&hdnts={token}&c=");
    let encoded = token.replace('~', "%7E").replace('=', "%3d");
    for (target, more, path, cookies) in [
        (in_query.as_str(), vec![], "/a?b=1&c=", None),
        (&format!("/a?hdnts={encoded}"), vec![], "/a", None),
        ("/a?b=1", vec![edge], "/a?b=1", None),
        ("/a?b=1", vec![jar], "/a?b=1", Some("a=1; b=2")),
    ] {
        let headers = get(target, &more);
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let Verdict::Allow(grant) = policy.decide(&headers, &facts) else {
            panic!("{target} is rejected");
        };
        let is = |name| after(&headers, &grant.edits, name);
        assert_eq!(is(":path").as_deref(), Some(path));
        assert_eq!(is("cookie").as_deref(), cookies);
        assert_eq!(is("x-edge"), None);
    }
    for (target, more) in [
        (in_query.as_str(), vec![edge]),
        ("/a", vec![edge, jar]),
        ("/a", vec![edge, edge]),
        (&format!("/a?hdnts={token}&hdnts={token}"), vec![]),
    ] {
        let rejected = judge_from(&policy, &get(target, &more), "", NOW);
        assert_eq!(rejected, Err(Reason::DuplicateCredential), "{target}");
    }
    assert_eq!(judge(&policy, "/a", NOW), Err(Reason::MissingCredential));
}

#[test]
fn a_salt_is_signed_and_belongs_to_the_policy() {
    let salted = policy_with(json!({ "salt_env": "SALT" }));
    let plain = policy_with(json!({}));
    let target = |hidden: &str| format!("/a?__token__={}", token(&format!("exp={EXP}"), hidden));
    let with_salt = target("~url=/a~salt=NaCl");
    assert!(judge(&salted, &with_salt, NOW).is_ok());
    assert_eq!(judge(&plain, &with_salt, NOW), Err(Reason::WrongSignature));
    let without = judge(&salted, &target("~url=/a"), NOW);
    assert_eq!(without, Err(Reason::WrongSignature));
    // Nor does a path stand for the salt.
    let path = with_salt.replace("/a?", "/a~salt=NaCl?");
    assert_eq!(judge(&plain, &path, NOW), Err(Reason::WrongSignature));
}

#[test]
fn a_changed_or_missing_byte_of_a_token_is_rejected() {
    let policy = policy_with(json!({}));
    let fields = format!("ip=192.0.2.1~st=1~exp={EXP}~acl=/a/*~id=u~data=d");
    let token = token(&fields, "");
    for at in 0..token.len() {
        for change in [
            "", "x", "0", "~", "%", "=", "%00", "%7e", "+", "%e9", "A", "=\u{7f}",
        ] {
            let mut forged = token.clone();
            forged.replace_range(at..=at, change);
            let encoded = format!("%{:02X}", token.as_bytes()[at]);
            if forged == token || encoded.eq_ignore_ascii_case(change) {
                continue;
            }
            let target = format!("/a/b?__token__={forged}");
            let judged = judge_from(&policy, &get(&target, &[]), "192.0.2.1", NOW);
            assert!(judged.is_err(), "{forged}");
        }
    }
}

#[test]
fn an_encoded_question_mark_of_the_path_begins_no_signed_query() {
    let policy = policy_with(json!({}));
    let fields = format!("exp={EXP}");
    for signed in ["/a?x=1", "%2fa%3fx%3d1"] {
        let token = token(&fields, &format!("~url={signed}"));
        let judge = |url: &str, separator: char| {
            judge(&policy, &format!("{url}{separator}__token__={token}"), NOW)
        };
        assert_eq!(judge("/a?x=1", '&'), Ok("/a?x=1".to_owned()), "{signed}");
        assert_eq!(
            judge("/a%3Fx=1", '?'),
            Err(Reason::WrongSignature),
            "{signed}"
        );
        assert_eq!(
            judge("/a%3fx%3D1", '?'),
            Err(Reason::WrongSignature),
            "{signed}"
        );
    }
    let token = token(&fields, "~url=/a%3Fx%20y");
    let judged = judge(&policy, &format!("/a%3fx%20y?__token__={token}"), NOW);
    assert_eq!(judged, Ok("/a%3fx%20y".to_owned()));
}
