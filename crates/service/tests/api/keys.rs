//! Create, show, list and revoke.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keygate_core::{Millis, UnixMillis};
use keygate_service::Attributes;
use keygate_service::ambient::NoRandomness;
use serde_json::{Value, json};

use crate::support::{Running, START, text};

#[test]
fn a_created_key_is_shown_in_full_and_read_back_without_the_key() {
    let service = Running::start();
    let created = service.create(
        r#"{"account":"alice","name":"CI","scopes":["files:read","files:write"],
            "metadata":{"tier": 1.50},"expires_in":"30d","allowed_ips":["10.0.0.0/8","::1"],
            "allowed_referrers":["app.example.com"]}"#,
    );
    let id = text(&created, "id");
    assert_eq!(text(&created, "start"), format!("kg_01{id}"));
    assert!(text(&created, "key").starts_with(&format!("kg_01{id}_")));

    let read = service.get(&format!("/v1/keys/{id}"));
    let expected = json!({
        "id": id, "start": format!("kg_01{id}"), "account": "alice", "name": "CI",
        "status": "active", "scopes": ["files:read", "files:write"],
        "metadata": {"tier": 1.50}, "allowed_ips": ["10.0.0.0/8", "::1/128"],
        "allowed_referrers": ["app.example.com"],
        "created_at": "2026-11-22T00:00:00.000Z", "expires_at": "2026-12-22T00:00:00.000Z",
        "created_by": null, "updated_at": null, "disabled": false, "disabled_by": null, "sealed": false,
        "secret_id": "01",
        "replaces": null, "replaced_by": null, "last_used_at": null,
        "revoked_at": null, "revoked_reason": null, "revoked_note": null,
    });
    // An attribute that is added is tested by its sample.
    let mut shown = read.expect(200);
    let is_known = |name: &String| expected.get(name).is_some();
    let is_attribute = |name: &String| Attributes::NAMES.contains(&name.as_str());
    let members = shown.as_object_mut().unwrap();
    members.retain(|name, _| is_known(name) || !is_attribute(name));
    assert_eq!(shown, expected);
    assert!(
        read.text.contains(r#"{"tier": 1.50}"#),
        "not verbatim: {}",
        read.text
    );
}

