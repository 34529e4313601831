//! Several credentials and identities: groups, duplicates, and what must not pass on.

use super::*;

#[test]
fn identity_headers_of_a_client_never_arrive() {
    let forged = [
        ("x-keygate-account", "root"),
        ("x-keygate-account", "root"),
        ("x_keygate_account", "root"),
        ("X-Keygate_Scopes", "admin"),
        ("X.Keygate.Account", "root"),
        ("x!keygate~account", "root"),
        ("x-keygate-anything", "1"),
    ];
    let unprotected = "x-keygat";
    for target in ["/healthz", "/beta/x", "/off/x"] {
        let mut more = forged.to_vec();
        more.push((unprotected, "mine"));
        let headers = get(target, &more);
        let grant = allowed(&headers, known(json!({})));
        for (name, _) in forged {
            let left = after(&headers, &grant.edits, name);
            assert_eq!(left, None, "{target} {name}");
        }
        assert_eq!(
            after(&headers, &grant.edits, unprotected).as_deref(),
            Some("mine")
        );
    }
}

#[test]
fn an_upgrade_cannot_hide_the_identity_by_naming_it_in_connection() {
    for target in ["/healthz", "/beta/x", "/off/x"] {
        let headers = get(
            target,
            &[
                ("connection", "Upgrade, X-Keygate-Result"),
                ("connection", "x.keygate.account"),
                ("proxy-connection", "x_keygate_scopes"),
                ("upgrade", "websocket"),
            ],
        );
        let grant = allowed(&headers, known(json!({})));
        let left = |name| after(&headers, &grant.edits, name);
        assert_eq!(left("connection").as_deref(), Some("Upgrade"), "{target}");
        assert_eq!(left("proxy-connection"), None, "{target}");
        assert_eq!(left("upgrade").as_deref(), Some("websocket"), "{target}");
    }
}

#[test]
fn any_is_met_by_one_and_all_by_every_one() {
    let key = bearer();
    let link = |path: &str| signed(path);
    let with_key = [("authorization", key.as_str())];
    let active = || known(json!({}));
    assert_eq!(
        allowed(&get(&link("/either/x"), &[]), active()).outcome,
        Outcome::Verified
    );
    assert_eq!(
        allowed(&get("/either/x", &with_key), active()).outcome,
        Outcome::Verified
    );
    // A link that holds needs no question about the key beside it.
    let verdict = decide(
        &get(&link("/either/x"), &with_key),
        Knowledge::NotAsked,
        None,
    );
    assert!(matches!(verdict, Verdict::Allow(_)));
    // A key that may be good is asked about, though the link is missing.
    let verdict = decide(&get("/either/x", &with_key), Knowledge::NotAsked, None);
    assert_eq!(verdict, Verdict::Ask(Lookup::of(new_key().hash)));
    // Of two rejections, the one that saw a credential tells more.
    let denial = denied(&get("/either/x?verify=junk", &[]), active());
    assert_eq!(denial.reason, Reason::MalformedCredential);

    let headers = get(&link("/both/x"), &with_key);
    let grant = allowed(&headers, active());
    assert_eq!(
        after(&headers, &grant.edits, ":path").as_deref(),
        Some("/both/x")
    );
    assert_eq!(after(&headers, &grant.edits, "authorization"), None);
    for half in [get(&link("/both/x"), &[]), get("/both/x", &with_key)] {
        assert_eq!(denied(&half, active()).reason, Reason::MissingCredential);
    }
    // Without the link there is no use in asking about the key.
    assert!(matches!(
        decide(&get("/both/x", &with_key), Knowledge::NotAsked, None),
        Verdict::Deny(_)
    ));
}

