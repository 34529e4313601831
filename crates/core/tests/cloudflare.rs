//! Links in Cloudflare's format: known answers, forgeries, and every way to be wrong.

mod directory;
mod message;
mod places;

use keygate_core::keys::NoAnswer;
use keygate_core::{Reason, UnixMillis, Verdict};
use keygate_testkit::judge::{get, judge, policy_of};
use serde_json::{Value, json};

const SECRET: &str = "mysecrettoken";
const CAT: &str =
    "/images/cat.jpg?verify=1484063787-XsZ5NmtNBxOd4f4fBOtqVmpWRnDRNkHKVZieqDPKu3U%3D";
const CAT_AT: u64 = 1_484_063_788;

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
fn request_of(vector: &Value) -> (Value, Vec<keygate_core::Header>) {
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
fn one_changed_byte_of_token_or_path_is_rejected() {
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
fn the_published_forgeries_are_rejected() {
    let attacks = known("attacks");
    assert!(attacks.len() >= 5);
    for attack in attacks {
        let policy = policy_of(&provider(), attack["secret"].as_str().unwrap());
        for now in [1_484_063_788, 1_657_026_354, 1_700_000_001, 9_999_999_999] {
            if let Some(target) = attack["attack"].as_str().filter(|it| it.starts_with('/')) {
                let rejected = judge(&policy, &get(target, &[]), now);
                let is_future_in_its_time =
                    attack["id"] == "attack/cloudflare_future_timestamp" && now == 9_999_999_999;
                assert_eq!(
                    rejected.is_err(),
                    !is_future_in_its_time,
                    "{}",
                    attack["id"]
                );
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
        let rejected = judge(&policy, &get(&target, &[]), 1_700_000_001);
        assert_eq!(rejected, Err(Reason::MalformedCredential), "{wrong}");
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
        let rejected = judge(&policy, &get(&target, &[]), CAT_AT).unwrap_err();
        // A raw blank never comes as far as the token.
        let reason = if stamp.contains(' ') {
            Reason::AmbiguousPath
        } else {
            Reason::MalformedCredential
        };
        assert_eq!(rejected, reason, "{stamp:?}");
    }
}

#[test]
fn the_token_is_the_last_parameter_with_its_exact_name_and_unique() {
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
    let rejected = judge(&policy, &get(&changed, &[]), 1_700_000_001);
    assert_eq!(rejected, Err(Reason::WrongSignature));
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
fn a_rejection_that_names_the_page_repeats_no_token() {
    let text = json!({
        "version": 1,
        "secrets": { "ring": [{ "id": "01", "env": "SECRET" }] },
        "providers": { "it": provider_with(json!({ "parameter": "verify" })) },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it", "deny": "login" }],
        "responses": { "login": { "redirect": "https://login.example/?to={url}" } },
        "unmatched": "deny"
    });
    let policy = keygate_testkit::judge::policy(&text, SECRET);
    let expired = UnixMillis::from_secs(CAT_AT + 3 * 3600);
    let nobody = NoAnswer(Reason::KeyServiceUnavailable);
    let Verdict::Deny(denial) = policy.decide(
        &get(CAT, &[]),
        &keygate_testkit::judge::facts(&nobody, None, expired),
    ) else {
        panic!("it has expired");
    };
    assert_eq!(denial.reason, Reason::Expired);
    let mut headers = denial.headers.iter();
    let location = headers.find(|(name, _)| name == "location").unwrap();
    assert_eq!(location.1, "https://login.example/?to=%2Fimages%2Fcat.jpg");
}

#[test]
fn explain_shows_what_was_signed_but_no_valid_mac() {
    let policy = policy_of(&provider(), SECRET);
    let moved = CAT.replace(".jpg?", ".jpg/?");
    let told = keygate_testkit::judge::explains(&policy, &get(&moved, &[]), "", CAT_AT);
    let differs = "what differs: the signature covers the path without its last slash";
    assert!(told.contains(differs), "{told}");
    assert!(!told.contains(&CAT[CAT.len() - 20..]), "{told}");
}
