//! Links of nginx's secure_link module, in both modes: known answers, forgeries, and every
//! way to be wrong.

use keygate_core::{Policy, Reason, UnixMillis};
use keygate_testkit::judge::{
    explains, get, judge, judge_from, order, policy_of, problems_of, sign,
};
use serde_json::{Value, json};

const SECRET: &str = "secret";
const SUM: &str = "_e4Nc3iduzkWRm01TBBNYw";
const END: u64 = 2_147_483_647;
const NOW: u64 = END - 60;
/// The template of nginx's own documents.
const DOCUMENTED: &str = "$secure_link_expires$uri$remote_addr $secret";

fn provider(more: Value) -> Value {
    let mut provider = json!({
        "type": "signed_url", "format": "nginx", "secrets": "ring", "allow_weak": true,
        "template": DOCUMENTED, "max_lifetime": "7d"
    });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    provider
}

fn policy(more: Value) -> Policy {
    policy_of(&provider(more), SECRET)
}

fn judged(target: &str, client: &str) -> Result<String, Reason> {
    judge_from(&policy(json!({})), &get(target, &[]), client, NOW)
}

#[test]
fn the_documented_link_passes_until_the_second_of_its_end_is_over() {
    let headers = get(&format!("/s/link?md5={SUM}&expires={END}"), &[]);
    for (now, expected) in [
        (END, Ok("/s/link".to_owned())),
        (END + 1, Err(Reason::Expired)),
        (END - 7 * 24 * 3600 - 30, Err(Reason::LifetimeTooLong)),
    ] {
        let judged = judge_from(&policy(json!({})), &headers, "127.0.0.1", now);
        assert_eq!(judged, expected, "{now}");
    }
    let nowhere = judge(&policy(json!({})), &headers, NOW);
    assert_eq!(nowhere, Err(Reason::AddressNotAllowed));
    let mapped = judge_from(&policy(json!({})), &headers, "::ffff:127.0.0.1", NOW);
    assert!(mapped.is_ok());
}

#[test]
fn a_digit_does_not_move_between_the_path_and_the_address() {
    // Attack A3: the same text is signed.
    let shifted = judged(&format!("/s/link1?md5={SUM}&expires={END}"), "27.0.0.1");
    assert_eq!(shifted, Err(Reason::AmbiguousPath));
    let shifted = judged(&format!("/s/link12?md5={SUM}&expires={END}"), "7.0.0.1");
    assert_eq!(shifted, Err(Reason::AmbiguousPath));
    let other = judged(&format!("/s/link1?md5={SUM}&expires={END}"), "127.0.0.1");
    assert_eq!(other, Err(Reason::WrongSignature));
    let delimited = json!({ "template": "$secure_link_expires$uri $remote_addr $secret" });
    let judged = judge_from(
        &policy(delimited),
        &get(&format!("/s/link1?md5={SUM}&expires={END}"), &[]),
        "27.0.0.1",
        NOW,
    );
    assert_eq!(judged, Err(Reason::WrongSignature));
}

#[test]
fn every_other_spelling_of_a_token_is_rejected() {
    let link = format!("/s/link?md5={SUM}&expires={END}");
    for (target, reason) in [
        (link.replace("BNYw", "BNYx"), Reason::MalformedCredential),
        (link.replace("BNYw", "BNYw=="), Reason::MalformedCredential),
        (link.replace("_e4N", "/e4N"), Reason::MalformedCredential),
        (
            link.replace("expires=2", "expires=02"),
            Reason::MalformedCredential,
        ),
        (
            link.replace("expires=2", "expires=12"),
            Reason::MalformedCredential,
        ),
        (
            link.replace("&expires=2147483647", ""),
            Reason::MalformedCredential,
        ),
        (link.replace("md5", "MD5"), Reason::MissingCredential),
        (format!("{link}&md5={SUM}"), Reason::DuplicateCredential),
        (format!("{link}&expires={END}"), Reason::DuplicateCredential),
        (link.replace("3647", "3646"), Reason::WrongSignature),
        (link.replace("/s/", "/t/"), Reason::WrongSignature),
        (link.replace("/s/", "/s%2F"), Reason::EncodedSlash),
        (format!("{link}&a=1"), Reason::WrongSignature),
    ] {
        assert_eq!(judged(&target, "127.0.0.1"), Err(reason), "{target}");
    }
}

