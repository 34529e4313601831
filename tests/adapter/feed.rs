//! The change feed: what it drops, and what it proves fresh.

use keygate_core::keys::NewAppKey;
use keygate_core::keys::wire::Incarnation;
use serde_json::{Value, json};

use crate::host::Worker;
use crate::{
    GENUINE, answer_lookup, answer_poll, key, lookup_answer, only_call, send, start, start_polled,
    status,
};

#[test]
fn a_revoked_key_is_asked_about_again_after_the_next_poll() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    assert!(send(&worker, "/api/x", Some(&key)).1);
    worker.tick(1000);
    let poll = only_call(&worker, "/v1/changes").path();
    assert!(poll.starts_with("/v1/changes?after=10&"), "{poll}");
    answer_poll(
        &worker,
        &json!({ "epoch": 11, "reset": false, "more": false, "changed": [key.hash] }),
    );
    let (request, passes) = send(&worker, "/api/x", Some(&key));
    assert!(!passes);
    worker.turn();
    let mut revoked = lookup_answer(11, &[&key]);
    revoked["records"][0]["status"] = json!("revoked");
    answer_lookup(&worker, &revoked);
    assert_eq!(status(&worker, request), Some(401));
    assert_eq!(worker.counter("keygate_decision.deny.revoked_key"), 1);
}

#[test]
fn a_key_that_was_used_before_the_feed_is_followed_is_asked_about_again() {
    let worker = start();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(5, &[&key]));
    assert!(worker.exchange(request).is_resumed);
    // It is revoked now, and the first answer of the feed does not say so.
    worker.tick(10);
    answer_poll(
        &worker,
        &json!({ "epoch": 6, "reset": false, "more": false, "changed": [] }),
    );
    assert!(!send(&worker, "/api/x", Some(&key)).1);
}

#[test]
fn an_answer_from_before_a_reset_is_ignored_after_it() {
    let worker = start_polled();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    let held_back = only_call(&worker, "/v1/lookups");
    worker.tick(1000);
    answer_poll(
        &worker,
        &json!({ "epoch": 3, "reset": true, "more": false, "changed": [] }),
    );
    let old = lookup_answer(10, &[&key]).to_string();
    worker.answer(&held_back, &GENUINE, old.as_bytes());
    assert!(!worker.exchange(request).is_resumed);
    answer_lookup(&worker, &lookup_answer(3, &[]));
    assert_eq!(status(&worker, request), Some(401));
}

/// A life of the database, by a number.
fn life(number: u8) -> String {
    Incarnation([number; 16]).to_string()
}

fn news(life_number: u8, epoch: u64) -> Value {
    let id = life(life_number);
    json!({ "incarnation": id, "epoch": epoch, "reset": false, "more": false, "changed": [] })
}

/// A worker that has followed life 1 to epoch 10.
fn start_in_life_1() -> Worker {
    let worker = start();
    worker.tick(10);
    answer_poll(&worker, &news(1, 10));
    worker
}

fn lookup_in(life_number: u8, epoch: u64, keys: &[&NewAppKey]) -> Value {
    let mut answer = lookup_answer(epoch, keys);
    answer["incarnation"] = json!(life(life_number));
    answer
}

#[test]
fn a_poll_sends_its_epoch_and_a_hold_below_its_timeout() {
    let worker = start_in_life_1();
    worker.tick(1000);
    let poll = only_call(&worker, "/v1/changes");
    let id = life(1);
    assert_eq!(
        poll.path(),
        format!("/v1/changes?after=10&incarnation={id}&wait=1250ms")
    );
    assert_eq!(poll.timeout_millis, 1550);
}

#[test]
fn after_a_poll_that_was_held_the_next_follows_at_once_and_otherwise_it_does_not() {
    let worker = start_in_life_1();
    worker.tick(1000);
    let held = only_call(&worker, "/v1/changes");
    worker.tick(1000);
    worker.tick(250);
    assert_eq!(worker.calls("/v1/changes").len(), 1, "one at a time");
    let answer = news(1, 10).to_string();
    worker.answer(&held, &GENUINE, answer.as_bytes());
    let at_once = only_call(&worker, "/v1/changes");
    worker.answer(&at_once, &GENUINE, answer.as_bytes());
    worker.tick(750);
    assert!(
        worker.calls("/v1/changes").is_empty(),
        "that one was not held"
    );
    worker.tick(250);
    only_call(&worker, "/v1/changes");
}

#[test]
fn a_continued_database_empties_no_cache() {
    let worker = start_in_life_1();
    let (old, ahead) = (key(1), key(2));
    for (key, epoch) in [(&old, 10), (&ahead, 12)] {
        send(&worker, "/api/x", Some(key));
        worker.turn();
        answer_lookup(&worker, &lookup_in(1, epoch, &[key]));
        assert!(send(&worker, "/api/x", Some(key)).1);
    }
    worker.tick(1000);
    answer_poll(&worker, &news(2, 11));
    assert!(send(&worker, "/api/x", Some(&old)).1);
    assert!(
        !send(&worker, "/api/x", Some(&ahead)).1,
        "the first life may have ended before it got so far"
    );
}

#[test]
fn a_database_that_was_restored_empties_the_cache_even_when_it_has_overtaken_the_edge() {
    let worker = start_in_life_1();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_in(1, 10, &[&key]));
    worker.tick(1000);
    let mut reset = news(2, 15);
    reset["reset"] = json!(true);
    answer_poll(&worker, &reset);
    assert!(!send(&worker, "/api/x", Some(&key)).1);
}

#[test]
fn an_answer_of_another_incarnation_is_used_once_and_not_cached() {
    let worker = start_in_life_1();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_in(2, 15, &[&key]));
    assert!(worker.exchange(request).is_resumed);
    assert!(!send(&worker, "/api/x", Some(&key)).1);
}

#[test]
fn an_answer_of_an_earlier_incarnation_is_ignored() {
    let worker = start_in_life_1();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    let held_back = only_call(&worker, "/v1/lookups");
    worker.tick(1000);
    answer_poll(&worker, &news(2, 10));
    let old = lookup_in(1, 12, &[&key]).to_string();
    worker.answer(&held_back, &GENUINE, old.as_bytes());
    assert!(!worker.exchange(request).is_resumed);
    answer_lookup(&worker, &lookup_in(2, 10, &[]));
    assert_eq!(status(&worker, request), Some(401));
}
