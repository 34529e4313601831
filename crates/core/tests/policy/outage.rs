//! The key service is away: who is rejected, and who passes where the policy says so.

use super::*;

/// The demo, where every key but those of a rule that says otherwise passes in an outage.
fn lenient() -> Value {
    let mut json = demo();
    json["providers"]["key"]["outage"] = json!("allow");
    json["providers"]["query"] = json!({ "type": "app_key", "secrets": "app_keys",
        "from": [{ "query": "key" }], "query_referrers": ["https://app.example"] });
    json["providers"]["second"] = json!({ "type": "app_key", "secrets": "app_keys",
        "from": [{ "header": "x-second" }] });
    let rule = |name: &str, require: Value| json!({ "name": name, "match": { "path": format!("/{name}/**") }, "require": require });
    let mut strict = rule("strict", json!("key"));
    strict["outage"] = json!("deny");
    let mut map = rule("map", json!("query"));
    map["outage"] = json!("allow");
    let mut scoped = rule("scoped", json!("key"));
    scoped["scopes"] = json!([{ "need": "a" }]);
    let mut pages = rule("pages", json!("key"));
    pages["allowed_referrers"] = json!(["https://app.example"]);
    let rules = json["rules"].as_array_mut().unwrap();
    rules.extend([strict, map, scoped, pages]);
    rules.push(rule("two", json!({ "all": ["key", "second"] })));
    json
}

fn last_known(changes: Value) -> Knowledge {
    match known(changes) {
        Knowledge::Known(key) => Knowledge::Outdated(Some(key)),
        other => panic!("{other:?}"),
    }
}

