//! What of it all the upstream sees, and what happens where more is required.

use keygate_core::keys::{NoAnswer, NothingKnown};
use keygate_core::{Provider, Reason, Request, UnixMillis, Verdict};
use serde_json::json;

use crate::exchange::kit::{NOW, cookie_of, exchanged, link, policy, prefix, see};
use keygate_testkit::judge::{after, facts, get};

#[test]
fn the_upstream_never_receives_the_cookie() {
    let policy = policy(|it| it["unmatched"] = json!("allow"));
    let cookie = exchanged(&policy, "/");
    let all = format!("a=1; {cookie}; b=\"2 3\"");
    for target in ["/x", "/open/x", "/off/x", "/try/x"] {
        for sent in [all.as_str(), "a=1; keygate_link=stale; b=\"2 3\""] {
            let headers = get(target, &[("cookie", sent)]);
            let Ok(seen) = see(&policy, &headers, NOW) else {
                assert!(target == "/x" && sent.contains("stale"), "{target} {sent}");
                continue;
            };
            let kept = after(&headers, &seen.edits, "cookie");
            assert_eq!(kept.as_deref(), Some("a=1; b=\"2 3\""), "{target}");
        }
    }
    // Cookies of others are not touched where ours is not among them.
    let headers = get(
        "/open/x",
        &[("cookie", "a=1;b=2"), ("cookie", "keygate_links=3")],
    );
    let edits = see(&policy, &headers, NOW).unwrap().edits;
    let kept = after(&headers, &edits, "cookie");
    assert_eq!(kept.as_deref(), Some("a=1;b=2,keygate_links=3"));
}

#[test]
fn where_no_rule_matches_the_upstream_does_not_see_it_either() {
    let policy = policy(|it| {
        it["unmatched"] = json!("allow");
        it["rules"] = json!([{ "name": "a", "match": { "path": "/video/**" }, "require": "link" }]);
    });
    let cookie = exchanged(&policy, "/video/");
    let headers = get("/elsewhere", &[("cookie", &cookie)]);
    let edits = see(&policy, &headers, NOW).unwrap().edits;
    assert_eq!(after(&headers, &edits, "cookie"), None);
}

#[test]
fn no_cookie_is_set_if_another_credential_allowed_the_request() {
    let policy = policy(|_| {});
    for target in ["/open/x", "/off/x"] {
        let headers = get(&link(&prefix("/"), target), &[]);
        assert_eq!(
            see(&policy, &headers, NOW).unwrap().response,
            [],
            "{target}"
        );
    }
    let wrong = link(&prefix("/try/"), "/try/x").replace("/try/", "/try/y/");
    let headers = get(&format!("{wrong}A"), &[]);
    assert_eq!(see(&policy, &headers, NOW).unwrap().response, []);
    let headers = get(&link(&prefix("/try/"), "/try/x"), &[]);
    assert!(cookie_of(&see(&policy, &headers, NOW).unwrap()).is_some());
}

#[test]
fn a_link_that_is_not_all_that_is_required_is_exchanged_once_the_rest_is_there() {
    let policy = policy(|_| {});
    let target = link(&prefix("/both/"), "/both/x");
    // Without the key nothing is set.
    let headers = get(&target, &[]);
    assert_eq!(
        see(&policy, &headers, NOW).unwrap_err(),
        Reason::MissingCredential
    );
    let master = keygate_core::keys::MasterSecret::derive(&keygate_core::Secret::new(
        b"another-secret-0123456789abcdef0123456789".to_vec(),
    ))
    .unwrap();
    let kid = keygate_core::keys::KeyRingId::parse("01").unwrap();
    let words = keygate_core::keys::Prefix::parse("kg").unwrap();
    let key = master.generate(&words, kid, &mut |bytes| bytes.fill(7));
    let bearer = format!("Bearer {}", key.text.as_str());
    let headers = get(&target, &[("authorization", &bearer)]);
    let now = UnixMillis::from_secs(NOW);
    let asked = policy.decide(&headers, &facts(&NothingKnown, None, now));
    assert!(matches!(asked, Verdict::Ask(_)), "{asked:?}");
    let known = crate::exchange::kit::Known("alice");
    let Verdict::Allow(grant) = policy.decide(&headers, &facts(&known, None, now)) else {
        panic!("link and key hold");
    };
    let set_cookie = after(&[], &grant.response_edits, "set-cookie").unwrap();
    // The cookie stands for the link alone: the key is needed as before.
    let cookie = crate::exchange::kit::pair(&set_cookie);
    let child = get("/both/y", &[("cookie", &cookie)]);
    assert_eq!(
        see(&policy, &child, NOW).unwrap_err(),
        Reason::MissingCredential
    );
    let child = get(
        "/both/y",
        &[("cookie", &cookie), ("authorization", &bearer)],
    );
    let verdict = policy.decide(&child, &facts(&known, None, now));
    assert!(matches!(verdict, Verdict::Allow(_)), "{verdict:?}");
    let none = NoAnswer(Reason::KeyServiceUnavailable);
    let verdict = policy.decide(&child, &facts(&none, None, now));
    assert!(matches!(verdict, Verdict::Deny(_)), "{verdict:?}");
}

#[test]
fn explain_mentions_the_cookie_only_if_one_was_sent() {
    let policy = policy(|_| {});
    let cookie = exchanged(&policy, "/video/");
    let explained = |sent: &str| {
        let headers = get("/video/x", &[("cookie", sent)]);
        let rule = policy.rules.all().iter().find(|it| it.name == "all");
        let Provider::SignedUrl(links) = rule.unwrap().require.providers()[0] else {
            panic!("the rule requires a link");
        };
        let nobody = NoAnswer(Reason::KeyServiceUnavailable);
        let facts = facts(&nobody, None, UnixMillis::from_secs(NOW));
        let request = Request::read(&headers).unwrap();
        links.explain(&request, &facts.of_link()).join("\n")
    };
    let (with, without) = (explained(&cookie), explained("other=1"));
    let told = "the cookie keygate_link, for which a link was exchanged:";
    let (of_link, of_cookie) = with.split_once(told).unwrap();
    assert_eq!(
        of_link.trim_end(),
        without,
        "what is said of the link itself"
    );
    assert!(
        !without.is_empty() && of_cookie.contains("/video/"),
        "{with}"
    );
    assert!(!with.contains(cookie.split_once('=').unwrap().1), "{with}");
}
