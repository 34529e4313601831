//! Tokens of operators and edges that the API creates.

use std::thread;

use serde_json::{Value, json};

use crate::load::{Stuck, send, until, waiting};
use crate::secrecy::holds_a_part;
use crate::support::{Running, START, text};

#[test]
fn a_token_counts_until_it_is_revoked_or_expires_and_is_shown_once() {
    let service = Running::start();
    let create = |body: &str| service.post("/v1/tokens", body).expect(201);
    let first = create(r#"{"name":"ci","role":"auditor"}"#);
    let short = create(r#"{"name":"for an hour","role":"auditor","expires_in":"1h"}"#);
    let may = |token: &Value| {
        let token = text(token, "token");
        service.send("GET", "/v1/keys", Some(&token), "").status == 200
    };
    assert!(may(&first) && may(&short));
    let list = service.get("/v1/tokens");
    let told = list.expect(200);
    let names: Vec<_> = told["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["for an hour", "ci"]);
    for token in [&first, &short] {
        let token = text(token, "token");
        let (_, secret) = token.rsplit_once('_').unwrap();
        assert_eq!(secret.len(), 43);
        assert!(!holds_a_part(list.text.as_bytes(), secret.as_bytes()));
        assert!(!holds_a_part(&service.stored(), secret.as_bytes()));
    }
    let revoke = format!("/v1/tokens/{}/revoke", text(&first, "id"));
    assert_eq!(service.post(&revoke, "").expect(200)["status"], "revoked");
    assert_eq!(service.post(&revoke, "").expect(200)["status"], "revoked");
    assert!(!may(&first) && may(&short));
    service.set_now(keygate_core::UnixMillis(START.0 + 3_600_000));
    assert!(!may(&short));
    for (body, field) in [
        (r#"{"name":"","role":"edge"}"#, "name"),
        (r#"{"name":"x","role":"admin"}"#, "role"),
        (
            r#"{"name":"x","role":"edge","expires_in":"1"}"#,
            "expires_in",
        ),
    ] {
        let wrong = service.post("/v1/tokens", body).wrong(400);
        assert_eq!(wrong, [format!("/{field}")]);
    }
    let all = r#"{"name":"","role":"admin","expires_in":"1"}"#;
    let wrong = service.post("/v1/tokens", all).wrong(400);
    assert_eq!(wrong, ["/name", "/role", "/expires_in"]);
}

#[test]
fn an_unknown_token_is_not_found_whatever_its_id_looks_like() {
    let service = Running::start();
    for id in ["0123456789", "%FF", "%00", "kgt_x"] {
        let answer = service.post(&format!("/v1/tokens/{id}/revoke"), "");
        assert_eq!(answer.problem(), (404, "no_such_token".to_owned()), "{id}");
    }
}

#[test]
fn a_token_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("keygate.db");
    let (kept, revoked) = {
        let service = Running::on(&database);
        let create = |name: &str| {
            let body = json!({ "name": name, "role": "auditor" }).to_string();
            service.post("/v1/tokens", &body).expect(201)
        };
        let (kept, revoked) = (create("kept"), create("revoked"));
        let revoke = format!("/v1/tokens/{}/revoke", text(&revoked, "id"));
        service.post(&revoke, "").expect(200);
        (text(&kept, "token"), text(&revoked, "token"))
    };
    let service = Running::on(&database);
    let status = |token: &str| service.send("GET", "/v1/keys", Some(token), "").status;
    assert_eq!((status(&kept), status(&revoked)), (200, 401));
}

fn create(service: &Running, role: &str) -> Value {
    let body = json!({ "name": role, "role": role }).to_string();
    service.post("/v1/tokens", &body).expect(201)
}

fn revoke_path(token: &Value) -> String {
    format!("/v1/tokens/{}/revoke", text(token, "id"))
}

#[test]
fn a_revoked_token_is_rejected_although_its_revoker_has_gone() {
    let service = Running::start();
    let token = create(&service, "auditor");
    let status = || {
        let token = text(&token, "token");
        service.send("GET", "/v1/keys", Some(&token), "").status
    };
    let mut stuck = Stuck::new(&service);
    let revoker = send(&service, &revoke_path(&token), "");
    until(|| waiting(&service) == 2);
    // The client of a key is the later one to go, and known to have gone.
    drop((revoker, stuck.clients.pop()));
    until(|| waiting(&service) == 1);
    assert_eq!(status(), 200);
    stuck.release();
    until(|| status() == 401);
}

#[test]
fn what_waits_for_a_token_that_is_revoked_meanwhile_is_rejected() {
    let service = Running::start();
    let token = create(&service, "owner");
    let key = service.create(r#"{"account":"a"}"#);
    let stuck = Stuck::new(&service);
    let secret = text(&token, "token");
    let ask = |path: &str, body: &str| {
        let answer = service.send("POST", path, Some(&secret), body);
        answer.problem()
    };
    let minted = r#"{"name":"x","role":"owner"}"#;
    let imported = r#"{"keys":[{"key":"an-imported-key-0123456789","account":"a"}]}"#;
    let rotated = format!("/v1/keys/{}/rotate", text(&key, "id"));
    thread::scope(|scope| {
        let asked = [
            scope.spawn(|| ask("/v1/tokens", minted)),
            scope.spawn(|| ask("/v1/keys", r#"{"account":"a"}"#)),
            scope.spawn(|| ask("/v1/keys/import", imported)),
            scope.spawn(|| ask(&rotated, "")),
        ];
        until(|| waiting(&service) == 1 + asked.len());
        let revocation = scope.spawn(|| service.post(&revoke_path(&token), "").expect(200));
        until(|| waiting(&service) == 2 + asked.len());
        stuck.release();
        revocation.join().unwrap();
        for asked in asked {
            let invalid = (401, "invalid_token".to_owned());
            assert_eq!(asked.join().unwrap(), invalid);
        }
    });
    let list = service.get("/v1/tokens").expect(200);
    assert_eq!(list["tokens"].as_array().unwrap().len(), 1);
}

#[test]
fn tokens_are_listed_in_pages_and_for_ninety_days_after_their_end() {
    const DAY: u64 = 24 * 3_600_000;
    let service = Running::start();
    let at = |days: u64| keygate_core::UnixMillis(START.0 + days * DAY);
    let short = r#"{"name":"short","role":"edge","expires_in":"1d"}"#;
    service.post("/v1/tokens", short).expect(201);
    let revoked = create(&service, "edge");
    service.post(&revoke_path(&revoked), "").expect(200);
    create(&service, "auditor");
    let page = |query: &str| service.get(&format!("/v1/tokens?{query}")).expect(200);
    let names = || {
        let mut names = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = page(&format!("limit=1{cursor}"));
            let [token] = &page["tokens"].as_array().unwrap()[..] else {
                panic!("{page}")
            };
            names.push(text(token, "name"));
            let Some(next) = page["next_cursor"].as_str() else {
                return names;
            };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!(names(), ["auditor", "edge", "short"]);
    assert_eq!(page("")["next_cursor"], Value::Null);
    for query in ["limit=0", "limit=+5", "limit=101", "cursor=x", "of=x"] {
        let answer = service.get(&format!("/v1/tokens?{query}"));
        assert_eq!(answer.status, 400, "{query}");
    }
    service.set_now(at(90));
    create(&service, "creator");
    assert_eq!(names(), ["creator", "auditor", "short"]);
    service.set_now(at(91));
    create(&service, "operator");
    assert_eq!(names(), ["operator", "creator", "auditor"]);
}
