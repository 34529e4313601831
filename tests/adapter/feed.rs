//! The change feed: what it drops, and what it proves fresh.

use serde_json::json;

use crate::host::Fault;
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
    let poll = only_call(&worker, "/v1/changes");
    assert!(
        format!("{:?}", poll.headers).contains("after=10") || {
            let path = poll
                .headers
                .iter()
                .find(|(name, _)| name == b":path")
                .unwrap();
            path.1 == b"/v1/changes?after=10"
        }
    );
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
    let path = only_call(&worker, "/v1/changes").headers;
    assert!(path.contains(&(b":path".to_vec(), b"/v1/changes?after=5".to_vec())));
}

#[test]
fn a_poll_whose_answer_is_lost_is_made_again() {
    let worker = start();
    worker.tick(10);
    assert_eq!(worker.calls("/v1/changes").len(), 1);
    worker.tick(1500);
    assert_eq!(worker.calls("/v1/changes").len(), 1);
    worker.tick(200);
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
    assert!(
        !send(&worker, "/api/x", Some(&key)).1,
        "the lease is not of this time"
    );
    worker.tick(250);
    answer_poll(
        &worker,
        &json!({ "epoch": 10, "reset": false, "more": false, "changed": [] }),
    );
    assert!(send(&worker, "/api/x", Some(&key)).1);
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