#[test]
fn of_two_invalid_credentials_the_first_in_the_rule_is_reported() {
    let another = Secret::new(b"another-secret-0123456789abcdef0".to_vec());
    let kid = KeyRingId::parse("01").unwrap();
    let prefix = Prefix::parse("kg").unwrap();
    let master = MasterSecret::derive(&another).unwrap();
    let forged = master.generate(&prefix, kid, &mut |bytes| bytes.fill(5));
    let forged = format!("Bearer {}", forged.text.as_str());
    let headers = get("/either/x?verify=junk", &[("authorization", &forged)]);
    for (any, reason) in [
        (json!(["link", "key"]), Reason::MalformedCredential),
        (json!(["key", "link"]), Reason::ForgedKey),
    ] {
        let mut json = demo();
        json["rules"][5]["require"] = json!({ "any": any });
        assert_eq!(judge(&policy(&json, SECRET), &headers, 0), Err(reason));
    }
}

#[test]
fn a_duplicate_is_final_at_every_position() {
    let key = bearer();
    let twice = [("authorization", key.as_str()), ("x-api-key", "x")];
    for target in ["/api/x", "/either/x"] {
        let denial = denied(&get(target, &twice), known(json!({})));
        assert_eq!(
            (denial.status, denial.reason),
            (400, Reason::DuplicateCredential)
        );
    }
}

#[test]
fn a_duplicate_is_final_also_behind_another_bad_credential_and_before_a_good_one() {
    let key = new_key().text;
    let cookie = format!("c={}", key.as_str());
    let more = [
        ("authorization", &*bearer()),
        ("x-api-key", "x"),
        ("cookie", &cookie),
    ];
    let headers = get("/either/x?verify=junk", &more);
    for any in [
        json!(["link", "key", "third"]),
        json!(["third", "key", "link"]),
    ] {
        let mut json = demo();
        json["providers"]["third"] =
            json!({ "type": "app_key", "secrets": "app_keys", "from": [{ "cookie": "c" }] });
        json["rules"][5]["require"] = json!({ "any": any });
        let answer = Answer {
            hashes: &[new_key().hash],
            knowledge: known(json!({})),
            others: &NothingKnown,
        };
        let verdict = policy(&json, SECRET).decide(&headers, &facts(&answer, None, NOW));
        let Verdict::Deny(denial) = verdict else {
            panic!("it is ambiguous which of the two keys is meant");
        };
        assert_eq!(denial.reason, Reason::DuplicateCredential);
    }
}

#[test]
fn identity_headers_may_have_other_names() {
    let mut json = demo();
    json["identity"] = json!({ "account": "X-User", "scopes": "x-user-scopes" });
    let policy = policy(&json, SECRET);
    let more = [
        ("authorization", &*bearer()),
        ("x_user", "root"),
        ("x-keygate-account", "root"),
    ];
    let headers = get("/api/x", &more);
    let answer = Answer {
        hashes: &[new_key().hash],
        knowledge: known(json!({})),
        others: &NothingKnown,
    };
    let Verdict::Allow(grant) = policy.decide(&headers, &facts(&answer, None, NOW)) else {
        panic!("the key is good");
    };
    let upstream = |name: &str| after(&headers, &grant.edits, name);
    assert_eq!(upstream("x-user").as_deref(), Some("alice"));
    assert_eq!(upstream("x-user-scopes").as_deref(), Some("a b"));
    assert_eq!(upstream("x-keygate-key-id").as_deref(), Some("id"));
    for spoofed in ["x_user", "x-keygate-account"] {
        assert_eq!(upstream(spoofed), None, "{spoofed}");
    }
}

/// A provider for each carrier, so that a request may hold several genuine keys.
fn many_carriers(require: Value, mode: &str) -> Policy {
    let mut json = demo();
    let one = |from: Value| json!({ "type": "app_key", "secrets": "app_keys", "from": [from] });
    json["providers"]["a"] = one(json!("bearer"));
    json["providers"]["b"] = one(json!({ "header": "x-api-key" }));
    json["providers"]["c"] = one(json!({ "cookie": "c" }));
    json["providers"]["d"] = one(json!({ "cookie": "d" }));
    json["rules"][2]["require"] = require;
    json["rules"][2]["mode"] = json!(mode);
    policy(&json, SECRET)
}

