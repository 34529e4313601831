//! Links in Cloudflare's format: known answers, forgeries, and every way to be wrong.

use crate::common::{get, judge, policy_of};
use keygate_core::decision::verdict::Verdict;
use keygate_core::keys::record::NoAnswer;
use keygate_core::reason::Reason;
use keygate_core::time::UnixMillis;
use serde_json::{Value, json};

const SECRET: &str = "mysecrettoken";
const CAT: &str =
    "/images/cat.jpg?verify=1484063787-XsZ5NmtNBxOd4f4fBOtqVmpWRnDRNkHKVZieqDPKu3U%3D";
const CAT_AT: u64 = 1_484_063_788;

/// A link as the example "Sign requests" of Cloudflare's Workers makes it: HMAC-SHA256 over
/// `url.pathname` and the seconds, in base64 behind them. The query is not signed.
/// Source: developers.cloudflare.com/workers/examples/signing-requests, read in 2026.
fn worker_example(path: &str, query: &str) -> String {
    use base64::Engine as _;
    use hmac::Mac as _;
    let stamp = CAT_AT - 60;
    let mut mac = keygate_core::secret::mac::mac(SECRET.as_bytes());
    mac.update(format!("{path}{stamp}").as_bytes());
    let mac = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    let mac = mac
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    format!("{path}?{query}verify={stamp}-{mac}")
}

#[test]
fn a_link_for_the_path_alone_is_valid_with_every_query() {
    let policy = policy_of(&provider_with(json!({ "message": "path" })), SECRET);
    let plain = worker_example("/images/cat.jpg", "");
    for (target, upstream) in [
        (plain.clone(), "/images/cat.jpg"),
        (format!("{plain}&w=1"), "/images/cat.jpg?w=1"),
        (
            worker_example("/images/cat.jpg", "w=1&h=2&"),
            "/images/cat.jpg?w=1&h=2",
        ),
        (
            format!("{}&c=3", worker_example("/images/cat.jpg", "w=1&")),
            "/images/cat.jpg?w=1&c=3",
        ),
    ] {
        let judged = judge(&policy, &get(&target, &[]), CAT_AT);
        assert_eq!(judged.as_deref(), Ok(upstream), "{target}");
    }
    for (target, reason) in [
        (plain.replace("cat", "dog"), Reason::WrongSignature),
        (
            format!("{plain}&{}", plain.split_once('?').unwrap().1),
            Reason::DuplicateCredential,
        ),
        (
            format!("{plain}&verify"),
            // An empty value is no token.
            Reason::Expired,
        ),
    ] {
        let now = match reason {
            Reason::Expired => CAT_AT + 4 * 3600,
            _ => CAT_AT,
        };
        assert_eq!(
            judge(&policy, &get(&target, &[]), now),
            Err(reason),
            "{target}"
        );
    }
    // Signed with its query, it is not for the path alone, and the other way round.
    let whole = policy_of(&provider(), SECRET);
    let target = worker_example("/images/cat.jpg", "w=1&");
    let refused = judge(&whole, &get(&target, &[]), CAT_AT);
    assert_eq!(refused, Err(Reason::WrongSignature));
}

#[test]
fn a_link_for_the_path_alone_is_signed_here_too() {
    let policy = policy_of(&provider_with(json!({ "message": "path" })), SECRET);
    let now = UnixMillis::from_secs(CAT_AT);
    for (target, other) in [("/a|b?x=1", "/a%7Cb?y=2"), ("/a", "/a?y=2")] {
        let link = crate::common::signed(&policy, 0, target, now);
        let (_, token) = link.rsplit_once("verify=").unwrap();
        let judged = judge(
            &policy,
            &get(&format!("{other}&verify={token}"), &[]),
            CAT_AT,
        );
        assert_eq!(judged.as_deref(), Ok(other), "{link}");
    }
}

#[test]
fn links_for_the_path_and_for_the_whole_target_need_rings_of_their_own() {
    let text = json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "01", "env": "SECRET" }] },
        "providers": { "a": provider(), "b": provider_with(json!({ "message": "path" })) },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": { "any": ["a", "b"] } }],
        "unmatched": "deny"
    });
    let environment = |_: &str| Some(SECRET.into());
    let parsed =
        keygate_core::decision::policy::Policy::parse(text.to_string().as_bytes(), &environment);
    let problems = parsed.err().unwrap();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("another message"), "{told:?}");
}

