//! Two replicas of the service on one PostgreSQL: what one does, the other knows.

use std::time::{Duration, Instant};

use keygate_core::keys::wire::EDGE_HEADER;
use keygate_service::{EventType, Store};
use serde_json::{Value, json};

use crate::events::target;
use crate::keys::revoke_path;
use crate::receiver::{Receiver, until};
use crate::support::{ADMIN, EDGE, Running, hash, is_postgres, place, text};

/// Within this, each replica knows of what another has done.
const SOON: Duration = Duration::from_secs(2);

/// Leaves a test out that needs a database which replicas can share.
macro_rules! about_replicas {
    () => {
        if !is_postgres() {
            eprintln!("SKIPPED over SQLite, since a file has one process");
            return;
        }
    };
}

/// Two replicas over one database, and the folder of its name.
fn two() -> (Running, Running, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.db");
    (Running::on(&path), Running::on(&path), dir)
}

#[track_caller]
fn soon(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_change_on_one_replica_ends_the_poll_that_another_holds() {
    about_replicas!();
    let (one, other, _dir) = two();
    let start = other.changes("");
    let query = format!(
        "?after=0&incarnation={}&wait=5s",
        text(&start, "incarnation")
    );
    std::thread::scope(|scope| {
        let held = scope.spawn(|| other.changes(&query));
        until("a poll that is held", || {
            let metrics = other.get("/metrics").text;
            metrics
                .contains("keygate_service_held_polls 1\n")
                .then_some(())
        });
        let began = Instant::now();
        let key = one.create(r#"{"account":"a"}"#);
        let answer = held.join().unwrap();
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        assert_eq!(answer["changed"], json!([hash(&key)]));
        assert_eq!(answer["incarnation"], start["incarnation"]);
    });
}

#[test]
fn a_key_and_its_revocation_count_at_once_on_every_replica() {
    about_replicas!();
    let (one, other, _dir) = two();
    let key = one.create(r#"{"account":"a"}"#);
    let found = other.lookup(&[hash(&key)]);
    assert_eq!(found["records"][0]["status"], "active");
    other.post(&revoke_path(&key), "").expect(200);
    let found = one.lookup(&[hash(&key)]);
    assert_eq!(found["records"][0]["status"], "revoked");
    assert_eq!(found["epoch"], 2);
}

#[test]
fn a_token_counts_and_ends_on_every_replica() {
    about_replicas!();
    let (one, other, _dir) = two();
    let body = r#"{"name":"ci","role":"auditor"}"#;
    let token = one.post("/v1/tokens", body).expect(201);
    let secret = text(&token, "token");
    let status = || other.send("GET", "/v1/keys", Some(&secret), "").status;
    soon("the token counts on the other replica", || status() == 200);
    let revoke = format!("/v1/tokens/{}/revoke", text(&token, "id"));
    one.post(&revoke, "").expect(200);
    soon("the token ends on the other replica", || status() == 401);
}

#[test]
fn an_edge_that_polls_one_replica_is_listed_by_another() {
    about_replicas!();
    let (one, other, _dir) = two();
    one.create(r#"{"account":"a"}"#);
    let token = format!("Bearer {EDGE}");
    let report = "start=00000000000000ff lease=60000 version=0.1.0 applied=1 name=node-1";
    let headers = [("authorization", token.as_str()), (EDGE_HEADER, report)];
    one.send_with("GET", "/v1/changes?after=1", &headers, "")
        .expect(200);
    let edges = || other.get("/v1/edges").expect(200)["edges"].clone();
    soon("the edge is listed by the other replica", || {
        edges().as_array().is_some_and(|edges| edges.len() == 1)
    });
    let edge = &edges()[0];
    assert_eq!(edge["name"], "node-1");
    assert_eq!(edge["state"], "current");
    // The replica that heard it later has the last word.
    one.create(r#"{"account":"a"}"#);
    soon("the other replica knows of the change", || {
        edges()[0]["state"] == "behind"
    });
    let report = report.replace("applied=1", "applied=2");
    let headers = [("authorization", token.as_str()), (EDGE_HEADER, &report)];
    other
        .send_with("GET", "/v1/changes?after=2", &headers, "")
        .expect(200);
    let of_one = || one.get("/v1/edges").expect(200)["edges"][0].clone();
    soon("the first replica knows of the poll", || {
        of_one()["state"] == "current"
    });
}

#[test]
fn an_event_is_delivered_by_one_replica_alone() {
    about_replicas!();
    let receiver = Receiver::start();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.db");
    let configured = || {
        Running::on_with(&path, |config| {
            config.events = vec![target(&receiver, EventType::ALL)];
        })
    };
    let replicas = [configured(), configured()];
    for number in 0..20 {
        replicas[number % 2].create(r#"{"account":"a"}"#);
    }
    let mut got: Vec<Value> = receiver.wait_for(20).iter().map(|it| it.json()).collect();
    until("an empty outbox", || {
        let waiting: i64 = replicas[0]
            .raw()
            .read("SELECT count(*) FROM deliveries", &[]);
        (waiting == 0).then_some(())
    });
    assert_eq!(receiver.got().len(), 20, "each was delivered once");
    got.sort_by_key(|it| it["data"]["key"]["id"].to_string());
    got.dedup_by_key(|it| it["data"]["key"]["id"].to_string());
    assert_eq!(got.len(), 20);
}

#[test]
fn an_idempotency_key_of_one_replica_creates_nothing_on_another() {
    about_replicas!();
    let (one, other, _dir) = two();
    let token = format!("Bearer {ADMIN}");
    let create = |service: &Running| {
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
            (
                "idempotency-key",
                "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"",
            ),
        ];
        service.send_with("POST", "/v1/keys", &headers, r#"{"account":"a"}"#)
    };
    let first = create(&one).expect(201);
    let again = create(&other).expect(200);
    assert_eq!(again["id"], first["id"]);
    assert_eq!(again.get("key"), None, "its text is in the memory of one");
}

#[test]
fn two_replicas_that_start_at_once_make_one_schema() {
    about_replicas!();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.db");
    let place = place(&path);
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Store::open(&place)))
            .collect();
        for store in opened {
            store.join().unwrap().unwrap();
        }
    });
    let service = Running::on(&path);
    let count: i64 = service.raw().read("SELECT count(*) FROM incarnations", &[]);
    assert_eq!(count, 1, "one history has one incarnation");
}
