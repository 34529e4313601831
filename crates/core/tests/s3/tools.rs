//! Signing, explaining and configuring.

use super::*;

#[test]
fn unsupported_options_are_not_signed() {
    let url = format!("https://{HOST}/a");
    let week = 7 * 24 * 3600;
    for (what, rejected) in [
        ("no host", signed("/a", |_| {})),
        ("no end", signed(&url, |it| it.expires = None)),
        (
            "an end that is past",
            signed(&url, |it| it.expires = Some(it.now)),
        ),
        (
            "more than a week",
            signed(&url, |it| {
                it.expires = Some(UnixMillis::from_secs(NOW + week + 1))
            }),
        ),
        ("another method", signed(&url, |it| it.method = "DELETE")),
        ("an account", signed(&url, |it| it.account = Some("a"))),
        ("a plus", signed(&format!("{url}+b"), |_| {})),
        (
            "a parameter twice",
            signed(&format!("{url}?a=1&a=2"), |_| {}),
        ),
        (
            "a token already",
            signed(&format!("https://{HOST}{LINK}"), |_| {}),
        ),
    ] {
        assert!(rejected.is_err(), "{what}");
    }
}

#[test]
fn explain_names_what_differs_and_no_secret() {
    let explained = |policy: &Policy, headers: &[Header]| {
        let request = Request::read(headers).unwrap();
        let unknown = keygate_core::keys::NoAnswer(Reason::KeyServiceUnavailable);
        let facts = keygate_testkit::judge::facts(&unknown, None, UnixMillis::from_secs(NOW));
        let lines = format_of(policy, 0).explain(&request, &facts.of_link());
        lines.join("\n")
    };
    let mut head = request(LINK, &[]);
    head[0].1 = b"HEAD".into();
    let mut port = request(LINK, &[]);
    port[2].1 = format!("{HOST}:9000").into();
    let plain = request(LINK, &[]);
    let slash = request(&LINK.replace("/test.txt", "/test.txt/"), &[]);
    let amz = request(LINK, &[("x-amz-acl", "private")]);
    let here = policy(&json!({}));
    let there = policy(&json!({ "region": "eu-west-1" }));
    for (policy, headers, told) in [
        (&here, &head, "for the method GET"),
        (&here, &port, "the host without its port"),
        (&here, &slash, "a slash at the end of the path"),
        (&here, &amz, "x-amz- header that is not signed"),
        (&there, &plain, "region or service differs"),
    ] {
        let lines = explained(policy, headers);
        assert!(lines.contains(told), "{told}: {lines}");
        assert!(
            !lines.contains(SECRET) && !lines.contains("aeeed9bb"),
            "{lines}"
        );
    }
}

#[test]
fn a_wrong_configuration_names_its_field() {
    let ring = json!([{ "id": KEY, "env": "SECRET" }]);
    for (more, field) in [
        (json!({ "region": "" }), "providers.it.region"),
        (json!({ "service": "a/b" }), "providers.it.service"),
        (json!({ "methods": [] }), "providers.it.methods"),
        (json!({ "methods": ["get"] }), "providers.it.methods"),
        (json!({ "max_lifetime": "8d" }), "providers.it.max_lifetime"),
        (json!({ "skew": "1h" }), "providers.it.skew"),
        (json!({ "ttl": "1h" }), "providers.it"),
    ] {
        let error = policy_with(&ring, &more).unwrap_err();
        assert!(error.starts_with(field), "{more}: {error}");
    }
}