fn provider() -> Value {
    json!({ "type": "signed_url", "format": "cloudflare", "secrets": "ring", "ttl": "3h" })
}

fn provider_with(more: Value) -> Value {
    let mut provider = provider();
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    provider
}

/// The vectors, or the attacks, of this format.
fn known(kind: &str) -> Vec<Value> {
    let text = include_str!("../../../tests/vectors/signed-urls.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let of_ours = |it: &&Value| it["system"].as_str().unwrap().starts_with("cloudflare");
    let all = all[kind].as_array().unwrap();
    all.iter().filter(of_ours).cloned().collect()
}

/// The provider and request that a vector stands for.
fn request_of(vector: &Value) -> (Value, Vec<keygate_core::http::request::Header>) {
    let inputs = &vector["inputs"];
    let base64 = if inputs["flags"] == "s" {
        "url"
    } else {
        "standard"
    };
    let options = match vector["id"].as_str().unwrap() {
        "cloudflare/header_mode" => {
            json!({ "headers": { "timestamp": "timestamp", "mac": "mac" } })
        }
        "cloudflare/directory_doc_example" => json!({ "directory_length": 45 }),
        _ => json!({ "parameter": inputs["param"] }),
    };
    let mut provider = provider_with(options);
    provider["base64"] = json!(base64);
    provider["ttl"] = json!(format!("{}s", vector["ttl"]));
    let headers = match &vector["expected"] {
        Value::String(target) => get(target, &[]),
        expected => get(
            inputs["message"].as_str().unwrap(),
            &[
                (
                    "timestamp",
                    inputs["headers"]["timestamp"].as_str().unwrap(),
                ),
                ("mac", expected["mac_header"].as_str().unwrap()),
            ],
        ),
    };
    (provider, headers)
}

#[test]
fn the_published_vectors_pass_and_expire_on_the_second() {
    let vectors = known("vectors");
    assert!(vectors.len() >= 6);
    for vector in &vectors {
        let (provider, headers) = request_of(vector);
        let policy = policy_of(&provider, vector["secret"].as_str().unwrap());
        let at = |field: &str| vector[field].as_u64().unwrap();
        let id = &vector["id"];
        assert!(judge(&policy, &headers, at("now_valid")).is_ok(), "{id}");
        assert!(
            judge(&policy, &headers, at("now_expired") - 1).is_ok(),
            "{id}"
        );
        let expired = judge(&policy, &headers, at("now_expired"));
        assert_eq!(expired, Err(Reason::Expired), "{id}");
    }
}

#[test]
fn one_changed_byte_of_token_or_path_is_refused() {
    for vector in &known("vectors") {
        let (provider, headers) = request_of(vector);
        let policy = policy_of(&provider, vector["secret"].as_str().unwrap());
        let now = vector["now_valid"].as_u64().unwrap();
        for (name, value) in headers.iter().filter(|(name, _)| name != b":authority") {
            if name == b":method" {
                continue;
            }
            // In a directory link the name of the file is free.
            let free = match vector["inputs"]["request"].as_str() {
                Some(request) => 45..request.len(),
                None => 0..0,
            };
            for at in (1..value.len()).filter(|at| !free.contains(at)) {
                let mut forged = headers.clone();
                for (candidate, value) in &mut forged {
                    if candidate == name {
                        let mut changed = value.to_vec();
                        changed[at] = if value[at] == b'a' { b'b' } else { b'a' };
                        *value = changed.into();
                    }
                }
                assert!(
                    judge(&policy, &forged, now).is_err(),
                    "{} byte {at}",
                    vector["id"]
                );
            }
        }
    }
}

#[test]
fn the_published_forgeries_are_refused() {
    let attacks = known("attacks");
    assert!(attacks.len() >= 5);
    for attack in attacks {
        let policy = policy_of(&provider(), attack["secret"].as_str().unwrap());
        for now in [1_484_063_788, 1_657_026_354, 1_700_000_001, 9_999_999_999] {
            if let Some(target) = attack["attack"].as_str().filter(|it| it.starts_with('/')) {
                let refused = judge(&policy, &get(target, &[]), now);
                let is_future_in_its_time =
                    attack["id"] == "attack/cloudflare_future_timestamp" && now == 9_999_999_999;
                assert_eq!(refused.is_err(), !is_future_in_its_time, "{}", attack["id"]);
            }
        }
    }
}

#[test]
fn every_spelling_of_the_mac_but_the_right_one_is_malformed() {
    let policy = policy_of(&provider(), "my secret symmetric key");
    let good = "4oNFGWUimg2YvQi9MUdF4bFAzbpzY%2BsNFJIE32TqhxM%3D";
    let allowed = judge(
        &policy,
        &get(&format!("/file1?verify=1700000000-{good}"), &[]),
        1_700_000_001,
    );
    assert_eq!(allowed.as_deref(), Ok("/file1"));
    let plain = "4oNFGWUimg2YvQi9MUdF4bFAzbpzY+sNFJIE32TqhxM=";
    let encoded: String = plain.bytes().map(|it| format!("%{it:02X}")).collect();
    // A plus is a plus, never a blank, and equivalent spellings are equal.
    for equal in [
        plain,
        "4oNFGWUimg2YvQi9MUdF4bFAzbpzY%2bsNFJIE32TqhxM%3d",
        &encoded,
    ] {
        let target = format!("/file1?verify=1700000000-{equal}");
        assert!(
            judge(&policy, &get(&target, &[]), 1_700_000_001).is_ok(),
            "{equal}"
        );
    }
    for wrong in [
        "4oNFGWUimg2YvQi9MUdF4bFAzbpzY%2BsNFJIE32TqhxM",
        "4oNFGWUimg2YvQi9MUdF4bFAzbpzY%2BsNFJIE32TqhxM%3D%3D",
        "%21%214oNFGWUimg2YvQi9MUdF4bFAzbpzY%2BsNFJIE32TqhxM%3D",
        "4oNFGWUimg2YvQi9MUdF4bFAzbpzY-sNFJIE32TqhxM%3D",
        "4oNFGWUimg2YvQi9MUdF4bFAzbpzY%2BsNFJIE32TqhxN%3D",
        "4oNFGWUimg2YvQi9MUdF4bFAzbpzY%20sNFJIE32TqhxM%3D",
        "4oNFGWUimg2YvQi9MUdF4bFAzbpzY%2BsN",
        "",
        "%zz",
    ] {
        let target = format!("/file1?verify=1700000000-{wrong}");
        let refused = judge(&policy, &get(&target, &[]), 1_700_000_001);
        assert_eq!(refused, Err(Reason::MalformedCredential), "{wrong}");
    }
}

#[test]
fn a_stamp_is_ten_digits_and_nothing_else() {
    let policy = policy_of(&provider(), SECRET);
    let mac = "XsZ5NmtNBxOd4f4fBOtqVmpWRnDRNkHKVZieqDPKu3U%3D";
    for stamp in [
        "",
        "148406378",
        "14840637870",
        "01484063787",
        "0484063787",
        "+484063787",
        "-484063787",
        "%31484063787",
        "148406378x",
        " 148406378",
        "1484063787.0",
        "1e9",
        "0x58750000",
        "18446744073709551616",
        "99999999999999999999999999999999",
    ] {
        let target = format!("/images/cat.jpg?verify={stamp}-{mac}");
        let refused = judge(&policy, &get(&target, &[]), CAT_AT).unwrap_err();
        // A raw blank never comes as far as the token.
        let reason = if stamp.contains(' ') {
            Reason::AmbiguousPath
        } else {
            Reason::MalformedCredential
        };
        assert_eq!(refused, reason, "{stamp:?}");
    }
}

#[test]
fn the_token_is_the_last_parameter_under_its_own_name_and_stands_once() {
    let policy = policy_of(&provider(), SECRET);
    let token = CAT.split_once("verify=").unwrap().1;
    for (target, reason) in [
        ("/images/cat.jpg".to_owned(), Reason::MissingCredential),
        (
            format!("/images/cat.jpg?Verify={token}"),
            Reason::MissingCredential,
        ),
        (
            format!("/images/cat.jpg?verify[]={token}"),
            Reason::MissingCredential,
        ),
        (
            format!("/images/cat.jpg?myverify={token}"),
            Reason::MissingCredential,
        ),
        (
            format!("/images/cat.jpg?%76erify={token}"),
            Reason::MalformedCredential,
        ),
        (format!("{CAT}&a=1"), Reason::MalformedCredential),
        (format!("{CAT}&"), Reason::MalformedCredential),
        (format!("{CAT}&verify={token}"), Reason::DuplicateCredential),
        (
            format!("/images/cat.jpg?verify=x&verify={token}"),
            Reason::DuplicateCredential,
        ),
        (
            format!("/images/cat.jpg?a=1&verify={token}"),
            Reason::WrongSignature,
        ),
        (
            format!("/images/cat.jpg?&verify={token}"),
            Reason::WrongSignature,
        ),
        (
            format!("/images/cat.jp?verify={token}"),
            Reason::WrongSignature,
        ),
        (
            format!("/images/%63at.jpg/../b?verify={token}"),
            Reason::AmbiguousPath,
        ),
        (
            format!("/images/cat.jpg?verify={}", "1".repeat(5000)),
            Reason::MalformedCredential,
        ),
    ] {
        assert_eq!(
            judge(&policy, &get(&target, &[]), CAT_AT),
            Err(reason),
            "{target}"
        );
    }
}

#[test]
fn the_query_in_front_of_the_token_is_signed_and_left_as_it_is() {
    let policy = policy_of(&provider(), SECRET);
    let target = "/download?file=1&user=7&verify=1700000000-%2B2Em0UqZ0K7AMungtfsacKHfCJyDiEVZRofmE8R4uFY%3D";
    let forwarded = judge(&policy, &get(target, &[]), 1_700_000_001);
    assert_eq!(forwarded.as_deref(), Ok("/download?file=1&user=7"));
    let changed = target.replace("user=7", "user=8");
    let refused = judge(&policy, &get(&changed, &[]), 1_700_000_001);
    assert_eq!(refused, Err(Reason::WrongSignature));
}

#[test]
fn a_stamp_from_the_future_counts_only_within_the_skew() {
    let token = CAT.split_once("verify=").unwrap().1;
    let target = format!("/images/cat.jpg?verify={token}");
    let stamp = 1_484_063_787;
    for (skew, ahead, expected) in [
        (None, 30, true),
        (None, 31, false),
        (Some("5s"), 5, true),
        (Some("5s"), 6, false),
    ] {
        let provider = match skew {
            Some(skew) => provider_with(json!({ "skew": skew })),
            None => provider(),
        };
        let verdict = judge(
            &policy_of(&provider, SECRET),
            &get(&target, &[]),
            stamp - ahead,
        );
        let expected = if expected {
            Ok("/images/cat.jpg".to_owned())
        } else {
            Err(Reason::NotYetValid)
        };
        assert_eq!(verdict, expected, "{skew:?} {ahead}");
    }
}

#[test]
fn an_absolute_expiry_ends_at_its_stamp_and_is_bounded() {
    let mut provider = provider_with(json!({ "stamp": "expires", "max_lifetime": "1h" }));
    provider.as_object_mut().unwrap().remove("ttl");
    let policy = policy_of(&provider, SECRET);
    let end = 1_484_063_787;
    for (now, expected) in [
        (end - 1, Ok(())),
        (end, Err(Reason::Expired)),
        (end - 3600 - 30, Ok(())),
        (end - 3600 - 31, Err(Reason::LifetimeTooLong)),
    ] {
        let verdict = judge(&policy, &get(CAT, &[]), now).map(drop);
        assert_eq!(verdict, expected, "{now}");
    }
}

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
        let policy =
            keygate_core::decision::policy::Policy::parse(text.as_bytes(), &environment).unwrap();
        judge(&policy, &get(CAT, &[]), CAT_AT).map(drop)
    };
    assert_eq!(judged("2017-01-10T15:56:29Z"), Ok(()));
    assert_eq!(judged("2017-01-10T15:56:28Z"), Err(Reason::WrongSignature));
}

