//! `keygate keys list`, `show`, `usage` and `top`: when and how often keys were used.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{EDGE, Server, database, id};

/// An edge reports so many allowed requests with a key, and one that was rejected. A time that
/// cannot be, such as 1970, counts as now.
fn report(server: &Server, id: &str, allowed: u32) {
    let one = json!({ "id": id, "minute": 0, "allowed": allowed, "rejected": 1 });
    let answer = ureq::post(format!("{}/v1/uses", server.url))
        .header("authorization", &format!("Bearer {EDGE}"))
        .header("content-type", "application/json")
        .send(&json!({ "uses": [one] }).to_string())
        .unwrap();
    assert_eq!(answer.status(), 200);
}

fn last_used(server: &Server, id: &str) -> Value {
    let shown = server.output(&["keys", "show", id, "--json"]);
    let mut shown: Value = serde_json::from_str(&shown).unwrap();
    shown["last_used_at"].take()
}

#[test]
fn uses_are_listed_and_those_that_wait_are_written_at_a_clean_stop() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let create = || id(&server.output(&["keys", "create", "--account", "alice"]));
    let (used, unused) = (create(), create());
    report(&server, &used, 5);
    let started = Instant::now();
    while last_used(&server, &used).is_null() {
        assert!(started.elapsed() < Duration::from_secs(30), "not written");
    }
    let at = last_used(&server, &used).as_str().unwrap().to_owned();
    let list = server.output(&["keys", "list"]);
    let mut rows = list.lines();
    assert!(
        rows.next()
            .unwrap()
            .contains("CREATED                   LAST USED                 EXPIRES")
    );
    let row = |id: &str| list.lines().find(|row| row.starts_with(id)).unwrap();
    assert!(row(&used).contains(&format!("Z  {at}  -")), "{list}");
    assert!(
        row(&unused).contains("Z  -                         -"),
        "{list}"
    );
    let text = server.output(&["keys", "show", &used]);
    let is_shown = |row: &str| row.starts_with("last used ") && row.ends_with(&at);
    assert!(text.lines().any(is_shown), "{text}");

    // Within the same minute, so that it waits in memory.
    report(&server, &used, 7);
    server.signal(Signal::TERM);
    let (status, log) = server.end();
    assert!(status.success(), "{log}");
    let server = Server::start(&path);
    let usage = server.output(&["keys", "usage", &used]);
    let rows: Vec<Vec<&str>> = usage
        .lines()
        .map(|row| row.split_whitespace().collect())
        .collect();
    assert_eq!(rows[0], ["DAY", "ALLOWED", "REJECTED"]);
    // Midnight may have passed.
    let sum = |column: usize| -> u32 {
        let days = rows[1..].iter();
        days.map(|row| row[column].parse::<u32>().unwrap()).sum()
    };
    assert_eq!((sum(1), sum(2)), (12, 2), "{usage}");
    let json = server.output(&["keys", "usage", &used, "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["id"], used.as_str());
    let top = server.output(&["keys", "top", "--days", "2", "--limit", "1"]);
    let row = |line: usize| -> Vec<&str> {
        let line = top.lines().nth(line).unwrap();
        line.split_whitespace().collect()
    };
    assert_eq!(row(0), ["KEY", "ACCOUNT", "ALLOWED", "REJECTED"]);
    assert_eq!(row(1), [used.as_str(), "alice", "12", "2"]);
    assert_eq!(row(4), ["alice", "12", "2"], "{top}");
    let failed = server.keygate(&["keys", "top", "--days", "91"]).code(2);
    let error = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(error.contains("days: must be 1 to 90"), "{error}");
    let empty = server.output(&["keys", "usage", &unused]);
    assert_eq!(empty.trim_end(), "DAY  ALLOWED  REJECTED");
}

#[test]
fn keys_that_are_not_used_are_listed_and_exported() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let key = id(&server.output(&["keys", "create", "--account", "alice"]));
    for (since, is_listed) in [
        ("2999-01-01T00:00:00Z", true),
        ("2020-01-01T00:00:00Z", false),
    ] {
        for command in ["list", "export"] {
            let list = server.output(&["keys", command, "--unused-since", since]);
            assert_eq!(list.contains(&key), is_listed, "{command} {since}: {list}");
        }
    }
}
