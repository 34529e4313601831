//! The life of a key after its creation: changed, disabled, replaced, revoked.

use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, Running, START, hash, text};

fn path(key: &Value) -> String {
    format!("/v1/keys/{}", text(key, "id"))
}

fn patch(service: &Running, key: &Value, body: &Value) -> Answer {
    service.send("PATCH", &path(key), Some(ADMIN), &body.to_string())
}

fn rotate(service: &Running, key: &Value, body: &Value) -> Answer {
    service.post(&format!("{}/rotate", path(key)), &body.to_string())
}

pub fn show(service: &Running, key: &Value) -> Value {
    service.get(&path(key)).expect(200)
}

/// What an edge receives of a key.
pub fn record(service: &Running, key: &Value) -> Value {
    service.lookup(&[hash(key)])["records"][0].clone()
}

fn epoch(service: &Running) -> u64 {
    service.changes("")["epoch"].as_u64().unwrap()
}

#[test]
fn a_change_is_what_it_names_and_reaches_the_edge() {
    let service = Running::start();
    let key = service.create(
        r#"{"account":"alice","name":"CI","scopes":["a","b"],"metadata":{"tier":1},
            "allowed_ips":["10.0.0.0/8"],"expires_in":"1d"}"#,
    );
    let before = epoch(&service);
    let answer = patch(&service, &key, &json!({ "scopes": ["a"], "name": null }));
    let changed = answer.expect(200);
    let mut expected = show(&service, &key);
    assert_eq!(changed, expected);
    for (field, value) in [("scopes", json!(["a"])), ("name", Value::Null)] {
        assert_eq!(expected[field], value);
        expected[field] = key[field].clone();
    }
    assert_eq!(expected["updated_at"], "2026-11-22T00:00:00.000Z");
    expected["updated_at"] = Value::Null;
    expected["key"] = key["key"].clone();
    assert_eq!(expected, key, "nothing else");
    let told = service.changes(&format!("?after={before}"));
    assert_eq!(told["changed"], json!([hash(&key)]));
    assert_eq!(record(&service, &key)["scopes"], json!(["a"]));
    let cleared = json!({ "metadata": null, "expires_at": null, "allowed_ips": [] });
    let cleared = patch(&service, &key, &cleared).expect(200);
    assert_eq!(cleared["metadata"], json!({}));
    assert_eq!(cleared["expires_at"], Value::Null);
    assert_eq!(cleared["allowed_ips"], json!([]));
}

