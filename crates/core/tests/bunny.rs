//! Links of Bunny's token authentication, version 2: its vectors, forgeries, and every way
//! to be wrong.

use keygate_core::signed_url::Scope;
use keygate_core::{Policy, Reason, UnixMillis};
use keygate_testkit::judge::{explains, get, judge_from, order, policy_of, problems_of, sign};
use serde_json::{Value, json};

const SECRET: &str = "SecurityKey";
const END: u64 = 1_598_024_587;
const NOW: u64 = END - 60;
const CLIENT: &str = "1.2.3.4";

fn provider(more: Value) -> Value {
    let mut provider = json!({
        "type": "signed_url", "format": "bunny", "secrets": "ring", "max_lifetime": "7d",
        "country_header": "x-country"
    });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    provider
}

fn policy(more: Value) -> Policy {
    policy_of(&provider(more), SECRET)
}

fn judged(target: &str) -> Result<String, Reason> {
    judge_from(&policy(json!({})), &get(target, &[]), CLIENT, NOW)
}

#[test]
fn a_plain_link_passes_until_its_end_and_loses_its_token() {
    let token = "HS256-o10JRWlsAItyAsdKS6jJKjabHN4FrFsplDHPV1idcX4";
    let target = format!("/300kb.jpg?token={token}&expires={END}");
    for (now, expected) in [
        (END - 1, Ok("/300kb.jpg".to_owned())),
        (END, Err(Reason::Expired)),
        (END - 7 * 24 * 3600 - 31, Err(Reason::LifetimeTooLong)),
    ] {
        let judged = judge_from(&policy(json!({})), &get(&target, &[]), CLIENT, now);
        assert_eq!(judged, expected, "{now}");
    }
    for wrong in [
        target.replace("HS256-", ""),
        target.replace("HS256-", "HS512-"),
        target.replace("HS256-", "HS256-1-"),
        target.replace("cX4", "cX5"),
        target.replace("cX4", "cX4="),
        target.replace("cX4", "cX"),
        target.replace("expires=1", "expires=01"),
        target.replace("expires=1", "expires=%31x"),
    ] {
        assert_eq!(judged(&wrong), Err(Reason::MalformedCredential), "{wrong}");
    }
    for wrong in [
        target.replace("300kb", "301kb"),
        target.replace("4587", "4588"),
        format!("{target}&limit=5"),
        format!("{target}&v=1"),
    ] {
        assert_eq!(judged(&wrong), Err(Reason::WrongSignature), "{wrong}");
    }
    assert_eq!(judged("/300kb.jpg"), Err(Reason::MissingCredential));
    let twice = format!("{target}&token={token}");
    assert_eq!(judged(&twice), Err(Reason::DuplicateCredential));
    let both = format!("/bcdn_token={token}&expires={END}{target}");
    assert_eq!(judged(&both), Err(Reason::DuplicateCredential));
}

#[test]
fn a_digit_does_not_move_between_the_path_and_the_end() {
    let mac = "HS256-fqGyiqv6mm-yh9uB8FXh9CdT2gGYymfVh7Wm35EcA4U";
    let legit = format!("/a1?token={mac}&expires={END}");
    assert!(judged(&legit).is_ok());
    let forged = format!("/a?token={mac}&expires=1{END}");
    assert_eq!(judged(&forged), Err(Reason::MalformedCredential));
}

#[test]
fn the_configuration_and_not_the_token_says_whether_links_are_bound() {
    let mac = "AIBxehXeI5nKQrvH6vjj_lBdg3EBrbaGP1R7PwUDflU";
    let bound = policy(json!({ "bind_address": true }));
    let free = policy(json!({ "bind_address": false }));
    let legit = get(&format!("/a?token=HS256-1-{mac}&expires={END}"), &[]);
    assert!(judge_from(&bound, &legit, "50.56.57.48", NOW).is_ok());
    let elsewhere = judge_from(&bound, &legit, CLIENT, NOW);
    assert_eq!(elsewhere, Err(Reason::WrongSignature));
    let nowhere = judge_from(&bound, &legit, "", NOW);
    assert_eq!(nowhere, Err(Reason::AddressNotAllowed));
    let stripped = get(&format!("/a?token=HS256-{mac}&expires={END}"), &[]);
    let longer = get(&format!("/a?token=HS256-{mac}&expires={END}2890"), &[]);
    for policy in [&bound, &free] {
        for forged in [&stripped, &longer] {
            assert!(judge_from(policy, forged, "50.56.57.48", NOW).is_err());
        }
    }
    assert_eq!(
        judge_from(&free, &legit, "50.56.57.48", NOW),
        Err(Reason::MalformedCredential)
    );
}

#[test]
fn of_an_ipv6_address_the_network_counts() {
    let bound = policy(json!({ "bind_address": true }));
    let mac = "HS256-1-Z1BaGdhTZdU4iANcyKpurFR2VgCNdqC6hlBv5x_TyaI";
    let headers = get(&format!("/300kb.jpg?token={mac}&expires={END}"), &[]);
    for (client, expected) in [
        ("2001:db8:85a3::8a2e:370:7334", true),
        ("2001:db8:85a3::1", true),
        ("2001:db8:85a3:1::1", false),
    ] {
        let judged = judge_from(&bound, &headers, client, NOW);
        assert_eq!(judged.is_ok(), expected, "{client}");
    }
}

