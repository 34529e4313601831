//! Accounts that manage their own keys by an assertion of the edge.

mod changes;
mod rates;
mod rights;

use keygate_core::identity::Identity;
use keygate_core::identity::assertion::{
    ASSERTION_HEADER, Algorithm, Issuer, SigningKey, Verifier, VerifyingKey,
};
use keygate_core::secret::{KeyRing, RingEntry};
use keygate_core::{Header, Millis, Request, Secret, UnixMillis};
use keygate_service::{Ambient, Assertions, ServiceConfig};
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
    with_key(key, sessions_need_scopes, |_| {})
}

/// With another configuration.
pub fn configured(change: impl FnOnce(&mut ServiceConfig)) -> Running {
    with_key(signer(Algorithm::Hs256, 9).verifying(), false, change)
}

fn with_key(
    key: VerifyingKey,
    sessions_need_scopes: bool,
    change: impl FnOnce(&mut ServiceConfig),
) -> Running {
    Running::configured(Ambient::real().randomness, |config| {
        change(config);
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

pub fn start() -> Running {
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
        ..Identity::default()
    };
    let headers = [(":method", "GET"), (":path", "/"), (":authority", "h")];
    let headers: Vec<Header> = headers.map(|(n, v)| (n.into(), v.into())).into();
    let request = Request::read(&headers).unwrap();
    issuer.sign(&identity, &request, now).unwrap()
}

pub fn session(account: &str) -> String {
    sign(&issuer(), account, None, START)
}

/// The assertion that an edge makes for a request with this key.
pub fn by_key(created: &Value, scopes: &str) -> String {
    let id = text(created, "id");
    sign(
        &issuer(),
        &text(created, "account"),
        Some((&id, scopes)),
        START,
    )
}

pub fn send(service: &Running, method: &str, path: &str, token: &str, body: &str) -> Answer {
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
        let text = |answer: &Answer| answer.text.replace(answer.header("x-request-id"), "");
        assert_eq!(text(&answer), text(&missing), "as good as none");
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
fn a_token_and_an_assertion_together_are_rejected() {
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
fn the_key_set_contains_only_public_keys() {
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
