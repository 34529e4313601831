//! Links that work once: answers held back or lost, and clients that go away.

use hmac::{Hmac, KeyInit as _};
use keygate_core::secret::RingEntry;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use serde_json::json;

use crate::host::{Fault, Worker};
use crate::{ENV, GENUINE, header, only_call, policy, status};

const USES: &str = "/v1/links/uses";

fn start() -> Worker {
    let mut policy = policy();
    policy["secrets"]["links"] = json!([{ "id": "k1", "env": ENV }]);
    policy["providers"]["link"] = json!({ "type": "signed_url", "format": "keygate",
        "secrets": "links", "max_lifetime": "367d" });
    policy["rules"][0] = json!({ "name": "once", "match": { "path": "/once" }, "require": "link" });
    Worker::start(&policy.to_string()).unwrap()
}

/// The path without the token, and a request that waits.
fn send(worker: &Worker) -> u32 {
    let terms = Terms {
        // Ten minutes from the beginning of the host's time.
        expires_secs: 1_700_000_600,
        once: Some("0123456789abcdef"),
        ..Terms::default()
    };
    let place = Place {
        host: "example.com",
        path: "/once",
        query: None,
    };
    let entry = RingEntry {
        id: "k1".to_owned(),
        key: Hmac::new_from_slice(std::env::var(ENV).unwrap().as_bytes()).unwrap(),
        not_before: None,
        not_after: None,
    };
    let path = format!("/once?kg={}", hs256(&terms, &place, &entry).unwrap());
    let (request, passes) = worker.request(&[
        (":method", b"GET"),
        (":path", path.as_bytes()),
        (":authority", b"example.com"),
    ]);
    assert!(!passes);
    request
}

fn answer(worker: &Worker, first: bool) {
    let body = json!({ "first": first }).to_string();
    worker.answer(&only_call(worker, USES), &GENUINE, body.as_bytes());
}

#[test]
fn nothing_passes_before_the_link_is_used_up() {
    let worker = start();
    let (first, second) = (send(&worker), send(&worker));
    worker.turn();
    let calls = worker.calls(USES);
    assert_eq!(calls.len(), 2);
    assert!(!worker.body(first), "a body waits, too");
    for (call, is_first) in calls.iter().zip([true, false]) {
        let body = json!({ "first": is_first }).to_string();
        worker.answer(call, &GENUINE, body.as_bytes());
    }
    assert!(worker.exchange(first).is_resumed);
    assert_eq!(
        header(&worker.exchange(first), ":path").as_deref(),
        Some("/once")
    );
    assert_eq!(status(&worker, second), Some(403));
}

#[test]
fn an_answer_that_is_lost_fails_or_comes_late_lets_nothing_pass() {
    let worker = start();
    let request = send(&worker);
    worker.turn();
    worker.tick(60_000);
    assert_eq!(status(&worker, request), Some(503));
    answer(&worker, true);
    assert_eq!(status(&worker, request), Some(503));
    worker.fail(Fault::Call);
    let request = send(&worker);
    worker.turn();
    assert_eq!(status(&worker, request), Some(503));
}

#[test]
fn a_client_that_goes_away_is_no_outage_of_the_lookups() {
    let worker = start();
    let gone = send(&worker);
    let stays = send(&worker);
    worker.turn();
    worker.disconnect(gone);
    for call in worker.calls(USES) {
        worker.answer(
            &call,
            &GENUINE,
            json!({ "first": true }).to_string().as_bytes(),
        );
    }
    assert!(worker.exchange(stays).is_resumed);
    assert_eq!(worker.counter("keygate_lookup.unavailable"), 0);
    assert_eq!(worker.counter("keygate_lookup.answered"), 0);
}

#[test]
fn a_link_that_is_known_to_be_used_up_costs_no_call() {
    let worker = start();
    let first = send(&worker);
    worker.turn();
    answer(&worker, true);
    assert!(worker.exchange(first).is_resumed);
    let again = send(&worker);
    worker.turn();
    assert_eq!(worker.calls(USES).len(), 0);
    assert_eq!(status(&worker, again), Some(403));
    assert_eq!(worker.counter("keygate_decision.deny.link_used"), 1);
}
