//! Accounts that manage their own keys by an assertion of the edge.

use keygate_core::http::request::{Header, Request};
use keygate_core::identity::Identity;
use keygate_core::identity::assertion::{
    ASSERTION_HEADER, Algorithm, Issuer, SigningKey, Verifier, VerifyingKey,
};
use keygate_core::secret::{KeyRing, RingEntry, Secret};
use keygate_core::time::{Millis, UnixMillis};
use keygate_service::{Ambient, Assertions};
use serde_json::{Value, json};

use crate::keys::revoke_path;
use crate::support::{ADMIN, Answer, EDGE, Running, START, text};

fn ring<K>(key: K) -> KeyRing<K> {
    KeyRing(vec![RingEntry {
        id: "v1".to_owned(),
        key,
        not_before: None,
        not_after: None,
    }])
}

fn signer(algorithm: Algorithm, fill: u8) -> SigningKey {
    SigningKey::new(&Secret::new(vec![fill; 32]), algorithm).unwrap()
}

fn running(key: VerifyingKey, sessions_need_scopes: bool) -> Running {
    Running::configured(Ambient::real().randomness, |config| {
        config.assertions = Some(Assertions {
            verifier: Verifier {
                ring: ring(key),
                issuer: "keygate".to_owned(),
                audience: "keys".to_owned(),
                skew: Millis::from_secs(5),
            },
            sessions_need_scopes,
        });
    })
}

fn start() -> Running {
    running(signer(Algorithm::Hs256, 9).verifying(), false)
}

fn issuer() -> Issuer {
    Issuer {
        ring: ring(signer(Algorithm::Hs256, 9)),
        issuer: "keygate".to_owned(),
        audience: "keys".to_owned(),
        ttl: Millis::from_secs(60),
        rules: None,
    }
}

fn sign(issuer: &Issuer, account: &str, key: Option<(&str, &str)>, now: UnixMillis) -> String {
    let identity = Identity {
        account: account.to_owned(),
        key_id: key.map(|(id, _)| id.to_owned()),
        scopes: key.map_or_else(String::new, |(_, scopes)| scopes.to_owned()),
        metadata: None,
    };
    let headers = [(":method", "GET"), (":path", "/"), (":authority", "h")];
    let headers: Vec<Header> = headers.map(|(n, v)| (n.into(), v.into())).into();
    let request = Request::read(&headers).unwrap();
    issuer.sign(&identity, &request, now).unwrap()
}

fn session(account: &str) -> String {
    sign(&issuer(), account, None, START)
}

/// The assertion that an edge makes for a request with this key.
fn by_key(created: &Value, scopes: &str) -> String {
    let id = text(created, "id");
    sign(
        &issuer(),
        &text(created, "account"),
        Some((&id, scopes)),
        START,
    )
}

fn send(service: &Running, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let headers = [
        (ASSERTION_HEADER, token),
        ("content-type", "application/json"),
    ];
    service.send_with(method, path, &headers, body)
}

fn code(answer: &Answer) -> (u16, String) {
    answer.problem()
}

