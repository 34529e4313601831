//! What the command line makes and explains.

use keygate_core::keys::NoAnswer;
use keygate_core::signed_url::keygate::sign::{Terms, hs256};
use keygate_core::signed_url::{Checks, Format, Order, PrivateKey, Scope};
use keygate_core::{
    Client, Facts, Header, NoClaims, Policy, Provider, Reason, Request, Target, UnixMillis,
};
use serde_json::json;

use crate::keygate::kit::*;

fn format(policy: &Policy) -> &dyn Format {
    let Provider::SignedUrl(links) = policy.rules.all()[0].require.providers()[0] else {
        panic!("the rule requires a link");
    };
    links.format.as_ref()
}

fn order(target: &str) -> Order<'_> {
    Order {
        origin: "https://example.com",
        expires: Some(UnixMillis::from_secs(END)),
        ..keygate_testkit::judge::order(target, UnixMillis::from_secs(NOW))
    }
}

fn explained(policy: &Policy, headers: &[Header], client: Option<&str>, now: u64) -> String {
    let facts = Facts {
        checks: Checks::default(),
        client: Client::Known(client.map(|it| it.parse().unwrap())),
        keys: &NoAnswer(Reason::KeyServiceUnavailable),
        claims: &NoClaims,
        now: UnixMillis::from_secs(now),
    };
    let request = Request::read(headers).unwrap();
    format(policy)
        .explain(&request, &facts.of_link())
        .join("\n")
}

#[test]
fn what_is_signed_verifies_in_every_carrier() {
    for (place, is_in_url) in [
        (json!({ "query": "kg" }), true),
        (json!({ "path": "~kg" }), true),
        (json!({ "header": "x-link" }), false),
        (json!({ "cookie": "kg" }), false),
    ] {
        let policy = policy_of(&provider_with(json!({ "from": [place] })), SECRET);
        let signed = format(&policy).sign(&order("/v/a?x=1")).unwrap();
        let target = signed.url.strip_prefix("https://example.com").unwrap();
        assert_eq!(target != "/v/a?x=1", is_in_url, "{place}");
        let mut more: Vec<(&str, String)> = Vec::new();
        more.extend(
            signed
                .headers
                .iter()
                .map(|(name, it)| (name.as_str(), it.clone())),
        );
        more.extend(
            signed
                .cookies
                .iter()
                .map(|(name, it)| ("cookie", format!("{name}={it}"))),
        );
        let more: Vec<_> = more.iter().map(|(name, it)| (*name, it.as_str())).collect();
        assert_eq!(
            judge(&policy, &get(target, &more)).as_deref(),
            Ok("/v/a?x=1")
        );
    }
}

#[test]
fn a_private_key_signs_for_edges_without_one() {
    let private = PrivateKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let other = PrivateKey::parse("AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let json = json!({
        "version": 1,
        "secrets": { "ring": [
            { "id": "old", "public_key": other.public_key() },
            { "id": "new", "public_key": private.public_key() }
        ] },
        "providers": { "it": provider_with(json!({ "algorithm": "EdDSA" })) },
        "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
        "unmatched": "deny"
    });
    let policy = keygate_testkit::judge::policy(&json, SECRET);
    let mut order = order("/a");
    assert!(format(&policy).sign(&order).is_err());
    order.private_key = Some(&private);
    let signed = format(&policy).sign(&order).unwrap();
    let target = signed.url.strip_prefix("https://example.com").unwrap();
    assert_eq!(judge(&policy, &get(target, &[])).as_deref(), Ok("/a"));
    // The second time it is remembered, and still bound to its path.
    assert_eq!(judge(&policy, &get(target, &[])).as_deref(), Ok("/a"));
    let moved = target.replace("/a?", "/b?");
    assert_eq!(
        judge(&policy, &get(&moved, &[])),
        Err(Reason::WrongSignature)
    );
    let stranger = PrivateKey::parse("AgECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    order.private_key = Some(&stranger);
    assert!(format(&policy).sign(&order).is_err());
}

