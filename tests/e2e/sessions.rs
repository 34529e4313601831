//! Sessions that `jwt_authn` has verified, and keys that people manage by themselves, as
//! in `envoy/self-service.yaml`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use keygate_tests::service::ADMIN_TOKEN;
use keygate_tests::{client, wait};
use serde_json::{Value, json};

use crate::login::{
    ASSERTION, Rig, WAYS, alice, bearer, by, claims, expect, login, now, text, token, token_of,
};
use crate::support::upstream_header;

#[test]
fn a_token_passes_in_every_spelling_of_its_path() {
    let rig = Rig::start();
    let token = token("alice", &json!({ "scope": "files:read files:write" }));
    for (path, takes) in [
        ("/app/x", [true, false, false]),
        ("/api/x", [false, true, true]),
        ("/keys", [true, true, true]),
    ] {
        for (way, passes) in WAYS.into_iter().zip(takes) {
            let answer = rig.get(path, by(way, &token));
            let status = if passes { 200 } else { 401 };
            assert_eq!(answer.status, status, "{path} {way:?}: {}", answer.text());
            if !passes || path == "/keys" {
                continue;
            }
            let upstream = |name: &str| upstream_header(&answer, name);
            assert_eq!(upstream("x-keygate-account"), ["alice"]);
            assert_eq!(upstream("x-keygate-scopes"), ["files:read files:write"]);
            for absent in ["x-keygate-key-id", "x-keygate-assertion", "authorization"] {
                assert_eq!(upstream(absent), Vec::<String>::new(), "{absent}");
            }
            assert!(!answer.text().contains(&token), "the token is stripped");
            if way.0 == "cookie" {
                assert_eq!(upstream("cookie"), ["theme=dark"]);
            }
        }
    }
}

#[test]
fn no_session_an_old_one_and_a_forged_one_are_rejected() {
    let rig = Rig::start();
    let head = json!({ "alg": "EdDSA", "typ": "JWT", "kid": "login" });
    let stranger = SigningKey::from_bytes(&[43; 32]);
    let claims = claims("alice", &json!({}));
    let good = alice();
    let unsigned = json!({ "alg": "none", "typ": "JWT" });
    let tokens = [
        token("alice", &json!({ "exp": now() - 120 })),
        token("alice", &json!({ "nbf": now() + 120 })),
        token("alice", &json!({ "iss": "https://evil.example.com" })),
        token("alice", &json!({ "aud": ["another-application"] })),
        token("", &json!({})),
        token("two words", &json!({})),
        token("caf\u{e9}", &json!({})),
        token_of(&stranger, &head, &claims),
        token_of(&login(), &unsigned, &claims),
        format!("{}.", good.rsplit_once('.').unwrap().0),
        good[..good.len() - 4].to_owned(),
        "alice".to_owned(),
        String::new(),
    ];
    for token in tokens {
        for way in WAYS {
            let answer = rig.get("/keys", by(way, &token));
            assert_eq!(answer.status, 401, "{way:?} {token}: {}", answer.text());
        }
    }
    let none = client::get(rig.envoy.port(), "/app/x").send();
    assert_eq!(expect(&none, 401)["reason"], "missing_credential");
    assert_eq!(rig.echo.count(), 0);
}

