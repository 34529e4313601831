//! Links that work once: answers held back or lost, and clients that go away.

use hmac::{Hmac, KeyInit as _};
use keygate_core::secret::RingEntry;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use serde_json::{Value, json};

use crate::host::{Call, Fault, Worker};
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

/// A `GET` with the link that most tests use.
fn send(worker: &Worker) -> u32 {
    send_as(worker, "GET", 1)
}

/// A request that waits, with the link of this number.
fn send_as(worker: &Worker, method: &str, link: u32) -> u32 {
    let (request, passes) = arrive(worker, method, link);
    assert!(!passes);
    request
}

fn arrive(worker: &Worker, method: &str, link: u32) -> (u32, bool) {
    let id = format!("0123456789abcdef{link}");
    let terms = Terms {
        // Ten minutes from the beginning of the host's time.
        expires_secs: 1_700_000_600,
        once: Some(&id),
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
    worker.request(&[
        (":method", method.as_bytes()),
        (":path", path.as_bytes()),
        (":authority", b"example.com"),
    ])
}

fn answer(worker: &Worker, first: bool) {
    answer_call(worker, &only_call(worker, USES), first);
}

fn answer_call(worker: &Worker, call: &Call, first: bool) {
    let body = json!({ "first": first }).to_string();
    worker.answer(call, &GENUINE, body.as_bytes());
}

/// Whether a call only asks.
fn peeks(call: &Call) -> bool {
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    body["peek"].as_bool().unwrap()
}

/// Lets the worker decide everything that is due: a few requests in each turn.
fn decide_all(worker: &Worker) {
    (0..20).for_each(|_| worker.turn());
}

fn resumed(worker: &Worker, requests: &[u32]) -> usize {
    let resumed = |request: &&u32| worker.exchange(**request).is_resumed;
    requests.iter().filter(resumed).count()
}

#[test]
fn nothing_passes_before_the_link_is_used_up() {
    let worker = start();
    let (first, second) = (send(&worker), send(&worker));
    worker.turn();
    assert!(!worker.body(first), "a body waits, too");
    answer(&worker, true);
    assert!(worker.exchange(first).is_resumed);
    assert_eq!(
        header(&worker.exchange(first), ":path").as_deref(),
        Some("/once")
    );
    assert_eq!(status(&worker, second), Some(403));
    assert_eq!(worker.calls(USES).len(), 0);
}

#[test]
fn many_heads_with_one_unused_link_make_one_call_a_second() {
    let worker = start();
    let requests: Vec<u32> = (0..200).map(|_| send_as(&worker, "HEAD", 1)).collect();
    worker.turn();
    assert!(peeks(&only_call(&worker, USES)));
    answer(&worker, true);
    decide_all(&worker);
    assert_eq!(resumed(&worker, &requests), 200);
    worker.tick(900);
    for _ in 0..10 {
        assert!(arrive(&worker, "HEAD", 1).1, "known to be unused");
    }
    worker.turn();
    assert_eq!(worker.calls(USES).len(), 0);
    worker.tick(100);
    let after_a_second = send_as(&worker, "HEAD", 1);
    worker.turn();
    answer(&worker, false);
    assert_eq!(status(&worker, after_a_second), Some(403));
}

#[test]
fn a_link_that_was_just_unused_is_rejected_once_it_is_used_up() {
    let worker = start();
    send_as(&worker, "HEAD", 1);
    worker.turn();
    answer(&worker, true);
    let get = send(&worker);
    worker.turn();
    assert!(!peeks(&only_call(&worker, USES)));
    answer(&worker, true);
    assert!(worker.exchange(get).is_resumed);
    let (head, _) = arrive(&worker, "HEAD", 1);
    assert_eq!(status(&worker, head), Some(403));
}

#[test]
fn a_get_that_arrives_during_a_peek_gets_a_call_of_its_own() {
    let worker = start();
    let head = send_as(&worker, "HEAD", 1);
    worker.turn();
    let (first, second) = (send(&worker), send(&worker));
    worker.turn();
    assert!(peeks(&only_call(&worker, USES)), "one call for each link");
    answer(&worker, true);
    assert!(worker.exchange(head).is_resumed);
    assert_eq!(resumed(&worker, &[first, second]), 0);
    assert!(!peeks(&only_call(&worker, USES)));
    answer(&worker, true);
    assert!(worker.exchange(first).is_resumed);
    assert_eq!(status(&worker, second), Some(403));
    // Of a link that is used up already, the peek says so to both.
    send_as(&worker, "HEAD", 2);
    worker.turn();
    let get = send_as(&worker, "GET", 2);
    answer(&worker, false);
    assert_eq!(status(&worker, get), Some(403));
    assert_eq!(worker.calls(USES).len(), 0);
}

#[test]
fn a_lost_failed_or_late_answer_lets_no_request_pass() {
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