#[test]
fn a_directory_link_covers_whole_segments_only() {
    let with_length = |length: usize| {
        policy_of(
            &provider_with(json!({ "directory_length": length })),
            "mysecrettoken",
        )
    };
    // The MAC is over the 15 bytes "/images/cat.jpg", which are no directory.
    let token = CAT.split_once("verify=").unwrap().1;
    for target in [
        format!("/images/cat.jpg/x?verify={token}"),
        format!("/images/cat.jpgx?verify={token}"),
    ] {
        let refused = judge(&with_length(15), &get(&target, &[]), CAT_AT);
        assert_eq!(refused, Err(Reason::WrongSignature), "{target}");
    }
    // Cut inside a character or behind the end of the path: no directory at all.
    for length in [2, 400] {
        let refused = judge(&with_length(length), &get(CAT, &[]), CAT_AT);
        assert_eq!(refused, Err(Reason::WrongSignature), "{length}");
    }
}

/// The secret, what is signed of the target, and the token at `CAT_AT`.
fn token_over(signed: &str) -> String {
    use hmac::Mac as _;
    let mut mac = keygate_core::secret::mac::mac(SECRET.as_bytes());
    mac.update(format!("{signed}1484063787").as_bytes());
    let mac = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        mac.finalize().into_bytes(),
    );
    format!("1484063787-{mac}")
}

