//! Calls about several keys, and about a key that is not named by its id.

use std::thread;

use serde_json::{Value, json};

use crate::life::{record, show};
use crate::load::{Stuck, until, waiting};
use crate::support::{ADMIN, Running, text};

#[test]
fn all_that_fit_are_revoked_if_they_are_as_many_as_expected() {
    let service = Running::start();
    for name in ["ci-1", "ci-2", "web", "ci-3"] {
        service.create(&json!({ "account": "alice", "name": name }).to_string());
    }
    let other = service.create(r#"{"account":"bob","name":"ci-4"}"#);
    let active = || {
        service.get("/v1/keys?status=active").expect(200)["keys"]
            .as_array()
            .unwrap()
            .len()
    };
    let revoke = |filter: Value, expect: Value| {
        let body = json!({ "filter": filter, "expect": expect, "reason": "key_compromise" });
        service.post("/v1/keys/revoke", &body.to_string())
    };
    let ci = json!({ "account": "alice", "name_prefix": "ci-" });
    let wrong = revoke(ci.clone(), json!(2));
    assert_eq!(wrong.problem(), (409, "unexpected_count".to_owned()));
    assert!(
        wrong
            .text
            .contains("3 keys match, but expect is 2: nothing was revoked"),
        "{}",
        wrong.text
    );
    assert_eq!(active(), 5, "nothing was revoked");
    assert_eq!(
        revoke(ci.clone(), json!(3)).expect(200),
        json!({ "matched": 3, "revoked": 3 })
    );
    assert_eq!(active(), 2);
    assert_eq!(show(&service, &other)["status"], "active");
    assert_eq!(
        revoke(ci, json!(3)).problem().0,
        409,
        "those that are revoked do not count"
    );
    for (filter, expect, field) in [
        (json!({}), json!(1), "filter"),
        (json!({ "status": "active" }), json!(1), "filter"),
        (json!({ "name_prefix": "" }), json!(5), "filter/name_prefix"),
        (json!({ "account": "alice" }), json!(0), "expect"),
        (json!({ "account": "alice" }), json!(1001), "expect"),
    ] {
        assert_eq!(revoke(filter, expect).wrong(400), [format!("/{field}")]);
    }
    let several = json!({ "account": "alice", "status": "x", "expires_before": "soon" });
    assert_eq!(
        revoke(several, json!(0)).wrong(400),
        ["/expect", "/filter/status", "/filter/expires_before"]
    );
}

#[test]
fn more_matching_keys_than_one_call_revokes_are_not_counted() {
    let service = Running::start();
    let one = json!({ "account": "alice" });
    let batch = json!({ "keys": vec![one.clone(); 100] }).to_string();
    for _ in 0..10 {
        service.post("/v1/keys/batch", &batch).expect(201);
    }
    let revoke = |expect: u64| {
        let body = json!({ "filter": one, "expect": expect });
        service.post("/v1/keys/revoke", &body.to_string())
    };
    let detail = |expect| {
        let answer = revoke(expect);
        assert_eq!(answer.problem(), (409, "unexpected_count".to_owned()));
        let problem: Value = serde_json::from_str(&answer.text).unwrap();
        problem["detail"].as_str().unwrap().to_owned()
    };
    let exact = "1000 keys match, but expect is 7: nothing was revoked. Check the list, then \
                 correct expect";
    assert_eq!(detail(7), exact);
    service.create(&one.to_string());
    service.create(&one.to_string());
    let many = "more than 1000 keys match, and nothing was revoked: narrow the filter";
    assert_eq!(detail(1000), many);
}

#[test]
fn no_key_is_revoked_if_one_that_fitted_is_changed_meanwhile() {
    let service = Running::start();
    let create = |name: &str| {
        let body = json!({ "account": "alice", "name": name });
        service.create(&body.to_string())
    };
    let (parent, child, renamed) = (create("ci-1"), create("ci-2"), create("ci-3"));
    let raw = service.raw();
    let by = "UPDATE keys SET created_by = ?1 WHERE id = ?2";
    raw.run(by, &[&text(&parent, "id"), &text(&child, "id")]);
    let revoke = |expect: u64| {
        let filter = json!({ "account": "alice", "name_prefix": "ci-" });
        let body = json!({ "filter": filter, "expect": expect });
        service.post("/v1/keys/revoke", &body.to_string())
    };
    let stuck = Stuck::new(&service);
    thread::scope(|scope| {
        let rename = scope.spawn(|| {
            let path = format!("/v1/keys/{}", text(&renamed, "id"));
            // What disables a key is done before changes that wait.
            let body = r#"{"name":"web","disabled":true}"#;
            service.send("PATCH", &path, Some(ADMIN), body).expect(200)
        });
        until(|| waiting(&service) == 2);
        let revocation = scope.spawn(|| revoke(3));
        until(|| waiting(&service) == 3);
        stuck.release();
        rename.join().unwrap();
        let answer = revocation.join().unwrap();
        assert_eq!(answer.problem(), (412, "stale".to_owned()));
        assert!(answer.text.contains(&text(&renamed, "id")));
    });
    let revoked = service.get("/v1/keys?status=revoked").expect(200);
    assert_eq!(revoked["keys"], json!([]));
    let both = json!({ "matched": 2, "revoked": 2 });
    assert_eq!(revoke(2).expect(200), both, "one is a descendant");
}

#[test]
fn a_key_revokes_itself_and_the_answer_does_not_tell_whether_it_was_one() {
    let service = Running::start();
    let key = service.create(r#"{"account":"alice"}"#);
    let other = service.create(r#"{"account":"alice"}"#);
    let imported = json!({ "keys": [{ "key": "an-imported-key-0123456789", "account": "bob" }] });
    let imported = service
        .post("/v1/keys/import", &imported.to_string())
        .expect(200);
    let imported = json!({ "id": imported["results"][0]["id"] });
    let say = |key: &str| {
        let body = json!({ "key": key }).to_string();
        service.send("POST", "/v1/keys/revoke-self", None, &body)
    };
    let native = text(&key, "key");
    let forged = format!("{}A", &native[..native.len() - 1]);
    let unknown = say("no-key-at-all-0123456789").expect(200);
    for key in [&forged, "", &native, &native, "an-imported-key-0123456789"] {
        assert_eq!(say(key).expect(200), unknown);
    }
    for ended in [&key, &imported] {
        let ended = show(&service, ended);
        assert_eq!(
            (&ended["status"], &ended["revoked_reason"]),
            (&json!("revoked"), &json!("key_compromise"))
        );
    }
    assert_eq!(show(&service, &other)["status"], "active");
}

#[test]
fn a_list_is_narrowed_by_name_creator_and_end() {
    let service = Running::start();
    for (name, span) in [("ci-%", "1d"), ("ci-x", "3d"), ("Ci-y", "1d")] {
        service.create(&json!({ "account": "a", "name": name, "expires_in": span }).to_string());
    }
    service.create(r#"{"account":"a"}"#);
    let names = |query: &str| {
        let list = service.get(&format!("/v1/keys?{query}")).expect(200);
        let names = list["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("name_prefix=ci-"), ["ci-x", "ci-%"]);
    assert_eq!(names("name_prefix=ci-%25"), ["ci-%"], "no pattern");
    assert_eq!(
        names("expires_before=2026-11-24T00:00:00Z"),
        ["Ci-y", "ci-%"]
    );
    assert_eq!(names("created_by=0123456789"), [""; 0]);
    service.get("/v1/keys?expires_before=soon").expect(400);
    service.get("/v1/keys?name_prefix=").expect(400);
}

#[test]
fn many_keys_are_created_together_or_none() {
    let service = Running::start();
    let create = |keys: &Value| {
        let body = json!({ "keys": keys }).to_string();
        service.post("/v1/keys/batch", &body)
    };
    let names = ["a", "b", "c"];
    let keys = names.map(|name| json!({ "account": "alice", "name": name }));
    let created = create(&json!(keys)).expect(201);
    let created = created["keys"].as_array().unwrap();
    for (key, name) in created.iter().zip(names) {
        assert_eq!(key["name"], name, "in their order");
        assert_eq!(record(&service, key)["status"], "active");
    }
    assert_eq!(created.len(), 3);
    let wrong = json!([
        { "account": "alice" }, { "account": "alice", "scopes": ["a", "b c"] }, 7, {},
    ]);
    let told = create(&wrong).expect(400);
    let pointers = told["errors"].as_array().unwrap().iter();
    let pointers: Vec<_> = pointers.map(|error| error["pointer"].clone()).collect();
    assert_eq!(pointers, ["/keys/1/scopes/1", "/keys/2", "/keys/3/account"]);
    let one = json!({ "account": "alice" });
    create(&json!(vec![one.clone(); 101])).expect(400);
    create(&json!([])).expect(400);
    let list = service.get("/v1/keys").expect(200);
    assert_eq!(
        list["keys"].as_array().unwrap().len(),
        3,
        "of the others none"
    );
    assert_eq!(
        create(&json!(vec![one; 100])).expect(201)["keys"]
            .as_array()
            .unwrap()
            .len(),
        100
    );
}
