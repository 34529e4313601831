//! Where a token may stand: each place, their order, and that there is but one token.

use keygate_core::keys::NoAnswer;
use keygate_core::{Header, Policy, Reason, UnixMillis, Verdict};
use keygate_testkit::judge::{after, get, policy_of};
use serde_json::{Value, json};

const SECRET: &str = "the-secret-of-the-links-0123456789abcdef";
const NOW: u64 = 1_767_225_600;

fn from(places: &Value) -> Policy {
    let provider = json!({ "type": "signed_url", "format": "keygate", "secrets": "ring",
        "max_lifetime": "1d", "from": places });
    policy_of(&provider, SECRET)
}

fn all() -> Policy {
    from(
        &json!([{ "query": "kg" }, { "header": "X-Link" }, { "cookie": "link" }, { "path": "~kg" }]),
    )
}

/// A token for `/a/b?x=1`.
fn token() -> String {
    use keygate_core::secret::{RingEntry, mac};
    use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
    let entry = RingEntry {
        id: "01".to_owned(),
        key: mac(SECRET.as_bytes()),
        not_before: None,
        not_after: None,
    };
    let terms = Terms {
        expires_secs: NOW + 60,
        ..Terms::default()
    };
    let place = Place {
        host: "example.com",
        path: "/a/b",
        query: Some("x=1"),
    };
    hs256(&terms, &place, &entry).unwrap()
}

/// Path, the header and the cookies that the upstream sees.
fn upstream(policy: &Policy, headers: &[Header]) -> Result<[Option<String>; 3], Reason> {
    let nobody = NoAnswer(Reason::KeyServiceUnavailable);
    let facts = keygate_testkit::judge::facts(&nobody, None, UnixMillis::from_secs(NOW));
    match policy.decide(headers, &facts) {
        Verdict::Allow(grant) => {
            Ok([":path", "x-link", "cookie"].map(|name| after(headers, &grant.edits, name)))
        }
        Verdict::Deny(denial) => Err(denial.reason),
        other => panic!("{other:?}"),
    }
}

/// The same link in each place.
fn each(token: &str) -> [Vec<Header>; 4] {
    [
        get(&format!("/a/b?x=1&kg={token}"), &[]),
        get("/a/b?x=1", &[("x-link", token)]),
        get("/a/b?x=1", &[("cookie", &format!("link={token}"))]),
        get(&format!("/~kg={token}/a/b?x=1"), &[]),
    ]
}

#[test]
fn an_empty_value_is_no_link_and_hides_none() {
    let policy = all();
    let token = token();
    let empty = [("x-link", ""), ("cookie", "link="), ("cookie", "link=\"\"")];
    for more in empty {
        let seen = upstream(&policy, &get("/a/b?x=1&kg=", &[more]));
        assert_eq!(seen, Err(Reason::MissingCredential), "{more:?}");
        for target in [
            format!("/a/b?x=1&kg={token}"),
            format!("/a/b?x=1&kg=&kg={token}"),
            format!("/a/b?kg&x=1&kg={token}&kg="),
        ] {
            let [path, ..] = upstream(&policy, &get(&target, &[more])).unwrap();
            assert_eq!(path.as_deref(), Some("/a/b?x=1"), "{target} {more:?}");
        }
    }
}

#[test]
fn a_link_in_a_quoted_cookie_is_that_link() {
    let cookie = format!("a=\"b\"; link=\"{}\"", token());
    let seen = upstream(&all(), &get("/a/b?x=1", &[("cookie", &cookie)])).unwrap();
    assert_eq!(seen[2].as_deref(), Some("a=\"b\""));
}

#[test]
fn a_link_verifies_from_each_carrier_and_its_token_is_removed() {
    let policy = all();
    for headers in each(&token()) {
        let seen = upstream(&policy, &headers).unwrap();
        assert_eq!(
            seen,
            [Some("/a/b?x=1".to_owned()), None, None],
            "{headers:?}"
        );
    }
}

#[test]
fn a_link_does_not_verify_from_another_carrier() {
    let places = [
        json!({ "query": "kg" }),
        json!({ "header": "x-link" }),
        json!({ "cookie": "link" }),
        json!({ "path": "~kg" }),
    ];
    for (configured, place) in places.iter().enumerate() {
        let policy = from(&json!([place]));
        for (used, headers) in each(&token()).iter().enumerate() {
            let seen = upstream(&policy, headers);
            assert_eq!(seen.is_ok(), configured == used, "{place} {seen:?}");
        }
    }
}

