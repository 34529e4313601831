//! Keys from elsewhere: stored as hashes, each once, and never repeated.

use keygate_core::app_key::{MasterSecret, OpaqueKey};
use keygate_core::secret::Secret;
use keygate_service::Ambient;
use serde_json::{Value, json};

use crate::support::{ADMIN, Answer, EDGE, Running, text};

const KEY: &str = "legacy:alice:0123456789abcdef";

fn import(service: &Running, body: &Value) -> Answer {
    service.post("/v1/keys/import", &body.to_string())
}

fn results(service: &Running, body: &Value) -> Vec<Value> {
    let answer = import(service, body).expect(200);
    answer["results"].as_array().unwrap().clone()
}

fn hash_under(secret: u8, key: &str) -> String {
    let master = MasterSecret::derive(&Secret::new(vec![secret; 32])).unwrap();
    let key = OpaqueKey::parse(key.as_bytes()).unwrap();
    master.hash_opaque(&key).to_string()
}

#[test]
fn an_imported_key_is_looked_up_by_its_hash_with_all_that_came_with_it() {
    let service = Running::start();
    let item = json!({
        "key": KEY, "account": "alice", "name": "old CI", "scopes": ["files:read"],
        "metadata": { "plan": "pro" }, "expires_at": "2999-01-01T00:00:00Z",
        "allowed_ips": ["10.0.0.0/8"], "allowed_referrers": ["https://a.example"]
    });
    let done = results(&service, &json!({ "keys": [item] }));
    assert_eq!(done[0]["result"], "imported");
    let hash = hash_under(7, KEY);
    let found = service.lookup(std::slice::from_ref(&hash));
    let record = &found["records"][0];
    assert_eq!(record["account"], "alice");
    assert_eq!(record["scopes"], json!(["files:read"]));
    assert_eq!(record["metadata"], json!({ "plan": "pro" }));
    assert_eq!(service.changes("?after=0")["changed"], json!([hash]));
    let id = text(&done[0], "id");
    let shown = service.get(&format!("/v1/keys/{id}")).expect(200);
    assert_eq!(
        (&shown["start"], &shown["name"]),
        (&json!(""), &json!("old CI"))
    );
    let revoked = service
        .post(&format!("/v1/keys/{id}/revoke"), "{}")
        .expect(200);
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(service.lookup(&[hash])["records"][0]["status"], "revoked");
}

#[test]
fn the_same_key_again_changes_nothing_and_another_record_for_it_is_a_conflict() {
    let service = Running::start();
    let body = json!({ "keys": [{ "key": KEY, "account": "alice" }] });
    let first = results(&service, &body);
    let id = &first[0]["id"];
    let epoch = service.changes("")["epoch"].clone();
    assert_eq!(
        results(&service, &body),
        [json!({ "result": "unchanged", "id": id })]
    );
    let other = json!({ "keys": [{ "key": KEY, "account": "bob", "scopes": ["a"] }] });
    let conflict = results(&service, &other);
    assert_eq!(conflict[0]["result"], "conflict");
    assert!(text(&conflict[0], "detail").ends_with("another account, scopes"));
    assert_eq!(service.changes("")["epoch"], epoch, "nothing was written");
    service
        .post(&format!("/v1/keys/{}/revoke", id.as_str().unwrap()), "{}")
        .expect(200);
    let revoked = results(&service, &body);
    assert_eq!(revoked[0]["result"], "conflict");
    assert!(
        text(&revoked[0], "detail").contains("revoked"),
        "it does not come back to life"
    );
}