#[test]
fn unsignable_orders_are_reported() {
    let policy = policy();
    let good = order("/a");
    let with = |change: &dyn Fn(&mut Order<'static>)| {
        let mut order = order("/a");
        change(&mut order);
        format(&policy).sign(&order).unwrap_err().to_string()
    };
    assert!(format(&policy).sign(&good).is_ok());
    // Until then, and no second longer, does a link hold that begins now.
    let latest = Order {
        expires: Some(UnixMillis::from_secs(NOW + 7 * 24 * 3600 + 30)),
        ..order("/a")
    };
    assert!(format(&policy).sign(&latest).is_ok());
    for (expected, change) in [
        (
            "needs an expiry",
            &(|it: &mut Order<'_>| it.expires = None) as &dyn Fn(&mut Order<'static>),
        ),
        ("max_lifetime", &|it| {
            it.expires = Some(UnixMillis::from_secs(NOW + 8 * 24 * 3600))
        }),
        ("before it becomes valid", &|it| {
            it.not_before = Some(UnixMillis::from_secs(END))
        }),
        ("use the whole URL", &|it| it.origin = ""),
        ("do not cover", &|it| it.scope = Scope::Prefix("/b/")),
        ("--prefix must start and end with \"/\"", &|it| {
            it.scope = Scope::Prefix("/a")
        }),
        ("--glob can be given at most 16 times", &|it| {
            it.scope = Scope::Globs(&["/**"; 17])
        }),
        ("an option is empty", &|it| it.account = Some("")),
        ("do not cover", &|it| it.scope = Scope::Globs(&["/b/**"])),
        ("--account must be 1 to 256 visible", &|it| {
            it.account = Some("a b")
        }),
        ("--once must be 16 to 64 letters", &|it| {
            it.once = Some("short")
        }),
        ("query_ignore", &|it| it.options = &[("ignore", "x")]),
        ("do not support --option salt", &|it| {
            it.options = &[("salt", "x")]
        }),
        ("can only be \"*\"", &|it| {
            it.options = &[("host", "a.example")]
        }),
        ("already", &|it| {
            it.target = Target::parse(b"/a?kg=x").unwrap()
        }),
        ("broken percent", &|it| {
            it.target = Target::parse(b"/a?x=%zz").unwrap()
        }),
    ] {
        let told = with(change);
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn options_widen_a_link() {
    let policy = policy();
    let mut order = order("/a");
    order.options = &[("host", "*"), ("ignore", "utm_*"), ("ignore", "ref")];
    let signed = format(&policy).sign(&order).unwrap();
    let target = signed.url.strip_prefix("https://example.com").unwrap();
    let target = target.replace("?", "?utm_a=1&ref=2&");
    assert!(judge(&policy, &request("GET", "other.example", &target, &[])).is_ok());
}

#[test]
fn explain_names_each_difference() {
    let here = ["192.0.2.1/32".parse().unwrap()];
    let get_of = |target: &str| get(target, &[]);
    let plain = link(&terms(), "/a/b?x=1&y=2");
    let bound = link(
        &Terms {
            addresses: &here,
            ..terms()
        },
        "/a",
    );
    let late = Terms {
        not_before_secs: Some(NOW + 100),
        ..terms()
    };
    let long = Terms {
        expires_secs: NOW + 8 * 24 * 3600,
        ..terms()
    };
    let prefix = link(
        &Terms {
            prefix: Some("/v/"),
            any_query: true,
            ..terms()
        },
        "/v/a",
    );
    let header = link(
        &Terms {
            headers: &[("x-a", "1")],
            ..terms()
        },
        "/a",
    );
    let unknown = hs256(&terms(), &place("/a"), &entry("02", SECRET)).unwrap();
    for (headers, now, expected) in [
        (
            get_of(&plain.replace("/b?", "/b/?")),
            NOW,
            "the slash at the end of the path",
        ),
        (
            get_of(&plain.replace("x=1&y=2", "y=2&x=1")),
            NOW,
            "the order of the query",
        ),
        (
            get_of(&plain.replace("y=2", "y=2&z=3")),
            NOW,
            "the query: it was signed without z",
        ),
        (
            request("GET", "example.com:8443", &plain, &[]),
            NOW,
            "the port of the host",
        ),
        (
            request("GET", "www.example.com", &plain, &[]),
            NOW,
            "signed without www.",
        ),
        (
            request("PUT", "example.com", &plain, &[]),
            NOW,
            "the method PUT",
        ),
        (get_of(&plain), END, "the time"),
        (get_of(&link(&late, "/a")), NOW, "the time"),
        (get_of(&link(&long, "/a")), NOW, "later than max_lifetime"),
        (get_of(&bound), NOW, "the client's address 192.0.2.9"),
        (
            get_of(&prefix.replace("/v/", "/w/")),
            NOW,
            "the link does not cover this path",
        ),
        (get_of(&header), NOW, "a signed header or cookie is missing"),
        (
            get_of(&format!("/a?kg={unknown}")),
            NOW,
            "it names the key \"02\"",
        ),
        (
            get_of("/a?kg=kg1.AAAA.AAAA"),
            NOW,
            "is not kg1.FIELDS.SIGNATURE",
        ),
        (get_of("/a"), NOW, "missing_credential"),
        (get_of(&plain.replace("/a/b", "/c")), NOW, "cannot tell"),
        (
            get_of(&forged(&format!("{HEAD}z1:1"))),
            NOW,
            "the field z is unknown",
        ),
    ] {
        let told = explained(&policy(), &headers, Some("192.0.2.9"), now);
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(!told.contains(SECRET));
    }
}

#[test]
fn only_the_expired_key_is_named_as_the_cause() {
    let private = PrivateKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let told = "the key \"01\" is not valid at this time";
    for (key, options) in [
        (json!({ "id": "01", "env": "RING" }), json!({})),
        (
            json!({ "id": "01", "public_key": private.public_key() }),
            json!({ "algorithm": "EdDSA" }),
        ),
    ] {
        let mut json = json!({
            "version": 1,
            "secrets": { "ring": [key] },
            "providers": { "it": provider_with(options) },
            "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "it" }],
            "unmatched": "deny"
        });
        let open = keygate_testkit::judge::policy(&json, SECRET);
        let mut order = order("/a");
        order.private_key = json["secrets"]["ring"][0]["env"]
            .is_null()
            .then_some(&private);
        let signed = format(&open).sign(&order).unwrap();
        let headers = get(signed.url.strip_prefix("https://example.com").unwrap(), &[]);
        assert!(!explained(&open, &headers, None, END).contains(told));
        json["secrets"]["ring"][0]["not_after"] = json!("2025-12-31T23:00:00Z");
        let closed = keygate_testkit::judge::policy(&json, SECRET);
        assert_eq!(judge(&closed, &headers), Err(Reason::NoCurrentSecret));
        assert!(explained(&closed, &headers, None, NOW).contains(told));
    }
}

#[test]
fn matching_parts_are_not_reported_as_different() {
    let strict = policy_of(&provider_with(json!({ "query_allow": ["x"] })), SECRET);
    let terms = Terms {
        globs: &["/a", "/b/*"],
        ignored: &["ref"],
        ..terms()
    };
    let expired = link(&terms, "/a?x=1");
    for policy in [&policy(), &strict] {
        for method in ["GET", "HEAD"] {
            let headers = request(method, "example.com", &expired, &[]);
            let told = explained(policy, &headers, None, END);
            assert!(told.contains("what differs: the time"), "{told}");
            assert_eq!(told.matches("what differs").count(), 1, "{told}");
            assert!(told.contains("it covers paths that match /b/*"), "{told}");
        }
    }
    let told = explained(&strict, &get(&link(&terms, "/a?z=1"), &[]), None, NOW);
    assert!(told.contains("query_allow"), "{told}");
    let more = Terms {
        ignored: &["z"],
        ..terms
    };
    let told = explained(&policy(), &get(&link(&more, "/a"), &[]), None, NOW);
    assert!(told.contains("z is not in query_ignore"), "{told}");
}

#[test]
fn a_host_that_was_signed_with_capital_letters_is_named() {
    let signed = format!("keygate-link-v1\nA5:HS256{HEAD}H11:Example.comP2:/aQ0:");
    let target = format!("/a?kg={}", raw(HEAD, &signed));
    let headers = request("GET", "Example.com", &target, &[]);
    assert_eq!(judge(&policy(), &headers), Err(Reason::WrongSignature));
    let told = explained(&policy(), &headers, None, NOW);
    let expected = "what differs: the host: it must be signed in lower case";
    assert!(told.contains(expected), "{told}");
}
