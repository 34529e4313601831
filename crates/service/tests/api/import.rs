//! Keys from elsewhere: stored as hashes, each once, and never repeated.

use keygate_core::Secret;
use keygate_core::keys::{KeyDigest, MasterSecret, OpaqueKey};
use keygate_service::Ambient;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{ADMIN, Answer, EDGE, Running, place, text};

const KEY: &str = "legacy:alice:0123456789abcdef";

fn import(service: &Running, body: &Value) -> Answer {
    service.post("/v1/keys/import", &body.to_string())
}

fn results(service: &Running, body: &Value) -> Vec<Value> {
    let answer = import(service, body).expect(200);
    answer["results"].as_array().unwrap().clone()
}

const DIGEST: &str = "fdfd50d146914da2931c6053c7569b8211ff2883740786de35d9fd3ca9269d48";
const BASE64: &str = "/f1Q0UaRTaKTHGBTx1abghH/KIN0B4beNdn9PKkmnUg=";

fn master(secret: u8) -> MasterSecret {
    MasterSecret::derive(&Secret::new(vec![secret; 32])).unwrap()
}

fn hash_under(secret: u8, key: &str) -> String {
    let digest = KeyDigest::of(&OpaqueKey::parse(key.as_bytes()).unwrap());
    master(secret).hash_digest(&digest).to_string()
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
                it["errors"][0]["pointer"].as_str().unwrap_or("-"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("imported", "-"),
            ("refused", "/key"),
            ("refused", "/key"),
            ("refused", "/account"),
            ("refused", "/account"),
            ("refused", "/expires_at"),
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
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let body = json!({ "keys": [{ "key": KEY, "account": "alice" }] });
    let before = Running::on(&database);
    assert_eq!(results(&before, &body)[0]["result"], "imported");
    drop(before);
    let service = Running::configured(Ambient::real().randomness, |config| {
        config.database = place(&database);
        let earlier = std::mem::replace(
            &mut config.master,
            MasterSecret::derive(&Secret::new(vec![8; 32])).unwrap(),
        );
        config.retired = vec![(config.kid, earlier)];
    });
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
fn a_digest_imports_the_key_of_which_it_is() {
    for digest in [DIGEST, &DIGEST.to_uppercase(), BASE64] {
        let service = Running::start();
        let body = json!({ "keys": [{ "sha256": digest, "account": "alice" }] });
        let done = results(&service, &body);
        assert_eq!(done[0]["result"], "imported", "{digest}");
        let found = service.lookup(&[hash_under(7, KEY)]);
        assert_eq!(found["records"][0]["account"], "alice");
        let text = json!({ "keys": [{ "key": KEY, "account": "alice" }] });
        for body in [&body, &text] {
            let again = results(&service, body);
            assert_eq!(
                again[0],
                json!({ "result": "unchanged", "id": done[0]["id"] })
            );
        }
    }
}

#[test]
fn an_item_has_a_key_or_a_digest_and_not_both() {
    let service = Running::start();
    let done = results(
        &service,
        &json!({ "keys": [
            { "key": KEY, "sha256": DIGEST, "account": "alice" },
            { "account": "alice" },
            { "sha256": &DIGEST[1..], "account": "alice" },
            { "sha256": KEY, "account": "alice" },
            { "sha256": 7, "account": "alice" },
        ] }),
    );
    let refused = ["/sha256", "/key", "/sha256", "/sha256", "/sha256"];
    for (outcome, field) in done.iter().zip(refused) {
        assert_eq!(outcome["result"], "refused");
        assert_eq!(outcome["errors"][0]["pointer"], field, "{outcome}");
    }
}

#[test]
fn keys_that_all_look_like_digests_are_rejected_unless_told_otherwise() {
    let service = Running::start();
    for digest in [DIGEST, BASE64, &DIGEST[..32], &DIGEST[..40]] {
        let alone = json!({ "keys": [{ "key": digest, "account": "alice" }] });
        let (status, text) = {
            let answer = import(&service, &alone);
            (answer.status, answer.text)
        };
        assert_eq!(status, 400, "{digest}");
        assert!(
            text.contains("digests_are_keys") && text.contains("sha256"),
            "{text}"
        );
        assert!(!text.contains(digest), "{text}");
    }
    assert_eq!(service.get("/v1/keys").expect(200)["keys"], json!([]));
    let item = json!({ "key": DIGEST, "account": "alice" });
    let told = json!({ "keys": [item], "digests_are_keys": true });
    assert_eq!(results(&service, &told)[0]["result"], "imported");
    let mixed = json!({ "keys": [item, { "key": KEY, "account": "alice" }] });
    let mixed = results(&service, &mixed);
    assert_eq!(mixed[0]["result"], "unchanged");
    assert_eq!(mixed[1]["result"], "imported");
    let wrong = json!({ "keys": [item], "digests_are_keys": "yes" });
    assert_eq!(import(&service, &wrong).status, 400);
}

#[test]
fn a_key_imported_by_an_earlier_version_is_the_same_key() {
    let service = Running::start();
    let body = json!({ "keys": [{ "key": KEY, "account": "alice" }] });
    let id = results(&service, &body)[0]["id"].clone();
    // As earlier versions stored it: under the hash of the text.
    let key = OpaqueKey::parse(KEY.as_bytes()).unwrap();
    let by_text = master(7).hash_text(&key);
    let raw = service.raw();
    raw.run("UPDATE keys SET hash = ?1", &[&by_text.0.to_vec()]);
    assert_eq!(
        results(&service, &body),
        [json!({ "result": "unchanged", "id": id })]
    );
    let found = service.lookup(&[hash_under(7, KEY), by_text.to_string()]);
    assert_eq!(found["records"][0]["id"], id);
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
fn no_error_and_no_file_contains_a_key() {
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
        json!({ "keys": [{ "sha256": DIGEST, "account": "alice" }] }),
        json!({ "keys": [{ "sha256": DIGEST, "account": "bob" }] }),
        json!({ "keys": [{ "sha256": [DIGEST], "account": "alice" }] }),
        json!({ "keys": [{ "sha256": KEY, "account": "alice" }] }),
        json!({ "keys": [{ "sha256": KEY, "key": KEY, "account": "alice" }] }),
        json!({ "keys": [{ "key": DIGEST, "account": "alice" }] }),
        json!({ "keys": [{ "key": KEY, "account": "alice" }], "digests_are_keys": KEY }),
    ] {
        let answer = import(&service, &body);
        for secret in [&KEY[13..], &DIGEST[..16]] {
            assert!(!answer.text.contains(secret), "{body}: {}", answer.text);
        }
    }
    for members in [
        format!(r#""key":"{KEY}","metadata":{{"{KEY}":1,"{KEY}":2}}"#),
        format!(r#""key":"{KEY}","metadata":{{"{KEY}\u0000":1}}"#),
        format!(r#""{KEY}":1,"{KEY}":2"#),
    ] {
        let body = format!(r#"{{"keys":[{{"account":"alice",{members}}}]}}"#);
        let answer = service.post("/v1/keys/import", &body);
        assert_eq!(answer.expect(200)["results"][0]["result"], "refused");
        assert!(!answer.text.contains(&KEY[13..]), "{}", answer.text);
    }
    let digest = Sha256::digest(KEY);
    let secrets = [&KEY.as_bytes()[13..], DIGEST.as_bytes(), &digest[..]];
    let bytes = service.stored();
    for secret in secrets {
        assert!(!bytes.windows(secret.len()).any(|it| it == secret));
    }
}

#[test]
fn a_member_that_is_given_twice_is_rejected_and_nothing_is_imported() {
    let service = Running::start();
    let keys = json!([{ "key": KEY, "account": "alice" }]).to_string();
    for (field, body) in [
        (
            "dry_run",
            format!(r#"{{"keys":{keys},"dry_run":true,"dry_run":false}}"#),
        ),
        (
            "dry_run",
            format!(r#"{{"dry_run":true,"keys":{keys},"dry\u005frun":false}}"#),
        ),
        ("keys", format!(r#"{{"keys":[],"keys":{keys}}}"#)),
        (
            "digests_are_keys",
            format!(r#"{{"digests_are_keys":false,"keys":{keys},"digests_are_keys":true}}"#),
        ),
    ] {
        let answer = service.post("/v1/keys/import", &body);
        let problem = answer.expect(400);
        assert_eq!(answer.wrong(400), [format!("/{field}")], "{body}");
        assert!(
            text(&problem, "detail").ends_with("is given more than once"),
            "{problem}"
        );
    }
    assert_eq!(service.get("/v1/keys").expect(200)["keys"], json!([]));
}

#[test]
fn an_import_with_a_query_is_rejected_and_nothing_is_imported() {
    let service = Running::start();
    let body = json!({ "keys": [{ "key": KEY, "account": "alice" }] }).to_string();
    for (query, wrong) in [
        ("dry_run=true", &["dry_run"][..]),
        ("dry_run=true&dry_run=false", &["dry_run", "dry_run"]),
        ("x", &["x"]),
    ] {
        let answer = service.post(&format!("/v1/keys/import?{query}"), &body);
        assert_eq!(answer.wrong(400), wrong, "{query}");
    }
    assert_eq!(service.get("/v1/keys").expect(200)["keys"], json!([]));
    service.post("/v1/keys/import?", &body).expect(200);
}
