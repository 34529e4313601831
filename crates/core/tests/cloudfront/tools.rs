//! Signing, explaining and configuring.

use super::*;

#[test]
fn a_prefix_reports_its_scope() {
    let policy = plain();
    let key = PrivateKey::parse(PRIVATE).unwrap();
    let covers = |target: &str, scope: Scope<'_>| {
        let order = Order {
            scope,
            ..order(target, &key)
        };
        let signed = format(&policy).sign(&order).unwrap();
        let headers = get(target_of(&signed), &[]);
        let request = keygate_core::Request::read(&headers).unwrap();
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let link = format(&policy).verify(&request, &facts.of_link()).unwrap();
        assert_eq!(link.expires, Some(UnixMillis::from_secs(END)));
        match link.covers {
            Covers::Path => None,
            Covers::Prefix(prefix) => Some(prefix.to_owned()),
        }
    };
    assert_eq!(covers("/v/a", Scope::Path), None);
    assert_eq!(covers("/v/a", Scope::Prefix("/v/")).as_deref(), Some("/v/"));
    assert_eq!(
        covers("/v/a", Scope::Globs(&["/v/*"])).as_deref(),
        Some("/v/")
    );
    assert_eq!(covers("/v/a", Scope::Globs(&["/*/a"])), None);
    assert_eq!(covers("/v/a", Scope::Globs(&["/v*"])), None);
}

#[test]
fn an_order_that_cannot_be_said_is_rejected() {
    let policy = plain();
    let key = PrivateKey::parse(PRIVATE).unwrap();
    let foreign = PrivateKey::parse(include_str!("../keys/ed25519.pem")).unwrap();
    let good = order("/a", &key);
    let wrong = [
        Order {
            expires: None,
            ..good
        },
        Order {
            private_key: None,
            ..good
        },
        Order {
            private_key: Some(&foreign),
            ..good
        },
        Order { origin: "", ..good },
        Order {
            origin: "http://example.com",
            ..good
        },
        Order {
            account: Some("alice"),
            ..good
        },
        Order {
            once: Some("0123456789abcdef"),
            ..good
        },
        Order {
            scope: Scope::Globs(&["/a", "/b"]),
            ..good
        },
        Order {
            options: &[("carrier", "header")],
            ..good
        },
        Order {
            options: &[("other", "x")],
            ..good
        },
        order("/a?Policy=1", &key),
        order("/a?x=\\", &key),
    ];
    assert!(format(&policy).sign(&good).is_ok());
    for order in wrong {
        assert!(format(&policy).sign(&order).is_err(), "{order:?}");
    }
}

#[test]
fn explain_names_the_field_that_differs() {
    let policy = plain();
    let explain = |target: &str| {
        let headers = get(target, &[]);
        let request = keygate_core::Request::read(&headers).unwrap();
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        format(&policy)
            .explain(&request, &facts.of_link())
            .join("\n")
    };
    let good = link(&policy, "/a?b=1");
    let says = |target: &str, what: &str| {
        let told = explain(target);
        assert!(told.contains(what), "{told}");
        assert!(!told.contains("PRIVATE"), "{told}");
    };
    says(&good, "valid until 2023-11-14T23:13:20.000Z");
    says(&good.replace("=K1", "=K2"), "the link names the key \"K2\"");
    says(&good.replace("/a?b=1&", "/c?"), "cannot tell");
    let weak = link(&ours(json!({ "hash": "sha1", "allow_weak": true })), "/a");
    says(&weak, "it was signed with SHA1");
    // First, since it is the most frequent cause; also of a link that names its hash.
    for link in [weak.clone(), format!("{weak}&Hash-Algorithm=SHA1")] {
        let told = explain(&link);
        assert!(
            told.starts_with("what differs: it was signed with SHA1, but this provider accepts"),
            "{told}"
        );
    }
    says(
        &custom("/a", &statement("https://example.com/b", "")),
        "it is for https://example.com/b, but this is https://example.com/a",
    );
}

