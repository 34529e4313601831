//! How long a cookie lives, what it covers, and for which links there is none.

mod query;

use keygate_core::signed_url::keygate::sign::Terms;
use keygate_core::signed_url::{
    Covers, FieldRemark, Format, Link, LinkFacts, Order, Scope, SignError, Signed, SignedUrl,
};
use keygate_core::{Reason, Request, UnixMillis};
use serde_json::json;

use crate::exchange::kit::{
    COOKIES, END, NOW, cookie_of, exchanged, link, pair, parse, policy, prefix, see, token, written,
};
use keygate_testkit::judge::{facts, get};

fn max_age(set_cookie: &str) -> u64 {
    let (_, rest) = set_cookie.split_once("Max-Age=").unwrap();
    rest.split(';').next().unwrap().parse().unwrap()
}

#[test]
fn a_cookie_outlives_neither_its_link_nor_the_longest_session() {
    let policy = policy(|_| {});
    for (end, expected) in [(END, END), (NOW + 86_400, NOW + 6 * 3600)] {
        let terms = Terms {
            expires_secs: end,
            ..prefix("/video/")
        };
        let seen = see(&policy, &get(&link(&terms, "/video/x"), &[]), NOW).unwrap();
        let set_cookie = cookie_of(&seen).unwrap();
        assert_eq!(max_age(&set_cookie), expected - NOW);
        let cookie = pair(&set_cookie);
        let child = get("/video/y", &[("cookie", &cookie)]);
        assert!(see(&policy, &child, expected - 1).is_ok());
        assert_eq!(see(&policy, &child, expected).unwrap_err(), Reason::Expired);
    }
    // In its last second a link is exchanged for nothing that lives longer.
    let target = link(&prefix("/video/"), "/video/x");
    assert_eq!(
        max_age(&cookie_of(&see(&policy, &get(&target, &[]), END - 1).unwrap()).unwrap()),
        1
    );
}

#[test]
fn a_session_cannot_be_made_longer_by_its_own_cookie() {
    let policy = policy(|_| {});
    let cookie = exchanged(&policy, "/video/");
    // In no carrier of links does a cookie count as a link, which would be exchanged again.
    let value = cookie.split_once('=').unwrap().1;
    for headers in [
        get(&format!("/video/x?kg={value}"), &[]),
        get("/video/x", &[("x-link", value)]),
        get("/video/x", &[("cookie", &format!("link={value}"))]),
    ] {
        assert_eq!(
            see(&policy, &headers, NOW).unwrap_err(),
            Reason::WrongSignature
        );
    }
    // Nor does a link count as a cookie.
    let linked = link(&prefix("/video/"), "/video/x");
    let value = linked.split_once("kg=").unwrap().1;
    let headers = get("/video/x", &[("cookie", &format!("keygate_link={value}"))]);
    assert_eq!(
        see(&policy, &headers, NOW).unwrap_err(),
        Reason::WrongSignature
    );
    // A signer that has the secret of the cookies is still bounded.
    let long = Terms {
        expires_secs: NOW + 6 * 3600 + 31,
        any_query: true,
        ..prefix("/video/")
    };
    let value = token(&long, "/video/x", "c1", COOKIES);
    let headers = get("/video/x", &[("cookie", &format!("keygate_link={value}"))]);
    assert_eq!(
        see(&policy, &headers, NOW).unwrap_err(),
        Reason::LifetimeTooLong
    );
}

#[test]
fn a_link_for_one_path_is_exchanged_only_where_that_is_configured() {
    let one = Terms {
        prefix: None,
        ..prefix("")
    };
    let globs = Terms {
        globs: &["/video/*.m3u8"],
        ..one
    };
    let same = policy(|_| {});
    let wider = policy(|it| it["providers"]["link"]["exchange"]["covers"] = json!("directory"));
    for terms in [&one, &globs] {
        let headers = get(&link(terms, "/video/x.m3u8?a=1"), &[]);
        assert_eq!(see(&same, &headers, NOW).unwrap().response, []);
        let set_cookie = cookie_of(&see(&wider, &headers, NOW).unwrap()).unwrap();
        assert!(set_cookie.contains("; Path=/video/;"), "{set_cookie}");
        let cookie = pair(&set_cookie);
        assert!(see(&wider, &get("/video/y?b=2", &[("cookie", &cookie)]), NOW).is_ok());
        assert!(see(&wider, &get("/videos/y", &[("cookie", &cookie)]), NOW).is_err());
    }
    // A link for one file in the root is not meant for the whole host.
    let headers = get(&link(&one, "/x.m3u8"), &[]);
    assert_eq!(see(&wider, &headers, NOW).unwrap().response, []);
    // A link that says so means it.
    let headers = get(&link(&prefix("/"), "/x.m3u8"), &[]);
    assert!(
        cookie_of(&see(&wider, &headers, NOW).unwrap())
            .unwrap()
            .contains("Path=/;")
    );
}

