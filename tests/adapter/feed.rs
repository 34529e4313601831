//! The change feed: what it drops, and what it proves fresh.

use keygate_core::keys::NewAppKey;
use keygate_core::keys::wire::Incarnation;
use serde_json::{Value, json};

use crate::host::{Fault, Worker};
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
fn an_answer_held_back_across_a_revocation_resurrects_nothing() {
    let worker = start_polled();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    let held_back = only_call(&worker, "/v1/lookups");
    worker.tick(1000);
    answer_poll(
        &worker,
        &json!({ "epoch": 11, "reset": false, "more": false, "changed": [key.hash] }),
    );
    let old = lookup_answer(10, &[&key]).to_string();
    worker.answer(&held_back, &GENUINE, old.as_bytes());
    assert!(
        !worker.exchange(request).is_resumed,
        "the old answer lets nothing pass"
    );
    let mut revoked = lookup_answer(11, &[&key]);
    revoked["records"][0]["status"] = json!("revoked");
    answer_lookup(&worker, &revoked);
    assert_eq!(status(&worker, request), Some(401));
}

#[test]
fn an_answer_that_stays_behind_the_feed_is_unavailable() {
    let worker = start_polled();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(9, &[&key]));
    assert_eq!(status(&worker, request), None);
    answer_lookup(&worker, &lookup_answer(9, &[&key]));
    assert_eq!(status(&worker, request), Some(503));
}

#[test]
fn without_the_feed_a_warm_key_counts_until_the_lease_ends() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    worker.fail(Fault::Call);
    worker.tick(59_000);
    assert!(send(&worker, "/api/x", Some(&key)).1);
    worker.tick(1_000);
    let (request, passes) = send(&worker, "/api/x", Some(&key));
    assert!(!passes);
    worker.turn();
    assert_eq!(status(&worker, request), Some(503));
}

#[test]
fn a_feed_that_cannot_say_what_changed_empties_the_cache() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    worker.tick(1000);
    answer_poll(
        &worker,
        &json!({ "epoch": 3, "reset": true, "more": false, "changed": [] }),
    );
    assert!(!send(&worker, "/api/x", Some(&key)).1);
}

#[test]
fn more_changes_are_fetched_at_once() {
    let worker = start();
    worker.tick(10);
    let part = json!({ "epoch": 5, "reset": false, "more": true, "changed": [] });
    answer_poll(&worker, &part);
    let path = only_call(&worker, "/v1/changes").path();
    assert!(path.starts_with("/v1/changes?after=5&"), "{path}");
}

#[test]
fn a_poll_whose_answer_is_lost_is_made_again() {
    let worker = start();
    worker.tick(10);
    assert_eq!(worker.calls("/v1/changes").len(), 1);
    worker.tick(2800);
    assert_eq!(worker.calls("/v1/changes").len(), 1);
    worker.tick(100);
    assert_eq!(worker.calls("/v1/changes").len(), 2);
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
fn a_clock_that_is_set_back_stops_neither_the_feed_nor_the_end_of_the_lease() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    worker.rewind(3_600_000);
    assert!(send(&worker, "/api/x", Some(&key)).1, "no time has gone by");
    worker.tick(250);
    answer_poll(
        &worker,
        &json!({ "epoch": 10, "reset": false, "more": false, "changed": [] }),
    );
    assert!(send(&worker, "/api/x", Some(&key)).1);
    worker.fail(Fault::Call);
    worker.rewind(30_000);
    worker.tick(0);
    worker.tick(59_700);
    assert!(send(&worker, "/api/x", Some(&key)).1);
    worker.tick(300);
    assert!(!send(&worker, "/api/x", Some(&key)).1);
    worker.tick(30_000);
    assert!(
        !send(&worker, "/api/x", Some(&key)).1,
        "the clock is where it was, and the lease has ended all the same"
    );
}

#[test]
fn an_answer_from_before_a_reset_says_nothing_after_it() {
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

#[test]
fn the_lease_counts_from_the_question_and_not_from_the_answer() {
    let worker = start_polled();
    let key = key(1);
    send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&key]));
    worker.tick(1000);
    let late = only_call(&worker, "/v1/changes");
    worker.fail(Fault::Call);
    worker.tick(1500);
    let answer = json!({ "epoch": 10, "reset": false, "more": false, "changed": [] }).to_string();
    worker.answer(&late, &GENUINE, answer.as_bytes());
    worker.tick(58_400);
    assert!(send(&worker, "/api/x", Some(&key)).1);
    worker.tick(200);
    assert!(!send(&worker, "/api/x", Some(&key)).1);
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
fn a_poll_says_where_it_stands_and_may_be_held_for_less_than_its_timeout() {
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
        "nobody held that one"
    );
    worker.tick(250);
    only_call(&worker, "/v1/changes");
}

#[test]
fn a_database_that_goes_on_in_another_life_empties_no_cache() {
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
fn an_answer_of_another_life_lets_pass_who_waits_and_is_not_kept() {
    let worker = start_in_life_1();
    let key = key(1);
    let (request, _) = send(&worker, "/api/x", Some(&key));
    worker.turn();
    answer_lookup(&worker, &lookup_in(2, 15, &[&key]));
    assert!(worker.exchange(request).is_resumed);
    assert!(!send(&worker, "/api/x", Some(&key)).1);
}

#[test]
fn an_answer_from_before_another_life_says_nothing_in_it() {
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