#[test]
fn a_key_is_created_listed_and_revoked_through_the_gateway_by_its_owner() {
    let rig = Rig::start();
    for (number, way) in WAYS.into_iter().enumerate() {
        let session = || by(way, &token("alice", &json!({ "scope": "files:read" })));
        let body = json!({ "name": "laptop", "scopes": ["files:read", "admin"] });
        let beyond = rig.post("/keys", session(), &body);
        assert_eq!(expect(&beyond, 403)["code"], "beyond_own_rights");
        let body = json!({ "name": "laptop", "scopes": ["files:read"] });
        let created = expect(&rig.post("/keys", session(), &body), 201);
        assert_eq!(created["account"], "alice");
        let key = text(&created, "key");
        let used = rig.get("/api/x", ("x-api-key", key.clone()));
        expect(&used, 200);
        assert_eq!(upstream_header(&used, "x-keygate-account"), ["alice"]);
        assert_eq!(rig.get("/api/x", bearer(&key)).status, 200);
        let listed = expect(&rig.get("/keys?status=active", session()), 200);
        assert_eq!(listed["keys"].as_array().unwrap().len(), 1, "{number}");
        let path = format!("/keys/{}", text(&created, "id"));
        assert_eq!(expect(&rig.get(&path, session()), 200)["name"], "laptop");
        let revoke = format!("{path}/revoke");
        let revoked = rig.post(&revoke, session(), &json!({ "reason": "key_compromise" }));
        assert_eq!(expect(&revoked, 200)["status"], "revoked");
        wait::until("the key to be dead", Duration::from_secs(3), || {
            (rig.get("/api/x", bearer(&key)).status == 401).then_some(())
        });
    }
}

#[test]
fn a_key_manages_keys_only_with_the_scope_and_makes_none_stronger_than_itself() {
    let rig = Rig::start();
    let create = |scopes: Value| {
        let body = json!({ "account": "alice", "scopes": scopes });
        rig.service.create_key(&body).key
    };
    let plain = create(json!(["files:read"]));
    for answer in [
        rig.get("/keys", bearer(&plain)),
        rig.post("/keys", bearer(&plain), &json!({})),
    ] {
        assert_eq!(expect(&answer, 403)["code"], "insufficient_scope");
    }
    let reader = create(json!(["keys:read"]));
    expect(&rig.get("/keys", bearer(&reader)), 200);
    expect(&rig.post("/keys", bearer(&reader), &json!({})), 403);
    let writer = create(json!(["keys:write", "files:read"]));
    let body = json!({ "scopes": ["files:read"] });
    let child = expect(&rig.post("/keys", bearer(&writer), &body), 201);
    assert_eq!(child["account"], "alice");
    let body = json!({ "scopes": ["files:write"] });
    let answer = rig.post("/keys", bearer(&writer), &body);
    assert_eq!(expect(&answer, 403)["errors"][0]["pointer"], "/scopes/0");
    let path = format!("/keys/{}/revoke", text(&child, "id"));
    expect(&rig.post(&path, bearer(&writer), &json!({})), 200);
    expect(&rig.get("/keys", bearer(&writer)), 403);
}

#[test]
fn another_accounts_keys_are_not_there() {
    let rig = Rig::start();
    let bobs = rig.service.create_key(&json!({ "account": "bob" }));
    let path = format!("/keys/{}", bobs.id);
    let session = || bearer(&alice());
    expect(&rig.get(&path, session()), 404);
    expect(
        &rig.post(&format!("{path}/revoke"), session(), &json!({})),
        404,
    );
    expect(
        &rig.post("/keys", session(), &json!({ "account": "bob" })),
        403,
    );
    expect(&rig.get("/keys?account=bob", session()), 403);
    assert_eq!(expect(&rig.get("/keys", session()), 200)["keys"], json!([]));
    assert_eq!(rig.get("/api/x", bearer(&bobs.key)).status, 200);
}

#[test]
fn a_key_passes_on_its_metadata_and_writes_none() {
    let rig = Rig::start();
    let own = json!({ "plan": "free" });
    let scopes = json!(["keys:write"]);
    let parent = json!({ "account": "alice", "scopes": scopes, "metadata": own });
    let parent = rig.service.create_key(&parent);
    let richer = json!({ "metadata": { "plan": "enterprise", "role": "admin" } });
    let rejected = rig.post("/keys", bearer(&parent.key), &richer);
    assert_eq!(expect(&rejected, 403)["code"], "beyond_own_rights");
    let rejected = rig.post("/keys", bearer(&alice()), &richer);
    assert_eq!(expect(&rejected, 403)["code"], "beyond_own_rights");
    let child = rig.post("/keys", bearer(&parent.key), &json!({}));
    let child = text(&expect(&child, 201), "key");
    let answer = rig.get("/api/x", bearer(&child));
    let told = URL_SAFE_NO_PAD.encode(own.to_string());
    assert_eq!(upstream_header(&answer, "x-keygate-metadata"), [told]);
}

