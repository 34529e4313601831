//! Signing, explaining and configuring.

use super::*;

#[test]
fn our_signatures_verify_in_every_algorithm_and_carrier() {
    let keys = [
        ("HS256", "ring", None),
        ("ES256", "p256", Some(include_str!("../keys/p256.pem"))),
        (
            "EdDSA",
            "ed25519",
            Some(include_str!("../keys/ed25519.pem")),
        ),
    ];
    for (algorithm, ring, key) in keys {
        for carrier in ["query", "cookie", "path", "path_parameter"] {
            let policy = ours(&json!({
                "algorithm": algorithm, "secrets": ring, "from": [carrier],
                "issuers": ["us"], "audience": ["edge"]
            }));
            let key = key.map(|it| PrivateKey::parse(it).unwrap());
            for scope in [Scope::Path, Scope::Prefix("/v.1/")] {
                let order = Order {
                    scope,
                    account: Some("alice"),
                    addresses: &["192.0.2.0/24".parse().unwrap()],
                    not_before: Some(UnixMillis::from_secs(NOW)),
                    ..order("/v.1/a.ts?b=1", key.as_ref())
                };
                let signed = format(&policy).sign(&order).unwrap();
                let target = signed.url.strip_prefix("https://example.com").unwrap();
                let cookie = signed
                    .cookies
                    .first()
                    .map(|(name, value)| format!("{name}={value}"));
                let more: Vec<_> = cookie.iter().map(|it| ("cookie", it.as_str())).collect();
                let judge =
                    |target: &str| judge_headers(&policy, &get(target, &more), NOW, "192.0.2.9");
                let after = judge(target).unwrap();
                assert_eq!(
                    after,
                    ["/v.1/a.ts?b=1", "", "alice"],
                    "{algorithm} {carrier}"
                );
                let sibling = judge(&target.replace("a.ts", "b.ts"));
                assert_eq!(sibling.is_ok(), scope != Scope::Path);
                let outside = judge(&target.replace("/v.1/", "/vx1/"));
                assert_eq!(outside, Err(Reason::WrongSignature));
            }
        }
    }
}

#[test]
fn an_order_that_cannot_be_said_is_rejected() {
    let policy = ours(&json!({}));
    let good = order("/a", None);
    assert!(format(&policy).sign(&good).is_ok());
    for wrong in [
        Order {
            expires: None,
            ..good
        },
        Order { origin: "", ..good },
        Order {
            origin: "http://example.com",
            ..good
        },
        Order {
            once: Some("0123456789abcdef"),
            ..good
        },
        Order {
            scope: Scope::Globs(&["/a"]),
            ..good
        },
    ] {
        assert!(format(&policy).sign(&wrong).is_err(), "{wrong:?}");
    }
    let p256 = ours(&json!({ "secrets": "p256", "algorithm": "ES256" }));
    assert!(format(&p256).sign(&good).is_err());
}

#[test]
fn explain_names_the_claim_that_differs() {
    let policy = ours(&json!({ "issuers": ["us"] }));
    let says = |claims: &Value, what: &str| {
        let headers = get(&link(claims), &[]);
        let request = keygate_core::Request::read(&headers).unwrap();
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let told = format(&policy)
            .explain(&request, &facts.of_link())
            .join("\n");
        assert!(told.contains(what) && !told.contains(SECRET), "{told}");
    };
    says(
        &claims(&json!({ "iss": "us" })),
        "valid until 2023-11-14T23:13:20.000Z",
    );
    says(&claims(&json!({ "iss": "them" })), "the issuer (iss)");
    says(&claims(&json!({ "aud": "x" })), "the audience (aud)");
    says(
        &claims(&json!({ "cdniuc": "regex:x" })),
        "is for x, but this is https://example.com/v/a.ts",
    );
    says(&claims(&json!({ "exp": 1 })), "the time (expired)");
    says(&claims(&json!({ "cdniip": "192.0.2.1" })), "the address");
    says(&claims(&json!({ "x": 1 })), "a claim is unknown");
}

#[test]
fn wrong_configurations_are_named_by_their_field() {
    for (more, field) in [
        (json!({ "algorithm": "HS512" }), "providers.it.algorithm"),
        (json!({ "algorithm": "none" }), "providers.it.algorithm"),
        (json!({ "algorithm": "ES256" }), "secrets.ring"),
        (
            json!({ "algorithm": "EdDSA", "secrets": "p256" }),
            "secrets.p256",
        ),
        (json!({ "secrets": "ed25519" }), "secrets.ed25519"),
        (json!({ "from": [] }), "providers.it.from"),
        (
            json!({ "from": ["query", "query"] }),
            "providers.it.from[1]",
        ),
        (json!({ "name": "a b" }), "providers.it.name"),
        (
            json!({ "ignore_claims": ["cdnicrit"] }),
            "providers.it.ignore_claims",
        ),
        (
            json!({ "max_lifetime": "500d" }),
            "providers.it.max_lifetime",
        ),
        (json!({ "jti": true }), "providers.it"),
    ] {
        let text = document(&more).to_string();
        let found = Policy::parse(text.as_bytes(), &|_| Some(SECRET.into())).unwrap_err();
        assert!(
            found[0].to_string().starts_with(field),
            "{field}: {}",
            found[0]
        );
    }
}
