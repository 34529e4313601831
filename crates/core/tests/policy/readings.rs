//! A path that servers read in more than one way meets one rule in all readings, or none.

use super::*;

/// Rules of a narrow path, in front of a wide one with these fields.
fn narrow_and_wide(fields: Value) -> Value {
    let mut json = demo();
    let mut wide = json!({ "name": "wide", "match": { "path": "/**" }, "require": "nothing" });
    let members = wide.as_object_mut().unwrap();
    members.extend(fields.as_object().unwrap().clone());
    json["rules"] = json!([
        { "name": "admin", "match": { "path": "/git/admin/**" }, "require": "key" },
        wide
    ]);
    json
}

fn reason(json: &Value, target: &str) -> Result<String, Reason> {
    judge(&policy(json, SECRET), &get(target, &[]), 0)
}

#[test]
fn readings_that_meet_different_rules_are_rejected_in_every_mode() {
    let other = [
        "/git/admin%2Fx",
        "/git%2fadmin/x",
        "/git/admin;v=1/x",
        "/git/admin%3Bv/x",
        "/git;a/admin;b",
        "/git;a%2Fadmin/x",
        "/git%2Fadmin;a/x",
        "/git/admin;a%2Fb",
    ];
    let open = json!({ "allow_encoded_slash": true, "allow_path_parameters": true });
    for mode in ["block", "simulate", "off"] {
        let mut json = narrow_and_wide(open.clone());
        json["rules"][1]["mode"] = json!(mode);
        for target in other {
            let rejected = Err(Reason::AmbiguousPath);
            assert_eq!(reason(&json, target), rejected, "{mode} {target}");
        }
        for target in ["/git/x%2Fadmin", "/x;v=1/y", "/x%3Bv"] {
            assert_eq!(
                reason(&json, target).as_deref(),
                Ok(target),
                "{mode} {target}"
            );
        }
    }
    let mut unmatched = narrow_and_wide(open.clone());
    unmatched["rules"].as_array_mut().unwrap().pop();
    unmatched["unmatched"] = json!("allow");
    unmatched["allow_encoded_slash"] = json!(true);
    unmatched["allow_path_parameters"] = json!(true);
    for target in other {
        assert_eq!(
            reason(&unmatched, target),
            Err(Reason::AmbiguousPath),
            "{target}"
        );
    }
}

#[test]
fn a_parameter_is_rejected_unless_the_rule_allows_it() {
    let plain = narrow_and_wide(json!({}));
    for target in [
        "/x;jsessionid=1",
        "/x%3Bjsessionid=1/y",
        "/x%3b",
        "/a;b/c;d",
    ] {
        assert_eq!(
            reason(&plain, target),
            Err(Reason::PathParameter),
            "{target}"
        );
        let allowed = narrow_and_wide(json!({ "allow_path_parameters": true }));
        assert_eq!(reason(&allowed, target).as_deref(), Ok(target));
        let mut by_default = plain.clone();
        by_default["allow_path_parameters"] = json!(true);
        assert_eq!(reason(&by_default, target).as_deref(), Ok(target));
        by_default["rules"][1]["allow_path_parameters"] = json!(false);
        assert_eq!(reason(&by_default, target), Err(Reason::PathParameter));
    }
    // Beside it: a `;` in the query is none.
    assert_eq!(reason(&plain, "/x?a;b").as_deref(), Ok("/x?a;b"));
}

#[test]
fn unmatched_requests_follow_the_defaults_of_the_policy() {
    let mut open = narrow_and_wide(json!({}));
    open["rules"].as_array_mut().unwrap().pop();
    open["unmatched"] = json!("allow");
    assert_eq!(reason(&open, "/x;v=1"), Err(Reason::PathParameter));
    assert_eq!(reason(&open, "/x%2Fy"), Err(Reason::EncodedSlash));
    open["allow_path_parameters"] = json!(true);
    assert_eq!(reason(&open, "/x;v=1").as_deref(), Ok("/x;v=1"));
    assert_eq!(reason(&open, "/x;v=1%2Fy"), Err(Reason::EncodedSlash));
    open["allow_encoded_slash"] = json!(true);
    assert_eq!(reason(&open, "/x%2Fy").as_deref(), Ok("/x%2Fy"));
}

#[test]
fn a_parameter_passes_and_is_counted_where_the_rule_simulates_or_is_off() {
    for target in ["/beta/x;v=1", "/off/x;v=1"] {
        for more in [vec![], vec![("authorization", bearer())]] {
            let more: Vec<_> = more.iter().map(|(name, value)| (*name, &**value)).collect();
            let grant = allowed(&get(target, &more), known(json!({})));
            let outcome = Outcome::WouldDeny(Reason::PathParameter);
            assert_eq!((grant.outcome, grant.identity), (outcome, None), "{target}");
        }
    }
}

#[test]
fn an_encoded_unreserved_character_is_rejected_before_any_rule() {
    let json = narrow_and_wide(json!({}));
    for target in ["/git/%61dmin/x", "/%6beys", "/x%2e", "/x%7E", "/git/x%2Dy"] {
        assert_eq!(
            reason(&json, target),
            Err(Reason::NotNormalized),
            "{target}"
        );
    }
    for target in ["/x%20y", "/caf%C3%A9", "/x?%61"] {
        assert_eq!(reason(&json, target).as_deref(), Ok(target));
    }
}

#[test]
fn a_path_that_is_too_long_is_rejected_before_any_rule() {
    let json = narrow_and_wide(json!({}));
    for (target, passes) in [
        (format!("/{}", "a".repeat(8191)), true),
        (format!("/{}", "a".repeat(8192)), false),
        ("/a".repeat(256), true),
        ("/a".repeat(257), false),
        (format!("/a?{}", "/a".repeat(20_000)), true),
    ] {
        let expected = if passes {
            Ok(&*target)
        } else {
            Err(Reason::PathTooLong)
        };
        let found = reason(&json, &target);
        assert_eq!(
            found.as_deref().map_err(|it| *it),
            expected,
            "{}",
            target.len()
        );
    }
}