#[test]
fn a_revoked_key_takes_the_keys_that_it_created_with_it() {
    let rig = Rig::start();
    let parent = json!({ "account": "alice", "scopes": ["keys:write"] });
    let parent = rig.service.create_key(&parent);
    let child = rig.post(
        "/keys",
        bearer(&parent.key),
        &json!({ "scopes": ["keys:write"] }),
    );
    let child = text(&expect(&child, 201), "key");
    let grandchild = rig.post("/keys", bearer(&child), &json!({}));
    let grandchild = text(&expect(&grandchild, 201), "key");
    let keys = [&parent.key, &child, &grandchild];
    for key in keys {
        assert_eq!(rig.get("/api/x", bearer(key)).status, 200);
    }
    rig.service.revoke(&parent.id);
    for key in keys {
        wait::until("the key to be rejected", Duration::from_secs(2), || {
            (rig.get("/api/x", bearer(key)).status == 401).then_some(())
        });
    }
}

#[test]
fn identity_headers_of_the_client_are_ignored() {
    let rig = Rig::start();
    let bobs = rig.service.create_key(&json!({ "account": "bob" }));
    let path = format!("/keys/{}", bobs.id);
    for name in [
        "x-keygate-account",
        "X-Keygate-Assertion",
        "x-keygate-key-id",
    ] {
        let answer = rig.get(&path, (name, "bob".to_owned()));
        expect(&answer, 401);
        // Beside a session of one's own it is removed.
        let answer = rig
            .request("GET", &path, bearer(&alice()))
            .header(name, "bob");
        expect(&answer.send(), 404);
    }
    // Not even the admin's token counts beside a session: it does not get through.
    let admin = ("authorization", format!("Bearer {ADMIN_TOKEN}"));
    let request = rig.request("GET", &path, admin);
    let request = request.header("cookie", format!("CF_Authorization={}", alice()));
    expect(&request.send(), 404);
    // The rest of the key service is not behind /keys.
    for path in [
        "/keys/../v1/changes",
        "/v1/changes",
        "/keysx",
        "/v1/lookups",
    ] {
        let status = rig.get(path, bearer(&alice())).status;
        assert!([401, 403].contains(&status), "{path}: {status}");
    }
}

#[test]
fn the_key_service_itself_rejects_a_forged_assertion() {
    let rig = Rig::start();
    let genuine_elsewhere = alice();
    let head = json!({ "alg": "HS256", "typ": "JWT", "kid": "2026-11" });
    let claims = json!({ "iss": "keygate", "aud": "keygate-keys", "sub": "bob", "scope": "",
                         "iat": now(), "nbf": now(), "exp": now() + 60 });
    let forged = token_of(&login(), &head, &claims);
    for assertion in [genuine_elsewhere, forged, "bob".to_owned(), String::new()] {
        let request = client::get(rig.service.port(), "/v1/keys");
        let answer = request.header("x-keygate-assertion", &assertion).send();
        assert_eq!(expect(&answer, 401)["code"], "invalid_assertion");
    }
    let request = client::get(rig.service.port(), "/v1/keys");
    let answer = request.header("x-keygate-account", "bob").send();
    expect(&answer, 401);
}

#[test]
fn another_site_cannot_make_a_browser_create_a_key() {
    let rig = Rig::start();
    let session = || by(WAYS[0], &alice());
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let request = rig.request("POST", "/keys", session());
        let request = request.header("content-type", content_type);
        expect(&request.body("").send(), 415);
    }
    assert_eq!(expect(&rig.get("/keys", session()), 200)["keys"], json!([]));
}