#[test]
fn the_country_comes_only_from_the_proxy() {
    let allowed = format!(
        "/300kb.jpg?token=HS256-i5s3Uv7mnrFfN5nznwU2BxhILpnipYeE18TapV0WNFM&token_countries=CA%2CUS&expires={END}"
    );
    let blocked = format!(
        "/300kb.jpg?token=HS256-JS8dSuBSjSH-W2-xhdkCPC36-2rlxfDCQJjlNMPqKZQ&token_countries_blocked=RU%2CCN&expires={END}"
    );
    let policy = policy(json!({}));
    for (target, country, expected) in [
        (&allowed, vec!["CA"], true),
        (&allowed, vec!["us"], true),
        (&allowed, vec!["DE"], false),
        (&allowed, vec!["C"], false),
        (&allowed, vec!["CA,US"], false),
        (&allowed, vec!["CA", "CA"], false),
        (&allowed, vec![], false),
        (&blocked, vec!["US"], true),
        (&blocked, vec!["ru"], false),
        (&blocked, vec![""], false),
        (&blocked, vec![], false),
    ] {
        let headers: Vec<_> = country.iter().map(|it| ("x-country", *it)).collect();
        let judged = judge_from(&policy, &get(target, &headers), CLIENT, NOW);
        let wanted = match expected {
            true => Ok("/300kb.jpg".to_owned()),
            false => Err(Reason::AddressNotAllowed),
        };
        assert_eq!(judged, wanted, "{target} {country:?}");
    }
    let blind = policy_of(&provider(json!({ "country_header": null })), SECRET);
    let judged = judge_from(&blind, &get(&allowed, &[("x-country", "CA")]), CLIENT, NOW);
    assert_eq!(judged, Err(Reason::AddressNotAllowed));
}

#[test]
fn a_token_path_opens_its_directory_and_no_other() {
    let token = format!(
        "token=HS256-uVZvT3SbEoVKYJyDJgbcsDmSFf73cv-uNUVaJiKWpbQ&token_path=%2Fabc&expires={END}"
    );
    for (path, expected) in [
        ("/abc/300kb.jpg", true),
        ("/abc/d/e.ts", true),
        ("/abc", true),
        ("/abc/%c3%a9", true),
        ("/abcd/x", false),
        ("/x", false),
    ] {
        let judged = judged(&format!("{path}?{token}"));
        let wanted = match expected {
            true => Ok(path.to_owned()),
            false => Err(Reason::WrongSignature),
        };
        assert_eq!(judged, wanted, "{path}");
    }
    let segment = token.replace("token=HS256", "bcdn_token=HS256");
    assert_eq!(
        judged(&format!("/{segment}/abc/x.ts")).as_deref(),
        Ok("/abc/x.ts")
    );
    assert!(judged(&format!("/{segment}/abcd/x.ts")).is_err());
    // What its child asks for besides is not signed.
    assert!(judged(&format!("/{segment}/abc/x.ts?v=1")).is_err());
}

