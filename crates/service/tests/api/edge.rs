//! The change feed, the lookups, and how they agree.

use std::collections::HashSet;

use keygate_core::keys::wire::{ChangesResponse, LookupResponse, MAX_ANSWER, MAX_CHANGES, Status};
use serde_json::{Value, json};

use crate::keys::revoke_path;
use crate::support::{EDGE, Running, hash, text};

#[test]
fn the_feed_names_every_mutation_in_its_order() {
    let service = Running::start();
    assert_eq!(told(&service, ""), changes(0, &[]));
    let first = service.create(r#"{"account":"a"}"#);
    let second = service.create(r#"{"account":"a"}"#);
    service.post(&revoke_path(&first), "").expect(200);

    let (first, second) = (hash(&first), hash(&second));
    assert_eq!(
        told(&service, "?after=0"),
        changes(3, &[&first, &second, &first])
    );
    assert_eq!(told(&service, "?after=1"), changes(3, &[&second, &first]));
    assert_eq!(told(&service, "?after=3"), changes(3, &[]));
    assert_eq!(told(&service, ""), changes(3, &[]));
}

#[test]
fn an_edge_ahead_of_the_database_must_forget_everything() {
    let service = Running::start();
    service.create(r#"{"account":"a"}"#);
    for ahead in ["2", "18446744073709551615"] {
        let mut reset = changes(1, &[]);
        reset["reset"] = json!(true);
        assert_eq!(told(&service, &format!("?after={ahead}")), reset);
    }
}

#[test]
fn a_long_feed_comes_in_pieces_that_fit_together() {
    let service = Running::start();
    let total = MAX_CHANGES * 2 + 1;
    service.raw().add_changes(u64::try_from(total).unwrap());
    let mut all = Vec::new();
    let mut pieces = Vec::new();
    let mut after = 0;
    loop {
        let piece: ChangesResponse =
            serde_json::from_value(service.changes(&format!("?after={after}"))).unwrap();
        pieces.push(piece.changed.len());
        all.extend(piece.changed);
        after = piece.epoch;
        if !piece.more {
            break;
        }
    }
    assert_eq!(pieces, [MAX_CHANGES, MAX_CHANGES, 1]);
    assert_eq!(after, u64::try_from(total).unwrap());
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), total);
}

#[test]
fn a_wrong_parameter_of_the_feed_is_named() {
    let service = Running::start();
    for (query, field) in [
        ("after=-1", "after"),
        ("after=%2B1", "after"),
        ("after=", "after"),
        ("after=18446744073709551616", "after"),
        ("after=1&after=2", "after"),
        ("after=1&wait=30s", "wait"),
        ("after=1&wait=1", "wait"),
        ("after=1&incarnation=AAAA", "incarnation"),
        ("until=1", "until"),
    ] {
        let answer = service.send("GET", &format!("/v1/changes?{query}"), Some(EDGE), "");
        assert_eq!(answer.wrong(400), [field], "{query}");
    }
}

#[test]
fn a_lookup_says_all_that_the_edge_must_know() {
    let service = Running::start();
    let created = service.create(
        r#"{"account":"alice","name":"hidden","scopes":["read"],"metadata":{"n": 1e2},
            "expires_at":"2030-01-01T00:00:00Z","allowed_ips":["10.0.0.0/8"],
            "allowed_referrers":["https://*.example.com/a/**"]}"#,
    );
    let hash = hash(&created);
    let answer = service.lookup(&[hash.clone(), "A".repeat(43), hash.clone()]);
    let expected = json!({
        "incarnation": service.changes("")["incarnation"],
        "epoch": 1,
        "records": [{
            "hash": hash, "id": text(&created, "id"), "account": "alice", "status": "active",
            "expires_at": 1_893_456_000_000_u64, "scopes": ["read"],
            "allowed_ips": ["10.0.0.0/8"],
            "allowed_referrers": ["https://*.example.com/a/**"], "metadata": {"n": 100.0},
        }],
    });
    assert_eq!(answer, expected);
}

#[test]
fn a_revoked_key_is_found_as_revoked_at_the_epoch_of_its_revocation() {
    let service = Running::start();
    let created = service.create(r#"{"account":"a"}"#);
    service.post(&revoke_path(&created), "").expect(200);
    let answer: LookupResponse = serde_json::from_value(service.lookup(&[hash(&created)])).unwrap();
    assert_eq!(answer.epoch, 2);
    assert_eq!(answer.records[0].status, Status::Revoked);
}

#[test]
fn a_hundred_of_the_largest_records_fit_into_an_answer() {
    let service = Running::start();
    let scopes: Vec<String> = (0..64).map(|n| format!("{n:0>128}")).collect();
    let body = json!({
        "account": "\"".repeat(128), "scopes": scopes,
        "metadata": { "x": "y".repeat(4096 - r#"{"x":""}"#.len()) },
        "allowed_ips": vec!["fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"; 64],
        "allowed_referrers": vec![format!("{:a<256}", "https://a.example/"); 16],
        "expires_at": "9999-12-31T23:59:59.999Z",
    });
    let body = body.to_string();
    let hashes: Vec<String> = (0..100).map(|_| hash(&service.create(&body))).collect();
    let asked = json!({ "hashes": hashes }).to_string();
    let answer = service.send("POST", "/v1/lookups", Some(EDGE), &asked);
    assert_eq!(answer.expect(200)["records"].as_array().unwrap().len(), 100);
    assert!(answer.text.len() <= MAX_ANSWER, "{}", answer.text.len());
}

/// An edge that polls while others write must hear of each change once.
#[test]
fn concurrent_creates_reach_a_polling_edge_each_exactly_once() {
    const WRITERS: usize = 8;
    const EACH: usize = 10;
    let service = Running::start();
    let (made, heard) = std::thread::scope(|scope| {
        let create = || -> Vec<String> {
            let create = |_| hash(&service.create(r#"{"account":"a"}"#));
            (0..EACH).map(create).collect()
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(create)).collect();
        let poller = scope.spawn(|| follow(&service, WRITERS * EACH));
        let made = writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap());
        (made.collect::<Vec<_>>(), poller.join().unwrap())
    });
    assert_eq!(heard.len(), WRITERS * EACH);
    let distinct: HashSet<_> = heard.iter().collect();
    assert_eq!(distinct, made.iter().collect());
    assert_eq!(service.changes("")["epoch"], WRITERS * EACH);
}

/// Polls until so many changes were heard. Ends early, and so fails, if they do not come.
fn follow(service: &Running, expected: usize) -> Vec<String> {
    let mut heard = Vec::new();
    let mut after = 0;
    for _ in 0..100_000 {
        let answer = service.changes(&format!("?after={after}"));
        let changed = answer["changed"].as_array().unwrap();
        let epoch = answer["epoch"].as_u64().unwrap();
        // Without gaps: each change has a number of its own.
        assert_eq!(epoch, after + changed.len() as u64);
        after = epoch;
        heard.extend(changed.iter().map(|hash| hash.as_str().unwrap().to_owned()));
        if heard.len() >= expected {
            break;
        }
    }
    heard
}

/// What the feed says, whichever life of the database it is.
fn told(service: &Running, query: &str) -> Value {
    let mut answer = service.changes(query);
    answer
        .as_object_mut()
        .unwrap()
        .remove("incarnation")
        .unwrap();
    answer
}

fn changes(epoch: u64, changed: &[&String]) -> Value {
    json!({ "epoch": epoch, "reset": false, "more": false, "changed": changed })
}
