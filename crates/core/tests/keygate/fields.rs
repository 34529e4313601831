//! Each field does what docs/signed-urls.md says.

mod query;

use keygate_core::Reason;
use keygate_core::signed_url::keygate::sign::Terms;
use serde_json::json;

use crate::keygate::kit::*;

const WRONG: Result<String, Reason> = Err(Reason::WrongSignature);

fn passes(target: &str) -> Result<String, Reason> {
    judge(&policy(), &get(target, &[]))
}

#[test]
fn a_link_opens_its_url_and_the_token_is_taken_out() {
    for (target, upstream) in [("/a", "/a"), ("/a?q=1&r", "/a?q=1&r"), ("/a?", "/a")] {
        let token = token(&terms(), target);
        let separator = if target.contains('?') { '&' } else { '?' };
        let link = format!("{target}{separator}kg={token}");
        assert_eq!(passes(&link).as_deref(), Ok(upstream), "{target}");
    }
}

#[test]
fn the_token_may_be_anywhere_in_the_query() {
    let token = token(&terms(), "/a?x=1&y=2");
    for target in ["/a?kg=T&x=1&y=2", "/a?x=1&kg=T&y=2", "/a?x=1&y=2&kg=T"] {
        let link = target.replace('T', &token);
        assert_eq!(passes(&link).as_deref(), Ok("/a?x=1&y=2"), "{target}");
    }
}

#[test]
fn a_link_is_valid_from_its_first_second_until_just_before_its_expiry() {
    let terms = Terms {
        not_before_secs: Some(NOW + 100),
        ..terms()
    };
    let headers = get(&link(&terms, "/a"), &[]);
    let at = |now| judge_from(&policy(), &headers, "", now).map(|_| ());
    // The skew is 30 s.
    assert_eq!(at(NOW + 69), Err(Reason::NotYetValid));
    assert_eq!(at(NOW + 70), Ok(()));
    assert_eq!(at(END - 1), Ok(()));
    assert_eq!(at(END), Err(Reason::Expired));
}

#[test]
fn no_signer_grants_more_than_max_lifetime() {
    let week = 7 * 24 * 3600;
    for (ahead, expected) in [
        (week + 30, Ok("/a".to_owned())),
        (week + 31, Err(Reason::LifetimeTooLong)),
    ] {
        let terms = Terms {
            expires_secs: NOW + ahead,
            ..terms()
        };
        assert_eq!(passes(&link(&terms, "/a")), expected);
    }
}

#[test]
fn get_permits_head_and_nothing_else() {
    let get_link = link(&terms(), "/a");
    let put = Terms {
        method: Some("PUT"),
        ..terms()
    };
    let put_link = link(&put, "/a");
    for (method, get_holds, put_holds) in [
        ("GET", true, false),
        ("HEAD", true, false),
        ("PUT", false, true),
        ("POST", false, false),
        ("OPTIONS", false, false),
        ("get", false, false),
    ] {
        let holds = |link: &str| judge(&policy(), &request(method, "example.com", link, &[]));
        assert_eq!(holds(&get_link).is_ok(), get_holds, "{method}");
        assert_eq!(holds(&put_link).is_ok(), put_holds, "{method}");
    }
}

#[test]
fn the_host_is_signed_unless_the_link_says_otherwise() {
    let link_of = |any_host| {
        link(
            &Terms {
                any_host,
                ..terms()
            },
            "/a",
        )
    };
    for (host, one, any) in [
        ("example.com", true, true),
        ("EXAMPLE.com", true, true),
        ("example.com:8080", false, true),
        ("evil.example", false, true),
    ] {
        let holds = |link: String| judge(&policy(), &request("GET", host, &link, &[])).is_ok();
        assert_eq!(holds(link_of(false)), one, "{host}");
        assert_eq!(holds(link_of(true)), any, "{host}");
    }
}

