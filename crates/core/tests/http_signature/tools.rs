//! Signing, explaining and configuring.

use super::*;

#[test]
fn our_signed_links_verify() {
    let private = PrivateKey::parse(include_str!("../keys/ed25519.pem")).unwrap();
    for more in [
        json!({}),
        json!({ "algorithm": "ed25519", "secrets": "ed25519", "label": "ours", "tag": "app" }),
        json!({ "components": ["@method", "@authority", "@path", "@query", "@scheme", "@request-target"] }),
    ] {
        let policy = ours(&more);
        let extra = [("content-digest", "sha-256=:AA==:"), ("x-tenant", "a, b")];
        let order = Order {
            private_key: Some(&private),
            expires: Some(UnixMillis::from_secs(NOW + 60)),
            ..order("POST", &extra)
        };
        let signed = format(&policy).sign(&order).unwrap();
        assert_eq!(signed.url, "https://example.com/a~?b=1");
        let mut headers = request("POST", "/a~?b=1", &extra);
        for (name, value) in &signed.headers {
            headers.push((name.clone().into(), value.clone().into()));
        }
        assert_eq!(judge(&policy, &headers, NOW), Ok(()), "{more}");
        assert_eq!(judge(&policy, &headers, NOW + 60), Err(Reason::Expired));
        let changed = with(&headers, "x-tenant", "a, c");
        assert_eq!(judge(&policy, &changed, NOW), Err(Reason::WrongSignature));
    }
    let policy = ours(&json!({}));
    for method in ["GET", "POST", "DELETE"] {
        assert!(format(&policy).sign(&order(method, &[])).is_ok());
    }
    for wrong in [
        order("POST", &[("content-length", "9")]),
        order("GET", &[("X-Tenant", "a")]),
        Order {
            origin: "",
            ..order("GET", &[])
        },
        Order {
            account: Some("alice"),
            ..order("GET", &[])
        },
        Order {
            not_before: Some(UnixMillis::from_secs(NOW)),
            ..order("GET", &[])
        },
    ] {
        assert!(format(&policy).sign(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn explain_names_what_differs() {
    let policy = ours(&json!({}));
    let says = |headers: &[Header], what: &str| {
        let request = Request::read(headers).unwrap();
        let facts = facts(&NothingKnown, None, UnixMillis::from_secs(NOW));
        let told = format(&policy)
            .explain(&request, &facts.of_link())
            .join("\n");
        assert!(told.contains(what) && !told.contains(SECRET), "{told}");
    };
    let good = post(BASE, &format!("{COVERED};created={NOW}"));
    says(&good, "it was signed with \"k1\"");
    says(&with(&good, ":method", "PUT"), "for the method POST");
    says(&with(&good, ":path", "/b"), "cannot tell");
    let named = post(BASE, &format!("{COVERED};created={NOW};keyid=\"k2\""));
    says(&named, "it names another key");
    says(
        &post("", &format!("();created={NOW}")),
        "does not cover @method",
    );
    says(&post(BASE, COVERED), "no creation time");
    says(&request("GET", "/a", &[]), "missing or unreadable");
}

#[test]
fn wrong_configurations_are_named_by_their_field() {
    for (more, field) in [
        (
            json!({ "algorithm": "rsa-v1_5-sha256" }),
            "providers.it.algorithm",
        ),
        (json!({ "algorithm": "ed25519" }), "secrets.ring"),
        (json!({ "secrets": "ed25519" }), "secrets.ed25519"),
        (json!({ "components": [] }), "providers.it.components"),
        (
            json!({ "components": ["@status"] }),
            "providers.it.components[0]",
        ),
        (
            json!({ "components": ["@method", "@method"] }),
            "providers.it.components[1]",
        ),
        (
            json!({ "components": ["Date"] }),
            "providers.it.components[0]",
        ),
        (
            json!({ "components": ["signature"] }),
            "providers.it.components[0]",
        ),
        (json!({ "label": "A" }), "providers.it.label"),
        (json!({ "label": "" }), "providers.it.label"),
        (json!({ "tag": "a\"b" }), "providers.it.tag"),
        (json!({ "max_age": "25h" }), "providers.it.max_age"),
        (json!({ "skew": "1h" }), "providers.it.skew"),
        (json!({ "parameter": "x" }), "providers.it"),
    ] {
        let text = document(&more).to_string();
        let found = Policy::parse(text.as_bytes(), &|_| Some(SECRET.into())).unwrap_err();
        assert!(
            found[0].to_string().starts_with(field),
            "{field}: {}",
            found[0]
        );
    }
    // With a policy that holds, nothing is wrong.
    let _ = policy(&document(&json!({})), SECRET);
}