#[test]
fn a_link_that_is_bound_to_a_client_does_not_become_a_cookie_that_is_not() {
    let policy = policy(|_| {});
    let bound = [
        Terms {
            addresses: &["192.0.2.0/24".parse().unwrap()],
            ..prefix("/video/")
        },
        Terms {
            headers: &[("user-agent", "player")],
            ..prefix("/video/")
        },
        Terms {
            cookies: &[("session", "1")],
            ..prefix("/video/")
        },
    ];
    let client = [("user-agent", "player"), ("cookie", "session=1")];
    for terms in bound {
        let headers = get(&link(&terms, "/video/x"), &client);
        assert_eq!(
            see(&policy, &headers, NOW).unwrap().response,
            [],
            "{terms:?}"
        );
    }
    // A request with a link for every client, from each carrier.
    let anybody = token(
        &prefix("/video/"),
        "/video/x",
        "01",
        crate::exchange::kit::LINKS,
    );
    for headers in [
        get(&format!("/video/x?kg={anybody}"), &client),
        get("/video/x", &[client[0], client[1], ("x-link", &anybody)]),
        get(
            "/video/x",
            &[client[0], ("cookie", &format!("session=1; link={anybody}"))],
        ),
    ] {
        assert!(cookie_of(&see(&policy, &headers, NOW).unwrap()).is_some());
    }
}

#[test]
fn a_link_that_works_once_does_not_become_a_cookie_that_works_often() {
    use keygate_core::keys::NoAnswer;

    let policy = policy(|_| {});
    let all = policy.rules.all();
    let provider = all.last().unwrap().require.providers()[0];
    let keygate_core::Provider::SignedUrl(links) = provider else {
        panic!("the rule requires a link");
    };
    let nobody = NoAnswer(Reason::KeyServiceUnavailable);
    let facts = facts(&nobody, None, UnixMillis::from_secs(NOW));
    for (once, is_exchanged) in [(None, true), (Some("0123456789abcdef"), false)] {
        let terms = Terms {
            once,
            ..prefix("/video/")
        };
        let headers = get(&link(&terms, "/video/x"), &[]);
        let request = Request::read(&headers).unwrap();
        let (link, edits) = links.check(&request, &facts.of_link()).unwrap();
        assert_eq!(link.once.is_some(), once.is_some());
        assert_eq!(!edits.is_empty(), is_exchanged);
    }
}

#[test]
fn a_link_for_another_method_is_not_exchanged() {
    let policy = policy(|_| {});
    let terms = Terms {
        method: Some("POST"),
        ..prefix("/video/")
    };
    let mut headers = get(&link(&terms, "/video/x"), &[]);
    headers[0].1 = b"POST".into();
    assert_eq!(see(&policy, &headers, NOW).unwrap().response, []);
}

#[test]
fn the_cookie_has_the_path_as_the_client_spells_it() {
    let policy = policy(|policy| policy["allow_path_parameters"] = json!(true));
    for (covered, target, path) in [
        ("/video/", "/video/x", "/video/"),
        ("/caf%C3%A9/", "/caf%c3%a9/x", "/caf%c3%a9/"),
        // A semicolon would end the attribute and begin one that the path has chosen.
        (
            "/a/b;Domain=evil.example/",
            "/a/b;Domain=evil.example/x",
            "/a/",
        ),
    ] {
        let headers = get(&link(&prefix(covered), target), &[]);
        let set_cookie = cookie_of(&see(&policy, &headers, NOW).unwrap()).unwrap();
        assert!(
            set_cookie.contains(&format!("; Path={path}; Max-Age=")),
            "{set_cookie}"
        );
        assert_eq!(set_cookie.matches(';').count(), 5, "{set_cookie}");
        let cookie = pair(&set_cookie);
        assert!(see(&policy, &get(target, &[("cookie", &cookie)]), NOW).is_ok());
    }
    // Longer than browsers keep: none at all, rather than one that goes elsewhere.
    let long = format!("/{}/", "a".repeat(1100));
    let headers = get(&link(&prefix(&long), &format!("{long}x")), &[]);
    assert_eq!(see(&policy, &headers, NOW).unwrap().response, []);
}

