//! What mode `challenge` gives to whom.

mod scopes;
mod seals;
mod visit;

use keygate_core::decision::challenge::SOLUTION_HEADER;
use keygate_core::keys::NoAnswer;
use keygate_core::{Outcome, Reason, UnixMillis, Verdict};
use keygate_testkit::judge::{after, facts, policy, signed};
use serde_json::{Value, json};
use visit::{CLIENT, NOW, SECRET, Visit, demo, demo_policy, header};

#[test]
fn browsers_get_the_page_and_programs_get_a_hint() {
    let page = Visit::new("/x").denied();
    assert_eq!((page.status, page.reason), (403, Reason::ChallengeRequired));
    assert_eq!(
        header(&page.headers, "content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(header(&page.headers, "cache-control"), Some("no-store"));
    assert_eq!(
        page.details,
        "keygate_denied{reason=challenge_required,cause=missing_credential,rule=web}"
    );
    for program in [
        Visit::new("/x").without("accept"),
        Visit::new("/x").without("accept").with("accept", "*/*"),
        Visit::new("/x")
            .without("accept")
            .with("accept", "image/avif,*/*"),
    ] {
        let rejected = program.denied();
        let body: Value = serde_json::from_str(&rejected.body).unwrap();
        assert_eq!(
            (rejected.status, &body["reason"]),
            (403, &json!("challenge_required"))
        );
        assert_eq!(header(&rejected.headers, "cache-control"), Some("no-store"));
        assert!(body["detail"].as_str().unwrap().contains("browser"));
    }
    let mut post = Visit::new("/x").request();
    post[0].1 = b"POST".into();
    let keys = NoAnswer(Reason::KeyServiceUnavailable);
    let client = Some(CLIENT.parse().unwrap());
    match demo_policy().decide(&post, &facts(&keys, client, UnixMillis::from_secs(NOW))) {
        Verdict::Deny(denial) => assert!(!denial.body.contains("data-token")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_clearance_lasts_half_an_hour_or_up_to_a_month_as_the_rule_says() {
    let visit = Visit::new("/x");
    let solved = visit.clone().with(SOLUTION_HEADER, &visit.solution());
    for (clearance, seconds) in [(None, "1800"), (Some("30d"), "2592000")] {
        let mut written = demo();
        let challenge = written["rules"][2]["challenge"].as_object_mut().unwrap();
        challenge.remove("clearance");
        challenge.extend(clearance.map(|it| ("clearance".to_owned(), json!(it))));
        let Verdict::Reply(reply) = solved.verdict_of(&policy(&written, SECRET)) else {
            panic!("{clearance:?}: a solution earns nothing");
        };
        let cookie = header(&reply.headers, "set-cookie").unwrap();
        let age = format!("; Max-Age={seconds};");
        assert!(cookie.contains(&age), "{cookie}");
    }
}

#[test]
fn a_solution_earns_a_clearance_and_the_clearance_lets_pass_without_reaching_the_upstream() {
    let visit = Visit::new("/x?a=1");
    let reply = visit
        .clone()
        .with(SOLUTION_HEADER, &visit.solution())
        .replied();
    assert_eq!((reply.status, reply.code), (204, "challenge_solved"));
    let cookie = header(&reply.headers, "set-cookie").unwrap();
    assert!(
        cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(header(&reply.headers, "cache-control"), Some("no-store"));
    let cookies = format!("a=1; keygate_clearance={}; b=2", visit.clearance());
    let next = Visit::new("/elsewhere").with("cookie", &cookies);
    let grant = next.allowed();
    assert_eq!(grant.outcome, Outcome::Cleared);
    let upstream = |name: &str| after(&next.request(), &grant.edits, name);
    assert_eq!(upstream("cookie").as_deref(), Some("a=1; b=2"));
    assert_eq!(upstream("x-keygate-result").as_deref(), Some("cleared"));
    assert_eq!(upstream("x-keygate-account"), None);
    assert!(
        grant
            .state
            .contains(&("keygate_result", "cleared".to_owned()))
    );
}

#[test]
fn a_clearance_reaches_the_upstream_under_no_rule() {
    let mut json = demo();
    json["rules"][1]["challenge"]["cookie"] = json!("other");
    let rules = json["rules"].as_array_mut().unwrap();
    let open = json!({ "name": "open", "match": { "path": "/open" }, "require": "nothing" });
    let off =
        json!({ "name": "off", "match": { "path": "/off" }, "require": "link", "mode": "off" });
    rules.splice(..0, [open, off]);
    let policy = policy(&json, SECRET);
    let clearance = Visit::new("/x").clearance();
    let cookies = format!("a=1; other={clearance}; keygate_clearance=\"{clearance}\"; b=2");
    for target in ["/open", "/off", "/x"] {
        let visit = Visit::new(target).with("cookie", &cookies);
        let Verdict::Allow(grant) = visit.verdict_of(&policy) else {
            panic!("{target}");
        };
        let left = after(&visit.request(), &grant.edits, "cookie");
        assert_eq!(left.as_deref(), Some("a=1; b=2"), "{target}");
    }
}

#[test]
fn the_cookie_is_secure_where_the_client_speaks_https() {
    for (name, value, expected) in [
        ("x-forwarded-proto", "https", true),
        (":scheme", "https", true),
        ("x-forwarded-proto", "http", false),
        (":scheme", "http", false),
    ] {
        let visit = Visit::new("/x").with(name, value);
        let reply = visit
            .clone()
            .with(SOLUTION_HEADER, &visit.solution())
            .replied();
        let cookie = header(&reply.headers, "set-cookie").unwrap();
        assert_eq!(cookie.ends_with("; Secure"), expected, "{name}: {value}");
    }
}

#[test]
fn without_an_address_no_challenge_is_offered_or_accepted() {
    let visit = Visit::new("/x");
    let (solution, clearance) = (visit.solution(), visit.clearance());
    let unknown = Visit {
        client: None,
        ..visit
    };
    for visit in [
        unknown.clone(),
        unknown.clone().with(SOLUTION_HEADER, &solution),
        unknown.clone().cleared_by(&clearance),
    ] {
        let rejected = visit.denied();
        assert_eq!(rejected.reason, Reason::MissingCredential);
        assert!(!rejected.body.contains("data-token"));
    }
}

#[test]
fn an_empty_clearance_with_a_valid_one_is_ignored() {
    let clearance = Visit::new("/x").clearance();
    let pair = format!("keygate_clearance={clearance}");
    let visit = Visit::new("/x").with("cookie", &format!("{pair}; keygate_clearance="));
    assert_eq!(visit.allowed().outcome, Outcome::Cleared);
}

#[test]
fn two_clearances_are_rejected_as_ambiguous() {
    let clearance = Visit::new("/x").clearance();
    let pair = format!("keygate_clearance={clearance}");
    for visit in [
        Visit::new("/x").with("cookie", &format!("{pair}; {pair}")),
        Visit::new("/x").with("cookie", &pair).with("cookie", &pair),
    ] {
        let rejected = visit.denied();
        assert_eq!(
            (rejected.status, rejected.reason),
            (400, Reason::DuplicateCredential)
        );
    }
}

#[test]
fn a_credential_passes_as_in_block_without_our_cookies() {
    let mut json = demo();
    json["unmatched"] = json!("allow");
    let policy = policy(&json, SECRET);
    let target = signed(&policy, 2, "/x", UnixMillis::from_secs(NOW));
    let visit = Visit::new(&target).with("cookie", "keygate_clearance=a; b=2; keygate_clearance=c");
    let Verdict::Allow(grant) = visit.verdict_of(&policy) else {
        panic!("a link that holds");
    };
    assert_eq!(grant.outcome, Outcome::Verified);
    let upstream = |name: &str| after(&visit.request(), &grant.edits, name);
    assert_eq!(upstream("cookie").as_deref(), Some("b=2"));
    assert_eq!(upstream(":path").as_deref(), Some("/x"));
    // What the page sends never goes on, not even where no rule is.
    let sent = Visit::new(&target)
        .with(SOLUTION_HEADER, "x")
        .with("x_keygate_solution", "x");
    let Verdict::Allow(grant) = sent.verdict_of(&policy) else {
        panic!("a link that holds");
    };
    for name in [SOLUTION_HEADER, "x_keygate_solution"] {
        assert_eq!(after(&sent.request(), &grant.edits, name), None);
    }
}

#[test]
fn a_challenge_is_no_substitute_for_a_readable_request() {
    let clearance = Visit::new("/x").clearance();
    for (target, status, reason) in [
        ("/x/../y", 400, Reason::AmbiguousPath),
        ("/a%2Fb", 400, Reason::EncodedSlash),
        ("/x?verify=a&verify=b", 400, Reason::DuplicateCredential),
    ] {
        let rejected = Visit::new(target).cleared_by(&clearance).denied();
        assert_eq!(
            (rejected.status, rejected.reason),
            (status, reason),
            "{target}"
        );
    }
}

#[test]
fn a_login_brings_back_to_this_site() {
    let sent = Visit::new("/account/x?a=1&b=https://evil.example").denied();
    assert_eq!((sent.status, sent.reason), (302, Reason::ChallengeRequired));
    assert_eq!(
        header(&sent.headers, "location"),
        Some("/login?return_to=%2Faccount%2Fx%3Fa%3D1%26b%3Dhttps%3A%2F%2Fevil.example")
    );
    assert_eq!(header(&sent.headers, "cache-control"), Some("no-store"));
    let program = Visit::new("/account/x").without("accept").denied();
    assert_eq!(
        (program.status, program.reason),
        (403, Reason::ChallengeRequired)
    );
    assert_eq!(header(&program.headers, "location"), None);
}
