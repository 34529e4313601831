//! What it takes for a solution or a clearance to count.

use keygate_core::decision::challenge::SOLUTION_HEADER;
use keygate_core::keys::NoAnswer;
use keygate_core::{Outcome, Policy, Reason, UnixMillis, Verdict};
use serde_json::{Value, json};

use crate::challenge::visit::{CLIENT, NOW, SECRET, Visit, demo, demo_policy, zeros};
use keygate_testkit::judge::{facts, policy};

#[test]
fn a_solution_is_bound_to_its_client_time_and_site() {
    let visit = Visit::new("/x");
    let solution = visit.solution();
    let is_taken = |visit: Visit| match visit.with(SOLUTION_HEADER, &solution).verdict() {
        Verdict::Reply(_) => true,
        Verdict::Deny(denial) => {
            assert_eq!(
                (denial.status, denial.reason),
                (403, Reason::ChallengeFailed)
            );
            assert!(!denial.body.contains("data-token"));
            false
        }
        other => panic!("{other:?}"),
    };
    let mut other_host = visit.clone();
    other_host.host = "example.org";
    let mut same_host = visit.clone();
    same_host.host = "EXAMPLE.com";
    for (visit, expected) in [
        (visit.clone(), true),
        (visit.clone().later(299), true),
        (visit.clone().later(300), false),
        (
            Visit {
                at: NOW - 30,
                ..visit.clone()
            },
            true,
        ),
        (
            Visit {
                at: NOW - 31,
                ..visit.clone()
            },
            false,
        ),
        (visit.clone().from("::ffff:192.0.2.1"), true),
        (visit.clone().from("192.0.2.2"), false),
        (visit.clone().from("2001:db8::1"), false),
        (visit.clone().agent("Browser/2"), false),
        (visit.clone().agent(""), false),
        (visit.clone().without("user-agent"), false),
        (visit.clone().with("user-agent", "Browser/1"), false),
        (same_host, true),
        (other_host, false),
        (
            Visit {
                target: "/y".to_owned(),
                ..visit.clone()
            },
            true,
        ),
        (
            Visit {
                target: "/other/x".to_owned(),
                ..visit.clone()
            },
            false,
        ),
    ] {
        let told = format!("{:?} {:?} {}", visit.headers, visit.client, visit.target);
        assert_eq!(is_taken(visit), expected, "{told}");
    }
}

#[test]
fn a_solution_is_alone_whole_and_worked_for() {
    let visit = Visit::new("/x");
    let (token, solution) = (visit.token(), visit.solution());
    let nonce = solution.rsplit_once(':').unwrap().1;
    let lazy = (0_u64..).map(|nonce| format!("{token}:{nonce}"));
    let lazy = lazy.into_iter().find(|it| zeros(it) < 8).unwrap();
    let long = format!("{token}:{}", "0".repeat(100));
    for wrong in [
        "",
        ":",
        &token,
        &format!("{token}:"),
        &format!("{token}:0{nonce}"),
        &format!("{token}:+{nonce}"),
        &format!("{token}: {nonce}"),
        &format!("{solution}:{nonce}"),
        &format!("{solution},{solution}"),
        &format!("0{solution}"),
        &lazy,
        &long,
        &format!("{}:{nonce}", visit.clearance()),
    ] {
        let rejected = visit.clone().with(SOLUTION_HEADER, wrong).denied();
        assert_eq!(rejected.reason, Reason::ChallengeFailed, "{wrong}");
    }
    let twice = visit
        .clone()
        .with(SOLUTION_HEADER, &solution)
        .with(SOLUTION_HEADER, &solution);
    assert_eq!(twice.denied().reason, Reason::ChallengeFailed);
}

#[test]
fn a_clearance_is_bound_to_its_client_time_and_site() {
    let visit = Visit::new("/x");
    let clearance = visit.clearance();
    let mut other_host = visit.clone();
    other_host.host = "example.com:8080";
    for (visit, expected) in [
        (visit.clone(), true),
        (visit.clone().later(599), true),
        (visit.clone().later(600), false),
        (visit.clone().from("192.0.2.9"), false),
        (visit.clone().agent("Browser/2"), false),
        (visit.clone().without("user-agent"), false),
        (other_host, false),
        (
            Visit {
                target: "/other/x".to_owned(),
                ..visit.clone()
            },
            false,
        ),
        (
            Visit {
                client: None,
                ..visit.clone()
            },
            false,
        ),
    ] {
        let verdict = visit.clone().cleared_by(&clearance).verdict();
        assert_eq!(
            matches!(verdict, Verdict::Allow(_)),
            expected,
            "{:?}",
            visit.headers
        );
    }
    // A challenge is no clearance.
    let token = visit.token();
    assert_eq!(
        visit.cleared_by(&token).denied().reason,
        Reason::ChallengeRequired
    );
}