#[test]
fn an_account_creates_lists_shows_and_revokes_its_own_keys() {
    let service = start();
    service.create(r#"{"account":"bob"}"#);
    let alice = session("alice");
    let created = send(&service, "POST", "/v1/keys", &alice, r#"{"name":"mine"}"#);
    let created = created.expect(201);
    // A session without a scope gives none to a key.
    let beyond = send(
        &service,
        "POST",
        "/v1/keys",
        &alice,
        r#"{"scopes":["admin"]}"#,
    );
    assert_eq!(code(&beyond), (403, "beyond_own_rights".to_owned()));
    assert_eq!(created["account"], "alice");
    let same = send(
        &service,
        "POST",
        "/v1/keys",
        &alice,
        r#"{"account":"alice"}"#,
    );
    same.expect(201);
    for query in ["", "?account=alice"] {
        let path = format!("/v1/keys{query}");
        let listed = send(&service, "GET", &path, &alice, "").expect(200);
        let accounts = listed["keys"].as_array().unwrap().iter();
        let accounts: Vec<_> = accounts.map(|key| text(key, "account")).collect();
        assert_eq!(accounts, ["alice", "alice"], "{query}");
    }
    let show = format!("/v1/keys/{}", text(&created, "id"));
    send(&service, "GET", &show, &alice, "").expect(200);
    let revoked = send(&service, "POST", &revoke_path(&created), &alice, "");
    assert_eq!(revoked.expect(200)["status"], "revoked");
}

#[test]
fn another_accounts_keys_are_not_there() {
    let service = start();
    let bobs = service.create(r#"{"account":"bob"}"#);
    let alice = session("alice");
    let show = format!("/v1/keys/{}", text(&bobs, "id"));
    let missing = send(&service, "GET", "/v1/keys/0000000000", &alice, "");
    for (method, path) in [("GET", &show), ("POST", &revoke_path(&bobs))] {
        let answer = send(&service, method, path, &alice, "");
        assert_eq!(code(&answer), (404, "no_such_key".to_owned()));
        assert_eq!(answer.text, missing.text, "as good as none");
    }
    assert_eq!(service.get(&show).expect(200)["status"], "active");
    let wrong = (403, "wrong_account".to_owned());
    let answer = send(&service, "POST", "/v1/keys", &alice, r#"{"account":"bob"}"#);
    assert_eq!(code(&answer), wrong);
    let answer = send(&service, "GET", "/v1/keys?account=bob", &alice, "");
    assert_eq!(code(&answer), wrong);
    let listed = send(&service, "GET", "/v1/keys", &alice, "").expect(200);
    assert_eq!(listed["keys"], json!([]));
}

#[test]
fn a_forged_doubled_or_foreign_assertion_is_401() {
    let service = start();
    let forged = |issuer: Issuer| sign(&issuer, "alice", None, START);
    let alice = session("alice");
    let other_secret = ring(signer(Algorithm::Hs256, 8));
    let rows = [
        forged(Issuer {
            ring: other_secret,
            ..issuer()
        }),
        forged(Issuer {
            audience: "files".to_owned(),
            ..issuer()
        }),
        forged(Issuer {
            issuer: "somebody".to_owned(),
            ..issuer()
        }),
        forged(Issuer {
            ttl: Millis::from_secs(61),
            ..issuer()
        }),
        sign(&issuer(), "alice", None, UnixMillis(START.0 - 66_000)),
        sign(&issuer(), "alice", None, UnixMillis(START.0 + 6_000)),
        format!("{alice}, {alice}"),
        alice[..alice.len() - 1].to_owned(),
        "alice".to_owned(),
        String::new(),
    ];
    for token in rows {
        let answer = send(&service, "GET", "/v1/keys", &token, "");
        assert_eq!(
            code(&answer),
            (401, "invalid_assertion".to_owned()),
            "{token}"
        );
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }
    let twice = [
        (ASSERTION_HEADER, alice.as_str()),
        (ASSERTION_HEADER, &alice),
    ];
    let answer = service.send_with("GET", "/v1/keys", &twice, "");
    assert_eq!(code(&answer).0, 401);
    send(&service, "GET", "/v1/keys", &alice, "").expect(200);
}

#[test]
fn a_token_and_an_assertion_together_are_refused() {
    let service = start();
    let admin = format!("Bearer {ADMIN}");
    let headers = [
        (ASSERTION_HEADER, session("alice")),
        ("authorization", admin),
    ];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let answer = service.send_with("GET", "/v1/keys", &headers, "");
    assert_eq!(code(&answer), (400, "two_credentials".to_owned()));
}

#[test]
fn no_other_header_is_trusted_and_no_other_route_takes_an_assertion() {
    let service = start();
    for name in ["x-keygate-account", "x-keygate-key-id", "x-forwarded-user"] {
        let answer = service.send_with("GET", "/v1/keys", &[(name, "alice")], "");
        assert_eq!(code(&answer), (401, "missing_token".to_owned()), "{name}");
    }
    let alice = session("alice");
    for path in ["/v1/changes", "/v1/changes?after=0"] {
        let answer = send(&service, "GET", path, &alice, "");
        assert_eq!(code(&answer).0, 401, "{path}");
    }
    let without = Running::start();
    let answer = send(&without, "GET", "/v1/keys", &alice, "");
    assert_eq!(code(&answer), (401, "missing_token".to_owned()));
    let edge = format!("Bearer {EDGE}");
    let answer = service.send_with("GET", "/v1/keys", &[("authorization", &edge)], "");
    assert_eq!(code(&answer).0, 403);
}

#[test]
fn another_site_cannot_make_a_browser_change_anything() {
    let service = start();
    let created = service.create(r#"{"account":"alice"}"#);
    let alice = session("alice");
    // What a form or a script of another site can send without a preflight.
    for content_type in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        for path in ["/v1/keys".to_owned(), revoke_path(&created)] {
            let headers = [
                (ASSERTION_HEADER, alice.as_str()),
                ("content-type", content_type),
            ];
            let answer = service.send_with("POST", &path, &headers, "");
            assert_eq!(code(&answer).0, 415, "{path} {content_type:?}");
        }
    }
}

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
        ("scopes", json!(["files:read", "admin"]), "scopes[1]"),
        ("scopes", json!(["files:*"]), "scopes[0]"),
        // The key itself says so, the assertion does not; and the other way round.
        ("scopes", json!(["files:list"]), "scopes[0]"),
        ("scopes", json!(["files:write"]), "scopes[0]"),
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
        assert_eq!(answer.expect(403)["field"], named);
    }
}

#[test]
fn a_key_that_is_dead_or_of_another_account_vouches_for_nothing() {
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
fn a_session_needs_scopes_where_the_operator_wants_it() {
    let service = running(signer(Algorithm::Hs256, 9).verifying(), true);
    let answer = send(&service, "GET", "/v1/keys", &session("alice"), "");
    assert_eq!(code(&answer), (403, "insufficient_scope".to_owned()));
    assert!(answer.text.contains("keys:read"), "{}", answer.text);
}

#[test]
fn the_key_set_holds_public_keys_and_nothing_else() {
    let secret = start();
    let public = running(signer(Algorithm::EdDsa, 9).verifying(), false);
    let none = Running::start();
    for path in ["/v1/jwks.json", "/.well-known/jwks.json"] {
        for service in [&secret, &none] {
            let set = service.send_with("GET", path, &[], "");
            assert_eq!(set.expect(200), json!({ "keys": [] }));
        }
        let set = public.send_with("GET", path, &[], "");
        assert_eq!(set.header("content-type"), "application/jwk-set+json");
        let expected = signer(Algorithm::EdDsa, 9).verifying().jwk("v1");
        assert_eq!(set.expect(200)["keys"][0], expected.unwrap());
        assert!(!set.text.contains("\"d\""), "{}", set.text);
    }
    let issuer = Issuer {
        ring: ring(signer(Algorithm::EdDsa, 9)),
        ..issuer()
    };
    let token = sign(&issuer, "alice", None, START);
    send(&public, "GET", "/v1/keys", &token, "").expect(200);
    assert_eq!(send(&secret, "GET", "/v1/keys", &token, "").status, 401);
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
