//! Rules: what they match, which scopes they need, and their modes.

use super::*;

#[test]
fn simulate_passes_and_reports_the_verdict() {
    let headers = get("/beta/x", &[("authorization", "Bearer nonsense")]);
    let grant = allowed(&headers, known(json!({})));
    assert_eq!(
        grant.outcome,
        Outcome::WouldDeny(Reason::MalformedCredential)
    );
    let upstream = |name: &str| after(&headers, &grant.edits, name);
    let result = "would-deny;reason=malformed_credential";
    assert_eq!(upstream("x-keygate-result").as_deref(), Some(result));
    // A value that is not our key may belong to another filter, and stays.
    assert_eq!(
        upstream("authorization").as_deref(),
        Some("Bearer nonsense")
    );
    // With a good key it behaves as in block mode.
    let headers = get("/beta/x", &[("authorization", &bearer())]);
    let grant = allowed(&headers, known(json!({})));
    assert_eq!(
        after(&headers, &grant.edits, "x-keygate-account").as_deref(),
        Some("alice")
    );
}

#[test]
fn simulate_also_passes_while_the_key_service_is_away() {
    let headers = get("/beta/x", &[("authorization", &bearer())]);
    let away = Knowledge::Unavailable(Reason::KeyServiceUnavailable);
    let outcome = Outcome::WouldDeny(Reason::KeyServiceUnavailable);
    assert_eq!(allowed(&headers, away).outcome, outcome);
}

#[test]
fn off_requires_nothing_and_removes_only_our_keys() {
    let headers = get("/off/x", &[("authorization", &bearer())]);
    let grant = allowed(&headers, Knowledge::Unknown);
    let removed = vec![Edit::Remove("authorization".into())];
    assert_eq!((grant.outcome, grant.edits), (Outcome::Anonymous, removed));
    let headers = get("/off/x", &[("authorization", "Bearer foreign")]);
    let grant = allowed(&headers, Knowledge::Unknown);
    assert_eq!((grant.outcome, grant.edits), (Outcome::Anonymous, vec![]));
}

#[test]
fn unmatched_requests_are_denied_unless_the_policy_allows_them() {
    for target in ["/", "/healthz/", "/health", "/apix", "/API/x"] {
        assert_eq!(
            denied(&get(target, &[]), Knowledge::Unknown).reason,
            Reason::NoRule
        );
    }
    let mut open = demo();
    open["unmatched"] = json!("allow");
    let open = policy(&open, SECRET);
    assert_eq!(judge(&open, &get("/x", &[]), 0).as_deref(), Ok("/x"));
    assert_eq!(
        judge(&open, &get("/x/../api/y", &[]), 0),
        Err(Reason::AmbiguousPath)
    );
}

#[test]
fn a_rule_is_for_its_methods_only() {
    let mut headers = get(&signed("/media/a"), &[]);
    assert!(matches!(
        decide(&headers, Knowledge::Unknown, None),
        Verdict::Allow(_)
    ));
    headers[0].1 = b"POST".into();
    assert_eq!(denied(&headers, Knowledge::Unknown).reason, Reason::NoRule);
}

#[test]
fn cookies_without_a_credential_arrive_byte_for_byte() {
    let more = [("cookie", " a=1;b=\"2\" ;; c"), ("cookie", "b=3")];
    let grant = allowed(&get("/healthz", &more), Knowledge::Unknown);
    assert_eq!(grant.edits, vec![]);
}

#[test]
fn an_encoded_slash_passes_only_where_a_rule_says_so() {
    let grant = allowed(
        &get("/repo/group%2Fname", &[("x", "y")]),
        Knowledge::Unknown,
    );
    assert_eq!(grant.edits, vec![]);
    let denial = denied(&get("/api/group%2Fname", &[]), Knowledge::Unknown);
    assert_eq!((denial.status, denial.reason), (400, Reason::EncodedSlash));
}

#[test]
fn where_no_rule_matches_and_everything_else_passes_an_encoded_slash_does_not() {
    let mut open = demo();
    open["unmatched"] = json!("allow");
    let open = policy(&open, SECRET);
    // To a server that decodes it this is a path that the rule for /api protects.
    assert_eq!(
        judge(&open, &get("/x/..%2Fapi", &[]), 0),
        Err(Reason::AmbiguousPath)
    );
    assert_eq!(
        judge(&open, &get("/api%2Fx", &[]), 0),
        Err(Reason::EncodedSlash)
    );
}

/// The demo with one more field in its rule for /api.
fn demo_with(field: &str, value: Value) -> Policy {
    let mut json = demo();
    json["rules"][2][field] = value;
    policy(&json, SECRET)
}

fn with_scopes(method: &str, scopes: &[&str], policy: &Policy) -> Verdict {
    let mut headers = get("/api/x", &[("authorization", &bearer())]);
    headers[0].1 = method.into();
    let knowledge = known(json!({ "scopes": scopes }));
    let answer = Answer {
        hashes: &[new_key().hash],
        knowledge,
        others: &NothingKnown,
    };
    policy.decide(&headers, &facts(&answer, None, NOW))
}