#[test]
fn a_change_that_changes_nothing_is_none() {
    let service = Running::start();
    let key = service.create(r#"{"account":"alice","scopes":["a"]}"#);
    let before = epoch(&service);
    for body in [json!({}), json!({ "scopes": ["a"], "disabled": false })] {
        let answer = patch(&service, &key, &body);
        assert_eq!(answer.header("etag"), "\"1\"", "{body}");
        assert_eq!(answer.expect(200)["updated_at"], Value::Null);
    }
    assert_eq!(epoch(&service), before);
}

#[test]
fn a_wrong_change_is_named() {
    let service = Running::start();
    let key = service.create(r#"{"account":"alice"}"#);
    for (body, field) in [
        (json!({ "account": "bob" }), "account"),
        (json!({ "scopes": ["a b"] }), "scopes/0"),
        (json!({ "expires_in": "soon" }), "expires_in"),
        (
            json!({ "expires_at": "2020-01-01T00:00:00Z" }),
            "expires_at",
        ),
        (json!({ "disabled": "yes" }), "disabled"),
        (json!({ "disabled": true, "status": "x" }), "status"),
    ] {
        let wrong = patch(&service, &key, &body).wrong(400);
        assert_eq!(wrong, [format!("/{field}")], "{body}");
    }
    let several = json!({
        "account": "bob", "name": 7, "scopes": ["a", "a b", "a"], "expires_in": "soon", "why": null
    });
    let mut wrong = patch(&service, &key, &several).wrong(400);
    wrong.sort();
    assert_eq!(
        wrong,
        [
            "/account",
            "/expires_in",
            "/name",
            "/scopes/1",
            "/scopes/2",
            "/why"
        ]
    );
    let absent = json!({ "id": "0123456789" });
    assert_eq!(
        patch(&service, &absent, &json!({})).problem(),
        (404, "no_such_key".to_owned())
    );
    service
        .post(&format!("{}/revoke", path(&key)), "")
        .expect(200);
    for answer in [
        patch(&service, &key, &json!({ "name": "x" })),
        rotate(&service, &key, &json!({})),
    ] {
        assert_eq!(answer.problem(), (409, "key_revoked".to_owned()));
    }
}

#[test]
fn of_two_changes_of_one_state_the_second_is_rejected() {
    let service = Running::start();
    let created = service.post("/v1/keys", r#"{"account":"alice"}"#);
    let (tag, key) = (created.header("etag").to_owned(), created.expect(201));
    let change = |tag: &str, name: &str| {
        let authorization = format!("Bearer {ADMIN}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("if-match", tag),
        ];
        let body = json!({ "name": name }).to_string();
        service.send_with("PATCH", &path(&key), &headers, &body)
    };
    let first = change(&tag, "first");
    assert_ne!(first.header("etag"), tag);
    let second = change(&tag, "second");
    assert_eq!(second.problem(), (412, "stale".to_owned()));
    assert_eq!(show(&service, &key)["name"], "first");
    change(&format!("\"77\", {}", first.header("etag")), "third").expect(200);
    change("*", "fourth").expect(200);
    for tag in ["W/\"1\"", "", "*, x", "\"+1\"", "\"\""] {
        assert_eq!(change(tag, "fifth").wrong(400), ["if-match"], "{tag}");
    }
    assert_eq!(service.get(&path(&key)).header("etag"), "\"4\"");
}

#[test]
fn a_disabled_key_is_not_active_until_it_is_enabled() {
    let service = Running::start();
    let key = service.create(r#"{"account":"alice","expires_in":"1h"}"#);
    let disabled = patch(&service, &key, &json!({ "disabled": true })).expect(200);
    assert_eq!(
        (&disabled["status"], &disabled["disabled"]),
        (&json!("disabled"), &json!(true))
    );
    assert_eq!(record(&service, &key)["status"], "disabled");
    let listed = |status: &str| {
        let list = service
            .get(&format!("/v1/keys?status={status}"))
            .expect(200);
        list["keys"].as_array().unwrap().len()
    };
    let counts = || ["active", "disabled", "expired", "revoked"].map(listed);
    assert_eq!(counts(), [0, 1, 0, 0]);
    assert_eq!(
        rotate(&service, &key, &json!({})).problem(),
        (409, "key_inactive".to_owned())
    );
    let enabled = patch(&service, &key, &json!({ "disabled": false })).expect(200);
    assert_eq!(
        (&enabled["status"], &enabled["disabled_by"]),
        (&json!("active"), &Value::Null)
    );
    assert_eq!(record(&service, &key)["status"], "active");
    assert_eq!(counts(), [1, 0, 0, 0]);
    patch(&service, &key, &json!({ "disabled": true })).expect(200);
    service.set_now(keygate_core::UnixMillis(START.0 + 3_600_000));
    assert_eq!(
        show(&service, &key)["status"],
        "expired",
        "its time is over"
    );
    assert_eq!(counts(), [0, 0, 1, 0]);
}

#[test]
fn a_key_that_is_replaced_goes_on_for_its_grace() {
    let service = Running::start();
    let old = service.create(
        r#"{"account":"alice","name":"CI","scopes":["a"],"metadata":{"tier":1},
            "allowed_ips":["10.0.0.0/8"],"expires_in":"30d"}"#,
    );
    service.set_now(keygate_core::UnixMillis(START.0 + 86_400_000));
    let new = rotate(&service, &old, &json!({})).expect(201);
    assert_ne!(new["id"], old["id"]);
    assert_ne!(hash(&new), hash(&old), "it is another key");
    for field in [
        "account",
        "name",
        "scopes",
        "metadata",
        "allowed_ips",
        "allowed_referrers",
    ] {
        assert_eq!(new[field], old[field], "{field}");
    }
    assert_eq!(new["replaces"], old["id"]);
    assert_eq!(
        new["expires_at"], "2026-12-23T00:00:00.000Z",
        "as long a life"
    );
    let left = show(&service, &old);
    assert_eq!(left["replaced_by"], new["id"]);
    assert_eq!(
        (&left["status"], &left["expires_at"]),
        (&json!("active"), &json!("2026-11-24T00:00:00.000Z"))
    );
    assert_eq!(record(&service, &old)["expires_at"], 1_795_478_400_000_u64);
    let again = rotate(&service, &old, &json!({}));
    assert_eq!(again.problem(), (409, "key_replaced".to_owned()));
    assert!(again.text.contains(&text(&new, "id")), "{}", again.text);
    let longer = json!({ "expires_in": "9d" });
    assert_eq!(
        patch(&service, &old, &longer).problem(),
        (409, "key_replaced".to_owned())
    );
    patch(&service, &old, &json!({ "disabled": true })).expect(200);

    let short = service.create(r#"{"account":"alice","expires_in":"1h"}"#);
    rotate(
        &service,
        &short,
        &json!({ "grace": "2h", "expires_in": "5h" }),
    )
    .expect(201);
    assert_eq!(
        show(&service, &short)["expires_at"],
        short["expires_at"],
        "its own end is earlier"
    );
    for grace in ["91d", "x", "-1s"] {
        let answer = rotate(&service, &new, &json!({ "grace": grace }));
        assert_eq!(answer.wrong(400), ["/grace"]);
    }
}

#[test]
fn without_grace_the_old_key_is_revoked_at_once_and_its_descendants_go_on() {
    let service = Running::start();
    let old = service.create(r#"{"account":"alice"}"#);
    let new = rotate(&service, &old, &json!({ "grace": "0s" })).expect(201);
    let ended = show(&service, &old);
    assert_eq!(ended["status"], "revoked");
    assert_eq!(ended["revoked_reason"], "superseded");
    assert_eq!(record(&service, &old)["status"], "revoked");
    assert_eq!(show(&service, &new)["status"], "active");
}

#[test]
fn a_revocation_of_the_new_key_ends_the_old_one_and_not_the_other_way_round() {
    let service = Running::start();
    let old = service.create(r#"{"account":"alice"}"#);
    let new = rotate(&service, &old, &json!({})).expect(201);
    let answer = service.post(
        &format!("{}/revoke", path(&new)),
        r#"{"keep_descendants":true}"#,
    );
    assert_eq!(answer.expect(200)["descendants_revoked"], 1);
    assert_eq!(show(&service, &old)["status"], "revoked");

    let old = service.create(r#"{"account":"alice"}"#);
    let new = rotate(&service, &old, &json!({})).expect(201);
    service
        .post(&format!("{}/revoke", path(&old)), "")
        .expect(200);
    assert_eq!(show(&service, &new)["status"], "active");
}
