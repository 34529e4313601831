//! App keys: what is asked, what passes, what is rejected and how.

use super::*;

#[test]
fn an_unknown_key_is_asked_for_by_its_hash_alone() {
    let headers = get("/api/x", &[("authorization", &bearer())]);
    let verdict = decide(&headers, Knowledge::NotAsked, None);
    assert_eq!(verdict, Verdict::Ask(Lookup::of(new_key().hash)));
}

#[test]
fn a_known_key_passes_with_its_identity_and_without_itself() {
    let key = new_key().text;
    let basic = {
        use base64::Engine as _;
        let pair = format!("alice:{}", key.as_str());
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        )
    };
    for (name, value, left) in [
        ("authorization", bearer(), None),
        ("authorization", basic, None),
        ("x-api-key", key.to_string(), None),
        (
            "cookie",
            format!("a=1; app_key={}; b=2", key.as_str()),
            Some("a=1; b=2"),
        ),
    ] {
        let headers = get("/api/x?a=1", &[(name, &value)]);
        let grant = allowed(&headers, known(json!({})));
        assert_eq!(grant.outcome, Outcome::Verified);
        let upstream = |name: &str| after(&headers, &grant.edits, name);
        assert_eq!(upstream(name).as_deref(), left, "{name}");
        assert_eq!(upstream(":path").as_deref(), Some("/api/x?a=1"));
        assert_eq!(upstream("x-keygate-account").as_deref(), Some("alice"));
        assert_eq!(upstream("x-keygate-key-id").as_deref(), Some("id"));
        assert_eq!(upstream("x-keygate-scopes").as_deref(), Some("a b"));
        assert_eq!(
            upstream("x-keygate-metadata").as_deref(),
            Some("eyJuIjoxfQ")
        );
        assert_eq!(upstream("x-keygate-result").as_deref(), Some("allow"));
        let state = |name| {
            grant
                .state
                .iter()
                .find(|(it, _)| *it == name)
                .map(|(_, it)| it.as_str())
        };
        assert_eq!(state("keygate_account"), Some("alice"));
        assert_eq!(state("keygate_key_id"), Some("id"));
        assert_eq!(state("keygate_scopes"), Some(" a b "));
        assert_eq!(state("keygate_result"), Some("allow"));
    }
}

#[test]
fn filter_state_is_set_only_if_the_policy_enables_it() {
    let headers = get("/api/x", &[("authorization", &bearer())]);
    for (identity, told) in [(json!({ "filter_state": true }), 4), (json!({}), 0)] {
        let mut json = demo();
        json["identity"] = identity;
        let verdict = decide_on(&json, &headers, known(json!({})));
        let Verdict::Allow(grant) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(grant.state.len(), told);
        let upstream = after(&headers, &grant.edits, "x-keygate-account");
        assert_eq!(upstream.as_deref(), Some("alice"));
    }
}

#[test]
fn basic_needs_the_account_of_the_key_as_its_user() {
    use base64::Engine as _;
    let pair = format!("bob:{}", new_key().text.as_str());
    let basic = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    );
    let denial = denied(
        &get("/api/x", &[("authorization", &basic)]),
        known(json!({})),
    );
    assert_eq!((denial.status, denial.reason), (401, Reason::WrongAccount));
}

#[test]
fn each_way_to_be_rejected_has_its_status() {
    let key = bearer();
    let forged = format!("{}x", &key[..key.len() - 1]);
    let active = || known(json!({}));
    for (value, knowledge, status, reason) in [
        (
            Some(key.as_str()),
            Knowledge::Unknown,
            401,
            Reason::UnknownKey,
        ),
        (
            Some(&key),
            known(json!({ "status": "revoked" })),
            401,
            Reason::RevokedKey,
        ),
        (
            Some(&key),
            known(json!({ "status": "disabled" })),
            401,
            Reason::DisabledKey,
        ),
        (
            Some(&key),
            known(json!({ "expires_at": NOW.0 })),
            401,
            Reason::Expired,
        ),
        (
            Some(&key),
            known(json!({ "allowed_ips": ["10.0.0.0/8"] })),
            403,
            Reason::AddressNotAllowed,
        ),
        (
            Some(&key),
            Knowledge::Unavailable(Reason::KeyServiceUnavailable),
            503,
            Reason::KeyServiceUnavailable,
        ),
        (
            Some(&key),
            Knowledge::Unavailable(Reason::Overloaded),
            503,
            Reason::Overloaded,
        ),
        (Some(&forged), active(), 401, Reason::MalformedCredential),
        (Some("Bearer"), active(), 401, Reason::MissingCredential),
        (
            Some("Bearer eyJhbGciOiJub25lIn0.e30."),
            active(),
            401,
            Reason::MalformedCredential,
        ),
        (None, active(), 401, Reason::MissingCredential),
    ] {
        let more: Vec<_> = value
            .iter()
            .map(|value| ("authorization", *value))
            .collect();
        let denial = denied(&get("/api/x", &more), knowledge);
        assert_eq!(
            (denial.status, denial.reason),
            (status, reason),
            "{value:?}"
        );
    }
}

