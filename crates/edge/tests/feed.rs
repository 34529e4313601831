//! The change feed: what it drops, what it proves fresh, and when it is polled.

use keygate_core::Millis;
use keygate_edge::NotSent;
use serde_json::json;

use crate::worker::{CHANGES, LOOKUPS, Worker, changes, key, lookup, policy, start, start_polled};

/// A worker that knows key 1, as of epoch 10.
fn warm() -> Worker {
    let mut worker = start_polled(&policy());
    worker.send(&key(1));
    worker.turn();
    worker.answer_only(LOOKUPS, &lookup(10, &[&key(1)]));
    worker
}

fn passes(worker: &mut Worker) -> bool {
    let request = worker.send(&key(1));
    worker.status(request) == Some(200)
}

#[test]
fn a_key_that_changed_is_asked_about_again() {
    let mut worker = warm();
    assert!(passes(&mut worker));
    worker.tick(1000);
    let poll = worker.only(CHANGES);
    assert!(worker.call(poll).path.starts_with("/v1/changes?after=10&"));
    worker.answer(poll, &changes(11, &[&key(1)]));
    let request = worker.send(&key(1));
    worker.turn();
    let mut revoked = lookup(11, &[&key(1)]);
    revoked["records"][0]["status"] = json!("revoked");
    worker.answer_only(LOOKUPS, &revoked);
    assert_eq!(worker.status(request), Some(401));
}

#[test]
fn an_answer_held_back_across_a_revocation_lets_no_request_pass() {
    let mut worker = start_polled(&policy());
    let request = worker.send(&key(1));
    worker.turn();
    let held_back = worker.only(LOOKUPS);
    worker.tick(1000);
    worker.answer_only(CHANGES, &changes(11, &[&key(1)]));
    worker.answer(held_back, &lookup(10, &[&key(1)]));
    assert_eq!(worker.status(request), None);
    worker.answer_only(LOOKUPS, &lookup(11, &[]));
    assert_eq!(worker.status(request), Some(401));
}

#[test]
fn a_change_between_the_answer_and_its_turn_counts() {
    let mut worker = start_polled(&policy());
    let request = worker.send(&key(1));
    worker.turn();
    worker.tick(1000);
    let (poll, asked) = (worker.only(CHANGES), worker.only(LOOKUPS));
    // The answer makes the request due; no turn decides it before the feed goes on.
    worker.hold(|worker| {
        worker.answer(asked, &lookup(10, &[&key(1)]));
        worker.answer(poll, &changes(11, &[&key(1)]));
    });
    assert_eq!(worker.status(request), None, "it is asked about once more");
}

#[test]
fn cached_keys_count_until_the_lease_ends() {
    let mut worker = warm();
    worker.refuses = Some(NotSent::Refused);
    worker.tick(59_000);
    assert!(passes(&mut worker));
    worker.tick(1_000);
    assert!(!passes(&mut worker));
}

#[test]
fn a_feed_that_cannot_say_what_changed_empties_the_cache() {
    let mut worker = warm();
    worker.tick(1000);
    let mut reset = changes(3, &[]);
    reset["reset"] = json!(true);
    worker.answer_only(CHANGES, &reset);
    assert!(!passes(&mut worker));
    assert_eq!(worker.counter("keygate_feed.reset"), 1);
}

#[test]
fn more_changes_are_fetched_at_once() {
    let mut worker = start(&policy());
    worker.tick(10);
    let mut part = changes(5, &[]);
    part["more"] = json!(true);
    worker.answer_only(CHANGES, &part);
    let poll = worker.only(CHANGES);
    assert!(worker.call(poll).path.starts_with("/v1/changes?after=5&"));
}

#[test]
fn a_poll_may_be_held_for_less_than_its_timeout() {
    let mut worker = start_polled(&policy());
    worker.tick(1000);
    let poll = worker.call(worker.only(CHANGES));
    assert!(poll.path.ends_with("&wait=1250ms"), "{}", poll.path);
    assert_eq!(poll.timeout, Millis(1550));
    assert!(poll.body.is_empty());
}

#[test]
fn a_poll_whose_answer_is_lost_is_made_again() {
    let mut worker = start(&policy());
    worker.tick(10);
    worker.tick(2800);
    assert_eq!(worker.calls(CHANGES).len(), 1);
    worker.tick(100);
    assert_eq!(worker.calls(CHANGES).len(), 2);
    assert_eq!(worker.counter("keygate_key_service.timed_out"), 1);
}

#[test]
fn a_clock_that_is_set_back_stops_neither_the_feed_nor_the_end_of_the_lease() {
    let mut worker = warm();
    worker.rewind(3_600_000);
    assert!(passes(&mut worker), "no time has gone by");
    worker.tick(250);
    worker.answer_only(CHANGES, &changes(10, &[]));
    worker.refuses = Some(NotSent::Refused);
    worker.rewind(30_000);
    worker.tick(0);
    worker.tick(59_700);
    assert!(passes(&mut worker));
    worker.tick(300);
    assert!(!passes(&mut worker));
}

#[test]
fn the_lease_counts_from_the_question_and_not_from_the_answer() {
    let mut worker = warm();
    worker.tick(1000);
    let late = worker.only(CHANGES);
    worker.refuses = Some(NotSent::Refused);
    worker.tick(1500);
    worker.answer(late, &changes(10, &[]));
    worker.tick(58_400);
    assert!(passes(&mut worker));
    worker.tick(200);
    assert!(!passes(&mut worker));
}