#[test]
fn the_default_port_of_the_scheme_is_no_part_of_the_host() {
    for (host, scheme, holds) in [
        ("example.com:80", Some("http"), true),
        ("example.com:443", Some("https"), true),
        ("EXAMPLE.com:80", None, true),
        ("example.com:443", None, true),
        ("example.com:443", Some("http"), false),
        ("example.com:80", Some("https"), false),
        ("example.com:8080", Some("http"), false),
    ] {
        let more = scheme.map(|it| (":scheme", it));
        let more: Vec<_> = more.into_iter().collect();
        let request = request("GET", host, &link(&terms(), "/a"), &more);
        assert_eq!(
            judge(&policy(), &request).is_ok(),
            holds,
            "{host} {scheme:?}"
        );
    }
}

#[test]
fn a_prefix_covers_everything_below_it() {
    let terms = Terms {
        prefix: Some("/video/"),
        ..terms()
    };
    let token = token(&terms, "/video/a");
    for (path, holds) in [
        ("/video/a", true),
        ("/video/b/c.ts", true),
        ("/video/", true),
        ("/video/%c3%a9", true),
        ("/video", false),
        ("/video-private/a", false),
        ("/a", false),
    ] {
        let expected = if holds { Ok(path.to_owned()) } else { WRONG };
        assert_eq!(passes(&format!("{path}?kg={token}")), expected, "{path}");
    }
}

#[test]
fn globs_open_what_one_of_them_matches() {
    let terms = Terms {
        globs: &["/img/*.jpg", "/video/**"],
        ..terms()
    };
    let token = token(&terms, "/video/a");
    for (path, holds) in [
        ("/img/cat.jpg", true),
        ("/video", true),
        ("/video/a/b", true),
        ("/img/a/cat.jpg", false),
        ("/img/cat.png", false),
        ("/videos/a", false),
    ] {
        let expected = if holds { Ok(path.to_owned()) } else { WRONG };
        assert_eq!(passes(&format!("{path}?kg={token}")), expected, "{path}");
    }
}

#[test]
fn addresses_and_ranges_bound_where_the_client_is() {
    let addresses =
        ["192.0.2.7/32", "198.51.100.0/24", "2001:db8:1::/64"].map(|it| it.parse().unwrap());
    let terms = Terms {
        addresses: &addresses,
        ..terms()
    };
    let headers = get(&link(&terms, "/a"), &[]);
    for (client, holds) in [
        (Some("192.0.2.7"), true),
        (Some("::ffff:192.0.2.7"), true),
        (Some("192.0.2.8"), false),
        (Some("198.51.100.200"), true),
        (Some("198.51.101.1"), false),
        (Some("2001:db8:1::abcd"), true),
        (Some("2001:db8:2::1"), false),
        (None, false),
    ] {
        let expected = if holds {
            Ok("/a".to_owned())
        } else {
            Err(Reason::AddressNotAllowed)
        };
        assert_eq!(
            judge_from(&policy(), &headers, client.unwrap_or_default(), NOW),
            expected,
            "{client:?}"
        );
    }
    // An expired or forged link does not reveal where it would be valid.
    let expired = judge_from(&policy(), &headers, "192.0.2.8", END);
    assert_eq!(expired, Err(Reason::Expired));
}

#[test]
fn a_signed_header_must_be_there_once_and_as_it_was() {
    let terms = Terms {
        headers: &[("x-device", "tv"), ("accept-language", "de")],
        ..terms()
    };
    let link = link(&terms, "/a");
    type Row<'a> = (&'a [(&'a str, &'a str)], Result<(), Reason>);
    let rows: [Row<'_>; 5] = [
        (&[("x-device", "tv"), ("accept-language", "de")], Ok(())),
        (
            &[("x-device", "pc"), ("accept-language", "de")],
            Err(Reason::WrongSignature),
        ),
        (
            &[("x-device", "de"), ("accept-language", "tv")],
            Err(Reason::WrongSignature),
        ),
        (&[("x-device", "tv")], Err(Reason::WrongSignature)),
        (
            &[
                ("x-device", "tv"),
                ("x-device", "tv"),
                ("accept-language", "de"),
            ],
            Err(Reason::DuplicateCredential),
        ),
    ];
    for (more, expected) in rows {
        let found = judge(&policy(), &get(&link, more)).map(|_| ());
        assert_eq!(found, expected, "{more:?}");
    }
}

