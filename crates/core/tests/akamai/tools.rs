//! Signing, explaining and configuring.

use super::*;

#[test]
fn a_wrong_configuration_names_the_field() {
    for (more, field) in [
        (json!({ "algorithm": "sha1" }), "providers.it.algorithm"),
        (json!({ "algorithm": "md5" }), "providers.it.algorithm"),
        (json!({ "algorithm": "sha512" }), "providers.it.algorithm"),
        (json!({ "from": [] }), "providers.it.from"),
        (
            json!({ "from": [{ "path": "hdnts" }] }),
            "providers.it.from[0].path",
        ),
        (
            json!({ "max_lifetime": "9999d" }),
            "providers.it.max_lifetime",
        ),
        (json!({ "skew": "1d" }), "providers.it.skew"),
        (json!({ "salt_env": "MISSING" }), "providers.it.salt_env"),
        (json!({ "salt": "NaCl" }), "providers.it.salt"),
        (json!({ "secrets": "none" }), "providers.it.secrets"),
        (json!({ "max_lifetime": null }), "providers.it.max_lifetime"),
    ] {
        let problems = parse(more.clone()).unwrap_err();
        assert!(
            problems.iter().any(|it| it.starts_with(field)),
            "{more}: {problems:?}"
        );
    }
    assert!(parse(json!({ "algorithm": "md5", "allow_weak": true })).is_ok());
}

fn order<'a>(target: &'a str) -> Order<'a> {
    Order {
        origin: "https://example.com",
        expires: Some(UnixMillis::from_secs(EXP)),
        ..keygate_testkit::judge::order(target, UnixMillis::from_secs(NOW))
    }
}

#[test]
fn our_signed_links_verify() {
    let policy = policy_with(json!({ "salt_env": "SALT" }));
    let address = ["192.0.2.1/32".parse().unwrap()];
    let options = [("id", "u/1"), ("data", "a=b"), ("escape", "javascript")];
    for order in [
        order("/a%20b/c?d=%2f"),
        Order {
            not_before: Some(UnixMillis::from_secs(NOW)),
            addresses: &address,
            options: &options,
            ..order("/a/c?d=%31")
        },
        Order {
            scope: Scope::Prefix("/a/"),
            ..order("/a/b")
        },
        Order {
            scope: Scope::Globs(&["/x/*", "/a/?.ts"]),
            ..order("/a/1.ts?v=1")
        },
    ] {
        let Signed { url, .. } = format_of(&policy, 0).sign(&order).unwrap();
        let target = url.strip_prefix("https://example.com").unwrap();
        let judged = judge_from(&policy, &get(target, &[]), "192.0.2.1", NOW);
        assert_eq!(judged.as_deref(), Ok(order.target.whole), "{url}");
    }
    for wrong in [
        Order {
            expires: None,
            ..order("/a")
        },
        Order {
            options: &[("id", "x~acl=/*")],
            ..order("/a")
        },
        Order {
            account: Some("u"),
            ..order("/a")
        },
        Order {
            scope: Scope::Globs(&["/a!b"]),
            ..order("/a")
        },
        order("/a~exp=9"),
    ] {
        assert!(format_of(&policy, 0).sign(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn differences_are_named_without_secrets() {
    let salted = policy_with(json!({ "salt_env": "SALT" }));
    for (fields, hidden, target, expected) in [
        ("", "~url=/a/~salt=NaCl", "/a", "slash at its end"),
        ("", "~url=/a~salt=NaCl", "/a?x=1", "without the query"),
        ("", "~url=/a", "/a", "without the salt"),
        (
            "",
            "~url=https://example.com/a~salt=NaCl",
            "/a",
            "the host and the path",
        ),
        ("~acl=/b/*", "~salt=NaCl", "/a", "is not in its list"),
        ("~acl=/b/*", "~salt=Other", "/a", "cannot tell"),
        ("~x=1", "~salt=NaCl", "/a", "malformed"),
    ] {
        let token = token(&format!("exp={EXP}{fields}"), hidden);
        let separator = if target.contains('?') { '&' } else { '?' };
        let headers = get(&format!("{target}{separator}__token__={token}"), &[]);
        let request = Request::read(&headers).unwrap();
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let told = format_of(&salted, 0)
            .explain(&request, &facts.of_link())
            .join("\n");
        assert!(told.contains(expected), "{hidden}: {told}");
        assert!(!told.contains("NaCl") && !told.contains(KEY), "{told}");
    }
}