#[test]
fn each_key_of_a_request_has_a_result_of_its_own() {
    let service = Running::start();
    let done = results(
        &service,
        &json!({ "keys": [
            { "key": KEY, "account": "alice" },
            { "key": "short", "account": "alice" },
            { "key": "kg_0123456789abcdef", "account": "alice" },
            { "key": "another-0123456789abcdef", "account": "a b" },
            { "key": "another-0123456789abcdef" },
            { "key": "another-0123456789abcdef", "account": "a", "expires_at": "2001-01-01T00:00:00Z" },
            { "key": "another-0123456789abcdef", "account": "a", "expires_in": "3h" },
            ["another-0123456789abcdef", "alice"],
            { "key": KEY, "account": "alice" },
            { "key": "another-0123456789abcdef", "account": "bob" }
        ] }),
    );
    let told: Vec<(&str, &str)> = done
        .iter()
        .map(|it| {
            (
                it["result"].as_str().unwrap(),
                it["field"].as_str().unwrap_or("-"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("imported", "-"),
            ("refused", "key"),
            ("refused", "key"),
            ("refused", "account"),
            ("refused", "account"),
            ("refused", "expires_at"),
            ("refused", ""),
            ("refused", ""),
            ("unchanged", "-"),
            ("imported", "-"),
        ]
    );
    let listed = service.get("/v1/keys").expect(200);
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn a_rehearsal_stores_nothing() {
    let service = Running::start();
    let keys = json!([{ "key": KEY, "account": "alice" }, { "key": "x", "account": "alice" }]);
    let rehearsed = results(&service, &json!({ "keys": keys, "dry_run": true }));
    assert_eq!(rehearsed[0], json!({ "result": "would_import" }));
    assert_eq!(rehearsed[1]["result"], "refused");
    let listed = service.get("/v1/keys").expect(200);
    assert_eq!(listed["keys"], json!([]));
    assert_eq!(service.changes("")["epoch"], 0);
}

#[test]
fn a_key_that_was_imported_under_an_earlier_secret_is_the_same_key() {
    let service = Running::configured(Ambient::real().randomness, |config| {
        let earlier = std::mem::replace(
            &mut config.master,
            MasterSecret::derive(&Secret::new(vec![8; 32])).unwrap(),
        );
        config.retired = vec![earlier];
    });
    let earlier = Running::on(&service.database);
    let body = json!({ "keys": [{ "key": KEY, "account": "alice" }] });
    assert_eq!(results(&earlier, &body)[0]["result"], "imported");
    assert_eq!(results(&service, &body)[0]["result"], "unchanged");
    let other = json!({ "keys": [{ "key": "another-0123456789abcdef", "account": "alice" }] });
    results(&service, &other);
    let hash = hash_under(8, "another-0123456789abcdef");
    assert_eq!(
        service.lookup(&[hash])["records"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn only_an_admin_imports_and_no_more_than_a_hundred_at_once() {
    let service = Running::start();
    let item = json!({ "key": KEY, "account": "alice" });
    let body = json!({ "keys": [item] }).to_string();
    let send = |token| service.send("POST", "/v1/keys/import", token, &body);
    assert_eq!(send(None).status, 401);
    assert_eq!(send(Some(EDGE)).problem(), (403, "wrong_role".to_owned()));
    assert_eq!(send(Some(ADMIN)).status, 200);
    for (keys, status) in [(0, 400), (100, 200), (101, 400)] {
        let body = json!({ "keys": vec![&item; keys] });
        assert_eq!(import(&service, &body).status, status, "{keys}");
    }
}

#[test]
fn whatever_is_wrong_no_answer_and_no_file_repeats_a_key() {
    let service = Running::start();
    for body in [
        json!({ "keys": [{ "key": KEY, "account": "alice" }] }),
        json!({ "keys": [{ "key": KEY, "account": "bob" }] }),
        json!({ "keys": [{ "key": [KEY], "account": "alice" }] }),
        json!({ "keys": [{ "key": { "a": KEY }, "account": "alice" }] }),
        json!({ "keys": [{ "key": KEY, "account": "alice", "scopes": KEY }] }),
        json!({ "keys": [{ "key": KEY, "account": "alice", "scopes": [[KEY]] }] }),
        json!({ "keys": [{ "key": KEY, "account": "alice", "allowed_ips": [KEY] }] }),
        json!({ "keys": [{ "key": KEY, "account": "alice", "allowed_referrers": [KEY] }] }),
        json!({ "keys": [{ "key": KEY, "account": "alice", "expires_at": KEY }] }),
        json!({ "keys": [{ "key": KEY, "account": "alice", "metadata": KEY }] }),
        json!({ "keys": [{ KEY: "alice" }] }),
        json!({ "keys": [{ "key": 1, "account": "alice", KEY: 1 }] }),
        json!({ "keys": [KEY] }),
        json!({ "keys": KEY }),
        json!({ "keys": [{ "key": KEY, "account": "alice" }], "dry_run": KEY }),
        json!({ KEY: "alice" }),
    ] {
        let answer = import(&service, &body);
        assert!(!answer.text.contains(&KEY[13..]), "{body}: {}", answer.text);
    }
    for suffix in ["", "-wal"] {
        let path = format!("{}{suffix}", service.database.display());
        let bytes = std::fs::read(path).unwrap_or_default();
        assert!(!bytes.windows(16).any(|it| it == &KEY.as_bytes()[13..]));
    }
}
