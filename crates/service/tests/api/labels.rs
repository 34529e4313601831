//! Labels: what they may be, and what they find.

use serde_json::{Value, json};

use crate::accounts::{send, session, start};
use crate::support::{ADMIN, Running, text};

fn create(service: &Running, account: &str, labels: &[&str]) -> Value {
    service.create(&json!({ "account": account, "labels": labels }).to_string())
}

/// The accounts of the keys that a list with this query has.
fn accounts(service: &Running, query: &str) -> Vec<String> {
    let list = service.get(&format!("/v1/keys?{query}")).expect(200);
    let keys = list["keys"].as_array().unwrap().iter();
    keys.map(|key| text(key, "account")).collect()
}

#[test]
fn a_label_finds_the_keys_that_have_it_and_no_other() {
    let service = Running::start();
    let a = create(&service, "a", &["env=prod", "team=core"]);
    create(&service, "b", &["env=prod-2"]);
    create(&service, "c", &["xenv=prod", "note=env=prod"]);
    create(&service, "d", &[]);
    assert_eq!(accounts(&service, "label=env%3Dprod"), ["a"]);
    assert_eq!(accounts(&service, "label=note=env%3Dprod"), ["c"]);
    assert_eq!(accounts(&service, "label=env="), [""; 0]);
    assert_eq!(accounts(&service, "label=env=prod&account=b"), [""; 0]);
    for wrong in ["label=", "label=env", "label=env=%22"] {
        let answer = service.get(&format!("/v1/keys?{wrong}"));
        assert_eq!(answer.wrong(400), ["label"], "{wrong}");
    }
    let path = format!("/v1/keys/{}", text(&a, "id"));
    let edit = |body: &str| service.send("PATCH", &path, Some(ADMIN), body).expect(200);
    assert_eq!(
        edit(r#"{"labels":["env=test"]}"#)["labels"],
        json!(["env=test"])
    );
    assert_eq!(accounts(&service, "label=env=prod"), [""; 0]);
    assert_eq!(accounts(&service, "label=env=test"), ["a"]);
    let next = service.post(&format!("{path}/rotate"), "").expect(201);
    assert_eq!(
        next["labels"],
        json!(["env=test"]),
        "a successor keeps them"
    );
}

#[test]
fn all_keys_with_a_label_are_revoked() {
    let service = Running::start();
    create(&service, "a", &["env=test"]);
    create(&service, "b", &["env=test", "team=core"]);
    create(&service, "c", &["env=prod"]);
    let body = r#"{"filter":{"label":"env=test"},"expect":2}"#;
    let revoked = service.post("/v1/keys/revoke", body).expect(200);
    assert_eq!(revoked, json!({ "matched": 2, "revoked": 2 }));
    assert_eq!(accounts(&service, "status=active"), ["c"]);
}

#[test]
fn labels_have_a_form_and_a_bound() {
    let service = Running::start();
    let answer = |labels: &[String]| {
        let body = json!({ "account": "a", "labels": labels }).to_string();
        service.post("/v1/keys", &body)
    };
    let one = |text: &str| answer(&[text.to_owned()]);
    for fine in ["a=", "A.b-c_d/e=1", "a==", "a=ä b"] {
        assert_eq!(one(fine).expect(201)["labels"], json!([fine]));
    }
    one(&format!("{}={}", "n".repeat(64), "v".repeat(128))).expect(201);
    for wrong in [
        "a",
        "=a",
        "a b=c",
        "ä=c",
        "a=\"b",
        "a=\\",
        "a=\n",
        "a=\u{202e}",
    ] {
        assert_eq!(one(wrong).wrong(400), ["/labels/0"], "{wrong:?}");
    }
    assert_eq!(one(&format!("{}=", "n".repeat(65))).status, 400);
    assert_eq!(one(&format!("n={}", "v".repeat(129))).status, 400);
    let many = |count: usize| -> Vec<String> { (0..count).map(|it| format!("n{it}=")).collect() };
    answer(&many(16)).expect(201);
    assert_eq!(answer(&many(17)).wrong(400), ["/labels"]);
    let twice = ["a=1".to_owned(), "b=1".to_owned(), "a=2".to_owned()];
    assert_eq!(answer(&twice).wrong(400), ["/labels/2"]);
}

#[test]
fn an_account_labels_its_own_keys_and_finds_no_other() {
    let service = start();
    create(&service, "bob", &["env=prod"]);
    let alice = session("alice");
    let body = r#"{"labels":["env=prod"]}"#;
    send(&service, "POST", "/v1/keys", &alice, body).expect(201);
    let found = send(&service, "GET", "/v1/keys?label=env=prod", &alice, "").expect(200);
    let found = found["keys"].as_array().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["account"], "alice");
}