#[test]
fn a_signed_cookie_must_be_there_once_and_as_it_was() {
    let terms = Terms {
        cookies: &[("session", "s1")],
        ..terms()
    };
    let link = link(&terms, "/a");
    for (cookie, expected) in [
        ("a=b; session=s1", Ok(())),
        ("session=s2", Err(Reason::WrongSignature)),
        ("a=b", Err(Reason::WrongSignature)),
        ("session=s1; session=s1", Err(Reason::DuplicateCredential)),
    ] {
        let found = judge(&policy(), &get(&link, &[("cookie", cookie)])).map(|_| ());
        assert_eq!(found, expected, "{cookie}");
    }
}

#[test]
fn the_upstream_receives_the_signed_account_and_no_header_of_the_client() {
    let terms = Terms {
        account: Some("alice"),
        ..terms()
    };
    let headers = get(&link(&terms, "/a"), &[("x-keygate-account", "root")]);
    let facts = keygate_core::Facts {
        checks: keygate_core::signed_url::Checks::default(),
        client: keygate_core::Client::Known(None),
        keys: &keygate_core::keys::NoAnswer(Reason::KeyServiceUnavailable),
        claims: &keygate_core::NoClaims,
        now: keygate_core::UnixMillis::from_secs(NOW),
    };
    let keygate_core::Verdict::Allow(grant) = policy().decide(&headers, &facts) else {
        panic!("a good link is allowed");
    };
    let account = after(&headers, &grant.edits, "x-keygate-account");
    assert_eq!(account.as_deref(), Some("alice"));
}

#[test]
fn a_single_use_link_is_rejected_if_uses_are_not_counted() {
    let terms = Terms {
        once: Some("0123456789abcdef"),
        ..terms()
    };
    assert_eq!(
        passes(&link(&terms, "/a")),
        Err(Reason::KeyServiceUnavailable)
    );
}

#[test]
fn every_equivalent_spelling_is_the_signed_one_and_stays_as_it_is() {
    for (signed, arrives) in [
        ("/caf%C3%A9?a=%2B", "/caf%c3%a9?a=%2b"),
        ("/caf%c3%a9?a=%2b", "/caf%C3%A9?a=%2B"),
        ("/%61%2Db?%63=%7E", "/a-b?c=~"),
        ("/%61", "/a"),
    ] {
        let token = token(&terms(), signed);
        let separator = if arrives.contains('?') { '&' } else { '?' };
        let link = format!("{arrives}{separator}kg={token}");
        assert_eq!(passes(&link).as_deref(), Ok(arrives), "{signed}");
    }
    for (signed, other) in [
        ("/a?b=%2B", "/a?b=+"),
        ("/a?b=%20", "/a?b=+"),
        ("/a%40b", "/a@b"),
        ("/a?x=%26y", "/a?x=&y"),
    ] {
        let separator = if other.contains('?') { '&' } else { '?' };
        let link = format!("{other}{separator}kg={}", token(&terms(), signed));
        assert_eq!(passes(&link), WRONG, "{signed}");
    }
}

#[test]
fn each_carrier_carries_and_loses_it() {
    let places = json!([
        { "query": "kg" }, { "header": "x-link" }, { "cookie": "kg" }, { "path": "~kg" }
    ]);
    let policy = policy_of(&provider_with(json!({ "from": places })), SECRET);
    let token = token(&terms(), "/v/a?x=1");
    let cookie = format!("a=b; kg={token}");
    let in_path = [
        format!("/v/~kg={token}/a?x=1"),
        format!("/~kg={token}/v/a?x=1"),
    ];
    let rows = [
        get(&format!("/v/a?x=1&kg={token}"), &[]),
        get("/v/a?x=1", &[("x-link", &token)]),
        get("/v/a?x=1", &[("cookie", &cookie)]),
        get(&in_path[0], &[]),
        get(&in_path[1], &[]),
    ];
    for headers in &rows {
        assert_eq!(
            judge(&policy, headers).as_deref(),
            Ok("/v/a?x=1"),
            "{headers:?}"
        );
    }
    let twice = get(&format!("/v/a?x=1&kg={token}"), &[("x-link", &token)]);
    assert_eq!(judge(&policy, &twice), Err(Reason::DuplicateCredential));
}