fn passes(target: &str, more: &[(&str, &str)], knowledge: Knowledge) -> Option<Grant> {
    match decide_on(&lenient(), &get(target, more), knowledge) {
        Verdict::Allow(grant) => {
            assert_eq!(grant.outcome, Outcome::Unchecked, "{target}");
            Some(grant)
        }
        Verdict::Deny(denial) => {
            assert_eq!(denial.status, 503, "{target}");
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_an_outage_policy_every_request_is_rejected() {
    let headers = get("/api/x", &[("authorization", &bearer())]);
    for knowledge in [Knowledge::Outdated(None), last_known(json!({}))] {
        let denial = denied(&headers, knowledge);
        let found = (denial.status, denial.reason);
        assert_eq!(found, (503, Reason::KeyServiceUnavailable));
    }
}

#[test]
fn a_genuine_key_passes_without_itself_and_without_an_account() {
    let key = new_key().text;
    let cookie = format!("a=1; app_key={}", key.as_str());
    let basic = {
        use base64::Engine as _;
        let pair = format!("alice:{}", key.as_str());
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        format!("Basic {encoded}")
    };
    for (name, value, left) in [
        ("authorization", bearer(), None),
        ("authorization", basic, None),
        ("x-api-key", key.to_string(), None),
        ("cookie", cookie, Some("a=1")),
    ] {
        for knowledge in [Knowledge::Outdated(None), last_known(json!({}))] {
            let forged = [(name, &*value), ("x_keygate_account", "root")];
            let grant = passes("/api/x", &forged, knowledge).unwrap();
            let headers = get("/api/x", &forged);
            let upstream = |name: &str| after(&headers, &grant.edits, name);
            assert_eq!(upstream(name).as_deref(), left, "{name}");
            for silent in ["account", "key-id", "scopes", "metadata", "assertion"] {
                assert_eq!(upstream(&format!("x-keygate-{silent}")), None, "{silent}");
            }
            assert_eq!(upstream("x_keygate_account"), None);
            let result = "allow;reason=key_service_unavailable";
            assert_eq!(upstream("x-keygate-result").as_deref(), Some(result));
            assert_eq!(grant.identity, None);
            assert_eq!(grant.state, [("keygate_result", result.to_owned())]);
        }
    }
}

#[test]
fn a_key_in_the_query_stays_out_of_caches_in_an_outage_as_well() {
    let target = format!("/map/x?a=1&key={}", new_key().text.as_str());
    let here = ("referer", "https://app.example/");
    let grant = passes(&target, &[here], Knowledge::Outdated(None)).unwrap();
    let path = after(&get(&target, &[]), &grant.edits, ":path");
    assert_eq!(path.as_deref(), Some("/map/x?a=1"));
    let no_store = Edit::Set("cache-control".into(), b"private, no-store".into());
    assert!(grant.response_edits.contains(&no_store));
    let elsewhere = ("referer", "https://evil.example/");
    let verdict = decide_on(
        &lenient(),
        &get(&target, &[elsewhere]),
        Knowledge::Outdated(None),
    );
    assert!(matches!(verdict, Verdict::Deny(_)));
}

#[test]
fn the_last_known_record_can_still_reject_a_key() {
    let headers = get("/api/x", &[("authorization", &bearer())]);
    for (changes, status, reason) in [
        (json!({ "status": "revoked" }), 401, Reason::RevokedKey),
        (json!({ "status": "disabled" }), 401, Reason::DisabledKey),
        (json!({ "expires_at": NOW.0 }), 401, Reason::Expired),
        (
            json!({ "allowed_ips": ["10.0.0.0/8"] }),
            403,
            Reason::AddressNotAllowed,
        ),
        (
            json!({ "allowed_referrers": ["https://a.example"] }),
            403,
            Reason::ReferrerNotAllowed,
        ),
    ] {
        let verdict = decide_on(&lenient(), &headers, last_known(changes));
        let Verdict::Deny(denial) = verdict else {
            panic!("{reason:?}");
        };
        assert_eq!((denial.status, denial.reason), (status, reason));
    }
}

#[test]
fn nothing_but_an_outage_lets_a_key_pass_unchecked() {
    let with_key = get("/api/x", &[("authorization", &bearer())]);
    for (knowledge, reason) in [
        (Knowledge::Unknown, Reason::UnknownKey),
        (
            Knowledge::Unavailable(Reason::Overloaded),
            Reason::Overloaded,
        ),
        (
            Knowledge::Unavailable(Reason::KeyServiceUnavailable),
            Reason::KeyServiceUnavailable,
        ),
    ] {
        let Verdict::Deny(denial) = decide_on(&lenient(), &with_key, knowledge) else {
            panic!("{reason:?}");
        };
        assert_eq!(denial.reason, reason);
    }
    // An outage does not help a client without a genuine key.
    let key = bearer();
    let mut forged = key.clone().into_bytes();
    forged[40] ^= 1;
    let forged = String::from_utf8(forged).unwrap();
    for more in [
        vec![],
        vec![("authorization", &*forged)],
        vec![("authorization", "Bearer x")],
    ] {
        let verdict = decide_on(&lenient(), &get("/api/x", &more), Knowledge::Outdated(None));
        let Verdict::Deny(denial) = verdict else {
            panic!("{more:?}");
        };
        assert_eq!(denial.status, 401);
    }
    let twice = [("authorization", &*key), ("x-api-key", "x")];
    let verdict = decide_on(
        &lenient(),
        &get("/api/x", &twice),
        Knowledge::Outdated(None),
    );
    assert!(matches!(verdict, Verdict::Deny(denial) if denial.status == 400));
}

#[test]
fn the_outage_setting_of_a_rule_overrides_its_provider() {
    let key = bearer();
    let bearer = [("authorization", &*key)];
    assert!(passes("/api/x", &bearer, Knowledge::Outdated(None)).is_some());
    assert!(passes("/strict/x", &bearer, Knowledge::Outdated(None)).is_none());
}

#[test]
fn where_scopes_or_pages_are_asked_for_an_outage_makes_up_for_neither() {
    let key = bearer();
    let bearer = [("authorization", &*key)];
    assert!(passes("/scoped/x", &bearer, Knowledge::Outdated(None)).is_none());
    assert!(passes("/scoped/x", &bearer, last_known(json!({}))).is_none());
    let verdict = decide_on(
        &lenient(),
        &get("/pages/x", &bearer),
        Knowledge::Outdated(None),
    );
    assert!(matches!(verdict, Verdict::Deny(denial) if denial.status == 403));
    let here = [bearer[0], ("referer", "https://app.example/")];
    assert!(passes("/pages/x", &here, Knowledge::Outdated(None)).is_some());
}

#[test]
fn in_a_group_all_others_must_be_valid_and_a_valid_one_comes_first() {
    let key = bearer();
    let bearer = [("authorization", &*key)];
    let away = || Knowledge::Outdated(None);
    let verdict = decide_on(&lenient(), &get("/both/x", &bearer), away());
    assert!(matches!(verdict, Verdict::Deny(denial) if denial.reason == Reason::MissingCredential));
    assert!(passes(&signed("/both/x"), &bearer, away()).is_some());
    assert!(passes("/either/x", &bearer, away()).is_some());
    let verdict = decide_on(&lenient(), &get(&signed("/either/x"), &bearer), away());
    assert!(matches!(verdict, Verdict::Allow(grant) if grant.outcome == Outcome::Verified));
    // One provider lets it pass, the other does not.
    let text = new_key().text;
    assert!(passes("/two/x", &[bearer[0], ("x-second", &text)], away()).is_none());
}

#[test]
fn simulate_passes_what_an_outage_would_pass() {
    let key = bearer();
    let headers = get("/beta/x", &[("authorization", &key)]);
    for (json, outcome) in [
        (lenient(), Outcome::Unchecked),
        (demo(), Outcome::WouldDeny(Reason::KeyServiceUnavailable)),
    ] {
        let verdict = decide_on(&json, &headers, Knowledge::Outdated(None));
        assert!(matches!(verdict, Verdict::Allow(grant) if grant.outcome == outcome));
    }
}