/// A link in the directory form, as `token.py`, `token.js` and `url_signing.php` of BunnyWay's
/// repository BunnyCDN.TokenAuthentication (version 2, July 2026) make it: the values are
/// signed as they are given, and percent-encoded into the segment.
fn in_directory(token_path: &str, more: &[(&str, &str)], path: &str) -> String {
    use base64::Engine as _;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let encode = |text: &str| -> String {
        let keeps = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
        let byte = |it: u8| match keeps(it) {
            true => char::from(it).to_string(),
            false => format!("%{it:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let mut parameters = vec![("token_path", token_path)];
    parameters.extend(more);
    parameters.sort_unstable();
    let pair = |(name, value): &(&str, &str)| format!("{name}={value}");
    let signed: Vec<String> = parameters.iter().map(pair).collect();
    let message = format!("{token_path}{END}{}", signed.join("&"));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    let mac = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    let pair = |(name, value): &(&str, &str)| format!("&{name}={}", encode(value));
    let sent: String = parameters.iter().map(pair).collect();
    format!("/bcdn_token=HS256-{mac}{sent}&expires={END}{path}")
}

#[test]
fn a_value_in_the_segment_may_have_an_encoding_of_its_own() {
    let link = in_directory("/my%20videos/", &[], "/my%20videos/a.m3u8");
    assert!(link.contains("token_path=%2Fmy%2520videos%2F"), "{link}");
    assert_eq!(judged(&link).as_deref(), Ok("/my%20videos/a.m3u8"));
    let child = link.replace("a.m3u8", "b/1.ts?x");
    // Whatever else stands in the query is signed.
    assert_eq!(judged(&child), Err(Reason::WrongSignature));
    let child = link.replace("a.m3u8", "b/1.ts");
    assert_eq!(judged(&child).as_deref(), Ok("/my%20videos/b/1.ts"));
    for (from, to, reason) in [
        ("/my%20videos/a", "/my%2520videos/a", Reason::AmbiguousPath),
        ("/my%20videos/a", "/other/a", Reason::WrongSignature),
        ("%2520", "%252e%252e%252f", Reason::WrongSignature),
        ("%2520", "%00", Reason::AmbiguousPath),
    ] {
        let forged = link.replace(from, to);
        assert_eq!(judged(&forged), Err(reason), "{forged}");
    }
}

#[test]
fn parameters_in_the_segment_do_not_reach_the_upstream() {
    let link = in_directory("/a/", &[("width", "300")], "/a/b.jpg");
    assert_eq!(judged(&link).as_deref(), Ok("/a/b.jpg"));
    let wider = link.replace("width=300", "width=301");
    assert_eq!(judged(&wider), Err(Reason::WrongSignature));
}

#[test]
fn other_parameters_are_signed_unless_the_link_says_that_they_are_not() {
    let token = "HS256-1lwWBD_c1IAGSj1UKPoxreu8ePDQ-Z9FoWLcRn_RRH0";
    let target = format!("/300kb.jpg?v=1&token={token}&token_ignore_params=true&expires={END}");
    assert_eq!(judged(&target).as_deref(), Ok("/300kb.jpg?v=1"));
    let off = target.replace("=true", "=false");
    assert_eq!(judged(&off), Err(Reason::MalformedCredential));
}

#[test]
fn our_signatures_verify() {
    let now = UnixMillis::from_secs(NOW);
    let net = [format!("{CLIENT}/32").parse().unwrap()];
    for (options, prefix, bound) in [
        (vec![], None, false),
        (vec![("directory", "true")], None, false),
        (vec![("directory", "true")], Some("/a b/"), true),
        (
            vec![("countries", "CA,US"), ("limit", "5")],
            Some("/"),
            true,
        ),
        (vec![("ignore_params", "true")], None, true),
        (vec![("countries_blocked", "RU")], None, false),
    ] {
        let policy = policy(json!({ "bind_address": bound }));
        let mut order = order("/a%20b/%C3%BC-~.ts?b=2&a=%2f%26", now);
        assert!(sign(&policy, 0, &order).is_err(), "no end was given");
        order.expires = Some(UnixMillis::from_secs(END));
        order.options = &options;
        order.scope = prefix.map_or(Scope::Path, Scope::Prefix);
        assert_eq!(sign(&policy, 0, &order).is_ok(), !bound, "{options:?}");
        order.addresses = if bound { &net } else { &[] };
        let url = sign(&policy, 0, &order).unwrap().url;
        let judged = judge_from(&policy, &get(&url, &[("x-country", "CA")]), CLIENT, NOW);
        let forwarded = judged.unwrap_or_else(|it| panic!("{url}: {}", it.code()));
        assert!(
            forwarded.starts_with("/a%20b/%C3%BC-~.ts?b=2&a=%2f%26"),
            "{forwarded}"
        );
        assert!(!forwarded.contains("HS256"), "{forwarded}");
    }
}

#[test]
fn an_explanation_names_what_differs() {
    let target = |path: &str, end: u64| {
        format!("{path}?token=HS256-o10JRWlsAItyAsdKS6jJKjabHN4FrFsplDHPV1idcX4&expires={end}")
    };
    let token_path = format!(
        "/x?token=HS256-uVZvT3SbEoVKYJyDJgbcsDmSFf73cv-uNUVaJiKWpbQ&token_path=%2Fabc&expires={END}"
    );
    for (target, expected) in [
        (
            target("/300kb.jpg/", END),
            "the path without its last slash",
        ),
        (target("/300kb.jpg", END + 9), "the time 1598024587"),
        (
            target("/300kb.jpg", END) + "&v=1",
            "the link without its parameters",
        ),
        (token_path, "/abc, and this path is not below it"),
        (target("/y", END), "cannot tell"),
    ] {
        let told = explains(&policy(json!({})), &get(&target, &[]), CLIENT, NOW);
        assert!(told.contains(expected), "{target}: {told}");
    }
}

#[test]
fn an_invalid_provider_is_reported_by_field() {
    for (more, expected) in [
        (
            json!({ "max_lifetime": null }),
            "providers.it.max_lifetime: is required",
        ),
        (
            json!({ "country_header": "cookie" }),
            "providers.it.country_header: this header",
        ),
        (
            json!({ "bind_address": "yes" }),
            "providers.it.bind_address: invalid type",
        ),
        (json!({ "token": "x" }), "providers.it.token: unknown field"),
    ] {
        let problems = problems_of(&provider(more.clone()));
        assert!(
            problems.iter().any(|it| it.starts_with(expected)),
            "{more}: {problems:?}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn untrusted_bytes_never_panic(query in "[ -~]{0,80}", segment in "[ -~]{0,80}", now: u64) {
        let policy = policy(json!({}));
        let target = format!("/bcdn_token={segment}/a?{query}");
        let _ = judge_from(&policy, &get(&target, &[]), CLIENT, now);
    }
}
