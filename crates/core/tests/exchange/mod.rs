//! A link is exchanged for a cookie: what the cookie opens, and what it never does.

mod bounds;
mod config;
mod kit;
mod limits;
mod upstream;

use self::kit::{END, NOW, Seen, cookie_of, link, pair, policy, prefix, see};
use keygate_core::Reason;
use keygate_core::signed_url::keygate::sign::Terms;
use keygate_testkit::judge::{after, get};

#[test]
fn a_link_for_a_prefix_sets_a_cookie_that_opens_its_children() {
    let policy = policy(|_| {});
    let headers = get(&link(&prefix("/video/a/"), "/video/a/index.m3u8"), &[]);
    let seen = see(&policy, &headers, NOW).unwrap();
    let cookie = cookie_of(&seen).unwrap();
    let (token, attributes) = cookie.split_once("; ").unwrap();
    assert!(token.starts_with("keygate_link=kg1."), "{cookie}");
    assert_eq!(
        attributes,
        format!(
            "Path=/video/a/; Max-Age={}; HttpOnly; Secure; SameSite=Lax",
            END - NOW
        )
    );
    // It is added: the upstream has cookies of its own. No shared cache may keep the answer.
    assert_eq!(
        after(&[], &seen.response, "cache-control").as_deref(),
        Some("private, no-cache")
    );
    let cookie = pair(&cookie);
    for child in [
        "/video/a/seg-1.ts",
        "/video/a/b/c.m4s",
        "/video/a/",
        "/video/a/caf%c3%a9",
    ] {
        let headers = get(child, &[("cookie", &cookie)]);
        let seen = see(&policy, &headers, NOW + 60).unwrap();
        assert_eq!(seen.path, child);
        assert_eq!(after(&headers, &seen.edits, "cookie"), None);
        assert_eq!(seen.response, [], "a cookie does not renew itself");
    }
    for elsewhere in ["/video/a", "/video/ab/x", "/video/b/x", "/Video/a/x", "/"] {
        let headers = get(elsewhere, &[("cookie", &cookie)]);
        let reason = see(&policy, &headers, NOW).unwrap_err();
        assert_eq!(reason, Reason::WrongSignature, "{elsewhere}");
    }
    let child = get("/video/a/seg-1.ts", &[]);
    assert_eq!(
        see(&policy, &child, NOW).unwrap_err(),
        Reason::MissingCredential
    );
}

#[test]
fn a_cookie_is_for_one_host_and_for_reading() {
    let policy = policy(|_| {});
    let cookie = kit::exchanged(&policy, "/video/");
    let mut headers = get("/video/x", &[("cookie", &cookie)]);
    headers[0].1 = b"HEAD".into();
    assert!(see(&policy, &headers, NOW).is_ok());
    headers[0].1 = b"POST".into();
    assert_eq!(
        see(&policy, &headers, NOW).unwrap_err(),
        Reason::WrongSignature
    );
    let mut headers = get("/video/x", &[("cookie", &cookie)]);
    headers[2].1 = b"other.example".into();
    assert_eq!(
        see(&policy, &headers, NOW).unwrap_err(),
        Reason::WrongSignature
    );
}

#[test]
fn a_link_decides_and_its_cookie_is_replaced() {
    let policy = policy(|_| {});
    let cookie = kit::exchanged(&policy, "/video/");
    let again = link(&prefix("/video/"), "/video/index.m3u8");
    for beside in [cookie.as_str(), "keygate_link=", "keygate_link=stale"] {
        let headers = get(&again, &[("cookie", beside)]);
        let seen = see(&policy, &headers, NOW + 1).unwrap();
        assert!(cookie_of(&seen).is_some(), "{beside}");
        assert_eq!(seen.path, "/video/index.m3u8");
        assert_eq!(after(&headers, &seen.edits, "cookie"), None);
    }
}

#[test]
fn a_valid_cookie_does_not_save_an_invalid_link() {
    let policy = policy(|_| {});
    let cookie = kit::exchanged(&policy, "/video/");
    let good = link(&prefix("/video/"), "/video/x");
    let old = Terms {
        expires_secs: NOW,
        ..prefix("/video/")
    };
    let other = link(&prefix("/other/"), "/other/x").replace("/other/", "/video/");
    for (target, reason) in [
        (link(&old, "/video/x"), Reason::Expired),
        (other.replace("/other/", "/video/"), Reason::WrongSignature),
        (
            format!("{good}&{}", good.split_once('?').unwrap().1),
            Reason::DuplicateCredential,
        ),
        // A parameter that the cookie does not cover.
        ("/video/x?kg=&a=".to_owned(), Reason::WrongSignature),
        ("/video/x?kg=;a=1".to_owned(), Reason::MalformedCredential),
    ] {
        let headers = get(&target, &[("cookie", &cookie)]);
        assert_eq!(see(&policy, &headers, NOW).unwrap_err(), reason, "{target}");
    }
}

#[test]
fn an_empty_token_beside_a_valid_cookie_does_not_matter() {
    let policy = policy(|_| {});
    let cookie = kit::exchanged(&policy, "/video/");
    for query in ["kg=", "kg", "kg=&kg=", "%6bg="] {
        let headers = get(&format!("/video/x?{query}"), &[("cookie", &cookie)]);
        assert_eq!(see(&policy, &headers, NOW).unwrap().path, "/video/x");
    }
}

#[test]
fn two_cookies_are_rejected_even_with_a_link() {
    let policy = policy(|_| {});
    let cookie = kit::exchanged(&policy, "/video/");
    let twice = format!("{cookie}; {cookie}");
    let with_link = link(&prefix("/video/"), "/video/x");
    for target in ["/video/x", with_link.as_str()] {
        for headers in [
            get(target, &[("cookie", &twice)]),
            get(target, &[("cookie", &cookie), ("cookie", &cookie)]),
            get(target, &[("cookie", &format!("keygate_link=x; {cookie}"))]),
        ] {
            let reason = see(&policy, &headers, NOW).unwrap_err();
            assert_eq!(reason, Reason::DuplicateCredential, "{target}");
        }
        let beside_empty = format!("keygate_link=; {cookie}; keygate_link=\"\"");
        let headers = get(target, &[("cookie", &beside_empty)]);
        assert!(see(&policy, &headers, NOW).is_ok(), "{target}");
    }
}

#[test]
fn each_byte_of_a_cookie_counts() {
    let policy = policy(|_| {});
    let cookie = kit::exchanged(&policy, "/video/");
    let start = cookie.find('=').unwrap() + 1;
    for at in start..cookie.len() {
        let mut bytes = cookie.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let headers = get("/video/x", &[("cookie", &changed)]);
        assert!(see(&policy, &headers, NOW).is_err(), "byte {at}");
    }
}

#[test]
fn a_cookie_carries_the_account_of_its_link() {
    let policy = policy(|_| {});
    let terms = Terms {
        account: Some("alice"),
        ..prefix("/video/")
    };
    let headers = get(&link(&terms, "/video/x"), &[]);
    let cookie = pair(&cookie_of(&see(&policy, &headers, NOW).unwrap()).unwrap());
    let headers = get(
        "/video/y",
        &[("cookie", &cookie), ("x-keygate-account", "root")],
    );
    let Seen { edits, .. } = see(&policy, &headers, NOW).unwrap();
    let account = after(&headers, &edits, "x-keygate-account");
    assert_eq!(account.as_deref(), Some("alice"));
}