#[test]
fn scopes_are_needed_by_method() {
    let policy = demo_with(
        "scopes",
        json!([
            { "methods": ["GET", "HEAD"], "need": "files:read" },
            { "methods": ["DELETE"], "need": "files:write AND (admin OR files:delete)" }
        ]),
    );
    for (method, scopes, expected) in [
        ("GET", vec!["files:read"], true),
        ("HEAD", vec!["other", "files:*"], true),
        ("GET", vec!["files:write"], false),
        ("DELETE", vec!["files:write", "files:delete"], true),
        ("DELETE", vec!["files:*"], true),
        ("DELETE", vec!["files:write"], false),
        // A method that no entry names is rejected, whatever the scopes.
        ("PUT", vec!["files:*", "admin"], false),
    ] {
        let verdict = with_scopes(method, &scopes, &policy);
        assert_eq!(
            matches!(verdict, Verdict::Allow(_)),
            expected,
            "{method} {scopes:?}"
        );
    }
    let Verdict::Deny(denial) = with_scopes("DELETE", &["files:write"], &policy) else {
        panic!("it lacks a scope");
    };
    assert_eq!(
        (denial.status, denial.reason),
        (403, Reason::InsufficientScope)
    );
    let challenge = denial
        .headers
        .iter()
        .find(|(name, _)| *name == "www-authenticate")
        .unwrap();
    let expected = "Bearer realm=\"keygate\", error=\"insufficient_scope\", \
                    error_description=\"You don't have permission. Your API key or account isn't allowed to do this.\", scope=\"files:write admin files:delete\"";
    assert_eq!(challenge.1, expected);
}

#[test]
fn a_key_without_the_scope_passes_in_simulate_and_the_upstream_learns_it() {
    let mut json = demo();
    json["rules"][2]["scopes"] = json!([{ "need": "admin" }]);
    json["rules"][2]["mode"] = json!("simulate");
    let Verdict::Allow(grant) = with_scopes("GET", &["other"], &policy(&json, SECRET)) else {
        panic!("no request is rejected yet");
    };
    let outcome = Outcome::WouldDeny(Reason::InsufficientScope);
    assert_eq!((grant.outcome, grant.identity), (outcome, None));
}

#[test]
fn a_rule_may_ask_for_a_header_or_its_value() {
    let mut json = demo();
    json["rules"][0]["match"]["headers"] =
        json!([{ "name": "X-Probe" }, { "name": "x-zone", "value": "a" }]);
    let policy = policy(&json, SECRET);
    for (headers, expected) in [
        (vec![("x-probe", ""), ("x-zone", "a")], true),
        (
            vec![("x-probe", "1"), ("x-zone", "b"), ("x-zone", "a")],
            true,
        ),
        (vec![("x-probe", "1"), ("x-zone", "A")], false),
        (vec![("x-zone", "a")], false),
        (vec![("x-probe", "1")], false),
    ] {
        let passes = judge(&policy, &get("/healthz", &headers), 0).is_ok();
        assert_eq!(passes, expected, "{headers:?}");
    }
}

#[test]
fn no_spelling_of_a_path_slips_past_the_rule_that_protects_it() {
    for open in [json!("allow"), json!("deny")] {
        let mut json = demo();
        json["rules"][2]["match"]["path"] = json!("/@api/**");
        // The same hole from a rule of its own.
        let behind = json!({ "name": "rest", "match": { "path": "/**" }, "require": "nothing" });
        json["rules"].as_array_mut().unwrap().push(behind);
        json["unmatched"] = open;
        json["allow_path_parameters"] = json!(true);
        let policy = policy(&json, SECRET);
        for target in [
            "/@api/x",
            "/%40api/x",
            "/%40%61pi/x",
            "/@api%2Fx",
            "/@api;v=1/x",
            "/@api%3Bv/x",
            "/x;y/../@api/x",
            "/@api/%252e%252e/x%25",
            "/;x/@api/y/..",
        ] {
            let verdict = judge(&policy, &get(target, &[]), 0);
            assert!(
                verdict.is_err(),
                "{target} reached the upstream as {verdict:?}"
            );
        }
        for harmless in ["/x", "/x;v=1", "/100%25", "/caf%C3%A9"] {
            assert_eq!(
                judge(&policy, &get(harmless, &[]), 0).as_deref(),
                Ok(harmless)
            );
        }
    }
}

#[test]
fn a_verdict_has_the_place_of_the_rule_that_decided() {
    let rule_of = |target: &str, key: &str| {
        let headers = get(target, &[("authorization", key)]);
        decide(&headers, known(json!({})), None).rule()
    };
    let good = bearer();
    for (target, key, expected) in [
        ("/healthz", "", Some(0)),
        ("/media/x", "", Some(1)),
        ("/api/x", "", Some(2)),
        ("/api/x", &*good, Some(2)),
        ("/api/x%2Fy", &*good, Some(2)),
        ("/beta/x", "", Some(3)),
        ("/off/x", "", Some(4)),
        // The access log has no rule for these either.
        ("/nowhere", &*good, None),
        ("//", &*good, None),
    ] {
        assert_eq!(rule_of(target, key), expected, "{target} {key}");
    }
}
