//! A caller who has sent more requests than it may: what each mode makes of it.

use keygate_core::decision::Exceeded;

use super::*;

fn beyond(json: &Value, target: &str, more: &[(&str, &str)]) -> Verdict {
    let answer = Answer {
        hashes: &[new_key().hash],
        knowledge: known(json!({})),
        others: &NothingKnown,
    };
    let by = Exceeded {
        reason: Reason::KeyRateLimited,
        retry_after: 42,
    };
    let facts = facts(&answer, None, NOW);
    policy(json, SECRET).decide_beyond(&get(target, more), &facts, by)
}

fn denial(verdict: Verdict) -> Denial {
    match verdict {
        Verdict::Deny(denial) => denial,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_caller_beyond_its_limit_learns_when_to_come_back() {
    let headers = [("authorization", &*bearer())];
    let denial = denial(beyond(&demo(), "/either/x", &headers));
    assert_eq!(
        (denial.status, denial.reason),
        (429, Reason::KeyRateLimited)
    );
    let header = |name: &str| {
        let mut headers = denial.headers.iter();
        headers
            .find(|(it, _)| it == name)
            .map(|(_, value)| &**value)
    };
    assert_eq!(header("retry-after"), Some("42"));
    assert_eq!(header("cache-control"), Some("no-store"));
    assert_eq!(header("www-authenticate"), None);
    let body = &denial.body;
    assert!(
        body.contains("rate_limited") && body.contains("too many requests"),
        "{body}"
    );
}

#[test]
fn a_challenge_gives_no_room_beyond_the_limit() {
    let mut json = demo();
    let rules = json["rules"].as_array_mut().unwrap();
    rules.insert(
        0,
        json!({ "name": "browsers", "match": { "path": "/web/**" }, "require": "key",
        "mode": "challenge", "challenge": { "secrets": "app_keys" } }),
    );
    let headers = [("authorization", &*bearer()), ("accept", "text/html")];
    let denial = denial(beyond(&json, "/web/x", &headers));
    assert_eq!(
        (denial.status, denial.reason),
        (429, Reason::KeyRateLimited)
    );
}

#[test]
fn a_caller_without_a_valid_credential_is_rejected_for_that() {
    let without = denial(beyond(&demo(), "/api/x", &[]));
    assert_eq!(without.reason, Reason::MissingCredential);
    assert!(matches!(
        beyond(&demo(), "/healthz", &[]),
        Verdict::Allow(_)
    ));
}