#[test]
fn a_link_for_a_directory_of_any_length_opens_what_lies_below_and_nothing_else() {
    let provider = provider_with(json!({ "directory": true, "base64": "url" }));
    let policy = policy_of(&provider, SECRET);
    let judged = |signed: &str, target: &str, separator: &str| {
        let target = format!("{target}{separator}{}", token_over(signed));
        judge(&policy, &get(&target, &[]), CAT_AT)
    };
    for (signed, target, separator) in [
        ("/a/", "/a/b.ts", "?verify="),
        ("/a/", "/a/b/c/d.ts", "?verify="),
        ("/a/b/", "/a/b/c.ts", "?verify="),
        ("/a/b/", "/a/b/", "?verify="),
        ("/a/?verify=", "/a/b.ts", "?verify="),
        ("/a/?q=1", "/a/b.ts?q=1", "&verify="),
        ("/a/?q=1&verify=", "/a/b.ts?q=1", "&verify="),
    ] {
        let judged = judged(signed, target, separator);
        assert_eq!(judged.as_deref(), Ok(target), "{signed}");
    }
    for (signed, target, separator) in [
        ("/a/", "/ab/c.ts", "?verify="),
        ("/a/", "/b/a/c.ts", "?verify="),
        ("/a/", "/a", "?verify="),
        ("/a", "/a/b.ts", "?verify="),
        ("/", "/a/b.ts", "?verify="),
        ("/a/b.ts", "/a/b.ts", "?verify="),
        ("/a/", "/a/b.ts?q=1", "&verify="),
        ("/a/?q=1", "/a/b.ts?q=2", "&verify="),
    ] {
        let refused = judged(signed, target, separator);
        assert_eq!(refused, Err(Reason::WrongSignature), "{signed} {target}");
    }
}