#[test]
fn a_link_of_another_format_is_exchanged_too() {
    let mut written = written();
    written["providers"]["link"] = json!({ "type": "signed_url", "format": "cloudflare",
        "secrets": "links", "ttl": "3h", "directory_length": 7,
        "exchange": { "secrets": "cookies", "max_session": "6h", "same_site": "none", "cookie": "__Secure-media" } });
    let policy = parse(&written).unwrap();
    let rule = policy.rules.all().len() - 1;
    let now = UnixMillis::from_secs(NOW);
    // What is signed is the directory.
    let target = keygate_testkit::judge::signed_as(&policy, rule, "/video/x", &|order| {
        order.now = now;
        order.scope = Scope::Prefix("/video/");
    });
    let set_cookie = cookie_of(&see(&policy, &get(&target, &[]), NOW).unwrap()).unwrap();
    assert!(
        set_cookie.starts_with("__Secure-media=kg1."),
        "{set_cookie}"
    );
    assert!(set_cookie.ends_with("; Path=/video/; Max-Age=10800; HttpOnly; Secure; SameSite=None"));
    let cookie = pair(&set_cookie);
    assert!(see(&policy, &get("/video/y", &[("cookie", &cookie)]), NOW + 60).is_ok());
}

/// A format whose links never end.
#[derive(Debug)]
struct Endless;

impl Format for Endless {
    fn verify<'a>(&'a self, _: &Request<'a>, _: &LinkFacts<'_>) -> Result<Link<'a>, Reason> {
        Ok(Link {
            covers: Covers::Prefix("/video/"),
            ..Link::new([], None)
        })
    }

    fn parameters(&self) -> Vec<&str> {
        Vec::new()
    }

    fn remarks(&self) -> Vec<FieldRemark> {
        Vec::new()
    }

    fn sign(&self, _: &Order<'_>) -> Result<Signed, SignError> {
        Err(SignError::new("not here"))
    }

    fn explain(&self, _: &Request<'_>, _: &LinkFacts<'_>) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn the_cookie_of_a_link_without_an_end_has_one() {
    use std::rc::Rc;

    use keygate_core::Millis;
    use keygate_core::keys::NoAnswer;
    use keygate_core::secret::{KeyRing, RingEntry};
    use keygate_core::signed_url::keygate::{Keygate, Keys};
    use keygate_core::signed_url::{Exchange, MacKey, SameSite};

    let entry = RingEntry {
        id: "c1".to_owned(),
        key: MacKey::new(COOKIES.as_bytes(), &Rc::default()),
        not_before: None,
        not_after: None,
    };
    let max_session = Millis::from_secs(600);
    let links = SignedUrl {
        name: "endless",
        format: Box::new(Endless),
        ring: KeyRing(Vec::new()),
        exchange: Some(Exchange {
            tokens: Keygate {
                keys: Keys::Hs256(KeyRing(vec![entry])),
                carriers: Vec::new(),
                max_lifetime: max_session,
                skew: Millis(0),
                query_ignore: Vec::new(),
                query_allow: None,
            },
            ring: KeyRing(Vec::new()),
            cookie: "it".to_owned(),
            max_session,
            same_site: SameSite::Strict,
            widens: false,
        }),
    };
    let headers = get("/video/x", &[]);
    let request = Request::read(&headers).unwrap();
    let nobody = NoAnswer(Reason::KeyServiceUnavailable);
    let facts = facts(&nobody, None, UnixMillis::from_secs(NOW));
    let (_, edits) = links.check(&request, &facts.of_link()).unwrap();
    let set_cookie = keygate_testkit::judge::after(&[], &edits, "set-cookie").unwrap();
    assert_eq!(max_age(&set_cookie), 600);
    assert!(set_cookie.ends_with("SameSite=Strict"));
}

#[test]
fn no_header_for_caches_alone_contradicts_the_answer_with_a_cookie() {
    let seen = see(
        &policy(|_| {}),
        &get(&link(&prefix("/video/"), "/video/x"), &[]),
        NOW,
    )
    .unwrap();
    for name in ["cdn-cache-control", "surrogate-control", "x-accel-expires"] {
        let removes = keygate_core::Edit::Remove(name.into());
        assert!(seen.response.contains(&removes), "{name}");
    }
}

#[test]
fn a_cookie_of_a_ring_without_a_current_secret_has_a_reason_of_its_own() {
    let cookie = exchanged(&policy(|_| {}), "/video/");
    let ended = policy(|it| {
        it["secrets"]["cookies"] =
            json!([{ "id": "c1", "env": "COOKIES", "not_after": "2025-01-01T00:00:00Z" }]);
    });
    let child = get("/video/y", &[("cookie", &cookie)]);
    assert_eq!(
        see(&ended, &child, NOW).unwrap_err(),
        Reason::NoCurrentSecret
    );
}
