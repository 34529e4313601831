//! Headers that are sealed with a key: when they are added, and what passes without them.

use keygate_core::keys::wire::Want;
use keygate_core::keys::{SealKey, Sealed, SealedHeaders};

use super::*;

const TOKEN: &str = "Bearer token-of-the-upstream";

/// The demo, whose rules for keys add sealed headers.
fn sealing(sealed: &Value) -> Value {
    let mut json = demo();
    for rule in json["rules"].as_array_mut().unwrap() {
        if ["api", "beta", "off", "either", "both"].contains(&rule["name"].as_str().unwrap()) {
            rule["sealed"] = sealed.clone();
        }
    }
    json
}

fn required() -> Value {
    json!({ "headers": ["Authorization", "x-upstream-token"] })
}

fn optional() -> Value {
    json!({ "headers": ["authorization", "x-upstream-token"], "optional": true })
}

/// Headers as they are stored with [`new_key`].
fn data(headers: &[(&str, &str)]) -> String {
    let mut all = SealedHeaders::none();
    for (name, value) in headers {
        let value = value.as_bytes().to_vec().into();
        all.add((*name).to_owned(), value).unwrap();
    }
    let key = SealKey::of_new(&new_key());
    let sealed = Sealed::seal(&all, &key, &mut |bytes| bytes.fill(9)).unwrap();
    sealed.to_string()
}

fn with(sealed: &str) -> Knowledge {
    known(json!({ "sealed": sealed }))
}

fn with_token() -> Knowledge {
    with(&data(&[("authorization", TOKEN)]))
}

fn grant(json: &Value, headers: &[Header], knowledge: Knowledge) -> Grant {
    match decide_on(json, headers, knowledge) {
        Verdict::Allow(grant) => grant,
        other => panic!("{other:?}"),
    }
}

fn rejection(json: &Value, headers: &[Header], knowledge: Knowledge) -> (u16, &'static str) {
    match decide_on(json, headers, knowledge) {
        Verdict::Deny(denial) => (denial.status, denial.reason.code()),
        other => panic!("{other:?}"),
    }
}

/// A request with the key in a header that no upstream token takes.
fn request(target: &str, more: &[(&str, &str)]) -> Vec<Header> {
    let key = new_key().text;
    let mut headers = vec![("x-api-key", key.as_str())];
    headers.extend(more);
    get(target, &headers)
}

#[test]
fn the_upstream_gets_the_sealed_header_in_place_of_the_key() {
    let bearer = get("/api/x", &[("authorization", &bearer())]);
    let beside = request("/api/x", &[("authorization", "Digest of-the-client")]);
    for headers in [bearer, beside] {
        let grant = grant(&sealing(&required()), &headers, with_token());
        assert_eq!(grant.outcome, Outcome::Verified);
        let upstream = |name: &str| after(&headers, &grant.edits, name);
        assert_eq!(upstream("authorization").as_deref(), Some(TOKEN));
        assert_eq!(upstream("x-api-key"), None);
        assert_eq!(upstream("x-keygate-account").as_deref(), Some("alice"));
        let told = format!("{grant:?}");
        assert!(!told.contains("token-of"), "{told}");
    }
}

#[test]
fn no_header_of_the_client_passes_for_one_that_was_sealed() {
    let claims = [
        ("authorization", "Digest of-the-client"),
        ("x-upstream-token", "a"),
        ("x_upstream_token", "b"),
        ("x.upstream.token", "c"),
        ("x-other", "d"),
    ];
    let headers = request("/api/x", &claims);
    for (knowledge, authorization) in [(with_token(), Some(TOKEN)), (known(json!({})), None)] {
        let grant = grant(&sealing(&optional()), &headers, knowledge);
        let upstream = |name: &str| after(&headers, &grant.edits, name);
        assert_eq!(upstream("authorization").as_deref(), authorization);
        for name in ["x-upstream-token", "x_upstream_token", "x.upstream.token"] {
            assert_eq!(upstream(name), None, "{name}");
        }
        assert_eq!(upstream("x-other").as_deref(), Some("d"));
    }
    let policy = policy(&sealing(&optional()), SECRET);
    for name in ["authorization", "x-upstream-token", "X_Upstream_Token"] {
        assert!(policy.removes_trailer(name.as_bytes()), "{name}");
    }
    assert!(!policy.removes_trailer(b"x-other"));
}

