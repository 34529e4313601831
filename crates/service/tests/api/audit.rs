//! The audit log: each change has its entry, and the chain of digests tells what was altered.

use keygate_core::text::hex;
use keygate_service::audit::{Line, START, parse_digest};
use serde_json::{Value, json};

use crate::support::{ADMIN, Running, text};

fn lines(service: &Running, query: &str) -> Vec<Line> {
    let answer = service
        .get(&format!("/v1/audit?limit=1000{query}"))
        .expect(200);
    serde_json::from_value(answer["entries"].clone()).unwrap()
}

/// The number of the first entry that does not fit the one before.
fn broken(lines: &[Line]) -> Option<u64> {
    let mut before = START;
    for line in lines {
        before = line.entry.digest(&before);
        if hex::encode(&before) != line.digest {
            return Some(line.entry.seq);
        }
    }
    None
}

#[test]
fn each_change_has_an_entry_that_says_who_did_it() {
    let service = Running::start();
    let token = service
        .post("/v1/tokens", r#"{"name":"ci","role":"operator"}"#)
        .expect(201);
    let by_token = |method: &str, path: &str, body: &str| {
        service.send(method, path, Some(&text(&token, "token")), body)
    };
    let key = by_token("POST", "/v1/keys", r#"{"account":"alice"}"#);
    let request = key.header("x-request-id").to_owned();
    let key = key.expect(201);
    let path = format!("/v1/keys/{}", text(&key, "id"));
    by_token("PATCH", &path, r#"{"name":"x","disabled":true}"#).expect(200);
    by_token("PATCH", &path, r#"{"name":"x","disabled":true}"#).expect(200);
    service
        .send("PATCH", &path, Some(ADMIN), r#"{"disabled":false}"#)
        .expect(200);
    let new = service
        .post(&format!("{path}/rotate"), r#"{"grace":"1h"}"#)
        .expect(201);
    service
        .post(
            &format!("/v1/keys/{}/revoke", text(&new, "id")),
            r#"{"reason":"key_compromise"}"#,
        )
        .expect(200);
    let keys = json!({ "keys": [{ "key": "an-imported-key-0123456789", "account": "bob" }] });
    let imported = service
        .post("/v1/keys/import", &keys.to_string())
        .expect(200);
    service
        .post(&format!("/v1/tokens/{}/revoke", text(&token, "id")), "")
        .expect(200);

    let lines = lines(&service, "");
    let said: Vec<String> = lines
        .iter()
        .map(|line| {
            let entry = &line.entry;
            let target = entry.target.as_deref().unwrap();
            let detail = entry.detail.as_deref().unwrap_or_default();
            format!("{} {} {target} {detail}", entry.actor, entry.action)
        })
        .collect();
    let token = text(&token, "id");
    let (id, new) = (text(&key, "id"), text(&new, "id"));
    let imported = text(&imported["results"][0], "id");
    assert_eq!(
        said[..5],
        [
            format!("environment token.create {token} operator"),
            format!("token:{token} key.create {id} "),
            format!("token:{token} key.change {id} name, disabled"),
            format!("environment key.change {id} enabled"),
            format!("environment key.rotate {new} replaces {id}"),
        ]
    );
    for revoked in [&id, &new] {
        let entry = format!("environment key.revoke {revoked} key_compromise");
        assert!(said[5..7].contains(&entry), "{said:?}");
    }
    assert_eq!(said[7], format!("environment key.import {imported} "));
    assert_eq!(said[8], format!("environment token.revoke {token} "));
    assert_eq!(said.len(), 9, "what changes nothing has none");
    assert_eq!(lines[1].entry.request_id, Some(request));
    assert_eq!(lines[1].entry.account.as_deref(), Some("alice"));
    assert_eq!(broken(&lines), None);
}

#[test]
fn an_entry_that_is_altered_removed_or_put_in_is_found() {
    for (number, change) in [
        (
            3,
            "UPDATE audit SET actor = 'token:0000000000' WHERE seq = 3",
        ),
        (4, "UPDATE audit SET at = at + 1 WHERE seq = 4"),
        (3, "DELETE FROM audit WHERE seq = 2"),
        (2, "UPDATE audit SET detail = 'x' WHERE seq = 2"),
    ] {
        let service = Running::start();
        for _ in 0..5 {
            service.create(r#"{"account":"alice"}"#);
        }
        assert_eq!(broken(&lines(&service, "")), None);
        let database = service.raw();
        database.run(change, &[]);
        assert_eq!(broken(&lines(&service, "")), Some(number), "{change}");
    }
}

#[test]
fn entries_are_read_in_pages_and_by_what_they_are_about() {
    let service = Running::start();
    let keys: Vec<Value> = (0..7)
        .map(|_| service.create(r#"{"account":"a"}"#))
        .collect();
    service
        .post(&format!("/v1/keys/{}/revoke", text(&keys[3], "id")), "")
        .expect(200);
    let numbers = |query: &str| -> Vec<u64> {
        lines(&service, query)
            .iter()
            .map(|line| line.entry.seq)
            .collect()
    };
    assert_eq!(numbers("&after=5"), [6, 7, 8]);
    assert_eq!(
        numbers(&format!("&target={}", text(&keys[3], "id"))),
        [4, 8]
    );
    assert_eq!(numbers("&action=key.revoke"), [8]);
    assert_eq!(numbers("&actor=account:a"), [0; 0]);
    let page = service.get("/v1/audit?after=2&limit=2").expect(200);
    assert_eq!(page["entries"].as_array().unwrap().len(), 2);
    assert_eq!(parse_digest(&text(&page, "start")), Some(START));
    assert_eq!(page["next"], 4);
    let page = service.get("/v1/audit?after=6").expect(200);
    assert_eq!(page["next"], Value::Null);
    for query in ["limit=0", "limit=+5", "limit=1001", "after=x", "of=x"] {
        service.get(&format!("/v1/audit?{query}")).expect(400);
    }
}

#[test]
fn a_flood_of_rejected_calls_has_few_entries() {
    let service = Running::start();
    for _ in 0..2000 {
        service.send("GET", "/v1/keys", Some("wrong-token-0123456789"), "");
    }
    service.create(r#"{"account":"a"}"#);
    let lines = lines(&service, "");
    let rejected = lines
        .iter()
        .filter(|line| line.entry.action == "admin.rejected");
    assert_eq!(rejected.count(), 1);
    assert_eq!(lines.len(), 2);
}

/// A log of which few entries are by one actor, so that whole pages have none of them.
fn with_many_entries() -> Running {
    let service = Running::start();
    let raw = service.raw();
    raw.batch(
        "INSERT INTO audit (seq, at, actor, action, digest) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) \
         SELECT i, i, iif(i IN (9999, 10000, 24999), 'token:0000000000', 'environment'), \
         'key.create', zeroblob(32) FROM n",
    );
    raw.batch_of("SELECT 1", "UPDATE head SET audited = 25000");
    service
}

#[test]
fn the_pages_of_a_filtered_log_are_its_entries_however_few_they_are() {
    let service = with_many_entries();
    let pages = |query: &str| {
        let mut after = 0;
        let mut pages = Vec::new();
        loop {
            let path = format!("/v1/audit?after={after}&{query}");
            let page = service.get(&path).expect(200);
            let entries = page["entries"].as_array().unwrap().iter();
            let numbers = entries.map(|entry| entry["seq"].as_u64().unwrap());
            pages.push(numbers.collect::<Vec<u64>>());
            let Some(next) = page["next"].as_u64() else {
                return pages;
            };
            after = next;
        }
    };
    assert_eq!(
        pages("actor=token:0000000000"),
        [vec![9999, 10000], vec![], vec![24999]],
        "a page ends where it has looked at enough"
    );
    let few = pages("actor=token:0000000000&limit=1");
    assert_eq!(few.concat(), [9999, 10000, 24999]);
    assert_eq!(pages("action=key.revoke").concat(), [0; 0]);
    assert_eq!(pages("limit=1000").concat().len(), 25_000);
}
