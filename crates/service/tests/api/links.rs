//! Links that work once.

use std::thread;

use keygate_core::UnixMillis;
use serde_json::{Value, json};

use crate::support::{EDGE, Running, START};

fn ask(service: &Running, body: &Value) -> bool {
    let answer = service.send("POST", "/v1/links/uses", Some(EDGE), &body.to_string());
    answer.expect(200)["first"].as_bool().unwrap()
}

#[test]
fn a_link_is_unused_once_and_a_look_uses_nothing_up() {
    let service = Running::start();
    let link = json!({ "id": "2026-11.abc", "expires_at": 4_000_000_000_000_u64 });
    let look = json!({ "id": "2026-11.abc", "expires_at": 4_000_000_000_000_u64, "peek": true });
    assert!(ask(&service, &look));
    assert!(ask(&service, &link));
    assert!(!ask(&service, &link));
    assert!(!ask(&service, &look));
    let other = json!({ "id": "2026-11.abd", "expires_at": 4_000_000_000_000_u64 });
    assert!(ask(&service, &other));
}

#[test]
fn of_many_who_use_one_link_at_once_one_is_first() {
    let service = Running::start();
    let link = json!({ "id": "k.race", "expires_at": 4_000_000_000_000_u64 });
    let firsts: usize = thread::scope(|scope| {
        let tries: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| usize::from(ask(&service, &link))))
            .collect();
        tries.into_iter().map(|it| it.join().unwrap()).sum()
    });
    assert_eq!(firsts, 1);
}

#[test]
fn a_used_link_is_remembered_past_its_end_and_then_forgotten() {
    const HOUR: u64 = 3_600_000;
    const END: u64 = 2_000_000;
    let service = Running::start();
    service.set_now(UnixMillis(1_000_000));
    let link = json!({ "id": "k.a", "expires_at": END });
    assert!(ask(&service, &link));
    // A client that is an hour late by the clock of another edge finds the link used.
    service.set_now(UnixMillis(END + HOUR));
    assert!(!ask(&service, &link));
    let count = || -> i64 {
        let raw = service.raw();
        raw.read::<i64>("SELECT count(*) FROM link_uses", &[])
    };
    assert_eq!(count(), 1);
    service.set_now(UnixMillis(END + 25 * HOUR + 1000));
    let other = json!({ "id": "k.b", "expires_at": 900_000_000 });
    assert!(ask(&service, &other));
    assert_eq!(count(), 1, "the first is swept, the second is there");
}

#[test]
fn a_used_link_stays_used_when_the_clock_jumps() {
    const DAY: u64 = 24 * 3_600_000;
    let service = Running::start();
    let link = json!({ "id": "k.a", "expires_at": START.0 + 60_000 });
    assert!(ask(&service, &link));
    for (at, other) in [(START.0 + DAY, "k.b"), (START.0 - DAY, "k.c")] {
        service.set_now(UnixMillis(at));
        // Each use forgets links that have ended.
        let other = json!({ "id": other, "expires_at": at + 60_000 });
        assert!(ask(&service, &other));
        service.set_now(START);
        assert!(!ask(&service, &link));
    }
}

#[test]
fn a_wrong_field_is_named() {
    let service = Running::start();
    for (body, field) in [
        (json!({ "id": "", "expires_at": 1 }), "id"),
        (json!({ "id": "a b", "expires_at": 1 }), "id"),
        (json!({ "id": "a".repeat(161), "expires_at": 1 }), "id"),
        (json!({ "id": "a" }), "expires_at"),
        (json!({ "id": "a", "expires_at": -1 }), "expires_at"),
        (json!({ "id": "a", "expires_at": 1, "once": true }), "once"),
    ] {
        let answer = service.send("POST", "/v1/links/uses", Some(EDGE), &body.to_string());
        assert_eq!(answer.wrong(400), [format!("/{field}")], "{body}");
    }
}
