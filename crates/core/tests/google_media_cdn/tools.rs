//! Signing, explaining and configuring.

use super::*;

#[test]
fn a_wrong_configuration_names_the_field() {
    for (more, field) in [
        (
            json!({ "algorithm": "hmac-sha1" }),
            "providers.it.algorithm",
        ),
        (json!({ "algorithm": "hmac-md5" }), "providers.it.algorithm"),
        (json!({ "mode": "signatures" }), "providers.it.algorithm"),
        (json!({ "mode": "both" }), "providers.it.mode"),
        (json!({ "algorithm": "ed25519" }), "secrets.secrets"),
        (json!({ "secrets": "public" }), "secrets.public"),
        (
            json!({ "algorithm": "ed25519", "secrets": "endless" }),
            "providers.it.secrets",
        ),
        (json!({ "max_lifetime": null }), "providers.it.max_lifetime"),
        (
            json!({ "from": [{ "path": "a" }, { "path": "b" }] }),
            "providers.it.from",
        ),
        (
            json!({ "mode": "signatures", "algorithm": "ed25519", "secrets": "public",
                "from": [{ "query": "sig" }] }),
            "providers.it.from[0].query",
        ),
    ] {
        let problems = parse(more.clone()).unwrap_err();
        let is_named = problems.iter().any(|it| it.starts_with(field));
        assert!(is_named, "{more}: {problems:?}");
    }
    assert!(parse(json!({ "algorithm": "hmac-sha1", "allow_weak": true })).is_ok());
}

#[test]
fn our_signed_links_verify() {
    let private = seed(1);
    let addresses = ["192.0.2.0/24".parse().unwrap()];
    let all = Order {
        not_before: Some(UnixMillis::from_secs(NOW - 1)),
        addresses: &addresses,
        headers: &[("user-agent", "x/1 (y, z)")],
        options: &[("SessionID", "s-1"), ("Data", "a=b")],
        ..order("/a/~b?x=1")
    };
    let scopes = [
        Scope::Path,
        Scope::Prefix("/a/"),
        Scope::Globs(&["/x/*", "/a/*"]),
    ];
    for more in [
        json!({}),
        json!({ "algorithm": "hmac-sha1", "allow_weak": true }),
        json!({ "algorithm": "ed25519", "secrets": "public" }),
        json!({ "algorithm": "ed25519", "secrets": "public", "from": [{ "path": "t" }] }),
    ] {
        let policy = policy_with(more);
        for scope in scopes {
            for origin in ["https://example.com", ""] {
                let order = Order {
                    scope,
                    origin,
                    private_key: Some(&private),
                    ..all
                };
                let signed = format_of(&policy, 0).sign(&order).unwrap();
                let target = signed.url.strip_prefix(origin).unwrap();
                let headers = get(target, &[("user-agent", "x/1 (y, z)")]);
                let judged = judge_from(&policy, &headers, "192.0.2.1", NOW);
                assert_eq!(judged.as_deref(), Ok("/a/~b?x=1"), "{target}");
                let other = get(target, &[("user-agent", "x/2")]);
                let rejected = judge_from(&policy, &other, "192.0.2.1", NOW);
                assert_eq!(rejected, Err(Reason::WrongSignature));
            }
        }
    }
    let policy = policy_with(json!({}));
    for wrong in [
        Order {
            expires: None,
            ..order("/a")
        },
        Order {
            account: Some("u"),
            ..order("/a")
        },
        Order {
            options: &[("Data", "x~PathGlobs=/*")],
            ..order("/a")
        },
        Order {
            headers: &[("a", "x~y")],
            ..order("/a")
        },
        Order {
            headers: &[("a", "x,b=y")],
            ..order("/a")
        },
        Order {
            scope: Scope::Globs(&["/a,/b"]),
            ..order("/a")
        },
        order("/a~Expires=9"),
    ] {
        assert!(format_of(&policy, 0).sign(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn differences_are_named_without_secrets() {
    let policy = policy_with(json!({}));
    let full = |signed: &str| {
        let mac = hmac(&format!("FullPath={signed}~Expires={END}"));
        format!("FullPath~Expires={END}~hmac={mac}")
    };
    for (target, expected) in [
        (with_token("/a/", &full("/a")), "without its last slash"),
        (with_token("/a?x=1", &full("/a?x=1")), "the query as well"),
        (
            with_token("/a", &full("https://example.com/a")),
            "the host and the path",
        ),
        (with_token("/a", &full("/other")), "cannot tell"),
        (
            with_token("/b", &token(&format!("PathGlobs=/a~Expires={END}"))),
            "the token does not cover this URL",
        ),
        (with_token("/b", "PathGlobs=/a"), "malformed"),
        ("/b".to_owned(), "missing_credential"),
    ] {
        let headers = get(&target, &[]);
        let request = Request::read(&headers).unwrap();
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let told = format_of(&policy, 0)
            .explain(&request, &facts.of_link())
            .join("\n");
        assert!(told.contains(expected), "{target}: {told}");
    }
}

#[test]
fn untrusted_bytes_never_panic() {
    let tokens = policy_with(json!({ "from": [
        { "query": "t" }, { "cookie": "Edge-Cache-Cookie" }, { "path": "p" }
    ] }));
    let requests = requests();
    let field = "(FullPath|PathGlobs=|URLPrefix=|Expires=1|Headers=|IPRanges=|hmac=)";
    let text = format!("(~?{field}[!-~]{{0,6}}){{0,6}}");
    proptest::proptest!(|(fields in text.as_str(), cookie: Vec<u8>, value: Vec<u8>)| {
        let fields = fields.replace('#', "/");
        let jar = [b"Edge-Cache-Cookie=".as_slice(), &cookie].concat();
        for policy in [&tokens, &requests] {
            for target in [format!("/a?t={fields}"), format!("/p={fields}/a"), "/a".to_owned()] {
                let mut headers = get(&target, &[]);
                headers.push((b"foo".into(), value.clone().into()));
                let _ = judge_from(policy, &headers, "", NOW);
                headers.push((b"cookie".into(), jar.clone().into()));
                let _ = judge_from(policy, &headers, "", NOW);
            }
        }
    });
}