#[test]
fn no_genuine_key_reaches_the_upstream_in_any_carrier_group_mode_or_outage() {
    let key = new_key().text;
    let cookie = format!("c={0}; x=y; d={0}", key.as_str());
    let more = [
        ("authorization", &*bearer()),
        ("x-api-key", key.as_str()),
        ("cookie", &cookie),
    ];
    let headers = get("/api/x", &more);
    let states = [
        known(json!({})),
        known(json!({ "status": "revoked" })),
        Knowledge::Unknown,
        Knowledge::Unavailable(Reason::KeyServiceUnavailable),
    ];
    for group in ["any", "all"] {
        for mode in ["block", "simulate"] {
            for knowledge in &states {
                let policy = many_carriers(json!({ group: ["a", "b", "c", "d"] }), mode);
                let answer = Answer {
                    hashes: &[new_key().hash],
                    knowledge: knowledge.clone(),
                    others: &NothingKnown,
                };
                let verdict = policy.decide(&headers, &facts(&answer, None, NOW));
                let Verdict::Allow(grant) = verdict else {
                    assert_eq!(mode, "block");
                    continue;
                };
                for name in ["authorization", "x-api-key", "cookie"] {
                    let left = after(&headers, &grant.edits, name).unwrap_or_default();
                    assert!(
                        !left.contains(key.as_str()),
                        "{group} {mode} {name}: {left}"
                    );
                }
                assert_eq!(
                    after(&headers, &grant.edits, "cookie").as_deref(),
                    Some("x=y")
                );
            }
        }
    }
}

#[test]
fn an_ambiguous_member_of_any_is_final_whatever_the_order() {
    let key = new_key().text;
    let more = [
        ("authorization", &*bearer()),
        ("x-api-key", key.as_str()),
        ("x-api-key", "x"),
    ];
    for order in [json!(["a", "b"]), json!(["b", "a"])] {
        let policy = many_carriers(json!({ "any": order }), "block");
        let answer = Answer {
            hashes: &[new_key().hash],
            knowledge: known(json!({})),
            others: &NothingKnown,
        };
        let verdict = policy.decide(&get("/api/x", &more), &facts(&answer, None, NOW));
        let Verdict::Deny(denial) = verdict else {
            panic!("it is ambiguous");
        };
        assert_eq!(denial.reason, Reason::DuplicateCredential);
    }
}

/// A session of bob.
struct Bob;

impl Claims for Bob {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        (path.last() == Some(&"sub")).then(|| b"bob".to_vec())
    }
}

#[test]
fn of_two_accounts_the_first_member_is_the_identity() {
    let mut json = demo();
    json["providers"]["session"] = json!({ "type": "jwt" });
    let headers = get("/api/x", &[("authorization", &bearer())]);
    let decide = |any: Value, knowledge: Knowledge| {
        let mut json = json.clone();
        json["rules"][2]["require"] = json!({ "any": any });
        let answer = Answer {
            hashes: &[new_key().hash],
            knowledge,
            others: &NothingKnown,
        };
        let facts = Facts {
            checks: keygate_core::signed_url::Checks::default(),
            claims: &Bob,
            ..facts(&answer, None, NOW)
        };
        policy(&json, SECRET).decide(&headers, &facts)
    };
    let account = |verdict: Verdict| match verdict {
        Verdict::Allow(grant) => grant.identity.unwrap().account.clone(),
        other => panic!("{other:?}"),
    };
    let key_first = || json!(["key", "session"]);
    let session_first = || json!(["session", "key"]);
    assert_eq!(account(decide(key_first(), known(json!({})))), "alice");
    let asked = decide(key_first(), Knowledge::NotAsked);
    assert_eq!(asked, Verdict::Ask(Lookup::of(new_key().hash)));
    for knowledge in [
        Knowledge::Unknown,
        known(json!({ "status": "revoked" })),
        Knowledge::Outdated(None),
        Knowledge::Unavailable(Reason::Overloaded),
    ] {
        assert_eq!(account(decide(key_first(), knowledge)), "bob");
    }
    for knowledge in [known(json!({})), Knowledge::NotAsked, Knowledge::Unknown] {
        assert_eq!(account(decide(session_first(), knowledge)), "bob");
    }
}