#[test]
fn directories_are_tried_from_the_longest_and_not_without_end() {
    let provider = provider_with(json!({ "directory": true, "base64": "url" }));
    let policy = policy_of(&provider, SECRET);
    let opened = |below: usize| {
        let path = format!("/a/{}c.ts", "b/".repeat(below));
        let target = format!("{path}?verify={}", token_over("/a/"));
        judge(&policy, &get(&target, &[]), CAT_AT).is_ok()
    };
    assert_eq!([31, 32].map(opened), [true, false]);
}

#[test]
fn the_longest_directory_that_was_signed_is_what_a_link_covers() {
    use crate::common::facts;
    use keygate_core::decision::provider::Provider;
    use keygate_core::http::request::Request;
    use keygate_core::keys::record::NothingKnown;
    use keygate_core::signed_url::format::Covers;
    use keygate_core::time::UnixMillis;
    let provider = provider_with(json!({ "directory": true, "base64": "url" }));
    let policy = policy_of(&provider, SECRET);
    let Provider::SignedUrl(links) = policy.rules.all()[0].require.providers()[0] else {
        panic!("the rule requires a signed URL");
    };
    let target = format!("/a/b/c.ts?verify={}", token_over("/a/"));
    let headers = get(&target, &[]);
    let request = Request::read(&headers).unwrap();
    let facts = facts(&NothingKnown, None, UnixMillis::from_secs(CAT_AT));
    let link = links.format.verify(&request, &facts.of_link()).unwrap();
    assert_eq!(link.covers, Covers::Prefix("/a/"));
}

