//! Keys that ended long ago are deleted, if the operator says so.

use std::path::Path;

use keygate_core::Millis;
use serde_json::Value;

use crate::receiver::until;
use crate::support::{Raw, Running, START, hash, text};

const DAY: u64 = 24 * 3600 * 1000;

/// Keys by name, all of alice. Those that have ended did so 31 and 29 days ago.
const KEYS: [&str; 5] = [
    "alive",
    "revoked 31",
    "revoked 29",
    "expired 31",
    "expired 29",
];

/// A database with these keys, that a service closed. Its clock was steady for so many days.
fn database(path: &Path, steady_days: u64) -> Value {
    let mut service = Running::on(path);
    let keys: Value = KEYS
        .iter()
        .map(|name| service.create(&format!(r#"{{"account":"alice","name":"{name}"}}"#)))
        .collect();
    service.stop();
    service.await_end();
    let raw = Raw::open(path);
    for name in &KEYS[1..] {
        let (kind, days) = name.split_once(' ').unwrap();
        let column = format!("{}_at", kind.replace("expired", "expires"));
        let at = START.0 - days.parse::<u64>().unwrap() * DAY;
        let update = format!("UPDATE keys SET {column} = ?1 WHERE name = ?2");
        assert_eq!(raw.run(&update, &[&at.cast_signed(), name]), 1);
    }
    let (now, day) = (START.0.cast_signed(), DAY.cast_signed());
    let since = now - steady_days.cast_signed() * day;
    let insert = "INSERT INTO retention (\"only\", last, since) VALUES (1, ?1, ?2)";
    raw.run(insert, &[&(now - 3_600_000), &since]);
    keys
}

/// A service that keeps ended keys for 30 days, when it has looked for them.
fn looked(path: &Path) -> Running {
    let service = Running::on_with(path, |config| config.retention = Some(Millis(30 * DAY)));
    until("a look at ended keys", || {
        let raw = Raw::open(path);
        let last = raw.read::<i64>("SELECT last FROM retention", &[]);
        (last == START.0.cast_signed()).then_some(())
    });
    service
}

fn names(service: &Running) -> Vec<String> {
    let list = service.get("/v1/keys").expect(200);
    let keys = list["keys"].as_array().unwrap().iter().rev();
    keys.map(|key| text(key, "name")).collect()
}

#[test]
fn a_key_that_ended_longer_ago_than_it_is_kept_is_deleted_and_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.db");
    let keys = database(&path, 2);
    let service = looked(&path);
    assert_eq!(names(&service), ["alive", "revoked 29", "expired 29"]);
    let show = |at: usize| service.get(&format!("/v1/keys/{}", text(&keys[at], "id")));
    assert_eq!(show(1).problem(), (404, "no_such_key".to_owned()));
    let hashes: Vec<String> = (0..KEYS.len()).map(|at| hash(&keys[at])).collect();
    let found = service.lookup(&hashes);
    let found = found["records"].as_array().unwrap().iter();
    let found: Vec<String> = found.map(|record| text(record, "id")).collect();
    assert!(!found.contains(&text(&keys[1], "id")) && found.contains(&text(&keys[0], "id")));
    let log = service.get("/v1/audit?action=key.delete").expect(200);
    let log = log["entries"].as_array().unwrap().iter();
    let log: Vec<String> = log
        .map(|entry| format!("{} {}", text(entry, "actor"), text(entry, "target")))
        .collect();
    let deleted = [1, 3].map(|at: usize| format!("service {}", text(&keys[at], "id")));
    assert_eq!(log, deleted);
}

#[test]
fn nothing_is_deleted_on_the_day_after_a_jump_of_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.db");
    database(&path, 0);
    assert_eq!(names(&looked(&path)), KEYS);
}

#[test]
fn without_a_setting_ended_keys_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.db");
    database(&path, 400);
    assert_eq!(names(&Running::on(&path)), KEYS);
}