#[test]
fn a_network_of_version_6_counts_as_one_address() {
    let visit = Visit::new("/x").from("2001:db8:1:2::3");
    let clearance = visit.clearance();
    for (client, expected) in [("2001:db8:1:2:ffff::9", true), ("2001:db8:1:3::3", false)] {
        let verdict = Visit::new("/x")
            .from(client)
            .cleared_by(&clearance)
            .verdict();
        assert_eq!(matches!(verdict, Verdict::Allow(_)), expected, "{client}");
    }
}

#[test]
fn a_client_without_user_agent_can_be_cleared_as_such() {
    let visit = Visit::new("/x").without("user-agent");
    let clearance = visit.clearance();
    assert_eq!(
        visit.clone().cleared_by(&clearance).allowed().outcome,
        Outcome::Cleared
    );
    let named = visit.with("user-agent", "").cleared_by(&clearance);
    assert_eq!(named.denied().reason, Reason::ChallengeRequired);
}

#[test]
fn a_shorter_clearance_and_another_difficulty_apply_to_issued_tokens() {
    let visit = Visit::new("/x");
    let (solution, clearance) = (visit.solution(), visit.clearance());
    let changed = |field: &str, value: Value| {
        let mut json = demo();
        json["rules"][2]["challenge"][field] = value;
        policy(&json, SECRET)
    };
    let cleared = visit.clone().cleared_by(&clearance);
    let solved = visit.with(SOLUTION_HEADER, &solution);
    assert!(matches!(
        cleared.verdict_of(&changed("clearance", json!("1m"))),
        Verdict::Deny(_)
    ));
    assert!(matches!(
        cleared.verdict_of(&changed("clearance", json!("1h"))),
        Verdict::Allow(_)
    ));
    assert!(matches!(
        solved.verdict_of(&changed("difficulty", json!(9))),
        Verdict::Deny(_)
    ));
}

#[test]
fn another_or_expired_secret_clears_no_request() {
    let visit = Visit::new("/x");
    let clearance = visit.clearance();
    let stranger = policy(&demo(), "another secret of 32 bytes, or more");
    let cleared = visit.clone().cleared_by(&clearance);
    assert!(matches!(cleared.verdict_of(&stranger), Verdict::Deny(_)));
    let mut rotated = demo();
    let ring = &mut rotated["secrets"]["ring"];
    *ring = json!([{ "id": "b", "env": "NEW" }, ring[0]]);
    let environment = |name: &str| match name {
        "NEW" => Some(b"a new secret of 32 bytes, or more".to_vec()),
        _ => Some(SECRET.as_bytes().to_vec()),
    };
    let rotated = Policy::parse(rotated.to_string().as_bytes(), &environment).unwrap();
    assert!(matches!(cleared.verdict_of(&rotated), Verdict::Allow(_)));
    let mut over = demo();
    over["secrets"]["ring"][0]["not_after"] = json!("2020-01-01T00:00:00Z");
    for visit in [visit, cleared] {
        match visit.verdict_of(&policy(&over, SECRET)) {
            Verdict::Deny(denial) => assert_eq!(denial.reason, Reason::MissingCredential),
            other => panic!("{other:?}"),
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]

    #[test]
    fn no_byte_of_a_solution_or_a_clearance_may_change(place: proptest::sample::Index, to in 0x21_u8..0x7f) {
        let visit = Visit::new("/x");
        for (text, is_solution) in [(visit.solution(), true), (visit.clearance(), false)] {
            let mut bytes = text.clone().into_bytes();
            let place = place.index(bytes.len());
            bytes[place] = to;
            let changed = String::from_utf8(bytes).unwrap();
            if changed == text {
                continue;
            }
            if is_solution {
                let verdict = visit.clone().with(SOLUTION_HEADER, &changed).verdict();
                let (token, _) = text.split_once(':').unwrap();
                // Another number may happen to be another solution.
                let is_another = changed.starts_with(&format!("{token}:")) && zeros(&changed) >= 8;
                proptest::prop_assert!(is_another || matches!(verdict, Verdict::Deny(_)), "{}", changed);
            } else {
                let verdict = visit.clone().cleared_by(&changed).verdict();
                proptest::prop_assert!(matches!(verdict, Verdict::Deny(_)), "{}", changed);
            }
        }
    }

    #[test]
    fn untrusted_input_never_clears_or_panics(solution: Vec<u8>, cookie: Vec<u8>, near in "[0-9]{1,12}\\.[A-Za-z0-9_-]{0,44}:?[0-9]{0,4}") {
        let policy = demo_policy();
        let keys = NoAnswer(Reason::KeyServiceUnavailable);
        let client = Some(CLIENT.parse().unwrap());
        for (solution, cookie) in [(Some(solution), cookie), (None, near.clone().into_bytes()), (Some(near.into_bytes()), Vec::new())] {
            let mut headers = Visit::new("/x").request();
            headers.extend(solution.map(|it| (SOLUTION_HEADER.into(), it.into())));
            headers.push((b"cookie".into(), [b"keygate_clearance=", cookie.as_slice()].concat().into()));
            let verdict = policy.decide(&headers, &facts(&keys, client, UnixMillis::from_secs(NOW)));
            proptest::prop_assert!(matches!(verdict, Verdict::Deny(_)));
        }
    }
}