#[test]
fn a_service_with_only_a_public_key_verifies_assertions() {
    let seed = SigningKey::from_bytes(&[44; 32]);
    let public = STANDARD.encode(seed.verifying_key().as_bytes());
    let rig = Rig::with(
        &[
            "--assertion-public-key",
            "2026-11=VOUCH",
            "--assertion-algorithm",
            "EdDSA",
            "--assertion-audience",
            "keygate-keys",
        ],
        &public,
        |config| {
            config
                .env("KEYGATE_ASSERTION", &STANDARD.encode(seed.as_bytes()))
                .edit_policy(|policy| {
                    policy["secrets"]["assertion"][0]["encoding"] = json!("base64");
                    policy["assertion"]["algorithm"] = json!("EdDSA");
                    policy["assertion"]["rules"] = json!(["keys", "api"]);
                })
        },
    );
    let created = rig.post("/keys", bearer(&alice()), &json!({}));
    assert_eq!(expect(&created, 201)["account"], "alice");
    let set = client::get(rig.service.port(), "/.well-known/jwks.json").send();
    let key = &expect(&set, 200)["keys"][0];
    let x = URL_SAFE_NO_PAD.encode(seed.verifying_key().as_bytes());
    assert_eq!(
        (text(key, "x"), text(key, "kid")),
        (x, "2026-11".to_owned())
    );
    // Any upstream can be told in the same way.
    let answer = rig.get("/api/x", bearer(&alice()));
    assert_eq!(upstream_header(&answer, "x-keygate-assertion").len(), 1);
}

#[test]
fn a_session_is_still_there_after_a_pause_for_a_key() {
    let rig = Rig::with(&[], "", |config| {
        config
            .env("KEYGATE_ASSERTION", ASSERTION)
            .edit_policy(|policy| {
                policy["rules"][1]["require"] = json!({ "all": ["app-key", "session"] });
            })
    });
    for account in ["alice", "bob"] {
        let key = rig.service.create_key(&json!({ "account": account })).key;
        let request = rig.request("GET", "/api/x", bearer(&alice()));
        // The key is cold: the filter asks, and reads the claims once it knows.
        let answer = request.header("x-api-key", &key).send();
        expect(&answer, 200);
        assert_eq!(upstream_header(&answer, "x-keygate-account"), [account]);
        assert_eq!(rig.get("/api/x", ("x-api-key", key)).status, 401);
    }
    crate::support::assert_envoy_never_trapped(&rig.envoy);
}

#[test]
fn claims_are_read_by_their_type() {
    let rig = Rig::with(&[], "", |config| {
        config
            .env("KEYGATE_ASSERTION", ASSERTION)
            .edit_policy(|policy| {
                policy["providers"]["session"]["account_claim"] = json!("uid");
                policy["providers"]["session"]["scopes_claim"] = json!("groups");
            })
    });
    let get = |changes: Value| rig.get("/api/x", bearer(&token("alice", &changes)));
    for (groups, scopes) in [
        (
            json!(["files:read", "files:write"]),
            "files:read files:write",
        ),
        (json!("files:read  files:write"), "files:read files:write"),
        (json!(["one"]), "one"),
        (json!([]), ""),
        (json!(""), ""),
        (json!(12345), ""),
    ] {
        let answer = get(json!({ "uid": "u-1", "groups": groups }));
        expect(&answer, 200);
        assert_eq!(upstream_header(&answer, "x-keygate-account"), ["u-1"]);
        assert_eq!(upstream_header(&answer, "x-keygate-scopes"), [scopes]);
    }
    for uid in [
        json!(12345),
        json!(0.5),
        json!(true),
        json!(null),
        json!(["u-1"]),
        json!({ "id": "u-1" }),
        json!(""),
        json!("x".repeat(129)),
    ] {
        assert_eq!(get(json!({ "uid": uid })).status, 401, "{uid}");
    }
    for groups in [
        json!([1, 2]),
        json!(["two words"]),
        json!(vec!["s"; 65]),
        json!([""]),
        json!(["one", ""]),
        json!(["one", "", "two"]),
    ] {
        let status = get(json!({ "uid": "u-1", "groups": groups })).status;
        assert_eq!(status, 401, "{groups}");
    }
}