#[test]
fn a_stored_hash_is_no_credential() {
    let hash = new_key().hash.to_string();
    let headers = get("/api/x", &[("x-api-key", &hash)]);
    assert_eq!(
        denied(&headers, known(json!({}))).reason,
        Reason::MalformedCredential
    );
}

#[test]
fn the_address_of_a_cached_key_is_checked_on_every_request() {
    let headers = get("/api/x", &[("authorization", &bearer())]);
    let limited = || known(json!({ "allowed_ips": ["10.0.0.0/8", "2001:db8::1/128"] }));
    for (client, expected) in [
        ("10.9.9.9", true),
        ("2001:db8::1", true),
        ("11.0.0.1", false),
        ("2001:db8::2", false),
    ] {
        let verdict = decide(&headers, limited(), Some(client.parse().unwrap()));
        assert_eq!(matches!(verdict, Verdict::Allow(_)), expected, "{client}");
    }
}

#[test]
fn a_rejection_has_the_body_of_its_rule() {
    let api = denied(
        &get("/api/x", &[("x-request-id", "r-1")]),
        Knowledge::Unknown,
    );
    assert_eq!(
        api.body,
        r#"{"error":{"code":"missing_credential","request":"r-1"}}"#
    );
    assert_eq!(
        api.details,
        "keygate_denied{reason=missing_credential,rule=api}"
    );
    let page = denied(&get("/media/x", &[]), Knowledge::Unknown);
    assert_eq!(
        page.body,
        "<h1>This link is incomplete. It may have been cut off when it was copied.</h1>"
    );
    assert_eq!(page.status, 403);
}

#[test]
fn a_missing_credential_is_answered_with_a_challenge_if_there_is_one() {
    let denial = denied(&get("/either/x", &[]), Knowledge::Unknown);
    assert_eq!(
        (denial.status, denial.reason),
        (401, Reason::MissingCredential)
    );
}

#[test]
fn a_remembered_key_expires_with_its_master_secret() {
    let mut written = demo();
    written["secrets"]["app_keys"][0]["not_after"] = json!("2024-01-01T00:00:00Z");
    let policy = policy(&written, SECRET);
    let key = bearer();
    let at = |text: &str, now: u64| {
        let answer = Answer {
            hashes: &[new_key().hash],
            knowledge: known(json!({})),
            others: &NothingKnown,
        };
        let headers = get("/api/x", &[("authorization", text)]);
        match policy.decide(&headers, &facts(&answer, None, UnixMillis::from_secs(now))) {
            Verdict::Allow(_) => Ok(()),
            Verdict::Deny(denial) => Err(denial.reason),
            other => panic!("{other:?}"),
        }
    };
    for now in [1_704_067_198, 1_704_067_199] {
        assert_eq!(at(&key, now), Ok(()));
    }
    for index in "Bearer kg_".len()..key.len() {
        let mut other = key.clone().into_bytes();
        other[index] = if other[index] == b'a' { b'b' } else { b'a' };
        let other = String::from_utf8(other).unwrap();
        assert_eq!(
            at(&other, 1_704_067_199),
            Err(Reason::MalformedCredential),
            "{index}"
        );
    }
    assert_eq!(at(&key, 1_704_067_200), Err(Reason::NoCurrentSecret));
    assert_eq!(at(&key, 1_704_067_199), Ok(()));
}

#[test]
fn a_key_of_a_ring_without_a_current_secret_has_a_reason_of_its_own() {
    for accept in ["native", "opaque"] {
        let mut json = demo();
        json["secrets"]["app_keys"][0]["not_after"] = "2023-01-01T00:00:00Z".into();
        json["providers"]["key"]["accept"] = json!([accept]);
        let bearer = match accept {
            "native" => bearer(),
            _ => "Bearer a-key-from-elsewhere".to_owned(),
        };
        let headers = get("/api/x", &[("authorization", &bearer)]);
        let denial = match decide_on(&json, &headers, Knowledge::NotAsked) {
            Verdict::Deny(denial) => denial,
            other => panic!("{accept}: {other:?}"),
        };
        assert_eq!(denial.reason, Reason::NoCurrentSecret, "{accept}");
        assert_eq!(denial.status, 401);
    }
}
