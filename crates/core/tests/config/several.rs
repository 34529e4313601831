//! Several problems at once, duplicates, and what no message holds.

use super::*;

#[test]
fn several_problems_are_reported_at_once() {
    let mut spoiled = good();
    spoiled["rules"][0]["match"]["path"] = json!("a");
    spoiled["rules"][1]["require"] = json!("none");
    spoiled["providers"]["link"]["ttl"] = json!("soon");
    let found = problems(&spoiled.to_string());
    for path in [
        "rules[0].match.path",
        "rules[1].require",
        "providers.link.ttl",
    ] {
        assert!(
            found.iter().any(|it| it.starts_with(path)),
            "{path} is not in {found:?}"
        );
    }
}

#[test]
fn a_wrong_provider_is_not_told_again_where_it_is_required() {
    let mut spoiled = good();
    spoiled["providers"]["link"]["ttl"] = json!("soon");
    let found = problems(&spoiled.to_string());
    assert_eq!(found.len(), 1, "{found:?}");
    spoiled["providers"]["link"] = json!({ "type": "signed_url" });
    let found = problems(&spoiled.to_string());
    assert_eq!(found, ["providers.link: missing field `format`"]);
}

#[test]
fn a_secret_that_is_not_set_is_reported_alone() {
    let mut spoiled = good();
    spoiled["secrets"]["keys"][0]["env"] = json!("MISSING");
    spoiled["rules"][3]["mode"] = json!("block");
    spoiled["rules"][3]["challenge"].take();
    spoiled["rules"][3]["scopes"] = json!([{ "need": "read" }]);
    spoiled["rules"][1]["outage"] = json!("deny");
    spoiled["assertion"]["rules"] = json!(["login"]);
    let found = problems(&spoiled.to_string());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("secrets.keys[0].env: "), "{found:?}");
}

#[test]
fn a_name_given_twice_is_rejected_instead_of_the_last_one_winning() {
    let text = good().to_string();
    for (from, to) in [
        (r#""key":{"#, r#""link":{"#),
        (r#""keys":[{"#, r#""media":[{"#),
        (r#""api":{"#, r#""page":{"#),
        (r#""version":1"#, r#""version":1,"version":1"#),
        (r#""ttl":"3h""#, r#""ttl":"3h","ttl":"9h""#),
    ] {
        assert!(text.contains(from), "{from}");
        let found = problems(&text.replacen(from, to, 1));
        let told = found
            .iter()
            .any(|it| it.contains("given more than once") || it.contains("duplicate field"));
        assert!(told, "{to}: {found:?}");
    }
}

#[test]
fn text_other_than_a_json_object_gets_a_hint() {
    for text in ["", "[]", "\u{12}\u{3}abc", "null"] {
        let found = problems(text);
        assert!(
            found[0].contains("google.protobuf.StringValue"),
            "{found:?}"
        );
    }
    assert!(problems(&format!("{}x", good()))[0].contains("trailing characters"));
}

#[test]
fn json_that_is_cut_short_is_reported_in_a_sentence() {
    let told = "the JSON ends before it is complete: is the end cut off?";
    for (text, place) in [
        ("{", "at line 1 column 1"),
        ("{\n", "at line 2 column 1"),
        (
            "{ \"version\": 1,\n  \"secrets\": { \"a",
            "at line 2 column 17",
        ),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with(&format!("{told} {place}")), "{found:?}");
    }
    let found = problems("{ \"version\": x }");
    assert!(
        found[0].contains("is not valid JSON: expected value at line 1"),
        "{found:?}"
    );
}

#[test]
fn no_message_contains_a_secret() {
    let mut spoiled = good();
    spoiled["secrets"]["keys"][0]["encoding"] = json!("hex");
    spoiled["secrets"]["media"][0]["encoding"] = json!("base64");
    spoiled["key_service"]["token_env"] = json!("SPACED");
    // The secret itself, in each place where its name should stand.
    for pointer in [
        "/secrets/keys",
        "/secrets/keys/0",
        "/secrets/keys/0/env",
        "/secrets/keys/0/encoding",
        "/key_service/token_env",
    ] {
        let mut pasted = good();
        *pasted.pointer_mut(pointer).unwrap() = json!(format!("{SECRET}!"));
        let found = problems(&pasted.to_string());
        assert!(
            !found.is_empty() && !found.join("").contains(SECRET),
            "{found:?}"
        );
    }
    for problem in problems(&spoiled.to_string()) {
        assert!(
            !problem.contains(SECRET) && !problem.contains("edge token"),
            "{problem}"
        );
    }
}

#[test]
fn metrics_by_rule_rejects_names_that_envoy_takes_apart() {
    let (dots, status) = (
        "must not begin or end with \".\", or contain \"..\"",
        "must not end with a status, such as",
    );
    for (name, expected) in [
        ("a.", dots),
        (".a", dots),
        ("a..b", dots),
        (".", dots),
        ("a_rq_200", status),
        ("a_rq_2xx", status),
    ] {
        let mut named = good();
        named["rules"][1]["name"] = json!(name);
        assert_eq!(problems(&named.to_string()), Vec::<String>::new(), "{name}");
        named["metrics_by_rule"] = json!(true);
        let found = problems(&named.to_string());
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        let expected = format!("rules[1].name: {expected}");
        assert!(found[0].starts_with(&expected), "{name}: {found:?}");
    }
    for name in ["api.v1_x-Y", "a_rq_20", "a_rq_2000", "a_rq_200.b", "rq_200"] {
        let mut named = good();
        named["metrics_by_rule"] = json!(true);
        named["rules"][1]["name"] = json!(name);
        assert_eq!(problems(&named.to_string()), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn metrics_by_rule_rejects_more_than_1000_rules() {
    let mut many = good();
    many["metrics_by_rule"] = json!(true);
    let rules = many["rules"].as_array_mut().unwrap();
    let rule = |number: usize| json!({ "name": format!("r{number}"), "match": { "path": "/r" }, "require": "nothing" });
    rules.extend((rules.len()..1000).map(rule));
    assert_eq!(problems(&many.to_string()), Vec::<String>::new());
    let rules = many["rules"].as_array_mut().unwrap();
    rules.push(rule(1000));
    let expected = "metrics_by_rule: is for at most 1000 rules, and this policy has 1001";
    assert_eq!(problems(&many.to_string()), [expected]);
    many["metrics_by_rule"] = json!(false);
    assert_eq!(problems(&many.to_string()), Vec::<String>::new());
}
