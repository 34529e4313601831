//! Signing, explaining and configuring.

use super::*;

#[test]
fn a_wrong_configuration_names_the_field() {
    for (more, field) in [
        (json!({ "scheme": "ftp" }), "providers.it.scheme"),
        (json!({ "max_lifetime": null }), "providers.it.max_lifetime"),
        (
            json!({ "from": [{ "query": "sig" }] }),
            "providers.it.from[0].query",
        ),
        (
            json!({ "from": [{ "header": "x" }] }),
            "providers.it.from[0].header",
        ),
        (
            json!({ "from": [{ "path": "x" }] }),
            "providers.it.from[0].path",
        ),
        (json!({ "from": [] }), "providers.it.from"),
        (json!({ "secrets": "none" }), "providers.it.secrets"),
        (json!({ "algorithm": "sha256" }), "providers.it.algorithm"),
    ] {
        let problems = parse(more.clone()).unwrap_err();
        let is_named = problems.iter().any(|it| it.starts_with(field));
        assert!(is_named, "{more}: {problems:?}");
    }
}

fn order(target: &str) -> Order<'_> {
    Order {
        origin: "https://example.com",
        expires: Some(UnixMillis::from_secs(END)),
        ..keygate_testkit::judge::order(target, UnixMillis::from_secs(NOW))
    }
}

#[test]
fn our_signed_links_verify() {
    let policy = policy_with(json!({}));
    let cookies = policy_with(json!({ "from": [{ "cookie": "Cloud-CDN-Cookie" }] }));
    let prefix = Order {
        scope: Scope::Prefix("/a/"),
        ..order("/a/b?c=1")
    };
    for order in [order("/a%20b/~?c=%2f"), prefix] {
        let signed = format_of(&policy, 0).sign(&order).unwrap();
        let target = signed.url.strip_prefix("https://example.com").unwrap();
        assert!(judge(&policy, target, NOW).is_ok(), "{target}");
    }
    let signed = format_of(&cookies, 0).sign(&prefix).unwrap();
    let jar = format!("{}={}", signed.cookies[0].0, signed.cookies[0].1);
    let judged = judge::judge(&policy, &get("/a/z", &[("cookie", &jar)]), NOW);
    assert_eq!(judged.as_deref(), Ok("/a/z"));
    for wrong in [
        Order {
            expires: None,
            ..order("/a")
        },
        Order {
            origin: "example.com",
            ..order("/a")
        },
        Order {
            scope: Scope::Prefix("/b/"),
            ..order("/a")
        },
        Order {
            account: Some("u"),
            ..order("/a")
        },
    ] {
        assert!(format_of(&policy, 0).sign(&wrong).is_err(), "{wrong:?}");
    }
    assert!(format_of(&cookies, 0).sign(&order("/a")).is_err());
}

#[test]
fn differences_are_named_without_secrets() {
    let policy = policy_with(json!({}));
    let signed = |message: &str| {
        let target = message.trim_start_matches("http://example.com");
        let target = target.trim_start_matches("https://example.com");
        format!("{target}&Signature={}", mac(message))
    };
    let fields = format!("Expires={END}&KeyName=my-key");
    for (target, expected) in [
        (
            signed(&format!("http://example.com/a?{fields}")),
            "the scheme http",
        ),
        (signed(&format!("/a?{fields}")), "without the host"),
        (
            exact("/a", "my-key").replace("/a?", "/a/?"),
            "without its last slash",
        ),
        (exact("/a", "new-key"), "KeyName names another"),
        (
            format!("/b?{}", prefix("https://example.com/a/", '&')),
            "do not start with the prefix",
        ),
        (
            exact("/a", "my-key").replace("KeyName", "Key"),
            "the signature is unreadable",
        ),
        (
            exact("/a", "my-key").replace("/a?", "/other?"),
            "cannot tell",
        ),
    ] {
        let headers = get(&target, &[]);
        let request = Request::read(&headers).unwrap();
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let told = format_of(&policy, 0)
            .explain(&request, &facts.of_link())
            .join("\n");
        assert!(told.contains(expected), "{target}: {told}");
        assert!(!told.contains(KEY), "{told}");
    }
}