#[test]
fn parameters_outside_the_template_pass_only_with_allow_unsigned_query() {
    let link = format!("/s/link?a=1&md5={SUM}&expires={END}");
    assert_eq!(judged(&link, "127.0.0.1"), Err(Reason::WrongSignature));
    let policy = policy(json!({ "allow_unsigned_query": true }));
    let forwarded = judge_from(&policy, &get(&link, &[]), "127.0.0.1", NOW);
    assert_eq!(forwarded.as_deref(), Ok("/s/link?a=1"));
}

#[test]
fn every_variable_is_signed() {
    let template =
        "$secure_link_expires|$host$uri $arg_user $remote_addr|$secret|$cookie_c$secret$http_x_app";
    let more = json!({ "template": template, "md5": "st", "expires": "e" });
    let policy = policy(more);
    let now = UnixMillis::from_secs(NOW);
    let net = ["192.0.2.7/32".parse().unwrap()];
    let mut order = order("/v/%C3%BC-a.mp4?user=7", now);
    order.origin = "https://example.com";
    order.headers = &[("x-app", "tv")];
    order.cookies = &[("c", "1")];
    order.addresses = &net;
    assert!(sign(&policy, 0, &order).is_err(), "no end was given");
    order.expires = Some(UnixMillis::from_secs(END));
    let url = sign(&policy, 0, &order).unwrap().url;
    let target = url.strip_prefix("https://example.com").unwrap();
    let good = get(target, &[("x-app", "tv"), ("cookie", "c=1")]);
    let forwarded = judge_from(&policy, &good, "192.0.2.7", NOW);
    assert_eq!(forwarded.as_deref(), Ok("/v/%C3%BC-a.mp4?user=7"));
    let mut elsewhere = good.clone();
    elsewhere[2].1 = b"example.org".into();
    let mut with_port = good.clone();
    with_port[2].1 = b"Example.com:8443".into();
    assert!(judge_from(&policy, &with_port, "192.0.2.7", NOW).is_ok());
    for (what, headers, client) in [
        ("address", good.clone(), "192.0.2.8"),
        ("host", elsewhere, "192.0.2.7"),
        (
            "header",
            get(target, &[("x-app", "web"), ("cookie", "c=1")]),
            "192.0.2.7",
        ),
        ("no header", get(target, &[("cookie", "c=1")]), "192.0.2.7"),
        (
            "cookie",
            get(target, &[("x-app", "tv"), ("cookie", "c=2")]),
            "192.0.2.7",
        ),
        (
            "parameter",
            get(
                &target.replace("user=7", "user=8"),
                &[("x-app", "tv"), ("cookie", "c=1")],
            ),
            "192.0.2.7",
        ),
    ] {
        let rejected = judge_from(&policy, &headers, client, NOW);
        assert_eq!(rejected, Err(Reason::WrongSignature), "{what}");
    }
    let twice = get(
        target,
        &[("x-app", "tv"), ("x-app", "tv"), ("cookie", "c=1")],
    );
    let rejected = judge_from(&policy, &twice, "192.0.2.7", NOW);
    assert_eq!(rejected, Err(Reason::DuplicateCredential));
}