#[test]
fn a_link_for_a_directory_is_signed_with_the_prefix_that_it_is_to_cover() {
    use crate::common::{order, sign};
    use keygate_core::signed_url::sign::Scope;
    use keygate_core::time::UnixMillis;
    let provider = provider_with(json!({ "directory": true }));
    let policy = policy_of(&provider, SECRET);
    let order = order("/a/b/c.ts?q=1", UnixMillis::from_secs(CAT_AT));
    let signed = |scope| {
        sign(
            &policy,
            0,
            &keygate_core::signed_url::sign::Order { scope, ..order },
        )
    };
    let url = signed(Scope::Prefix("/a/")).unwrap().url;
    let beside = url.replace("/b/c.ts", "/d/e.ts");
    assert_eq!(
        judge(&policy, &get(&beside, &[]), CAT_AT).as_deref(),
        Ok("/a/d/e.ts?q=1")
    );
    for scope in [
        Scope::Path,
        Scope::Prefix("/"),
        Scope::Prefix("/a"),
        Scope::Prefix("/b/"),
    ] {
        assert!(signed(scope).is_err(), "{scope:?}");
    }
}

#[test]
fn a_stranger_buys_no_long_search_for_the_directory() {
    use base64::Engine as _;
    use hmac::Mac as _;
    // What is long costs 64 MACs over all of it, whoever asks.
    let provider = provider_with(json!({ "directory": true, "base64": "url" }));
    let policy = policy_of(&provider, SECRET);
    for (path, query, holds) in [
        (8_000, 1, true),
        (1, 8_000, true),
        (8_200, 1, false),
        (1, 8_200, false),
    ] {
        let query = format!("?{}", "b".repeat(query));
        let mut mac = keygate_core::secret::mac::mac(SECRET.as_bytes());
        mac.update(format!("/a/{query}1484063787").as_bytes());
        let mac =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        let target = format!("/a/{}{query}&verify=1484063787-{mac}", "c".repeat(path));
        let judged = judge(&policy, &get(&target, &[]), CAT_AT);
        assert_eq!(judged.is_ok(), holds, "{path} {}: {judged:?}", query.len());
    }
}

#[test]
fn a_ring_whose_stamps_mean_the_end_serves_no_provider_whose_stamps_mean_the_beginning() {
    let end = CAT_AT;
    let mac = {
        use base64::Engine as _;
        use hmac::Mac as _;
        let mut mac = keygate_core::secret::mac::mac(SECRET.as_bytes());
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
        keygate_core::decision::policy::Policy::parse(text.to_string().as_bytes(), &environment)
    };
    let target = format!("/a?verify={end}-{mac}");
    // With one ring the link would begin to live anew at its end.
    let problems = policy("ring").err().unwrap();
    assert!(problems[0].to_string().contains("another meaning of stamp"));
    let policy = policy("other").unwrap();
    assert!(judge(&policy, &get(&target, &[]), end - 1).is_ok());
    assert!(judge(&policy, &get(&target, &[]), end).is_err());
}

#[test]
fn a_refusal_that_names_the_page_repeats_no_token() {
    let text = json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "01", "env": "SECRET" }] },
        "providers": { "it": provider_with(json!({ "parameter": "verify" })) },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it", "deny": "login" }],
        "responses": { "login": { "redirect": "https://login.example/?to={url}" } },
        "unmatched": "deny"
    });
    let policy = crate::common::policy(&text, SECRET);
    let expired = UnixMillis::from_secs(CAT_AT + 3 * 3600);
    let nobody = NoAnswer(Reason::KeyServiceUnavailable);
    let Verdict::Deny(denial) = policy.decide(
        &get(CAT, &[]),
        &crate::common::facts(&nobody, None, expired),
    ) else {
        panic!("it has expired");
    };
    assert_eq!(denial.reason, Reason::Expired);
    let mut headers = denial.headers.iter();
    let location = headers.find(|(name, _)| name == "location").unwrap();
    assert_eq!(location.1, "https://login.example/?to=%2Fimages%2Fcat.jpg");
}

#[test]
fn who_asks_why_is_told_what_was_signed_and_not_what_would_be_right() {
    let policy = policy_of(&provider(), SECRET);
    let moved = CAT.replace(".jpg?", ".jpg/?");
    let told = crate::common::explains(&policy, &get(&moved, &[]), "", CAT_AT);
    let differs = "what differs: signed was the path without its last slash";
    assert!(told.contains(differs), "{told}");
    assert!(!told.contains(&CAT[CAT.len() - 20..]), "{told}");
}