#[test]
fn wrong_configurations_are_named_by_their_field() {
    let problems = |document: &Value| {
        let found = Policy::parse(document.to_string().as_bytes(), &|_| {
            Some(b"secret".to_vec())
        });
        let all = found.err().unwrap_or_default();
        all.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    for (more, field) in [
        (json!({ "hash": "sha1" }), "providers.it.allow_weak"),
        (json!({ "allow_weak": true }), "providers.it.allow_weak"),
        (json!({ "hash": "md5" }), "providers.it.hash"),
        (json!({ "from": [] }), "providers.it.from"),
        (
            json!({ "from": ["query", "query"] }),
            "providers.it.from[1]",
        ),
        (
            json!({ "max_lifetime": "400d" }),
            "providers.it.max_lifetime",
        ),
        (json!({ "skew": "1h" }), "providers.it.skew"),
        (json!({ "scheme": "ftp" }), "providers.it.scheme"),
        (json!({ "secrets": "none" }), "providers.it.secrets"),
        (json!({ "parameter": "x" }), "providers.it"),
    ] {
        let found = problems(&document(&provider(more)));
        assert!(found.starts_with(field), "{field}: {found}");
    }
    for entry in [
        json!({ "id": "a", "env": "SECRET" }),
        json!({ "id": "a", "public_key": include_str!("../keys/ed25519.pub") }),
        json!({ "id": "a", "public_key": include_str!("../keys/rsa1024.pub") }),
        json!({ "id": "a", "public_key": PRIVATE }),
    ] {
        let mut wrong = document(&provider(json!({})));
        wrong["secrets"]["ring"] = json!([entry]);
        assert!(
            problems(&wrong).contains("secrets.ring"),
            "{}",
            problems(&wrong)
        );
    }
    assert_eq!(problems(&document(&provider(json!({})))), "");
}

/// The policy of the guide at this place among them, with a public key in place of its dots.
fn policy_of_the_guide(index: usize, public_key: &Value) -> Policy {
    let page = include_str!("../../../../docs/guides/from-cloudfront.md");
    let mut examples = page.split("```json\n").skip(1);
    let example = examples.nth(index).unwrap().split("```").next().unwrap();
    let mut example: Value = serde_json::from_str(example).unwrap();
    example["secrets"]["cdn"][0]["public_key"] = public_key.clone();
    policy(&example, "")
}

#[test]
fn both_policies_of_the_guide_accept_the_link_of_an_aws_sdk() {
    // Made by botocore's `CloudFrontSigner`, and equally by @aws-sdk/cloudfront-signer.
    let known = include_str!("../../../../tests/vectors/signed-urls.json");
    let known: Value = serde_json::from_str(known).unwrap();
    let mut known = known["vectors"].as_array().unwrap().iter();
    let vector = known
        .find(|it| it["id"] == "cloudfront/canned_sha1")
        .unwrap();
    let link = vector["expected"].as_str().unwrap();
    let host = "d111111abcdef8.cloudfront.net";
    let target = link.strip_prefix(&format!("https://{host}")).unwrap();
    let headers: Vec<Header> = [(":method", "GET"), (":path", target), (":authority", host)]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
    let now = vector["now_valid"].as_u64().unwrap();
    for index in [0, 1] {
        let policy = policy_of_the_guide(index, &vector["secret"]["public_key_pem"]);
        let judged = judge_from(&policy, &headers, now, "");
        assert_eq!(
            judged.unwrap()[0],
            "/images/image.jpg?color=red&size=medium"
        );
    }
}

#[test]
fn only_the_second_policy_of_the_guide_accepts_sha256() {
    let [first, second] = [0, 1].map(|index| policy_of_the_guide(index, &json!(PUBLIC)));
    let link = link(&second, "/images/a.jpg");
    let judged = judge(&second, &link, NOW);
    assert_eq!(judged.as_deref(), Ok("/images/a.jpg"));
    let reason = judge(&first, &link, NOW);
    assert_eq!(reason, Err(Reason::MalformedCredential));
}