#[test]
fn a_link_with_the_sum_in_its_path_loses_that_segment_and_never_ends() {
    let more = json!({ "mode": "secure_link_secret", "prefix": "/p/", "template": null, "max_lifetime": null });
    let policy = policy(more);
    let judged = |target: &str| judge(&policy, &get(target, &[]), NOW);
    let sum = "5e814704a28d9bc1914ff19fa0c4a00a";
    assert_eq!(judged(&format!("/p/{sum}/link")).as_deref(), Ok("/p/link"));
    for (target, reason) in [
        (format!("/p/{sum}/link2"), Reason::WrongSignature),
        (format!("/p/{sum}/link?a=1"), Reason::WrongSignature),
        (
            format!("/p/{}/link", sum.to_uppercase()),
            Reason::MalformedCredential,
        ),
        (
            format!("/p/{}/link", &sum[1..]),
            Reason::MalformedCredential,
        ),
        (format!("/p/{sum}/"), Reason::MissingCredential),
        (format!("/p/{sum}"), Reason::MissingCredential),
        (format!("/q/{sum}/link"), Reason::MissingCredential),
        ("/p/link".to_owned(), Reason::MissingCredential),
    ] {
        assert_eq!(judged(&target), Err(reason), "{target}");
    }
    let signed = sign(&policy, 0, &order("/p/link", UnixMillis(0))).unwrap();
    assert_eq!(signed.url, format!("/p/{sum}/link"));
    let mut ends = order("/p/link", UnixMillis(0));
    ends.expires = Some(UnixMillis::from_secs(END));
    assert!(
        sign(&policy, 0, &ends).is_err(),
        "it cannot say when it ends"
    );
}

#[test]
fn an_explanation_names_what_differs() {
    for (target, client, expected) in [
        (
            format!("/s/link/?md5={SUM}&expires={END}"),
            "127.0.0.1",
            "without its last slash",
        ),
        (
            format!("/s/link?md5={SUM}&expires={END}"),
            "192.0.2.1",
            "the address 127.0.0.1",
        ),
        (
            format!("/s/link?md5={SUM}&expires=2147483640"),
            "127.0.0.1",
            "the time 2147483647",
        ),
        (
            format!("/s/link1?md5={SUM}&expires={END}"),
            "27.0.0.1",
            "put a delimiter",
        ),
        (
            format!("/s/link?a=1&md5={SUM}&expires={END}"),
            "127.0.0.1",
            "parameters that are not signed",
        ),
    ] {
        let told = explains(&policy(json!({})), &get(&target, &[]), client, NOW);
        assert!(told.contains(expected), "{target}: {told}");
    }
}

#[test]
fn an_invalid_provider_is_reported_by_field() {
    for (more, expected) in [
        (
            json!({ "allow_weak": false }),
            "providers.it.allow_weak: must be true",
        ),
        (
            json!({ "template": null }),
            "providers.it.template: is required",
        ),
        (
            json!({ "template": "$uri$arg_a $secret" }),
            "providers.it.template: signs different",
        ),
        (
            json!({ "template": "$uri secret" }),
            "providers.it.template: must contain $secret",
        ),
        (
            json!({ "template": "$uri $secret" }),
            "providers.it.max_lifetime: requires $secure_link",
        ),
        (
            json!({ "max_lifetime": null }),
            "providers.it.max_lifetime: is required",
        ),
        (
            json!({ "expires": "md5" }),
            "providers.it.expires: must differ from md5",
        ),
        (json!({ "md5": "a&b" }), "providers.it.md5: must be letters"),
        (json!({ "prefix": "/p/" }), "providers.it.prefix: requires"),
        (
            json!({ "mode": "secure_link_secret" }),
            "providers.it.prefix: is required",
        ),
        (
            json!({ "mode": "secure_link_secret" }),
            "providers.it.template: cannot be combined",
        ),
        (
            json!({ "mode": "secure_link_secret" }),
            "providers.it.max_lifetime: cannot be combined",
        ),
        (
            json!({ "mode": "secure_link_secret", "prefix": "p/" }),
            "providers.it.prefix: must be a path",
        ),
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
    fn untrusted_bytes_never_panic(target in "/[ -~]{0,80}", now: u64) {
        let links = policy(json!({}));
        let _ = judge_from(&links, &get(&target, &[]), "::1", now);
        let more = json!({ "mode": "secure_link_secret", "prefix": "/", "template": null, "max_lifetime": null });
        let _ = judge_from(&policy(more), &get(&target, &[]), "::1", now);
    }
}