#[test]
fn a_key_without_sealed_data_is_rejected_unless_the_rule_makes_it_optional() {
    let headers = request("/api/x", &[]);
    let nothing = (403, "nothing_sealed");
    assert_eq!(
        rejection(&sealing(&required()), &headers, known(json!({}))),
        nothing
    );
    let grant = grant(&sealing(&optional()), &headers, known(json!({})));
    assert_eq!(grant.outcome, Outcome::Verified);
    // A link has none either, and the key decides where both are required.
    let link = get(&signed("/either/x"), &[]);
    assert_eq!(
        rejection(&sealing(&required()), &link, Knowledge::NotAsked),
        nothing
    );
    let both = request(&signed("/both/x"), &[]);
    let granted = self::grant(&sealing(&required()), &both, with_token());
    assert_eq!(
        after(&both, &granted.edits, "authorization").as_deref(),
        Some(TOKEN)
    );
}

#[test]
fn data_that_does_not_open_or_was_not_listed_is_rejected_as_unavailable() {
    let whole = data(&[("authorization", TOKEN)]);
    let changed = |at: usize| {
        let mut text = whole.clone().into_bytes();
        text[at] = if text[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(text).unwrap()
    };
    let unlisted = data(&[("authorization", TOKEN), ("x-more", "a")]);
    let headers = request("/api/x", &[]);
    for broken in [
        changed(4),
        changed(60),
        changed(whole.len() - 1),
        whole.replace("ks1", "ks2"),
        whole[..whole.len() - 4].to_owned(),
        String::new(),
        unlisted,
    ] {
        // Also where a key without any data would pass.
        for sealed in [required(), optional()] {
            let found = rejection(&sealing(&sealed), &headers, with(&broken));
            assert_eq!(found, (503, "sealed_broken"), "{broken}");
        }
        // A rule that does not open it does not mind.
        let granted = grant(&demo(), &headers, with(&broken));
        assert_eq!(granted.outcome, Outcome::Verified);
    }
}

#[test]
fn all_else_is_decided_before_anything_is_opened() {
    let mut json = sealing(&required());
    json["rules"][2]["scopes"] = json!([{ "need": "admin" }]);
    let headers = request("/api/x", &[]);
    let found = rejection(&json, &headers, with("broken"));
    assert_eq!(found, (403, "insufficient_scope"));
    let revoked = known(json!({ "sealed": "broken", "status": "revoked" }));
    let found = rejection(&sealing(&required()), &headers, revoked);
    assert_eq!(found, (401, "revoked_key"));
}

#[test]
fn simulate_adds_headers_and_changes_nothing_of_what_it_would_reject() {
    let own = ("authorization", "Digest of-the-client");
    let headers = request("/beta/x", &[own]);
    let upstream = |json: &Value, knowledge| {
        let grant = grant(json, &headers, knowledge);
        (
            grant.outcome,
            after(&headers, &grant.edits, "authorization"),
        )
    };
    let verified = (Outcome::Verified, Some(TOKEN.to_owned()));
    assert_eq!(upstream(&sealing(&required()), with_token()), verified);
    let optional = upstream(&sealing(&optional()), known(json!({})));
    assert_eq!(optional, (Outcome::Verified, None));
    for (knowledge, reason) in [
        (known(json!({})), Reason::NothingSealed),
        (with("broken"), Reason::SealedBroken),
        (Knowledge::Unknown, Reason::UnknownKey),
    ] {
        let expected = (Outcome::WouldDeny(reason), Some(own.1.to_owned()));
        assert_eq!(upstream(&sealing(&required()), knowledge), expected);
    }
    // A parameter in the path would be rejected as well.
    let headers = request("/beta/x;a=1", &[own]);
    let grant = self::grant(&sealing(&required()), &headers, with_token());
    assert_eq!(grant.outcome, Outcome::WouldDeny(Reason::PathParameter));
    let left = after(&headers, &grant.edits, "authorization");
    assert_eq!(left.as_deref(), Some(own.1));
}

#[test]
fn a_rule_that_is_off_opens_nothing_and_removes_nothing() {
    let headers = request("/off/x", &[("authorization", "Digest of-the-client")]);
    let grant = grant(&sealing(&required()), &headers, with_token());
    assert_eq!(grant.outcome, Outcome::Anonymous);
    let left = after(&headers, &grant.edits, "authorization");
    assert_eq!(left.as_deref(), Some("Digest of-the-client"));
}

#[test]
fn a_preflight_passes_without_sealed_headers_and_without_those_of_its_client() {
    let mut json = sealing(&required());
    json["rules"][2]["preflight"] = json!("allow");
    let mut headers = request("/api/x", &[("authorization", "Digest of-the-client")]);
    headers[0].1 = "OPTIONS".into();
    for (name, value) in [
        ("origin", "https://app.example"),
        ("access-control-request-method", "GET"),
    ] {
        headers.push((name.into(), value.into()));
    }
    let grant = grant(&json, &headers, with_token());
    assert_eq!(grant.outcome, Outcome::Anonymous);
    assert_eq!(after(&headers, &grant.edits, "authorization"), None);
}

#[test]
fn an_outage_policy_lets_no_request_pass_without_its_sealed_headers() {
    let headers = request("/api/x", &[]);
    for sealed in [required(), optional()] {
        let mut json = sealing(&sealed);
        json["providers"]["key"]["outage"] = json!("allow");
        let found = rejection(&json, &headers, Knowledge::Outdated(None));
        assert_eq!(found, (503, "key_service_unavailable"));
    }
}

#[test]
fn sealed_data_is_asked_for_only_if_a_rule_adds_it() {
    let want = |json: &Value| policy(json, SECRET).key_service.unwrap().want;
    assert_eq!(want(&demo()), []);
    assert_eq!(want(&sealing(&optional())), [Want::Sealed]);
}

#[test]
fn no_creator_of_keys_can_seal_a_header_of_the_identity() {
    let mut json = sealing(&json!({ "headers": ["x-user"] }));
    assert!(Policy::parse(json.to_string().as_bytes(), &|_| Some(SECRET.into())).is_ok());
    json["identity"]["account"] = json!("x-user");
    let problems = Policy::parse(json.to_string().as_bytes(), &|_| Some(SECRET.into()));
    let problem = problems.unwrap_err().remove(0).to_string();
    assert!(
        problem.starts_with("rules[2].sealed.headers[0]: is a header of the identity"),
        "{problem}"
    );
}

#[test]
fn an_imported_key_has_no_sealed_data() {
    let mut json = sealing(&required());
    json["providers"]["key"]["accept"] = json!(["native", "opaque"]);
    let policy = policy(&json, SECRET);
    let headers = get("/api/x", &[("x-api-key", "legacy:alice:0123456789")]);
    let Verdict::Ask(lookup) = policy.decide(&headers, &facts(&NothingKnown, None, NOW)) else {
        panic!("a key from elsewhere is asked about");
    };
    let answer = Answer {
        hashes: &lookup.hashes,
        knowledge: with_token(),
        others: &NothingKnown,
    };
    match policy.decide(&headers, &facts(&answer, None, NOW)) {
        Verdict::Deny(denial) => assert_eq!(denial.reason, Reason::NothingSealed),
        other => panic!("{other:?}"),
    }
}
