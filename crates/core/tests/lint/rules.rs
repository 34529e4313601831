//! Remarks on rules.

use super::*;

/// The remarks on these rules and no others of the good policy.
fn remarks_on(rules: Value, unmatched: &str) -> Vec<String> {
    let mut policy = good();
    policy["rules"] = rules;
    policy["unmatched"] = json!(unmatched);
    let all = remarks(&policy).into_iter();
    let is_ours = |it: &String| it.starts_with("rules") || it.starts_with("note: rules");
    all.filter(is_ours).collect()
}

#[test]
fn an_exact_path_beside_an_open_rule_is_remarked() {
    let admin = json!({ "name": "admin", "match": { "path": "/admin" }, "require": "key" });
    let open = json!({ "name": "rest", "match": { "path": "/**" }, "require": "nothing" });
    let found = remarks_on(json!([admin, open]), "deny");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("rules[0].match.path: protects only this path"),
        "{found:?}"
    );
    assert!(found[0].contains("match rules[1] (\"rest\")"), "{found:?}");
    assert!(remarks_on(json!([admin]), "allow")[0].contains("\"unmatched\": \"allow\""));
    let below = json!({ "name": "below", "match": { "path": "/admin/**" }, "require": "key" });
    for rules in [
        json!([admin]),
        json!([admin, below, open]),
        json!([below, open]),
    ] {
        assert_eq!(remarks_on(rules, "deny"), Vec::<String>::new());
    }
}

#[test]
fn methods_without_a_rule_for_the_others_are_remarked() {
    let write = json!({ "name": "write", "match": { "path": "/a/**", "methods": ["PUT", "DELETE"] },
        "require": "key" });
    let open = json!({ "name": "rest", "match": { "path": "/**" }, "require": "nothing" });
    let found = remarks_on(json!([write, open]), "deny");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("rules[0].match.methods: requests with other methods"),
        "{found:?}"
    );
    let others = json!({ "name": "others", "match": { "path": "/a/**" }, "require": "key" });
    for rules in [json!([write]), json!([write, others, open])] {
        assert_eq!(remarks_on(rules, "deny"), Vec::<String>::new());
    }
}

#[test]
fn a_rule_for_post_alone_gets_a_hint_about_a_method_in_a_form() {
    let rule = |methods: Value| json!([{ "name": "a", "match": { "path": "/a/**", "methods": methods }, "require": "key" }]);
    let found = remarks_on(rule(json!(["GET", "POST"])), "deny");
    assert!(
        found[0].starts_with("note: rules[0].match.methods: matches POST"),
        "{found:?}"
    );
    assert!(found[0].contains("_method"), "{found:?}");
    let all = remarks_on(rule(json!(["POST", "PUT", "PATCH", "DELETE"])), "deny");
    assert_eq!(all, Vec::<String>::new());
}

#[test]
fn an_encoded_slash_in_a_path_that_is_not_open_is_remarked() {
    let rule = |path: &str| json!([{ "name": "a", "match": { "path": path }, "require": "key", "allow_encoded_slash": true }]);
    let found = remarks_on(rule("/projects/*"), "deny");
    assert!(found[0].contains("end it with /**"), "{found:?}");
    assert_eq!(
        remarks_on(rule("/projects/**"), "deny"),
        Vec::<String>::new()
    );
}

#[test]
fn a_rule_whose_credentials_may_have_nothing_sealed_is_remarked() {
    let rule = |require: Value, optional: bool| {
        json!([{ "name": "a", "match": { "path": "/a/**", "methods": ["GET"] }, "require": require,
            "sealed": { "headers": ["authorization"], "optional": optional } }])
    };
    let either = json!({ "any": ["key", "link"] });
    let found = remarks_on(rule(either.clone(), false), "deny");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("rules[0].sealed: a credential other than"),
        "{found:?}"
    );
    let both = json!({ "all": ["key", "link"] });
    for rules in [
        rule(either, true),
        rule(json!("key"), false),
        rule(both, false),
    ] {
        assert_eq!(remarks_on(rules, "deny"), Vec::<String>::new());
    }
}
