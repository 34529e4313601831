//! Two workers of one proxy: one polls, both follow.

use keygate_core::Millis;
use keygate_core::keys::wire::EdgeReport;
use keygate_edge::NotSent;
use serde_json::json;

use crate::worker::{CHANGES, LOOKUPS, Worker, changes, key, lookup, policy, start, start_polled};

/// Two workers that have followed the feed to epoch 10, and know key 1.
fn two() -> (Worker, Worker) {
    let mut first = start_polled(&policy());
    let mut second = first.beside(&policy());
    second.tick(10);
    for worker in [&mut first, &mut second] {
        worker.send(&key(1));
        worker.turn();
        worker.answer_only(LOOKUPS, &lookup(10, &[&key(1)]));
        assert!(passes(worker));
    }
    (first, second)
}

fn passes(worker: &mut Worker) -> bool {
    let request = worker.send(&key(1));
    worker.status(request) == Some(200)
}

#[test]
fn one_worker_polls_and_a_revocation_reaches_both() {
    let (mut first, mut second) = two();
    first.tick(1000);
    second.tick(0);
    assert!(second.calls(CHANGES).is_empty());
    first.answer_only(CHANGES, &changes(11, &[&key(1)]));
    assert!(!passes(&mut first));
    second.tick(250);
    assert!(!passes(&mut second));
}

#[test]
fn while_a_poll_is_held_the_other_worker_does_not_poll() {
    let (mut first, mut second) = two();
    first.tick(1000);
    // Longer than the lease of a worker that does not tick.
    for _ in 0..10 {
        second.tick(250);
        first.tick(0);
        assert!(second.calls(CHANGES).is_empty());
        assert_eq!(first.calls(CHANGES).len(), 1);
    }
}

#[test]
fn when_the_polling_worker_dies_another_takes_over() {
    let (_first, mut second) = two();
    // The first does not tick any more.
    second.tick(1900);
    assert!(second.calls(CHANGES).is_empty());
    second.tick(250);
    second.answer_only(CHANGES, &changes(11, &[&key(1)]));
    assert!(!passes(&mut second));
}

#[test]
fn a_worker_that_ends_hands_the_poll_over_at_once() {
    let (first, mut second) = two();
    first.end();
    second.tick(0);
    assert_eq!(second.calls(CHANGES).len(), 1);
}

#[test]
fn an_answer_to_the_poll_of_a_worker_that_was_overtaken_is_dropped() {
    let (mut first, mut second) = two();
    first.tick(1000);
    let held = first.only(CHANGES);
    second.tick(2250);
    second.answer_only(CHANGES, &changes(11, &[&key(1)]));
    // Asked for what comes after 10, where the feed stands no longer.
    first.answer(held, &changes(10, &[]));
    assert!(!passes(&mut first), "it follows what the other published");
    second.tick(0);
    assert!(!passes(&mut second));
}

#[test]
fn a_reset_empties_the_cache_of_every_worker() {
    let (mut first, mut second) = two();
    first.tick(1000);
    let mut reset = changes(3, &[]);
    reset["reset"] = json!(true);
    first.answer_only(CHANGES, &reset);
    second.tick(250);
    assert!(!passes(&mut first) && !passes(&mut second));
}

#[test]
fn the_lease_of_every_worker_ends_when_no_poll_is_answered() {
    let (mut first, mut second) = two();
    first.refuses = Some(NotSent::Refused);
    second.refuses = Some(NotSent::Refused);
    for _ in 0..59 {
        first.tick(500);
        second.tick(500);
    }
    assert!(passes(&mut second));
    first.tick(500);
    second.tick(1000);
    assert!(!passes(&mut first) && !passes(&mut second));
}

/// What the poll under way says of the edge.
fn report(worker: &Worker) -> EdgeReport {
    let poll = worker.call(worker.only(CHANGES));
    poll.report.clone().unwrap()
}

#[test]
fn a_poll_reports_what_the_slowest_worker_has_applied() {
    let (mut first, mut second) = two();
    first.tick(1000);
    let begun = report(&first);
    assert_eq!(begun.applied, Some(10));
    first.answer_only(CHANGES, &changes(11, &[&key(1)]));
    // The second has not ticked since, and still accepts the key.
    first.tick(1000);
    assert_eq!(report(&first).applied, Some(10));
    assert!(passes(&mut second));
    second.tick(0);
    assert!(!passes(&mut second));
    first.answer_only(CHANGES, &changes(11, &[]));
    first.tick(1000);
    assert_eq!(report(&first).applied, Some(11));
    assert_eq!(report(&first).start, begun.start);
}

#[test]
fn a_worker_that_stops_counts_until_its_lease_ends_or_it_hands_over() {
    let (mut first, second) = two();
    first.tick(1000);
    first.answer_only(CHANGES, &changes(11, &[]));
    for _ in 0..58 {
        first.tick(1000);
        assert_eq!(report(&first).applied, Some(10), "the second may wake up");
        first.answer_only(CHANGES, &changes(11, &[]));
    }
    first.tick(1000);
    assert_eq!(report(&first).applied, Some(11), "its lease has ended");
    drop(second);

    let (mut first, second) = two();
    first.tick(1000);
    first.answer_only(CHANGES, &changes(11, &[]));
    second.end();
    first.tick(1000);
    assert_eq!(report(&first).applied, Some(11));
}

#[test]
fn a_poll_reports_the_longest_lease_and_any_outage_policy() {
    let mut first = start_polled(&policy());
    first.tick(1000);
    let alone = report(&first);
    assert_eq!((alone.lease, alone.allows_outage), (Millis(60_000), false));
    let mut other = policy();
    other["key_service"]["lease"] = json!("90s");
    other["providers"]["key"]["outage"] = json!("allow");
    let mut second = first.beside(&other);
    second.tick(10);
    first.answer_only(CHANGES, &changes(10, &[]));
    first.tick(1000);
    let both = report(&first);
    assert_eq!((both.lease, both.allows_outage), (Millis(90_000), true));
}

#[test]
fn the_first_poll_of_a_proxy_reports_that_nothing_is_cached() {
    let mut first = start(&policy());
    first.tick(10);
    assert_eq!(report(&first).applied, None);
}