#[test]
fn only_the_account_is_required() {
    let service = Running::start();
    let created = service.create(r#"{"account":"alice"}"#);
    for (field, value) in [
        ("name", Value::Null),
        ("scopes", json!([])),
        ("metadata", json!({})),
        ("allowed_ips", json!([])),
        ("allowed_referrers", json!([])),
        ("expires_at", Value::Null),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
}

#[test]
fn a_key_expires_at_the_instant_that_was_asked_for() {
    let service = Running::start();
    let body = r#"{"account":"a","expires_at":"2026-11-22T01:00:00+01:00"}"#;
    let at_once = service.post("/v1/keys", body);
    assert_eq!(at_once.wrong(400), ["/expires_at"]);

    let created = service.create(r#"{"account":"a","expires_in":"10s"}"#);
    let path = format!("/v1/keys/{}", text(&created, "id"));
    for (passed, status) in [(9_999, "active"), (10_000, "expired")] {
        service.set_now(START.plus(Millis(passed)));
        assert_eq!(service.get(&path).expect(200)["status"], status, "{passed}");
    }
}

#[test]
fn a_list_is_newest_first_and_its_pages_neither_skip_nor_repeat() {
    let service = Running::start();
    let mut made: Vec<String> = (0..7)
        .map(|n| {
            text(
                &service.create(&format!(r#"{{"account":"a{}"}}"#, n % 2)),
                "id",
            )
        })
        .collect();
    made.reverse();

    let mut seen = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let page = service.get(&format!("/v1/keys{query}")).expect(200);
        seen.extend(
            page["keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| text(key, "id")),
        );
        // A key created during paging is on no later page.
        service.create(r#"{"account":"late"}"#);
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
}

#[test]
fn a_list_ends_without_a_cursor_also_when_the_last_page_is_full() {
    let service = Running::start();
    for _ in 0..2 {
        service.create(r#"{"account":"a"}"#);
    }
    let page = service.get("/v1/keys?limit=2").expect(200);
    assert_eq!(page["keys"].as_array().unwrap().len(), 2);
    assert_eq!(page["next_cursor"], Value::Null);
}

#[test]
fn a_list_is_filtered_by_account_and_by_status_now() {
    let service = Running::start();
    let active = service.create(r#"{"account":"a"}"#);
    let expired = service.create(r#"{"account":"a","expires_in":"1s"}"#);
    let revoked = service.create(r#"{"account":"a","expires_in":"1s"}"#);
    service.post(&revoke_path(&revoked), "").expect(200);
    let other = service.create(r#"{"account":"b+c&d"}"#);
    service.set_now(START.plus(Millis::from_secs(1)));
    for (query, expected) in [
        ("?status=active", vec![&other, &active]),
        ("?status=expired", vec![&expired]),
        ("?status=revoked", vec![&revoked]),
        ("?account=a&status=active", vec![&active]),
        ("?account=a", vec![&revoked, &expired, &active]),
        ("?account=b%2Bc%26d", vec![&other]),
        ("?account=nobody", vec![]),
    ] {
        let page = service.get(&format!("/v1/keys{query}")).expect(200);
        let ids = page["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| text(key, "id"));
        let expected: Vec<String> = expected.into_iter().map(|key| text(key, "id")).collect();
        assert_eq!(ids.collect::<Vec<_>>(), expected, "{query}");
    }
}

#[test]
fn a_wrong_parameter_of_the_list_is_named() {
    let service = Running::start();
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=+1", "limit"),
        ("limit=x", "limit"),
        ("status=dead", "status"),
        ("cursor=1", "cursor"),
        ("cursor=YmVmb3JlIHg", "cursor"),
        ("sort=name", "sort"),
        ("account=a&account=b", "account"),
    ] {
        let answer = service.get(&format!("/v1/keys?{query}"));
        assert_eq!(answer.wrong(400), [field], "{query}");
    }
}

#[test]
fn a_second_revocation_changes_nothing() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    let first = service
        .post(
            &revoke_path(&created),
            r#"{"reason":"key_compromise","note":"leaked"}"#,
        )
        .expect(200);
    assert_eq!(first["status"], "revoked");
    assert_eq!(first["revoked_at"], "2026-11-22T00:00:00.000Z");
    assert_eq!(first["revoked_reason"], "key_compromise");
    assert_eq!(first["revoked_note"], "leaked");

    service.set_now(UnixMillis(START.0 + 5000));
    let epoch = service.changes("")["epoch"].clone();
    let second = service
        .post(&revoke_path(&created), r#"{"note":"other"}"#)
        .expect(200);
    assert_eq!(second, first);
    assert_eq!(service.changes("")["epoch"], epoch);
}

#[test]
fn an_unknown_key_is_not_found_whatever_its_id_looks_like() {
    let service = Running::start();
    for id in ["0123456789", "x", "%FF", "%2e%2e", "a%2Fb", "'%20OR%201=1"] {
        for answer in [
            service.get(&format!("/v1/keys/{id}")),
            service.post(&format!("/v1/keys/{id}/revoke"), "{}"),
        ] {
            assert_eq!(answer.problem(), (404, "no_such_key".to_owned()), "{id}");
        }
    }
}

/// The first two keys are drawn from the same bytes.
#[test]
fn a_collision_is_no_error_but_another_try() {
    let drawn = Arc::new(AtomicU64::new(0));
    let service = Running::with(Arc::new(move |bytes| {
        // A key takes 42 draws of one byte: ten for its id, 32 for its secret.
        let key = drawn.fetch_add(1, Ordering::Relaxed) / 42;
        bytes.fill(if key < 2 { 1 } else { 2 });
        Ok(())
    }));
    let first = service.create(r#"{"account":"a"}"#);
    let second = service.create(r#"{"account":"a"}"#);
    assert_eq!(text(&first, "id"), "1111111111");
    assert_eq!(text(&second, "id"), "2222222222");
    assert_eq!(service.changes("")["epoch"], 2);
}

#[test]
fn no_key_is_made_without_randomness() {
    let service = Running::with(Arc::new(|_| Err(NoRandomness)));
    let answer = service.post("/v1/keys", r#"{"account":"a"}"#);
    assert_eq!(answer.problem(), (503, "no_randomness".to_owned()));
    assert_eq!(service.get("/v1/keys").expect(200)["keys"], json!([]));
}

pub fn revoke_path(created: &Value) -> String {
    format!("/v1/keys/{}/revoke", text(created, "id"))
}
