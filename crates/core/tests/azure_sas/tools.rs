//! Signing, explaining and configuring.

use super::*;

#[test]
fn unsupported_options_are_not_signed() {
    let path = "/pictures/a.jpg";
    for (what, rejected) in [
        ("no container", signed("/a.jpg", |_| {})),
        ("a query", signed("/pictures/a.jpg?x=1", |_| {})),
        ("no end", signed(path, |it| it.expires = None)),
        (
            "an end that is past",
            signed(path, |it| it.expires = Some(it.now)),
        ),
        (
            "an end that is far",
            signed(path, |it| it.expires = Some(UnixMillis::from_secs(2 * END))),
        ),
        (
            "another prefix",
            signed(path, |it| it.scope = Scope::Prefix("/pictures/a/")),
        ),
        ("another method", signed(path, |it| it.method = "PUT")),
        ("an account", signed(path, |it| it.account = Some("a"))),
        ("two ranges", signed(path, |it| it.addresses = &[ANY, ANY])),
        (
            "a wrong protocol",
            signed(path, |it| it.options = &[("protocol", "http")]),
        ),
    ] {
        assert!(rejected.is_err(), "{what}");
    }
}

#[test]
fn explain_names_what_differs_and_no_secret() {
    let explained = |target: &str| {
        let policy = policy(&json!({}));
        let headers = request(target);
        let request = Request::read(&headers).unwrap();
        let unknown = NoAnswer(Reason::KeyServiceUnavailable);
        let facts = keygate_testkit::judge::facts(&unknown, None, UnixMillis::from_secs(NOW));
        let lines = format_of(&policy, 0).explain(&request, &facts.of_link());
        lines.join("\n")
    };
    for (from, to, told) in [
        ("/profile.jpg", "/profile.jpg/", "a slash at the end"),
        ("&sig", "&si=p&sig", "a stored access policy"),
        ("&sig", "&skoid=p&sig", "a user delegation key"),
        (
            "&se=2030-01-01T00%3A00%3A00Z",
            "",
            "parameter \"se\" is missing",
        ),
        ("/profile.jpg", "/other.jpg", "cannot tell"),
    ] {
        let lines = explained(&LINK.replacen(from, to, 1));
        assert!(lines.contains(told), "{told}: {lines}");
        assert!(
            !lines.contains("80JD") && !lines.contains("AAEC"),
            "{lines}"
        );
    }
}

#[test]
fn a_wrong_configuration_names_its_field() {
    let ring = json!([{ "id": "key1", "env": "KEY" }]);
    for (more, field) in [
        (json!({ "account": "My" }), "providers.it.account"),
        (json!({ "container": "" }), "providers.it.container"),
        (
            json!({ "max_lifetime": "9000d" }),
            "providers.it.max_lifetime",
        ),
        (json!({ "skew": "1h" }), "providers.it.skew"),
        (json!({ "ttl": "1h" }), "providers.it"),
    ] {
        let error = policy_with(&ring, &more).unwrap_err();
        assert!(error.starts_with(field), "{more}: {error}");
    }
}