#[test]
fn two_tokens_at_once_are_rejected_in_every_pair_of_places_also_equal_ones() {
    let policy = all();
    let good = token();
    for other in [good.as_str(), "nonsense"] {
        let (query, path) = (format!("&kg={other}"), format!("/~kg={other}"));
        let cookie = format!("link={other}");
        let (header, cookie) = (("x-link", other), ("cookie", cookie.as_str()));
        let in_query = format!("/a/b?x=1&kg={good}");
        let in_path = format!("/~kg={good}/a/b?x=1");
        for headers in [
            get(&format!("{in_query}{query}"), &[]),
            get(&in_query, &[header]),
            get(&in_query, &[cookie]),
            get(&format!("{path}{in_query}"), &[]),
            get("/a/b?x=1", &[("x-link", &good), header]),
            get("/a/b?x=1", &[("x-link", &good), cookie]),
            get(&in_path, &[header]),
            get(&in_path, &[cookie]),
            get("/a/b?x=1", &[("cookie", &format!("link={good}")), cookie]),
            get(&format!("{path}{in_path}"), &[]),
        ] {
            let seen = upstream(&policy, &headers);
            assert_eq!(seen, Err(Reason::DuplicateCredential), "{headers:?}");
        }
    }
}

#[test]
fn a_signer_puts_the_token_where_the_first_place_says() {
    use keygate_core::Provider;
    use keygate_core::signed_url::Order;
    let signed = |places: Value| {
        let policy = from(&places);
        let Provider::SignedUrl(links) = policy.rules.all()[0].require.providers()[0] else {
            panic!("the rule requires a link");
        };
        let order = Order {
            origin: "https://example.com",
            expires: Some(UnixMillis::from_secs(NOW + 60)),
            ..keygate_testkit::judge::order("/a/b?x=1", UnixMillis::from_secs(NOW))
        };
        links.format.sign(&order).unwrap()
    };
    let (query, header) = (json!({ "query": "kg" }), json!({ "header": "x-link" }));
    let (cookie, path) = (json!({ "cookie": "link" }), json!({ "path": "~kg" }));
    let token = token();
    let first = signed(json!([query, header, cookie, path]));
    assert_eq!(first.url, format!("https://example.com/a/b?x=1&kg={token}"));
    let first = signed(json!([header, query]));
    assert_eq!(first.url, "https://example.com/a/b?x=1");
    assert_eq!(first.headers, [("x-link".to_owned(), token.clone())]);
    let first = signed(json!([cookie, header, path]));
    assert_eq!(first.cookies, [("link".to_owned(), token.clone())]);
    let first = signed(json!([path, cookie]));
    assert_eq!(
        first.url,
        format!("https://example.com/~kg={token}/a/b?x=1")
    );
}

#[test]
fn no_answer_repeats_the_token_of_a_path_and_no_log_shows_it() {
    let policy = all();
    let token = token();
    for (target, kept) in [
        (format!("/~kg={token}/other?x=1"), "/other?x=1"),
        (format!("/~kg={token}/other?x=1&kg={token}"), "/other?x=1"),
        (format!("/~kg={token}/~kg={token}/a"), "/"),
        (format!("/~kg={token}A/a/b?x=1"), "/a/b?x=1"),
        (format!("/~kg={token}/a//b"), "/"),
        (format!("//~kg={token}/a?x=1"), "/"),
        (format!("/~kg={token}/a/../b"), "/"),
        (format!("/~kg={token}/a%00"), "/"),
        (format!("/~kg%3D{token}/%2e%2e/b"), "/"),
        (format!("/~kg%253d{token}/a"), "/"),
        (format!("/~kg={token}/caf\u{e9}"), "/"),
        ("/a//b?x=1".to_owned(), "/a//b?x=1"),
    ] {
        let headers = get(&target, &[]);
        let nobody = NoAnswer(Reason::KeyServiceUnavailable);
        let facts = keygate_testkit::judge::facts(&nobody, None, UnixMillis::from_secs(NOW));
        let Verdict::Deny(denial) = policy.decide(&headers, &facts) else {
            panic!("{target} is rejected");
        };
        assert_eq!(
            after(&headers, &denial.edits, ":path").as_deref(),
            Some(kept)
        );
        assert!(!denial.body.contains(&token));
    }
}
