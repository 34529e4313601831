//! Links of Fastly's token authentication: known answers, forgeries, and every way to be wrong.

use keygate_core::{Policy, Reason, UnixMillis};
use keygate_testkit::judge::{explains, get, judge, order, policy_of, problems_of, sign};
use serde_json::{Value, json};

/// The key of Fastly's own examples, base64 in their guide.
const SECRET: &str = "iqFPeN2u+Z0Lm5IrsKaOFKRqEU5Gw8ePtaEkHZWuD24=";
const MAC: &str = "7142899cdc9383bc80943f408665653ccee7d3df";
const END: u64 = 1_893_456_000;
const NOW: u64 = END - 60;

fn provider(more: Value) -> Value {
    let mut provider = json!({
        "type": "signed_url", "format": "fastly", "secrets": "ring", "max_lifetime": "7d"
    });
    let members = provider.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    provider
}

fn decoded() -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, SECRET).unwrap()
}

fn policy(more: Value) -> Policy {
    let json = json!({
        "version": 1,
        "secrets": { "ring": [
            { "id": "new", "env": "NEW" },
            { "id": "old", "env": "OLD" }
        ] },
        "providers": { "it": provider(more) },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    let environment = |name: &str| {
        Some(if name == "OLD" {
            decoded()
        } else {
            b"new".to_vec()
        })
    };
    Policy::parse(json.to_string().as_bytes(), &environment).unwrap()
}

fn judged(target: &str) -> Result<String, Reason> {
    judge(&policy(json!({})), &get(target, &[]), NOW)
}

#[test]
fn the_token_is_removed_at_every_position_of_the_query() {
    for target in [
        format!("/foo?a=1&b=2&token={END}_{MAC}"),
        format!("/foo?a=1&token={END}_{MAC}&b=2"),
        format!("/foo?token={END}_{MAC}&a=1&b=2"),
    ] {
        assert_eq!(judged(&target).as_deref(), Ok("/foo?a=1&b=2"), "{target}");
    }
}

#[test]
fn a_digit_does_not_move_between_the_path_and_the_end() {
    // Attacks A1 and A2: Fastly's own expression takes eleven digits.
    let seg = "eff428091f64a3fb2f3f2de69bf2b3ac1852ac62";
    assert!(judged(&format!("/hls/seg1?token={END}_{seg}")).is_ok());
    let id = "719ca9a41cb2346b77001907516d9dd25250df2c";
    assert!(judged(&format!("/download?id=51&token={END}_{id}")).is_ok());
    for target in [
        format!("/hls/seg?token=1{END}_{seg}"),
        format!("/hls/seg11?token=893456000_{seg}"),
        format!("/hls/seg1?token=0{END}_{seg}"),
        format!("/download?id=5&token=1{END}_{id}"),
    ] {
        assert_eq!(
            judged(&target),
            Err(Reason::MalformedCredential),
            "{target}"
        );
    }
}

#[test]
fn every_other_spelling_of_a_token_is_malformed() {
    for token in [
        format!("{END}"),
        format!("{END}_"),
        format!("{END}-{MAC}"),
        format!("{END}_{}", &MAC[1..]),
        format!("{END}_{MAC}0"),
        format!("{END}_{}", MAC.to_uppercase()),
        format!("{END}_0x{}", &MAC[2..]),
        format!("+{END}_{MAC}"),
        format!("{END}_%37{}", &MAC[1..]),
    ] {
        let rejected = judged(&format!("/foo?a=1&b=2&token={token}"));
        assert_eq!(rejected, Err(Reason::MalformedCredential), "{token}");
    }
}

#[test]
fn a_token_is_unique_and_has_its_exact_name() {
    let token = format!("{END}_{MAC}");
    for (target, reason) in [
        ("/foo?a=1&b=2".to_owned(), Reason::MissingCredential),
        (
            format!("/foo?a=1&b=2&Token={token}"),
            Reason::MissingCredential,
        ),
        (
            format!("/foo?a=1&b=2&mytoken={token}"),
            Reason::MissingCredential,
        ),
        (
            format!("/foo?a=1&b=2&%74oken={token}"),
            Reason::MalformedCredential,
        ),
        (
            format!("/foo?token={token}&a=1&b=2&token={token}"),
            Reason::DuplicateCredential,
        ),
        (format!("/foo?a=1&token={token}"), Reason::WrongSignature),
        (
            format!("/foo?b=2&a=1&token={token}"),
            Reason::WrongSignature,
        ),
        (
            format!("/foo/?a=1&b=2&token={token}"),
            Reason::WrongSignature,
        ),
        (
            format!("/foo?a=1&b=2&token=1893456001_{MAC}"),
            Reason::WrongSignature,
        ),
    ] {
        assert_eq!(judged(&target), Err(reason), "{target}");
    }
}

#[test]
fn the_instant_of_the_end_is_still_good_and_the_next_is_not() {
    use keygate_core::Request;
    use keygate_core::keys::NothingKnown;
    use keygate_testkit::judge::facts;
    let policy = policy(json!({}));
    let headers = get(&format!("/foo?a=1&b=2&token={END}_{MAC}"), &[]);
    let request = Request::read(&headers).unwrap();
    let at = |now| {
        let facts = facts(&NothingKnown, None, UnixMillis(now));
        let link = keygate_testkit::judge::format_of(&policy, 0).verify(&request, &facts.of_link());
        link.map(|it| it.expires.unwrap())
    };
    let end = END * 1000;
    assert_eq!(at(end), Ok(UnixMillis(end + 1)));
    assert_eq!(at(end + 1), Err(Reason::Expired));
    let week = 7 * 24 * 3600 * 1000;
    assert!(at(end - week).is_ok());
    assert_eq!(at(end - week - 31_000), Err(Reason::LifetimeTooLong));
}

#[test]
fn our_signatures_verify_from_each_carrier() {
    let now = UnixMillis::from_secs(NOW);
    for (from, hash) in [
        (json!({ "query": "token" }), "sha1"),
        (json!({ "query": "t" }), "sha256"),
        (json!({ "header": "x-token" }), "sha1"),
        (json!({ "cookie": "token" }), "sha256"),
        (json!({ "path": "token" }), "sha1"),
    ] {
        let policy = policy(json!({ "from": [from], "hash": hash }));
        let mut order = order("/a-z/%C3%BC?q=%20", now);
        assert!(sign(&policy, 0, &order).is_err(), "no end was given");
        order.expires = Some(UnixMillis::from_secs(END));
        let signed = sign(&policy, 0, &order).unwrap();
        let cookie = signed
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookie: Vec<_> = cookie.collect();
        let cookies = cookie.iter().map(|it| ("cookie", it.as_str()));
        let headers = signed
            .headers
            .iter()
            .map(|(name, it)| (name.as_str(), it.as_str()));
        let headers = get(&signed.url, &headers.chain(cookies).collect::<Vec<_>>());
        let forwarded = judge(&policy, &headers, NOW);
        assert_eq!(forwarded.as_deref(), Ok("/a-z/%C3%BC?q=%20"), "{from}");
        order.account = Some("7");
        assert!(
            sign(&policy, 0, &order).is_err(),
            "an account cannot be said"
        );
    }
}

#[test]
fn an_explanation_names_what_differs() {
    let policy = policy(json!({}));
    for (target, expected) in [
        (
            format!("/foo/?a=1&b=2&token={END}_{MAC}"),
            "the path without its last slash",
        ),
        (
            format!("/foo?a=1&b=2&token=1893455990_{MAC}"),
            "the time 1893456000",
        ),
        (format!("/bar?a=1&b=2&token={END}_{MAC}"), "cannot tell"),
        ("/foo".to_owned(), "parameter \"token\": no token"),
    ] {
        let told = explains(&policy, &get(&target, &[]), "192.0.2.1", NOW);
        assert!(told.contains(expected), "{target}: {told}");
        assert!(!told.contains(MAC));
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
            json!({ "max_lifetime": "10years" }),
            "providers.it.max_lifetime: must be at most",
        ),
        (
            json!({ "skew": "1h" }),
            "providers.it.skew: must be at most",
        ),
        (
            json!({ "hash": "md5" }),
            "providers.it.hash: unknown variant",
        ),
        (
            json!({ "from": [] }),
            "providers.it.from: must not be empty",
        ),
        (json!({ "ttl": "1h" }), "providers.it.ttl: unknown field"),
        (
            json!({ "secrets": "none" }),
            "providers.it.secrets: there is no ring",
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
    fn untrusted_bytes_never_panic(token in "[ -~]{0,80}", now: u64) {
        let policy = policy_of(&provider(json!({})), "secret");
        let _ = judge(&policy, &get(&format!("/foo?token={token}"), &[]), now);
    }
}
