//! What an account and its keys may do.

use keygate_service::Attributes;

use super::*;
use crate::attributes::samples;
use crate::support::hash;

/// What an account chooses for its keys: for people alone, or what a key may do and where.
const CHOSEN: [&str; 8] = [
    "account",
    "name",
    "scopes",
    "allowed_ips",
    "allowed_referrers",
    "labels",
    "rate_limit",
    "expires_at",
];

#[test]
fn a_key_needs_the_scope_for_what_it_asks() {
    let service = start();
    let key = service.create(r#"{"account":"alice","scopes":["keys:read","keys:write"]}"#);
    let show = format!("/v1/keys/{}", text(&key, "id"));
    for (scopes, read, write) in [
        ("", 403, 403),
        ("keys", 403, 403),
        ("keys:reads xkeys:write", 403, 403),
        ("keys:read", 200, 403),
        ("keys:write", 403, 201),
        ("keys:read keys:write", 200, 201),
    ] {
        let token = by_key(&key, scopes);
        let status = |method, path| send(&service, method, path, &token, "").status;
        assert_eq!(status("GET", "/v1/keys"), read, "{scopes}");
        assert_eq!(status("GET", &show), read, "{scopes}");
        assert_eq!(status("POST", "/v1/keys"), write, "{scopes}");
        let revoke = status("POST", "/v1/keys/0000000000/revoke");
        assert_eq!(revoke, if write == 201 { 404 } else { 403 }, "{scopes}");
    }
}

#[test]
fn a_key_makes_none_that_can_do_more_than_itself() {
    let service = start();
    let key = service.create(
        r#"{"account":"alice","scopes":["keys:write","files:read","files:list"],"expires_in":"1d",
            "allowed_ips":["10.0.0.0/8"]}"#,
    );
    let token = by_key(&key, "keys:write files:read files:write");
    let create = |body: &Value| send(&service, "POST", "/v1/keys", &token, &body.to_string());
    let good =
        json!({ "scopes": ["files:read"], "expires_in": "1h", "allowed_ips": ["10.1.0.0/16"] });
    create(&good).expect(201);
    for (field, value, named) in [
        ("scopes", json!(["files:read", "admin"]), "scopes/1"),
        ("scopes", json!(["files:*"]), "scopes/0"),
        // The key itself says so, the assertion does not; and the other way round.
        ("scopes", json!(["files:list"]), "scopes/0"),
        ("scopes", json!(["files:write"]), "scopes/0"),
        ("expires_in", Value::Null, "expires_at"),
        ("expires_in", json!("25h"), "expires_at"),
        ("allowed_ips", json!([]), "allowed_ips"),
        (
            "allowed_ips",
            json!(["10.0.0.1", "11.0.0.1"]),
            "allowed_ips",
        ),
        ("allowed_ips", json!(["0.0.0.0/0"]), "allowed_ips"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = create(&body);
        assert_eq!(
            code(&answer),
            (403, "beyond_own_rights".to_owned()),
            "{body}"
        );
        assert_eq!(answer.wrong(403), [format!("/{named}")]);
    }
}

#[test]
fn a_revoked_key_or_one_of_another_account_grants_nothing() {
    let service = start();
    let key = service.create(r#"{"account":"alice","scopes":["keys:read"],"expires_in":"30s"}"#);
    let token = by_key(&key, "keys:read");
    let list = |token: &str| send(&service, "GET", "/v1/keys", token, "").status;
    assert_eq!(list(&token), 200);
    let id = text(&key, "id");
    assert_eq!(
        list(&sign(&issuer(), "bob", Some((&id, "keys:read")), START)),
        401
    );
    assert_eq!(
        list(&sign(
            &issuer(),
            "alice",
            Some(("0000000000", "keys:read")),
            START
        )),
        401
    );
    service.set_now(START.plus(Millis::from_secs(30)));
    assert_eq!(list(&token), 401, "it has expired");
    service.set_now(START);
    service.post(&revoke_path(&key), "").expect(200);
    assert_eq!(list(&token), 401, "it was revoked");
}

#[test]
fn a_session_needs_scopes_if_the_operator_requires_them() {
    let service = running(signer(Algorithm::Hs256, 9).verifying(), true);
    let answer = send(&service, "GET", "/v1/keys", &session("alice"), "");
    assert_eq!(code(&answer), (403, "insufficient_scope".to_owned()));
    assert!(answer.text.contains("keys:read"), "{}", answer.text);
}

#[test]
fn an_account_cannot_write_its_own_metadata() {
    let service = start();
    let beyond = (403, "beyond_own_rights".to_owned());
    let create = |token: &str, body: &str| send(&service, "POST", "/v1/keys", token, body);
    let session = session("alice");
    for metadata in [r#"{"plan":"enterprise"}"#, r#"{"":null}"#] {
        let body = format!(r#"{{"metadata":{metadata}}}"#);
        assert_eq!(code(&create(&session, &body)), beyond, "{metadata}");
    }
    for body in ["{}", r#"{"metadata":{ }}"#] {
        assert_eq!(create(&session, body).expect(201)["metadata"], json!({}));
    }
    let own = r#"{"plan":"free","seats":[1,2]}"#;
    let parent = format!(r#"{{"account":"alice","scopes":["keys:write"],"metadata":{own}}}"#);
    let parent = by_key(&service.create(&parent), "keys:write");
    for metadata in [
        r#"{"plan":"enterprise","role":"admin"}"#,
        r#"{"plan":"free","seats":[2,1]}"#,
        r#"{"plan":"free","seats":[1,2],"role":"admin"}"#,
        r#"{"plan":"free"}"#,
        "{}",
    ] {
        let body = format!(r#"{{"metadata":{metadata}}}"#);
        assert_eq!(code(&create(&parent, &body)), beyond, "{metadata}");
    }
    let own: Value = serde_json::from_str(own).unwrap();
    for body in ["{}", r#"{"metadata": {"seats": [1, 2], "plan": "free"}}"#] {
        assert_eq!(create(&parent, body).expect(201)["metadata"], own, "{body}");
    }
}

#[test]
fn an_account_sets_no_attribute_that_an_upstream_trusts() {
    let service = start();
    let all = samples();
    let key = by_key(&service.create(&all.to_string()), "keys:write");
    let mut child = json!({});
    for name in CHOSEN {
        child[name] = all[name].clone();
    }
    let inherited = send(&service, "POST", "/v1/keys", &key, &child.to_string()).expect(201);
    for name in Attributes::NAMES
        .iter()
        .filter(|name| !CHOSEN.contains(name))
    {
        let body = json!({ *name: all[*name] }).to_string();
        let answer = send(&service, "POST", "/v1/keys", &session("alice"), &body);
        assert_eq!(answer.status, 403, "an account sets {name}");
        match *name {
            "space" => assert_eq!(answer.problem().1, "wrong_space"),
            name => assert_eq!(answer.wrong(403), [format!("/{name}")]),
        }
        assert_eq!(inherited[*name], all[*name], "a key passes on its {name}");
    }
}

/// How often, and beside how many creators, a key is revoked; `make stress` has more of both, on a
/// slow disk.
fn rounds() -> (usize, usize) {
    match std::env::var("KEYGATE_REVOCATION_ROUNDS") {
        Ok(rounds) => (rounds.parse().expect("a number"), 400),
        Err(_) => (1, 32),
    }
}

#[test]
fn a_key_creates_none_after_its_revocation() {
    let service = start();
    let (rounds, creators) = rounds();
    for _ in 0..rounds {
        let key = service.create(r#"{"account":"alice","scopes":["keys:write"]}"#);
        let id = text(&key, "id");
        let token = by_key(&key, "keys:write");
        let rejection = || {
            loop {
                let answer = send(&service, "POST", "/v1/keys", &token, "{}");
                let is_full = answer.status == 503 && code(&answer).1 == "overloaded";
                if answer.status != 201 && !is_full {
                    return code(&answer);
                }
            }
        };
        let children = format!("/v1/keys?limit=100&created_by={id}");
        std::thread::scope(|scope| {
            let creators = (0..creators).map(|_| scope.spawn(rejection));
            let creators: Vec<_> = creators.collect();
            while service.get(&children).expect(200)["next_cursor"].is_null() {}
            service.post(&revoke_path(&key), "{}").expect(200);
            for creator in creators {
                let rejected = (401, "invalid_assertion".to_owned());
                assert_eq!(creator.join().unwrap(), rejected);
            }
        });
        let database = service.raw();
        let later = "SELECT count(*) FROM (SELECT min(seq) AS made FROM changes GROUP BY hash) AS all_keys \
                     WHERE made > (SELECT max(seq) FROM changes JOIN keys USING (hash) WHERE id = ?1)";
        let later: i64 = database.read(later, &[&id]);
        assert_eq!(later, 0, "keys were created after the revocation");
        let active = service.get("/v1/keys?status=active").expect(200);
        assert_eq!(active["keys"], json!([]), "each was revoked with it");
    }
}

#[test]
fn a_revocation_ends_the_descendants_too_unless_they_are_kept() {
    let service = start();
    let body = r#"{"account":"alice","scopes":["keys:write"]}"#;
    let child_of = |parent: &Value| {
        let token = by_key(parent, "keys:write");
        let child = send(
            &service,
            "POST",
            "/v1/keys",
            &token,
            r#"{"scopes":["keys:write"]}"#,
        );
        let child = child.expect(201);
        assert_eq!(child["created_by"], parent["id"]);
        child
    };
    let revoke = |key: &Value, body: &str| service.post(&revoke_path(key), body).expect(200);
    let status = |key: &Value| {
        let shown = service
            .get(&format!("/v1/keys/{}", text(key, "id")))
            .expect(200);
        (text(&shown, "status"), shown["revoked_note"].clone())
    };
    let revoked = |reason: &str| ("revoked".to_owned(), json!(reason));
    let active = ("active".to_owned(), Value::Null);

    let family = || {
        let parent = service.create(body);
        let (child, sibling) = (child_of(&parent), child_of(&parent));
        let grandchild = child_of(&child);
        (parent, child, sibling, grandchild)
    };
    let (parent, child, sibling, grandchild) = family();
    let (stranger, _, _, other) = family();
    revoke(&sibling, r#"{"note":"earlier"}"#);
    let epoch = service.changes("")["epoch"].as_u64().unwrap();
    let answer = revoke(&parent, r#"{"note":"leaked"}"#);
    assert_eq!(answer["descendants_revoked"], 2);
    assert_eq!(status(&parent), revoked("leaked"));
    assert_eq!(status(&child), revoked("leaked"));
    assert_eq!(status(&grandchild), revoked("leaked"));
    assert_eq!(
        status(&sibling),
        revoked("earlier"),
        "the first revocation stays"
    );
    assert_eq!(status(&other), active, "a key of another family");
    let told = service.changes(&format!("?after={epoch}"));
    for key in [&parent, &child, &grandchild] {
        let changed = told["changed"].as_array().unwrap();
        assert!(
            changed.contains(&json!(hash(key))),
            "each edge learns of it"
        );
    }
    assert_eq!(told["changed"].as_array().unwrap().len(), 3);
    assert_eq!(revoke(&parent, "{}")["descendants_revoked"], 0);

    let answer = revoke(&stranger, r#"{"keep_descendants":true}"#);
    assert_eq!(answer["descendants_revoked"], 0);
    assert_eq!(status(&other), active);
    let answer = revoke(&stranger, r#"{"note":"after all"}"#);
    assert_eq!(
        answer["descendants_revoked"], 3,
        "again, without keeping them"
    );
    assert_eq!(status(&other), revoked("after all"));
}

#[test]
fn a_key_that_goes_too_far_is_named_among_many() {
    let service = start();
    let parent = service.create(r#"{"account":"alice","scopes":["keys:write","a"]}"#);
    let token = by_key(&parent, "keys:write a");
    let body = json!({ "keys": [{ "scopes": ["a"] }, { "scopes": ["a", "b"] }] });
    let answer = send(
        &service,
        "POST",
        "/v1/keys/batch",
        &token,
        &body.to_string(),
    );
    assert_eq!(
        answer.expect(403)["errors"][0]["pointer"],
        "/keys/1/scopes/1"
    );
    let list = service.get("/v1/keys").expect(200);
    assert_eq!(
        list["keys"].as_array().unwrap().len(),
        1,
        "none was created"
    );
}
